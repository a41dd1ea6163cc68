//! What the sweep passes by, and what it takes up.

use super::world::{World, at, digest};
use crate::deploy::{Triage, record, triage};
use crate::facts::Fact;
use crate::ledger::{Quarantine, ServiceRow};

fn judged(world: &World, row: &ServiceRow) -> Triage {
    triage(&world.facts, Some(row), &world.settings, world.now)
}

#[test]
fn a_quiet_service_needs_no_pass_and_a_pushed_one_does() {
    let world = World::tracked("shop:latest");
    assert_eq!(judged(&world, &world.row), Triage::Quiet);
    let world = world.image('b', "v1.1.0", 50);
    assert_eq!(judged(&world, &world.row), Triage::Pass("another image is wanted"));
}

#[test]
fn a_service_that_nobody_wants_any_more_is_not_looked_at_every_minute() {
    let mut world = World::tracked("shop:latest");
    world.service().tags.clear();
    world.facts.images = Fact::NotAsked;
    assert_eq!(judged(&world, &world.row), Triage::NotOurs);
    // A service from labels: the row still says what it follows.
    world.row.state.repository = Some("shop".into());
    assert!(matches!(judged(&world, &world.row), Triage::Pass(_)));
}

#[test]
fn a_failed_image_that_is_held_back_leaves_nothing_open() {
    let mut world = World::tracked("shop:latest").image('b', "v1.1.0", 50);
    let failed = Quarantine { reason: "x".into(), at: at(55), deployment: None, spec: None, until: None };
    world.row.quarantine.insert(digest('b'), failed);
    let plan = world.plan();
    let mut row = world.row.clone();
    row.state = record::after(record::intent(&row.state, &plan, world.now), &plan, &record::Made::default());
    assert_eq!(judged(&world, &row), Triage::Quiet);
}
