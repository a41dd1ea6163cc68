//! Auto Scaling's events, at best effort.
//!
//! Source: the EC2 Auto Scaling guide's `ec2-auto-scaling-event-reference` and
//! `warm-pools-eventbridge-events`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::edge;
use super::word::words;
use crate::id::{AutoScalingGroupName, InstanceId, Timestamp};

words! {
    /// Which way an instance goes.
    LifecycleTransition {
        /// In.
        Launching = "autoscaling:EC2_INSTANCE_LAUNCHING",
        /// Out.
        Terminating = "autoscaling:EC2_INSTANCE_TERMINATING",
    }
    /// Where an instance comes from, or goes to.
    InstancePlace {
        /// From nothing, or to nothing.
        Ec2 = "EC2",
        /// The group.
        AutoScalingGroup = "AutoScalingGroup",
        /// The group's warm pool.
        WarmPool = "WarmPool",
    }
    /// What else is done to an instance while it waits.
    LifecycleActionKind {
        /// Its root volume is replaced; it comes back.
        ReplaceRootVolume = "ReplaceRootVolume",
    }
    /// What an activity was, and how it ended: the event's `detail-type`.
    ActivityKind {
        /// Launched.
        Launched = "EC2 Instance Launch Successful",
        /// Not launched.
        LaunchFailed = "EC2 Instance Launch Unsuccessful",
        /// Terminated.
        Terminated = "EC2 Instance Terminate Successful",
        /// Not terminated.
        TerminateFailed = "EC2 Instance Terminate Unsuccessful",
    }
    /// An activity's status code. AWS writes `InProgress` into the events of success.
    ActivityStatus {
        /// Under way, or done.
        InProgress = "InProgress",
        /// Done.
        Successful = "Successful",
        /// Failed.
        Failed = "Failed",
        /// Given up.
        Cancelled = "Cancelled",
    }
}

/// What becomes of an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum InstanceFate {
    /// It enters service.
    EntersService,
    /// It is made ready, and waits in the warm pool.
    EntersWarmPool,
    /// It is terminated.
    Terminates,
    /// It leaves service for the warm pool, and may come back as itself.
    ReturnsToWarmPool,
    /// It leaves service while its root volume is replaced, and comes back.
    ReplacesRootVolume,
    /// A transition that this code does not know.
    Untold,
}

/// `EC2 Instance-launch Lifecycle Action`, `EC2 Instance-terminate Lifecycle Action`: an
/// instance waits for `CompleteLifecycleAction`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct LifecycleAction {
    /// What `CompleteLifecycleAction` takes.
    #[serde(rename = "LifecycleActionToken", default)]
    pub token: Option<String>,
    /// The group.
    #[serde(rename = "AutoScalingGroupName", deserialize_with = "edge::named")]
    pub group: AutoScalingGroupName,
    /// The hook.
    #[serde(rename = "LifecycleHookName", deserialize_with = "edge::named")]
    pub hook: String,
    /// The instance.
    #[serde(rename = "EC2InstanceId", deserialize_with = "edge::named")]
    pub instance: InstanceId,
    /// Which way.
    #[serde(rename = "LifecycleTransition")]
    pub transition: LifecycleTransition,
    /// The hook's own words.
    #[serde(default)]
    pub notification_metadata: Option<String>,
    /// Where from; older events do not say.
    #[serde(default)]
    pub origin: Option<InstancePlace>,
    /// Where to; older events do not say.
    #[serde(default)]
    pub destination: Option<InstancePlace>,
    /// What else is done to it.
    #[serde(default)]
    pub action: Option<LifecycleActionKind>,
}

impl LifecycleAction {
    /// What becomes of the instance.
    pub fn fate(&self) -> InstanceFate {
        let is_to_warm_pool = self.destination == Some(InstancePlace::WarmPool);
        match (&self.transition, &self.action) {
            (LifecycleTransition::Terminating, Some(LifecycleActionKind::ReplaceRootVolume)) => {
                InstanceFate::ReplacesRootVolume
            }
            (LifecycleTransition::Terminating, _) if is_to_warm_pool => InstanceFate::ReturnsToWarmPool,
            (LifecycleTransition::Terminating, _) => InstanceFate::Terminates,
            (LifecycleTransition::Launching, _) if is_to_warm_pool => InstanceFate::EntersWarmPool,
            (LifecycleTransition::Launching, _) => InstanceFate::EntersService,
            (LifecycleTransition::Other(_), _) => InstanceFate::Untold,
        }
    }

    /// Whether the instance ends. A terminate action into the warm pool is none.
    pub fn is_termination(&self) -> bool {
        self.fate() == InstanceFate::Terminates
    }
}

/// `EC2 Instance Launch|Terminate Successful|Unsuccessful`: an activity ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Activity {
    /// What it was, and how it ended.
    pub kind: ActivityKind,
    /// Its status code.
    pub status: Option<ActivityStatus>,
    /// The group.
    pub group: AutoScalingGroupName,
    /// The instance; none where none was launched.
    pub instance: Option<InstanceId>,
    /// The activity's id.
    pub activity_id: Option<String>,
    /// In AWS's words.
    pub description: Option<String>,
    /// Why it was begun, in AWS's words.
    pub cause: Option<String>,
    /// Why it failed, in AWS's words.
    pub status_message: Option<String>,
    /// Where from.
    pub origin: Option<InstancePlace>,
    /// Where to.
    pub destination: Option<InstancePlace>,
    /// When it began.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// `Availability Zone`, `Subnet ID`.
    pub details: BTreeMap<String, String>,
}

/// [`Activity`] as AWS writes it; what it was is in the envelope.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ActivityDetail {
    #[serde(default)]
    status_code: Option<ActivityStatus>,
    #[serde(rename = "AutoScalingGroupName", deserialize_with = "edge::named")]
    group: AutoScalingGroupName,
    #[serde(rename = "EC2InstanceId", default, deserialize_with = "edge::blank_is_none")]
    instance: Option<InstanceId>,
    #[serde(default)]
    activity_id: Option<String>,
    #[serde(default)]
    request_id: Option<String>,
    #[serde(default)]
    description: Option<String>,
    #[serde(default)]
    cause: Option<String>,
    #[serde(default, deserialize_with = "edge::blank_is_none")]
    status_message: Option<String>,
    #[serde(default)]
    origin: Option<InstancePlace>,
    #[serde(default)]
    destination: Option<InstancePlace>,
    #[serde(default, deserialize_with = "edge::time")]
    start_time: Option<Timestamp>,
    #[serde(default, deserialize_with = "edge::time")]
    end_time: Option<Timestamp>,
    #[serde(default, deserialize_with = "edge::null_is_empty")]
    details: BTreeMap<String, String>,
}

impl ActivityDetail {
    pub(super) fn of(self, detail_type: &str) -> Activity {
        Activity {
            kind: ActivityKind::from(detail_type),
            status: self.status_code,
            group: self.group,
            instance: self.instance,
            // The two are the same in every event seen.
            activity_id: self.activity_id.or(self.request_id),
            description: self.description,
            cause: self.cause,
            status_message: self.status_message,
            origin: self.origin,
            destination: self.destination,
            started_at: self.start_time,
            ended_at: self.end_time,
            details: self.details,
        }
    }
}
