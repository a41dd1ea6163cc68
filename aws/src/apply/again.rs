//! Rolling a service's own revision out once more.

use windlass_shared::deploy::plan::StepOutcome;
use windlass_shared::facts::{FailureKind, LiveService};
use windlass_shared::id::{DeploymentId, TaskDefinitionArn};

use super::outcome::{refused, unseen};
use super::service::{answered, is_active, rollout, stale};
use super::{Did, Part, Run};
use crate::clients::no_retry;
use crate::error::Failure;
use crate::observe::service::describe;

const UPDATE: &str = "ecs:UpdateService";

impl Run<'_> {
    /// Has ECS begin a deployment of the revision that the service has, unless one has begun
    /// since `failed`.
    pub(super) async fn roll_out_again(&self, revision: &TaskDefinitionArn, failed: &DeploymentId) -> Did {
        let doing = format!("rolling {} of {} out once more", revision.short(), self.key);
        let looked = match &self.seen {
            Some(seen) => seen.clone(),
            None => describe(&self.clients.ecs, self.key).await,
        };
        match looked {
            Err(failure) => {
                return StepOutcome::Waiting { reason: format!("{doing}: looking first: {failure}") }.into();
            }
            Ok(Some(now)) if is_active(&now) && now.task_definition == *revision => {
                if newest(&now).is_some_and(|newest| newest != failed) {
                    return rollout(Part::Main, StepOutcome::AlreadyDone, revision, &now);
                }
            }
            Ok(now) => return stale(revision, now.as_ref()).into(),
        }
        let failure = match self.send_again(revision).await {
            Ok(updated) => return rollout(Part::Main, StepOutcome::Done, revision, &updated),
            Err(failure) if failure.kind == FailureKind::Unknown => failure,
            Err(failure) => return refused(&doing, &failure).into(),
        };
        match describe(&self.clients.ecs, self.key).await {
            Ok(Some(now)) if newest(&now).is_some_and(|newest| newest != failed) => {
                rollout(Part::Main, StepOutcome::Done, revision, &now)
            }
            Ok(_) => refused(&doing, &failure).into(),
            Err(look) => unseen(&doing, &failure, &look).into(),
        }
    }

    async fn send_again(&self, revision: &TaskDefinitionArn) -> Result<LiveService, Failure> {
        let updated = self
            .clients
            .ecs
            .update_service()
            .cluster(self.key.cluster.as_str())
            .service(self.key.service.as_str())
            .task_definition(revision.as_str())
            .force_new_deployment(true)
            .customize()
            .config_override(aws_sdk_ecs::config::Builder::new().retry_config(no_retry()))
            .send()
            .await
            .map_err(|error| Failure::new(UPDATE, &error))?;
        answered(UPDATE, updated.service(), revision)
    }
}

/// The service's newest deployment.
fn newest(service: &LiveService) -> Option<&DeploymentId> {
    service.deployments.iter().find(|it| it.status == "PRIMARY").map(|it| &it.id)
}
