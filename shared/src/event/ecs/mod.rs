//! ECS's events: at least once, out of order, with fields added without notice.
//!
//! Source: the developer guide's pages `ecs_cwe_events`, `ecs_service_deployment_events`,
//! `ecs_service_events`, `ecs_task_events`, `ecs_hook_state_change_events`, and the
//! EventBridge schemas of `aws.ecs`. Task and container-instance events carry a `version`
//! that grows with the resource; the others carry none.

mod container_instance;
mod deployment;
mod hook;
mod service_action;
mod task;

pub use container_instance::{
    Attribute, ContainerInstance, ContainerInstanceStatus, Resource, ResourceAmount,
};
pub use deployment::{Deployment, DeploymentEvent};
pub use hook::{Hook, HookEvent, HookType, LifecycleStage};
pub use service_action::{ServiceAction, ServiceEvent};
pub use task::{NetworkBinding, StopCode, Task, TaskContainer, TaskStatus};

use super::word::words;

words! {
    /// How bad ECS finds an event.
    Severity {
        /// As it should be.
        Info = "INFO",
        /// To be watched.
        Warn = "WARN",
        /// Something failed.
        Error = "ERROR",
    }
}
