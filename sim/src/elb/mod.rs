//! ELBv2.

use serde_json::Value;

use crate::call::{ApiError, Reply};
use crate::world::World;

/// ELBv2. State.
#[derive(Debug, Default)]
pub struct Elb {}

/// What this service's timers are for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub enum Due {}

pub(crate) fn handle(_world: &mut World, operation: &str, _input: &Value) -> Reply {
    Err(ApiError::client("UnknownOperationException", operation))
}

pub(crate) fn due(_world: &mut World, due: Due) {
    match due {}
}

/// A target's state: `initial`, `healthy`, `unhealthy`, `unused`, `draining`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TargetState {
    /// Registered, first checks under way.
    Initial,
    /// In service.
    Healthy,
    /// Fails its checks.
    Unhealthy,
    /// The group is on no listener or rule.
    Unused,
    /// Leaving: open requests go on, no new ones.
    Draining,
}

/// ECS registers a target. Errors as RegisterTargets'.
pub(crate) fn register(_world: &mut World, _group_arn: &str, _id: &str, _port: u16) -> Result<(), ApiError> {
    Ok(())
}

/// ECS deregisters a target: it drains for the group's deregistration delay, then is
/// gone. Returns when it will be gone.
pub(crate) fn deregister(world: &mut World, _group_arn: &str, _id: &str, _port: u16) -> crate::time::Time {
    world.now()
}

/// A target's state; `None` once it is gone.
pub(crate) fn target_state(_world: &World, _group_arn: &str, _id: &str, _port: u16) -> Option<TargetState> {
    None
}

/// Why CreateService or UpdateService would refuse this group, if it would: unknown, or
/// `The target group … does not have an associated load balancer.`
pub(crate) fn refuses_service(_world: &World, _group_arn: &str) -> Option<ApiError> {
    None
}
