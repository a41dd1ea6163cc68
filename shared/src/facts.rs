//! What was observed of the world: plain typed facts, gathered by `aws`, read
//! by the planners. A fact that could not be read is never taken for absent.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::event::LifecycleStage;
use crate::id::{
    Architecture, ClusterName, DeploymentId, Family, HookId, ImageDigest, ImageTag, ListenerArn,
    RepositoryName, RuleArn, ServiceArn, ServiceDeploymentArn, ServiceKey, ServiceName, TargetGroupArn,
    TaskDefinitionArn, Timestamp,
};
use crate::ledger::{ClusterRow, Hold, StopScope};
use crate::rollout_settings::RolloutSettings;
use crate::scale::CapacityFacts;
use crate::scale::facts::{LiveInstance, Placement};
use crate::spec::Percent;
use crate::task_definition::TaskDefinition;

/// One thing that was looked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fact<T> {
    /// It is there, and this is it.
    Known(T),
    /// AWS says that there is none.
    Absent,
    /// It could not be read; whether it exists is open.
    Unreadable(Unreadable),
    /// Nobody asked: this pass had no use for it.
    NotAsked,
}

impl<T> Fact<T> {
    /// The value, where it is known.
    pub fn known(&self) -> Option<&T> {
        match self {
            Self::Known(value) => Some(value),
            Self::Absent | Self::Unreadable(_) | Self::NotAsked => None,
        }
    }
}

/// Why a fact could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unreadable {
    /// What was being done: `describing service main/shop`.
    pub doing: String,
    /// Which sort of failure it was.
    pub kind: FailureKind,
    /// AWS's own words, with the error's code.
    pub detail: String,
}

/// The sorts of failure that decisions tell apart. SDK errors are mapped to
/// these once, in `aws`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// AWS's rate was reached: later, not never.
    Throttled,
    /// The world changed under the call, or a name is taken.
    Conflict,
    /// What the call named does not exist.
    NotFound,
    /// The role may not do this.
    Denied,
    /// AWS refused the input.
    Invalid,
    /// A quota is used up.
    Limit,
    /// No answer, or a 5xx: after a write, look again and never assume.
    Unknown,
}

impl std::fmt::Display for Unreadable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.doing, self.detail)
    }
}

/// Everything that one deploy pass saw of one service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceFacts {
    /// Which service this is about.
    pub key: ServiceKey,
    /// The cluster.
    pub cluster: Fact<ClusterFacts>,
    /// The spec's parameter in SSM, as text: parsing it is a decision.
    pub parameter: Fact<ParameterText>,
    /// The ECS service.
    pub service: Fact<LiveService>,
    /// The task definition that the service's definition names now.
    pub live_task_definition: Fact<TaskDefinition>,
    /// The newest ACTIVE revision of the family: a leftover of a dead pass shows here.
    pub newest_revision: Fact<TaskDefinition>,
    /// The repository that the spec names.
    pub repository: Fact<RepositoryFacts>,
    /// The repository's images that the policy may choose from.
    pub images: Fact<Vec<ImageFact>>,
    /// What is in the image that the policy chose (and others that were looked into).
    pub inspected: BTreeMap<ImageDigest, Fact<ImageContent>>,
    /// The route: listener, rules, target group.
    pub route: Fact<RouteFacts>,
    /// Tasks of the rollout in flight that stopped, read when it failed or is failing.
    pub stopped_tasks: Fact<Vec<StoppedTask>>,
    /// ECS's service deployments since the rollout in flight was begun, read when
    /// the deployment's own id cannot be found among the live ones.
    pub service_deployments: Fact<Vec<ServiceDeployment>>,
    /// The ECS service of Windlass's own canary, read where the spec or the rollout in flight
    /// has one.
    pub canary: Fact<LiveService>,
    /// The alarms that the spec names, by name.
    pub alarms: BTreeMap<String, Fact<AlarmState>>,
    /// What people stopped: everywhere, and cluster by cluster.
    pub stops: Fact<Stops>,
    /// The cluster's own parameter (`/windlass/clusters/<cluster>`), as text.
    pub cluster_parameter: Fact<ParameterText>,
    /// The scans of the chosen image, read where the spec has a `scan` section: of the image
    /// itself, or of each that an index leads to. Absent: it was never scanned.
    pub scans: BTreeMap<ImageDigest, Fact<ScanFacts>>,
    /// The service that this one follows, read where the spec has an `after` section.
    pub upstream: Fact<Upstream>,
    /// The task that runs before the rollout, read once it was started.
    pub pre_deploy: Fact<PreDeployTask>,
    /// The service deployment that goes on, read where it goes through ECS's stages.
    pub under_way: Fact<UnderWay>,
    /// What a rollback needs, read where one is ordered or not yet carried out.
    pub rollback: Fact<RollbackFacts>,
    /// The revisions of the live one's family, read where some of them may go.
    pub revisions: Fact<RevisionFacts>,
    /// The cluster's capacity, read where a rollout is about to begin for whose tasks the instances
    /// have no room at first sight.
    pub room: Fact<Box<RoomFacts>>,
}

