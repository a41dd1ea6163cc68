//! How services, tasks and instances look to callers and in events.

use serde_json::{Value, json};

use super::deployment::Deployment;
use super::instances::{Instance, InstanceStatus, RESERVED_PORTS};
use super::providers;
use super::service::{Service, ServiceStatus};
use super::settings::OF_DEPLOYMENT;
use super::staged;
use super::task::{Container, Task, TaskStatus};
use crate::time::Time;
use crate::world::World;

/// How instants are written: numbers in replies, text in events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stamp {
    Epoch,
    Iso,
}

impl Stamp {
    fn write(self, time: Time) -> Value {
        match self {
            Self::Epoch => json!(time.epoch_secs()),
            Self::Iso => json!(time.iso()),
        }
    }
}

/// Sets `member` where there is a value.
fn put(output: &mut Value, member: &str, value: Option<Value>) {
    if let Some(value) = value {
        output[member] = value;
    }
}

/// A task: `DescribeTasks`' entry, and the event's detail.
pub(crate) fn task(world: &World, task: &Task, stamp: Stamp, tags: bool) -> Value {
    let instance = world.ecs.instances.get(&task.instance);
    let instance_arn = instance.map_or_else(
        || world.arn("ecs", &format!("container-instance/{}/{}", task.cluster, task.instance)),
        |it| it.arn.clone(),
    );
    let architecture = instance.and_then(|it| it.attributes.get("ecs.cpu-architecture"));
    let mut output = json!({
        "attachments": [],
        "attributes": architecture
            .map_or_else(|| json!([]), |it| json!([{ "name": "ecs.cpu-architecture", "value": it }])),
        "availabilityZone": task.az,
        "clusterArn": world.arn("ecs", &format!("cluster/{}", task.cluster)),
        "connectivity": "CONNECTED",
        "connectivityAt": stamp.write(task.times.created),
        "containerInstanceArn": instance_arn,
        "containers": task.containers.iter().map(|it| container(task, it, stamp)).collect::<Vec<_>>(),
        "cpu": task_amount(task.given_cpu.as_ref(), task.containers.iter().map(|it| it.cpu).sum()),
        "memory": task_amount(task.given_memory.as_ref(),
            task.containers.iter().filter_map(|it| it.memory_reservation.or(it.memory)).sum()),
        "createdAt": stamp.write(task.times.created),
        "desiredStatus": if task.wanted { "RUNNING" } else { "STOPPED" },
        "enableExecuteCommand": task.execute_command,
        "group": task.group,
        "launchType": "EC2",
        "lastStatus": task.status.name(),
        "overrides": task.overrides,
        "taskArn": task.arn,
        "taskDefinitionArn": task.definition,
        "version": task.version,
    });
    let times = &task.times;
    for (member, time) in [
        ("pullStartedAt", times.pull_started),
        ("pullStoppedAt", times.pull_stopped),
        ("startedAt", times.started),
        ("stoppingAt", times.stopping),
        ("executionStoppedAt", times.execution_stopped),
        ("stoppedAt", times.stopped),
    ] {
        put(&mut output, member, time.map(|time| stamp.write(time)));
    }
    put(&mut output, "startedBy", task.started_by.as_ref().map(|it| json!(it)));
    put(&mut output, "stopCode", task.stop.as_ref().map(|it| json!(it.code)));
    put(&mut output, "stoppedReason", task.stop.as_ref().map(|it| json!(it.reason)));
    match stamp {
        // The event has `updatedAt`, DescribeTasks does not; the other way round for health.
        Stamp::Iso => output["updatedAt"] = stamp.write(times.updated),
        Stamp::Epoch => {
            output["healthStatus"] = json!("UNKNOWN");
            output["tags"] = if tags { task.tags.to_json() } else { json!([]) };
        }
    }
    output
}

fn task_amount(given: Option<&String>, sum: u32) -> Value {
    given.map_or_else(|| json!(sum.to_string()), |it| json!(it))
}

