//! What one scale pass saw of one cluster: plain facts, gathered by `aws`. Nothing is summed up or
//! judged here; [`super::demand`] and [`super::supply`] make the packer's tasks and instances of it.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::event::AlarmValue;
use crate::facts::{Fact, LiveService, ParameterText, Stops};
use crate::id::{
    AlarmName, AutoScalingGroupName, AvailabilityZone, ClusterName, ContainerInstanceArn, InstanceId,
    ServiceName, TaskArn, TaskDefinitionArn, Timestamp,
};
use crate::ledger::{LaunchFailure, RoomWanted, ServiceRow};
use crate::task_definition::TaskDefinition;

/// Everything that one scale pass saw of one cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CapacityFacts {
    /// Which cluster.
    pub cluster: ClusterName,
    /// The cluster's own parameter (`/windlass/clusters/<cluster>`), as text.
    pub parameter: Fact<ParameterText>,
    /// What people stopped: while something is stopped nothing is consolidated.
    pub stops: Fact<Stops>,
    /// The cluster's services, all of them, with what Windlass knows of each.
    pub services: Fact<BTreeMap<ServiceName, ServiceOfCluster>>,
    /// Its container instances, in whatever status.
    pub instances: Fact<Vec<LiveInstance>>,
    /// Its tasks, running and on their way.
    pub tasks: Fact<Vec<LiveTask>>,
    /// The task definitions of these services and tasks.
    pub task_definitions: BTreeMap<TaskDefinitionArn, Fact<TaskDefinition>>,
    /// The Auto Scaling groups that carry the tag `windlass:cluster`, or that its instances are of.
    pub groups: Fact<Vec<LiveGroup>>,
    /// The cluster's capacity providers.
    pub providers: Fact<Vec<LiveProvider>>,
    /// The alarms that specs name.
    pub alarms: BTreeMap<AlarmName, Fact<LiveAlarm>>,
    /// Services whose desired count AWS's Application Auto Scaling owns.
    pub owned_elsewhere: Fact<BTreeSet<ServiceName>>,
    /// Whether the tasks' scale-in protection was read: only where something is to be emptied.
    #[serde(default = "not_asked")]
    pub protection: Fact<()>,
    /// The mute rule that holds each alarm's actions back now: read only where an alarm sets a number of tasks.
    #[serde(default = "not_asked")]
    pub mutes: Fact<BTreeMap<AlarmName, String>>,
    /// What first releases wait for, of services that ECS does not have yet.
    #[serde(default)]
    pub coming: BTreeMap<ServiceName, RoomWanted>,
}

/// A service of the cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceOfCluster {
    /// What ECS says of it.
    pub live: LiveService,
    /// How ECS places its tasks.
    pub placement: Placement,
    /// Its parameter in SSM, as text; `Absent` where it has none.
    pub parameter: Fact<ParameterText>,
    /// Its row; `None` where no pass has seen it.
    pub row: Option<ServiceRow>,
}

/// How ECS places a service's tasks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct Placement {
    /// `REPLICA`, `DAEMON`.
    pub scheduling: String,
    /// `EC2`, `FARGATE`, `EXTERNAL`; empty where a capacity provider strategy says it.
    pub launch_type: String,
    /// The capacity providers of its strategy, by name.
    pub providers: Vec<String>,
    /// Its constraints: type (`distinctInstance`, `memberOf`) and expression.
    pub constraints: Vec<(String, String)>,
    /// Its strategies: type (`spread`, `binpack`, `random`) and field.
    pub strategies: Vec<(String, String)>,
}

/// A container instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiveInstance {
    /// ECS's name for it.
    pub arn: ContainerInstanceArn,
    /// EC2's; none for an external one.
    pub ec2: Option<InstanceId>,
    /// `ACTIVE`, `DRAINING`, …, as ECS says it.
    pub status: String,
    /// Whether its agent is connected.
    pub agent_connected: bool,
    /// The agent's version.
    pub agent_version: Option<String>,
    /// The capacity provider that it came by.
    pub provider: Option<String>,
    /// What it has.
    pub registered: LiveResources,
    /// What is left of it.
    pub remaining: LiveResources,
    /// Its attributes; capabilities have no value.
    pub attributes: BTreeMap<String, Option<String>>,
    /// Tasks that run on it, those that are being stopped among them.
    pub running: u32,
    /// Tasks that are on their way to it.
    pub pending: u32,
    /// When it registered.
    pub registered_at: Option<Timestamp>,
}

/// Quantities of an instance as ECS says them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct LiveResources {
    /// CPU units.
    pub cpu: u32,
    /// MiB.
    pub memory: u32,
    /// Host ports that are *taken*, TCP.
    pub ports: BTreeSet<u16>,
    /// The same, UDP.
    pub ports_udp: BTreeSet<u16>,
    /// GPUs, by id.
    pub gpus: BTreeSet<String>,
}

