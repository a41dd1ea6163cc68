//! A task's way: placed → its images pulled → running.

use std::time::Duration;

use rand::RngExt;
use serde_json::{Value, json};

use super::blueprint::{Blueprint, ContainerPlan, Network};
use super::instances::Reservation;
use super::service::ServiceKey;
use super::tags::Tags;
use super::task::{Container, Owner, PortBinding, StopCode, Target, Task, TaskStatus, Times, secs};
use super::{Due, TaskStep, events, hex_id, scheduler, stopping};
use crate::behaviour::Behaviour;
use crate::time::Time;
use crate::world::{self, Effect, RunningContainer, World};
use crate::{ecr, elb};

/// From the placement to the agent's pull.
const TO_PULL: Duration = Duration::from_millis(500);
/// A pull of layers that the instance has.
const CACHED_PULL: Duration = Duration::from_millis(200);
/// The agent reports in batches: what ends within this many seconds is never reported
/// as running.
const REPORT_SECS: f64 = 1.0;

/// What a task is started with.
pub(crate) struct Launch {
    pub(crate) cluster: String,
    pub(crate) task_definition: String,
    pub(crate) plan: Blueprint,
    pub(crate) owner: Option<Owner>,
    pub(crate) started_by: Option<String>,
    pub(crate) group: String,
    pub(crate) tags: Tags,
    pub(crate) overrides: Value,
    pub(crate) execute_command: bool,
}

/// Sets a timer for a task.
pub(crate) fn later(world: &mut World, at: Time, task: &str, step: TaskStep) {
    world.at(at, world::Due::Ecs(Due::Step { task: task.to_owned(), step }));
}

/// Puts a task onto an instance that has room for it. Returns its id.
pub(crate) fn launch(world: &mut World, launch: Launch, instance_id: &str) -> String {
    let now = world.now();
    let id = hex_id(world);
    let arn = world.arn("ecs", &format!("task/{}/{id}", launch.cluster));
    let mut containers = Vec::new();
    for plan in &launch.plan.containers {
        let ports = bind(world, instance_id, plan, launch.plan.network);
        let resource = format!("container/{}/{id}/{}", launch.cluster, uuid(world));
        let arn = world.arn("ecs", &resource);
        containers.push(container(plan, arn, ports));
    }
    let overrides = match launch.overrides {
        Value::Null => no_overrides(&containers),
        given => given,
    };
    let mut az = String::new();
    if let Some(instance) = world.ecs.instances.get_mut(instance_id) {
        az.clone_from(&instance.az);
        let ports = containers.iter().flat_map(|it| it.ports.clone()).collect();
        let reservation = Reservation { cpu: launch.plan.cpu, memory: launch.plan.memory, ports };
        instance.reserved.insert(id.clone(), reservation);
    }
    let task = Task {
        id: id.clone(),
        arn,
        cluster: launch.cluster,
        owner: launch.owner,
        started_by: launch.started_by,
        group: launch.group,
        definition: launch.task_definition,
        instance: instance_id.to_owned(),
        az,
        status: TaskStatus::Pending,
        wanted: true,
        containers,
        given_cpu: launch.plan.given_cpu,
        given_memory: launch.plan.given_memory,
        targets: Vec::new(),
        times: Times { created: now, updated: now, ..Times::default() },
        stop: None,
        version: 0,
        tags: launch.tags,
        overrides,
        execute_command: launch.execute_command,
        was_healthy: false,
        protected_until: None,
    };
    world.ecs.tasks.insert(id.clone(), task);
    events::task_changed(world, &id);
    events::instance_changed(world, instance_id);
    later(world, now + TO_PULL, &id, TaskStep::Pull);
    id
}

fn uuid(world: &mut World) -> String {
    as_uuid(&hex_id(world))
}

