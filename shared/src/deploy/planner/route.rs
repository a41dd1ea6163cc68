//! The route of a service that is there: opened with the first healthy target, then kept
//! as the spec says.
//!
//! | room | holds |
//! |---|---|
//! | `forwards` | where its rules lead: weights, stickiness, an experiment's neighbours |
//! | `group` | its target group's health check and delay; the load balancer's quotas |
//! | `place` | which priority each rule gets, and which rules move |
//!
//! While ECS shifts requests nothing of the rules is changed; while Windlass's own canary is
//! in flight, everything but where they lead.

mod forwards;
mod group;
mod place;

use std::collections::BTreeMap;

use self::place::Placed;
use super::{Planner, Stop};
use crate::deploy::plan::{InFlightChange, Made, RuleAction, RuleChange, Step};
use crate::deploy::report::{Note, RouteNote};
use crate::deploy::route::{self, Place, Rival, WantedRule};
use crate::facts::{Fact, LiveService, RouteFacts, Rule, TargetHealth};
use crate::id::TargetGroupArn;
use crate::ledger::Manner;
use crate::names;
use crate::spec::{RouteSpec, ServiceSpec};

impl<'a> Planner<'a> {
    pub(super) fn keep_route(&mut self, spec: &ServiceSpec, service: &LiveService) -> Result<(), Stop> {
        let Some(route) = &spec.route else {
            self.no_route(service);
            return Ok(());
        };
        let facts = self.route_facts(route)?;
        if let Fact::Unreadable(what) = &facts.target_group {
            return self.refuse(Note::Unreadable { what: what.clone() });
        }
        self.keep_groups(route, facts);
        if self.rules_are_ecs(service) {
            return Ok(());
        }
        self.mend(facts, service);
        self.park_test_rule(spec, facts);
        let groups =
            [(&facts.target_group, &facts.health), (&facts.second_group, &facts.second_health)].into_iter();
        let group = groups
            .filter_map(|(group, health)| Some((group.known()?.arn.clone(), health.known().copied())))
            .find(|(group, _)| service.load_balancers.iter().any(|lb| lb.target_group == *group));
        let Some((group, health)) = group else {
            return self.refuse(Note::Route(RouteNote::OthersGroup));
        };
        let wanted = route::wanted_rules(route);
        self.no_rival(&wanted, facts)?;
        let own = route::own_rules(&facts.rules, &group, &self.facts.key);
        // Every one of them is asked: each is parked by its own step.
        if own.iter().filter(|rule| self.stays_parked(service, rule)).count() > 0 {
            self.notes.dedup();
            return Ok(());
        }
        let matched = route::matched(wanted, &own);
        let new = matched.pairs.iter().filter(|(_, rule)| rule.is_none()).count();
        self.there_is_room(facts, new, 0)?;
        self.keep_rules(route, facts, (&group, health.unwrap_or_default()), matched.pairs)?;
        self.park(&matched.surplus);
        Ok(())
    }

    /// The spec has no route any more: its rules match nothing from now on.
    fn no_route(&mut self, service: &LiveService) {
        let Some(facts) = self.facts.route.known() else { return };
        let Some(group) = facts.target_group.known() else { return };
        if !self.rules_are_ecs(service) {
            self.park(&route::own_rules(&facts.rules, &group.arn, &self.facts.key));
        }
    }

    /// Whether Windlass's own canary says where the rules lead.
    fn canary_leads(&self) -> bool {
        let begun = match &self.ledger.in_flight {
            InFlightChange::Set(begun) => Some(begun.manner),
            InFlightChange::Keep | InFlightChange::Clear => None,
        };
        let row = self.row.state.in_flight.as_ref().map(|row| row.manner);
        let going = self.going.as_ref().map(|going| going.manner);
        [row, going, begun].contains(&Some(Manner::Canary))
    }

    /// Whether a step of this plan changes the rule already: the next pass goes on from there.
    fn is_changed(&self, rule: &Rule) -> bool {
        self.steps
            .iter()
            .any(|step| matches!(step, Step::ModifyRule { expected, .. } if expected.arn == rule.arn))
    }

