//! How Windlass's own canary goes.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::id::{ImageDigest, Timestamp};

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
    /// Its tasks come up, or one was lost.
    ComingUp {
        /// From 1.
        step: usize,
        /// Of how many.
        of: usize,
        /// What stands and what is missing: `1 of 2 running, 0 healthy`.
        progress: String,
        /// When it is given up; `None` where it carries its share already.
        until: Option<Timestamp>,
    },
    /// All steps are done: the service itself is updated, the canary serves on meanwhile.
    Promoting {
        /// How far ECS is.
        progress: String,
    },
    /// It is given up: first the requests go back, then its tasks.
    GivingUp {
        /// The image.
        digest: ImageDigest,
        /// Why.
        reason: String,
        /// What is still to be seen.
        waits_for: String,
    },
    /// A newer image waits until the one that is being promoted is live.
    AfterPromotion {
        /// The newer image.
        would: ImageDigest,
    },
    /// The service is not steady: a canary would be compared with a moving thing.
    AfterRollout {
        /// The image that waits.
        would: ImageDigest,
    },
    /// This service cannot have a canary as it stands.
    Impossible {
        /// Why, and what to do.
        reason: String,
    },
}

impl CanaryNote {
    /// Whether a person has to do something before this service goes on.
    pub fn needs_a_person(&self) -> bool {
        match self {
            Self::Impossible { .. } => true,
            Self::AtStep { .. }
            | Self::ComingUp { .. }
            | Self::Promoting { .. }
            | Self::GivingUp { .. }
            | Self::AfterPromotion { .. }
            | Self::AfterRollout { .. } => false,
        }
    }

    /// Whether the sweep should look again although nothing rings. A canary in flight is
    /// looked at each minute anyway.
    pub fn leaves_open(&self) -> bool {
        match self {
            Self::Impossible { .. } | Self::AfterRollout { .. } | Self::AfterPromotion { .. } => true,
            Self::AtStep { .. } | Self::ComingUp { .. } | Self::Promoting { .. } | Self::GivingUp { .. } => {
                false
            }
        }
    }
}

impl fmt::Display for CanaryNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtStep { step, of, share, waits_for } => {
                write!(f, "canary: step {step} of {of}, {share}; {waits_for}")
            }
            Self::ComingUp { step, of, progress, until } => {
                write!(f, "canary: its tasks for step {step} of {of} come up: {progress}")?;
                until.map_or(Ok(()), |until| write!(f, "; given up at {until:.0}"))
            }
            Self::Promoting { progress } => {
                write!(f, "canary: promoted, the service itself is updated: {progress}")
            }
            Self::GivingUp { digest, reason, waits_for } => {
                write!(f, "canary: {} is given up: {reason}; {waits_for}", digest.short())
            }
            Self::AfterPromotion { would } => {
                write!(f, "canary: {} begins once the one before it is live", would.short())
            }
            Self::AfterRollout { would } => write!(
                f,
                "canary: {} begins once the service is steady; a rollout of it goes on",
                would.short()
            ),
            Self::Impossible { reason } => write!(f, "refused: no canary: {reason}"),
        }
    }
}
