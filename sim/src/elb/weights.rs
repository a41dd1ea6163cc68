//! A forward's weights, set by the other services: ECS shifts traffic between a service's two
//! target groups while it deploys blue/green, linear or canary.
//!
//! It is `ModifyRule` from inside AWS: no API rate, no caller's permission, the same checks.

use super::input::rule_not_found;
use super::model::{Action, WeightedGroup};
use super::{actions, usage};
use crate::call::ApiError;
use crate::world::World;

/// From now on a rule (a default rule too) forwards to these groups by these weights; its
/// conditions, its stickiness and its other settings stay.
///
/// # Errors
///
/// As `ModifyRule`'s: `RuleNotFound`, `TargetGroupNotFound`, `ValidationError`, …; and
/// `InvalidLoadBalancerAction` where the rule does not forward at all.
pub fn set_weights(world: &mut World, rule_arn: &str, weights: &[(&str, u32)]) -> Result<(), ApiError> {
    let rule = world.elb.rules.get(rule_arn).ok_or_else(|| rule_not_found(rule_arn))?;
    let Action::Forward { sticky_secs, .. } = rule.action else {
        let message = format!("Rule '{rule_arn}' does not forward to target groups, so it has no weights");
        return Err(ApiError::client("InvalidLoadBalancerAction", message));
    };
    let groups: Vec<_> = weights
        .iter()
        .map(|(arn, weight)| WeightedGroup { arn: (*arn).to_owned(), weight: *weight })
        .collect();
    actions::check_groups(world, &groups)?;
    let action = Action::Forward { groups, sticky_secs };
    let lb = world.elb.listeners.get(&rule.listener).map(|listener| listener.load_balancer.clone());
    usage::check(world, &lb.unwrap_or_default(), Some(rule_arn), &action)?;
    if let Some(rule) = world.elb.rules.get_mut(rule_arn) {
        rule.action = action;
    }
    usage::refresh(world);
    Ok(())
}

/// The groups that a rule forwards to; `None` where there is no such rule.
pub(crate) fn forwards_to(world: &World, rule_arn: &str) -> Option<Vec<String>> {
    let rule = world.elb.rules.get(rule_arn)?;
    Some(rule.action.groups().iter().map(|group| group.arn.clone()).collect())
}

/// Whether there is a target group of this ARN.
pub(crate) fn knows_group(world: &World, arn: &str) -> bool {
    world.elb.groups.contains_key(arn)
}