/// 32 hex digits as a UUID is written.
pub(crate) fn as_uuid(hex: &str) -> String {
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

fn no_overrides(containers: &[Container]) -> Value {
    let names: Vec<Value> = containers.iter().map(|it| json!({ "name": it.name })).collect();
    json!({ "containerOverrides": names, "inferenceAcceleratorOverrides": [] })
}

fn bind(world: &mut World, instance_id: &str, plan: &ContainerPlan, network: Network) -> Vec<PortBinding> {
    let Some(instance) = world.ecs.instances.get_mut(instance_id) else { return Vec::new() };
    let host = |port: &super::blueprint::PortPlan, instance: &mut super::instances::Instance| match network {
        Network::Host | Network::Awsvpc => port.container,
        Network::Bridge | Network::None if port.host == 0 => instance.take_port(),
        Network::Bridge | Network::None => port.host,
    };
    let ports = plan.ports.iter();
    ports
        .map(|port| PortBinding {
            container: port.container,
            host: host(port, instance),
            protocol: port.protocol.clone(),
        })
        .collect()
}

fn container(plan: &ContainerPlan, arn: String, ports: Vec<PortBinding>) -> Container {
    Container {
        name: plan.name.clone(),
        arn,
        image: plan.image.clone(),
        digest: None,
        tags: Vec::new(),
        behaviour: Behaviour::default(),
        essential: plan.essential,
        foreign: false,
        ports,
        stop_timeout: plan.stop_timeout,
        cpu: plan.cpu,
        memory: plan.memory,
        memory_reservation: plan.memory_reservation,
        started: None,
        ended: None,
        exit_code: None,
        reason: None,
    }
}

/// A timer of a task is due. What no longer fits its state is over.
pub(crate) fn step(world: &mut World, id: &str, step: TaskStep) {
    match step {
        TaskStep::Pull => pull(world, id),
        TaskStep::Start => start(world, id),
        TaskStep::Exit(container) => stopping::exit(world, id, container),
        TaskStep::Signal => stopping::signal(world, id),
        TaskStep::End => stopping::end(world, id),
        TaskStep::Forget => {
            world.ecs.tasks.remove(id);
        }
    }
}

/// The agent pulls every container's image.
fn pull(world: &mut World, id: &str) {
    let now = world.now();
    if !agent_answers(world, id) {
        return;
    }
    let Some(task) = world.ecs.tasks.get_mut(id).filter(|it| it.wanted) else { return };
    task.times.pull_started = Some(now);
    let mut took = Duration::ZERO;
    for index in 0..task_containers(world, id) {
        match pull_one(world, id, index) {
            Ok(duration) => took += duration,
            Err(reason) => {
                stopping::failed_to_start(world, id, index, &reason);
                return;
            }
        }
    }
    later(world, now + took, id, TaskStep::Start);
}

/// Whether a task's instance still has an agent. On one that ends nothing starts any more.
fn agent_answers(world: &World, id: &str) -> bool {
    let instance = world.ecs.tasks.get(id).and_then(|task| world.ecs.instances.get(&task.instance));
    instance.is_some_and(|it| it.agent_connected)
}

fn task_containers(world: &World, id: &str) -> usize {
    world.ecs.tasks.get(id).map_or(0, |task| task.containers.len())
}

/// Pulls one container's image; says how long it takes.
fn pull_one(world: &mut World, id: &str, index: usize) -> Result<Duration, String> {
    let lost = || "CannotPullContainerError: the instance is gone".to_owned();
    let task = world.ecs.tasks.get(id).ok_or_else(lost)?;
    let instance = world.ecs.instances.get(&task.instance).ok_or_else(lost)?;
    let (instance_id, architecture) = (instance.id.clone(), instance.architecture.clone());
    let container = task.containers.get(index).ok_or_else(lost)?;
    let (name, image) = (container.name.clone(), container.image.clone());
    let reference = pinned(world, task.owner.as_ref(), &name, &image);
    let pulled = ecr::pull(world, &reference, &architecture)
        .map_err(|error| format!("CannotPullContainerError: {error}"))?;
    let behaviour = Behaviour::from_labels(&pulled.labels)
        .map_err(|error| format!("CannotStartContainerError: {error}"))?;
    let behaviour =
        if has_own_command(world, id, &name) { behaviour.as_job(&pulled.labels) } else { behaviour };
    pin(world, id, &name, &pulled.digest);
    let fresh = world
        .ecs
        .instances
        .get_mut(&instance_id)
        .is_some_and(|instance| instance.images.insert(pulled.digest.clone()));
    if let Some(container) = world.ecs.tasks.get_mut(id).and_then(|task| task.containers.get_mut(index)) {
        container.foreign = pulled.architecture != architecture;
        container.digest = Some(pulled.digest);
        container.tags = pulled.tags;
        container.behaviour = behaviour;
    }
    Ok(if fresh { Duration::from_millis(world.rng.random_range(1_000..2_500)) } else { CACHED_PULL })
}

/// Whether `RunTask` gave the container another command.
fn has_own_command(world: &World, id: &str, container: &str) -> bool {
    let overrides = world.ecs.tasks.get(id).map(|task| &task.overrides["containerOverrides"]);
    let entries = overrides.and_then(Value::as_array).into_iter().flatten();
    let mut own = entries.filter(|entry| entry["name"] == container);
    own.any(|entry| entry["command"].as_array().is_some_and(|command| !command.is_empty()))
}

/// The reference to pull: by the digest that this revision has pinned for the container,
/// where it has.
fn pinned(world: &World, owner: Option<&Owner>, container: &str, image: &str) -> String {
    let service = owner.and_then(|owner| world.ecs.service(&owner.service));
    let revision = service.zip(owner).and_then(|(service, owner)| service.revision(&owner.revision));
    match revision.and_then(|it| it.pins.get(container)) {
        Some(digest) if !image.contains('@') => {
            let name_at = image.rfind('/').map_or(0, |slash| slash + 1);
            let end = image[name_at..].find(':').map_or(image.len(), |colon| name_at + colon);
            format!("{}@{digest}", &image[..end])
        }
        _ => image.to_owned(),
    }
}

/// Software version consistency: the first pull of a revision decides its digest, unless
/// the container says `versionConsistency: disabled`.
fn pin(world: &mut World, id: &str, container: &str, digest: &str) {
    let Some(task) = world.ecs.tasks.get(id) else { return };
    let Some(owner) = task.owner.clone() else { return };
    let definition = super::task_definitions::find(world, &task.definition);
    let consistent = definition.is_none_or(|it| {
        it.blueprint().containers.iter().any(|plan| plan.name == container && plan.consistent)
    });
    let service = world.ecs.service_mut(&owner.service);
    if let Some(revision) = service.and_then(|it| it.revision_mut(&owner.revision))
        && consistent
    {
        revision.pins.entry(container.to_owned()).or_insert_with(|| digest.to_owned());
    }
}

/// The images are there: the containers start, and the agent reports the task as running
/// unless it ends before it could.
fn start(world: &mut World, id: &str) {
    let now = world.now();
    if !agent_answers(world, id) {
        return;
    }
    let Some(task) = world.ecs.tasks.get_mut(id).filter(|it| it.wanted) else { return };
    task.times.pull_stopped = Some(now);
    let mut exits = Vec::new();
    let mut stillborn = false;
    for (index, container) in task.containers.iter_mut().enumerate() {
        container.started = Some(now);
        if let Some(end) = container.own_end() {
            exits.push((index, now + secs(end)));
            stillborn |= container.essential && end <= REPORT_SECS;
        }
    }
    for effect in effects(world, id) {
        world.effects.push_back(effect);
    }
    for (index, at) in exits {
        later(world, at, id, TaskStep::Exit(index));
    }
    if !stillborn {
        running(world, id);
    }
}

pub(super) fn effects(world: &World, id: &str) -> Vec<Effect> {
    let Some(task) = world.ecs.tasks.get(id) else { return Vec::new() };
    let instance = world.ecs.instances.get(&task.instance);
    let service = task.owner.as_ref().map(|owner| owner.service.name.clone()).unwrap_or_default();
    let containers = task.containers.iter().filter(|it| !it.foreign);
    containers
        .map(|container| {
            Effect::StartContainer(RunningContainer {
                task_arn: task.arn.clone(),
                service: service.clone(),
                container: container.name.clone(),
                digest: container.digest.clone().unwrap_or_default(),
                image: container.image.clone(),
                tags: container.tags.clone(),
                behaviour: container.behaviour.clone(),
                started: container.started.unwrap_or(world.now()),
                instance_id: instance.map(|it| it.ec2_id.clone()).unwrap_or_default(),
                ports: container.ports.iter().map(|port| (port.container, port.host)).collect(),
            })
        })
        .collect()
}

fn running(world: &mut World, id: &str) {
    let now = world.now();
    let Some(task) = world.ecs.tasks.get_mut(id) else { return };
    task.status = TaskStatus::Running;
    task.times.started = Some(now);
    let owner = task.owner.clone();
    events::task_changed(world, id);
    if let Some(owner) = owner {
        register(world, id, &owner);
        scheduler::wake(world, &owner.service);
    }
}

/// Registers a running task in its revision's target groups.
fn register(world: &mut World, id: &str, owner: &Owner) {
    let Some(task) = world.ecs.tasks.get(id) else { return };
    let Some(instance) = world.ecs.instances.get(&task.instance) else { return };
    let ec2_id = instance.ec2_id.clone();
    let revision = world.ecs.service(&owner.service).and_then(|it| it.revision(&owner.revision));
    let host_port = |container: &str, port: u16| {
        let container = task.containers.iter().find(|it| it.name == container)?;
        container.ports.iter().find(|it| it.container == port).map(|it| it.host)
    };
    let balancers = revision.map(|it| it.load_balancers.as_slice()).unwrap_or_default();
    let targets: Vec<Target> = balancers
        .iter()
        .filter_map(|it| Some(Target { group: it.group.clone(), port: host_port(&it.container, it.port)? }))
        .collect();
    for target in targets {
        register_one(world, id, &owner.service, &ec2_id, target);
    }
}

fn register_one(world: &mut World, id: &str, key: &ServiceKey, ec2_id: &str, target: Target) {
    let message = match elb::register(world, &target.group, ec2_id, target.port) {
        Ok(()) => format!("registered 1 targets in (target-group {})", target.group),
        // The task stays: it cannot become healthy, so its deployment does not go on.
        Err(error) => format!(
            "failed to register targets in (target-group {}) with (error {})",
            target.group, error.message
        ),
    };
    if let Some(task) = world.ecs.tasks.get_mut(id) {
        task.targets.push(target);
    }
    events::say(world, key, &message);
}

/// A task that never came to run.
pub(crate) const NEVER_RAN: StopCode = StopCode::TaskFailedToStart;
