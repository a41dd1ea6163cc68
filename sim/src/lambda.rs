//! Lambda queues and retries.

use serde_json::Value;

use crate::call::{ApiError, Reply};
use crate::world::World;

/// Lambda queues and retries. State.
#[derive(Debug, Default)]
pub struct Lambda {}

/// What this service's timers are for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub enum Due {}

pub(crate) fn handle(_world: &mut World, operation: &str, _input: &Value) -> Reply {
    Err(ApiError::client("UnknownOperationException", operation))
}

pub(crate) fn due(_world: &mut World, due: Due) {
    match due {}
}

/// One invocation of a function that a door carries out.
#[derive(Debug, Clone, PartialEq)]
pub struct Invocation {
    /// Lambda's request id: the same on retries of one event.
    pub request_id: String,
    /// The function's name.
    pub function: String,
    /// The event.
    pub payload: Value,
    /// 1 for the first try.
    pub attempt: u32,
    /// By when the function must have answered.
    pub deadline: crate::time::Time,
}

/// How an invocation ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Ended {
    /// It returned.
    Ok(Value),
    /// It returned an error, crashed, or was killed.
    Error(String),
}

/// The door reports an invocation's end: retries and the dead-letter queue follow.
pub fn completed(_world: &mut World, _invocation: &Invocation, _ended: &Ended) {}