fn container(task: &Task, container: &Container, stamp: Stamp) -> Value {
    let status = match (container.started, container.ended) {
        (_, Some(_)) => "STOPPED",
        (Some(_), None) => "RUNNING",
        (None, None) if task.status == TaskStatus::Stopped => "STOPPED",
        (None, None) => "PENDING",
    };
    let mut output = json!({
        "containerArn": container.arn,
        "taskArn": task.arn,
        "name": container.name,
        "image": container.image,
        "lastStatus": status,
        "networkInterfaces": [],
        "cpu": container.cpu.to_string(),
    });
    let bindings = container.ports.iter().map(|port| {
        json!({
            "bindIP": "0.0.0.0",
            "containerPort": port.container,
            "hostPort": port.host,
            "protocol": port.protocol,
        })
    });
    let bindings: Vec<Value> = bindings.collect();
    output["networkBindings"] = if container.started.is_some() { json!(bindings) } else { json!([]) };
    put(&mut output, "imageDigest", container.digest.as_ref().map(|it| json!(it)));
    put(&mut output, "memory", container.memory.map(|it| json!(it.to_string())));
    put(&mut output, "memoryReservation", container.memory_reservation.map(|it| json!(it.to_string())));
    put(&mut output, "exitCode", container.exit_code.map(|it| json!(it)));
    put(&mut output, "reason", container.reason.as_ref().map(|it| json!(it)));
    if container.started.is_some() {
        let runtime = container.arn.rsplit('/').next().unwrap_or_default().replace('-', "");
        output["runtimeId"] = json!(runtime);
    }
    if stamp == Stamp::Epoch {
        output["healthStatus"] = json!("UNKNOWN");
    }
    output
}

/// A container instance: what replies and events have in common.
pub(crate) fn instance_core(instance: &Instance) -> Value {
    let attributes = instance.attributes.iter().map(|(name, value)| {
        if value.is_empty() { json!({ "name": name }) } else { json!({ "name": name, "value": value }) }
    });
    json!({
        "agentConnected": instance.agent_connected,
        "attributes": attributes.collect::<Vec<_>>(),
        "containerInstanceArn": instance.arn,
        "ec2InstanceId": instance.ec2_id,
        "registeredResources": resources(instance.cpu, instance.memory, &[], &[]),
        "remainingResources": resources(
            instance.free_cpu(), instance.free_memory(), &instance.used_ports("tcp"), &instance.used_ports("udp")),
        "status": match instance.status {
            InstanceStatus::Active => "ACTIVE",
            InstanceStatus::Inactive => "INACTIVE",
            InstanceStatus::Draining => "DRAINING",
        },
        "version": instance.version,
        "versionInfo": {
            "agentHash": "00000000",
            "agentVersion": "1.98.0",
            "dockerVersion": "DockerVersion: 25.0.8",
        },
    })
}

/// PORTS are the *reserved* ones, in both lists: that is AWS's odd way.
fn resources(cpu: u32, memory: u32, tcp: &[u16], udp: &[u16]) -> Value {
    let set = |name: &str, ports: Vec<String>| json!({ "name": name, "type": "STRINGSET", "stringSetValue": ports });
    let tcp = RESERVED_PORTS.iter().chain(tcp).map(u16::to_string).collect();
    let udp = udp.iter().map(u16::to_string).collect();
    json!([
        { "name": "CPU", "type": "INTEGER", "integerValue": cpu },
        { "name": "MEMORY", "type": "INTEGER", "integerValue": memory },
        set("PORTS", tcp),
        set("PORTS_UDP", udp),
    ])
}

/// `DescribeContainerInstances`' entry.
pub(crate) fn instance(world: &World, instance: &Instance, tags: bool) -> Value {
    let tasks = || instance.reserved.keys().filter_map(|id| world.ecs.tasks.get(id));
    let mut output = instance_core(instance);
    output["runningTasksCount"] = json!(tasks().filter(|it| it.status == TaskStatus::Running).count());
    output["pendingTasksCount"] = json!(tasks().filter(|it| it.status.is_pending()).count());
    output["registeredAt"] = json!(instance.registered_at.epoch_secs());
    put(
        &mut output,
        "capacityProviderName",
        providers::of_instance(world, instance).map(|it| json!(it.name)),
    );
    output["attachments"] = json!([]);
    for list in ["registeredResources", "remainingResources"] {
        output[list].as_array_mut().into_iter().flatten().for_each(numbers);
    }
    output["tags"] = if tags { instance.tags.to_json() } else { json!([]) };
    output
}

/// The API says every number of a resource, whatever its type; an event only its own.
fn numbers(resource: &mut Value) {
    resource["doubleValue"] = json!(0.0);
    resource["longValue"] = json!(0);
    if resource["integerValue"].is_null() {
        resource["integerValue"] = json!(0);
    }
}

