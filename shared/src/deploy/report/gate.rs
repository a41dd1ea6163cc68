//! What stands before a rollout: stops, freezes, questions, scans, tasks beforehand.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::after::AfterNote;
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
    /// A freeze window holds.
    Frozen {
        /// The window: `0 18 * * FRI for 3720 min, Europe/Berlin`.
        window: String,
        /// Of the cluster, not of the service.
        of_cluster: bool,
        /// Why, in the spec's words.
        reason: Option<String>,
        /// Since when.
        since: Timestamp,
        /// Until when, with all windows that follow without a gap.
        until: Timestamp,
        /// What would be rolled out.
        would: ImageDigest,
    },
    /// The cluster's own parameter does not read: what is frozen cannot be told.
    ClusterSpecRefused {
        /// The parameter.
        parameter: String,
        /// What is wrong.
        reason: String,
    },
    /// A person is asked whether it begins.
    Asks {
        /// Since when.
        since: Timestamp,
        /// When silence becomes an answer.
        expires: Option<Timestamp>,
        /// What would be rolled out.
        would: ImageDigest,
    },
    /// A person said no.
    Rejected {
        /// Who.
        by: Actor,
        /// Why.
        reason: String,
        /// When.
        at: Timestamp,
        /// What is not rolled out.
        would: ImageDigest,
    },
    /// Nobody answered in time, which is a no.
    NotAnswered {
        /// By when.
        expired: Timestamp,
        /// What is not rolled out.
        would: ImageDigest,
    },
    /// A bypass was ordered too long ago.
    BypassOver {
        /// Who ordered it.
        by: Actor,
        /// When.
        at: Timestamp,
    },
    /// Alarms of the spec ring before the rollout begins.
    AlarmRings {
        /// Which.
        alarms: Vec<String>,
        /// What would be rolled out.
        would: ImageDigest,
    },
    /// Alarms of the spec ring, and it begins all the same.
    AlarmIgnored {
        /// Which.
        alarms: Vec<String>,
    },
    /// The service that it follows has not let it through.
    After(AfterNote),
    /// An alarm of the spec is not there.
    AlarmMissing {
        /// Which.
        alarm: String,
    },
}

impl GateNote {
    /// Whether a person has to do something before this service goes on.
    pub fn needs_a_person(&self) -> bool {
        match self {
            Self::After(note) => note.needs_a_person(),
            Self::Stopped { .. }
            | Self::Asks { .. }
            | Self::Rejected { .. }
            | Self::NotAnswered { .. }
            | Self::ClusterSpecRefused { .. }
            | Self::AlarmRings { .. }
            | Self::AlarmMissing { .. } => true,
            Self::Frozen { .. } | Self::AlarmIgnored { .. } | Self::BypassOver { .. } => false,
        }
    }

    /// Whether a rollout would begin but for this.
    pub fn holds_back(&self) -> bool {
        match self {
            Self::After(_)
            | Self::Stopped { .. }
            | Self::Asks { .. }
            | Self::Rejected { .. }
            | Self::NotAnswered { .. }
            | Self::Frozen { .. }
            | Self::ClusterSpecRefused { .. }
            | Self::AlarmRings { .. }
            | Self::AlarmMissing { .. } => true,
            Self::AlarmIgnored { .. } | Self::BypassOver { .. } => false,
        }
    }

    /// Whether the sweep should look again although nothing rings: not where the row says
    /// what it waits for ([`crate::ledger::Waiting`]).
    pub fn leaves_open(&self) -> bool {
        match self {
            Self::ClusterSpecRefused { .. } | Self::AlarmRings { .. } | Self::AlarmMissing { .. } => true,
            Self::After(_)
            | Self::Stopped { .. }
            | Self::Asks { .. }
            | Self::Rejected { .. }
            | Self::NotAnswered { .. }
            | Self::Frozen { .. }
            | Self::AlarmIgnored { .. }
            | Self::BypassOver { .. } => false,
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
            Self::Frozen { window, of_cluster, reason, since, until, would } => {
                let whose = if *of_cluster { "the cluster's" } else { "its" };
                write!(f, "held: {whose} freeze window {window} holds from {since} until {until}")?;
                if let Some(reason) = reason {
                    write!(f, " ({reason})")?;
                }
                write!(
                    f,
                    "; would roll out {}; it begins then, or by `windlass ring SERVICE --force --reason …`",
                    would.short()
                )
            }
            Self::ClusterSpecRefused { parameter, reason } => {
                write!(
                    f,
                    "refused: {parameter} does not read, so that what is frozen cannot be told: {reason}; correct it with `windlass apply`"
                )
            }
            Self::Asks { since, expires, would } => {
                write!(f, "waiting: for a person's yes to the rollout of {} since {since}", would.short())?;
                if let Some(expires) = expires {
                    write!(f, ", until {expires}")?;
                }
                f.write_str("; `windlass approve SERVICE`, or `windlass reject SERVICE`")
            }
            Self::Rejected { by, reason, at, would } => write!(
                f,
                "held: {by} said no to {} at {at} ({reason}); push another image, or `windlass approve SERVICE` begins it after all",
                would.short()
            ),
            Self::NotAnswered { expired, would } => write!(
                f,
                "held: nobody said yes to {} by {expired}; `windlass approve SERVICE` begins it still",
                would.short()
            ),
            Self::BypassOver { by, at } => {
                write!(
                    f,
                    "noted: the bypass that {by} ordered at {at} is over: it holds for an hour; order it again"
                )
            }
            Self::AlarmRings { alarms, would } => write!(
                f,
                "waiting: {} rings before the rollout of {} begins, and would say nothing of it; it begins once that is quiet, or with `rollout.ringing_alarm: warn`, or by `windlass ring SERVICE --force --reason …`",
                alarms.join(", "),
                would.short()
            ),
            Self::AlarmIgnored { alarms } => write!(
                f,
                "noted: {} rings already, and rollout.ringing_alarm says warn: ECS looks at none of the alarms for this rollout",
                alarms.join(", ")
            ),
            Self::After(note) => note.fmt(f),
            Self::AlarmMissing { alarm } => {
                write!(f, "refused: alarm {alarm} does not exist; create it, or correct rollout.alarms")
            }
        }
    }
}
