//! The row of one cluster: what `functions/scale` remembers between its passes.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{Order, SCHEMA, StepRecord};
use crate::id::{Actor, AutoScalingGroupName, ClusterName, FencingToken, InstanceId, ServiceName, Timestamp};

/// The row of one cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterRow {
    /// Which cluster.
    pub cluster: ClusterName,
    /// How often its doorbell rang.
    pub rung: u64,
    /// Up to which ring the last finished pass has looked.
    pub answered: u64,
    /// The newest fencing token that was given out.
    pub token: FencingToken,
    /// A person's order to replace every instance; whether it was carried out stands in
    /// [`ClusterState::rotated`].
    pub rotate: Option<Order>,
    /// What passes wrote, under the lease.
    pub state: ClusterState,
}

impl ClusterRow {
    /// The row of a cluster that no pass has seen.
    pub fn new(cluster: ClusterName) -> Self {
        Self {
            cluster,
            rung: 0,
            answered: 0,
            token: FencingToken::default(),
            rotate: None,
            state: ClusterState::default(),
        }
    }

    /// Whether a rollout waits for room that was not rung yet.
    pub fn awaits_room(&self) -> bool {
        self.state.waiting.values().any(|waits| !waits.rung)
    }

    /// The rotation that is not done yet.
    pub fn pending_rotation(&self) -> Option<&Order> {
        let done = self.state.rotated;
        self.rotate.as_ref().filter(|order| done.is_none_or(|done| order.at > done))
    }
}

/// The part of the row that only the lease's holder writes, whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ClusterState {
    /// [`SCHEMA`] of the code that wrote it.
    pub schema: u32,
    /// Grows by one with each pass that did something.
    pub generation: u64,
    /// What scaling did to services.
    pub services: BTreeMap<ServiceName, ScalingMark>,
    /// What was asked of Auto Scaling groups.
    pub groups: BTreeMap<AutoScalingGroupName, GroupMark>,
    /// What instances of a type registered with: the shape of the next one, also from zero.
    pub shapes: BTreeMap<String, SeenShape>,
    /// Up to which order of a person every instance was replaced.
    pub rotated: Option<Timestamp>,
    /// When an instance was last set to leave by consolidation.
    pub emptied_at: Option<Timestamp>,
    /// The last pass left something open: the next sweep looks again.
    pub unfinished: bool,
    /// What the last pass that had something to write did not do, and why: as it was at [`Self::looked_at`]. A
    /// pass without news writes nothing, not even this; how it is now says `windlass capacity`, which looks.
    pub last_report: Vec<String>,
    /// Whose rollouts wait for room.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub waiting: BTreeMap<ServiceName, WaitsForRoom>,
    /// When that pass looked.
    pub looked_at: Option<Timestamp>,
    /// What stands as long as nobody changes something, and was told.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub told: BTreeSet<String>,
}

impl Default for ClusterState {
    fn default() -> Self {
        Self {
            schema: SCHEMA,
            generation: 0,
            services: BTreeMap::new(),
            groups: BTreeMap::new(),
            shapes: BTreeMap::new(),
            rotated: None,
            emptied_at: None,
            unfinished: false,
            last_report: Vec::new(),
            waiting: BTreeMap::new(),
            looked_at: None,
            told: BTreeSet::new(),
        }
    }
}

/// A rollout that waits for room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaitsForRoom {
    /// Since when: another wait has another one.
    pub since: Timestamp,
    /// Whether its service was rung when there was room.
    #[serde(default)]
    pub rung: bool,
}

/// What scaling did to one service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(default)]
pub struct ScalingMark {
    /// How many tasks scaling chose last.
    pub chosen: Option<u32>,
    /// When each rule (by its alarm) last made it more.
    pub out_at: BTreeMap<String, Timestamp>,
    /// When each rule last made it fewer.
    pub in_at: BTreeMap<String, Timestamp>,
}

/// What was asked of one Auto Scaling group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(default)]
pub struct GroupMark {
    /// The capacity that was asked for last.
    pub asked: Option<u32>,
    /// When it was last made more.
    pub out_at: Option<Timestamp>,
    /// When it was last made fewer.
    pub in_at: Option<Timestamp>,
    /// Why its last launch failed: until then another group is asked first.
    pub failed: Option<LaunchFailure>,
}

/// A launch that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LaunchFailure {
    /// When.
    pub at: Timestamp,
    /// In Auto Scaling's words.
    pub reason: String,
}

/// What an instance of a type registered with in ECS.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeenShape {
    /// CPU units: 1,024 a vCPU.
    pub cpu: u32,
    /// MiB, as ECS's agent registered it.
    pub memory: u32,
    /// GPUs.
    #[serde(default)]
    pub gpus: u32,
}

/// One pass over a cluster that did something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterRecord {
    /// [`SCHEMA`].
    pub schema: u32,
    /// Which cluster.
    pub cluster: ClusterName,
    /// The instance, where the pass was over one alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<InstanceId>,
    /// When.
    pub at: Timestamp,
    /// Which generation of the row it made.
    pub generation: u64,
    /// Under which token.
    pub token: FencingToken,
    /// What rang: `alarm shop-cpu is ALARM`.
    pub cause: String,
    /// Who.
    pub by: Actor,
    /// Each step in words, with how it ended.
    pub steps: Vec<StepRecord>,
    /// What was not done, and why.
    pub report: Vec<String>,
}
