//! How Windlass's own canary goes.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How Windlass's own canary goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "note")]
pub enum CanaryNote {
    /// It carries a share of the requests.
    AtStep {
        /// From 1.
        step: usize,
        /// Of how many.
        of: usize,
        /// The share: `2 %`.
        share: String,
        /// What it waits for.
        waits_for: String,
    },
}

impl CanaryNote {
    /// Whether a person has to do something before this service goes on.
    pub fn needs_a_person(&self) -> bool {
        match self {
            Self::AtStep { .. } => false,
        }
    }

    /// Whether the sweep should look again although nothing rings.
    pub fn leaves_open(&self) -> bool {
        match self {
            Self::AtStep { .. } => false,
        }
    }
}

impl fmt::Display for CanaryNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtStep { step, of, share, waits_for } => {
                write!(f, "canary: step {step} of {of}, {share}; {waits_for}")
            }
        }
    }
}
