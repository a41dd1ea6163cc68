//! `ECS Container Instance State Change`: sent on every placement and on every reconnect of
//! the agent, several times an hour.

use serde::{Deserialize, Serialize};

use super::super::edge;
use super::super::word::words;
use crate::id::{ClusterName, ContainerInstanceArn, InstanceId, Timestamp};

words! {
    /// Where an instance is.
    ContainerInstanceStatus {
        /// Comes; its network is being trunked.
        Registering = "REGISTERING",
        /// Takes tasks, where its agent is connected too.
        Active = "ACTIVE",
        /// Takes no more tasks, and gives its service tasks away.
        Draining = "DRAINING",
        /// Goes.
        Deregistering = "DEREGISTERING",
        /// Could not come.
        RegistrationFailed = "REGISTRATION_FAILED",
        /// Gone.
        Inactive = "INACTIVE",
    }
}

/// `ECS Container Instance State Change`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ContainerInstance {
    /// Which.
    pub container_instance_arn: ContainerInstanceArn,
    /// Its cluster.
    #[serde(rename(deserialize = "clusterArn"), deserialize_with = "edge::cluster")]
    pub cluster: ClusterName,
    /// The EC2 instance; none for an external one.
    #[serde(default)]
    pub ec2_instance_id: Option<InstanceId>,
    /// Where it is.
    pub status: ContainerInstanceStatus,
    /// Why, in ECS's words.
    #[serde(default)]
    pub status_reason: Option<String>,
    /// Whether its agent is connected: without, no task can start there.
    pub agent_connected: bool,
    /// The capacity provider that it came from.
    #[serde(default)]
    pub capacity_provider_name: Option<String>,
    /// What it has. Ports are the *reserved* ones.
    #[serde(default, deserialize_with = "edge::null_is_empty")]
    pub registered_resources: Vec<Resource>,
    /// What is left of it.
    #[serde(default, deserialize_with = "edge::null_is_empty")]
    pub remaining_resources: Vec<Resource>,
    /// What it can do.
    #[serde(default, deserialize_with = "edge::null_is_empty")]
    pub attributes: Vec<Attribute>,
    /// Grows with every change; a second delivery has the same.
    pub version: u64,
    /// When.
    #[serde(default, deserialize_with = "edge::time")]
    pub updated_at: Option<Timestamp>,
}

/// An attribute of an instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attribute {
    /// `ecs.availability-zone`.
    pub name: String,
    /// Its value; many have none.
    #[serde(default)]
    pub value: Option<String>,
}

/// A resource of an instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "RawResource")]
pub struct Resource {
    /// `CPU`, `MEMORY`, `PORTS`, `PORTS_UDP`, `GPU`.
    pub name: String,
    /// How much.
    pub amount: ResourceAmount,
}

/// How much of a resource.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResourceAmount {
    /// CPU units, MiB.
    Count(i64),
    /// Ports, GPU ids.
    Names(Vec<String>),
    /// In a form that Windlass does not use.
    Untold,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawResource {
    name: String,
    #[serde(rename = "type", default)]
    _kind: Option<String>,
    #[serde(default)]
    integer_value: Option<i64>,
    #[serde(default)]
    long_value: Option<i64>,
    #[serde(rename = "doubleValue", default)]
    _double_value: Option<f64>,
    #[serde(default)]
    string_set_value: Option<Vec<String>>,
}

impl From<RawResource> for Resource {
    fn from(raw: RawResource) -> Self {
        // ECS may send the unused forms along as zeros: the set, where there is one, counts.
        let amount = match (raw.string_set_value, raw.integer_value.or(raw.long_value)) {
            (Some(names), _) => ResourceAmount::Names(names),
            (None, Some(count)) => ResourceAmount::Count(count),
            (None, None) => ResourceAmount::Untold,
        };
        Self { name: raw.name, amount }
    }
}
