//! Where many requests go at once: the same rules, weights and targets as [`super::route`],
//! as shares and without a single decision.

use super::conditions;
use super::metrics::{balancer_of, balancers_of};
use super::model::{Action, Rule};
use super::route::RequestHead;
use crate::world::World;

/// A share of a stream of requests.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Flow {
    /// Of 1.
    pub(crate) share: f64,
    /// The load balancer, as its dimension says it.
    pub(crate) balancer: String,
    pub(crate) to: To,
}

/// Where it goes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum To {
    /// To the targets of this group, in equal parts.
    Group(String),
    /// Nowhere: a rule answers with this status, which is no error of the load balancer's.
    Rule(u16),
    /// Nowhere: every weight is zero, which is 503.
    Nobody,
}

/// What a listener does with requests like this one. `None`: there is no such listener.
pub(crate) fn of_requests(world: &World, listener: &str, head: &RequestHead) -> Option<Vec<Flow>> {
    let holds = |rule: &&Rule| rule.conditions.iter().all(|condition| conditions::holds(condition, head));
    let rules = world.elb.rules_of(listener);
    let rule = rules.into_iter().map(|(_, rule)| rule).find(holds)?;
    Some(of_rule(world, rule))
}

/// What the first rule does that forwards to any of these groups; empty where none does.
pub(crate) fn of_groups(world: &World, groups: &[String]) -> Vec<Flow> {
    let forwards = |rule: &&Rule| rule.action.groups().iter().any(|it| groups.contains(&it.arn));
    let mut rules: Vec<&Rule> = world.elb.rules.values().filter(forwards).collect();
    rules.sort_by_key(|rule| (&rule.listener, rule.priority));
    rules.first().map(|rule| of_rule(world, rule)).unwrap_or_default()
}

/// One group alone, whatever the rules say.
pub(crate) fn of_group(world: &World, group: &str) -> Vec<Flow> {
    let balancer = balancers_of(world, group).into_iter().next();
    let to = To::Group(group.to_owned());
    balancer.map(|balancer| Flow { share: 1.0, balancer, to }).into_iter().collect()
}

fn of_rule(world: &World, rule: &Rule) -> Vec<Flow> {
    let Some(balancer) = balancer_of(world, &rule.listener) else { return Vec::new() };
    let all = |to| vec![Flow { share: 1.0, balancer: balancer.clone(), to }];
    match &rule.action {
        Action::Fixed { status, .. } => all(To::Rule(*status)),
        Action::Redirect(to) => all(To::Rule(to.status)),
        Action::Forward { groups, .. } => {
            let total: u32 = groups.iter().map(|group| group.weight).sum();
            if total == 0 {
                return all(To::Nobody);
            }
            let weighted = groups.iter().filter(|group| group.weight > 0);
            let flow = weighted.map(|group| Flow {
                share: f64::from(group.weight) / f64::from(total),
                balancer: balancer.clone(),
                to: To::Group(group.arn.clone()),
            });
            flow.collect()
        }
    }
}

/// The targets that a group's requests go to, in equal parts.
pub(crate) fn targets(world: &World, group: &str) -> Vec<(String, u16)> {
    world.elb.groups.get(group).map(super::model::TargetGroup::candidates).unwrap_or_default()
}
