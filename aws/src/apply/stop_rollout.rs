//! Ending a rollout of ECS's that goes on: it rolls back.

use aws_sdk_ecs::types::{ServiceDeploymentStatus, StopServiceDeploymentStopType};
use windlass_shared::deploy::plan::StepOutcome;
use windlass_shared::facts::FailureKind;

use super::outcome::{refused, unseen};
use crate::Clients;
use crate::clients::no_retry;
use crate::error::Failure;

const STOP: &str = "ecs:StopServiceDeployment";
const DESCRIBE: &str = "ecs:DescribeServiceDeployments";

/// Asks ECS to roll the deployment back. One that has ended meanwhile is `Stale`: the next
/// round sees how. Sent twice it is the same wish, so no answer is looked into.
pub(super) async fn stop(clients: &Clients, deployment: &str) -> StepOutcome {
    let doing = format!("ending rollout {}", deployment.rsplit('/').next().unwrap_or(deployment));
    let sent = clients
        .ecs
        .stop_service_deployment()
        .service_deployment_arn(deployment)
        .stop_type(StopServiceDeploymentStopType::Rollback)
        .customize()
        .config_override(aws_sdk_ecs::config::Builder::new().retry_config(no_retry()))
        .send()
        .await;
    let Err(failure) = sent.map_err(|error| Failure::new(STOP, &error)) else { return StepOutcome::Done };
    let is_open =
        matches!(failure.kind, FailureKind::Unknown | FailureKind::Conflict | FailureKind::NotFound);
    if !is_open {
        return refused(&doing, &failure);
    }
    match status(clients, deployment).await {
        Ok(Some(status)) => judged(&doing, &status, &failure),
        Ok(None) => refused(&doing, &failure),
        Err(look) => unseen(&doing, &failure, &look),
    }
}

fn judged(doing: &str, status: &ServiceDeploymentStatus, failure: &Failure) -> StepOutcome {
    use ServiceDeploymentStatus as Status;
    match status {
        Status::RollbackRequested | Status::RollbackInProgress | Status::RollbackSuccessful => {
            StepOutcome::AlreadyDone
        }
        Status::Pending | Status::InProgress => refused(doing, failure),
        ended => StepOutcome::Stale {
            expected: "a rollout that goes on".to_owned(),
            found: ended.as_str().to_owned(),
        },
    }
}

async fn status(clients: &Clients, deployment: &str) -> Result<Option<ServiceDeploymentStatus>, Failure> {
    let described = clients
        .ecs
        .describe_service_deployments()
        .service_deployment_arns(deployment)
        .send()
        .await
        .map_err(|error| Failure::new(DESCRIBE, &error))?;
    Ok(described.service_deployments().first().and_then(|found| found.status().cloned()))
}
