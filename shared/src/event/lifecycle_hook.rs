//! The payload with which ECS calls a lifecycle hook's function, and the reply that it
//! waits for. Not an EventBridge event: it has no envelope.
//!
//! Source: the developer guide's `lambda-lifecycle-hooks`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::ecs::LifecycleStage;
use super::word::words;
use crate::id::{ServiceArn, ServiceDeploymentArn, ServiceKey, ServiceRevisionArn};

words! {
    /// A hook's verdict.
    HookStatus {
        /// Go on.
        Succeeded = "SUCCEEDED",
        /// Roll back.
        Failed = "FAILED",
        /// Ask again later.
        InProgress = "IN_PROGRESS",
    }
}

/// ECS asks a hook for its verdict.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LifecycleHook {
    /// The same for every call of this hook at this stage.
    pub execution_id: String,
    /// Where in the rollout.
    #[serde(rename = "lifecycleStage")]
    pub stage: LifecycleStage,
    /// Which rollout.
    #[serde(rename = "resourceArn")]
    pub service_deployment: ServiceDeploymentArn,
    /// Which service, which revision, where the traffic is.
    #[serde(rename = "executionDetails")]
    pub details: ExecutionDetails,
    /// What the hook was configured with, or gave back with its last `IN_PROGRESS`: its own
    /// JSON, passed through.
    #[serde(default)]
    pub hook_details: Option<serde_json::Value>,
}

/// What a hook is told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExecutionDetails {
    /// The service.
    pub service_arn: ServiceArn,
    /// The revision that is rolled out.
    pub target_service_revision_arn: ServiceRevisionArn,
    /// Percent of the test traffic by revision; empty outside its stages.
    #[serde(default, deserialize_with = "super::edge::null_is_empty")]
    pub test_traffic_weights: BTreeMap<ServiceRevisionArn, f64>,
    /// Percent of the production traffic by revision; empty outside its stages.
    #[serde(default, deserialize_with = "super::edge::null_is_empty")]
    pub production_traffic_weights: BTreeMap<ServiceRevisionArn, f64>,
}

impl LifecycleHook {
    /// Which service.
    pub fn service(&self) -> Option<ServiceKey> {
        ServiceKey::from_service_arn(self.details.service_arn.as_str())
    }

    /// Whether this call is the way *back*. A rollback has no stage of its own: ECS calls
    /// the hooks of the two shift stages again, with the new revision at weight 0 and
    /// another at 100. Judging that call as a fresh validation would refuse the rollback.
    pub fn is_rollback(&self) -> bool {
        let weights = match self.stage {
            LifecycleStage::ProductionTrafficShift => &self.details.production_traffic_weights,
            LifecycleStage::TestTrafficShift => &self.details.test_traffic_weights,
            _ => return false,
        };
        let target = &self.details.target_service_revision_arn;
        let is_at = |weight: f64, percent: f64| (weight - percent).abs() < f64::EPSILON;
        weights.get(target).is_some_and(|weight| is_at(*weight, 0.0))
            && weights.iter().any(|(revision, weight)| revision != target && is_at(*weight, 100.0))
    }
}

/// The reply. A missing or misspelt `hookStatus` rolls the deployment back, so that it is
/// typed here.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HookReply {
    /// The verdict.
    pub hook_status: HookStatus,
    /// When to ask again, in seconds (30 where it is left out).
    #[serde(rename = "callBackDelay", default, skip_serializing_if = "Option::is_none")]
    pub call_back_delay_secs: Option<u32>,
    /// What to pass to the next call; only with `IN_PROGRESS`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hook_details: Option<serde_json::Value>,
}

impl HookReply {
    /// Go on.
    pub fn succeeded() -> Self {
        Self { hook_status: HookStatus::Succeeded, call_back_delay_secs: None, hook_details: None }
    }

    /// Roll back.
    pub fn failed() -> Self {
        Self { hook_status: HookStatus::Failed, call_back_delay_secs: None, hook_details: None }
    }

    /// Ask again in so many seconds, and pass this along.
    pub fn ask_again(delay_secs: u32, details: Option<serde_json::Value>) -> Self {
        Self {
            hook_status: HookStatus::InProgress,
            call_back_delay_secs: Some(delay_secs),
            hook_details: details,
        }
    }
}
