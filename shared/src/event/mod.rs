//! The doorbells: AWS events, parsed once at the edge.
//!
//! | file | holds |
//! |---|---|
//! | [`read()`] | bytes → [`Incoming`], or [`Malformed`] with the path of the field |
//! | `envelope` | EventBridge's envelope |
//! | `ecr`, `ecs`, `cloudwatch`, `autoscaling`, `ec2`, `ssm` | one file per AWS source |
//! | `lifecycle_hook` | the payload with which ECS calls a hook function, and the reply |
//! | `own` | Windlass's own events: the timer and the doorbell by hand |
//! | `rings` | which doorbell of the deploy function an event rings, or why none |
//! | `describe` | an event in one sentence |
//!
//! An event is a doorbell, not a fact: what is read here says *where to look*, and in a
//! few fields *why*. Fields and words that this code does not know are tolerated and
//! counted ([`Incoming::unknown_parts`]); AWS adds both without notice. A field that is
//! there but is not what it must be is refused: that is a bug worth a dead letter.

mod autoscaling;
mod cloudwatch;
mod describe;
mod ec2;
mod ecr;
mod ecs;
mod edge;
mod envelope;
mod lifecycle_hook;
mod malformed;
mod own;
mod read;
mod rings;
mod ssm;
mod unknown;
mod word;

#[cfg(test)]
mod tests;

pub use autoscaling::{
    Activity, ActivityKind, ActivityStatus, InstanceFate, InstancePlace, LifecycleAction,
    LifecycleActionKind, LifecycleTransition,
};
pub use cloudwatch::{
    Alarm, AlarmAction, AlarmConfiguration, AlarmContributor, AlarmShape, AlarmState, AlarmValue, Metric,
    MetricQuery, MetricStat, MuteDetail, ReasonData, TriggeringAlarm,
};
pub use ec2::{InstanceAction, Rebalance, SpotWarning};
pub use ecr::{
    ActionResult, EventDigest, ImageAction, ImageActionKind, ImageScan, InspectorScan, PullThroughCache,
    Replication, ScanStatus, SyncStatus,
};
pub use ecs::{
    Attribute, ContainerInstance, ContainerInstanceStatus, Deployment, DeploymentEvent, Hook, HookEvent,
    HookType, LifecycleStage, NetworkBinding, Resource, ResourceAmount, ServiceAction, ServiceEvent,
    Severity, StopCode, Task, TaskContainer, TaskStatus,
};
pub use envelope::Envelope;
pub use lifecycle_hook::{ExecutionDetails, HookReply, HookStatus, LifecycleHook};
pub use malformed::{Malformed, Problem};
pub use own::{ClusterDoorbell, Doorbell};
pub use read::read;
pub use rings::{Function, Rings, Silence, doorbells, doorbells_at};
pub use ssm::{PARAMETER_PREFIX, ParameterChange, ParameterOperation};
pub use unknown::UnknownPart;

use serde::Serialize;

use crate::deploy::plan::VerdictWanted;

/// An event that was read.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Incoming {
    /// EventBridge's envelope; `None` for the two payloads that come without one (an
    /// alarm's direct action, ECS's call of a lifecycle hook).
    pub envelope: Option<Envelope>,
    /// What it is.
    pub event: Event,
    /// Paths of the fields that neither this code nor AWS's documentation of today knows.
    unknown_fields: Vec<String>,
}

/// What an event is. Every variant that AWS sends is typed in the file of its source.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// `ECR Image Action`: pushed, deleted, archived.
    EcrImageAction(ImageAction),
    /// `ECR Referrer Action`: the same for a signature, an SBOM, an attestation.
    EcrReferrerAction(ImageAction),
    /// `ECR Image Scan`: basic scanning.
    EcrScan(ImageScan),
    /// `ECR Replication Action`.
    EcrReplication(Replication),
    /// `ECR Pull Through Cache Action`.
    EcrPullThroughCache(PullThroughCache),
    /// `Inspector2 Scan`: enhanced scanning.
    InspectorScan(InspectorScan),
    /// `ECS Deployment State Change`.
    EcsDeployment(Deployment),
    /// `ECS Service Action`.
    EcsServiceAction(Box<ServiceAction>),
    /// `ECS Task State Change`.
    EcsTask(Box<Task>),
    /// `ECS Container Instance State Change`.
    EcsContainerInstance(Box<ContainerInstance>),
    /// `ECS Hook State Change`: a PAUSE hook of a rollout.
    EcsHook(Box<Hook>),
    /// ECS calls a lifecycle hook's function.
    LifecycleHook(Box<LifecycleHook>),
    /// `CloudWatch Alarm State Change` and `CloudWatch Alarm Contributor State Change`.
    Alarm(Box<Alarm>),
    /// An alarm calls a function directly.
    AlarmAction(Box<AlarmAction>),
    /// `EC2 Instance-launch Lifecycle Action`, `EC2 Instance-terminate Lifecycle Action`.
    AutoScalingLifecycle(Box<LifecycleAction>),
    /// `EC2 Instance Launch|Terminate Successful|Unsuccessful`.
    AutoScalingActivity(Box<Activity>),
    /// `EC2 Spot Instance Interruption Warning`: two minutes.
    SpotWarning(SpotWarning),
    /// `EC2 Instance Rebalance Recommendation`.
    Rebalance(Rebalance),
    /// `Parameter Store Change`.
    ParameterChange(ParameterChange),
    /// A timer: an EventBridge rule's schedule, or EventBridge Scheduler's.
    Schedule,
    /// `Windlass Doorbell`: rung by hand.
    Doorbell(Doorbell),
    /// `Windlass Cluster Doorbell`: a cluster's, rung by hand or by a rollout that needs room.
    ClusterDoorbell(ClusterDoorbell),
    /// `Windlass Verdict Wanted`: a pass asks for the verdict on its canary.
    VerdictWanted(Box<VerdictWanted>),
    /// An event of a kind that Windlass does not use.
    Unknown {
        /// Who sent it.
        source: String,
        /// What it says it is.
        detail_type: String,
    },
}

#[cfg(test)]
impl Event {
    /// The name that tests and snapshots know it by.
    fn kind(&self) -> String {
        serde_json::to_value(self).expect("events serialise")["event"].as_str().expect("a tag").to_owned()
    }
}
