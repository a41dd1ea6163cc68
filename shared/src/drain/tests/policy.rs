//! The time is up.

use super::world::{World, at};
use crate::facts::Fact;
use crate::ledger::{HowItEnded, WhyItLeaves};

/// A job and a stuck service on an instance that Auto Scaling ends.
fn stuck(spec: &str) -> World {
    let mut world = World::new();
    world.spec(spec).terminating().task("family:job");
    world.task("service:shop");
    world.service("shop", 1, 100, 100);
    world.pass();
    world
}

fn cut(world: &World) -> Vec<&str> {
    world.row.state.cut.iter().map(|it| it.group.as_str()).collect()
}

#[test]
fn what_is_left_is_stopped_by_ecs_recorded_and_then_let_go() {
    let mut world = stuck("timeout_secs: 600");
    assert_eq!(world.after(599).steps(), Vec::<String>::new());
    insta::assert_snapshot!(world.after(600).words(), @"
    stop 0 of family:job: the time to drain its instance is up
    stop 1 of service:shop: the time to drain its instance is up
    - 1 task to go: service:shop
    - 1 task that no service starts again; waited for until 2026-01-01T00:10:00Z
    - shop: ECS cannot move its tasks (minimum 100 %, maximum 100 % of 1); raise `max_percent` or lower `min_healthy_percent` in its spec's `rollout`
    - leaving since 2026-01-01T00:00:00Z, the time is up: 2 tasks are stopped
    ");
    world.pass();
    assert_eq!(cut(&world), ["family:job", "service:shop"]);
    assert_eq!(world.after(660).steps(), Vec::<String>::new(), "their targets leave");
    world.emptied();
    assert_eq!(world.steps(), ["complete windlass-drain of nodes"]);
    world.pass();
    assert_eq!(world.row.state.ended.as_ref().unwrap().how, HowItEnded::TimedOut);
    assert_eq!(cut(&world), ["family:job", "service:shop"]);
}

#[test]
fn what_does_not_even_stop_goes_with_the_instance() {
    let mut world = stuck("timeout_secs: 600");
    world.after(600).pass().after(1199);
    assert_eq!(world.steps(), Vec::<String>::new());
    assert_eq!(world.after(1200).steps(), ["complete windlass-drain of nodes"]);
    world.pass();
    assert_eq!(cut(&world), ["family:job", "service:shop"], "each once");
}

#[test]
fn let_go_cuts_what_is_on_it_and_says_so() {
    let mut world = stuck("timeout_secs: 600, on_timeout: let_go");
    insta::assert_snapshot!(world.after(600).words(), @"
    complete windlass-drain of nodes
    - 1 task to go: service:shop
    - 1 task that no service starts again; waited for until 2026-01-01T00:10:00Z
    - shop: ECS cannot move its tasks (minimum 100 %, maximum 100 % of 1); raise `max_percent` or lower `min_healthy_percent` in its spec's `rollout`
    - leaving since 2026-01-01T00:00:00Z, the time is up: the instance is let go with what is on it
    ");
    world.pass();
    assert_eq!(cut(&world), ["family:job", "service:shop"]);
    assert_eq!(world.row.state.ended.as_ref().unwrap().how, HowItEnded::TimedOut);
}

#[test]
fn wait_waits() {
    let mut world = stuck("timeout_secs: 600, on_timeout: wait");
    assert_eq!(world.after(1700).steps(), Vec::<String>::new());
    assert!(world.words().contains("waited on"), "{}", world.words());
}

#[test]
fn under_a_spec_that_does_not_read_nothing_is_cut() {
    let mut world = stuck("timeout_secs: 600");
    let Fact::Known(parameter) = &mut world.facts.parameter else { panic!() };
    parameter.text = "capacity: {drain: {timeout: soon}}".into();
    assert_eq!(world.after(1700).steps(), Vec::<String>::new());
    world.emptied();
    assert_eq!(world.steps(), ["complete windlass-drain of nodes"]);
}

#[test]
fn for_a_rotation_only_what_no_service_starts_again_is_stopped_and_for_a_consolidation_nothing() {
    let mut world = World::new();
    world.marked(WhyItLeaves::Rotation, at(0)).draining().task("family:job");
    world.task("service:shop");
    world.pass();
    assert_eq!(world.after(900).steps(), ["stop 0 of family:job: the time to drain its instance is up"]);
    let mut world = World::new();
    world.marked(WhyItLeaves::Consolidation, at(0)).draining().task("family:job");
    world.pass();
    assert_eq!(world.after(9000).steps(), Vec::<String>::new());
}
