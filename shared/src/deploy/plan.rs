//! What a pass would do, and what it would not and why: the value that `windlass plan`
//! prints and the function applies.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::facts::{FailureKind, LiveBalancing, Rule, RuleConditions};
use crate::id::{
    ContainerName, DeploymentId, Family, ImageDigest, ListenerArn, RepositoryName, RuleArn, ServiceKey,
    TargetGroupArn, TaskDefinitionArn, Timestamp,
};
use crate::ledger::{InFlight, Marks, Quarantine, Release, Settled};
use crate::names;
pub use crate::rollout_settings::RolloutSettings;
use crate::spec::{HealthSpec, Rewrite};
use crate::task_definition::TaskDefinition;

/// One pass's intent over one service.
#[must_use]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// Which service.
    pub key: ServiceKey,
    /// The repository that it follows, where its spec could be read: the doorbell index is
    /// kept by it.
    pub repository: Option<RepositoryName>,
    /// The service whose releases it follows: its settling rings this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub follows: Option<ServiceKey>,
    /// What to do, in order. Empty in a quiet world.
    pub steps: Vec<Step>,
    /// What was decided and what was not done, each with its reason, in words.
    pub report: Vec<super::report::Note>,
    /// What the ledger is to remember.
    pub ledger: LedgerChange,
    /// A rollout begins for whose tasks there is no room at first sight: the plan is final once
    /// [`crate::facts::ServiceFacts::room`] was read.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub asks_for_room: bool,
}

impl Plan {
    /// Whether nobody asked for this service.
    pub fn is_not_tracked(&self) -> bool {
        self.report.iter().any(|note| matches!(note, super::report::Note::NotTracked { .. }))
    }
}

/// What changes in the row beside the steps' own results.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct LedgerChange {
    /// Releases whose end was seen now: into history, `last_release`, and out of `in_flight`.
    pub ended: Vec<Release>,
    /// Digests to put into quarantine now.
    pub quarantine: BTreeMap<ImageDigest, Quarantine>,
    /// The row's `settled` from now on, where it changes.
    pub settled: Option<Settled>,
    /// The row's marks from now on, where they change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub marks: Option<Box<Marks>>,
    /// The row's `in_flight` from now on, before any step is applied.
    pub in_flight: InFlightChange,
}

/// What becomes of the row's `in_flight`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "snake_case")]
pub enum InFlightChange {
    /// It stays as it is.
    #[default]
    Keep,
    /// It has ended, or is moot.
    Clear,
    /// This is begun (or taken over): written before `UpdateService`; the steps fill in
    /// its `task_definition` and `deployment`.
    Set(Box<InFlight>),
}

/// Where a step takes an ARN from: known now, or made by an earlier step of the plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Made<T> {
    /// It exists already.
    Already(T),
    /// An earlier step of the plan makes what has this name: a task definition's family, a
    /// target group's name, a rule's [`Step::CreateRule`] name.
    ByThisPlan(String),
}

impl<T> Made<T> {
    /// Whether an earlier step must make it, by its name.
    pub fn by_this_plan(&self) -> Option<&str> {
        match self {
            Self::Already(_) => None,
            Self::ByThisPlan(name) => Some(name),
        }
    }
}

/// Which of a service's two ECS services a step is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// The service itself.
    #[default]
    Main,
    /// `<service>-canary`: Windlass's own canary.
    Canary,
}

impl Part {
    /// The key of the part's ECS service.
    pub fn of(self, key: &ServiceKey) -> ServiceKey {
        match self {
            Self::Main => key.clone(),
            Self::Canary => names::canary(key),
        }
    }
}

