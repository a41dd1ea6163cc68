//! What one drain pass saw of one instance: plain facts, gathered by `aws`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::facts::{Fact, LiveService, ParameterText};
use crate::id::{AutoScalingGroupName, ServiceName, TargetGroupArn, Timestamp};
use crate::ledger::InstanceKey;
use crate::scale::facts::{LiveInstance, LiveProvider, LiveTask, Placement};

/// Everything that one drain pass saw of one instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstanceFacts {
    /// Which instance.
    pub key: InstanceKey,
    /// The cluster's own parameter, as text: timeouts and policies.
    pub parameter: Fact<ParameterText>,
    /// ECS's container instance; `Absent` where the cluster has none of that EC2 id.
    pub instance: Fact<LiveInstance>,
    /// Its tasks.
    pub tasks: Fact<Vec<LiveTask>>,
    /// The services that these tasks are of, with how they are placed: by both-at-100-percent it is
    /// told beforehand that ECS cannot move them.
    pub services: BTreeMap<ServiceName, Fact<(LiveService, Placement)>>,
    /// Its targets in the target groups of these services, and how they stand.
    pub targets: Fact<Vec<InstanceTarget>>,
    /// What Auto Scaling says of it; `Absent` where it is of no group.
    pub group: Fact<GroupMember>,
    /// The capacity provider that it came by: where that has managed draining, ECS sees it out.
    pub provider: Fact<LiveProvider>,
    /// What rang, where that says what no API does: a spot interruption, a recommendation.
    pub warning: Option<Warning>,
}

/// A target of an instance in a target group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstanceTarget {
    /// The target group.
    pub group: TargetGroupArn,
    /// Its port.
    pub port: u16,
    /// `healthy`, `draining`, …
    pub state: String,
}

/// What Auto Scaling says of an instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupMember {
    /// The group.
    pub group: AutoScalingGroupName,
    /// `InService`, `Terminating:Wait`, …
    pub lifecycle: String,
    /// Whether the group is looked after by Windlass (tag `windlass:cluster`).
    pub is_ours: bool,
    /// Its hooks on termination that are ours to complete: those whose name begins with
    /// `windlass`.
    pub hooks: Vec<TerminateHook>,
}

/// A lifecycle hook on termination.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TerminateHook {
    /// Its name.
    pub name: String,
    /// Seconds after which Auto Scaling goes on without a word.
    pub heartbeat_secs: u32,
}

/// What an event alone says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Warning {
    /// EC2 takes it two minutes after this.
    Spot {
        /// When the warning was given.
        at: Timestamp,
    },
    /// EC2 may soon take it.
    Rebalance {
        /// When the recommendation was given.
        at: Timestamp,
    },
}
