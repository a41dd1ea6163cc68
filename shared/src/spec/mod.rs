//! What is wanted of one service: [`ServiceSpec`], and the three places it may come from.
//!
//! | module | holds |
//! |---|---|
//! | [`task`] | the task definition, only where Windlass makes the service |
//! | [`route`] | the listener's rule and the target group |
//! | [`rollout`] | how a new image replaces the old one |
//! | [`gates`] | what must be well before, during and after: checks, scans, a task beforehand, another service |
//! | [`scaling`] | how many tasks, by which alarms and when |
//! | [`freeze`] | when nothing is rolled out |
//! | [`tag`], [`labels`] | the two other forms: on a service that exists, in an image |
//! | [`wanted`] | which of the three counts |
//!
//! Every section is typed and checked.
//!
//! It does not know SSM, ECS or a registry: text, tags and labels come in as values.

pub mod capacity;
mod check;
pub mod cluster;
mod parse;
mod problem;
mod schema;
mod tree;

#[cfg(test)]
mod tests;

pub mod freeze;
pub mod gates;
pub mod import;
pub mod labels;
pub mod number;
pub mod rollout;
pub mod route;
pub mod scaling;
pub mod tag;
pub mod task;
pub mod wanted;

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use cluster::{ClusterSpec, cluster_from_parameter_name, cluster_parameter_name, is_of_cluster};
pub use freeze::{Cron, FreezeWindow, TimeZoneName};
pub use gates::{
    After, CompareSpec, FollowBy, HttpCheck, PreDeploySpec, ScanGate, Severity, Unscanned, VerifySpec,
};
pub use labels::{GuardRails, LabelProblem, LabelRefusal, from_labels};
pub use number::{Finite, Percent};
pub use problem::{Problem, ProblemKind, SpecError};
pub use rollout::{
    Approval, ApprovalBefore, BreakerThreshold, CanaryController, CanaryStep, OnTimeout, RolloutSpec,
    Strategy, TestRoute,
};
pub use route::{HealthSpec, Priority, Rewrite, RewriteOf, RouteRule, RouteSpec, Stickiness};
pub use scaling::ScalingSpec;
pub use schema::{cluster_json_schema, json_schema};
pub use tag::{CONTAINERS_TAG, TRACK_TAG, TagError, Tracked, from_tags};
pub use task::{LogSpec, NetworkMode, TaskArchitecture, TaskSpec};
pub use wanted::{Labelled, Origin, Unresolved, Wanted, resolve};

use crate::id::{ClusterName, ContainerName, RepositoryName, ServiceKey, ServiceName};
use crate::image::Policy;

/// What is wanted of one service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ServiceSpec {
    /// The cluster's short name. In a file for `windlass apply`; in a parameter its name says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<ClusterName>,
    /// The service's short name. In a file for `windlass apply`; in a parameter its name says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<ServiceName>,
    /// Which image.
    pub image: ImageSpec,
    /// The task, where Windlass makes the service. Without it the service must exist, and
    /// everything but its image is cloned from its live revision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<TaskSpec>,
    /// Tasks that a service starts with when Windlass makes it; later scaling decides.
    #[serde(default = "default_desired")]
    pub desired: u32,
    /// Subnets and security groups, for tasks in awsvpc mode.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<Network>,
    /// Its way through the load balancer; without it the service has none of ours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub route: Option<RouteSpec>,
    /// How a new image replaces the old one. Left out, a service that exists keeps its own
    /// settings and a new one gets the defaults: see [`ServiceSpec::rollout_or_default`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollout: Option<RolloutSpec>,
    /// What a new revision must show before it gets all requests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verify: Option<VerifySpec>,
    /// A task that runs once for each digest before its rollout: a migration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pre_deploy: Option<PreDeploySpec>,
    /// The worst vulnerability that an image may have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scan: Option<ScanGate>,
    /// How many tasks, by which alarms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scaling: Option<ScalingSpec>,
    /// When nothing is rolled out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub freeze: Vec<FreezeWindow>,
    /// Another service whose digests this one follows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<After>,
    /// How many of the task definition's revisions that Windlass registered stay, beside those
    /// that run or that a rollback needs: 1 to 100. Left out, the cluster's file says; where that
    /// says nothing, all stay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep_revisions: Option<u32>,
}

fn default_desired() -> u32 {
    1
}

/// Which image, and which containers carry it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ImageSpec {
    /// The ECR repository's name, with its slashes. Another account's begins with its registry, which is in
    /// the stack's Region: `111122223333.dkr.ecr.eu-central-1.amazonaws.com/shop`.
    pub repository: RepositoryName,
    /// Which of its images.
    #[serde(default)]
    pub policy: Policy,
    /// The containers that are tracked. Left out: those whose image is of the repository,
    /// or the only one there is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub containers: Vec<ContainerName>,
}

/// Subnets and security groups for tasks in awsvpc mode. ECS takes at most 16 and 5
/// (quotas of `awsvpcConfiguration`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Network {
    /// Subnet ids.
    pub subnets: Vec<String>,
    /// Security group ids.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub security_groups: Vec<String>,
}

impl ServiceSpec {
    /// A spec that wants this image and leaves everything else as it is: what the tag
    /// `windlass:track` on a service that exists says.
    pub fn of_image(image: ImageSpec) -> Self {
        Self {
            cluster: None,
            service: None,
            image,
            task: None,
            desired: default_desired(),
            network: None,
            route: None,
            rollout: None,
            verify: None,
            pre_deploy: None,
            scan: None,
            scaling: None,
            freeze: Vec::new(),
            after: None,
            keep_revisions: None,
        }
    }

    /// The alarms that a rollout looks at: of `rollout` and of `verify`.
    pub fn alarm_names(&self) -> BTreeSet<String> {
        let rollout = self.rollout.iter().flat_map(|rollout| &rollout.alarms);
        rollout.chain(self.verify.iter().flat_map(|verify| &verify.alarms)).cloned().collect()
    }

    /// Whether its rollouts take a second target group, by ECS or by Windlass.
    pub fn has_two_groups(&self) -> bool {
        self.rollout.as_ref().is_some_and(|rollout| rollout.strategy != Strategy::Rolling)
    }

    /// The rollout section, or its defaults. For making a service; one that exists keeps
    /// its settings where [`Self::rollout`] is `None`.
    pub fn rollout_or_default(&self) -> RolloutSpec {
        self.rollout.clone().unwrap_or_default()
    }
}

/// Where Parameter Store keeps specs.
const PARAMETER_PREFIX: &str = "/windlass/services/";

/// The name of the SSM parameter that holds a service's spec:
/// `/windlass/services/<cluster>/<service>`.
pub fn parameter_name(key: &ServiceKey) -> String {
    format!("{PARAMETER_PREFIX}{}/{}", key.cluster, key.service)
}

/// The service whose spec a parameter holds; `None` for any other parameter.
pub fn key_from_parameter_name(name: &str) -> Option<ServiceKey> {
    name.strip_prefix(PARAMETER_PREFIX)?.parse().ok()
}
