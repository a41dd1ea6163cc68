//! What became of the rollout in flight: ECS's answer, read from the deployment's own
//! id, never from "the service's newest deployment" (which may be somebody else's).
//!
//! A rollout whose `UpdateService` was never answered (the function died in between) is
//! *ambiguous*: it is looked for by its task definition, and what cannot be told stays
//! open until the next pass.

use jiff::SignedDuration;

use crate::facts::{Deployment, Fact, LiveService, RolloutState, ServiceDeployment, ServiceFacts};
use crate::id::{DeploymentId, TaskDefinitionArn, Timestamp};
use crate::ledger::InFlight;
use crate::spec::ServiceSpec;

/// How a rollout stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// `UpdateService` (or `CreateService`) never took effect.
    NeverBegan,
    /// It goes on.
    Going {
        /// ECS's id, also where the row did not know it yet.
        deployment: DeploymentId,
        /// The revision it brings.
        task_definition: TaskDefinitionArn,
        /// `2 of 3 running, 1 failed`.
        progress: String,
    },
    /// It ended well.
    Live {
        /// ECS's id, where it is known.
        deployment: Option<DeploymentId>,
        /// The revision.
        task_definition: TaskDefinitionArn,
    },
    /// ECS gave it up.
    Failed {
        /// ECS's id, where it is known.
        deployment: Option<DeploymentId>,
        /// The revision.
        task_definition: Option<TaskDefinitionArn>,
        /// ECS went, or goes, back to what ran before.
        rolled_back: bool,
        /// ECS's words.
        reason: String,
    },
    /// Another deployment took its place before it ended, or the service was deleted.
    Superseded {
        /// Which.
        reason: &'static str,
    },
    /// It cannot be told now: a fact is missing.
    Open {
        /// Which.
        reason: String,
    },
}

/// By how much ECS's clock may be behind the one that wrote the intent.
const SKEW: SignedDuration = SignedDuration::from_mins(1);

const TAKEN: Standing =
    Standing::Superseded { reason: "another deployment took its place before it was live" };

/// Since when ECS's history may show this rollout.
pub fn history_since(in_flight: &InFlight) -> Timestamp {
    in_flight.started_at.saturating_sub(SKEW).unwrap_or(Timestamp::MIN)
}

/// Whether a live deployment gave way to another one without having ended. Only the history
/// can tell a rollback from somebody's newer deployment then.
pub fn is_displaced(deployment: &Deployment) -> bool {
    deployment.status != "PRIMARY"
        && matches!(deployment.rollout, RolloutState::InProgress | RolloutState::Unsaid)
}

/// Reads the standing of `in_flight`.
pub fn standing(in_flight: &InFlight, facts: &ServiceFacts) -> Standing {
    let service = match &facts.service {
        Fact::Known(service) if service.status != "INACTIVE" => service,
        Fact::Known(_) | Fact::Absent if in_flight.deployment.is_some() => {
            return Standing::Superseded { reason: "the service was deleted before it was live" };
        }
        Fact::Known(_) | Fact::Absent => return Standing::NeverBegan,
        Fact::Unreadable(what) => return Standing::Open { reason: what.to_string() },
        Fact::NotAsked => return Standing::Open { reason: "the service was not read".into() },
    };
    if in_flight.task_definition.is_none()
        && let Fact::Unreadable(what) = &facts.newest_revision
    {
        return Standing::Open { reason: what.to_string() };
    }
    let revision = in_flight.task_definition.clone().or_else(|| registered_leftover(in_flight, facts));
    match find(in_flight, revision.as_ref(), service) {
        Some(deployment) if is_displaced(deployment) => displaced(in_flight, deployment, facts),
        Some(deployment) => of_deployment(deployment, service),
        None => from_history(in_flight, revision, service, facts),
    }
}

