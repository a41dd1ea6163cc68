//! The route of a service that is there: opened with the first healthy target, then kept
//! as the spec says.

use super::{Planner, Stop};
use crate::deploy::plan::{Made, RuleAction, RuleChange, Step};
use crate::deploy::report::Note;
use crate::deploy::{desired, route};
use crate::facts::{Fact, LiveService, RouteFacts, Rule, TargetHealth};
use crate::spec::{Priority, RouteSpec, ServiceSpec};

impl<'a> Planner<'a> {
    pub(super) fn keep_route(&mut self, spec: &ServiceSpec, service: &LiveService) -> Result<(), Stop> {
        let Some(route) = &spec.route else { return Ok(()) };
        if self.rules_are_ecs(service) {
            return Ok(());
        }
        let facts = self.route_facts(route)?;
        if let Fact::Unreadable(what) = &facts.target_group {
            return self.refuse(Note::Unreadable { what: what.clone() });
        }
        self.mend(facts, service);
        self.park_test_rule(spec, facts);
        let groups = [&facts.target_group, &facts.second_group].map(Fact::known).into_iter().flatten();
        let group = groups
            .map(|group| group.arn.clone())
            .find(|group| service.load_balancers.iter().any(|lb| lb.target_group == *group));
        let Some(group) = group else {
            let sections =
                vec!["route (of a service that was made without Windlass's target group)".to_owned()];
            return self.refuse(Note::NotBuiltYet { sections, refused: false });
        };
        let own = route::own_rule(&facts.rules, &group, &self.facts.key);
        self.not_taken(route, facts, own)?;
        if own.is_some_and(|rule| self.stays_parked(service, rule)) {
            return Ok(());
        }
        let wanted = route.conditions();
        let is_first = facts.target_group.known().is_some_and(|first| first.arn == group);
        let health = if is_first { &facts.health } else { &facts.second_health };
        let health = health.known().copied().unwrap_or_default();
        match own {
            Some(rule) if route::same(&rule.conditions, &wanted) => Ok(()),
            Some(rule) if route::is_parked(rule) => self.open(rule, route, health),
            Some(rule) => {
                self.set_conditions(rule, route);
                Ok(())
            }
            // Somebody removed it: made again, open at once if something can answer.
            None => self.make_rule_again(route, facts, &group, health),
        }
    }

    fn open(&mut self, rule: &Rule, route: &RouteSpec, health: TargetHealth) -> Result<(), Stop> {
        if health.healthy == 0 {
            let TargetHealth { healthy, registered } = health;
            return self.refuse(Note::RouteWaits { healthy, registered });
        }
        self.set_conditions(rule, route);
        Ok(())
    }

    fn set_conditions(&mut self, rule: &Rule, route: &RouteSpec) {
        let change = RuleChange { conditions: Some(route.conditions()), ..RuleChange::default() };
        self.steps.push(Step::ModifyRule { expected: Box::new(rule.clone()), change });
    }

    fn make_rule_again(
        &mut self,
        route: &RouteSpec,
        facts: &RouteFacts,
        group: &crate::id::TargetGroupArn,
        health: TargetHealth,
    ) -> Result<(), Stop> {
        let priority = self.free_priority(route, facts)?;
        let parked = health.healthy == 0;
        self.steps.push(Step::CreateRule {
            name: "main".to_owned(),
            listener: facts.listener.clone(),
            priority,
            conditions: if parked { route::parked(&self.facts.key) } else { route.conditions() },
            action: RuleAction::to(Made::Already(group.clone())),
            rewrites: Vec::new(),
            parked,
            tags: desired::tags(&self.facts.key),
        });
        Ok(())
    }

    /// The priority of a rule to make, which no other rule has.
    pub(super) fn free_priority(&mut self, route: &RouteSpec, facts: &RouteFacts) -> Result<u32, Stop> {
        let priority = match route.priority {
            Priority::Fixed(priority) => {
                if let Some(rule) = facts.rules.iter().find(|rule| rule.priority == Some(priority)) {
                    return self.refuse(Note::RouteTaken { rule: rule.arn.clone(), priority });
                }
                Some(priority)
            }
            Priority::Auto => route::automatic_priority(&route.conditions(), &facts.rules),
        };
        match priority {
            Some(priority) => Ok(priority),
            None => self.refuse(Note::NoPriority),
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

    /// No other rule has the same conditions.
    pub(super) fn not_taken(
        &mut self,
        route: &RouteSpec,
        facts: &RouteFacts,
        own: Option<&Rule>,
    ) -> Result<(), Stop> {
        match route::taken_by(&facts.rules, &route.conditions(), own) {
            Some(rule) => self.refuse(Note::RouteTaken {
                rule: rule.arn.clone(),
                priority: rule.priority.unwrap_or_default(),
            }),
            None => Ok(()),
        }
    }
}
