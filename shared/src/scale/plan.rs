//! What a scale pass would do to one cluster, and what it would not and why: the value that
//! `windlass capacity` prints and the function applies.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::report::Note;
use crate::id::{AutoScalingGroupName, ClusterName, ContainerInstanceArn, InstanceId, ServiceName};
use crate::ledger::{ClusterState, WhyItLeaves};

/// One pass's intent over one cluster.
#[must_use]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CapacityPlan {
    /// Which cluster.
    pub cluster: ClusterName,
    /// What to do, in order. Empty in a quiet world.
    pub steps: Vec<Step>,
    /// What was decided and what was not done, each with its reason.
    pub report: Vec<Note>,
    /// The row's state from now on; steps that did not go through take their part of it back.
    pub state: ClusterState,
}

impl CapacityPlan {
    /// The services whose tasks are to be set: before that it is asked whether their alarms are muted.
    pub fn sets(&self) -> impl Iterator<Item = &ServiceName> {
        self.steps.iter().filter_map(|step| match step {
            Step::SetDesired { service, .. } => Some(service),
            _ => None,
        })
    }

    /// Whether instances are to be emptied: before that it is asked which tasks are protected.
    pub fn empties(&self) -> bool {
        self.steps.iter().any(|step| matches!(step, Step::Empty { .. }))
    }
}

/// One change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "step")]
pub enum Step {
    /// `ecs:UpdateService` with nothing but the desired count.
    SetDesired {
        /// Which service.
        service: ServiceName,
        /// What it is now: another number there makes the step stale.
        from: u32,
        /// What it is to be.
        to: u32,
        /// Why, in words.
        why: String,
    },
    /// `autoscaling:SetDesiredCapacity`: only ever more. Fewer is [`Step::Remove`], instance by instance.
    SetCapacity {
        /// Which group.
        group: AutoScalingGroupName,
        /// What it is now: another number there makes the step stale.
        from: u32,
        /// What it is to be.
        to: u32,
        /// Why, in words.
        why: String,
    },
    /// Marks an instance, then sets it DRAINING; `functions/drain` sees it out.
    Empty {
        /// ECS's name for it.
        instance: ContainerInstanceArn,
        /// EC2's.
        ec2: InstanceId,
        /// Why.
        why: WhyItLeaves,
    },
    /// Takes an instance back that leaves for consolidation: ACTIVE, then the mark off.
    TakeBack {
        /// ECS's name for it.
        instance: ContainerInstanceArn,
        /// EC2's.
        ec2: InstanceId,
        /// Why, in words.
        why: String,
    },
    /// Rings the doorbell of a service whose rollout waited for room, once there is room.
    Ring {
        /// Which service.
        service: ServiceName,
        /// For so many tasks.
        tasks: u32,
    },
    /// `autoscaling:TerminateInstanceInAutoScalingGroup` of an instance that is empty.
    Remove {
        /// Which.
        ec2: InstanceId,
        /// Of which group.
        group: AutoScalingGroupName,
        /// Whether the group has one fewer from now on; of a rotation it has not.
        fewer: bool,
    },
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SetDesired { service, from, to, why } => {
                write!(f, "{service}: {from} → {to} tasks ({why})")
            }
            Self::SetCapacity { group, from, to, why } => {
                write!(f, "{group}: {from} → {to} instances ({why})")
            }
            Self::Empty { ec2, why, .. } => write!(f, "empty {ec2}: {why}"),
            Self::TakeBack { ec2, why, .. } => write!(f, "take {ec2} back: {why}"),
            Self::Ring { service, tasks } => {
                write!(f, "ring {service}: there is room for the {tasks} tasks of its rollout")
            }
            Self::Remove { ec2, group, fewer: true } => write!(f, "remove {ec2}, {group} has one fewer"),
            Self::Remove { ec2, group, fewer: false } => {
                write!(f, "remove {ec2}, {group} brings another one")
            }
        }
    }
}
