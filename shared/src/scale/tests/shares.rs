//! Several groups with a base and weights, as a pass sees them.

use super::world::{World, at, settings};
use crate::capacity::Share;
use crate::id::Timestamp;
use crate::ledger::{LaunchFailure, WhyItLeaves};
use crate::scale::check::Violation;
use crate::scale::picture::{SharePicture, picture};
use crate::scale::{Step, check};

const STRATEGY: &str = "capacity: {strategy: [{group: web, base: 1}, {group: spot, weight: 3}]}";

/// Instances of 2,048 CPU units take two tasks of these; so many of each group.
fn world(desired: u32, web: u32, spot: u32) -> World {
    let mut world = World::new();
    world.service("shop", desired, 1024, 512).group("web", web, 0, 10).group("spot", spot, 0, 10);
    world.spec(STRATEGY);
    world
}

fn fails(world: &mut World, group: &str, since: Timestamp) {
    let failed = LaunchFailure { at: since, reason: "no capacity".into() };
    let groups = world.groups();
    groups.iter_mut().find(|it| it.name.as_str() == group).unwrap().failed = Some(failed.clone());
    world.row.state.groups.entry(group.into()).or_default().failed = Some(failed);
}

#[test]
fn the_base_comes_first_then_the_weights() {
    assert_eq!(world(2, 0, 0).steps(), ["web: 0 → 1 instances (2 tasks have no place)"]);
    let steps = world(8, 0, 0).steps();
    assert_eq!(
        steps,
        ["spot: 0 → 3 instances (6 tasks have no place)", "web: 0 → 1 instances (2 tasks have no place)"]
    );
}

#[test]
fn where_the_group_whose_turn_it_is_fails_another_one_is_asked_and_it_is_said() {
    let mut world = world(4, 1, 0);
    world.task("shop", "i-web1");
    world.task("shop", "i-web1");
    let now = world.now;
    fails(&mut world, "spot", now);
    assert_eq!(
        world.steps(),
        ["web: 1 → 2 instances (2 tasks have no place; spot, whose turn it is, fails to launch)"]
    );
    assert!(world.report()[0].starts_with("spot: its launches fail since"), "{:?}", world.report());
}

/// Four instances of the group that took over, and what came back since, empty.
fn taken_over(age: i64) -> World {
    let mut world = world(8, 4, 3);
    for id in ["i-web1", "i-web2", "i-web3", "i-web4"] {
        world.task("shop", id);
        world.task("shop", id);
        world.on(id).registered_at = Some(at(86_400 - age));
    }
    world.spec(&format!("{STRATEGY}\n").replace("]}", "], consolidation: {max_percent: 100}}"));
    world
}

#[test]
fn what_took_over_goes_again_once_it_has_settled_and_the_base_stays() {
    let young = taken_over(600);
    assert_eq!(young.steps(), Vec::<String>::new());
    let kept = "web has more than its share and gives one first";
    assert!(young.report().iter().any(|it| it.contains(kept)), "{:?}", young.report());
    let steps = taken_over(1000).steps();
    assert_eq!(steps.len(), 3, "{steps:?}");
    assert!(steps.iter().all(|it| it.starts_with("empty i-web")), "{steps:?}");
}

#[test]
fn a_group_that_is_named_and_not_there_is_said() {
    let mut world = world(2, 1, 0);
    world.spec("capacity: {strategy: [{group: web, weight: 1}, {group: sport, weight: 3}]}");
    let said = "sport: `capacity.strategy` names it, and there is no such group";
    assert!(world.report().iter().any(|it| it.starts_with(said)), "{:?}", world.report());
}

#[test]
fn a_plan_that_empties_a_base_for_a_saving_is_refused() {
    let mut world = world(2, 1, 1);
    world.task("shop", "i-spot1");
    world.task("shop", "i-spot1");
    let mut plan = world.plan();
    let arn = world.on("i-web1").arn.clone();
    let why = WhyItLeaves::Consolidation;
    plan.steps = vec![Step::Empty { instance: arn, ec2: "i-web1".into(), why }];
    let found = check(&plan, &world.facts, &world.row, world.now);
    assert_eq!(found, [Violation::Base("web".into())]);
}

#[test]
fn people_see_what_each_group_has_and_would_have_by_its_share() {
    let mut world = world(2, 3, 1);
    world.task("shop", "i-web1");
    let drawn = picture(&world.facts, &world.plan(), &world.row, &settings(), world.now).unwrap();
    let shares: Vec<_> = drawn.groups.iter().map(|it| it.share.unwrap()).collect();
    let base = SharePicture { of_spec: Share { base: 1, weight: 0 }, has: 3, fair: 1 };
    assert_eq!(shares, [base, SharePicture { of_spec: Share { base: 0, weight: 3 }, has: 1, fair: 3 }]);
}
