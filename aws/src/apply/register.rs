//! Registering a revision.

use windlass_shared::deploy::plan::StepOutcome;
use windlass_shared::facts::FailureKind;
use windlass_shared::id::Family;
use windlass_shared::task_definition::TaskDefinition;

use super::outcome::{refused, unseen};
use super::{Did, Product};
use crate::Clients;
use crate::lossless::{describe_task_definition, register_task_definition};

/// Registers the content. Its precheck is the fact `newest_revision`: a plan only has this
/// step where the family's newest says something else.
pub(super) async fn register(clients: &Clients, family: &Family, content: &TaskDefinition) -> Did {
    let doing = format!("registering a revision of {family}");
    let failure = match register_task_definition(&clients.ecs, content).await {
        Ok(arn) => return Did::made(StepOutcome::Done, Product::TaskDefinition(arn)),
        Err(failure) if failure.kind == FailureKind::Unknown => failure,
        Err(failure) => return refused(&doing, &failure).into(),
    };
    match describe_task_definition(&clients.ecs, family.as_str()).await {
        Ok(newest) if newest.same_content(content) => match newest.arn {
            Some(arn) => Did::made(StepOutcome::Done, Product::TaskDefinition(arn)),
            None => refused(&doing, &failure).into(),
        },
        Ok(_) => refused(&doing, &failure).into(),
        Err(look) if look.kind == FailureKind::NotFound => refused(&doing, &failure).into(),
        Err(look) => unseen(&doing, &failure, &look).into(),
    }
}