impl ServiceFacts {
    /// Facts of which nothing was asked yet.
    pub fn not_asked(key: ServiceKey) -> Self {
        Self {
            key,
            cluster: Fact::NotAsked,
            parameter: Fact::NotAsked,
            service: Fact::NotAsked,
            live_task_definition: Fact::NotAsked,
            newest_revision: Fact::NotAsked,
            repository: Fact::NotAsked,
            images: Fact::NotAsked,
            inspected: BTreeMap::new(),
            route: Fact::NotAsked,
            stopped_tasks: Fact::NotAsked,
            service_deployments: Fact::NotAsked,
            canary: Fact::NotAsked,
            alarms: BTreeMap::new(),
            stops: Fact::NotAsked,
            cluster_parameter: Fact::NotAsked,
            scans: BTreeMap::new(),
            upstream: Fact::NotAsked,
            pre_deploy: Fact::NotAsked,
            under_way: Fact::NotAsked,
            rollback: Fact::NotAsked,
            revisions: Fact::NotAsked,
            room: Fact::NotAsked,
        }
    }
}

/// A cluster's capacity, as a scale pass would see it now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoomFacts {
    /// Instances, tasks, groups.
    pub capacity: CapacityFacts,
    /// What scale passes remember.
    pub row: ClusterRow,
}

/// CloudWatch's `StateValue`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlarmState {
    /// `OK`
    Ok,
    /// `ALARM`
    Alarm,
    /// `INSUFFICIENT_DATA`
    InsufficientData,
}

/// What people stopped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct Stops {
    /// Everything.
    pub everywhere: Option<Hold>,
    /// One cluster.
    pub clusters: BTreeMap<ClusterName, Hold>,
}

impl Stops {
    /// The stop that holds for a cluster, with its scope.
    pub fn of(&self, cluster: &ClusterName) -> Option<(StopScope, &Hold)> {
        let everywhere = self.everywhere.as_ref().map(|why| (StopScope::Everywhere, why));
        let own = || self.clusters.get(cluster).map(|why| (StopScope::Cluster(cluster.clone()), why));
        everywhere.or_else(own)
    }
}

/// The scan of an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScanFacts {
    /// `COMPLETE`, `ACTIVE` (enhanced scanning), `IN_PROGRESS`, `PENDING`, `FAILED`, …
    pub status: String,
    /// Why, where ECR says.
    pub detail: String,
    /// How many findings of each severity.
    pub findings: BTreeMap<crate::spec::Severity, u32>,
}

/// A service that another one follows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Upstream {
    /// Which.
    pub key: ServiceKey,
    /// What is settled there, and since when.
    pub settled: Option<crate::ledger::Settled>,
    /// What was settled there before, newest first.
    pub before: Vec<crate::ledger::Settled>,
    /// What is being rolled out there.
    pub rolling: Option<ImageDigest>,
    /// The images that it gave up, each with the reason.
    pub given_up: BTreeMap<ImageDigest, String>,
    /// Its ECS service, as it is now.
    pub standing: UpstreamStanding,
    /// Where the specs lead from it, one following the other, if that is in a circle.
    pub circle: Vec<ServiceKey>,
}

/// How the ECS service of an upstream is now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UpstreamStanding {
    /// It runs what is settled, on as many tasks as wanted, and nothing is rolled out.
    Steady,
    /// It does not, in words.
    Unsteady(String),
    /// There is none.
    Missing,
}

/// The task before a rollout.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PreDeployTask {
    /// Its ARN.
    pub arn: String,
    /// `PENDING`, `RUNNING`, `STOPPED`, …
    pub last_status: String,
    /// How it ended, once it is STOPPED.
    pub stopped: Option<StoppedTask>,
}

