//! Snapshots for tests and displays: what runs where, and what is used of each instance.

use serde::Serialize;

use super::census::Census;
use super::service::Service;
use super::staged;
use super::strategy::Strategy;
use crate::world::World;

/// A service at a glance.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ServiceView {
    /// Its cluster's name.
    pub cluster: String,
    /// Its name.
    pub name: String,
    /// `ACTIVE`, `DRAINING`, `INACTIVE`.
    pub status: String,
    /// How many tasks are wanted.
    pub desired: u32,
    /// How many run.
    pub running: usize,
    /// How many are about to.
    pub pending: usize,
    /// How many are healthy, of whichever deployment.
    pub healthy: usize,
    /// The PRIMARY deployment's id.
    pub deployment: String,
    /// Its task definition's ARN.
    pub task_definition: String,
    /// `IN_PROGRESS`, `COMPLETED`, `FAILED`.
    pub rollout: String,
    /// Why.
    pub reason: String,
    /// Its consecutively failed tasks.
    pub failed_tasks: u32,
    /// `ROLLING`, `BLUE_GREEN`, `CANARY`, `LINEAR`.
    pub strategy: String,
    /// The stage of the deployment under way, where it goes through any.
    pub stage: Option<String>,
    /// The hooks at work in it.
    pub hooks: Vec<HookView>,
    /// The revisions that have tasks, or are to have some; newest first.
    pub revisions: Vec<RevisionView>,
    /// Its tasks that have not ended.
    pub tasks: Vec<TaskView>,
    /// Its newest events' messages, newest first.
    pub events: Vec<String>,
}

/// A hook at a glance.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HookView {
    /// Its id.
    pub id: String,
    /// `AWS_LAMBDA` or `PAUSE`.
    pub kind: String,
    /// The function's ARN.
    pub function: Option<String>,
    /// The stage that it runs at.
    pub stage: String,
    /// `AWAITING_ACTION`, `IN_PROGRESS`, `SUCCEEDED`, `FAILED`, `TIMED_OUT`.
    pub status: String,
}

/// A service revision at a glance.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RevisionView {
    /// Its ARN.
    pub arn: String,
    /// Its task definition's ARN.
    pub task_definition: String,
    /// The target groups that its tasks are registered in.
    pub target_groups: Vec<String>,
    /// Its share of production traffic in percent, where weights say so.
    pub weight: Option<f64>,
    /// How many tasks are wanted.
    pub wanted: usize,
    /// How many run.
    pub running: usize,
    /// How many are healthy.
    pub healthy: usize,
}

/// A task at a glance.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TaskView {
    /// Its ARN.
    pub arn: String,
    /// `lastStatus`.
    pub status: String,
    /// Whether it is to go on.
    pub wanted: bool,
    /// Its task definition's ARN.
    pub task_definition: String,
    /// The EC2 id of its instance; empty once that is gone.
    pub instance_id: String,
    /// Container → digest, once pulled.
    pub images: Vec<(String, Option<String>)>,
    /// (container port, host port) of all containers.
    pub ports: Vec<(u16, u16)>,
    /// Why it stops or stopped.
    pub stopped_reason: Option<String>,
}

/// An instance at a glance.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct InstanceView {
    /// Its cluster's name.
    pub cluster: String,
    /// The EC2 id.
    pub instance_id: String,
    /// The container instance ARN.
    pub arn: String,
    /// The availability zone.
    pub az: String,
    /// `ACTIVE` or `DRAINING`.
    pub status: String,
    /// CPU units: (used, all).
    pub cpu: (u32, u32),
    /// `MiB`: (used, all).
    pub memory: (u32, u32),
    /// ARNs of the tasks on it.
    pub tasks: Vec<String>,
}

fn word(value: &impl Serialize) -> String {
    let value = serde_json::to_value(value).unwrap_or_default();
    value.as_str().unwrap_or_default().to_owned()
}

/// Every service of every cluster.
pub fn services(world: &World) -> Vec<ServiceView> {
    let services = world.ecs.clusters.values().flat_map(|cluster| cluster.services.values());
    services.map(|service| service_view(world, service)).collect()
}

/// One service.
pub fn service(world: &World, cluster: &str, name: &str) -> Option<ServiceView> {
    let service = world.ecs.clusters.get(cluster)?.services.get(name)?;
    Some(service_view(world, service))
}

