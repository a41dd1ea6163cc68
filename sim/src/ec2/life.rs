//! An instance's way: launched → running → its agent joins a cluster → shutting down → gone.
//!
//! With the shutdown its containers are cut at once. ECS hears of it when the instance is gone:
//! until then its tasks are told to be running, and requests to them fail.

use std::time::Duration;

use rand::RngExt;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::instance::{Instance, Market, Order, State};
use super::types::InstanceType;
use super::user_data::AgentConfig;
use super::{Due, describe};
use crate::call::{ApiError, Reply};
use crate::world::{self, World};
use crate::{autoscaling, ecs};

/// How long a terminated instance is described.
const KEPT: Duration = Duration::from_hours(1);

/// How long what EC2 does takes: seconds, from and to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Pace {
    /// From the launch to `running`.
    pub launch: (u32, u32),
    /// From `running` to the agent's registration: boot, Docker, the agent.
    pub boot: (u32, u32),
    /// From `shutting-down` to `terminated`.
    pub shutdown: (u32, u32),
    /// Whether agents register at all. An instance whose agent does not (no way out of its
    /// subnet, a wrong role) costs and takes no task.
    pub agents_join: bool,
}

impl Default for Pace {
    fn default() -> Self {
        Self { launch: (8, 15), boot: (25, 45), shutdown: (20, 40), agents_join: true }
    }
}

fn draw(world: &mut World, (from, to): (u32, u32)) -> Duration {
    Duration::from_millis(world.rng.random_range(u64::from(from) * 1000..=u64::from(to.max(from)) * 1000))
}

fn later(world: &mut World, after: Duration, due: Due) {
    let at = world.now() + after;
    world.at(at, world::Due::Ec2(due));
}

/// Launches an instance. Returns its id.
///
/// # Errors
/// What [`super::LaunchFault`]s say; a type that the table does not have.
pub(crate) fn launch(world: &mut World, order: Order) -> Result<String, ApiError> {
    if let Some(error) = world.ec2.refuses(&order) {
        return Err(error);
    }
    if InstanceType::parse(&order.instance_type).is_none() {
        let message = format!("Invalid value '{}' for InstanceType.", order.instance_type);
        return Err(ApiError::client("InvalidParameterValue", message));
    }
    let id = format!("i-0{}", &ecs::hex_id(world)[..16]);
    let instance = Instance {
        id: id.clone(),
        agent: AgentConfig::read(&order.user_data),
        kind: order.instance_type,
        az: order.az,
        subnet: order.subnet,
        image: order.image,
        template: order.template,
        market: order.market,
        state: State::Pending,
        launched: world.now(),
        ended: None,
        tags: order.tags,
        reason: None,
        warned: None,
    };
    world.ec2.instances.insert(id.clone(), instance);
    tell_state(world, &id);
    let after = draw(world, world.ec2.pace.launch);
    later(world, after, Due::Running(id.clone()));
    Ok(id)
}

/// `EC2 Instance State-change Notification`.
fn tell_state(world: &mut World, id: &str) {
    let Some(instance) = world.ec2.instances.get(id) else { return };
    let detail = json!({ "instance-id": id, "state": instance.state.name() });
    let arn = world.arn("ec2", &format!("instance/{id}"));
    world.emit("aws.ec2", "EC2 Instance State-change Notification", &[arn], detail);
}

/// Moves an instance on; false where it is not in the state before.
fn turn(world: &mut World, id: &str, from: &[State], to: State) -> bool {
    let Some(instance) = world.ec2.instances.get_mut(id).filter(|it| from.contains(&it.state)) else {
        return false;
    };
    instance.state = to;
    tell_state(world, id);
    true
}

pub(super) fn running(world: &mut World, id: &str) {
    if turn(world, id, &[State::Pending], State::Running) {
        let after = draw(world, world.ec2.pace.boot);
        later(world, after, Due::Joins(id.to_owned()));
        autoscaling::instance_runs(world, id);
    }
}

/// The agent registers its instance in the cluster that its configuration names. Where there is
/// no such cluster it tries in vain.
pub(super) fn joins(world: &mut World, id: &str) {
    let Some(instance) = world.ec2.instances.get(id).filter(|it| it.state == State::Running) else { return };
    let Some(kind) = InstanceType::parse(&instance.kind) else { return };
    if !world.ec2.pace.agents_join {
        return;
    }
    let mut attributes = instance.agent.attributes.clone();
    attributes.insert("ecs.instance-type".into(), instance.kind.clone());
    attributes.insert("ecs.ami-id".into(), instance.image.clone());
    attributes.insert("ecs.subnet-id".into(), instance.subnet.clone());
    attributes.insert("ecs.vpc-id".into(), crate::elb::VPC_ID.to_owned());
    let spec = ecs::InstanceSpec {
        cluster: instance.agent.cluster.clone().unwrap_or_else(|| "default".into()),
        instance_id: id.to_owned(),
        az: instance.az.clone(),
        architecture: kind.architecture().to_owned(),
        cpu: kind.cpu_units(),
        memory: kind.registered_mib(),
        attributes,
    };
    ecs::machine_joins(world, spec);
}

/// Ends an instance: its containers are cut now, it is gone a little later. False where it is
/// ending already, or unknown.
pub(crate) fn terminate(world: &mut World, id: &str, reason: &str) -> bool {
    if !turn(world, id, &[State::Pending, State::Running], State::ShuttingDown) {
        return false;
    }
    if let Some(instance) = world.ec2.instances.get_mut(id) {
        instance.reason = Some(reason.to_owned());
    }
    ecs::machine_stops(world, id);
    let after = draw(world, world.ec2.pace.shutdown);
    later(world, after, Due::Gone(id.to_owned()));
    true
}

pub(super) fn gone(world: &mut World, id: &str) {
    let now = world.now();
    if !turn(world, id, &[State::ShuttingDown], State::Terminated) {
        return;
    }
    if let Some(instance) = world.ec2.instances.get_mut(id) {
        instance.ended = Some(now);
    }
    later(world, KEPT, Due::Forget(id.to_owned()));
    ecs::remove_instance(world, id);
    autoscaling::instance_gone(world, id);
}

/// `TerminateInstances`, by hand.
pub(super) fn terminate_call(world: &mut World, input: &Value) -> Reply {
    let ids = describe::named(world, input)?;
    if ids.is_empty() {
        let message = "The request must contain the parameter InstanceId";
        return Err(ApiError::client("MissingParameter", message));
    }
    let mut changes = Vec::new();
    for id in ids {
        let state = |world: &World| {
            let instance = world.ec2.instances.get(&id);
            instance.map(|it| json!({ "Code": it.state.code(), "Name": it.state.name() }))
        };
        let before = state(world);
        terminate(world, &id, "Client.UserInitiatedShutdown");
        changes.push(json!({ "InstanceId": id, "PreviousState": before, "CurrentState": state(world) }));
    }
    Ok(json!({ "TerminatingInstances": changes }))
}

/// Whether spot capacity stands behind an instance that still lives.
pub(super) fn is_live_spot(world: &World, id: &str) -> bool {
    let live = |it: &&Instance| matches!(it.state, State::Pending | State::Running);
    world.ec2.instances.get(id).filter(live).is_some_and(|it| it.market == Market::Spot)
}
