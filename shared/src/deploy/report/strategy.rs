//! How a rollout by ECS's own strategies goes.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How a rollout by ECS's own strategies goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "note")]
pub enum StrategyNote {
    /// ECS is shifting requests: the rule is ECS's until it has ended.
    Shifting {
        /// ECS's lifecycle stage.
        stage: String,
    },
}

impl StrategyNote {
    /// Whether a person has to do something before this service goes on.
    pub fn needs_a_person(&self) -> bool {
        match self {
            Self::Shifting { .. } => false,
        }
    }

    /// Whether the sweep should look again although nothing rings.
    pub fn leaves_open(&self) -> bool {
        match self {
            Self::Shifting { .. } => false,
        }
    }
}

impl fmt::Display for StrategyNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shifting { stage } => {
                write!(f, "rolling out: ECS is at {stage}; the rule is left alone until it has ended")
            }
        }
    }
}
