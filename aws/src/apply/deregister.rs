//! Deregistering a revision that nothing needs.

use windlass_shared::deploy::plan::StepOutcome;
use windlass_shared::id::TaskDefinitionArn;

use super::outcome::refused;
use crate::Clients;
use crate::error::Failure;

const DEREGISTER: &str = "ecs:DeregisterTaskDefinition";

/// Makes the revision `INACTIVE`: what runs on it runs on. Sent twice it is the same wish, so that
/// no answer is not looked into: the next pass sees whether it is still there.
pub(super) async fn deregister(clients: &Clients, task_definition: &TaskDefinitionArn) -> StepOutcome {
    let sent =
        clients.ecs.deregister_task_definition().task_definition(task_definition.as_str()).send().await;
    match sent.map_err(|error| Failure::new(DEREGISTER, &error)) {
        Ok(_) => StepOutcome::Done,
        Err(failure) => refused(&format!("deregistering {}", task_definition.short()), &failure),
    }
}
