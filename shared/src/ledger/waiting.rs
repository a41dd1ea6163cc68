//! What a rollout waits for where only a person, or the clock, ends it: so that the sweep need
//! not look at a held service each minute.

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::{Order, ServiceRow};
use crate::id::{ClusterName, ImageDigest, TaskDefinitionArn, Timestamp};

/// For how long a bypass waits for the rollout that it is meant for.
const BYPASS_LASTS: SignedDuration = SignedDuration::from_hours(1);

/// A rollout that has not begun, and that nothing needs to look at for a while.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// For what.
    pub on: WaitsOn,
    /// What would be rolled out.
    pub digest: ImageDigest,
    /// The spec's hash.
    pub spec: String,
    /// The revision that runs meanwhile.
    pub live: Option<TaskDefinitionArn>,
    /// When the newest answer was given that the pass knew of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answered: Option<Timestamp>,
    /// When it is to be looked at again, whatever happens.
    pub until: Timestamp,
}

/// What a rollout waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WaitsOn {
    /// The end of a hold.
    Hold,
    /// The end of a stop.
    Stop,
    /// The end of a freeze window.
    Freeze,
    /// A person's answer.
    Answer,
    /// A service that this one follows.
    Upstream,
    /// Another scan, or another image.
    Scan,
    /// Room for its tasks.
    Room,
}

/// What is stopped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopScope {
    /// Every service.
    Everywhere,
    /// The services of one cluster.
    Cluster(ClusterName),
}

impl std::fmt::Display for StopScope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Everywhere => f.write_str("everything"),
            Self::Cluster(cluster) => write!(f, "cluster {cluster}"),
        }
    }
}

impl ServiceRow {
    /// The bypass that a rollout which begins now uses up.
    pub fn bypass_at(&self, now: Timestamp) -> Option<&Order> {
        self.pending_bypass().filter(|order| order.at.duration_until(now) < BYPASS_LASTS)
    }

    /// When the question that stands was answered.
    pub fn answered_at(&self) -> Option<Timestamp> {
        let question = self.state.marks.question.as_ref()?;
        self.answer_to(&question.id).map(|answer| answer.order.at)
    }

    /// Whether a person ordered something that the pass which waits did not know of.
    pub fn has_news_for(&self, waiting: &Waiting, now: Timestamp) -> bool {
        self.bypass_at(now).is_some()
            || self.pending_rollback().is_some()
            || self.answered_at() != waiting.answered
    }
}
