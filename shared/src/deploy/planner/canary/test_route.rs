//! The test route of a canary: requests with a header reach it from the moment that its
//! targets are healthy, long before anybody else does.

use super::super::{Planner, Stop};
use super::lane::Lane;
use super::step::Seen;
use crate::deploy::plan::{Made, RuleAction, RuleChange, Step};
use crate::deploy::{desired, route};
use crate::facts::RuleConditions;
use crate::id::TargetGroupArn;
use crate::spec::rollout::TestRoute;

impl Planner<'_> {
    /// The test route leads to the canary, where the spec has one.
    pub(super) fn open_test_route(&mut self, seen: &Seen<'_, '_>) -> Result<(), Stop> {
        let test = seen.spec.rollout.as_ref().and_then(|rollout| rollout.test_route.clone());
        let (Some(test), Some(lane)) = (test, &seen.lane) else { return Ok(()) };
        let Some(group) = lane.canary.clone() else { return Ok(()) };
        let wanted = conditions(lane, &test);
        let Some(rule) = lane.test_rules.first() else {
            return self.make_test_rule(lane, group, wanted);
        };
        // One that ECS shifted before leads to whatever it left it at.
        let led = rule.forwards.iter().filter(|(_, weight)| *weight > 0);
        let is_led_here = led.map(|(to, _)| to).eq([&group]);
        let change = RuleChange {
            conditions: Some(wanted).filter(|wanted| !route::same(&rule.conditions, wanted)),
            action: (!is_led_here).then(|| RuleAction::to(Made::Already(group))),
            ..RuleChange::default()
        };
        if change != RuleChange::default() {
            self.steps.push(Step::ModifyRule { expected: Box::new((*rule).clone()), change });
        }
        Ok(())
    }

    /// It has to be asked before the service's own rule, which answers the same requests.
    fn make_test_rule(
        &mut self,
        lane: &Lane<'_>,
        group: TargetGroupArn,
        conditions: RuleConditions,
    ) -> Result<(), Stop> {
        let own = lane.rules.iter().filter_map(|rule| rule.priority).min();
        let automatic = route::automatic_priority(&conditions, &lane.facts.rules);
        let taken = |priority: u32| lane.facts.rules.iter().any(|rule| rule.priority == Some(priority));
        let priority = match (automatic, own) {
            (Some(priority), Some(own)) if priority < own => Some(priority),
            (_, Some(own)) => (1..own).rev().find(|priority| !taken(*priority)),
            (automatic, None) => automatic,
        };
        let Some(priority) = priority else {
            return self.impossible(
                "no priority is free before its own rule, where `rollout.test_route` would have to stand",
            );
        };
        self.steps.push(Step::CreateRule {
            name: "test".to_owned(),
            listener: lane.facts.listener.clone(),
            priority,
            conditions,
            action: RuleAction::to(Made::Already(group)),
            rewrites: lane.route.rewrites.clone(),
            parked: false,
            tags: desired::tags(&self.facts.key),
        });
        Ok(())
    }

    /// Nobody reaches the canary by the test route any more. The rule stays for the next one.
    pub(super) fn park_test_route(&mut self, lane: &Lane<'_>) {
        let parked = route::parked(&self.facts.key);
        for rule in lane.test_rules.iter().filter(|rule| !route::is_parked(rule)) {
            let change = RuleChange { conditions: Some(parked.clone()), ..RuleChange::default() };
            self.steps.push(Step::ModifyRule { expected: Box::new((*rule).clone()), change });
        }
    }
}

fn conditions(lane: &Lane<'_>, test: &TestRoute) -> RuleConditions {
    let mut conditions = lane.route.conditions();
    conditions.headers.insert(test.header.clone(), test.values.clone());
    conditions
}