/// The deployment of this rollout: by its own id; where the answer was lost, by its revision,
/// if it began since: the same revision may have failed before.
fn find<'a>(
    in_flight: &InFlight,
    revision: Option<&TaskDefinitionArn>,
    service: &'a LiveService,
) -> Option<&'a Deployment> {
    let by_id = |id: &DeploymentId| service.deployments.iter().find(|d| d.id == *id);
    match &in_flight.deployment {
        Some(id) => by_id(id),
        None => service
            .deployments
            .iter()
            .find(|d| Some(&d.task_definition) == revision && d.created_at >= history_since(in_flight)),
    }
}

/// The revision that a dead pass registered and did not write down: the family's newest,
/// if it carries the digest. What ran before carries it too where only the spec changed.
fn registered_leftover(in_flight: &InFlight, facts: &ServiceFacts) -> Option<TaskDefinitionArn> {
    [&facts.newest_revision, &facts.live_task_definition]
        .into_iter()
        .filter_map(Fact::known)
        .filter(|revision| revision.arn != in_flight.from_task_definition)
        .find(|revision| revision.carries(&in_flight.digest))
        .and_then(|revision| revision.arn.clone())
}

fn of_deployment(deployment: &Deployment, service: &LiveService) -> Standing {
    let primary = service.deployments.iter().find(|d| d.status == "PRIMARY");
    let is_primary = primary.is_some_and(|p| p.id == deployment.id);
    match deployment.rollout {
        RolloutState::Completed => Standing::Live {
            deployment: Some(deployment.id.clone()),
            task_definition: deployment.task_definition.clone(),
        },
        RolloutState::Failed => Standing::Failed {
            deployment: Some(deployment.id.clone()),
            task_definition: Some(deployment.task_definition.clone()),
            rolled_back: !is_primary,
            reason: deployment.reason.clone(),
        },
        RolloutState::Unsaid if deployment.running == deployment.desired => Standing::Live {
            deployment: Some(deployment.id.clone()),
            task_definition: deployment.task_definition.clone(),
        },
        RolloutState::InProgress | RolloutState::Unsaid => Standing::Going {
            deployment: deployment.id.clone(),
            task_definition: deployment.task_definition.clone(),
            progress: progress(deployment),
        },
    }
}

fn progress(deployment: &Deployment) -> String {
    let mut text = format!("{} of {} running", deployment.running, deployment.desired);
    if deployment.failed_tasks > 0 {
        text = format!("{text}, {} failed", deployment.failed_tasks);
    }
    text
}

/// No live deployment is ours: ECS's history tells how it ended.
fn from_history(
    in_flight: &InFlight,
    revision: Option<TaskDefinitionArn>,
    service: &LiveService,
    facts: &ServiceFacts,
) -> Standing {
    // Never registered, so never rolled out.
    let Some(revision) = revision else { return Standing::NeverBegan };
    let history = match &facts.service_deployments {
        Fact::Known(history) => history,
        Fact::Absent => &Vec::new(),
        Fact::Unreadable(what) => return Standing::Open { reason: what.to_string() },
        Fact::NotAsked => return Standing::Open { reason: "ECS's deployment history was not read".into() },
    };
    match ours(in_flight, &revision, history) {
        Some(ended) => of_ended(ended, revision, in_flight),
        None if in_flight.deployment.is_none() => Standing::NeverBegan,
        // Its id was given out, and neither the live list nor the history has it: the
        // history lags, or the service was made anew.
        None if service.task_definition == revision => {
            Standing::Open { reason: "ECS's deployment history does not show it yet".into() }
        }
        None => TAKEN,
    }
}

/// Whether a rollout has taken longer than its spec gives it.
pub fn is_late(in_flight: &InFlight, spec: &ServiceSpec, now: Timestamp) -> bool {
    let minutes = now.duration_since(in_flight.started_at).as_mins();
    minutes >= i64::from(spec.rollout_or_default().timeout_minutes)
}

/// Why a rollout is given up that was not live in its time.
pub fn out_of_time(timeout_minutes: i64) -> String {
    format!("{OUT_OF_TIME}{timeout_minutes} min")
}

