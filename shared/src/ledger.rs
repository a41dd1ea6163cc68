//! What is remembered between passes: one row a service, a cluster, an instance that leaves, and
//! one item for each pass that did something. `aws` stores them; nothing here knows DynamoDB.
//!
//! Stored types carry [`SCHEMA`]; fields are added with a default, never renamed.

mod cluster;
mod instance;
mod waiting;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

pub use self::cluster::{
    ClusterRecord, ClusterRow, ClusterState, GroupMark, LaunchFailure, ScalingMark, SeenShape, WaitsForRoom,
};
pub use self::instance::{
    CutTask, Departure, DepartureEnd, HowItEnded, InstanceKey, InstanceRow, InstanceState, MARK, WhyItLeaves,
    mark, read_mark,
};
pub use self::waiting::{StopScope, Waiting, WaitsOn};
use crate::id::{
    Actor, ContainerName, DeploymentId, Family, FencingToken, ImageDigest, ImageTag, ListenerArn,
    RepositoryName, RuleArn, ServiceKey, TargetGroupArn, TaskDefinitionArn, Timestamp,
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
    /// What people ordered. An order stays until another takes its place; whether it was
    /// carried out stands in [`Marks::done`].
    pub orders: Orders,
    /// The newest verdict of `functions/verify`.
    pub verdict: Option<Verdict>,
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
            orders: Orders::default(),
            verdict: None,
            state: ServiceState::default(),
        }
    }

    /// The bypass that no rollout has used up yet.
    pub fn pending_bypass(&self) -> Option<&Order> {
        self.orders.bypass.as_ref().filter(|order| is_new(order, self.state.marks.done.bypass))
    }

    /// The rollback that is to be carried out.
    pub fn pending_rollback(&self) -> Option<&RollbackOrder> {
        self.orders.rollback.as_ref().filter(|it| is_new(&it.order, self.state.marks.done.rollback))
    }

    /// The answer to this question, where a person has given one.
    pub fn answer_to(&self, question: &str) -> Option<&Answer> {
        self.orders.answer.as_ref().filter(|answer| answer.question == question)
    }
}

fn is_new(order: &Order, done: Option<Timestamp>) -> bool {
    done.is_none_or(|done| order.at > done)
}

/// What people ordered, each the newest of its kind. Written without the lease.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct Orders {
    /// The next rollout passes freeze windows and stops by.
    pub bypass: Option<Order>,
    /// Yes or no to what waits for a person.
    pub answer: Option<Answer>,
    /// Back to what ran before.
    pub rollback: Option<RollbackOrder>,
}

/// Who ordered something, why and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// Who.
    pub by: Actor,
    /// Why.
    pub reason: String,
    /// When: two orders of one kind are told apart by it.
    pub at: Timestamp,
}

/// A person's answer to a [`Question`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// The question's id.
    pub question: String,
    /// Yes, or no.
    pub approve: bool,
    /// Who, why, when.
    pub order: Order,
}

/// A rollback by hand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RollbackOrder {
    /// To what.
    pub to: RollbackTo,
    /// Who, why, when.
    pub order: Order,
}

/// What a rollback by hand goes back to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RollbackTo {
    /// What was settled before what runs; what runs, where a rollout goes on.
    Previous,
    /// This image.
    Digest(ImageDigest),
    /// This revision.
    Revision(TaskDefinitionArn),
}

/// What `functions/verify` found of a new revision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// Of which stage of which rollout: an id that the asker chose.
    pub stage: String,
    /// The image that was looked at.
    pub digest: ImageDigest,
    /// What it came to.
    pub judgement: Judgement,
    /// Each check with what was found, in words.
    pub findings: Vec<String>,
    /// When.
    pub at: Timestamp,
    /// When this stage's verdict was first asked for: an undecided one has its time from then.
    #[serde(default)]
    pub since: Option<Timestamp>,
}

/// What a verification came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Judgement {
    /// Every check was good.
    Passed,
    /// One was not.
    Failed,
    /// It cannot be said yet: too few requests, or nothing could be asked.
    Undecided,
}

impl std::fmt::Display for Judgement {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Undecided => "undecided",
        })
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
    /// The service that its releases follow, as the doorbell index has it.
    pub follows: Option<ServiceKey>,
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
    /// What passes noted for later ones.
    pub marks: Marks,
}

impl Default for ServiceState {
    fn default() -> Self {
        Self {
            schema: SCHEMA,
            generation: 0,
            repository: None,
            follows: None,
            route: None,
            settled: None,
            in_flight: None,
            unfinished: false,
            last_report: Vec::new(),
            looked_at: None,
            last_release: None,
            marks: Marks::default(),
        }
    }
}

