//! `ECS Service Action`: what the service scheduler did, or could not do.

use serde::{Deserialize, Serialize};

use super::super::edge;
use super::super::word::words;
use super::Severity;
use crate::id::{
    CapacityProviderArn, ClusterName, ContainerInstanceArn, InstanceId, TargetGroupArn, TaskArn, Timestamp,
};

words! {
    /// What happened to a service.
    ServiceEvent {
        /// All is as wanted. Repeats every few hours.
        SteadyState = "SERVICE_STEADY_STATE",
        /// The same for a task set.
        TasksetSteadyState = "TASKSET_STEADY_STATE",
        /// The same for a capacity provider.
        CapacityProviderSteadyState = "CAPACITY_PROVIDER_STEADY_STATE",
        /// Application Auto Scaling changed the desired count; a person's change is silent.
        DesiredCountUpdated = "SERVICE_DESIRED_COUNT_UPDATED",
        /// Tasks were stopped.
        TasksStopped = "TASKS_STOPPED",
        /// A deployment was begun.
        DeploymentInProgress = "SERVICE_DEPLOYMENT_IN_PROGRESS",
        /// A deployment is done.
        DeploymentCompleted = "SERVICE_DEPLOYMENT_COMPLETED",
        /// A deployment failed.
        DeploymentFailed = "SERVICE_DEPLOYMENT_FAILED",
        /// Tasks do not start, again and again.
        TaskStartImpaired = "SERVICE_TASK_START_IMPAIRED",
        /// A target of service discovery is not well.
        DiscoveryInstanceUnhealthy = "SERVICE_DISCOVERY_INSTANCE_UNHEALTHY",
        /// A target of VPC Lattice is not well.
        LatticeTargetUnhealthy = "VPC_LATTICE_TARGET_UNHEALTHY",
        /// A daemon's placement constraint no longer holds.
        DaemonPlacementConstraintViolated = "SERVICE_DAEMON_PLACEMENT_CONSTRAINT_VIOLATED",
        /// ECS was throttled by another service.
        OperationThrottled = "ECS_OPERATION_THROTTLED",
        /// The same by Cloud Map.
        DiscoveryOperationThrottled = "SERVICE_DISCOVERY_OPERATION_THROTTLED",
        /// A task finds no place; the reason says what lacks (`RESOURCE:CPU`).
        TaskPlacementFailure = "SERVICE_TASK_PLACEMENT_FAILURE",
        /// A task cannot be made from what is configured.
        TaskConfigurationFailure = "SERVICE_TASK_CONFIGURATION_FAILURE",
        /// ECS cannot read its tasks' health.
        HealthUnknown = "SERVICE_HEALTH_UNKNOWN",
    }
}

impl ServiceEvent {
    /// Whether it can change what a deploy pass finds: a rollout's progress, its end, or why
    /// it does not get on.
    pub fn concerns_a_rollout(&self) -> bool {
        match self {
            Self::SteadyState
            | Self::TasksStopped
            | Self::DeploymentInProgress
            | Self::DeploymentCompleted
            | Self::DeploymentFailed
            | Self::TaskStartImpaired
            | Self::TaskPlacementFailure
            | Self::TaskConfigurationFailure
            | Self::DaemonPlacementConstraintViolated => true,
            Self::TasksetSteadyState
            | Self::CapacityProviderSteadyState
            | Self::DesiredCountUpdated
            | Self::DiscoveryInstanceUnhealthy
            | Self::LatticeTargetUnhealthy
            | Self::OperationThrottled
            | Self::DiscoveryOperationThrottled
            | Self::HealthUnknown
            | Self::Other(_) => false,
        }
    }
}

/// `ECS Service Action`. The service is in the envelope's `resources[0]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceAction {
    /// What happened.
    #[serde(rename = "eventName")]
    pub name: ServiceEvent,
    /// How bad ECS finds it.
    #[serde(rename = "eventType")]
    pub severity: Severity,
    /// The cluster.
    #[serde(rename(deserialize = "clusterArn"), deserialize_with = "edge::cluster")]
    pub cluster: ClusterName,
    /// In ECS's words: `RESOURCE:CPU`.
    #[serde(default)]
    pub reason: Option<String>,
    /// What the desired count is now.
    #[serde(default)]
    pub desired_count: Option<u32>,
    /// Capacity providers that it is about.
    #[serde(default, deserialize_with = "edge::null_is_empty")]
    pub capacity_provider_arns: Vec<CapacityProviderArn>,
    /// Instances that it is about: those without place.
    #[serde(default, deserialize_with = "edge::null_is_empty")]
    pub container_instance_arns: Vec<ContainerInstanceArn>,
    /// The same by their EC2 ids.
    #[serde(default, deserialize_with = "edge::null_is_empty")]
    pub ec2_instance_ids: Vec<InstanceId>,
    /// Tasks that it is about.
    #[serde(default, deserialize_with = "edge::null_is_empty")]
    pub task_arns: Vec<TaskArn>,
    /// Target groups that it is about.
    #[serde(default, deserialize_with = "edge::null_is_empty")]
    pub target_group_arns: Vec<TargetGroupArn>,
    /// When.
    #[serde(default, deserialize_with = "edge::time")]
    pub created_at: Option<Timestamp>,
}
