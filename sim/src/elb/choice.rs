//! A forward's two choices: the group by weight, the target in turn; or both by the cookies
//! of a client that is bound.

use rand::Rng as _;

use super::model::{Target, TargetGroup, WeightedGroup};
use super::route::{RequestHead, RouteDecision};
use super::transforms::Rewritten;
use super::{TargetState, stickiness};
use crate::world::World;

/// What the attributes of routing's threshold begin with.
pub(super) const ROUTING_LEAST: &str = "target_group_health.unhealthy_state_routing.minimum_healthy_targets";

/// A rule's forward: its groups, and for how long a client stays with one.
pub(super) struct Forward<'a> {
    pub(super) rule_arn: String,
    pub(super) groups: &'a [WeightedGroup],
    pub(super) sticky_secs: Option<u32>,
    pub(super) rewritten: Rewritten,
}

impl Forward<'_> {
    /// Chooses, and says which cookies the answer sets.
    pub(super) fn decide(self, world: &mut World, head: &RequestHead) -> RouteDecision {
        let now = world.now();
        let bound = self.sticky_secs.and_then(|_| stickiness::group(head, now));
        let bound = bound.filter(|arn| self.groups.iter().any(|group| group.arn == *arn && group.weight > 0));
        let Some(target_group) = bound.or_else(|| by_weight(world, self.groups)) else {
            return RouteDecision::NoHealthyTarget { rule_arn: self.rule_arn, target_group: None };
        };
        let Some((target_id, port)) = target(world, &target_group, head) else {
            return RouteDecision::NoHealthyTarget {
                rule_arn: self.rule_arn,
                target_group: Some(target_group),
            };
        };
        let mut cookies = Vec::new();
        if let Some(secs) = self.sticky_secs {
            cookies.extend(stickiness::bind_group(&target_group, secs, now));
        }
        let sticky = world.elb.groups.get(&target_group).and_then(TargetGroup::sticky_secs);
        if let Some(secs) = sticky {
            cookies.extend(stickiness::bind_target(&target_group, (target_id.clone(), port), secs, now));
        }
        let Self { rule_arn, rewritten, .. } = self;
        RouteDecision::Forward { target_group, target_id, port, rule_arn, rewritten, cookies }
    }
}

/// By weight alone: health plays no part. All weights zero choose nothing.
fn by_weight(world: &mut World, groups: &[WeightedGroup]) -> Option<String> {
    let total: u64 = groups.iter().map(|group| u64::from(group.weight)).sum();
    if total == 0 {
        return None;
    }
    let positive = groups.iter().filter(|group| group.weight > 0).count();
    // One choice draws no number, so that traffic does not disturb the seed of what follows.
    let mut at = if positive == 1 { 0 } else { world.rng.next_u64() % total };
    for group in groups.iter().filter(|group| group.weight > 0) {
        if at < u64::from(group.weight) {
            return Some(group.arn.clone());
        }
        at -= u64::from(group.weight);
    }
    None
}

/// Round robin among those that get requests, or the one that the client is bound to.
fn target(world: &mut World, arn: &str, head: &RequestHead) -> Option<(String, u16)> {
    let now = world.now();
    let group = world.elb.groups.get_mut(arn)?;
    let candidates = group.candidates();
    let bound = group.sticky_secs().and_then(|_| stickiness::target(head, arn, now));
    if let Some(bound) = bound.filter(|bound| candidates.contains(bound)) {
        return Some(bound);
    }
    let chosen = candidates.get(group.turn % candidates.len().max(1)).cloned();
    group.turn = group.turn.wrapping_add(1);
    chosen
}

impl TargetGroup {
    /// The targets that get requests: the healthy. Where too few are healthy (none, unless the
    /// group's attributes say otherwise) the load balancer fails open: it takes the unhealthy
    /// ones too, as they are. Targets that are new or draining get nothing, not even from a
    /// client that is bound to them.
    pub(super) fn candidates(&self) -> Vec<(String, u16)> {
        let of = |state| -> Vec<_> {
            let has = |(_, target): &(&(String, u16), &Target)| target.state == state;
            self.targets.iter().filter(has).map(|(key, _)| key.clone()).collect()
        };
        let mut candidates = of(TargetState::Healthy);
        let unhealthy = of(TargetState::Unhealthy);
        if self.has_too_few(candidates.len(), candidates.len() + unhealthy.len()) {
            candidates.extend(unhealthy);
            candidates.sort();
        }
        candidates
    }

    /// `target_group_health.unhealthy_state_routing.minimum_healthy_targets`: below the count,
    /// or below the percentage. What is stored was checked on its way in.
    fn has_too_few(&self, healthy: usize, all: usize) -> bool {
        let least = |unit: &str| -> Option<usize> {
            self.attributes.get(&format!("{ROUTING_LEAST}.{unit}"))?.parse().ok()
        };
        healthy < least("count").unwrap_or(1)
            || least("percentage").is_some_and(|it| healthy * 100 < it * all)
    }
}