/// What a rollback needs to know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RollbackFacts {
    /// Which of the images that could be gone back to can be pulled, tagged or not.
    pub there: Fact<BTreeSet<ImageDigest>>,
    /// The revision that is to be gone back to.
    pub revision: Fact<RecordedRevision>,
}

/// The revisions of a family that are there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RevisionFacts {
    /// Of which family.
    pub family: Family,
    /// Those that ECS takes for services and tasks (`ACTIVE`), oldest first.
    pub active: Vec<TaskDefinitionArn>,
    /// Whether `active` ends before the newest: there are more than are read.
    pub cut_off: bool,
    /// Those that other services of the ledger run, are being given, or can go back to.
    pub elsewhere: BTreeSet<TaskDefinitionArn>,
}

/// A revision that ran before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordedRevision {
    /// What it says.
    pub definition: TaskDefinition,
    /// ECS takes it for a service: not deregistered.
    pub is_active: bool,
}

/// The parameter that holds a spec.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParameterText {
    /// Its full name: `/windlass/services/<cluster>/<service>`.
    pub name: String,
    /// Parameter Store's version, growing by one.
    pub version: i64,
    /// The text: YAML or JSON.
    pub text: String,
}

/// A cluster, as far as a deploy pass cares.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterFacts {
    /// Short name.
    pub name: ClusterName,
    /// `ACTIVE`, `INACTIVE`, …
    pub status: String,
    /// The architectures of its ACTIVE instances; empty where it has none now.
    pub architectures: BTreeSet<Architecture>,
    /// These instances.
    #[serde(default)]
    pub instances: Vec<LiveInstance>,
    /// When they were read: up to a minute ago. `None`: just now.
    #[serde(default)]
    pub read_at: Option<Timestamp>,
}

/// An ECS service as DescribeServices gives it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiveService {
    /// Its ARN.
    pub arn: ServiceArn,
    /// `ACTIVE`, `DRAINING`, `INACTIVE`.
    pub status: String,
    /// The task definition that its PRIMARY deployment wants.
    pub task_definition: TaskDefinitionArn,
    /// Tasks wanted.
    pub desired: u32,
    /// Tasks running.
    pub running: u32,
    /// Tasks pending.
    pub pending: u32,
    /// The live deployments, PRIMARY first.
    pub deployments: Vec<Deployment>,
    /// The target groups it registers in.
    pub load_balancers: Vec<ServiceLoadBalancer>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// `ECS`, `CODE_DEPLOY` or `EXTERNAL`.
    pub controller: String,
    /// How ECS rolls it out, in its normal form.
    pub settings: RolloutSettings,
    /// The ARN of its newest service deployment.
    pub newest_deployment: Option<ServiceDeploymentArn>,
    /// Whether ECS's circuit breaker is on, and whether it rolls back.
    pub circuit_breaker: CircuitBreaker,
    /// Health check grace, in seconds.
    pub grace_secs: u32,
    /// The newest events, newest first, at most ten.
    pub events: Vec<ServiceEvent>,
    /// How ECS places its tasks.
    #[serde(default)]
    pub placement: Placement,
}

/// ECS's deployment circuit breaker of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CircuitBreaker {
    /// It is on.
    pub enable: bool,
    /// It rolls back.
    pub rollback: bool,
}

impl LiveService {
    /// Whether ECS is moving requests of this service between two target groups, or may be:
    /// until that has ended, its rules are ECS's.
    pub fn is_shifting(&self) -> bool {
        self.settings.shift.has_two_sets()
            && self.deployments.iter().any(|deployment| deployment.rollout == RolloutState::InProgress)
    }
}

/// One of a service's live deployments.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deployment {
    /// `ecs-svc/<number>`.
    pub id: DeploymentId,
    /// `PRIMARY`, `ACTIVE`, `INACTIVE`.
    pub status: String,
    /// The task definition it brings.
    pub task_definition: TaskDefinitionArn,
    /// How it goes.
    pub rollout: RolloutState,
    /// ECS's words for it.
    pub reason: String,
    /// Tasks it wants.
    pub desired: u32,
    /// Tasks it has running.
    pub running: u32,
    /// Tasks that failed to start or to stay healthy.
    pub failed_tasks: u32,
    /// When it was made.
    pub created_at: Timestamp,
}

/// ECS's `rolloutState`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RolloutState {
    /// Still going.
    InProgress,
    /// Reached its steady state.
    Completed,
    /// The circuit breaker or an alarm ended it.
    Failed,
    /// ECS did not say (services without the ECS controller).
    Unsaid,
}

