//! EC2 Auto Scaling: groups that keep a number of instances.
//!
//! | file | holds |
//! |---|---|
//! | [`args`] | reading inputs, pages, errors that many calls share |
//! | [`model`] | group, member, hook, activity |
//! | [`groups`] [`settings`] [`desired`] [`members`] [`hooks`] [`tags`] [`describe`] | the calls |
//! | [`keeping`] | a group's look at itself: launch, remove, replace |
//! | [`launching`] | where the next instance goes, of which type and market |
//! | [`leaving`] | who goes, and how |
//! | [`actions`] | lifecycle actions: an instance waits for its hooks |
//! | [`activities`] | what was done, as told to callers and on the bus |
//! | [`inside`] | what ECS asks of a group by itself |
//! | [`view`] | what tests and displays look at |
//!
//! Simplifications: a group looks at itself a few seconds after what changed; its default
//! termination policy is zones, then the oldest template version, then the next billing hour;
//! instances weigh 1; spot strategies all mean "the first type that is to be had". There are no
//! warm pools, scaling policies, standby, launch configurations or load balancers of a group:
//! they are refused by name.

mod actions;
mod activities;
mod args;
mod describe;
mod desired;
mod groups;
mod hooks;
pub(crate) mod inside;
mod keeping;
mod launching;
mod leaving;
mod members;
mod model;
mod settings;
mod tags;
#[cfg(test)]
mod tests;
mod view;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub(crate) use leaving::{group_of as group_name_of, instance_gone};
pub(crate) use members::{instance_runs, rebalance_recommended};
pub(crate) use tags::of as arn_and_tags;
pub use view::{GroupView, MemberView, group, groups};

use crate::call::{ApiError, Reply};
use crate::world::World;

/// Auto Scaling's state.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct AutoScaling {
    pub(crate) groups: BTreeMap<String, model::Group>,
}

/// What this service's timers are for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Due {
    /// A group looks at itself.
    Look(String),
    /// A health check sees that an instance has ended.
    Ended(String),
    /// A lifecycle action's time may be over.
    Heartbeat {
        /// The instance that waits.
        instance: String,
        /// The action's token.
        token: String,
    },
}

pub(crate) fn handle(world: &mut World, operation: &str, input: &Value) -> Reply {
    match operation {
        "CreateAutoScalingGroup" => groups::create(world, input),
        "UpdateAutoScalingGroup" => groups::update(world, input),
        "DeleteAutoScalingGroup" => groups::delete(world, input),
        "DescribeAutoScalingGroups" => describe::groups(world, input),
        "DescribeAutoScalingInstances" => describe::instances(world, input),
        "DescribeScalingActivities" => describe::activities(world, input),
        "SetDesiredCapacity" => desired::set(world, input),
        "TerminateInstanceInAutoScalingGroup" => desired::terminate(world, input),
        "SetInstanceProtection" => members::protect(world, input),
        "SetInstanceHealth" => members::set_health(world, input),
        "SuspendProcesses" => groups::suspend(world, input),
        "ResumeProcesses" => groups::resume(world, input),
        "PutLifecycleHook" => hooks::put(world, input),
        "DescribeLifecycleHooks" => hooks::describe(world, input),
        "DeleteLifecycleHook" => hooks::delete(world, input),
        "CompleteLifecycleAction" => hooks::complete(world, input),
        "RecordLifecycleActionHeartbeat" => hooks::heartbeat(world, input),
        "CreateOrUpdateTags" => tags::put(world, input),
        "DeleteTags" => tags::delete(world, input),
        "DescribeTags" => tags::describe(world, input),
        other => Err(ApiError::client(
            "InvalidAction",
            format!(
                "Could not find operation {other} for version 2011-01-01: the embedded Auto Scaling has none"
            ),
        )),
    }
}

pub(crate) fn due(world: &mut World, due: &Due) {
    match due {
        Due::Look(group) => keeping::look(world, group),
        Due::Ended(instance) => leaving::found_ended(world, instance),
        Due::Heartbeat { instance, token } => actions::timed_out(world, instance, token),
    }
}
