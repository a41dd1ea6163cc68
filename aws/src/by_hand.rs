//! A doorbell rung by a person: one event on the default bus, which the stack's rule
//! `RungByHand` hands to the function.

use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use windlass_shared::event::Doorbell;

use crate::error::Failure;

const ACTION: &str = "events:PutEvents";

/// Puts the doorbell on the bus. That it is there does not say that a rule takes it: the
/// service's row does, where `rung` grows.
pub async fn ring(events: &aws_sdk_eventbridge::Client, bell: &Doorbell) -> Result<(), Failure> {
    let detail = serde_json::to_string(bell)
        .map_err(|error| Failure::of_code(ACTION, Some("InvalidArgument"), &error.to_string()))?;
    let entry = PutEventsRequestEntry::builder()
        .source(Doorbell::SOURCE)
        .detail_type(Doorbell::DETAIL_TYPE)
        .detail(detail)
        .build();
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
