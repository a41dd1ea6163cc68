//! A service's two target groups, and which of them has its production requests: the rule's
//! weights say so, never a group's name.

use super::super::Planner;
use crate::deploy::route;
use crate::facts::{Fact, LiveService, RouteFacts, Rule, ServiceLoadBalancer, TargetGroup, TargetHealth};
use crate::id::TargetGroupArn;
use crate::names;

/// One of the two.
#[derive(Debug, Clone, Copy)]
pub(super) struct Side<'a> {
    /// The group.
    pub(super) group: &'a TargetGroupArn,
    /// Its targets; `None` where they were not read.
    pub(super) health: Option<TargetHealth>,
}

impl Side<'_> {
    /// Nothing of it can answer.
    pub(super) fn is_empty(&self) -> bool {
        self.health.is_some_and(|health| health.healthy == 0)
    }

    /// Something of it can answer.
    pub(super) fn can_serve(&self) -> bool {
        self.health.is_some_and(|health| health.healthy > 0)
    }
}

/// The two, and the rule between them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pair<'a> {
    /// What production requests reach.
    pub(super) serving: Side<'a>,
    /// The other one, where it is there.
    pub(super) other: Option<Side<'a>>,
    /// The service's own rule.
    pub(super) rule: &'a Rule,
    /// How the service registers in one of them.
    pub(super) balancer: &'a ServiceLoadBalancer,
}

impl<'a> Planner<'a> {
    /// The service's groups that are there and its own, by their names: first, second.
    fn own_groups(&self, facts: &'a RouteFacts) -> Vec<Side<'a>> {
        let key = self.facts.key.to_string();
        let own = |group: &'a Fact<TargetGroup>, health: &Fact<TargetHealth>| {
            let group = group.known().filter(|it| it.tags.get(names::TAG_SERVICE) == Some(&key))?;
            Some(Side { group: &group.arn, health: health.known().copied() })
        };
        let first = own(&facts.target_group, &facts.health);
        first.into_iter().chain(own(&facts.second_group, &facts.second_health)).collect()
    }

    /// The pair of a service that registers in one of its own groups, behind its own rule.
    pub(super) fn pair(&self, facts: &'a RouteFacts, service: &'a LiveService) -> Option<Pair<'a>> {
        let [balancer] = service.load_balancers.as_slice() else { return None };
        let sides = self.own_groups(facts);
        let registered = *sides.iter().find(|side| *side.group == balancer.target_group)?;
        let rule =
            sides.iter().find_map(|side| route::own_rule(&facts.rules, side.group, &self.facts.key))?;
        let serving = sides.iter().max_by_key(|side| weight(rule, side.group))?;
        // Without any weight of its own it is where it registers.
        let serving = if weight(rule, serving.group) == 0 { registered } else { *serving };
        let other = sides.iter().find(|side| side.group != serving.group).copied();
        Some(Pair { serving, other, rule, balancer })
    }
}

/// What a rule gives a group.
pub(super) fn weight(rule: &Rule, group: &TargetGroupArn) -> u32 {
    rule.forwards.iter().filter(|(to, _)| to == group).map(|(_, weight)| *weight).sum()
}
