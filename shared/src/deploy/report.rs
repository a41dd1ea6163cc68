//! Reasons: everything that a pass decided not to do, or wants a person to know.

use serde::{Deserialize, Serialize};

/// One thing that a pass reports. The words are [`Note`]'s `Display`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "note")]
pub enum Note {
    /// (placeholder while the planner is being written)
    Quiet,
}
