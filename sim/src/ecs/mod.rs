//! ECS.

use serde_json::Value;

use crate::call::{ApiError, Reply};
use crate::world::World;

/// ECS. State.
#[derive(Debug, Default)]
pub struct Ecs {}

/// What this service's timers are for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub enum Due {}

pub(crate) fn handle(_world: &mut World, operation: &str, _input: &Value) -> Reply {
    Err(ApiError::client("UnknownOperationException", operation))
}

pub(crate) fn due(_world: &mut World, due: Due) {
    match due {}
}

/// Asks the container behind (instance, host port) for `path`, as a health check or a
/// request of the data plane does. `None`: nothing listens there, or the connection is
/// cut (not started yet, ended, killed).
pub(crate) fn answer(_world: &World, _instance_id: &str, _host_port: u16, _health: bool) -> Option<Answer> {
    None
}

/// What a container answers.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// How long it takes, in milliseconds.
    pub latency_ms: u64,
    /// The task that answered.
    pub task_arn: String,
}