/// What passes note for later ones, beside the rollout itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(default)]
pub struct Marks {
    /// Which orders were carried out.
    pub done: DoneOrders,
    /// What was settled before [`ServiceState::settled`], newest first, at most [`KEPT_SETTLED`].
    pub before: Vec<Settled>,
    /// A rollback by hand: this is wanted until something newer than what it left is pushed.
    pub pin: Option<Pin>,
    /// What waits for a person's answer.
    pub question: Option<Question>,
    /// What was made ready for a rollout that has not begun.
    pub prepared: Option<Prepared>,
    /// What that rollout waits for, where nothing needs to look at it for a while.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waiting: Option<Waiting>,
    /// Tasks that ran before rollouts, newest first, at most [`KEPT_TASKS`]: each digest's once.
    pub pre_deployed: Vec<PreDeployed>,
    /// Room that a rollout needs which has not begun: `functions/scale` provides it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub room: Option<RoomWanted>,
    /// The revisions that this service's passes registered and have not deregistered, at most
    /// [`KEPT_REGISTERED`]: others are never touched.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub registered: BTreeMap<Family, BTreeSet<u32>>,
    /// What became of revisions beyond those that are kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tidy: Option<Tidy>,
    /// What was published of what is settled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub published: Option<Published>,
}

/// Room that a rollout needs which has not begun.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoomWanted {
    /// For so many tasks beside those that run.
    pub tasks: u32,
    /// Of this revision; of the one that runs, where the new one is not registered yet.
    pub task_definition: TaskDefinitionArn,
    /// Since when.
    pub since: Timestamp,
}

/// What became of publishing what a service runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Published {
    /// The parameter says this.
    Done {
        /// The text.
        text: String,
    },
    /// AWS refused this for good; the next release asks anew.
    Refused {
        /// The text.
        text: String,
        /// What it said.
        reason: String,
    },
}

/// Whether revisions are to be deregistered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tidy {
    /// There are more than are kept: the next quiet pass looks.
    Due,
    /// One has looked.
    Done {
        /// How many were kept.
        keep: u32,
        /// What was settled then: the next release asks anew.
        settled: TaskDefinitionArn,
    },
    /// AWS refused it for good.
    Refused {
        /// What was settled then: the next release asks anew.
        settled: TaskDefinitionArn,
        /// What it said.
        reason: String,
    },
}

/// How many revisions that were registered are remembered, of each family: the newest.
pub const KEPT_REGISTERED: usize = 200;

/// How many settled releases are kept to go back to.
pub const KEPT_SETTLED: usize = 10;
/// How many tasks before rollouts are remembered.
pub const KEPT_TASKS: usize = 20;

/// Up to which order of each kind they were carried out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(default)]
pub struct DoneOrders {
    /// Bypasses.
    pub bypass: Option<Timestamp>,
    /// Rollbacks.
    pub rollback: Option<Timestamp>,
}

/// A rollback by hand that holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pin {
    /// What is wanted.
    pub to: Settled,
    /// What it left: only something newer ends the pin.
    pub left: ImageDigest,
    /// When that was pushed, for the policies that go by it.
    pub left_pushed_at: Option<Timestamp>,
    /// The tag that it was chosen by, for the policies that go by it.
    pub left_tag: Option<ImageTag>,
    /// Who, why, when.
    pub order: Order,
}

/// Something that waits for a person's yes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Question {
    /// Names it, so that an answer to an older one is none: `rollout sha256:…`, a hook's id.
    pub id: String,
    /// In words: `begin the rollout of 1.2.0`.
    pub what: String,
    /// The image.
    pub digest: ImageDigest,
    /// Since when.
    pub since: Timestamp,
    /// When silence becomes an answer.
    pub expires: Option<Timestamp>,
}

/// A yes that was given, for the record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// To what, in words.
    pub what: String,
    /// Who, why, when.
    pub order: Order,
}

/// What was made ready for a rollout that has not begun.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prepared {
    /// The image.
    pub digest: ImageDigest,
    /// The spec's hash.
    pub spec: String,
    /// Since when this image is being made ready: scans and tasks time out by it.
    pub since: Timestamp,
    /// Given so far.
    #[serde(default)]
    pub approvals: Vec<Approval>,
}

/// A task that ran before a rollout.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PreDeployed {
    /// The image.
    pub digest: ImageDigest,
    /// Its token: a task that a dead pass started is found by it.
    pub token: String,
    /// The task; `None` until `RunTask` answered.
    pub task: Option<String>,
    /// When it was started.
    pub started_at: Timestamp,
    /// How it ended; `None` while it runs.
    pub ended: Option<PreDeployEnd>,
    /// The container that the command runs in: its exit code counts.
    #[serde(default)]
    pub container: Option<ContainerName>,
    /// The hash of the spec that it was started under.
    #[serde(default)]
    pub spec: String,
    /// When its time is over.
    #[serde(default)]
    pub until: Option<Timestamp>,
    /// That was found to be so: it has failed, whatever it still comes to.
    #[serde(default)]
    pub late: bool,
}

