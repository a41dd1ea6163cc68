//! What an image's scan has to do with its rollout.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::id::{ImageDigest, Timestamp};
use crate::spec::Severity;

/// What an image's scan has to do with its rollout.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "note")]
pub enum ScanNote {
    /// Its scan goes on, or was only started.
    Waits {
        /// What would be rolled out.
        would: ImageDigest,
        /// Where it stands: `never scanned`, `IN_PROGRESS`.
        stands: String,
        /// Since when the rollout waits.
        since: Timestamp,
        /// Until when it does.
        until: Timestamp,
    },
    /// More was found than the spec allows.
    Vulnerable {
        /// What is not rolled out.
        would: ImageDigest,
        /// How many findings of each severity; of several images, the worst of each.
        findings: BTreeMap<Severity, u32>,
        /// The worst that is allowed.
        allowed: Severity,
    },
    /// There is no result, and the spec wants one.
    Unscanned {
        /// What is not rolled out.
        would: ImageDigest,
        /// Why there is none.
        reason: String,
    },
    /// There is no result, and it begins all the same.
    UnscannedIgnored {
        /// Why there is none.
        reason: String,
    },
}

impl ScanNote {
    /// Whether a person has to do something before this service goes on.
    pub fn needs_a_person(&self) -> bool {
        match self {
            Self::Vulnerable { .. } | Self::Unscanned { .. } => true,
            Self::Waits { .. } | Self::UnscannedIgnored { .. } => false,
        }
    }

    /// Whether a rollout would begin but for this.
    pub fn holds_back(&self) -> bool {
        match self {
            Self::Waits { .. } | Self::Vulnerable { .. } | Self::Unscanned { .. } => true,
            Self::UnscannedIgnored { .. } => false,
        }
    }

    /// Whether the sweep should look again although nothing rings: a scan's event may be lost.
    pub fn leaves_open(&self) -> bool {
        match self {
            Self::Waits { .. } => true,
            // The row says what it waits for.
            Self::Vulnerable { .. } | Self::Unscanned { .. } | Self::UnscannedIgnored { .. } => false,
        }
    }
}

impl fmt::Display for ScanNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Waits { would, stands, since, until } => write!(
                f,
                "waiting: for the scan of {} ({stands}) since {since}, until {until:.0}",
                would.short()
            ),
            Self::Vulnerable { would, findings, allowed } => write!(
                f,
                "held: the scan of {} found {}, and scan.max_severity allows {allowed}; push a mended image; if a later scan clears it, it begins by itself",
                would.short(),
                words(findings)
            ),
            Self::Unscanned { would, reason } => write!(
                f,
                "held: {} has no scan's result: {reason}; have it scanned, or let such images through with `scan.if_unscanned: warn`",
                would.short()
            ),
            Self::UnscannedIgnored { reason } => {
                write!(f, "noted: there is no scan's result ({reason}), and scan.if_unscanned says warn")
            }
        }
    }
}

/// `1 critical, 3 high`: the worst first.
fn words(findings: &BTreeMap<Severity, u32>) -> String {
    let words = findings.iter().rev().map(|(severity, count)| format!("{count} {severity}"));
    words.collect::<Vec<_>>().join(", ")
}
