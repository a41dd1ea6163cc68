//! Container instances: what they have, what is reserved on them, and their calls.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::args::{self, invalid};
use super::tags::Tags;
use super::task::{PortBinding, TaskStatus};
use super::{clusters, describe, events, hex_id, scheduler, stopping};
use crate::call::{ApiError, Reply};
use crate::time::Time;
use crate::world::World;

/// Where the agent's dynamic host ports begin and end (Linux's ephemeral range).
const DYNAMIC_PORTS: std::ops::RangeInclusive<u16> = 32_768..=60_999;

/// Ports that the instance itself holds: ssh, Docker, the agent.
pub(crate) const RESERVED_PORTS: [u16; 5] = [22, 2375, 2376, 51_678, 51_679];

/// An EC2 instance that joins a cluster.
#[derive(Debug, Clone, PartialEq)]
pub struct InstanceSpec {
    /// The cluster's name.
    pub cluster: String,
    /// The EC2 id: `i-0123…`.
    pub instance_id: String,
    /// The availability zone.
    pub az: String,
    /// `amd64` or `arm64`.
    pub architecture: String,
    /// CPU units: 1024 for each vCPU.
    pub cpu: u32,
    /// `MiB` that tasks may use.
    pub memory: u32,
    /// Further attributes, by name.
    pub attributes: BTreeMap<String, String>,
}

/// A container instance.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Instance {
    pub(crate) id: String,
    pub(crate) arn: String,
    pub(crate) cluster: String,
    pub(crate) ec2_id: String,
    pub(crate) az: String,
    pub(crate) architecture: String,
    pub(crate) cpu: u32,
    pub(crate) memory: u32,
    pub(crate) attributes: BTreeMap<String, String>,
    pub(crate) status: InstanceStatus,
    pub(crate) registered_at: Time,
    pub(crate) version: u64,
    pub(crate) tags: Tags,
    /// What each task that has not ended holds, by task id.
    pub(crate) reserved: BTreeMap<String, Reservation>,
    /// Digests that it has pulled before: the next pull is quick.
    pub(crate) images: BTreeSet<String>,
    next_port: u16,
    /// Whether its agent answers: without it no task starts there.
    #[serde(default = "connected")]
    pub(crate) agent_connected: bool,
}

fn connected() -> bool {
    true
}

/// What a task holds on its instance.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Reservation {
    pub(crate) cpu: u32,
    pub(crate) memory: u32,
    pub(crate) ports: Vec<PortBinding>,
}

/// Whether tasks are placed on an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum InstanceStatus {
    Active,
    Draining,
    /// Deregistered: it is not kept beyond that.
    Inactive,
}

impl Instance {
    pub(crate) fn free_cpu(&self) -> u32 {
        self.cpu.saturating_sub(self.reserved.values().map(|it| it.cpu).sum())
    }

    pub(crate) fn free_memory(&self) -> u32 {
        self.memory.saturating_sub(self.reserved.values().map(|it| it.memory).sum())
    }

    pub(crate) fn used_ports(&self, protocol: &str) -> Vec<u16> {
        let bound = self.reserved.values().flat_map(|it| &it.ports).filter(|port| port.protocol == protocol);
        bound.map(|port| port.host).collect()
    }

    pub(crate) fn has_free(&self, port: u16, protocol: &str) -> bool {
        let held = protocol == "tcp" && RESERVED_PORTS.contains(&port);
        !held && !self.used_ports(protocol).contains(&port)
    }

    /// The task that is bound to a host port.
    pub(crate) fn owner_of(&self, port: u16) -> Option<&String> {
        let owns = |it: &Reservation| it.ports.iter().any(|bound| bound.host == port);
        self.reserved.iter().find(|(_, it)| owns(it)).map(|(task, _)| task)
    }

    /// A dynamic host port: the next one, so that a port that has just been given up is
    /// not given to another task while a load balancer may still send there.
    pub(crate) fn take_port(&mut self) -> u16 {
        loop {
            let port = self.next_port;
            self.next_port = if port == *DYNAMIC_PORTS.end() { *DYNAMIC_PORTS.start() } else { port + 1 };
            if self.has_free(port, "tcp") && self.has_free(port, "udp") {
                return port;
            }
        }
    }
}

