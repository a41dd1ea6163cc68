//! What is kept of a group.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::settings::Launches;
use crate::time::Time;

/// A group.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Group {
    pub(crate) name: String,
    pub(crate) arn: String,
    pub(crate) created: Time,
    pub(crate) min: u32,
    pub(crate) max: u32,
    pub(crate) desired: u32,
    /// In the order in which they were given.
    pub(crate) zones: Vec<Zone>,
    pub(crate) launches: Launches,
    /// Seconds.
    pub(crate) cooldown: u32,
    pub(crate) health_check_grace: u32,
    pub(crate) default_warmup: Option<u32>,
    /// `NewInstancesProtectedFromScaleIn`
    pub(crate) protects_new: bool,
    pub(crate) capacity_rebalance: bool,
    pub(crate) termination_policies: Vec<String>,
    pub(crate) tags: BTreeMap<String, Tag>,
    pub(crate) hooks: BTreeMap<String, Hook>,
    pub(crate) suspended: BTreeSet<String>,
    pub(crate) members: BTreeMap<String, Member>,
    /// Newest first.
    pub(crate) activities: VecDeque<Activity>,
    pub(crate) deleting: bool,
    /// When the next look is due.
    pub(crate) next_look: Option<Time>,
    /// Launches that failed in a row, and the time before which none is tried again.
    pub(crate) failures: u32,
    pub(crate) not_before: Option<Time>,
    /// When the last activity ended: the cooldown counts from here.
    pub(crate) last_activity: Option<Time>,
    /// Why the desired capacity is what it is: the beginning of an activity's cause.
    pub(crate) cause: String,
}

/// A subnet of a group, and its zone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Zone {
    pub(crate) az: String,
    pub(crate) subnet: String,
}

/// A tag of a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Tag {
    pub(crate) value: String,
    pub(crate) propagates: bool,
}

/// An instance of a group.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Member {
    pub(crate) id: String,
    pub(crate) az: String,
    pub(crate) state: Lifecycle,
    pub(crate) healthy: bool,
    pub(crate) protected: bool,
    /// It leaves once its replacement is in service.
    pub(crate) yields: bool,
    /// The activity that launches or removes it.
    pub(crate) activity: String,
    /// The lifecycle actions that it waits for.
    pub(crate) waits: Vec<Action>,
}

/// Where an instance is in its life within the group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Lifecycle {
    Pending,
    PendingWait,
    PendingProceed,
    InService,
    Terminating,
    TerminatingWait,
    TerminatingProceed,
}

impl Lifecycle {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::PendingWait => "Pending:Wait",
            Self::PendingProceed => "Pending:Proceed",
            Self::InService => "InService",
            Self::Terminating => "Terminating",
            Self::TerminatingWait => "Terminating:Wait",
            Self::TerminatingProceed => "Terminating:Proceed",
        }
    }

    /// Whether it counts towards the desired capacity.
    pub(crate) fn counts(self) -> bool {
        self <= Self::InService
    }
}

/// A lifecycle hook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Hook {
    pub(crate) name: String,
    pub(crate) transition: Transition,
    /// Seconds.
    pub(crate) heartbeat: u32,
    pub(crate) default_result: Verdict,
    pub(crate) metadata: Option<String>,
    pub(crate) target: Option<String>,
    pub(crate) role: Option<String>,
}

impl Hook {
    /// The longest that an action may be kept going by heartbeats: 48 hours or a hundred of
    /// them, whichever is less.
    pub(crate) fn longest(&self) -> Duration {
        Duration::from_secs(u64::from(self.heartbeat) * 100).min(Duration::from_hours(48))
    }
}

/// When a hook is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Transition {
    Launching,
    Terminating,
}

impl Transition {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Launching => "autoscaling:EC2_INSTANCE_LAUNCHING",
            Self::Terminating => "autoscaling:EC2_INSTANCE_TERMINATING",
        }
    }
}

/// What came of a lifecycle action.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum Verdict {
    Continue,
    Abandon,
}

/// A lifecycle action that an instance waits for.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Action {
    pub(crate) hook: Hook,
    pub(crate) token: String,
    pub(crate) began: Time,
    /// When it ends by the hook's default.
    pub(crate) deadline: Time,
}

/// A scaling activity.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Activity {
    pub(crate) id: String,
    pub(crate) description: String,
    pub(crate) cause: String,
    pub(crate) started: Time,
    pub(crate) ended: Option<Time>,
    pub(crate) status: ActivityStatus,
    pub(crate) message: String,
    pub(crate) zone: Zone,
}

/// How far an activity is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum ActivityStatus {
    PreInService,
    MidLifecycleAction,
    InProgress,
    Successful,
    Failed,
}

impl Group {
    /// Instances that count towards the desired capacity, those to be replaced aside.
    pub(crate) fn live(&self) -> usize {
        self.members.values().filter(|it| it.state.counts() && !it.yields).count()
    }

    /// Those of them that are in service.
    pub(crate) fn in_service(&self) -> usize {
        self.members.values().filter(|it| it.state == Lifecycle::InService && !it.yields).count()
    }

    /// How many of them a zone has.
    pub(crate) fn in_zone(&self, az: &str) -> usize {
        self.members.values().filter(|it| it.state.counts() && !it.yields && it.az == az).count()
    }

    /// Whether a process (`Launch`, `Terminate`, …) goes on.
    pub(crate) fn does(&self, process: &str) -> bool {
        !self.suspended.contains(process)
    }
}
