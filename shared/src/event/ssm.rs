//! `Parameter Store Change`: a spec was written, changed or deleted.

use serde::{Deserialize, Serialize};

use super::edge;
use super::word::words;
use crate::id::{ClusterName, ServiceKey};

/// Where specs live: `/windlass/services/<cluster>/<service>`.
pub const PARAMETER_PREFIX: &str = "/windlass/services/";

words! {
    /// What was done to a parameter.
    ParameterOperation {
        /// Made.
        Create = "Create",
        /// Given a new value.
        Update = "Update",
        /// Deleted.
        Delete = "Delete",
        /// A version got a label; the value is as it was.
        LabelParameterVersion = "LabelParameterVersion",
    }
}

/// `Parameter Store Change`. It never carries the value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ParameterChange {
    /// What was done.
    pub operation: ParameterOperation,
    /// The parameter's name, with its path.
    #[serde(deserialize_with = "edge::named")]
    pub name: String,
    /// `String`, `StringList`, `SecureString`.
    #[serde(rename = "type", default)]
    pub kind: Option<String>,
    /// The person's own words.
    #[serde(default)]
    pub description: Option<String>,
    /// `text`, or a type that SSM validates.
    #[serde(default)]
    pub data_type: Option<String>,
    /// Why SSM refused the value after it was put (validated types only).
    #[serde(default)]
    pub exception: Option<String>,
}

impl ParameterChange {
    /// The cluster whose spec the parameter holds.
    pub fn cluster(&self) -> Option<ClusterName> {
        crate::spec::cluster_from_parameter_name(&self.name)
    }

    /// The service whose spec the parameter holds.
    pub fn service(&self) -> Option<ServiceKey> {
        self.name.strip_prefix(PARAMETER_PREFIX)?.parse().ok()
    }
}
