//! What comes back to hooks: a function's answer, and `ContinueServiceDeployment`.

use std::time::Duration;

use serde_json::{Value, json};

use super::super::args::{self, invalid};
use super::super::deployment::ReleaseStatus;
use super::super::history;
use super::super::scheduler;
use super::super::service::ServiceKey;
use super::super::strategy::{self, HookAction};
use super::hooks::{find, set_status};
use super::progress::{HookStatus, current, current_mut};
use crate::call::Reply;
use crate::lambda::Ended;
use crate::world::World;

/// Until a function that is not done is called again.
const CALL_BACK: Duration = Duration::from_secs(30);

/// A hook's function has ended. An answer to a hook that is no more is not heard.
pub(crate) fn answered(world: &mut World, id: &str, ended: &Ended) {
    let Some(key) = owner_of(world, id) else { return };
    match Answer::read(ended) {
        Answer::Succeeded => set_status(world, &key, id, HookStatus::Succeeded),
        Answer::Failed => set_status(world, &key, id, HookStatus::Failed),
        Answer::InProgress { delay, details } => call_back(world, &key, id, delay, details),
    }
    scheduler::wake(world, &key);
}

/// The service whose deployment a hook at work belongs to.
fn owner_of(world: &World, id: &str) -> Option<ServiceKey> {
    let services = world.ecs.clusters.values().flat_map(|cluster| cluster.services.values());
    let mut owners = services.filter(|service| {
        let hooks = current(service).map(|(_, progress)| progress.hooks.as_slice()).unwrap_or_default();
        hooks.iter().any(|run| run.id == id && run.status == HookStatus::InProgress)
    });
    owners.next().map(|service| service.key.clone())
}

fn call_back(world: &mut World, key: &ServiceKey, id: &str, delay: Duration, details: Option<Value>) {
    let at = world.now() + delay;
    let Some(service) = world.ecs.service_mut(key) else { return };
    let Some(run) = find(service, id) else { return };
    run.again_at = Some(at);
    let index = run.index;
    if let (Some(details), Some(progress)) = (details, current_mut(service)) {
        progress.details.insert(index, details);
    }
}

/// What a function said.
#[derive(Debug, Clone, PartialEq)]
enum Answer {
    Succeeded,
    Failed,
    InProgress { delay: Duration, details: Option<Value> },
}

impl Answer {
    /// An error, and an answer without a `hookStatus` that AWS knows, are failures.
    fn read(ended: &Ended) -> Self {
        let Ended::Ok(answer) = ended else { return Self::Failed };
        match answer["hookStatus"].as_str() {
            Some("SUCCEEDED") => Self::Succeeded,
            Some("IN_PROGRESS") => Self::InProgress {
                delay: answer["callBackDelay"].as_u64().map_or(CALL_BACK, Duration::from_secs),
                details: answer.get("hookDetails").filter(|it| !it.is_null()).cloned(),
            },
            _ => Self::Failed,
        }
    }
}

/// `ContinueServiceDeployment`: ends a pause.
pub(crate) fn continue_deployment(world: &mut World, input: &Value) -> Reply {
    let arn = args::required(input, "serviceDeploymentArn")?.to_owned();
    let id = args::required(input, "hookId")?.to_owned();
    let action = strategy::action(input, "action")?.unwrap_or(HookAction::Continue);
    let (service, release) = history::find(world, &arn)?;
    if release.status != ReleaseStatus::InProgress {
        return Err(invalid("The service deployment must be in the IN_PROGRESS state."));
    }
    let key = service.key.clone();
    let runs = release.progress.iter().flat_map(|it| &it.hooks);
    match runs.filter(|run| run.id == id).map(|run| run.status).next() {
        None => return Err(invalid(format!("The lifecycle hook {id} was not found."))),
        Some(HookStatus::AwaitingAction) => {}
        Some(_) => {
            return Err(invalid(format!("The lifecycle hook {id} is not in the AWAITING_ACTION status.")));
        }
    }
    let status = match action {
        HookAction::Continue => HookStatus::Succeeded,
        HookAction::Rollback => HookStatus::Failed,
    };
    set_status(world, &key, &id, status);
    scheduler::wake(world, &key);
    Ok(json!({ "serviceDeploymentArn": arn }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_without_a_known_status_is_a_failure() {
        let read = |answer: Value| Answer::read(&Ended::Ok(answer));
        assert_eq!(read(json!({"hookStatus": "SUCCEEDED"})), Answer::Succeeded);
        assert_eq!(read(json!({"hookStatus": "FAILED"})), Answer::Failed);
        assert_eq!(read(json!({"status": "SUCCEEDED"})), Answer::Failed);
        assert_eq!(read(Value::Null), Answer::Failed);
        assert_eq!(Answer::read(&Ended::Error("boom".into())), Answer::Failed);
        let later = Answer::InProgress { delay: CALL_BACK, details: None };
        assert_eq!(read(json!({"hookStatus": "IN_PROGRESS"})), later);
    }
}
