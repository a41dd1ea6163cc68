//! A service as ECS keeps it.

use std::collections::{BTreeSet, VecDeque};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::deployment::{Completed, Deployment, Release, Revision};
use super::settings::Settings;
use super::tags::Tags;
use crate::time::Time;

/// How many events `DescribeServices` returns.
const MOST_EVENTS: usize = 100;

/// A service's place.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct ServiceKey {
    pub(crate) cluster: String,
    pub(crate) name: String,
}

impl ServiceKey {
    /// Reads `<cluster>/<service>`, the end of a long ARN.
    pub(crate) fn from_path(path: &str) -> Option<Self> {
        let (cluster, name) = path.split_once('/')?;
        Some(Self { cluster: cluster.to_owned(), name: name.to_owned() })
    }
}

/// `DescribeServices`' `status`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum ServiceStatus {
    Active,
    Draining,
    Inactive,
}

/// A service.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Service {
    pub(crate) key: ServiceKey,
    pub(crate) arn: String,
    pub(crate) status: ServiceStatus,
    pub(crate) desired: u32,
    pub(crate) settings: Settings,
    /// Newest first; the first is PRIMARY.
    pub(crate) deployments: Vec<Deployment>,
    /// What a failed deployment would roll back to.
    pub(crate) completed: Option<Completed>,
    /// Newest first.
    pub(crate) events: VecDeque<ServiceEvent>,
    pub(crate) tags: Tags,
    pub(crate) created_at: Time,
    /// The ids of its tasks that have not ended.
    pub(crate) tasks: BTreeSet<String>,
    /// Service deployments, oldest first.
    pub(crate) releases: Vec<Release>,
    /// Service revisions, oldest first.
    pub(crate) revisions: Vec<Revision>,
    /// The `clientToken` that created it, and that call's input.
    pub(crate) token: Option<(String, Value)>,
    pub(crate) pace: Pace,
}

/// When the scheduler looks again, and what holds it back.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Pace {
    pub(crate) next_pass: Option<Time>,
    /// Said to be steady, and nothing has moved since.
    pub(crate) steady: bool,
    /// Placements that failed in a row.
    pub(crate) misplaced: u32,
    /// Nothing is placed before this instant…
    pub(crate) not_before: Option<Time>,
    /// …unless an instance has got room since.
    pub(crate) room_seen: bool,
    /// Tasks in a row that never ran.
    pub(crate) stillborn: u32,
    /// Said that minimum and maximum permit no move.
    pub(crate) deadlock_said: bool,
}

/// An entry of `DescribeServices`' `events`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct ServiceEvent {
    pub(crate) id: String,
    pub(crate) at: Time,
    pub(crate) message: String,
}

impl Service {
    pub(crate) fn primary(&self) -> Option<&Deployment> {
        self.deployments.first()
    }

    pub(crate) fn primary_mut(&mut self) -> Option<&mut Deployment> {
        self.deployments.first_mut()
    }

    pub(crate) fn revision(&self, arn: &str) -> Option<&Revision> {
        self.revisions.iter().find(|revision| revision.arn == arn)
    }

    pub(crate) fn revision_mut(&mut self, arn: &str) -> Option<&mut Revision> {
        self.revisions.iter_mut().find(|revision| revision.arn == arn)
    }

    /// The release that the PRIMARY deployment belongs to.
    pub(crate) fn release_mut(&mut self) -> Option<&mut Release> {
        self.releases.last_mut()
    }

    /// The revision of the PRIMARY deployment.
    pub(crate) fn current(&self) -> Option<&Revision> {
        self.revision(&self.primary()?.revision)
    }

    pub(crate) fn say(&mut self, id: String, at: Time, message: String) {
        self.events.push_front(ServiceEvent { id, at, message });
        self.events.truncate(MOST_EVENTS);
    }
}
