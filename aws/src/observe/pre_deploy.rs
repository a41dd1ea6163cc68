//! The task before a rollout: by its ARN, or (where the pass that started it died before it
//! could write that down) by who started it.

use aws_sdk_ecs::types::{DesiredStatus, Task};
use windlass_shared::facts::{Fact, PreDeployTask};
use windlass_shared::id::ServiceKey;
use windlass_shared::ledger::{PreDeployed, ServiceRow};
use windlass_shared::names;

use super::convert::{fact, text};
use super::service::stopped;
use crate::error::Failure;

/// The task that the row says is under way. Absent: ECS does not show it (yet, or any more).
pub(crate) async fn pre_deploy(
    ecs: &aws_sdk_ecs::Client,
    key: &ServiceKey,
    row: &ServiceRow,
) -> Fact<PreDeployTask> {
    let Some(mark) = row.state.marks.pre_deployed.iter().find(|mark| mark.ended.is_none()) else {
        return Fact::NotAsked;
    };
    let found = find(ecs, key, mark).await;
    fact(found, || format!("reading the task before the rollout of {}", mark.digest.short()))
}

async fn find(
    ecs: &aws_sdk_ecs::Client,
    key: &ServiceKey,
    mark: &PreDeployed,
) -> Result<Option<PreDeployTask>, Failure> {
    if let Some(arn) = &mark.task {
        return describe(ecs, key, arn).await;
    }
    match listed(ecs, key, &mark.token).await? {
        Some(arn) => describe(ecs, key, &arn).await,
        None => Ok(None),
    }
}

/// The task that this token started, running or stopped.
pub(crate) async fn listed(
    ecs: &aws_sdk_ecs::Client,
    key: &ServiceKey,
    token: &str,
) -> Result<Option<String>, Failure> {
    for status in [DesiredStatus::Running, DesiredStatus::Stopped] {
        let listed = ecs
            .list_tasks()
            .cluster(key.cluster.as_str())
            .started_by(names::pre_deploy_started_by(token, key))
            .desired_status(status)
            .send()
            .await
            .map_err(|error| Failure::new("ecs:ListTasks", &error))?;
        if let Some(arn) = listed.task_arns().first() {
            return Ok(Some(arn.clone()));
        }
    }
    Ok(None)
}

async fn describe(
    ecs: &aws_sdk_ecs::Client,
    key: &ServiceKey,
    arn: &str,
) -> Result<Option<PreDeployTask>, Failure> {
    let described = ecs
        .describe_tasks()
        .cluster(key.cluster.as_str())
        .tasks(arn)
        .send()
        .await
        .map_err(|error| Failure::new("ecs:DescribeTasks", &error))?;
    Ok(described.tasks().first().map(facts))
}

fn facts(task: &Task) -> PreDeployTask {
    let last_status = text(task.last_status());
    let has_stopped = last_status == "STOPPED";
    PreDeployTask { arn: text(task.task_arn()), last_status, stopped: has_stopped.then(|| stopped(task)) }
}
