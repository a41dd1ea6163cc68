//! What CloudWatch is told of clusters and services (`AWS/ECS`), each minute while it is awake.
//!
//! A service has one sample for each task that runs, so that `Average` is the service's
//! utilisation and `SampleCount` the number of its tasks. Utilisation is of what the task
//! definition reserves, and never above 100: tasks have their cpu as a limit here, where on
//! EC2 one without a task-level limit may take what its neighbours leave.

use super::service::ServiceKey;
use super::task::{Container, Task, TaskStatus};
use crate::behaviour::Behaviour;
use crate::cloudwatch::{self, Measured};
use crate::load::Used;
use crate::time::Time;
use crate::world::World;

const NAMESPACE: &str = "AWS/ECS";

/// The cpu units of a task that reserves none: a whole vCPU.
const UNRESERVED: u32 = 1024;

/// A task that answers, as far as load must know it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Worker {
    pub(crate) task: String,
    pub(crate) behaviour: Behaviour,
    pub(crate) cpu: u32,
    pub(crate) memory: u32,
}

/// The task behind a target; `None` where nobody accepts the connection.
pub(crate) fn worker_at(world: &World, instance_id: &str, port: u16) -> Option<Worker> {
    let task = world.ecs.tasks.get(world.ecs.instance_by_ec2(instance_id)?.owner_of(port)?)?;
    let container = task.containers.iter().find(|it| it.ports.iter().any(|bound| bound.host == port))?;
    container.answers(world.now()).then(|| of(world, task, container))
}

/// A task by its id, while its container runs (be it on its way out).
pub(crate) fn worker(world: &World, task: &str) -> Option<Worker> {
    let task = world.ecs.tasks.get(task)?;
    let container = serving(task)?;
    container.answers(world.now()).then(|| of(world, task, container))
}

/// A service's tasks that answer and are not to go.
pub(crate) fn workers_of(world: &World, cluster: &str, service: &str) -> Vec<Worker> {
    let key = ServiceKey { cluster: cluster.to_owned(), name: service.to_owned() };
    let tasks = world.ecs.service(&key).into_iter().flat_map(|service| &service.tasks);
    let tasks = tasks.filter_map(|id| world.ecs.tasks.get(id)).filter(|task| task.wanted);
    let answering = tasks.filter_map(|task| Some((task, serving(task)?)));
    answering
        .filter(|(_, container)| container.answers(world.now()))
        .map(|(task, container)| of(world, task, container))
        .collect()
}

/// The target groups of a service's deployments.
pub(crate) fn groups_of(world: &World, cluster: &str, service: &str) -> Vec<String> {
    let key = ServiceKey { cluster: cluster.to_owned(), name: service.to_owned() };
    let Some(service) = world.ecs.service(&key) else { return Vec::new() };
    let revisions = service.deployments.iter().filter_map(|it| service.revision(&it.revision));
    revisions.flat_map(|it| &it.load_balancers).map(|it| it.group.clone()).collect()
}

/// The container whose behaviour stands for the task's: the first with a port, or the first.
fn serving(task: &Task) -> Option<&Container> {
    task.containers.iter().find(|it| !it.ports.is_empty()).or_else(|| task.containers.first())
}

fn of(world: &World, task: &Task, container: &Container) -> Worker {
    let reserved = world.ecs.instances.get(&task.instance).and_then(|it| it.reserved.get(&task.id));
    let cpu = reserved.map(|it| it.cpu).filter(|cpu| *cpu > 0).unwrap_or(UNRESERVED);
    Worker {
        task: task.id.clone(),
        behaviour: container.behaviour.clone(),
        cpu,
        memory: reserved.map_or(0, |it| it.memory),
    }
}

/// What a minute came to.
struct Row {
    name: &'static str,
    dimensions: Vec<(&'static str, String)>,
    percent: f64,
}

/// A minute is over.
pub(crate) fn measure(world: &mut World) {
    let at = Time(world.now().0.saturating_sub(1));
    let mut rows = Vec::new();
    for cluster in world.ecs.clusters.values().filter(|cluster| cluster.active) {
        of_cluster(world, &cluster.name, &mut rows);
    }
    world.load.forget_minute();
    for Row { name, dimensions, percent } in rows {
        let dimensions: Vec<(&str, &str)> =
            dimensions.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let measured = Measured {
            namespace: NAMESPACE,
            name,
            dimensions: &dimensions,
            unit: "Percent",
            value: percent,
            times: 1.0,
        };
        cloudwatch::publish(world, &measured, at);
    }
}

fn of_cluster(world: &World, cluster: &str, rows: &mut Vec<Row>) {
    let (mut used_cpu, mut used_memory) = (0.0, 0.0);
    let running = |task: &&Task| task.cluster == cluster && task.status == TaskStatus::Running;
    for task in world.ecs.tasks.values().filter(running) {
        let Some(container) = serving(task) else { continue };
        let worker = of(world, task, container);
        let used = world.load.of_minute(&worker);
        used_cpu += used.cpu * f64::from(worker.cpu);
        used_memory += used.memory * f64::from(worker.memory);
        if let Some(owner) = &task.owner {
            of_task(cluster, &owner.service.name, used, rows);
        }
    }
    let instances = || world.ecs.instances.values().filter(|it| it.cluster == cluster);
    let (mut cpu, mut memory, mut free_cpu, mut free_memory) = (0, 0, 0, 0);
    for instance in instances() {
        (cpu, memory) = (cpu + instance.cpu, memory + instance.memory);
        (free_cpu, free_memory) = (free_cpu + instance.free_cpu(), free_memory + instance.free_memory());
    }
    // Without instances AWS says nothing of the cluster.
    if cpu == 0 || memory == 0 {
        return;
    }
    let of_all = |part: u32, all: u32| 100.0 * f64::from(part) / f64::from(all);
    for (name, percent) in [
        ("CPUReservation", of_all(cpu - free_cpu, cpu)),
        ("MemoryReservation", of_all(memory - free_memory, memory)),
        ("CPUUtilization", used_cpu / f64::from(cpu)),
        ("MemoryUtilization", used_memory / f64::from(memory)),
    ] {
        rows.push(Row { name, dimensions: vec![("ClusterName", cluster.to_owned())], percent });
    }
}

fn of_task(cluster: &str, service: &str, used: Used, rows: &mut Vec<Row>) {
    for (name, percent) in [("CPUUtilization", used.cpu), ("MemoryUtilization", used.memory)] {
        let dimensions = vec![("ClusterName", cluster.to_owned()), ("ServiceName", service.to_owned())];
        rows.push(Row { name, dimensions, percent });
    }
}
