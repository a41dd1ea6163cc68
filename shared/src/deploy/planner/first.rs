//! A first release that fails: nothing half-made serves.
//!
//! There is nothing to go back to, and nothing is scaled to nothing (a service that wants no
//! task would look live). What was made stays for the next push; only its rule is parked, and
//! opens again once a release was settled: until then tasks of the failed one may still be
//! among the healthy targets for a while.

use super::Planner;
use crate::deploy::plan::{InFlightChange, RuleChange, Step};
use crate::deploy::report::{Note, RollbackNote};
use crate::deploy::{explain, rollout, route};
use crate::facts::{LiveService, Rule};
use crate::id::ImageDigest;
use crate::ledger::Outcome;
use crate::names;

impl Planner<'_> {
    /// A first release that is not live in its time failed: ECS has nothing to go back to, and
    /// would try for ever. `true`: it has just been ended.
    pub(super) fn first_is_out_of_time(&mut self, timeout_minutes: i64) -> bool {
        let is_first = self.settled.is_none() && self.facts.service.known().is_some_and(|it| self.made(it));
        let Some(going) = self.going.clone().filter(|_| is_first) else {
            return false;
        };
        // Where there was no room, ECS places its tasks as soon as there is some.
        if explain::has_no_place(self.facts, going.started_at) {
            return false;
        }
        let reason = rollout::out_of_time(timeout_minutes);
        self.failed(&going, going.deployment.clone(), &reason, None);
        self.end(&going, Outcome::Failed, Some(reason));
        true
    }

    /// Whether Windlass made the service.
    fn made(&self, service: &LiveService) -> bool {
        service.tags.get(names::TAG_SERVICE) == Some(&self.facts.key.to_string())
    }

    /// What runs, where nothing was ever settled and that is in quarantine.
    fn failed_first(&self, service: &LiveService) -> Option<ImageDigest> {
        if self.settled.is_some() || self.going.is_some() || !self.made(service) {
            return None;
        }
        let live = self.facts.live_task_definition.known()?;
        self.quarantine.keys().find(|digest| live.carries(digest)).cloned()
    }

    /// Parks the rule of a first release that failed, and keeps it parked until one is settled.
    /// `true`: the rule is not to be opened.
    pub(super) fn stays_parked(&mut self, service: &LiveService, rule: &Rule) -> bool {
        if self.failed_first(service).is_some() {
            if !route::is_parked(rule) {
                let change =
                    RuleChange { conditions: Some(route::parked(&self.facts.key)), ..RuleChange::default() };
                self.steps.push(Step::ModifyRule { expected: Box::new(rule.clone()), change });
            }
            return true;
        }
        let waits_for = self
            .going
            .as_ref()
            .filter(|_| self.settled.is_none() && !self.quarantine.is_empty() && self.made(service));
        let Some(digest) = waits_for.map(|going| going.digest.clone()) else { return false };
        if route::is_parked(rule) {
            self.notes.push(Note::Rollback(RollbackNote::OpensOnceLive { digest }));
            return true;
        }
        false
    }

    /// Says what a first release that failed has left, unless another one begins in this pass.
    pub(super) fn nothing_serves(&mut self, service: &LiveService) {
        let begins = matches!(self.ledger.in_flight, InFlightChange::Set(_));
        let Some(digest) = self.failed_first(service).filter(|_| !begins) else { return };
        let mut made = vec![
            format!("service {}", self.facts.key),
            format!("task definition {}", service.task_definition.short()),
        ];
        if let Some(facts) = self.facts.route.known() {
            let group = facts
                .target_group
                .known()
                .filter(|group| group.tags.get(names::TAG_SERVICE) == Some(&self.facts.key.to_string()));
            let own = group.and_then(|group| route::own_rule(&facts.rules, &group.arn, &self.facts.key));
            made.extend(group.map(|group| format!("target group {}", group.name)));
            made.extend(own.and_then(|rule| Some(format!("rule {}, parked", rule.priority?))));
        }
        self.notes.push(Note::Rollback(RollbackNote::NothingServes { digest, made }));
    }
}