/// One step. Each is precheck → act → verify, and safe to repeat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// Register a revision. Precheck on a repeat: the family's newest ACTIVE revision
    /// has this content already.
    RegisterTaskDefinition {
        /// The family.
        family: Family,
        /// The whole of it, tags included.
        content: Box<TaskDefinition>,
        /// The digest that its tracked containers are pinned to.
        digest: ImageDigest,
        /// The revision it was cloned from.
        replaces: Option<TaskDefinitionArn>,
    },
    /// Make one of the service's target groups. Precheck: one of this name exists and is ours.
    CreateTargetGroup(TargetGroupSpec),
    /// Make a listener rule. A parked rule matches nothing yet: it ties the group to the
    /// load balancer, so that targets can become healthy before any request comes.
    CreateRule {
        /// What the plan's later steps call it: `main`, `test`.
        name: String,
        /// On which listener.
        listener: ListenerArn,
        /// 1 to 50000.
        priority: u32,
        /// What it matches now (with the parking host, where parked).
        conditions: RuleConditions,
        /// What it does.
        action: RuleAction,
        /// Rewrites before it forwards.
        rewrites: Vec<Rewrite>,
        /// It is parked.
        parked: bool,
        /// Tags.
        tags: BTreeMap<String, String>,
    },
    /// Give a rule of ours other conditions (opens a parked one), another action, other rewrites.
    ModifyRule {
        /// The rule as the plan saw it; another one is stale.
        expected: Box<Rule>,
        /// What it is to be from now on.
        change: RuleChange,
    },
    /// Move rules of ours, all at once.
    SetPriorities {
        /// Of which listener.
        listener: ListenerArn,
        /// Each with the priority that the plan saw and the one from now on.
        moves: Vec<PriorityMove>,
    },
    /// Take a rule of ours away.
    DeleteRule {
        /// The rule as the plan saw it.
        expected: Box<Rule>,
    },
    /// Give a target group of ours the health check and the delay that the spec says.
    SetTargetGroup {
        /// The group.
        group: TargetGroupArn,
        /// Its name.
        name: String,
        /// The health check from now on, where it differs.
        health: Option<HealthSpec>,
        /// The deregistration delay from now on, where it differs.
        deregistration_delay_secs: Option<u32>,
    },
    /// Take a target group of ours away, which no rule uses any more.
    DeleteTargetGroup {
        /// The group.
        group: TargetGroupArn,
    },
    /// Make the ECS service.
    CreateService(Box<CreateServiceSpec>),
    /// Point the service at a revision. Precheck: it still wants `expected`.
    UpdateService {
        /// Which of the two.
        part: Part,
        /// The revision that the plan saw; another one means that somebody else deployed: stale.
        expected: TaskDefinitionArn,
        /// The revision from now on.
        task_definition: Made<TaskDefinitionArn>,
        /// Deployment settings to set along, where the spec wants other ones.
        settings: Option<RolloutSettings>,
        /// Target groups to set along, where the strategy wants others.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        load_balancer: Option<Box<UpdateLoadBalancer>>,
        /// What both would replace, for people who judge the plan; `None` where neither changes.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        was: Option<Box<Was>>,
    },
    /// Roll the service's own revision out once more: its deployment failed, and nothing else
    /// would start its tasks. Precheck: that deployment is still the newest.
    RollOutAgain {
        /// The revision.
        task_definition: TaskDefinitionArn,
        /// The deployment that failed.
        failed: DeploymentId,
    },
    /// Want another number of tasks.
    Scale {
        /// Which of the two.
        part: Part,
        /// The number that the plan saw.
        expected: u32,
        /// The number from now on.
        desired: u32,
    },
    /// Take an ECS service of ours away, which wants no task any more.
    DeleteService {
        /// Which of the two.
        part: Part,
    },
    /// End a rollout of ECS's that goes on: it rolls back.
    StopRollout {
        /// The service deployment's ARN.
        deployment: String,
    },
    /// Answer one of ECS's PAUSE hooks.
    AnswerHook {
        /// The service deployment's ARN.
        deployment: String,
        /// The hook.
        hook: String,
        /// Go on, or roll back.
        approve: bool,
    },
    /// Start the task that runs before a rollout.
    RunTask(Box<RunTaskSpec>),
    /// Have an image scanned that was not.
    StartScan {
        /// Its repository.
        repository: RepositoryName,
        /// The image.
        digest: ImageDigest,
    },
    /// Ask `functions/verify` for its verdict; the answer rings.
    AskVerdict(VerdictWanted),
    /// Deregister a revision that no rollback needs.
    Deregister {
        /// The revision.
        task_definition: TaskDefinitionArn,
    },
    /// Write what the service runs into a parameter that others read. Always the last step.
    Publish {
        /// The parameter's name.
        parameter: String,
        /// What it says from now on.
        text: String,
    },
}

impl Step {
    /// Whether its failing is told, and fails nothing: no release depends on it.
    pub fn may_fail(&self) -> bool {
        matches!(self, Self::Publish { .. })
    }
}

/// A rule's new priority.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PriorityMove {
    /// The rule.
    pub rule: RuleArn,
    /// Whose it is and what it matches, for people.
    #[serde(default)]
    pub whose: String,
    /// As the plan saw it.
    pub from: u32,
    /// From now on.
    pub to: u32,
}

/// What a rule does with a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleAction {
    /// Where it forwards to: at most five, by weight.
    pub forwards: Vec<Forward>,
    /// For how long a client stays with the group it first got.
    pub stickiness_secs: Option<u32>,
}

impl RuleAction {
    /// All requests to one group.
    pub fn to(group: Made<TargetGroupArn>) -> Self {
        Self { forwards: vec![Forward { group, weight: 1 }], stickiness_secs: None }
    }
}

/// One group of a rule's action.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forward {
    /// The group.
    pub group: Made<TargetGroupArn>,
    /// 0 to 999.
    pub weight: u32,
}

/// What changes about a rule; `None` stays as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct RuleChange {
    /// What it matches.
    pub conditions: Option<RuleConditions>,
    /// What it does.
    pub action: Option<RuleAction>,
    /// Rewrites; empty takes them away.
    pub rewrites: Option<Vec<Rewrite>>,
    /// Tags that it gets beside those that it has.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
}

