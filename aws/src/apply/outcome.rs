//! Failures as steps' ends.

use windlass_shared::deploy::plan::StepOutcome;
use windlass_shared::facts::FailureKind;

use crate::error::Failure;

/// A write that AWS refused, or (for `Unknown`) whose effect is not to be seen yet.
pub(crate) fn refused(doing: &str, failure: &Failure) -> StepOutcome {
    match failure.kind {
        FailureKind::Throttled => {
            StepOutcome::Waiting { reason: format!("{doing}: AWS's rate is reached ({failure})") }
        }
        FailureKind::Unknown => StepOutcome::Waiting {
            reason: format!("{doing}: no sure answer, and no effect to be seen yet ({failure})"),
        },
        kind @ (FailureKind::Conflict
        | FailureKind::NotFound
        | FailureKind::Denied
        | FailureKind::Invalid
        | FailureKind::Limit) => {
            StepOutcome::Failed { kind, reason: format!("{doing}: {}", failure.with_next_step()) }
        }
    }
}

/// After a write without an answer the world could not be read either.
pub(crate) fn unseen(doing: &str, write: &Failure, look: &Failure) -> StepOutcome {
    StepOutcome::Waiting { reason: format!("{doing}: {write}; and looking again: {look}") }
}
