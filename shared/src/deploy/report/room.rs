//! What room for a rollout's tasks has to do with it.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::id::{ImageDigest, Timestamp};

/// What room for a rollout's tasks has to do with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "note")]
pub enum RoomNote {
    /// It waits for room.
    Waits {
        /// What would be rolled out.
        would: ImageDigest,
        /// How many tasks it starts beside the old ones.
        tasks: u32,
        /// For how many of them there is room.
        placed: u32,
        /// Which resource is short, on which instances.
        why: String,
        /// Who brings room: `nodes: 1 more`.
        comes: Option<String>,
        /// Why nobody does.
        refused: Option<String>,
        /// Until when it waits at most.
        until: Option<Timestamp>,
    },
    /// It begins although there is not room for all of its tasks.
    Goes {
        /// What is rolled out.
        digest: ImageDigest,
        /// How many tasks it starts beside the old ones.
        tasks: u32,
        /// For how many of them there is room.
        placed: u32,
        /// Which resource is short, on which instances.
        why: String,
        /// Why it begins all the same.
        because: WhyItGoes,
    },
    /// Whether there is room could not be told: it begins.
    Untold {
        /// Why not.
        reason: String,
    },
}

/// Why a rollout begins without room for all of its tasks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WhyItGoes {
    /// The spec says so.
    Spec,
    /// The spec wants the slower way, for which there is room.
    Slower,
    /// No room comes, and there is room to go task by task.
    TaskByTask(String),
    /// ECS's managed scaling of this group brings room once there are tasks.
    Managed(String),
    /// No group is Windlass's.
    Nobody,
    /// It has waited as long as its spec lets it, and why nothing came.
    TimeIsUp(Option<String>),
    /// A person lets it pass.
    Bypass,
}

impl RoomNote {
    /// Whether a person has to do something before this service goes on.
    pub fn needs_a_person(&self) -> bool {
        matches!(self, Self::Waits { comes: None, .. })
    }

    /// Whether a rollout would begin but for this.
    pub fn holds_back(&self) -> bool {
        matches!(self, Self::Waits { .. })
    }
}

impl fmt::Display for RoomNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Waits { would, tasks, placed, why, comes, refused, until } => {
                write!(
                    f,
                    "waiting: {} needs room for {tasks} tasks and has it for {placed}: {why}",
                    would.short()
                )?;
                match (comes, refused) {
                    (Some(comes), _) => write!(f, "; room comes ({comes})")?,
                    (None, Some(refused)) => write!(f, "; no room comes: {refused}")?,
                    (None, None) => f.write_str(
                        "; no Auto Scaling group has the tag `windlass:cluster`: add an instance",
                    )?,
                }
                match until {
                    Some(until) => write!(f, "; it begins without at {until:.0}"),
                    None => Ok(()),
                }
            }
            Self::Goes { digest, tasks, placed, why, because } => {
                write!(
                    f,
                    "short: {} has room for {placed} of its {tasks} tasks: {why}; it begins all the same, {because}",
                    digest.short()
                )
            }
            Self::Untold { reason } => {
                write!(f, "noted: whether there is room for its tasks cannot be told: {reason}; it begins")
            }
        }
    }
}

impl fmt::Display for WhyItGoes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Spec => f.write_str("as its spec says"),
            Self::Slower => f.write_str("task by task, as its spec says"),
            Self::TaskByTask(refused) => write!(f, "task by task, for no more room comes: {refused}"),
            Self::Managed(group) => write!(f, "ECS's managed scaling of {group} brings room for what waits"),
            Self::Nobody => {
                f.write_str("for nothing brings room: no Auto Scaling group has the tag `windlass:cluster`")
            }
            Self::TimeIsUp(Some(refused)) => write!(f, "its time to wait is up, and no room came: {refused}"),
            Self::TimeIsUp(None) => f.write_str("its time to wait is up"),
            Self::Bypass => f.write_str("for a person lets it pass"),
        }
    }
}
