//! A rollback, or the end of a rollout that was given up.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::id::{Actor, ImageDigest};

/// A rollback, or the end of a rollout that was given up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "note")]
pub enum RollbackNote {
    /// A person rolled back; this holds until something newer is pushed.
    Pinned {
        /// What is wanted.
        to: ImageDigest,
        /// What it left.
        left: ImageDigest,
        /// Who.
        by: Actor,
        /// Why.
        reason: String,
    },
}

impl RollbackNote {
    /// Whether a person has to do something before this service goes on.
    pub fn needs_a_person(&self) -> bool {
        match self {
            Self::Pinned { .. } => false,
        }
    }

    /// Whether the sweep should look again although nothing rings.
    pub fn leaves_open(&self) -> bool {
        match self {
            Self::Pinned { .. } => false,
        }
    }
}

impl fmt::Display for RollbackNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pinned { to, left, by, reason } => write!(
                f,
                "rolled back by {by} ({reason}): {} is wanted until something newer than {} is pushed",
                to.short(),
                left.short()
            ),
        }
    }
}
