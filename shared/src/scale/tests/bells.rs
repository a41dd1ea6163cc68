//! Who is rung when there is room.

use super::world::{World, at};
use crate::ledger::{RoomWanted, ServiceRow};

/// `shop` fills one of two instances of two places each, and its rollout waits for room for so many.
fn waits(tasks: u32, instances: u32) -> World {
    let mut world = World::new();
    world.service("shop", 2, 1024, 512).group("web", instances, 0, 10);
    world.task("shop", "i-web1");
    world.task("shop", "i-web1");
    let task_definition = world.of("shop").live.task_definition.clone();
    let mut row = ServiceRow::new(crate::id::ServiceKey::new("main", "shop"));
    row.state.marks.room = Some(RoomWanted { tasks, task_definition, since: at(86_000) });
    world.of("shop").row = Some(row);
    world
}

fn after(world: &mut World) -> Vec<String> {
    let plan = world.plan();
    world.row.state = plan.state;
    plan.steps.iter().map(ToString::to_string).collect()
}

#[test]
fn a_rollout_that_waits_is_rung_once_when_there_is_room() {
    let mut world = waits(2, 1);
    assert_eq!(after(&mut world), ["web: 1 → 2 instances (2 tasks have no place)"]);
    assert!(world.row.awaits_room());
    let room = world.of("shop").row.clone();
    let mut world = World { row: world.row, ..waits(2, 2) };
    world.of("shop").row = room;
    assert_eq!(after(&mut world), ["ring shop: there is room for the 2 tasks of its rollout"]);
    assert!(!world.row.awaits_room());
    assert_eq!(after(&mut world), Vec::<String>::new(), "one bell a wait");
    // It waits anew: for another one.
    world.of("shop").row.as_mut().unwrap().state.marks.room.as_mut().unwrap().since = at(86_300);
    assert_eq!(after(&mut world).len(), 1);
    world.of("shop").row.as_mut().unwrap().state.marks.room = None;
    assert_eq!((after(&mut world), world.row.state.waiting.len()), (vec![], 0));
}

#[test]
fn room_for_some_rings_nobody() {
    assert_eq!(after(&mut waits(3, 2)), ["web: 2 → 3 instances (1 tasks have no place)"]);
}