/// Why one that moves requests in stages is given up whose tasks did not come up in their time.
pub fn not_up_in_time(timeout_minutes: u32) -> String {
    format!("{NOT_UP}{timeout_minutes} min")
}

/// The same, where they failed. To ECS a task that has no place is a failed one, too.
pub fn tasks_failed(failed: u32, limit: u32) -> String {
    format!("{failed}{FAILED} (the limit is {limit})")
}

/// Whether a lack of room may be the whole reason that it ended: nobody wanted it away, and no
/// verdict or alarm was against it. `ecs`: ECS's own words.
pub fn may_lack_room(given_up: Option<&String>, ecs: &str) -> bool {
    match given_up {
        Some(reason) => {
            reason.starts_with(OUT_OF_TIME) || reason.starts_with(NOT_UP) || reason.contains(FAILED)
        }
        None => !["alarm", "hook"].iter().any(|judge| ecs.contains(judge)),
    }
}

const OUT_OF_TIME: &str = "not live within ";
const NOT_UP: &str = "its tasks were not up within ";
const FAILED: &str = " tasks failed before any request was moved";

/// ECS's own record of a rollout that goes on: what it is stopped by. `None`: the history does
/// not show it yet.
///
/// # Errors
///
/// Why it cannot be told, in words.
pub fn own_deployment<'a>(
    going: &InFlight,
    facts: &'a ServiceFacts,
) -> Result<Option<&'a ServiceDeployment>, String> {
    match &facts.service_deployments {
        Fact::Known(history) => {
            let revision = going.task_definition.as_ref();
            Ok(revision.and_then(|revision| ours(going, revision, history)))
        }
        Fact::Absent => Ok(None),
        Fact::Unreadable(what) => Err(what.to_string()),
        Fact::NotAsked => Err("ECS's deployment history is read by the next pass".to_owned()),
    }
}

/// The newest deployment of the revision since the rollout was begun.
fn ours<'a>(
    in_flight: &InFlight,
    revision: &TaskDefinitionArn,
    history: &'a [ServiceDeployment],
) -> Option<&'a ServiceDeployment> {
    let since = history_since(in_flight);
    history
        .iter()
        .filter(|d| d.task_definition.as_ref() == Some(revision) && d.created_at >= since)
        .max_by_key(|d| d.created_at)
}

/// It gave way: to ECS's rollback (then it failed), or to somebody's newer deployment.
fn displaced(in_flight: &InFlight, deployment: &Deployment, facts: &ServiceFacts) -> Standing {
    let history = match &facts.service_deployments {
        Fact::Known(history) => history.as_slice(),
        Fact::Absent | Fact::NotAsked => &[],
        Fact::Unreadable(what) => return Standing::Open { reason: what.to_string() },
    };
    let revision = deployment.task_definition.clone();
    let known = InFlight { deployment: Some(deployment.id.clone()), ..in_flight.clone() };
    match ours(in_flight, &revision, history) {
        Some(ended) if ended.status.starts_with("ROLLBACK") => of_ended(ended, revision, &known),
        Some(_) | None => TAKEN,
    }
}

fn of_ended(ended: &ServiceDeployment, revision: TaskDefinitionArn, in_flight: &InFlight) -> Standing {
    let deployment = in_flight.deployment.clone();
    match ended.status.as_str() {
        "SUCCESSFUL" => Standing::Live { deployment, task_definition: revision },
        "ROLLBACK_REQUESTED" | "ROLLBACK_IN_PROGRESS" | "ROLLBACK_SUCCESSFUL" | "ROLLBACK_FAILED" => {
            Standing::Failed {
                deployment,
                task_definition: Some(revision),
                rolled_back: ended.status != "ROLLBACK_FAILED",
                reason: ended.reason.clone(),
            }
        }
        // A newer deployment moves the one under way to STOP_REQUESTED, then STOPPED.
        "STOP_REQUESTED" | "STOPPED" => TAKEN,
        other => Standing::Open { reason: format!("ECS's history says {other}") },
    }
}