/// A task that runs before a rollout.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunTaskSpec {
    /// In which revision.
    pub task_definition: Made<TaskDefinitionArn>,
    /// Its container.
    pub container: ContainerName,
    /// Its command.
    pub command: Vec<String>,
    /// Further environment variables.
    pub env: BTreeMap<String, String>,
    /// Subnets and security groups, in awsvpc mode.
    pub network: Option<crate::spec::Network>,
    /// The client token, at most 64 characters: asked again, it is the same task.
    pub token: String,
    /// Tags.
    pub tags: BTreeMap<String, String>,
}

/// What `functions/verify` is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerdictWanted {
    /// Of which service.
    pub key: ServiceKey,
    /// The id that the verdict will carry.
    pub stage: String,
    /// The image.
    pub digest: ImageDigest,
    /// Since when it has carried requests: metrics count from then on.
    pub since: Timestamp,
    /// Target group of the new revision, and of the one that it is compared with.
    pub target_groups: Option<(TargetGroupArn, TargetGroupArn)>,
}

impl VerdictWanted {
    /// The event's `source`, as `PutEvents` and the rule have it.
    pub const SOURCE: &str = "windlass";
    /// The event's `detail-type`.
    pub const DETAIL_TYPE: &str = "Windlass Verdict Wanted";
}

/// A target group to make.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetGroupSpec {
    /// At most 32 characters, unique per Region and account.
    pub name: String,
    /// The VPC of the load balancer.
    pub vpc: String,
    /// `instance` or `ip`.
    pub target_type: String,
    /// The container's port.
    pub port: u16,
    /// The health check.
    pub health: HealthSpec,
    /// Seconds that a leaving target goes on answering open requests.
    pub deregistration_delay_secs: u32,
    /// Tags.
    pub tags: BTreeMap<String, String>,
}

/// A service to make.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreateServiceSpec {
    /// Which of the two.
    pub part: Part,
    /// The revision it starts with.
    pub task_definition: Made<TaskDefinitionArn>,
    /// Tasks.
    pub desired: u32,
    /// Registers in which group, where it has a route.
    pub load_balancer: Option<CreateLoadBalancer>,
    /// How it rolls out.
    pub settings: RolloutSettings,
    /// Seconds in which failing health checks do not count after a task's start.
    pub grace_secs: u32,
    /// Subnets and security groups, for tasks in awsvpc mode.
    pub network: Option<crate::spec::Network>,
    /// Tags.
    pub tags: BTreeMap<String, String>,
}

/// The load balancer's part of a service to make.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreateLoadBalancer {
    /// The group.
    pub target_group: Made<TargetGroupArn>,
    /// The container.
    pub container: String,
    /// Its port.
    pub port: u16,
}

/// Where a service's tasks are registered, from now on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UpdateLoadBalancer {
    /// The group.
    pub target_group: TargetGroupArn,
    /// The container.
    pub container: String,
    /// Its port.
    pub port: u16,
    /// What ECS shifts between, where it shifts at all.
    pub advanced: Option<AdvancedBalancing>,
}

/// ECS's `advancedConfiguration`: what a strategy with two sets of tasks shifts between.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdvancedBalancing {
    /// The other group of the pair.
    pub alternate: Made<TargetGroupArn>,
    /// The rule whose weights it moves.
    pub production_rule: Made<RuleArn>,
    /// The rule by which chosen requests reach the new tasks first.
    pub test_rule: Option<Made<RuleArn>>,
    /// The role in which it does so.
    pub role: String,
}

/// How a service rolls out before an update changes that.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Was {
    /// Its settings.
    pub settings: RolloutSettings,
    /// What ECS shifts between.
    pub balancing: Option<LiveBalancing>,
}

/// How a step ended.
#[must_use]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepOutcome {
    /// The world was as wanted before: a dead pass, or a person, did it.
    AlreadyDone,
    /// Done, and seen to be.
    Done,
    /// Not now: a rate, a lock of AWS's. The next pass goes on.
    Waiting {
        /// For what.
        reason: String,
    },
    /// The world changed since it was looked at. The pass goes round again.
    Stale {
        /// What the plan saw.
        expected: String,
        /// What is there.
        found: String,
    },
    /// AWS refused.
    Failed {
        /// Which sort.
        kind: FailureKind,
        /// AWS's words, what was being done, and the next step for a person.
        reason: String,
    },
}

impl StepOutcome {
    /// Whether the plan's next step may follow.
    pub fn goes_on(&self) -> bool {
        matches!(self, Self::AlreadyDone | Self::Done)
    }
}

impl std::fmt::Display for StepOutcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::AlreadyDone => f.write_str("already done"),
            Self::Done => f.write_str("done"),
            Self::Waiting { reason } => write!(f, "waiting: {reason}"),
            Self::Stale { expected, found } => write!(f, "stale: expected {expected}, found {found}"),
            Self::Failed { reason, .. } => write!(f, "failed: {reason}"),
        }
    }
}
