//! `ECS Task State Change`: as `DescribeTasks` has it, with ISO times and without health.

use serde::{Deserialize, Serialize};

use super::super::ecr::EventDigest;
use super::super::edge;
use super::super::word::words;
use crate::id::{
    ClusterName, ContainerInstanceArn, ContainerName, DeploymentId, ServiceKey, TaskArn, TaskDefinitionArn,
    Timestamp,
};
use crate::names;

words! {
    /// Where a task is in its life.
    TaskStatus {
        /// Waits for capacity.
        Provisioning = "PROVISIONING",
        /// Placed; images are pulled, containers made.
        Pending = "PENDING",
        /// Containers run; the target group learns of it.
        Activating = "ACTIVATING",
        /// Runs.
        Running = "RUNNING",
        /// Leaves the target group.
        Deactivating = "DEACTIVATING",
        /// Has been asked to stop.
        Stopping = "STOPPING",
        /// Gives its network interface back.
        Deprovisioning = "DEPROVISIONING",
        /// Stopped.
        Stopped = "STOPPED",
        /// Removed from ECS's memory.
        Deleted = "DELETED",
    }
    /// Why a task was stopped.
    StopCode {
        /// A container without which the task cannot be ended.
        EssentialContainerExited = "EssentialContainerExited",
        /// The instance failed.
        InfrastructureHealth = "InfrastructureHealth",
        /// The service's scheduler: a rollout, a smaller count, a failed health check.
        ServiceSchedulerInitiated = "ServiceSchedulerInitiated",
        /// AWS took the spot capacity back.
        SpotInterruption = "SpotInterruption",
        /// It never started: no image, no secret, no place for its volume.
        TaskFailedToStart = "TaskFailedToStart",
        /// The instance is terminated.
        TerminationNotice = "TerminationNotice",
        /// A person or a program called `StopTask`.
        UserInitiated = "UserInitiated",
    }
}

/// `ECS Task State Change`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Task {
    /// Which task.
    pub task_arn: TaskArn,
    /// Its cluster.
    #[serde(rename(deserialize = "clusterArn"), deserialize_with = "edge::cluster")]
    pub cluster: ClusterName,
    /// The revision that it runs.
    pub task_definition_arn: TaskDefinitionArn,
    /// `service:<name>`, or `family:<name>` for a task that belongs to none.
    #[serde(default)]
    pub group: Option<String>,
    /// Who started it: a deployment's id for a service's task.
    #[serde(default)]
    pub started_by: Option<String>,
    /// Where it is.
    pub last_status: TaskStatus,
    /// Where it shall go.
    pub desired_status: TaskStatus,
    /// Why it was stopped.
    #[serde(default)]
    pub stop_code: Option<StopCode>,
    /// The same in ECS's words.
    #[serde(default)]
    pub stopped_reason: Option<String>,
    /// Its containers; ones that others put in (`GuardDuty`'s agent) have no image.
    #[serde(default, deserialize_with = "edge::null_is_empty")]
    pub containers: Vec<TaskContainer>,
    /// The instance that it is on; none on Fargate, nor before it was placed.
    #[serde(default)]
    pub container_instance_arn: Option<ContainerInstanceArn>,
    /// The capacity provider's name, where one placed it.
    #[serde(default)]
    pub capacity_provider_name: Option<String>,
    /// `EC2`, `FARGATE`, `EXTERNAL`.
    #[serde(default)]
    pub launch_type: Option<String>,
    /// The instance's zone.
    #[serde(default)]
    pub availability_zone: Option<String>,
    /// Grows with every change; a second delivery has the same.
    pub version: u64,
    /// When it was asked for.
    #[serde(default, deserialize_with = "edge::time")]
    pub created_at: Option<Timestamp>,
    /// When it ran.
    #[serde(default, deserialize_with = "edge::time")]
    pub started_at: Option<Timestamp>,
    /// When it ended.
    #[serde(default, deserialize_with = "edge::time")]
    pub stopped_at: Option<Timestamp>,
    /// When it changed.
    #[serde(default, deserialize_with = "edge::time")]
    pub updated_at: Option<Timestamp>,
}

/// A container of a task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TaskContainer {
    /// Its name in the task definition.
    #[serde(default)]
    pub name: Option<ContainerName>,
    /// The image as the task definition has it.
    #[serde(default)]
    pub image: Option<String>,
    /// What ECS resolved it to; for ECR's images only, so say the docs.
    #[serde(default)]
    pub image_digest: Option<EventDigest>,
    /// Where it is.
    #[serde(default)]
    pub last_status: Option<TaskStatus>,
    /// How its process ended.
    #[serde(default)]
    pub exit_code: Option<i64>,
    /// Why it is not well, in ECS's words.
    #[serde(default)]
    pub reason: Option<String>,
    /// CPU units; ECS writes them as text, and the text `"null"` for none.
    #[serde(default, deserialize_with = "edge::number_in_text")]
    pub cpu: Option<u32>,
    /// MiB, in the same way.
    #[serde(default, deserialize_with = "edge::number_in_text")]
    pub memory: Option<u32>,
    /// The ports that it got on its instance.
    #[serde(default, deserialize_with = "edge::null_is_empty")]
    pub network_bindings: Vec<NetworkBinding>,
}

/// A container's port on its instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NetworkBinding {
    /// The address it listens on.
    #[serde(rename = "bindIP", default)]
    pub bind_ip: Option<String>,
    /// The container's port.
    #[serde(default)]
    pub container_port: Option<u16>,
    /// The instance's port.
    #[serde(default)]
    pub host_port: Option<u16>,
    /// `tcp`, `udp`.
    #[serde(default)]
    pub protocol: Option<String>,
}

impl Task {
    /// The service that it belongs to; `None` for a standalone task.
    pub fn service(&self) -> Option<ServiceKey> {
        let name = self.group.as_deref()?.strip_prefix("service:")?;
        (!name.is_empty() && !name.contains('/')).then(|| ServiceKey::new(self.cluster.clone(), name))
    }

    /// The service before whose rollout it ran, where Windlass started it for one.
    pub fn before_rollout_of(&self) -> Option<ServiceKey> {
        let service = names::pre_deploy_service(self.started_by.as_deref()?)?;
        Some(ServiceKey::new(self.cluster.clone(), service))
    }

    /// The deployment that started it.
    pub fn deployment(&self) -> Option<DeploymentId> {
        self.started_by.as_deref().filter(|by| by.starts_with("ecs-svc/")).map(DeploymentId::from)
    }
}
