//! What is remembered between passes: one row a service, and one item for each
//! pass that did something. `aws` stores them; nothing here knows DynamoDB.
//!
//! Stored types carry [`SCHEMA`]; fields are added with a default, never renamed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::id::{
    Actor, DeploymentId, FencingToken, ImageDigest, ImageTag, ListenerArn, RepositoryName, RuleArn,
    ServiceKey, TargetGroupArn, TaskDefinitionArn, Timestamp,
};

/// The version of what this code writes.
pub const SCHEMA: u32 = 1;

/// The row of one service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceRow {
    /// Which service.
    pub key: ServiceKey,
    /// How often its doorbell rang.
    pub rung: u64,
    /// Up to which ring the last finished pass has looked.
    pub answered: u64,
    /// The newest fencing token that was given out.
    pub token: FencingToken,
    /// A person's hold: nothing is rolled out while it is there.
    pub hold: Option<Hold>,
    /// Digests that failed and are not redeployed until a person says so.
    pub quarantine: BTreeMap<ImageDigest, Quarantine>,
    /// What passes wrote, under the lease.
    pub state: ServiceState,
}

impl ServiceRow {
    /// The row of a service that no pass has seen.
    pub fn new(key: ServiceKey) -> Self {
        Self {
            key,
            rung: 0,
            answered: 0,
            token: FencingToken::default(),
            hold: None,
            quarantine: BTreeMap::new(),
            state: ServiceState::default(),
        }
    }
}

/// The part of the row that only the lease's holder writes, whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ServiceState {
    /// [`SCHEMA`] of the code that wrote it.
    pub schema: u32,
    /// Grows by one with each pass that did something.
    pub generation: u64,
    /// The repository that it follows, as the doorbell index has it.
    pub repository: Option<RepositoryName>,
    /// Where its route was last seen: lets a pass read it a round sooner, and nothing rests on it.
    pub route: Option<RouteHint>,
    /// The last rollout that ended well, or the live revision when adopted.
    pub settled: Option<Settled>,
    /// The rollout that was begun and whose end was not yet seen.
    pub in_flight: Option<InFlight>,
    /// The last pass left something open (a step that did not go through, a route that waits,
    /// a refusal): the sweep looks again.
    pub unfinished: bool,
    /// Why the last pass did not do what it would have liked to, for `explain`.
    pub last_report: Vec<String>,
    /// When the last pass looked.
    pub looked_at: Option<Timestamp>,
    /// The release that ended last, for `status` and `explain`.
    pub last_release: Option<Release>,
}

impl Default for ServiceState {
    fn default() -> Self {
        Self {
            schema: SCHEMA,
            generation: 0,
            repository: None,
            route: None,
            settled: None,
            in_flight: None,
            unfinished: false,
            last_report: Vec::new(),
            looked_at: None,
            last_release: None,
        }
    }
}

/// Where a service's route was last seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteHint {
    /// The listener.
    pub listener: ListenerArn,
    /// The service's own target group.
    pub target_group: Option<TargetGroupArn>,
    /// The service's own rule.
    pub rule: Option<RuleArn>,
}

/// A hold that a person set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// Who.
    pub by: Actor,
    /// Why.
    pub reason: String,
    /// Since when.
    pub at: Timestamp,
}

/// A digest that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quarantine {
    /// What a person needs to know: stop code, stopped reason, the last events.
    pub reason: String,
    /// When it was found to have failed.
    pub at: Timestamp,
    /// The deployment that failed.
    pub deployment: Option<DeploymentId>,
    /// Under this spec alone (its hash): the image ran well before, and failed with what a
    /// changed spec makes of it. `None`: the image itself, whatever the spec.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spec: Option<String>,
}

impl Quarantine {
    /// Whether it holds under this spec.
    pub fn holds_under(&self, spec: &str) -> bool {
        self.spec.as_deref().is_none_or(|own| own == spec)
    }
}

