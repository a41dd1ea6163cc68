//! The group's own calls: create, update, delete, suspend.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde_json::{Value, json};

use super::args::{self, invalid};
use super::model::{Group, Lifecycle};
use super::{hooks, keeping, leaving, settings};
use crate::call::{ApiError, Reply};
use crate::ecs::{as_uuid, hex_id};
use crate::world::World;

/// What `SuspendProcesses` without names suspends.
const PROCESSES: [&str; 9] = [
    "Launch",
    "Terminate",
    "AddToLoadBalancer",
    "AlarmNotification",
    "AZRebalance",
    "HealthCheck",
    "InstanceRefresh",
    "ReplaceUnhealthy",
    "ScheduledActions",
];

const POLICIES: [&str; 7] = [
    "Default",
    "OldestInstance",
    "NewestInstance",
    "OldestLaunchTemplate",
    "OldestLaunchConfiguration",
    "ClosestToNextInstanceHour",
    "AllocationStrategy",
];

pub(super) fn create(world: &mut World, input: &Value) -> Reply {
    let name = args::required(input, "AutoScalingGroupName")?.to_owned();
    if world.autoscaling.groups.contains_key(&name) {
        let message = format!(
            "AutoScalingGroup by this name already exists - A group with the name {name} already exists"
        );
        return Err(ApiError::client("AlreadyExists", message));
    }
    settings::check_carried_out(input)?;
    let launches = settings::launches(world, input)?.ok_or_else(|| {
        invalid(
            "Valid requests must contain either LaunchTemplate, LaunchConfigurationName, InstanceId or \
             MixedInstancesPolicy parameter.",
        )
    })?;
    let zones = settings::zones(world, input)
        .ok_or_else(|| invalid("At least one Availability Zone or VPC Subnet is required."))?;
    let (Some(min), Some(max)) = (args::number(input, "MinSize")?, args::number(input, "MaxSize")?) else {
        return Err(invalid("MinSize and MaxSize must be given"));
    };
    let uuid = as_uuid(&hex_id(world));
    let arn = world.arn("autoscaling", &format!("autoScalingGroup:{uuid}:autoScalingGroupName/{name}"));
    let mut group = Group {
        arn,
        created: world.now(),
        min,
        max,
        desired: args::number(input, "DesiredCapacity")?.unwrap_or(min),
        zones,
        launches,
        cooldown: 300,
        health_check_grace: 0,
        default_warmup: None,
        protects_new: false,
        capacity_rebalance: false,
        termination_policies: vec!["Default".into()],
        tags: args::tags(input)?,
        hooks: BTreeMap::new(),
        suspended: BTreeSet::new(),
        members: BTreeMap::new(),
        activities: VecDeque::new(),
        deleting: false,
        next_look: None,
        failures: 0,
        not_before: None,
        last_activity: None,
        cause: String::new(),
        name: name.clone(),
    };
    simple_settings(&mut group, input)?;
    for hook in args::list(input, "LifecycleHookSpecificationList") {
        let hook = hooks::read(hook, None)?;
        group.hooks.insert(hook.name.clone(), hook);
    }
    check_sizes(&group)?;
    group.cause = format!(
        "At {} a user request created an AutoScalingGroup changing the desired capacity from 0 to {}.",
        world.now().iso_secs(),
        group.desired
    );
    world.autoscaling.groups.insert(name.clone(), group);
    keeping::look_soon(world, &name);
    Ok(json!({}))
}

/// The settings that are taken as they are.
fn simple_settings(group: &mut Group, input: &Value) -> Result<(), ApiError> {
    if let Some(secs) = args::number(input, "DefaultCooldown")? {
        group.cooldown = secs;
    }
    if let Some(secs) = args::number(input, "HealthCheckGracePeriod")? {
        group.health_check_grace = secs;
    }
    if let Some(secs) = args::number(input, "DefaultInstanceWarmup")? {
        group.default_warmup = Some(secs);
    }
    if let Some(protects) = args::flag(input, "NewInstancesProtectedFromScaleIn")? {
        group.protects_new = protects;
    }
    if let Some(rebalances) = args::flag(input, "CapacityRebalance")? {
        group.capacity_rebalance = rebalances;
    }
    match args::text(input, "HealthCheckType") {
        None | Some("EC2") => {}
        Some(other) => {
            return Err(invalid(format!("The embedded Auto Scaling checks no health by {other}: use EC2")));
        }
    }
    let policies = args::texts(input, "TerminationPolicies");
    if let Some(unknown) = policies.iter().find(|policy| !POLICIES.contains(&policy.as_str())) {
        return Err(invalid(format!("The termination policy {unknown} is not valid")));
    }
    if !policies.is_empty() {
        group.termination_policies = policies;
    }
    Ok(())
}

