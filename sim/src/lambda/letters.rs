//! What becomes of an event whose function failed for good.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Function, Invocation, function_arn};
use crate::iam::Ask;
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
    if let Some(queue) = function.dead_letter.clone().filter(|queue| may_send(world, function, queue)) {
        let attributes = [
            ("RequestID", invocation.request_id.clone()),
            ("ErrorCode", "200".to_owned()),
            ("ErrorMessage", error.chars().take(1024).collect()),
        ];
        let attributes = attributes.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let body = invocation.payload.clone();
        world.lambda.dead_letters.push(DeadLetter { at: world.now, queue, body, attributes });
    }
    if let Some(queue) = function.on_failure.clone().filter(|queue| may_send(world, function, queue)) {
        let body = record(world, invocation, condition, error);
        let attributes = BTreeMap::new();
        world.lambda.dead_letters.push(DeadLetter { at: world.now, queue, body, attributes });
    }
}

/// Lambda sends in the function's role. Without the right the event is lost (`DestinationDeliveryFailures`).
fn may_send(world: &mut World, function: &Function, queue: &str) -> bool {
    let ask = Ask::new("sqs:SendMessage", queue).key("aws:RequestedRegion", &world.config.region);
    let may = world.gate.permissions.decide(&function.access_key(), &ask).is_ok();
    if !may {
        tracing::error!(
            "the role {} does not allow sqs:SendMessage on {queue}: an event is lost",
            function.role
        );
    }
    may
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
