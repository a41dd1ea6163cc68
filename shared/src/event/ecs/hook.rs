//! `ECS Hook State Change`: a PAUSE hook waits for a person, or went on.

use serde::{Deserialize, Serialize};

use super::super::edge;
use super::super::word::words;
use super::Severity;
use crate::id::{ClusterName, HookId, ServiceArn, ServiceDeploymentArn, ServiceKey, Timestamp};

words! {
    /// Where a hook is.
    HookEvent {
        /// Begun.
        InProgress = "HOOK_IN_PROGRESS",
        /// Waits for `ContinueServiceDeployment`.
        AwaitingAction = "HOOK_AWAITING_ACTION",
        /// Went on.
        Succeeded = "HOOK_SUCCEEDED",
        /// Rolls the deployment back.
        Failed = "HOOK_FAILED",
        /// Nobody answered in time.
        TimedOut = "HOOK_TIMED_OUT",
    }
    /// What a hook calls.
    HookType {
        /// Nothing: it waits for a person.
        Pause = "PAUSE",
        /// A function.
        AwsLambda = "AWS_LAMBDA",
    }
    /// Where in a rollout a hook stands. Hooks stand at seven of them; the others occur in
    /// `DescribeServiceDeployments`.
    LifecycleStage {
        /// Before a deployment, where another is still under way.
        ReconcileService = "RECONCILE_SERVICE",
        /// Before the new tasks.
        PreScaleUp = "PRE_SCALE_UP",
        /// The new tasks start.
        ScaleUp = "SCALE_UP",
        /// The new tasks are up, without traffic.
        PostScaleUp = "POST_SCALE_UP",
        /// Test traffic moves.
        TestTrafficShift = "TEST_TRAFFIC_SHIFT",
        /// Test traffic has moved.
        PostTestTrafficShift = "POST_TEST_TRAFFIC_SHIFT",
        /// Before a step of production traffic; once for each step of linear and canary.
        PreProductionTrafficShift = "PRE_PRODUCTION_TRAFFIC_SHIFT",
        /// A step of production traffic moves.
        ProductionTrafficShift = "PRODUCTION_TRAFFIC_SHIFT",
        /// All production traffic has moved.
        PostProductionTrafficShift = "POST_PRODUCTION_TRAFFIC_SHIFT",
        /// Both run; a rollback is still quick.
        BakeTime = "BAKE_TIME",
        /// The old tasks go.
        CleanUp = "CLEAN_UP",
    }
}

/// `ECS Hook State Change`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Hook {
    /// Where the hook is.
    #[serde(rename = "eventName")]
    pub name: HookEvent,
    /// How bad ECS finds it.
    #[serde(rename = "eventType", default)]
    pub severity: Option<Severity>,
    /// What `ContinueServiceDeployment` wants.
    #[serde(deserialize_with = "edge::named")]
    pub hook_id: HookId,
    /// What it calls.
    pub hook_type: HookType,
    /// Where in the rollout it stands.
    #[serde(rename = "lifecycleStage")]
    pub stage: LifecycleStage,
    /// Until when it waits.
    #[serde(default, deserialize_with = "edge::time")]
    pub expires_at: Option<Timestamp>,
    /// The cluster.
    #[serde(rename(deserialize = "clusterArn"), deserialize_with = "edge::cluster")]
    pub cluster: ClusterName,
    /// The service.
    pub service_arn: ServiceArn,
    /// The rollout, which `ContinueServiceDeployment` wants too.
    pub service_deployment_arn: ServiceDeploymentArn,
    /// In ECS's words.
    #[serde(default)]
    pub reason: Option<String>,
    /// When.
    #[serde(default, deserialize_with = "edge::time")]
    pub updated_at: Option<Timestamp>,
}

impl Hook {
    /// Which service.
    pub fn service(&self) -> Option<ServiceKey> {
        ServiceKey::from_service_arn(self.service_arn.as_str())
    }
}
