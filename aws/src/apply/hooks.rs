//! Answers to ECS's PAUSE hooks.

use aws_sdk_ecs::types::DeploymentLifecycleHookAction;
use windlass_shared::deploy::plan::StepOutcome;
use windlass_shared::facts::{FailureKind, UnderWay};
use windlass_shared::id::{HookId, ServiceDeploymentArn};

use super::outcome::{refused, unseen};
use crate::Clients;
use crate::clients::no_retry;
use crate::error::Failure;
use crate::observe::under_way::describe;

const CONTINUE: &str = "ecs:ContinueServiceDeployment";

/// Lets the deployment go on, or roll back. One that waits no more was answered: by a pass
/// that died, by a person, or by its timeout.
pub(super) async fn answer(clients: &Clients, deployment: &str, hook: &str, approve: bool) -> StepOutcome {
    let doing = format!("answering hook {hook}");
    let action = if approve {
        DeploymentLifecycleHookAction::Continue
    } else {
        DeploymentLifecycleHookAction::Rollback
    };
    let sent = clients
        .ecs
        .continue_service_deployment()
        .service_deployment_arn(deployment)
        .hook_id(hook)
        .action(action)
        .customize()
        .config_override(aws_sdk_ecs::config::Builder::new().retry_config(no_retry()))
        .send()
        .await;
    let failure = match sent.map_err(|error| Failure::new(CONTINUE, &error)) {
        Ok(_) => return StepOutcome::Done,
        Err(failure) if matches!(failure.kind, FailureKind::Unknown | FailureKind::Invalid) => failure,
        Err(failure) => return refused(&doing, &failure),
    };
    match describe(&clients.ecs, &ServiceDeploymentArn::new(deployment)).await {
        Ok(Some(now)) if waits(&now, hook) => refused(&doing, &failure),
        Ok(_) => StepOutcome::AlreadyDone,
        Err(look) => unseen(&doing, &failure, &look),
    }
}

fn waits(deployment: &UnderWay, hook: &str) -> bool {
    let hook = HookId::new(hook);
    deployment.hooks.iter().any(|run| run.id == hook && run.awaits_action())
}
