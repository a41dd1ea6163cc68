//! EC2's two warnings about spot instances, at best effort.

use serde::{Deserialize, Serialize};

use super::edge;
use super::word::words;
use crate::id::InstanceId;

words! {
    /// What AWS will do to the instance.
    InstanceAction {
        /// Sleep.
        Hibernate = "hibernate",
        /// Stop.
        Stop = "stop",
        /// End.
        Terminate = "terminate",
    }
}

/// `EC2 Spot Instance Interruption Warning`. The instance is in the detail: the ARN in
/// `resources` has its zone where a Region belongs, and no account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct SpotWarning {
    /// Which instance.
    #[serde(deserialize_with = "edge::named")]
    pub instance_id: InstanceId,
    /// What will be done to it, in two minutes.
    #[serde(rename = "instance-action")]
    pub action: InstanceAction,
}

/// `EC2 Instance Rebalance Recommendation`: this instance is likelier than others to be
/// taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Rebalance {
    /// Which instance.
    #[serde(deserialize_with = "edge::named")]
    pub instance_id: InstanceId,
}
