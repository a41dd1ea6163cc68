//! Rollouts that wait for room begin as soon as it is there: their services' doorbells are rung.
//!
//! The row knows who waits (so that an instance's event costs a read, and a pass only where somebody does),
//! and who was rung for what: one bell for each wait. A bell that is lost, or after which there was no room
//! after all, costs what it cost before: the deploy function's sweep looks within a minute.

use std::collections::BTreeMap;

use super::facts::CapacityFacts;
use super::plan::Step;
use super::room::{Room, RoomQuestion};
use super::settings::Settings;
use super::supply::Shapes;
use crate::id::{ServiceName, Timestamp};
use crate::ledger::{ClusterState, RoomWanted, WaitsForRoom};

/// The bells of those that wait and have room now. What ECS will do with it is its own matter: the deploy pass
/// asks the same question again.
pub(super) fn bells(
    facts: &CapacityFacts,
    state: &mut ClusterState,
    settings: &Settings,
    shapes: &mut Shapes,
    now: Timestamp,
) -> Vec<Step> {
    let Some(waiting) = waiting(facts) else { return Vec::new() };
    let before = std::mem::take(&mut state.waiting);
    let mut steps = Vec::new();
    for (service, room) in waiting {
        let known = before.get(&service).filter(|known| known.since == room.since);
        let mut waits = WaitsForRoom { since: room.since, rung: known.is_some_and(|known| known.rung) };
        if !waits.rung && has_room(facts, state, settings, &service, &room, shapes, now) {
            waits.rung = true;
            steps.push(Step::Ring { service: service.clone(), tasks: room.tasks });
        }
        state.waiting.insert(service, waits);
    }
    steps
}

/// Who waits for room; nothing where that could not be read.
fn waiting(facts: &CapacityFacts) -> Option<BTreeMap<ServiceName, RoomWanted>> {
    let services = facts.services.known()?;
    let there = services
        .iter()
        .filter_map(|(name, service)| Some((name.clone(), service.row.as_ref()?.state.marks.room.clone()?)));
    Some(there.chain(facts.coming.clone()).collect())
}

fn has_room(
    facts: &CapacityFacts,
    state: &ClusterState,
    settings: &Settings,
    service: &ServiceName,
    room: &RoomWanted,
    shapes: &mut Shapes,
    now: Timestamp,
) -> bool {
    let group = format!("service:{service}");
    let Some(shape) = shapes.of(facts, &group, &room.task_definition) else { return false };
    let question = RoomQuestion { service: service.clone(), shape, tasks: room.tasks };
    question.judge_in(facts, state, settings, now) == Room::Enough
}
