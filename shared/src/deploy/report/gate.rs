//! What stands before a rollout: stops, freezes, questions, scans, tasks beforehand.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::id::{Actor, ImageDigest, Timestamp};

/// What stands before a rollout: stops, freezes, questions, scans, tasks beforehand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "note")]
pub enum GateNote {
    /// A person stopped everything, or the cluster.
    Stopped {
        /// `everywhere`, or the cluster's name.
        scope: String,
        /// Who.
        by: Actor,
        /// Why.
        reason: String,
        /// Since when.
        since: Timestamp,
        /// What would be rolled out.
        would: ImageDigest,
    },
}

impl GateNote {
    /// Whether a person has to do something before this service goes on.
    pub fn needs_a_person(&self) -> bool {
        match self {
            Self::Stopped { .. } => true,
        }
    }

    /// Whether the sweep should look again although nothing rings.
    pub fn leaves_open(&self) -> bool {
        match self {
            Self::Stopped { .. } => true,
        }
    }
}

impl fmt::Display for GateNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stopped { scope, by, reason, since, would } => write!(
                f,
                "held: {scope} is stopped by {by} since {since} ({reason}); would roll out {}; `windlass start` ends it, `windlass ring SERVICE --force --reason …` passes it by once",
                would.short()
            ),
        }
    }
}
