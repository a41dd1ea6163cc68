//! DynamoDB, by `dynoxide`.

use serde_json::Value;

use crate::call::{ApiError, Reply};

/// An embedded DynamoDB.
pub struct Dynamo {}

impl Dynamo {
    /// Everything in memory.
    pub(crate) fn in_memory() -> Self {
        Self {}
    }

    pub(crate) fn handle(&mut self, operation: &str, _input: &Value) -> Reply {
        Err(ApiError::client("UnknownOperationException", operation))
    }
}
