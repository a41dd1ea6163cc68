//! Asking for a verdict.

use windlass_shared::deploy::plan::{StepOutcome, VerdictWanted};

use super::outcome::refused;
use crate::by_hand;

/// Puts the question on the bus. Asked twice it is answered once: a verdict that was given
/// on this stage stays.
pub(super) async fn ask(events: &aws_sdk_eventbridge::Client, wanted: &VerdictWanted) -> StepOutcome {
    match by_hand::ask(events, wanted).await {
        Ok(()) => StepOutcome::Done,
        Err(failure) => refused(&format!("asking for the verdict on {}", wanted.stage), &failure),
    }
}
