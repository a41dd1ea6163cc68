//! Windlass's own events: a doorbell, and the question for a verdict. One event each on the
//! default bus, which the stack's rules hand to its functions.

use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use serde::Serialize;
use windlass_shared::deploy::plan::VerdictWanted;
use windlass_shared::event::{ClusterDoorbell, Doorbell};

use crate::error::Failure;

const ACTION: &str = "events:PutEvents";

/// Puts the doorbell on the bus. That it is there does not say that a rule takes it: the
/// service's row does, where `rung` grows.
pub async fn ring(events: &aws_sdk_eventbridge::Client, bell: &Doorbell) -> Result<(), Failure> {
    put(events, Doorbell::SOURCE, Doorbell::DETAIL_TYPE, bell).await
}

/// The same for a cluster's capacity.
pub async fn ring_cluster(
    events: &aws_sdk_eventbridge::Client,
    bell: &ClusterDoorbell,
) -> Result<(), Failure> {
    put(events, ClusterDoorbell::SOURCE, ClusterDoorbell::DETAIL_TYPE, bell).await
}

/// Asks `functions/verify` for a verdict.
pub(crate) async fn ask(events: &aws_sdk_eventbridge::Client, wanted: &VerdictWanted) -> Result<(), Failure> {
    put(events, VerdictWanted::SOURCE, VerdictWanted::DETAIL_TYPE, wanted).await
}

async fn put<T: Serialize>(
    events: &aws_sdk_eventbridge::Client,
    source: &str,
    detail_type: &str,
    detail: &T,
) -> Result<(), Failure> {
    let detail = serde_json::to_string(detail)
        .map_err(|error| Failure::of_code(ACTION, Some("InvalidArgument"), &error.to_string()))?;
    let entry =
        PutEventsRequestEntry::builder().source(source).detail_type(detail_type).detail(detail).build();
    let sent = events.put_events().entries(entry).send().await;
    let put = sent.map_err(|error| Failure::new(ACTION, &error))?;
    // Refused entries come with HTTP 200.
    match put.entries().iter().find(|entry| entry.error_code().is_some()) {
        Some(refused) => {
            let why = refused.error_message().unwrap_or("(no message)");
            Err(Failure::of_code(ACTION, refused.error_code(), why))
        }
        None => Ok(()),
    }
}
