//! What becomes of an event whose function failed for good.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Function, Invocation, function_arn};
use crate::time::Time;
use crate::world::World;

/// A message in a dead-letter queue.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DeadLetter {
    /// When it came.
    pub at: Time,
    /// The queue's ARN.
    pub queue: String,
    /// The event, or the destination's record of it.
    pub body: Value,
    /// The message's attributes.
    pub attributes: BTreeMap<String, String>,
}

/// Sends the event to the function's dead-letter queue and its record to the
/// destination, whichever it has.
pub(super) fn give_up(
    world: &mut World,
    function: &Function,
    invocation: &Invocation,
    condition: &str,
    error: &str,
) {
    if let Some(queue) = function.dead_letter.clone() {
        let attributes = [
            ("RequestID", invocation.request_id.clone()),
            ("ErrorCode", "200".to_owned()),
            ("ErrorMessage", error.chars().take(1024).collect()),
        ];
        let attributes = attributes.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let body = invocation.payload.clone();
        world.lambda.dead_letters.push(DeadLetter { at: world.now, queue, body, attributes });
    }
    if let Some(queue) = function.on_failure.clone() {
        let body = record(world, invocation, condition, error);
        let attributes = BTreeMap::new();
        world.lambda.dead_letters.push(DeadLetter { at: world.now, queue, body, attributes });
    }
}

/// A destination's record, version 1.0.
fn record(world: &World, invocation: &Invocation, condition: &str, error: &str) -> Value {
    json!({
        "version": "1.0",
        "timestamp": world.now.iso(),
        "requestContext": {
            "requestId": invocation.request_id,
            "functionArn": format!("{}:$LATEST", function_arn(world, &invocation.function)),
            "condition": condition,
            "approximateInvokeCount": invocation.attempt,
        },
        "requestPayload": invocation.payload,
        "responseContext": {
            "statusCode": 200,
            "executedVersion": "$LATEST",
            "functionError": "Unhandled",
        },
        "responsePayload": { "errorMessage": error },
    })
}
