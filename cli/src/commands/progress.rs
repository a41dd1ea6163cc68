//! How far a rollout is, beside its manner and age: ECS's stage, the weights that its rules
//! have now, what verifications found, who said yes.

use serde::Serialize;
use windlass_shared::deploy::Note;
use windlass_shared::deploy::report::StrategyNote;
use windlass_shared::deploy::route::{is_of, is_parked};
use windlass_shared::id::TargetGroupArn;

use super::look::Look;

/// A target group's share of the requests.
#[derive(Debug, Serialize, PartialEq, Eq)]
pub(super) struct Share {
    group: String,
    weight: u32,
}

/// How far the rollout in flight is.
#[derive(Debug, Serialize, Default)]
pub(super) struct Progress {
    /// ECS's stage, where ECS shifts.
    stage: Option<String>,
    /// Where the service's first open rule leads to.
    weights: Vec<Share>,
    /// What verifications found so far.
    verdicts: Vec<String>,
    /// Who said yes, or let it pass by what.
    approved: Vec<String>,
}

impl Progress {
    /// As it was seen.
    pub(super) fn of(look: &Look) -> Self {
        let begun = look.row.state.in_flight.as_ref();
        let verdicts = begun.map(|begun| begun.verdicts.as_slice()).unwrap_or_default();
        let approvals = begun.map(|begun| begun.approvals.as_slice()).unwrap_or_default();
        Self {
            stage: stage(look),
            weights: weights(look),
            verdicts: verdicts.iter().map(|found| format!("{}: {}", found.stage, found.judgement)).collect(),
            approved: approvals
                .iter()
                .map(|given| format!("{} ({})", given.order.by, given.order.reason))
                .collect(),
        }
    }

    /// In words, each after a semicolon; weights only where there are two groups.
    pub(super) fn words(&self) -> String {
        let Self { stage, weights, verdicts, approved } = self;
        let mut all: Vec<String> = stage.iter().cloned().collect();
        if weights.len() > 1 {
            let shares = weights.iter().map(|share| format!("{} {}", share.group, share.weight));
            all.push(format!("weights {}", shares.collect::<Vec<_>>().join(", ")));
        }
        all.extend(verdicts.last().map(|found| format!("verified at {found}")));
        if !approved.is_empty() {
            all.push(format!("approved by {}", approved.join(", ")));
        }
        if all.is_empty() { String::new() } else { format!("; {}", all.join("; ")) }
    }
}

fn stage(look: &Look) -> Option<String> {
    look.plan.report.iter().find_map(|note| match note {
        Note::Strategy(StrategyNote::Shifting { stage, .. }) => Some(format!("ECS at {stage}")),
        _ => None,
    })
}

fn weights(look: &Look) -> Vec<Share> {
    let Some(route) = look.facts.route.known() else { return Vec::new() };
    let own = route.rules.iter().find(|rule| is_of(rule, &look.plan.key) && !is_parked(rule));
    let forwards = own.map(|rule| rule.forwards.as_slice()).unwrap_or_default();
    forwards.iter().map(|(group, weight)| Share { group: name(group), weight: *weight }).collect()
}

/// `targetgroup/<name>/<id>`: its name.
fn name(group: &TargetGroupArn) -> String {
    group.as_str().rsplit('/').nth(1).unwrap_or(group.as_str()).to_owned()
}
