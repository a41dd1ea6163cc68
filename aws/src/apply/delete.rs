//! Taking away what Windlass made, for `windlass retire`: with a person's rights, never the
//! function's. Each step looks at the tag again: what is not this service's stays.

use windlass_shared::deploy::plan::{Part, StepOutcome};
use windlass_shared::facts::{FailureKind, LiveService, Rule};
use windlass_shared::id::{ServiceKey, TargetGroupArn};
use windlass_shared::names::TAG_SERVICE;

use super::outcome::{refused, unseen};
use crate::Clients;
use crate::error::Failure;
use crate::observe::route;
use crate::observe::service::describe;

/// Whether the resource carries the service's tag; `None`: there is no such resource.
async fn is_ours(clients: &Clients, key: &ServiceKey, arn: &str) -> Result<Option<bool>, Failure> {
    match route::tags_of(&clients.elb, vec![arn.to_owned()]).await {
        Ok(tags) => Ok(tags.get(arn).map(|tags| tags.get(TAG_SERVICE) == Some(&key.to_string()))),
        Err(failure) if failure.kind == FailureKind::NotFound => Ok(None),
        Err(failure) => Err(failure),
    }
}

fn not_ours(what: &str, key: &ServiceKey) -> StepOutcome {
    StepOutcome::Stale {
        expected: format!("{what} with the tag {TAG_SERVICE} = {key}"),
        found: "one without it".to_owned(),
    }
}

/// Deletes the rule.
pub(super) async fn rule(clients: &Clients, key: &ServiceKey, expected: &Rule) -> StepOutcome {
    let arn = expected.arn.as_str();
    let doing = format!("deleting rule {arn}");
    match is_ours(clients, key, arn).await {
        Ok(Some(true)) => {}
        Ok(Some(false)) => return not_ours(arn, key),
        Ok(None) => return StepOutcome::AlreadyDone,
        Err(failure) => return refused(&doing, &failure),
    }
    let sent = clients.elb.delete_rule().rule_arn(arn).send().await;
    ended(&doing, sent.map(drop).map_err(|error| Failure::new("elasticloadbalancing:DeleteRule", &error)))
}

/// Deletes the target group, which no rule uses any more.
pub(super) async fn target_group(clients: &Clients, key: &ServiceKey, group: &TargetGroupArn) -> StepOutcome {
    let doing = format!("deleting target group {group}");
    match is_ours(clients, key, group.as_str()).await {
        Ok(Some(true)) => {}
        Ok(Some(false)) => return not_ours(group.as_str(), key),
        Ok(None) => return StepOutcome::AlreadyDone,
        Err(failure) => return refused(&doing, &failure),
    }
    let sent = clients.elb.delete_target_group().target_group_arn(group.as_str()).send().await;
    let action = "elasticloadbalancing:DeleteTargetGroup";
    ended(&doing, sent.map(drop).map_err(|error| Failure::new(action, &error)))
}

/// Deletes the ECS service, which wants no task any more and has none.
pub(super) async fn service(clients: &Clients, key: &ServiceKey, part: Part) -> StepOutcome {
    let of = part.of(key);
    let doing = format!("deleting service {of}");
    match describe(&clients.ecs, &of).await {
        Err(failure) => return refused(&doing, &failure),
        Ok(None) => return StepOutcome::AlreadyDone,
        Ok(Some(now)) if now.status != "ACTIVE" => return StepOutcome::AlreadyDone,
        Ok(Some(now)) if now.tags.get(TAG_SERVICE) != Some(&key.to_string()) => {
            return not_ours(of.service.as_str(), key);
        }
        Ok(Some(now)) if is_busy(&now) => {
            let LiveService { running, pending, .. } = now;
            return StepOutcome::Waiting {
                reason: format!("{of} still has {running} task(s) running and {pending} pending"),
            };
        }
        Ok(Some(_)) => {}
    }
    let sent =
        clients.ecs.delete_service().cluster(of.cluster.as_str()).service(of.service.as_str()).send().await;
    let failure = match sent.map_err(|error| Failure::new("ecs:DeleteService", &error)) {
        Ok(_) => return StepOutcome::Done,
        Err(failure) if failure.kind == FailureKind::Unknown => failure,
        Err(failure) => return ended(&doing, Err(failure)),
    };
    match describe(&clients.ecs, &of).await {
        Ok(Some(now)) if now.status == "ACTIVE" => refused(&doing, &failure),
        Ok(_) => StepOutcome::Done,
        Err(look) => unseen(&doing, &failure, &look),
    }
}

fn is_busy(service: &LiveService) -> bool {
    service.desired > 0 || service.running > 0 || service.pending > 0
}

/// Deleting twice is no fault: the SDK may try again.
fn ended(doing: &str, sent: Result<(), Failure>) -> StepOutcome {
    match sent {
        Ok(()) => StepOutcome::Done,
        Err(failure) if failure.kind == FailureKind::NotFound => StepOutcome::AlreadyDone,
        Err(failure) => refused(doing, &failure),
    }
}