/// An instance starts and its agent registers it. Returns its container instance ARN.
///
/// # Errors
/// The cluster is unknown or not active, or the EC2 id is registered already.
pub fn add_instance(world: &mut World, spec: InstanceSpec) -> Result<String, ApiError> {
    if !world.ecs.clusters.get(&spec.cluster).is_some_and(|cluster| cluster.active) {
        return Err(clusters::not_found());
    }
    if world.ecs.instance_by_ec2(&spec.instance_id).is_some() {
        return Err(invalid(format!("{} is registered already.", spec.instance_id)));
    }
    let id = hex_id(world);
    let arn = world.arn("ecs", &format!("container-instance/{}/{id}", spec.cluster));
    let instance = Instance {
        arn: arn.clone(),
        attributes: attributes(&spec),
        id: id.clone(),
        cluster: spec.cluster.clone(),
        ec2_id: spec.instance_id,
        az: spec.az,
        architecture: spec.architecture,
        cpu: spec.cpu,
        memory: spec.memory,
        status: InstanceStatus::Active,
        registered_at: world.now(),
        version: 0,
        tags: Tags::default(),
        reserved: BTreeMap::new(),
        images: BTreeSet::new(),
        next_port: *DYNAMIC_PORTS.start(),
        agent_connected: true,
    };
    world.ecs.instances.insert(id.clone(), instance);
    events::instance_changed(world, &id);
    scheduler::capacity_changed(world, &spec.cluster);
    Ok(arn)
}

fn attributes(spec: &InstanceSpec) -> BTreeMap<String, String> {
    let architecture = if spec.architecture == "amd64" { "x86_64" } else { &spec.architecture };
    let mut attributes: BTreeMap<String, String> = [
        ("ecs.availability-zone", spec.az.as_str()),
        ("ecs.cpu-architecture", architecture),
        ("ecs.os-type", "linux"),
        ("ecs.os-family", "LINUX"),
        ("com.amazonaws.ecs.capability.docker-remote-api.1.18", ""),
        ("com.amazonaws.ecs.capability.docker-remote-api.1.21", ""),
        ("com.amazonaws.ecs.capability.ecr-auth", ""),
        ("com.amazonaws.ecs.capability.task-iam-role", ""),
        ("com.amazonaws.ecs.capability.logging-driver.awslogs", ""),
        ("com.amazonaws.ecs.capability.logging-driver.json-file", ""),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .collect();
    attributes.extend(spec.attributes.clone());
    attributes
}

/// The instance that EC2 knows by this id.
pub(crate) fn by_ec2_mut<'a>(world: &'a mut World, ec2_id: &str) -> Option<&'a mut Instance> {
    world.ecs.instances.values_mut().find(|instance| instance.ec2_id == ec2_id)
}

/// An EC2 instance is gone: its tasks end with it, cut off. Unknown ids are ignored.
pub fn remove_instance(world: &mut World, ec2_id: &str) {
    let Some(instance) = by_ec2_mut(world, ec2_id) else { return };
    // From here on nothing is placed there, and the last event says what became of it.
    instance.status = InstanceStatus::Inactive;
    instance.agent_connected = false;
    let (id, cluster) = (instance.id.clone(), instance.cluster.clone());
    let tasks: Vec<String> = instance.reserved.keys().cloned().collect();
    for task in tasks {
        stopping::lost_instance(world, &task, ec2_id);
    }
    events::instance_changed(world, &id);
    world.ecs.instances.remove(&id);
    scheduler::wake_cluster(world, &cluster);
}

/// The ids of the instances that a call names, and the failures for those unknown.
fn named(world: &World, cluster: &str, input: &Value) -> Result<(Vec<String>, Vec<Value>), ApiError> {
    let references = args::texts(input, "containerInstances")?;
    if references.is_empty() {
        return Err(invalid("Container instances cannot be empty."));
    }
    let (mut found, mut failures) = (Vec::new(), Vec::new());
    for reference in references {
        let id = args::last_part(reference);
        if world.ecs.instances.get(id).is_some_and(|it| it.cluster == cluster) {
            found.push(id.to_owned());
        } else {
            let arn = world.arn("ecs", &format!("container-instance/{cluster}/{id}"));
            failures.push(args::failure(&arn, "MISSING"));
        }
    }
    Ok((found, failures))
}

fn reply(world: &World, ids: &[String], failures: &[Value], tags: bool) -> Value {
    let instances = ids.iter().filter_map(|id| world.ecs.instances.get(id));
    let instances: Vec<Value> = instances.map(|it| describe::instance(world, it, tags)).collect();
    json!({ "containerInstances": instances, "failures": failures })
}

pub(crate) fn describe_all(world: &World, input: &Value) -> Reply {
    let cluster = clusters::of_call(world, input)?;
    let (ids, failures) = named(world, &cluster, input)?;
    if ids.len() + failures.len() > 100 {
        return Err(invalid("Container instances can have at most 100 items."));
    }
    Ok(reply(world, &ids, &failures, args::includes(input, "TAGS")?))
}

