//! `ECS Deployment State Change`.

use serde::{Deserialize, Serialize};

use super::super::edge;
use super::super::word::words;
use super::Severity;
use crate::id::{DeploymentId, Timestamp};

words! {
    /// Where a deployment is.
    DeploymentEvent {
        /// Begun; a rollback is a second one of these, with its reason.
        InProgress = "SERVICE_DEPLOYMENT_IN_PROGRESS",
        /// Done.
        Completed = "SERVICE_DEPLOYMENT_COMPLETED",
        /// Failed. Sent only with the circuit breaker or deployment alarms.
        Failed = "SERVICE_DEPLOYMENT_FAILED",
    }
}

/// `ECS Deployment State Change`. It names neither cluster nor service: they are in the
/// envelope's `resources[0]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Deployment {
    /// Where the deployment is.
    #[serde(rename = "eventName")]
    pub name: DeploymentEvent,
    /// How bad ECS finds it.
    #[serde(rename = "eventType")]
    pub severity: Severity,
    /// Which deployment: `Service.deployments[].id`, `Task.startedBy`.
    #[serde(deserialize_with = "edge::named")]
    pub deployment_id: DeploymentId,
    /// In ECS's words.
    #[serde(default)]
    pub reason: Option<String>,
    /// When.
    #[serde(default, deserialize_with = "edge::time")]
    pub updated_at: Option<Timestamp>,
}

impl Deployment {
    /// Whether this deployment is ECS's way back from one that failed.
    pub fn is_rollback(&self) -> bool {
        self.reason.as_deref().is_some_and(|reason| reason.contains("rolling back to"))
    }
}
