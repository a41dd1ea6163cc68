//! Where a spec came from, and which of the three places counts: the first that has one.

use serde::{Deserialize, Serialize};

use super::ServiceSpec;

/// What is wanted of a service, and who said so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wanted {
    /// Who said so.
    pub origin: Origin,
    /// What.
    pub spec: ServiceSpec,
}

/// Where a spec came from. The first that has one counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "from")]
pub enum Origin {
    /// The SSM parameter.
    Parameter {
        /// `/windlass/services/<cluster>/<service>`.
        name: String,
        /// Parameter Store's version.
        version: i64,
    },
    /// The tag `windlass:track` on the ECS service: only its image is ours.
    Tag,
    /// The image's labels.
    Labels,
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Parameter { name, version } => write!(f, "parameter {name}, version {version}"),
            Self::Tag => f.write_str("tag windlass:track"),
            Self::Labels => f.write_str("labels of the image"),
        }
    }
}
