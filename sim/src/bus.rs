//! EventBridge.

use serde_json::Value;

use crate::call::{ApiError, Reply};
use crate::world::World;

/// EventBridge. State.
#[derive(Debug, Default)]
pub struct Bus {}

/// What this service's timers are for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub enum Due {}

pub(crate) fn handle(_world: &mut World, operation: &str, _input: &Value) -> Reply {
    Err(ApiError::client("UnknownOperationException", operation))
}

pub(crate) fn due(_world: &mut World, due: Due) {
    match due {}
}

/// An AWS service emits an event onto the default bus.
pub(crate) fn emit(
    _world: &mut World,
    _source: &str,
    _detail_type: &str,
    _resources: &[String],
    _detail: Value,
) {
}