/// How many tasks of a revision run, are pending, and are wanted.
pub(crate) struct Counts {
    pub(crate) running: usize,
    pub(crate) pending: usize,
    pub(crate) wanted: usize,
}

/// Counts a service's tasks, of one revision or of all.
pub(crate) fn counts(world: &World, service: &Service, revision: Option<&str>) -> Counts {
    let mut counts = Counts { running: 0, pending: 0, wanted: 0 };
    for task in service.tasks.iter().filter_map(|id| world.ecs.tasks.get(id)) {
        let of = task.owner.as_ref().map(|owner| owner.revision.as_str());
        if revision.is_some() && revision != of {
            continue;
        }
        counts.running += usize::from(task.status == TaskStatus::Running);
        counts.pending += usize::from(task.status.is_pending());
        counts.wanted += usize::from(task.wanted);
    }
    counts
}

/// `DescribeServices`' entry.
pub(crate) fn service(world: &World, service: &Service, tags: bool) -> Value {
    let all = counts(world, service, None);
    let events = service
        .events
        .iter()
        .map(|it| json!({ "id": it.id, "createdAt": it.at.epoch_secs(), "message": it.message }));
    let mut output = json!({
        "serviceArn": service.arn,
        "serviceName": service.key.name,
        "clusterArn": world.arn("ecs", &format!("cluster/{}", service.key.cluster)),
        "status": service.status,
        "desiredCount": service.desired,
        "runningCount": all.running,
        "pendingCount": all.pending,
        "taskDefinition": service.current().map(|it| it.task_definition.clone()),
        "deployments": deployments(world, service),
        "events": events.collect::<Vec<_>>(),
        "createdAt": service.created_at.epoch_secs(),
        "createdBy": format!("arn:aws:iam::{}:root", world.config.account),
    });
    if tags {
        output["tags"] = service.tags.to_json();
    }
    put(&mut output, "currentServiceDeployment", service.releases.last().map(|it| json!(it.arn)));
    output["currentServiceRevisions"] = current_revisions(world, service);
    for (member, value) in &service.settings.0 {
        if !OF_DEPLOYMENT.contains(&member.as_str()) {
            output[member] = value.clone();
        }
    }
    output
}

fn current_revisions(world: &World, service: &Service) -> Value {
    let revisions = service.deployments.iter().enumerate().map(|(index, deployment)| {
        let counts = counts(world, service, Some(&deployment.revision));
        json!({
            "arn": deployment.revision,
            "requestedTaskCount": requested(service, deployment, index == 0, &counts),
            "runningTaskCount": counts.running,
            "pendingTaskCount": counts.pending,
        })
    });
    revisions.collect()
}

/// How many tasks a deployment is to have.
fn requested(service: &Service, deployment: &Deployment, primary: bool, counts: &Counts) -> usize {
    let default = if primary { service.desired as usize } else { counts.wanted };
    staged::wanted(service, &deployment.revision).unwrap_or(default)
}

fn deployments(world: &World, service: &Service) -> Value {
    if service.status == ServiceStatus::Inactive {
        return json!([]);
    }
    let all = service.deployments.iter().enumerate();
    all.map(|(index, it)| deployment(world, service, it, index == 0)).collect()
}

fn deployment(world: &World, service: &Service, deployment: &Deployment, primary: bool) -> Value {
    let counts = counts(world, service, Some(&deployment.revision));
    let mut output = json!({
        "id": deployment.id,
        "status": if primary { "PRIMARY" } else { "ACTIVE" },
        "desiredCount": requested(service, deployment, primary, &counts),
        "pendingCount": counts.pending,
        "runningCount": counts.running,
        "failedTasks": deployment.failed_tasks,
        "createdAt": deployment.created_at.epoch_secs(),
        "updatedAt": deployment.updated_at.epoch_secs(),
        "rolloutState": deployment.rollout,
        "rolloutStateReason": deployment.reason,
    });
    if let Some(revision) = service.revision(&deployment.revision) {
        output["taskDefinition"] = json!(revision.task_definition);
        for member in ["launchType", "capacityProviderStrategy", "networkConfiguration"] {
            put(&mut output, member, revision.stored.get(member).cloned());
        }
        for member in OF_DEPLOYMENT {
            put(&mut output, member, revision.stored.get(member).cloned());
        }
    }
    output
}