    fn keep_rules(
        &mut self,
        route: &RouteSpec,
        facts: &'a RouteFacts,
        (group, health): (&TargetGroupArn, TargetHealth),
        pairs: Vec<(WantedRule, Option<&'a Rule>)>,
    ) -> Result<(), Stop> {
        let (placed, moves) = self.place(facts, pairs)?;
        let mut steps = Steps::default();
        let mut waits = false;
        let shares = self.shares(route, facts);
        for placed in &placed {
            match placed.rule {
                // Its health checks go on; it opens with the first healthy target.
                Some(rule) if route::is_parked(rule) && health.healthy == 0 => waits = true,
                Some(rule) if self.is_changed(rule) => {}
                Some(rule) => self.change(placed, rule, route, &shares, &mut steps),
                // Somebody removed it, or the spec has one more: open at once if something can answer.
                None => steps.made.push(self.new_rule(placed, facts, group, route, health)),
            }
        }
        self.steps.extend(steps.before);
        if !moves.is_empty() {
            self.steps.push(Step::SetPriorities { listener: facts.listener.clone(), moves });
        }
        self.steps.extend(steps.after.into_iter().chain(steps.made));
        if waits {
            let TargetHealth { healthy, registered } = health;
            return self.refuse(Note::RouteWaits { healthy, registered });
        }
        Ok(())
    }

    /// What differs about a rule that is there. A rule that moves towards the end moves
    /// before it matches more; one that moves towards the beginning matches less before it
    /// moves: at no time does it stand before what it is to yield to. The tag comes last.
    fn change(
        &mut self,
        placed: &Placed<'a>,
        rule: &Rule,
        route: &RouteSpec,
        shares: &forwards::Shares,
        steps: &mut Steps,
    ) {
        let wanted = &placed.wanted;
        let mut change = RuleChange {
            conditions: (!route::same(&rule.conditions, &wanted.conditions))
                .then(|| wanted.conditions.clone()),
            action: self.other_action(rule, route, shares),
            rewrites: (!same_rewrites(&rule.rewrites, &wanted.rewrites)).then(|| wanted.rewrites.clone()),
            tags: BTreeMap::new(),
        };
        let place = wanted.place();
        let is_other =
            place.is_other(rule) || (change.conditions.is_some() && Place::of(rule) != Some(place));
        let tag =
            is_other.then(|| BTreeMap::from([(names::TAG_PRIORITY.to_owned(), wanted.place().to_string())]));
        let expected = Box::new(rule.clone());
        let goes_earlier = rule.priority.is_some_and(|now| placed.priority < now);
        if goes_earlier && !route::is_parked(rule) && change != RuleChange::default() {
            steps.before.push(Step::ModifyRule { expected: expected.clone(), change });
            change = RuleChange::default();
        }
        change.tags = tag.unwrap_or_default();
        if change != RuleChange::default() {
            steps.after.push(Step::ModifyRule { expected, change });
        }
    }

    fn new_rule(
        &self,
        placed: &Placed<'a>,
        facts: &RouteFacts,
        group: &TargetGroupArn,
        route: &RouteSpec,
        health: TargetHealth,
    ) -> Step {
        let wanted = &placed.wanted;
        let parked = health.healthy == 0;
        let own = RuleAction::to(Made::Already(group.clone()));
        Step::CreateRule {
            name: wanted.name.clone(),
            listener: facts.listener.clone(),
            priority: placed.priority,
            conditions: if parked { route::parked(&self.facts.key) } else { wanted.conditions.clone() },
            action: RuleAction { stickiness_secs: route.stickiness.as_ref().map(|s| s.duration_secs), ..own },
            rewrites: wanted.rewrites.clone(),
            parked,
            tags: wanted.tags(&self.facts.key),
        }
    }

    /// Rules of ours that the spec does not have: they match nothing from now on. The
    /// function deletes nothing; `windlass retire` does.
    fn park(&mut self, surplus: &[&Rule]) {
        let parked = route::parked(&self.facts.key);
        for rule in surplus.iter().filter(|rule| !route::is_parked(rule)) {
            let change = RuleChange {
                conditions: Some(parked.clone()),
                rewrites: (!rule.rewrites.is_empty()).then(Vec::new),
                ..RuleChange::default()
            };
            self.steps.push(Step::ModifyRule { expected: Box::new((*rule).clone()), change });
        }
        if !surplus.is_empty() {
            self.notes.push(Note::Route(RouteNote::Parked { rules: surplus.len() }));
        }
    }

    pub(super) fn route_facts(&mut self, route: &RouteSpec) -> Result<&'a RouteFacts, Stop> {
        if route.listener.is_none() && self.settings.listener.is_none() {
            return self.refuse(Note::NoListener);
        }
        match self.need(&self.facts.route, "the listener")? {
            Some(facts) => Ok(facts),
            None => self.refuse(Note::NoListener),
        }
    }

    /// No rule of another service, and no stranger's, matches the same requests.
    pub(super) fn no_rival(&mut self, wanted: &[WantedRule], facts: &RouteFacts) -> Result<(), Stop> {
        let key = self.facts.key.clone();
        let rival = wanted.iter().find_map(|wanted| {
            Some((route::rival(&facts.rules, &wanted.conditions, &key)?, &wanted.conditions))
        });
        match rival {
            Some((Rival::Stranger(rule), _)) => self.refuse(Note::RouteTaken {
                rule: rule.arn.clone(),
                priority: rule.priority.unwrap_or_default(),
            }),
            Some((Rival::Ours(_, with), conditions)) => self.refuse(Note::Route(RouteNote::Conflict {
                service: key,
                with,
                conditions: conditions.to_string(),
            })),
            None => Ok(()),
        }
    }
}

/// The changes of a plan, around the one that sets priorities.
#[derive(Default)]
struct Steps {
    before: Vec<Step>,
    after: Vec<Step>,
    made: Vec<Step>,
}

/// AWS promises no order of a rule's transforms.
fn same_rewrites(there: &[crate::spec::Rewrite], wanted: &[crate::spec::Rewrite]) -> bool {
    there.len() == wanted.len() && wanted.iter().all(|rewrite| there.contains(rewrite))
}
