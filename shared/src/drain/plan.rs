//! What a drain pass would do to one instance, and what it waits for.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::id::{AutoScalingGroupName, ContainerInstanceArn, InstanceId, TargetGroupArn, TaskArn, Timestamp};
use crate::ledger::{InstanceKey, InstanceState, WhyItLeaves};

/// One pass's intent over one instance.
#[must_use]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DrainPlan {
    /// Which instance.
    pub key: InstanceKey,
    /// What to do, in order.
    pub steps: Vec<Step>,
    /// What it waits for, and why other things are not done.
    pub report: Vec<Note>,
    /// The row's state from now on.
    pub state: InstanceState,
}

/// One change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "step")]
pub enum Step {
    /// `ecs:PutAttributes`: says on the instance why it leaves, before it drains.
    Mark {
        /// Which.
        instance: ContainerInstanceArn,
        /// Why.
        why: WhyItLeaves,
        /// Since when.
        since: Timestamp,
    },
    /// `ecs:UpdateContainerInstancesState` to DRAINING.
    Drain {
        /// Which.
        instance: ContainerInstanceArn,
    },
    /// `autoscaling:RecordLifecycleActionHeartbeat`.
    Heartbeat {
        /// The group.
        group: AutoScalingGroupName,
        /// The hook.
        hook: String,
        /// Which.
        instance: InstanceId,
    },
    /// `ecs:StopTask`: the time is up. Recorded as cut.
    StopTask {
        /// Which.
        task: TaskArn,
        /// Whose.
        group: String,
        /// Why, for ECS and the record.
        reason: String,
    },
    /// `autoscaling:CompleteLifecycleAction` with `CONTINUE`: the instance is let go.
    Complete {
        /// The group.
        group: AutoScalingGroupName,
        /// The hook.
        hook: String,
        /// Which.
        instance: InstanceId,
    },
    /// `ecs:UpdateContainerInstancesState` to ACTIVE, then the mark off.
    TakeBack {
        /// Which.
        instance: ContainerInstanceArn,
    },
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mark { why, .. } => write!(f, "mark it: {why}"),
            Self::Drain { .. } => f.write_str("drain it"),
            Self::Heartbeat { group, hook, .. } => write!(f, "tell {group} that {hook} goes on"),
            Self::StopTask { task, group, reason } => {
                write!(f, "stop {} of {group}: {reason}", short(task))
            }
            Self::Complete { group, hook, .. } => write!(f, "complete {hook} of {group}"),
            Self::TakeBack { .. } => f.write_str("take it back"),
        }
    }
}

fn counted(n: u32, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") }
}

/// A task's id, without the rest of its ARN.
fn short(task: &TaskArn) -> &str {
    task.as_str().rsplit('/').next().unwrap_or(task.as_str())
}

/// What a drain pass waits for, or leaves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "note")]
pub enum Note {
    /// Tasks of services are being moved by ECS.
    Tasks {
        /// How many.
        tasks: u32,
        /// Whose, each once.
        of: Vec<String>,
    },
    /// Tasks that no service starts again.
    Standalone {
        /// Which.
        tasks: Vec<TaskArn>,
        /// Until when they are waited for.
        until: Timestamp,
    },
    /// A task is protected from being stopped.
    Protected {
        /// Which.
        task: TaskArn,
        /// Until when.
        until: Timestamp,
    },
    /// Its targets are still in the load balancer.
    Targets {
        /// How many.
        targets: u32,
        /// In which groups.
        groups: Vec<TargetGroupArn>,
    },
    /// ECS cannot move the service's tasks: its minimum and its maximum are both 100 percent (or
    /// round to that).
    CannotMove {
        /// Which service.
        service: String,
        /// Its minimum.
        min_percent: u32,
        /// Its maximum.
        max_percent: u32,
        /// How many tasks it wants.
        desired: u32,
    },
    /// ECS's managed draining sees it out.
    ManagedDraining {
        /// The capacity provider.
        provider: String,
    },
    /// It drains for somebody else.
    NotOurs,
    /// Its Auto Scaling group was not given to Windlass.
    GroupNotOurs {
        /// Which; none where it is of no group.
        group: Option<AutoScalingGroupName>,
    },
    /// Auto Scaling waits for somebody else's hook alone.
    ForeignHook {
        /// Its group.
        group: AutoScalingGroupName,
    },
    /// The spec says to do nothing about recommendations.
    RebalanceIgnored,
    /// Somebody set it active again, and it need not leave.
    TakenBackByOthers,
    /// It is empty, and whoever wanted that takes it from here.
    Empty {
        /// Why it was emptied.
        why: WhyItLeaves,
    },
    /// The time was up.
    TimedOut {
        /// Since when it left.
        since: Timestamp,
        /// What was done.
        then: String,
    },
    /// Something could not be read.
    Unreadable(String),
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tasks { tasks, of } => write!(f, "{} to go: {}", counted(*tasks, "task"), of.join(", ")),
            Self::Standalone { tasks, until } => {
                let tasks = counted(u32::try_from(tasks.len()).unwrap_or(u32::MAX), "task");
                write!(f, "{tasks} that no service starts again; waited for until {until:.0}")
            }
            Self::Protected { task, until } => write!(f, "{} is protected until {until:.0}", short(task)),
            Self::Targets { targets, groups } => {
                let groups = counted(u32::try_from(groups.len()).unwrap_or(u32::MAX), "target group");
                write!(f, "{} still in {groups}", counted(*targets, "target"))
            }
            Self::CannotMove { service, min_percent, max_percent, desired } => write!(
                f,
                "{service}: ECS cannot move its tasks (minimum {min_percent} %, maximum {max_percent} % of \
                 {desired}); raise `max_percent` or lower `min_healthy_percent` in its spec's `rollout`"
            ),
            Self::ManagedDraining { provider } => {
                write!(f, "left alone: the capacity provider {provider} has managed draining")
            }
            Self::NotOurs => f.write_str("left alone: it drains, and not for Windlass"),
            Self::GroupNotOurs { group: Some(group) } => {
                write!(f, "left alone: its group {group} has no tag `windlass:cluster` for this cluster")
            }
            Self::GroupNotOurs { group: None } => {
                f.write_str("left alone: it is of no Auto Scaling group that was given to Windlass")
            }
            Self::ForeignHook { group } => write!(
                f,
                "left alone: {group} waits for a hook whose name does not begin with `windlass`; whoever made it \
                 completes it"
            ),
            Self::RebalanceIgnored => {
                f.write_str("a recommendation alone drains nothing here (`drain.rebalance: ignore`)")
            }
            Self::TakenBackByOthers => f.write_str("somebody set it active again; it stays"),
            Self::Empty { why } => write!(f, "empty ({why}); nothing waits for it"),
            Self::TimedOut { since, then } => write!(f, "leaving since {since:.0}, the time is up: {then}"),
            Self::Unreadable(what) => write!(f, "unreadable: {what}"),
        }
    }
}
