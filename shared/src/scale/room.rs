//! Whether a rollout's tasks have room, asked by the deploy pass before it begins: by the scale pass's own
//! packer, and by what that pass would do about it.
//!
//! It does not know strategies: how many tasks a rollout starts beside the old ones is the asker's matter,
//! and what becomes of one that has no room.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::demand;
use super::facts::{CapacityFacts, LiveInstance, Placement};
use super::instances::no_help;
use super::settings::Settings;
use super::shapes;
use super::supply::{self, Shapes, There};
use crate::capacity::{
    Demand, InstanceState, NoHelp, Order, Sharing, Supply, TaskShape, Why, missing, place,
};
use crate::facts::{Fact, RoomFacts};
use crate::id::{ServiceName, Timestamp};
use crate::ledger::{ClusterState, WhyItLeaves};
use crate::task_definition::TaskDefinition;

/// A rollout's tasks.
#[derive(Debug, Clone)]
pub struct RoomQuestion {
    /// Whose.
    pub service: ServiceName,
    /// What each asks.
    pub shape: Arc<TaskShape>,
    /// How many there are to be beside those that run.
    pub tasks: u32,
}

/// Whether there is room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Room {
    /// For all of them.
    Enough,
    /// Not for all.
    Short(Short),
    /// It cannot be told, in words.
    Untold(String),
}

/// There is room for some only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Short {
    /// For how many.
    pub placed: u32,
    /// Which resource is short, on which instances.
    pub why: Why,
    /// Who could bring room.
    pub source: Source,
}

/// Who could bring room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// The scale pass, in words: `nodes: 2 more`.
    Comes(String),
    /// ECS's managed scaling, once there are tasks without a place: the group that it owns.
    Managed(String),
    /// Groups that are Windlass's, and each says why not.
    Refused(String),
    /// No group is Windlass's.
    Nobody,
}

impl RoomQuestion {
    /// The question, where the revision's constraints are understood; else what is not, in words.
    pub fn of(
        service: &ServiceName,
        definition: &TaskDefinition,
        placement: &Placement,
        tasks: u32,
    ) -> Result<Self, String> {
        let shape = shapes::shape(definition, &format!("service:{service}"), placement);
        let shape = Arc::new(shape.map_err(|error| error.to_string())?);
        Ok(Self { service: service.clone(), shape, tasks })
    }

    /// Whether these instances have room, as far as they tell by themselves: `false` also where the
    /// tasks on them would have to be known.
    pub fn fits_at_sight(&self, instances: &[LiveInstance]) -> bool {
        let shape = &self.shape;
        let is_plain =
            shape.sharing == Sharing::Shared && shape.needs.enis == 0 && shape.member_of.is_empty();
        let demand = [Demand::new(Arc::clone(shape), self.tasks)];
        is_plain && place(&supply::bare(instances), &demand).unplaced.is_empty()
    }

    /// Whether the cluster has room beside what else is wanted of it, and who could bring it.
    pub fn judge(&self, room: &RoomFacts, settings: &Settings, now: Timestamp) -> Room {
        self.judge_in(&room.capacity, &room.row.state, settings, now)
    }

    /// The same, of a scale pass's own facts.
    pub(super) fn judge_in(
        &self,
        facts: &CapacityFacts,
        state: &ClusterState,
        settings: &Settings,
        now: Timestamp,
    ) -> Room {
        let facts = self.without_own(facts);
        let mut made = Shapes::default();
        let Some(mut there) = supply::there(&facts, state, settings, &mut made, now) else {
            return Room::Untold(unreadable(&facts));
        };
        let mut demand = demand::wanted(&facts, &there, &BTreeMap::new(), None, &mut made).tasks;
        demand.push(Demand::new(Arc::clone(&self.shape), self.tasks));
        let own = demand.len() - 1;
        let Some((left, why)) = left_of(&there, &demand, own) else { return Room::Enough };
        match source(&facts, &mut there, &demand, own) {
            // In another order they all had a place.
            Source::Comes(words) if words.is_empty() => Room::Enough,
            source => Room::Short(Short { placed: self.tasks - left, why, source }),
        }
    }

    /// What this rollout asked for before must not count as somebody else's.
    fn without_own(&self, facts: &CapacityFacts) -> CapacityFacts {
        let mut facts = facts.clone();
        facts.coming.remove(&self.service);
        if let Fact::Known(services) = &mut facts.services
            && let Some(row) = services.get_mut(&self.service).and_then(|service| service.row.as_mut())
        {
            row.state.marks.room = None;
        }
        facts
    }
}

/// Who could bring room: by what the scale pass would order.
fn source(facts: &CapacityFacts, there: &mut There, demand: &[Demand], own: usize) -> Source {
    let back: Vec<_> = there
        .instances
        .iter_mut()
        .filter(|it| matches!(there.leaving.get(&it.arn), Some((WhyItLeaves::Consolidation, _))))
        .collect();
    let taken_back = back.len();
    for it in back {
        it.state = InstanceState::Active;
    }
    let order = missing(&there.instances, &there.offers, demand);
    let refused = order.unplaceable.iter().find(|left| left.demand == own);
    let Some(refused) = refused else { return Source::Comes(comes(&order, there, taken_back)) };
    let is_managed = |(_, why): &&(_, NoHelp)| matches!(why, NoHelp::Closed(Supply::ManagedScaling));
    if let (Some((group, _)), true) =
        (refused.groups.iter().find(is_managed), facts.providers.known().is_some())
    {
        return Source::Managed(group.to_string());
    }
    let ours = refused.groups.iter().filter(|(_, why)| *why != NoHelp::Closed(Supply::NotOurs));
    let words: Vec<String> = ours.map(|(group, why)| format!("{group}: {}", no_help(why))).collect();
    if words.is_empty() { Source::Nobody } else { Source::Refused(words.join("; ")) }
}

/// How many of one demand have no place, and why.
fn left_of(there: &There, demand: &[Demand], own: usize) -> Option<(u32, Why)> {
    let placement = place(&there.instances, demand);
    placement.unplaced.into_iter().find(|left| left.demand == own).map(|left| (left.count, left.why))
}

fn comes(order: &Order, there: &There, taken_back: usize) -> String {
    let mut words: Vec<String> =
        order.groups.iter().map(|(group, more)| format!("{group}: {} more", more.more)).collect();
    let launching = there.offers.iter().filter(|it| !it.launching.is_empty());
    words.extend(launching.map(|it| format!("{}: {} on their way", it.name, it.launching.len())));
    if taken_back > 0 {
        words.push(format!("{taken_back} that were to leave stay"));
    }
    words.join(", ")
}

fn unreadable(facts: &CapacityFacts) -> String {
    fn of<T>(fact: &Fact<T>) -> Option<String> {
        match fact {
            Fact::Unreadable(what) => Some(what.to_string()),
            Fact::Known(_) | Fact::Absent | Fact::NotAsked => None,
        }
    }
    let first = of(&facts.instances).or_else(|| of(&facts.tasks)).or_else(|| of(&facts.groups));
    first.unwrap_or_else(|| format!("the instances of {} were not read", facts.cluster))
}
