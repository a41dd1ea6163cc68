//! Starting the task before a rollout.

use aws_sdk_ecs::types::{ContainerOverride, KeyValuePair, TaskOverride};
use windlass_shared::deploy::plan::{RunTaskSpec, StepOutcome};
use windlass_shared::deploy::record::Ran;
use windlass_shared::facts::FailureKind;
use windlass_shared::id::TaskDefinitionArn;
use windlass_shared::names;

use super::outcome::{refused, unseen};
use super::service::{network, tags};
use super::{Did, Product, Run};
use crate::clients::no_retry;
use crate::error::Failure;
use crate::observe::pre_deploy::listed;

const RUN: &str = "ecs:RunTask";
/// In a 400 of its own, where other lacks of room are entries of `failures`.
const NO_INSTANCES: &str = "No Container Instances";

/// What RunTask answered.
enum Answer {
    Task(String),
    /// No room, in ECS's words: nothing was started.
    NoRoom(String),
    /// Neither: an answer to a token whose task is gone.
    Neither,
}

impl Run<'_> {
    /// Starts the task. The same token starts no second one, so that no answer is looked into
    /// and, where nothing is to be seen, asked again by the next pass.
    pub(super) async fn run_task(&self, spec: &RunTaskSpec) -> Did {
        let revision = match self.revision(&spec.task_definition) {
            Ok(revision) => revision,
            Err(did) => return did,
        };
        let doing = format!("running `{}` of {}", spec.command.join(" "), revision.short());
        let failure = match self.send_run(spec, revision).await {
            Ok(Answer::Task(arn)) => return Did::made(StepOutcome::Done, Product::Task(Ran::Task(arn))),
            Ok(Answer::NoRoom(words)) => return no_room(&doing, &words),
            Ok(Answer::Neither) => {
                let reason = format!("{doing}: ECS answers with no task and no reason");
                return StepOutcome::Waiting { reason }.into();
            }
            Err(failure) if failure.message.contains(NO_INSTANCES) => {
                return no_room(&doing, &failure.message);
            }
            Err(failure) if matches!(failure.kind, FailureKind::Unknown | FailureKind::Conflict) => failure,
            Err(failure) => return Did::made(refused(&doing, &failure), Product::Task(Ran::Nothing)),
        };
        match listed(&self.clients.ecs, self.key, &spec.token).await {
            Ok(Some(arn)) => Did::made(StepOutcome::Done, Product::Task(Ran::Task(arn))),
            Ok(None) => StepOutcome::Waiting { reason: format!("{doing}: {failure}") }.into(),
            Err(look) => unseen(&doing, &failure, &look).into(),
        }
    }

    async fn send_run(&self, spec: &RunTaskSpec, revision: &TaskDefinitionArn) -> Result<Answer, Failure> {
        let env =
            spec.env.iter().map(|(name, value)| KeyValuePair::builder().name(name).value(value).build());
        let container = ContainerOverride::builder()
            .name(spec.container.as_str())
            .set_command(Some(spec.command.clone()))
            .set_environment((!spec.env.is_empty()).then(|| env.collect()))
            .build();
        let sent = self
            .clients
            .ecs
            .run_task()
            .cluster(self.key.cluster.as_str())
            .task_definition(revision.as_str())
            .count(1)
            .started_by(names::pre_deploy_started_by(&spec.token, self.key))
            .client_token(&spec.token)
            .overrides(TaskOverride::builder().container_overrides(container).build())
            .set_network_configuration(spec.network.as_ref().map(network))
            .set_tags(Some(tags(&spec.tags)))
            .customize()
            .config_override(aws_sdk_ecs::config::Builder::new().retry_config(no_retry()))
            .send()
            .await
            .map_err(|error| Failure::new(RUN, &error))?;
        if let Some(arn) = sent.tasks().first().and_then(|task| task.task_arn()) {
            return Ok(Answer::Task(arn.to_owned()));
        }
        Ok(sent.failures().first().map_or(Answer::Neither, |failed| {
            let words = [failed.reason(), failed.detail(), failed.arn()];
            Answer::NoRoom(words.into_iter().flatten().collect::<Vec<_>>().join(", "))
        }))
    }
}

/// Nothing was started, and nothing will be by this token: the next pass tries anew.
fn no_room(doing: &str, words: &str) -> Did {
    let reason = format!("{doing}: no instance has room for it ({words})");
    Did::made(StepOutcome::Waiting { reason }, Product::Task(Ran::Nothing))
}