fn check_sizes(group: &Group) -> Result<(), ApiError> {
    let Group { min, max, desired, .. } = group;
    if min > max {
        return Err(invalid(format!("Max bound, {max}, must be greater than or equal to min bound, {min}")));
    }
    if !(min..=max).contains(&desired) {
        return Err(invalid(format!(
            "Desired capacity:{desired} must be between the specified min size:{min} and max size:{max}"
        )));
    }
    Ok(())
}

/// What is omitted stays. A desired capacity that the new bounds leave outside goes with them.
pub(super) fn update(world: &mut World, input: &Value) -> Reply {
    let name = args::group_name(world, input)?;
    settings::check_carried_out(input)?;
    let (launches, zones) = (settings::launches(world, input)?, settings::zones(world, input));
    let now = world.now();
    let Some(live) = world.autoscaling.groups.get(&name) else { return Err(args::no_group(&name)) };
    refuse_deleting(live)?;
    let mut group = live.clone();
    group.min = args::number(input, "MinSize")?.unwrap_or(group.min);
    group.max = args::number(input, "MaxSize")?.unwrap_or(group.max);
    let before = group.desired;
    group.desired = match args::number(input, "DesiredCapacity")? {
        Some(desired) => desired,
        None if group.min <= group.max => before.clamp(group.min, group.max),
        None => before,
    };
    simple_settings(&mut group, input)?;
    check_sizes(&group)?;
    group.launches = launches.unwrap_or(group.launches);
    group.zones = zones.unwrap_or(group.zones);
    if group.desired != before {
        group.cause = format!(
            "At {} a user request update of AutoScalingGroup constraints to min: {}, max: {}, desired: {} \
             changing the desired capacity from {before} to {}.",
            now.iso_secs(),
            group.min,
            group.max,
            group.desired,
            group.desired
        );
        group.not_before = None;
    }
    world.autoscaling.groups.insert(name.clone(), group);
    keeping::look_soon(world, &name);
    Ok(json!({}))
}

pub(super) fn refuse_deleting(group: &Group) -> Result<(), ApiError> {
    if group.deleting {
        return Err(invalid(format!("AutoScalingGroup {} is pending delete", group.name)));
    }
    Ok(())
}

/// An empty group goes at once; with `ForceDelete` its instances go first, without waiting for
/// their hooks.
pub(super) fn delete(world: &mut World, input: &Value) -> Reply {
    let name = args::group_name(world, input)?;
    let force = args::flag(input, "ForceDelete")?.unwrap_or(false);
    let Some(group) = world.autoscaling.groups.get_mut(&name) else { return Err(args::no_group(&name)) };
    if group.members.is_empty() {
        world.autoscaling.groups.remove(&name);
        return Ok(json!({}));
    }
    if !force {
        let in_progress = group.members.values().any(|it| it.state != Lifecycle::InService);
        let (code, what) = if in_progress {
            ("ScalingActivityInProgress", "there are scaling activities in progress for that group.")
        } else {
            ("ResourceInUse", "there are instances or pending Spot instance request(s) still in the group.")
        };
        return Err(ApiError::client(code, format!("You cannot delete an AutoScalingGroup while {what}")));
    }
    group.deleting = true;
    (group.min, group.desired) = (0, 0);
    group.hooks.clear();
    let members: Vec<String> = group.members.keys().cloned().collect();
    for id in members {
        leaving::without_hooks(world, &id);
    }
    Ok(json!({}))
}

pub(super) fn suspend(world: &mut World, input: &Value) -> Reply {
    let processes = processes(input)?;
    args::group_mut(world, input)?.suspended.extend(processes);
    Ok(json!({}))
}

pub(super) fn resume(world: &mut World, input: &Value) -> Reply {
    let processes = processes(input)?;
    let name = args::group_name(world, input)?;
    args::group_mut(world, input)?.suspended.retain(|it| !processes.contains(it));
    keeping::look_soon(world, &name);
    Ok(json!({}))
}

fn processes(input: &Value) -> Result<Vec<String>, ApiError> {
    let given = args::texts(input, "ScalingProcesses");
    if let Some(unknown) = given.iter().find(|it| !PROCESSES.contains(&it.as_str())) {
        return Err(invalid(format!("{unknown} is not a valid scaling process")));
    }
    Ok(if given.is_empty() { PROCESSES.map(str::to_owned).to_vec() } else { given })
}
