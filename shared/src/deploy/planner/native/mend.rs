//! After a rollout: production leads to what is healthy.
//!
//! ECS moves tasks and weights, each for itself: a rollback whose weights stayed behind
//! (pipecd#5280) leaves production at a group that nobody is in any more (roadmap#2853).

use super::super::Planner;
use super::pair::{Pair, weight};
use crate::deploy::plan::{Forward, Made, RuleAction, RuleChange, Step};
use crate::deploy::report::{Note, StrategyNote};
use crate::deploy::route;
use crate::facts::{LiveService, RolloutState, RouteFacts};
use crate::ledger::Manner;

/// All of a rule's requests.
const ALL: u32 = 100;

impl Planner<'_> {
    /// Has the rule lead to the group that can answer, where requests go to one that cannot.
    /// Never while anything moves: then the weights are ECS's, or a canary's.
    pub(in crate::deploy::planner) fn mend(&mut self, facts: &RouteFacts, service: &LiveService) {
        let moves = service.deployments.iter().any(|it| it.rollout == RolloutState::InProgress);
        let is_canary = self.going.as_ref().is_some_and(|going| going.manner == Manner::Canary);
        if moves || is_canary {
            return;
        }
        let Some(pair) = self.pair(facts, service) else { return };
        if route::is_parked(pair.rule) {
            return;
        }
        let Some((empty, healthy)) = astray(&pair) else { return };
        let note = StrategyNote::Mended { empty: empty.clone(), healthy: healthy.clone() };
        self.notes.push(Note::Strategy(note));
        let forward = |group: &crate::id::TargetGroupArn, weight| Forward {
            group: Made::Already(group.clone()),
            weight,
        };
        let action = RuleAction {
            forwards: vec![forward(healthy, ALL), forward(empty, 0)],
            stickiness_secs: pair.rule.stickiness_secs,
        };
        let change = RuleChange { action: Some(action), ..RuleChange::default() };
        self.steps.push(Step::ModifyRule { expected: Box::new(pair.rule.clone()), change });
    }
}

/// The group that has requests and no healthy target, and the other one, which has both or the
/// latter.
fn astray<'a>(pair: &Pair<'a>) -> Option<(&'a crate::id::TargetGroupArn, &'a crate::id::TargetGroupArn)> {
    let other = pair.other?;
    let gets = |group| weight(pair.rule, group) > 0;
    if gets(pair.serving.group) && pair.serving.is_empty() && other.can_serve() {
        return Some((pair.serving.group, other.group));
    }
    let is_split = gets(other.group) && other.is_empty() && pair.serving.can_serve();
    is_split.then_some((other.group, pair.serving.group))
}