/// `ListContainerInstances`. Of the query language `filter` knows what
/// `placement::matches` knows.
pub(crate) fn list(world: &World, input: &Value) -> Reply {
    let cluster = clusters::of_call(world, input)?;
    let status = match args::text(input, "status")? {
        None => None,
        Some("ACTIVE") => Some(InstanceStatus::Active),
        Some("DRAINING") => Some(InstanceStatus::Draining),
        Some(other) => return Err(invalid(format!("Invalid status: {other}"))),
    };
    let filter = args::text(input, "filter")?;
    let mut arns = Vec::new();
    for instance in world.ecs.instances.values().filter(|it| it.cluster == cluster) {
        let fits = match filter {
            Some(filter) => super::placement::matches(instance, filter)?,
            None => true,
        };
        if fits && status.is_none_or(|status| status == instance.status) {
            arns.push(instance.arn.clone());
        }
    }
    args::page(input, "containerInstanceArns", arns, 100, 100)
}

pub(crate) fn update_state(world: &mut World, input: &Value) -> Reply {
    let cluster = clusters::of_call(world, input)?;
    let status = match args::required(input, "status")? {
        "ACTIVE" => InstanceStatus::Active,
        "DRAINING" => InstanceStatus::Draining,
        other => return Err(invalid(format!("Container instances cannot be set to {other}."))),
    };
    let (ids, failures) = named(world, &cluster, input)?;
    if ids.len() + failures.len() > 10 {
        return Err(invalid("Container instances can have at most 10 items."));
    }
    for id in &ids {
        let Some(instance) = world.ecs.instances.get_mut(id) else { continue };
        if instance.status != status {
            instance.status = status;
            events::instance_changed(world, id);
        }
    }
    // Draining moves service tasks by their services' own passes; activation is capacity.
    scheduler::wake_cluster(world, &cluster);
    scheduler::capacity_changed(world, &cluster);
    Ok(reply(world, &ids, &failures, false))
}

pub(crate) fn deregister(world: &mut World, input: &Value) -> Reply {
    let cluster = clusters::of_call(world, input)?;
    let id = args::last_part(args::required(input, "containerInstance")?).to_owned();
    let instance = world.ecs.instances.get(&id).filter(|it| it.cluster == cluster);
    let instance = instance.ok_or_else(|| invalid("Referenced container instance not found."))?;
    let live = |task: &String| world.ecs.tasks.get(task).is_some_and(|it| it.status == TaskStatus::Running);
    if args::flag(input, "force")? != Some(true) && instance.reserved.keys().any(live) {
        return Err(invalid("Found running tasks on the instance."));
    }
    let mut output = describe::instance(world, instance, false);
    output["status"] = json!("INACTIVE");
    let ec2_id = instance.ec2_id.clone();
    remove_instance(world, &ec2_id);
    Ok(json!({ "containerInstance": output }))
}

pub(crate) fn put_attributes(world: &mut World, input: &Value) -> Reply {
    let cluster = clusters::of_call(world, input)?;
    let attributes = args::list(input, "attributes")?;
    for attribute in attributes {
        let target = args::last_part(args::required(attribute, "targetId")?);
        let name = args::required(attribute, "name")?.to_owned();
        let value = args::text(attribute, "value")?.unwrap_or_default().to_owned();
        let instance =
            world.ecs.instances.get_mut(target).filter(|it| it.cluster == cluster).ok_or_else(|| {
                ApiError::client("TargetNotFoundException", "The specified target wasn't found.")
            })?;
        instance.attributes.insert(name, value);
    }
    Ok(json!({ "attributes": attributes }))
}

/// Attributes that the agent registered (`ecs.…`, `com.amazonaws.ecs.…`) are taken away like others: AWS makes no
/// difference. One that is not there is no error.
pub(crate) fn delete_attributes(world: &mut World, input: &Value) -> Reply {
    let cluster = clusters::of_call(world, input)?;
    let attributes = args::list(input, "attributes")?;
    for attribute in attributes {
        let target = args::last_part(args::required(attribute, "targetId")?);
        let name = args::required(attribute, "name")?;
        let instance =
            world.ecs.instances.get_mut(target).filter(|it| it.cluster == cluster).ok_or_else(|| {
                ApiError::client("TargetNotFoundException", "The specified target wasn't found.")
            })?;
        instance.attributes.remove(name);
    }
    Ok(json!({ "attributes": attributes }))
}