fn service_view(world: &World, service: &Service) -> ServiceView {
    let counts = super::describe::counts(world, service, None);
    let primary = service.primary();
    ServiceView {
        cluster: service.key.cluster.clone(),
        name: service.key.name.clone(),
        status: word(&service.status),
        desired: service.desired,
        running: counts.running,
        pending: counts.pending,
        healthy: Census::take(world, &service.key).healthy(),
        deployment: primary.map(|it| it.id.clone()).unwrap_or_default(),
        task_definition: service.current().map(|it| it.task_definition.clone()).unwrap_or_default(),
        rollout: primary.map(|it| word(&it.rollout)).unwrap_or_default(),
        reason: primary.map(|it| it.reason.clone()).unwrap_or_default(),
        strategy: word(&Strategy::of(&service.settings.member("deploymentConfiguration"))),
        stage: staged::current(service).map(|(_, progress)| word(&progress.stage)),
        hooks: hooks(service),
        revisions: service.deployments.iter().map(|it| revision(world, service, &it.revision)).collect(),
        failed_tasks: primary.map_or(0, |it| it.failed_tasks),
        tasks: service.tasks.iter().filter_map(|id| task(world, id)).collect(),
        events: service.events.iter().map(|it| it.message.clone()).collect(),
    }
}

fn hooks(service: &Service) -> Vec<HookView> {
    let runs = staged::current(service).map(|(_, progress)| progress.hooks.as_slice()).unwrap_or_default();
    let view = |run: &staged::HookRun| HookView {
        id: run.id.clone(),
        kind: word(&run.kind),
        function: run.function.clone(),
        stage: word(&run.stage),
        status: word(&run.status),
    };
    runs.iter().map(view).collect()
}

fn revision(world: &World, service: &Service, arn: &str) -> RevisionView {
    let counts = super::describe::counts(world, service, Some(arn));
    let known = service.revision(arn);
    RevisionView {
        arn: arn.to_owned(),
        task_definition: known.map(|it| it.task_definition.clone()).unwrap_or_default(),
        target_groups: known
            .map(|it| it.load_balancers.iter().map(|lb| lb.group.clone()).collect())
            .unwrap_or_default(),
        weight: staged::weight(service, arn),
        wanted: staged::wanted(service, arn).unwrap_or(0),
        running: counts.running,
        healthy: Census::of_revision(world, &service.key, arn).healthy(),
    }
}

/// One task, by id or ARN; stopped ones for an hour.
pub fn task(world: &World, reference: &str) -> Option<TaskView> {
    let task = world.ecs.tasks.get(super::args::last_part(reference))?;
    let instance = world.ecs.instances.get(&task.instance);
    let ports = task.containers.iter().flat_map(|it| &it.ports);
    Some(TaskView {
        arn: task.arn.clone(),
        status: task.status.name().to_owned(),
        wanted: task.wanted,
        task_definition: task.definition.clone(),
        instance_id: instance.map(|it| it.ec2_id.clone()).unwrap_or_default(),
        images: task.containers.iter().map(|it| (it.name.clone(), it.digest.clone())).collect(),
        ports: ports.map(|port| (port.container, port.host)).collect(),
        stopped_reason: task.stop.as_ref().map(|stop| stop.reason.clone()),
    })
}

/// Every instance of every cluster.
pub fn instances(world: &World) -> Vec<InstanceView> {
    let arn_of = |id: &String| world.ecs.tasks.get(id).map(|task| task.arn.clone());
    let view = |it: &super::instances::Instance| InstanceView {
        cluster: it.cluster.clone(),
        instance_id: it.ec2_id.clone(),
        arn: it.arn.clone(),
        az: it.az.clone(),
        status: word(&it.status),
        cpu: (it.cpu - it.free_cpu(), it.cpu),
        memory: (it.memory - it.free_memory(), it.memory),
        tasks: it.reserved.keys().filter_map(arn_of).collect(),
    };
    let mut views: Vec<InstanceView> = world.ecs.instances.values().map(view).collect();
    views.sort_by(|a, b| (&a.cluster, &a.instance_id).cmp(&(&b.cluster, &b.instance_id)));
    views
}