/// A target group that a service registers its tasks in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceLoadBalancer {
    /// The group.
    pub target_group: TargetGroupArn,
    /// Which container.
    pub container: String,
    /// Which of its ports.
    pub port: u16,
    /// What ECS shifts between, where it was told.
    pub advanced: Option<LiveBalancing>,
}

/// ECS's `advancedConfiguration` of a load balancer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiveBalancing {
    /// The other group of the pair.
    pub alternate: TargetGroupArn,
    /// The rule whose weights it moves.
    pub production_rule: RuleArn,
    /// The rule of test requests.
    pub test_rule: Option<RuleArn>,
    /// The role in which it does so.
    pub role: String,
}

/// A line of a service's event log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceEvent {
    /// When.
    pub at: Timestamp,
    /// ECS's words.
    pub message: String,
}

/// One of ECS's service deployments (the 90-day history).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceDeployment {
    /// Its ARN.
    pub arn: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// `SUCCESSFUL`, `ROLLBACK_SUCCESSFUL`, `STOPPED`, `IN_PROGRESS`, …
    pub status: String,
    /// ECS's words.
    pub reason: String,
    /// The task definition of its target revision.
    pub task_definition: Option<TaskDefinitionArn>,
}

/// The service deployment that goes on, by DescribeServiceDeployments.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnderWay {
    /// Its ARN.
    pub arn: ServiceDeploymentArn,
    /// `IN_PROGRESS`, `ROLLBACK_IN_PROGRESS`, …
    pub status: String,
    /// Where it is; `None` before the first stage.
    pub stage: Option<LifecycleStage>,
    /// The share of production requests that the new tasks are to have; `None` where none is
    /// shifted.
    pub share: Option<Percent>,
    /// The hooks of its stage.
    pub hooks: Vec<HookRun>,
}

/// A hook at work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HookRun {
    /// What `ContinueServiceDeployment` wants.
    pub id: HookId,
    /// `AWAITING_ACTION`, `IN_PROGRESS`, `SUCCEEDED`, `FAILED`, `TIMED_OUT`.
    pub status: String,
    /// When silence becomes an answer.
    pub expires_at: Option<Timestamp>,
}

impl HookRun {
    /// Whether a person is asked.
    pub fn awaits_action(&self) -> bool {
        self.status == "AWAITING_ACTION"
    }
}

impl ServiceDeployment {
    /// Whether it goes on, and can be stopped.
    pub fn is_under_way(&self) -> bool {
        matches!(self.status.as_str(), "PENDING" | "IN_PROGRESS")
    }
}

/// A repository, by DescribeRepositories.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RepositoryFacts {
    /// Its name.
    pub name: RepositoryName,
    /// What image references begin with: `<registry host>/<name>`.
    pub uri: String,
}

/// One image of a repository as DescribeImages gives it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageFact {
    /// The manifest's or index's digest.
    pub digest: ImageDigest,
    /// Its tags, sorted; none for children, attestations, leftovers.
    pub tags: BTreeSet<ImageTag>,
    /// When it was pushed.
    pub pushed_at: Timestamp,
    /// The manifest's media type.
    pub manifest_media_type: Option<String>,
    /// The config's media type; indexes have none.
    pub artifact_media_type: Option<String>,
    /// `ACTIVE`, `ARCHIVED`, …; `None` from registries that do not say.
    pub status: Option<String>,
}

/// What is inside an image: platforms and labels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageContent {
    /// The digest that was looked into.
    pub digest: ImageDigest,
    /// The repository it was read from.
    pub repository: RepositoryName,
    /// The architectures it can run on (Linux; attestations left out).
    pub architectures: BTreeSet<Architecture>,
    /// The config's labels: of the image, or of an index's first runnable child.
    pub labels: BTreeMap<String, String>,
    /// The images for Linux that an index leads to; none of an image.
    #[serde(default)]
    pub children: BTreeSet<ImageDigest>,
}

impl ImageContent {
    /// What of it has a scan of its own: ECR scans images, and no index.
    pub fn scannable(&self) -> BTreeSet<&ImageDigest> {
        if self.children.is_empty() { BTreeSet::from([&self.digest]) } else { self.children.iter().collect() }
    }
}