/// How a task before a rollout ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PreDeployEnd {
    /// With exit code 0.
    Succeeded,
    /// In any other way, in words.
    Failed(String),
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
    /// Until then, and no longer: the image is not at fault (there was no room for its tasks).
    /// `None`: until a person says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

impl Quarantine {
    /// Whether it holds under this spec at this time.
    pub fn holds_under(&self, spec: &str, now: Timestamp) -> bool {
        self.spec.as_deref().is_none_or(|own| own == spec) && self.lasts(now)
    }

    /// Whether it holds the image itself back now, whatever the spec.
    pub fn is_of_the_image(&self, now: Timestamp) -> bool {
        self.spec.is_none() && self.lasts(now)
    }

    fn lasts(&self, now: Timestamp) -> bool {
        self.until.is_none_or(|until| now < until)
    }
}

/// What of a quarantine holds under this spec at this time.
pub fn in_force(
    quarantine: &BTreeMap<ImageDigest, Quarantine>,
    spec: &str,
    now: Timestamp,
) -> BTreeMap<ImageDigest, Quarantine> {
    let held = quarantine.iter().filter(|(_, why)| why.holds_under(spec, now));
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
    /// Where its rules led when it was settled: what a rollback restores.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<RecordedRule>,
    /// Since when.
    pub at: Timestamp,
}

/// A rule as it was when a release was settled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordedRule {
    /// The rule.
    pub rule: RuleArn,
    /// Where it led, with weights.
    pub forwards: Vec<(TargetGroupArn, u32)>,
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
    /// In which manner.
    #[serde(default)]
    pub manner: Manner,
    /// Windlass's own canary: where it stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub canary: Option<CanaryState>,
    /// It is being given up, for this reason; its end was not yet seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub given_up: Option<String>,
    /// Who said yes to what.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub approvals: Vec<Approval>,
    /// What verifications found.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub verdicts: Vec<Verdict>,
}

impl InFlight {
    /// What is settled once it is live.
    pub fn settled(&self, task_definition: TaskDefinitionArn, now: Timestamp) -> Settled {
        Settled {
            digest: self.digest.clone(),
            tag: self.tag.clone(),
            pushed_at: self.pushed_at,
            task_definition,
            spec: self.spec.clone(),
            policy: self.policy.clone(),
            repository: self.repository.clone(),
            rules: Vec::new(),
            at: now,
        }
    }

    /// The record of its end.
    pub fn ended(&self, outcome: Outcome, reason: Option<String>, now: Timestamp) -> Release {
        Release {
            digest: self.digest.clone(),
            tag: self.tag.clone(),
            from_digest: self.from_digest.clone(),
            task_definition: self.task_definition.clone(),
            deployment: self.deployment.clone(),
            outcome,
            reason,
            pushed_at: self.pushed_at,
            started_at: self.started_at,
            ended_at: now,
            manner: self.manner,
            approvals: self.approvals.clone(),
            verdicts: self.verdicts.clone(),
        }
    }
}

/// In which manner a rollout goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "snake_case")]
pub enum Manner {
    /// Task by task, by ECS.
    #[default]
    Rolling,
    /// All at once, by ECS.
    BlueGreen,
    /// Two steps, by ECS.
    EcsCanary,
    /// Equal steps, by ECS.
    Linear,
    /// Any steps at a fraction of the capacity, by Windlass.
    Canary,
}

impl std::fmt::Display for Manner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Rolling => "rolling",
            Self::BlueGreen => "blue/green",
            Self::EcsCanary => "canary by ECS",
            Self::Linear => "linear",
            Self::Canary => "canary",
        })
    }
}

/// Where Windlass's own canary stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct CanaryState {
    /// Index into the spec's steps; their number once the canary is being promoted.
    pub step: usize,
    /// Since when this step's share is carried; `None` while its tasks come up.
    pub since: Option<Timestamp>,
    /// Since when it is on its way to this step's share: it times out by it.
    #[serde(default)]
    pub entered: Option<Timestamp>,
    /// When the verdict on this step was asked for last.
    #[serde(default)]
    pub asked: Option<Timestamp>,
    /// Since when the service itself is updated to the canary's revision.
    #[serde(default)]
    pub promoting_since: Option<Timestamp>,
    /// Alarms that rang when it began: they say nothing of it until they were quiet.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub rang_before: BTreeSet<String>,
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
    /// In which manner.
    #[serde(default)]
    pub manner: Manner,
    /// Who said yes to what.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub approvals: Vec<Approval>,
    /// What verifications found.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub verdicts: Vec<Verdict>,
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