/// A task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiveTask {
    /// Which.
    pub arn: TaskArn,
    /// `service:shop`, `family:batch`.
    pub group: String,
    /// Its revision.
    pub task_definition: TaskDefinitionArn,
    /// Where it is; none while it has no place.
    pub instance: Option<ContainerInstanceArn>,
    /// `PROVISIONING`, `PENDING`, `RUNNING`, …
    pub last_status: String,
    /// `RUNNING`, `STOPPED`.
    pub desired_status: String,
    /// `HEALTHY`, `UNHEALTHY`, `UNKNOWN`.
    pub health: String,
    /// Until when scale-in may not take it.
    pub protected_until: Option<Timestamp>,
    /// When it was asked for.
    pub created_at: Option<Timestamp>,
}

/// An Auto Scaling group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiveGroup {
    /// Which.
    pub name: AutoScalingGroupName,
    /// Never fewer.
    pub min: u32,
    /// Never more.
    pub max: u32,
    /// How many it is to have.
    pub desired: u32,
    /// Its tags: `windlass:cluster` gives Windlass its desired capacity, `windlass:instance-type`
    /// says what comes where nothing is there yet.
    pub tags: BTreeMap<String, String>,
    /// Its zones.
    pub zones: Vec<AvailabilityZone>,
    /// Its instances.
    pub instances: Vec<GroupInstance>,
    /// Types by its mixed instances policy, in their order of preference; empty without one.
    pub types: Vec<String>,
    /// Of a mixed instances policy: how many on demand first, and what percent of the rest.
    pub on_demand: Option<(u32, u32)>,
    /// The launch template's version that new instances get, where it is told.
    pub launch_template: Option<String>,
    /// Its newest launch, where that failed: read where it has fewer instances than it is to have.
    #[serde(default)]
    pub failed: Option<LaunchFailure>,
}

/// An instance of a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupInstance {
    /// Which.
    pub id: InstanceId,
    /// Where.
    pub zone: AvailabilityZone,
    /// `Pending`, `InService`, `Terminating:Wait`, …
    pub lifecycle: String,
    /// Its type.
    pub instance_type: Option<String>,
    /// Protected from the group's own scale-in.
    pub is_protected: bool,
    /// The launch template's version that it came from.
    pub launch_template: Option<String>,
}

/// A capacity provider of the cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiveProvider {
    /// Its name.
    pub name: String,
    /// The group behind it; none for `FARGATE` and managed instances.
    pub group: Option<AutoScalingGroupName>,
    /// ECS sets the group's desired capacity.
    pub managed_scaling: bool,
    /// ECS drains what the group terminates.
    pub managed_draining: bool,
    /// ECS protects instances with tasks from the group's scale-in.
    pub managed_protection: bool,
}

/// An alarm, with the newest value of its metric.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LiveAlarm {
    /// Its state.
    pub state: AlarmValue,
    /// Since when.
    pub since: Option<Timestamp>,
    /// `single`, `math`, `anomaly`, `composite`: a composite has no metric to follow.
    pub kind: AlarmKind,
    /// Its threshold; none of an anomaly band or a composite.
    pub threshold: Option<f64>,
    /// Whether it rings below its threshold.
    pub rings_below: bool,
    /// Whether its actions (and so Windlass's) are on, and no other alarm suppresses them.
    pub actions_enabled: bool,
    /// The newest value of what it watches, and when; read where a rule needs it.
    pub value: Fact<(Timestamp, f64)>,
}

/// What an alarm watches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlarmKind {
    /// One metric.
    Single,
    /// An expression.
    Math,
    /// A metric against a band.
    Anomaly,
    /// Other alarms.
    Composite,
}

// A value read from CloudWatch is never NaN, and facts are compared in tests only.
impl Eq for LiveAlarm {}

fn not_asked<T>() -> Fact<T> {
    Fact::NotAsked
}

impl CapacityFacts {
    /// Facts of which nothing was asked yet.
    pub fn not_asked(cluster: ClusterName) -> Self {
        Self {
            cluster,
            parameter: Fact::NotAsked,
            stops: Fact::NotAsked,
            services: Fact::NotAsked,
            instances: Fact::NotAsked,
            tasks: Fact::NotAsked,
            task_definitions: BTreeMap::new(),
            groups: Fact::NotAsked,
            providers: Fact::NotAsked,
            alarms: BTreeMap::new(),
            owned_elsewhere: Fact::NotAsked,
            protection: Fact::NotAsked,
            mutes: Fact::NotAsked,
            coming: BTreeMap::new(),
        }
    }
}