/// The load balancer's part of a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteFacts {
    /// The listener.
    pub listener: ListenerArn,
    /// The VPC of its load balancer: a target group needs it.
    pub vpc: String,
    /// All of its rules, the default one too.
    pub rules: Vec<Rule>,
    /// The service's own target group, by its name.
    pub target_group: Fact<TargetGroup>,
    /// How many targets of that group are healthy, and how many there are.
    pub health: Fact<TargetHealth>,
    /// Its second group, by its name: the canary's, or ECS's alternate one.
    pub second_group: Fact<TargetGroup>,
    /// The second group's targets.
    pub second_health: Fact<TargetHealth>,
    /// Of which rules the tags were read.
    #[serde(default)]
    pub tagged: Tagged,
    /// What the load balancer has and may have, read where something is to be made.
    #[serde(default = "not_asked")]
    pub usage: Fact<Usage>,
    /// The services that share this one's requests, where the spec's `weights` name any.
    #[serde(default)]
    pub neighbours: BTreeMap<ServiceName, Fact<Neighbour>>,
}

fn not_asked<T>() -> Fact<T> {
    Fact::NotAsked
}

/// Of which rules the tags were read: they tell ours from a person's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "snake_case")]
pub enum Tagged {
    /// Of those that lead to the service's own groups.
    #[default]
    Own,
    /// Of all.
    All,
}

/// A load balancer's rules and target groups, and how many of each it may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Rules of all its listeners, the default ones not counted.
    pub rules: usize,
    /// The quota.
    pub rules_max: usize,
    /// Target groups.
    pub groups: usize,
    /// The quota.
    pub groups_max: usize,
}

/// A service that shares another one's requests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Neighbour {
    /// The target group that answers for it: of its two the one with healthy targets.
    pub group: TargetGroupArn,
    /// How it is.
    pub health: TargetHealth,
}

/// A listener rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    /// Its ARN.
    pub arn: RuleArn,
    /// 1 to 50000; `None` for the default rule.
    pub priority: Option<u32>,
    /// What it matches.
    pub conditions: RuleConditions,
    /// Where it forwards to, with weights; empty for a fixed response or a redirect.
    pub forwards: Vec<(TargetGroupArn, u32)>,
    /// For how long a client stays with the group it first got.
    #[serde(default)]
    pub stickiness_secs: Option<u32>,
    /// Rewrites before it forwards.
    #[serde(default)]
    pub rewrites: Vec<crate::spec::Rewrite>,
    /// Its tags, where they were read.
    pub tags: BTreeMap<String, String>,
}

/// A rule's conditions, as far as Windlass writes them; all must hold.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, Default)]
pub struct RuleConditions {
    /// `host-header` patterns; any of them.
    pub hosts: Vec<String>,
    /// `path-pattern` patterns; any of them.
    pub paths: Vec<String>,
    /// `http-header` conditions: name → values.
    pub headers: BTreeMap<String, Vec<String>>,
    /// `http-request-method` values.
    pub methods: Vec<String>,
    /// `query-string` conditions, `key=value` or `value`.
    pub query: Vec<String>,
    /// Conditions of kinds that Windlass does not write (source IP, regex, …), as AWS's JSON.
    pub other: Vec<String>,
}

/// A target group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetGroup {
    /// Its ARN.
    pub arn: TargetGroupArn,
    /// Its name.
    pub name: String,
    /// The load balancers that use it.
    pub load_balancers: Vec<String>,
    /// Its health check.
    #[serde(default)]
    pub check: Option<crate::spec::HealthSpec>,
    /// Its deregistration delay, where it was read.
    #[serde(default)]
    pub deregistration_delay_secs: Option<u32>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

/// The health of a target group's targets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct TargetHealth {
    /// Targets in service.
    pub healthy: u32,
    /// All targets that are registered and not draining.
    pub registered: u32,
}

/// A task that stopped, for the explanation of a failure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoppedTask {
    /// Its ARN.
    pub arn: String,
    /// `EssentialContainerExited`, `TaskFailedToStart`, …
    pub stop_code: Option<String>,
    /// ECS's words.
    pub stopped_reason: Option<String>,
    /// Containers that ended: name, exit code, reason.
    pub containers: Vec<StoppedContainer>,
    /// When it stopped.
    pub stopped_at: Option<Timestamp>,
}

/// A container of a stopped task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoppedContainer {
    /// Its name.
    pub name: String,
    /// Its exit code, where it ran.
    pub exit_code: Option<i32>,
    /// `CannotPullContainerError: …`, `OutOfMemoryError: …`
    pub reason: Option<String>,
}
