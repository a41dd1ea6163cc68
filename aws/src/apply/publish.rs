//! Writing what a service runs into its parameter.

use windlass_shared::deploy::plan::StepOutcome;

use super::outcome::refused;
use crate::Clients;
use crate::observe::put_parameter;

/// Writes the text. Twice it is the same text: after no answer the next pass writes it again.
pub(super) async fn publish(clients: &Clients, parameter: &str, text: &str) -> StepOutcome {
    match put_parameter(&clients.ssm, parameter, text).await {
        Ok(_) => StepOutcome::Done,
        Err(failure) => refused(&format!("publishing what is live in {parameter}"), &failure),
    }
}