/// What of a quarantine holds under this spec.
pub fn in_force(
    quarantine: &BTreeMap<ImageDigest, Quarantine>,
    spec: &str,
) -> BTreeMap<ImageDigest, Quarantine> {
    let held = quarantine.iter().filter(|(_, why)| why.holds_under(spec));
    held.map(|(digest, why)| (digest.clone(), why.clone())).collect()
}

/// What runs and is known to be well.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settled {
    /// The image.
    pub digest: ImageDigest,
    /// The tag it was chosen by.
    pub tag: Option<ImageTag>,
    /// When the image was pushed, where that was known.
    pub pushed_at: Option<Timestamp>,
    /// The revision that carries it.
    pub task_definition: TaskDefinitionArn,
    /// The spec it was settled under: a hash of its canonical form.
    pub spec: String,
    /// The image policy it was chosen by, in its canonical text.
    pub policy: String,
    /// The repository it was chosen from.
    #[serde(default)]
    pub repository: Option<RepositoryName>,
    /// Since when.
    pub at: Timestamp,
}

/// A rollout that was begun. Written before `UpdateService`, so that a function
/// killed right after it leaves a trace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InFlight {
    /// The image it brings.
    pub digest: ImageDigest,
    /// The tag it was chosen by.
    pub tag: Option<ImageTag>,
    /// When the image was pushed.
    pub pushed_at: Option<Timestamp>,
    /// The revision; `None` until it was registered.
    pub task_definition: Option<TaskDefinitionArn>,
    /// ECS's own id; `None` until `UpdateService` answered.
    pub deployment: Option<DeploymentId>,
    /// What ran before.
    pub from_digest: Option<ImageDigest>,
    /// The revision that ran before.
    pub from_task_definition: Option<TaskDefinitionArn>,
    /// When the intent was written.
    pub started_at: Timestamp,
    /// The hash of the spec it was begun under.
    pub spec: String,
    /// The policy it was chosen by.
    pub policy: String,
    /// The repository it was chosen from.
    #[serde(default)]
    pub repository: Option<RepositoryName>,
}

/// How a release ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Live.
    Live,
    /// Failed; ECS rolled back, or is doing so.
    RolledBack,
    /// Failed, and there was nothing to roll back to.
    Failed,
    /// A newer image took its place before it was live.
    Superseded,
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Live => "live",
            Self::RolledBack => "rolled back",
            Self::Failed => "failed",
            Self::Superseded => "superseded",
        })
    }
}

/// A release that ended: the unit of `windlass history`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    /// The image.
    pub digest: ImageDigest,
    /// The tag it was chosen by.
    pub tag: Option<ImageTag>,
    /// What ran before.
    pub from_digest: Option<ImageDigest>,
    /// The revision.
    pub task_definition: Option<TaskDefinitionArn>,
    /// ECS's deployment.
    pub deployment: Option<DeploymentId>,
    /// How it ended.
    pub outcome: Outcome,
    /// Why it failed, where it did.
    pub reason: Option<String>,
    /// When the image was pushed.
    pub pushed_at: Option<Timestamp>,
    /// When it was begun.
    pub started_at: Timestamp,
    /// When its end was seen.
    pub ended_at: Timestamp,
}

/// One pass that did something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PassRecord {
    /// [`SCHEMA`].
    pub schema: u32,
    /// Which service.
    pub key: ServiceKey,
    /// When.
    pub at: Timestamp,
    /// Which generation of the row it made.
    pub generation: u64,
    /// Under which token.
    pub token: FencingToken,
    /// What rang: `ecr push shop:latest`.
    pub cause: String,
    /// Who.
    pub by: Actor,
    /// Each step in words, with how it ended.
    pub steps: Vec<StepRecord>,
    /// What was not done, and why.
    pub report: Vec<String>,
    /// A release that was begun.
    pub began: Option<InFlight>,
    /// Releases whose end was seen.
    pub ended: Vec<Release>,
}

/// A step and its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepRecord {
    /// The step in words.
    pub step: String,
    /// `done`, `already done`, `waiting: …`, `stale: …`, `failed: …`.
    pub outcome: String,
}
