//! Parameter Store.

use serde_json::Value;

use crate::call::{ApiError, Reply};
use crate::world::World;

/// Parameter Store. State.
#[derive(Debug, Default)]
pub struct Ssm {}

/// What this service's timers are for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub enum Due {}

pub(crate) fn handle(_world: &mut World, operation: &str, _input: &Value) -> Reply {
    Err(ApiError::client("UnknownOperationException", operation))
}

pub(crate) fn due(_world: &mut World, due: Due) {
    match due {}
}
