//! The test route of a strategy of ECS's: requests with a header reach the new tasks before
//! anybody else does.

use super::super::{Planner, Stop};
use super::pair::Pair;
use super::prepare::{both, leads_to_both};
use super::settings::shift_of;
use crate::deploy::plan::{Made, RuleChange, Step};
use crate::deploy::report::StrategyNote;
use crate::deploy::{desired, route};
use crate::facts::RouteFacts;
use crate::id::{RuleArn, TargetGroupArn};
use crate::spec::{RolloutSpec, RouteSpec, ServiceSpec};

impl Planner<'_> {
    /// The rule of test requests: the route's conditions and the header, asked before the
    /// service's own rule. ECS moves its weights, too.
    pub(super) fn test_rule(
        &mut self,
        route: &RouteSpec,
        rollout: &RolloutSpec,
        facts: &RouteFacts,
        pair: &Pair<'_>,
        other: &Made<TargetGroupArn>,
        steps: &mut Vec<Step>,
    ) -> Result<Option<Made<RuleArn>>, Stop> {
        let Some(test) = &rollout.test_route else { return Ok(None) };
        let mut conditions = route.conditions();
        conditions.headers.insert(test.header.clone(), test.values.clone());
        let action = both(pair, other, None);
        if let Some(rule) = route::test_rule(&facts.rules, &self.facts.key) {
            // While it was parked nobody kept its weights.
            let is_kept = leads_to_both(rule, pair, other) && !route::is_parked(rule);
            let change = RuleChange {
                conditions: Some(conditions).filter(|wanted| !route::same(&rule.conditions, wanted)),
                action: Some(action).filter(|_| !is_kept),
                ..RuleChange::default()
            };
            if change != RuleChange::default() {
                steps.push(Step::ModifyRule { expected: Box::new(rule.clone()), change });
            }
            return Ok(Some(Made::Already(rule.arn.clone())));
        }
        let taken = |priority: &u32| facts.rules.iter().any(|rule| rule.priority == Some(*priority));
        let before = 1..pair.rule.priority.unwrap_or(1);
        let Some(priority) = before.rev().find(|priority| !taken(priority)) else {
            return self.strategy(StrategyNote::NoPriorityBefore { rule: pair.rule.arn.clone() });
        };
        let mut tags = desired::tags(&self.facts.key);
        tags.insert(route::TAG_RULE.to_owned(), route::TEST.to_owned());
        steps.push(Step::CreateRule {
            name: route::TEST.to_owned(),
            listener: facts.listener.clone(),
            priority,
            conditions,
            action,
            rewrites: route.rewrites.clone(),
            parked: false,
            tags,
        });
        Ok(Some(Made::ByThisPlan(route::TEST.to_owned())))
    }

    /// A test route that the spec has no more matches nothing from now on: its requests are
    /// production's. The rule stays for the next one, as nothing is deleted.
    pub(in crate::deploy::planner) fn park_test_rule(&mut self, spec: &ServiceSpec, facts: &RouteFacts) {
        // Without this section the service rolls out as it did before, test route included.
        let Some(rollout) = &spec.rollout else { return };
        let is_wanted = rollout.test_route.is_some() && shift_of(&rollout.strategy).has_two_sets();
        let rule = route::test_rule(&facts.rules, &self.facts.key).filter(|rule| !route::is_parked(rule));
        if let (false, Some(rule)) = (is_wanted, rule) {
            let change =
                RuleChange { conditions: Some(route::parked(&self.facts.key)), ..RuleChange::default() };
            self.steps.push(Step::ModifyRule { expected: Box::new(rule.clone()), change });
        }
    }
}
