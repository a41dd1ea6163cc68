//! Moving rules of ours, all at once.

use std::collections::BTreeMap;

use aws_sdk_elasticloadbalancingv2::types::RulePriorityPair;
use windlass_shared::deploy::plan::{PriorityMove, StepOutcome};
use windlass_shared::facts::FailureKind;
use windlass_shared::id::{ListenerArn, RuleArn};

use super::outcome::{refused, unseen};
use crate::Clients;
use crate::clients::no_retry;
use crate::error::Failure;
use crate::observe::convert::int;
use crate::observe::route;

/// Moves the rules, if each still stands where the plan saw it. A priority that was taken
/// meanwhile is `Stale`: the pass looks again.
pub(super) async fn set(clients: &Clients, listener: &ListenerArn, moves: &[PriorityMove]) -> StepOutcome {
    const ACTION: &str = "elasticloadbalancing:SetRulePriorities";
    let doing = format!("moving {} rule(s) of {listener}", moves.len());
    match there(clients, listener).await {
        Err(look) => return refused(&doing, &look),
        Ok(there) if are_moved(&there, moves) => return StepOutcome::AlreadyDone,
        Ok(there) => {
            if let Some(gone) = moves.iter().find(|moved| there.get(&moved.rule) != Some(&moved.from)) {
                return stale(gone, &there);
            }
        }
    }
    let pairs = moves.iter().map(|moved| {
        RulePriorityPair::builder().rule_arn(moved.rule.as_str()).priority(int(moved.to)).build()
    });
    let sent = clients
        .elb
        .set_rule_priorities()
        .set_rule_priorities(Some(pairs.collect()))
        .customize()
        .config_override(aws_sdk_elasticloadbalancingv2::config::Builder::new().retry_config(no_retry()))
        .send()
        .await;
    let failure = match sent.map_err(|error| Failure::new(ACTION, &error)) {
        Ok(_) => return StepOutcome::Done,
        Err(failure) if failure.is("PriorityInUse") || failure.is("RuleNotFound") => {
            let expected = "the new priorities to be free".to_owned();
            return StepOutcome::Stale { expected, found: failure.to_string() };
        }
        Err(failure) if failure.kind == FailureKind::Unknown => failure,
        Err(failure) => return refused(&doing, &failure),
    };
    match there(clients, listener).await {
        Ok(there) if are_moved(&there, moves) => StepOutcome::Done,
        Ok(_) => refused(&doing, &failure),
        Err(look) => unseen(&doing, &failure, &look),
    }
}

async fn there(clients: &Clients, listener: &ListenerArn) -> Result<BTreeMap<RuleArn, u32>, Failure> {
    let rules = route::rules(&clients.elb, listener).await?;
    Ok(rules.into_iter().filter_map(|rule| Some((rule.arn, rule.priority?))).collect())
}

fn are_moved(there: &BTreeMap<RuleArn, u32>, moves: &[PriorityMove]) -> bool {
    moves.iter().all(|moved| there.get(&moved.rule) == Some(&moved.to))
}

fn stale(moved: &PriorityMove, there: &BTreeMap<RuleArn, u32>) -> StepOutcome {
    let found = match there.get(&moved.rule) {
        Some(priority) => format!("priority {priority}"),
        None => "no such rule".to_owned(),
    };
    StepOutcome::Stale { expected: format!("{} at priority {}", moved.rule, moved.from), found }
}
