//! Where a service's rules lead.
//!
//! 1. Which of the service's own two groups is in production is told by the rule's weights,
//!    not by names: after a blue/green rollout it may be the second. That is left as it is;
//!    what leads astray `native/mend` puts right.
//! 2. In an experiment a group without a healthy target gets no weight while another one can serve.
//! 3. Services of an experiment get their weights beside the service's own 100.

use crate::deploy::plan::{Forward, Made, RuleAction};
use crate::deploy::planner::Planner;
use crate::deploy::report::{Note, RouteNote};
use crate::facts::{Fact, RouteFacts, Rule};
use crate::id::{ServiceKey, TargetGroupArn};
use crate::spec::RouteSpec;

/// The weight of a service beside its experiment's neighbours.
const OWN_WEIGHT: u32 = 100;
/// AWS's limit of a forward action.
const GROUPS_PER_ACTION: usize = 5;

type Weighted = Vec<(TargetGroupArn, u32)>;

/// Where the rules of a service may lead: its own groups, and its neighbours'.
pub(super) struct Shares {
    own: Vec<(TargetGroupArn, u32)>,
    neighbours: Weighted,
}

impl Planner<'_> {
    /// The service's own groups with their healthy targets, and the neighbours that can serve.
    pub(super) fn shares(&mut self, route: &RouteSpec, facts: &RouteFacts) -> Shares {
        let groups =
            [(&facts.target_group, &facts.health), (&facts.second_group, &facts.second_health)].into_iter();
        let own = groups
            .filter_map(|(group, health)| {
                Some((group.known()?.arn.clone(), health.known().copied().unwrap_or_default().healthy))
            })
            .collect();
        let mut neighbours = Vec::new();
        let mut words = vec![format!("{} {OWN_WEIGHT}", self.facts.key.service)];
        for (name, &weight) in &route.weights {
            let key = ServiceKey { cluster: self.facts.key.cluster.clone(), service: name.clone() };
            let reason = match facts.neighbours.get(name) {
                Some(Fact::Known(neighbour)) if neighbour.health.healthy > 0 => {
                    neighbours.push((neighbour.group.clone(), weight));
                    words.push(format!("{name} {weight}"));
                    continue;
                }
                Some(Fact::Known(neighbour)) => {
                    neighbours.push((neighbour.group.clone(), 0));
                    format!("none of its {} target(s) is healthy", neighbour.health.registered)
                }
                Some(Fact::Unreadable(what)) => what.to_string(),
                Some(Fact::Absent | Fact::NotAsked) | None => {
                    format!("{key} has no target group that Windlass made")
                }
            };
            self.notes.push(Note::Route(RouteNote::NoShare { service: name.clone(), reason }));
        }
        if !route.weights.is_empty() {
            self.notes.push(Note::Route(RouteNote::Shared { weights: words.join(", ") }));
        }
        Shares { own, neighbours }
    }

    /// The rule's action from now on, where it differs.
    pub(super) fn other_action(&self, rule: &Rule, route: &RouteSpec, shares: &Shares) -> Option<RuleAction> {
        if self.canary_leads() {
            return None;
        }
        let forwards = forwards(&rule.forwards, shares);
        let stickiness_secs = route.stickiness.as_ref().map(|stickiness| stickiness.duration_secs);
        if normal(&forwards) == normal(&rule.forwards) && stickiness_secs == rule.stickiness_secs {
            return None;
        }
        let forwards = forwards
            .into_iter()
            .map(|(group, weight)| Forward { group: Made::Already(group), weight })
            .collect();
        Some(RuleAction { forwards, stickiness_secs })
    }
}

/// Where a rule that leads there now is to lead.
fn forwards(now: &[(TargetGroupArn, u32)], shares: &Shares) -> Weighted {
    let healthy =
        |group: &TargetGroupArn| shares.own.iter().any(|(own, healthy)| own == group && *healthy > 0);
    let mut own: Weighted =
        now.iter().filter(|(group, _)| shares.own.iter().any(|(own, _)| own == group)).cloned().collect();
    if shares.neighbours.is_empty() {
        return own;
    }
    let others_serve = shares.neighbours.iter().any(|(_, weight)| *weight > 0);
    let own_serves = own.iter().any(|(group, weight)| *weight > 0 && healthy(group));
    let weight_of_own = if own_serves || !others_serve { OWN_WEIGHT } else { 0 };
    let heaviest = own.iter().max_by_key(|(_, weight)| *weight).map(|(group, _)| group.clone());
    for (group, weight) in &mut own {
        *weight = if Some(&*group) == heaviest.as_ref() { weight_of_own } else { 0 };
    }
    own.extend(shares.neighbours.iter().cloned());
    while own.len() > GROUPS_PER_ACTION
        && let Some(idle) =
            own.iter().position(|(group, weight)| *weight == 0 && Some(group) != heaviest.as_ref())
    {
        own.remove(idle);
    }
    own
}

/// In one order; the weight of an only group means nothing.
fn normal(forwards: &[(TargetGroupArn, u32)]) -> Weighted {
    let mut all = forwards.to_vec();
    if let [(_, weight)] = all.as_mut_slice() {
        *weight = 1;
    }
    all.sort();
    all
}

#[cfg(test)]
#[path = "forwards_tests.rs"]
mod tests;
