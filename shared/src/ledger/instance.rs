//! The row of one instance that leaves: what `functions/drain` remembers between its passes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::SCHEMA;
use crate::id::{ClusterName, FencingToken, InstanceId, TaskArn, Timestamp};

/// An instance of a cluster.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct InstanceKey {
    /// The cluster.
    pub cluster: ClusterName,
    /// The EC2 instance.
    pub instance: InstanceId,
}

impl InstanceKey {
    /// The instance of the cluster.
    pub fn new(cluster: impl Into<ClusterName>, instance: impl Into<InstanceId>) -> Self {
        Self { cluster: cluster.into(), instance: instance.into() }
    }
}

impl std::fmt::Display for InstanceKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.cluster, self.instance)
    }
}

/// The row of one instance that leaves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstanceRow {
    /// Which instance.
    pub key: InstanceKey,
    /// How often its doorbell rang.
    pub rung: u64,
    /// Up to which ring the last finished pass has looked.
    pub answered: u64,
    /// The newest fencing token that was given out.
    pub token: FencingToken,
    /// What passes wrote, under the lease.
    pub state: InstanceState,
}

impl InstanceRow {
    /// The row of an instance that no pass has seen.
    pub fn new(key: InstanceKey) -> Self {
        Self { key, rung: 0, answered: 0, token: FencingToken::default(), state: InstanceState::default() }
    }
}

/// The part of the row that only the lease's holder writes, whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct InstanceState {
    /// [`SCHEMA`] of the code that wrote it.
    pub schema: u32,
    /// Grows by one with each pass that did something.
    pub generation: u64,
    /// Why it leaves; `None` before anything was done.
    pub leaves: Option<Departure>,
    /// When it was first seen to drain since: an instance that is active again after that was taken back
    /// by somebody.
    pub drained_at: Option<Timestamp>,
    /// What counts and was on it when it was last seen, with whose it is: cut, where the instance ends
    /// with it.
    pub on_it: BTreeMap<TaskArn, String>,
    /// When Auto Scaling was last told that the action still goes on.
    pub heartbeat_at: Option<Timestamp>,
    /// When Auto Scaling was told to go on.
    pub let_go_at: Option<Timestamp>,
    /// Tasks that were ended because the time was up, with the reason.
    pub cut: Vec<CutTask>,
    /// How it ended: let go, gone, or taken back.
    pub ended: Option<DepartureEnd>,
    /// What the last pass did not do, and why.
    pub last_report: Vec<String>,
    /// When the last pass looked.
    pub looked_at: Option<Timestamp>,
}

impl Default for InstanceState {
    fn default() -> Self {
        Self {
            schema: SCHEMA,
            generation: 0,
            leaves: None,
            drained_at: None,
            on_it: BTreeMap::new(),
            heartbeat_at: None,
            let_go_at: None,
            cut: Vec::new(),
            ended: None,
            last_report: Vec::new(),
            looked_at: None,
        }
    }
}

/// An instance on its way out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Departure {
    /// Why.
    pub why: WhyItLeaves,
    /// Since when.
    pub since: Timestamp,
    /// When AWS takes it, whatever runs on it: a spot interruption's two minutes.
    pub taken_at: Option<Timestamp>,
}

/// Why an instance leaves. Written on the instance itself too, as the value of the attribute
/// [`MARK`]: whoever looks at the instance sees whose it is, in the same read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WhyItLeaves {
    /// Its tasks fit on the others.
    Consolidation,
    /// It is replaced by a newer one: an AMI, a launch template.
    Rotation,
    /// A person asked.
    Person,
    /// Auto Scaling terminates it, and waits for its lifecycle hook.
    Hook,
    /// EC2 takes a spot instance back.
    Spot,
    /// EC2 may soon take a spot instance back.
    Rebalance,
}

/// The attribute of a container instance that says why Windlass drains it, and since when:
/// `consolidation@2026-11-23T08:00:00Z`. Set before DRAINING: an instance that drains without
/// it is somebody else's.
pub const MARK: &str = "windlass.leaves";

impl WhyItLeaves {
    /// As the mark says it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Consolidation => "consolidation",
            Self::Rotation => "rotation",
            Self::Person => "person",
            Self::Hook => "hook",
            Self::Spot => "spot",
            Self::Rebalance => "rebalance",
        }
    }

    const ALL: [Self; 6] =
        [Self::Consolidation, Self::Rotation, Self::Person, Self::Hook, Self::Spot, Self::Rebalance];
}

impl std::fmt::Display for WhyItLeaves {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Consolidation => "its tasks fit on the others",
            Self::Rotation => "it is replaced by a newer one",
            Self::Person => "a person asked",
            Self::Hook => "Auto Scaling terminates it",
            Self::Spot => "EC2 takes the spot instance back",
            Self::Rebalance => "EC2 may soon take the spot instance back",
        })
    }
}

/// A mark's value.
pub fn mark(why: WhyItLeaves, since: Timestamp) -> String {
    format!("{}@{since:.0}", why.word())
}

/// What a mark's value says; `None` where it is not one of ours.
pub fn read_mark(value: &str) -> Option<(WhyItLeaves, Timestamp)> {
    let (word, since) = value.split_once('@')?;
    let why = WhyItLeaves::ALL.into_iter().find(|why| why.word() == word)?;
    Some((why, since.parse().ok()?))
}

/// A task that was ended before its own end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CutTask {
    /// Which.
    pub task: TaskArn,
    /// `service:shop`, `family:batch`, or what else started it.
    pub group: String,
    /// Why.
    pub reason: String,
    /// When.
    pub at: Timestamp,
}

/// How a departure ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DepartureEnd {
    /// How.
    pub how: HowItEnded,
    /// When.
    pub at: Timestamp,
}

/// How a departure ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HowItEnded {
    /// Nothing that counts ran on it any more.
    Empty,
    /// The time was up.
    TimedOut,
    /// It was gone before.
    Gone,
    /// It stays after all: a rebalance that no interruption followed.
    TakenBack,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_reads_back_and_anything_else_is_nobodys() {
        let since: Timestamp = "2026-11-23T08:00:00Z".parse().unwrap();
        for why in WhyItLeaves::ALL {
            assert_eq!(read_mark(&mark(why, since)), Some((why, since)));
        }
        assert_eq!(mark(WhyItLeaves::Spot, since), "spot@2026-11-23T08:00:00Z");
        for other in ["", "spot", "spot@", "spot@noon", "mine@2026-11-23T08:00:00Z"] {
            assert_eq!(read_mark(other), None, "{other}");
        }
    }
}
