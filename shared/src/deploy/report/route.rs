//! The listener's rules.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::id::ServiceKey;

/// The listener's rules.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "note")]
pub enum RouteNote {
    /// Another service's rule matches the same requests.
    Conflict {
        /// The other service.
        with: ServiceKey,
        /// The conditions that both have.
        conditions: String,
    },
}

impl RouteNote {
    /// Whether a person has to do something before this service goes on.
    pub fn needs_a_person(&self) -> bool {
        match self {
            Self::Conflict { .. } => true,
        }
    }

    /// Whether the sweep should look again although nothing rings.
    pub fn leaves_open(&self) -> bool {
        match self {
            Self::Conflict { .. } => true,
        }
    }
}

impl fmt::Display for RouteNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Conflict { with, conditions } => write!(
                f,
                "refused: {with} has a rule for the same requests ({conditions}); change the route of one of them"
            ),
        }
    }
}
