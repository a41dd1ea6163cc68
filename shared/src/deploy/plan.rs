//! What a pass would do, and what it would not and why: the value that `windlass plan`
//! prints and the function applies.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::facts::{FailureKind, RuleConditions};
use crate::id::{
    Family, ImageDigest, ListenerArn, RepositoryName, RuleArn, ServiceKey, TargetGroupArn, TaskDefinitionArn,
};
use crate::ledger::{InFlight, Quarantine, Release, Settled};
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
    /// What to do, in order. Empty in a quiet world.
    pub steps: Vec<Step>,
    /// What was decided and what was not done, each with its reason, in words.
    pub report: Vec<super::report::Note>,
    /// What the ledger is to remember.
    pub ledger: LedgerChange,
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
    /// The plan's `RegisterTaskDefinition` (or `CreateTargetGroup`) gives it.
    ByThisPlan,
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
    /// Make the service's target group. Precheck: one of this name exists and is ours.
    CreateTargetGroup(TargetGroupSpec),
    /// Make a listener rule. A parked rule matches nothing yet: it ties the group to the
    /// load balancer, so that targets can become healthy before any request comes.
    CreateRule {
        /// On which listener.
        listener: ListenerArn,
        /// 1 to 50000.
        priority: u32,
        /// What it matches now (with the parking host, where parked).
        conditions: RuleConditions,
        /// Where it forwards to.
        target_group: Made<TargetGroupArn>,
        /// It is parked.
        parked: bool,
        /// Tags.
        tags: BTreeMap<String, String>,
    },
    /// Give a rule of ours the conditions that are wanted: opens a parked one.
    SetRuleConditions {
        /// The rule.
        rule: RuleArn,
        /// The conditions it is expected to have now.
        expected: RuleConditions,
        /// The conditions from now on.
        conditions: RuleConditions,
    },
    /// Make the ECS service.
    CreateService(Box<CreateServiceSpec>),
    /// Point the service at a revision. Precheck: it still wants `expected`.
    UpdateService {
        /// The revision that the plan saw; another one means that somebody else deployed: stale.
        expected: TaskDefinitionArn,
        /// The revision from now on.
        task_definition: Made<TaskDefinitionArn>,
        /// Deployment settings to set along, where the spec wants other ones.
        settings: Option<RolloutSettings>,
    },
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
    pub health: HealthCheckSpec,
    /// Seconds that a leaving target goes on answering open requests.
    pub deregistration_delay_secs: u32,
    /// Tags.
    pub tags: BTreeMap<String, String>,
}

/// A target group's health check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthCheckSpec {
    /// The path.
    pub path: String,
    /// Statuses taken for healthy: `200`, `200-399`.
    pub matcher: String,
    /// 5 to 300.
    pub interval_secs: u32,
    /// Less than the interval.
    pub timeout_secs: u32,
    /// 2 to 10.
    pub healthy_threshold: u32,
    /// 2 to 10.
    pub unhealthy_threshold: u32,
}

/// A service to make.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreateServiceSpec {
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

/// ECS's deployment configuration, as far as Windlass sets it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RolloutSettings {
    /// 0 to 100.
    pub min_healthy_percent: u32,
    /// 100 to 200.
    pub max_percent: u32,
    /// ECS's circuit breaker, with rollback.
    pub circuit_breaker: bool,
    /// Alarms that end the rollout and roll back.
    pub alarms: Vec<String>,
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
