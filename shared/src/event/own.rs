//! Windlass's own event: the doorbell that `windlass ring` puts.

use serde::{Deserialize, Serialize};

use super::edge;
use crate::id::{Actor, ClusterName, ServiceKey, ServiceName};

/// The detail of a `Windlass Doorbell`: look at this service now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Doorbell {
    /// The cluster's short name.
    #[serde(deserialize_with = "edge::cluster")]
    pub cluster: ClusterName,
    /// The service's short name.
    #[serde(deserialize_with = "edge::named")]
    pub service: ServiceName,
    /// Why, in the person's words.
    #[serde(default)]
    pub reason: Option<String>,
    /// Who.
    #[serde(default)]
    pub by: Option<Actor>,
}

impl Doorbell {
    /// The event's `source`, as `PutEvents` and the rule have it.
    pub const SOURCE: &str = "windlass";
    /// The event's `detail-type`.
    pub const DETAIL_TYPE: &str = "Windlass Doorbell";

    /// Which service.
    pub fn key(&self) -> ServiceKey {
        ServiceKey { cluster: self.cluster.clone(), service: self.service.clone() }
    }
}

/// The detail of a `Windlass Cluster Doorbell`: look at this cluster's capacity now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterDoorbell {
    /// The cluster's short name.
    #[serde(deserialize_with = "edge::cluster")]
    pub cluster: ClusterName,
    /// Why, in the person's words, or the pass's.
    #[serde(default)]
    pub reason: Option<String>,
    /// Who.
    #[serde(default)]
    pub by: Option<Actor>,
}

impl ClusterDoorbell {
    /// The event's `source`.
    pub const SOURCE: &str = Doorbell::SOURCE;
    /// The event's `detail-type`.
    pub const DETAIL_TYPE: &str = "Windlass Cluster Doorbell";
}
