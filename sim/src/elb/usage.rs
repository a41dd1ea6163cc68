//! Which target groups are in use: what a new action may name, and what starts and stops
//! the health checks.

use std::collections::{BTreeMap, BTreeSet};

use super::health;
use super::model::{Action, TargetGroup};
use super::quotas::keep;
use crate::call::ApiError;
use crate::world::World;

/// The groups that each load balancer's rules forward to, one rule left out.
fn by_load_balancer<'a>(world: &'a World, without: Option<&str>) -> BTreeMap<&'a str, BTreeSet<&'a str>> {
    let mut used: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (arn, rule) in &world.elb.rules {
        let Some(listener) = world.elb.listeners.get(&rule.listener) else { continue };
        if without != Some(arn.as_str()) {
            let groups = rule.action.groups().iter().map(|group| group.arn.as_str());
            used.entry(&listener.load_balancer).or_default().extend(groups);
        }
    }
    used
}

/// Whether a rule of this load balancer may have this action. `replaces` is the rule whose
/// present action goes.
pub(super) fn check(
    world: &World,
    lb: &str,
    replaces: Option<&str>,
    action: &Action,
) -> Result<(), ApiError> {
    let used = by_load_balancer(world, replaces);
    if let Some(group) = needs_bond(world, action) {
        return Err(group_stickiness_first(group));
    }
    for group in action.groups() {
        let elsewhere =
            used.iter().any(|(other, groups)| *other != lb && groups.contains(group.arn.as_str()));
        if elsewhere {
            let message = format!(
                "The following target groups cannot be associated with more than one load balancer: {}",
                group.arn
            );
            return Err(ApiError::client("TargetGroupAssociationLimit", message));
        }
        let vpc = world.elb.groups.get(&group.arn).map(|group| group.settings.vpc_id.as_str());
        if vpc.is_some_and(|vpc| vpc != super::VPC_ID) {
            let message = format!(
                "The target group '{}' is not in the load balancer's VPC '{}'",
                group.arn,
                super::VPC_ID
            );
            return Err(ApiError::client("InvalidConfigurationRequest", message));
        }
    }
    let mut here = used.get(lb).cloned().unwrap_or_default();
    here.extend(action.groups().iter().map(|group| group.arn.as_str()));
    let most = world.elb.quotas.target_groups_per_load_balancer;
    keep(here.len(), most, "TooManyUniqueTargetGroupsPerLoadBalancer", || {
        format!("The maximum number of unique target groups has been reached on load balancer '{lb}'")
    })
}

/// A target that keeps its clients needs a rule that keeps them with its group: the first such
/// group of an action with several and without that.
fn needs_bond<'a>(world: &World, action: &'a Action) -> Option<&'a str> {
    let Action::Forward { groups, sticky_secs: None } = action else { return None };
    let sticky = |arn: &str| world.elb.groups.get(arn).is_some_and(TargetGroup::is_sticky);
    groups.iter().map(|group| group.arn.as_str()).find(|arn| groups.len() > 1 && sticky(arn))
}

/// Whether `stickiness.enabled` may be turned on for this group: no rule shares its traffic
/// out without keeping clients with a group.
pub(super) fn check_sticky(world: &World, group: &str) -> Result<(), ApiError> {
    let shares =
        |action: &Action| matches!(action, Action::Forward { groups, sticky_secs: None } if groups.len() > 1);
    let names = |action: &Action| action.groups().iter().any(|it| it.arn == group);
    let mut actions = world.elb.rules.values().map(|rule| &rule.action);
    if actions.any(|action| shares(action) && names(action)) {
        return Err(group_stickiness_first(group));
    }
    Ok(())
}

fn group_stickiness_first(group: &str) -> ApiError {
    let message = format!(
        "This target group appears behind a rule with group stickiness disabled ({group}). You must enable \
         group stickiness before enabling target stickiness"
    );
    ApiError::client("InvalidConfigurationRequest", message)
}

/// The load balancers whose rules forward to a group (one at most).
pub(super) fn load_balancers_of<'a>(world: &'a World, group: &str) -> Vec<&'a str> {
    by_load_balancer(world, None)
        .into_iter()
        .filter(|(_, groups)| groups.contains(group))
        .map(|(lb, _)| lb)
        .collect()
}

/// After any change of rules: groups that came into use begin their checks, those that
/// went out of it stop them.
pub(super) fn refresh(world: &mut World) {
    let used: BTreeSet<String> =
        by_load_balancer(world, None).into_values().flatten().map(str::to_owned).collect();
    let flipped: Vec<_> = world
        .elb
        .groups
        .iter_mut()
        .filter(|(arn, group)| group.in_use != used.contains(*arn))
        .map(|(arn, group)| {
            group.in_use = !group.in_use;
            arn.clone()
        })
        .collect();
    for group in flipped {
        health::usage_changed(world, &group);
    }
}
