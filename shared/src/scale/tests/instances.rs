//! How many instances there are.

use super::world::{World, at};
use crate::facts::Fact;
use crate::ledger::{Hold, WhyItLeaves};
use crate::scale::facts::LiveProvider;

/// Instances of 2,048 CPU units take two of these.
fn shop(desired: u32, instances: u32, max: u32) -> World {
    let mut world = World::new();
    world.service("shop", desired, 1024, 512).group("web", instances, 0, max);
    world
}

#[test]
fn exactly_what_is_missing_comes_in_one_step() {
    let mut world = shop(7, 1, 10);
    world.task("shop", "i-web1");
    world.task("shop", "i-web1");
    assert_eq!(world.steps(), ["web: 1 → 4 instances (5 tasks have no place)"]);
}

#[test]
fn from_zero_one_is_asked_for_where_one_is_enough() {
    let world = shop(2, 0, 10);
    assert_eq!(world.steps(), ["web: 0 → 1 instances (2 tasks have no place)"]);
}

#[test]
fn what_is_on_its_way_is_not_asked_for_twice() {
    let mut world = shop(4, 0, 10);
    world.group_mut().desired = 2;
    assert_eq!(world.steps(), Vec::<String>::new());
    assert_eq!(world.report(), ["web: 2 on their way"]);
}

#[test]
fn what_cannot_be_had_is_said_with_what_is_short() {
    let mut world = shop(4, 1, 1);
    world.task("shop", "i-web1");
    world.task("shop", "i-web1");
    assert_eq!(world.steps(), Vec::<String>::new());
    insta::assert_snapshot!(world.report()[0], @"2 of service:shop without a place: 1,024 CPU units short on the only instance (i-web1); web: it has its most, 1; raise its maximum");
}

#[test]
fn groups_that_are_somebody_elses_are_left_alone_and_said() {
    let mut world = shop(4, 1, 10);
    world.group_mut().tags.clear();
    assert_eq!(world.steps(), Vec::<String>::new());
    assert!(world.report()[0].starts_with("web: left alone, it has no tag"), "{:?}", world.report());
    let mut world = shop(4, 1, 10);
    world.facts.providers = Fact::Known(vec![LiveProvider {
        name: "cp".into(),
        group: Some("web".into()),
        managed_scaling: true,
        managed_draining: true,
        managed_protection: false,
    }]);
    assert_eq!(world.steps(), Vec::<String>::new());
    assert!(
        world.report()[0].contains("the capacity provider cp has managed scaling"),
        "{:?}",
        world.report()
    );
}

/// Two instances with one task each: one would do.
fn half_empty() -> World {
    let mut world = shop(2, 2, 10);
    world.task("shop", "i-web1");
    world.task("shop", "i-web2");
    world
}

#[test]
fn a_spare_instance_is_emptied_then_removed_and_then_all_is_quiet() {
    let mut world = half_empty();
    assert_eq!(world.steps(), ["empty i-web1: its tasks fit on the others"]);
    assert!(
        world.report().contains(&"1 instances fewer save $73.00 a month".to_owned()),
        "{:?}",
        world.report()
    );
    world.leaves("i-web1", WhyItLeaves::Consolidation, world.now);
    assert_eq!(world.steps(), Vec::<String>::new(), "its task is still there");
    world.emptied("i-web1").task("shop", "i-web2");
    assert_eq!(world.steps(), ["remove i-web1, web has one fewer"]);
    let groups = world.group_mut();
    groups.instances.retain(|it| it.id.as_str() != "i-web1");
    groups.desired = 1;
    let Fact::Known(instances) = &mut world.facts.instances else { unreachable!() };
    instances.retain(|it| it.ec2 != Some("i-web1".into()));
    assert_eq!(world.steps(), Vec::<String>::new());
}

#[test]
fn what_ec2_takes_is_removed_once_it_is_empty_so_that_nothing_comes_in_its_place() {
    let mut world = half_empty();
    world.leaves("i-web1", WhyItLeaves::Spot, world.now);
    assert_eq!(world.steps(), Vec::<String>::new(), "its task is still there, and has room elsewhere");
    world.emptied("i-web1").task("shop", "i-web2");
    assert_eq!(world.steps(), ["remove i-web1, web has one fewer"]);
}

#[test]
fn a_group_that_would_fall_below_its_least_keeps_its_instances() {
    let mut world = half_empty();
    world.group_mut().min = 2;
    assert_eq!(world.steps(), Vec::<String>::new());
    assert!(world.report()[0].contains("web: has its fewest, "), "{:?}", world.report());
}

#[test]
fn nothing_is_emptied_soon_after_more_was_asked_for_nor_while_a_person_stopped_it() {
    let mut world = half_empty();
    world.row.state.groups.entry("web".into()).or_default().out_at = Some(at(86_300));
    assert_eq!(world.steps(), Vec::<String>::new());
    world.now = at(86_601);
    assert_eq!(world.steps().len(), 1);
    let hold = Hold { by: "eve".into(), reason: "audit".into(), at: at(0) };
    let Fact::Known(stops) = &mut world.facts.stops else { unreachable!() };
    stops.everywhere = Some(hold);
    assert_eq!(world.steps(), Vec::<String>::new());
}

#[test]
fn nothing_is_emptied_where_something_could_not_be_told() {
    let mut world = half_empty();
    let revision = world.of("shop").live.task_definition.clone();
    world.facts.task_definitions.insert(revision, Fact::Absent);
    assert_eq!(world.steps(), Vec::<String>::new());
}

#[test]
fn protected_and_standalone_tasks_keep_their_instance_with_the_reason() {
    let mut world = half_empty();
    world.task_of("shop", "family:batch", "i-web1");
    world.on("i-web2").attributes.insert("x".into(), None);
    let until = at(90_000);
    let arn = world.on("i-web2").arn.clone();
    let Fact::Known(tasks) = &mut world.facts.tasks else { unreachable!() };
    for task in tasks.iter_mut().filter(|task| task.instance.as_ref() == Some(&arn)) {
        task.protected_until = Some(until);
    }
    assert_eq!(world.steps(), Vec::<String>::new());
    let report = world.report().join("\n");
    assert!(report.contains("i-web2: kept, a task on it is protected"), "{report}");
}

#[test]
fn demand_takes_back_what_was_being_emptied_before_anything_is_bought() {
    let mut world = half_empty();
    world.leaves("i-web1", WhyItLeaves::Consolidation, at(86_390)).emptied("i-web1").task("shop", "i-web2");
    world.of("shop").live.desired = 4;
    // What is empty and drained goes in the same pass in which it is seen so; here a task is still on it.
    world.task("shop", "i-web1");
    assert_eq!(world.steps(), ["take i-web1 back: tasks have no place"]);
}

#[test]
fn somebody_elses_drain_is_left_alone_and_its_tasks_make_demand() {
    let mut world = half_empty();
    world.task("shop", "i-web2");
    world.of("shop").live.desired = 3;
    world.of("shop").live.running = 3;
    world.on("i-web1").status = "DRAINING".into();
    assert_eq!(world.steps(), ["web: 2 → 3 instances (1 tasks have no place)"]);
    assert_eq!(world.report()[0], "ci/i-web1: drains, and not for Windlass; left alone");
}

#[test]
fn a_rotation_replaces_the_oldest_first_within_its_budget_and_ends() {
    let mut world = shop(3, 2, 10);
    world.task("shop", "i-web1");
    world.task("shop", "i-web1");
    world.task("shop", "i-web2");
    world.row.rotate = Some(crate::ledger::Order { by: "eve".into(), reason: "ami".into(), at: at(86_000) });
    world.on("i-web2").registered_at = Some(at(-5));
    assert_eq!(world.steps(), ["empty i-web2: it is replaced by a newer one"]);
    world.leaves("i-web2", WhyItLeaves::Rotation, world.now);
    assert_eq!(world.steps(), ["web: 2 → 3 instances (1 tasks have no place)"]);
    for id in ["i-web1", "i-web2"] {
        world.on(id).status = "ACTIVE".into();
        world.on(id).attributes.remove(crate::ledger::MARK);
        world.on(id).registered_at = Some(at(86_100));
    }
    let plan = world.plan();
    assert_eq!((plan.steps.len(), plan.state.rotated), (0, Some(at(86_000))));
}

#[test]
fn headroom_is_kept_free_and_is_no_task_without_a_place() {
    let mut world = shop(2, 1, 10);
    world.task("shop", "i-web1");
    world.task("shop", "i-web1");
    world.spec("capacity: {headroom: {tasks: {service: shop, count: 1}}}");
    assert_eq!(world.steps(), ["web: 1 → 2 instances (1 tasks have no place)"]);
    world.group_mut().max = 1;
    assert_eq!((world.steps(), world.report()), (vec![], vec![]));
}

#[test]
fn a_rollouts_surge_brings_its_room() {
    let mut world = shop(2, 1, 10);
    world.task("shop", "i-web1");
    world.task("shop", "i-web1");
    let new = "arn:aws:ecs:eu-central-1:0:task-definition/shop:2";
    let old = world.of("shop").live.task_definition.clone();
    let definition = world.facts.task_definitions[&old].clone();
    world.facts.task_definitions.insert(new.into(), definition);
    let service = world.of("shop");
    service.live.task_definition = new.into();
    let mut primary = service.live.deployments[0].clone();
    primary.task_definition = new.into();
    service.live.deployments.insert(0, primary);
    assert_eq!(world.steps(), ["web: 1 → 2 instances (2 tasks have no place)"]);
    // At 100 percent ECS stops an old one first: nothing is needed beside what there is.
    world.of("shop").live.settings.max_percent = 100;
    assert_eq!(world.steps(), Vec::<String>::new());
}

#[test]
fn what_is_emptied_leaves_the_zones_in_balance() {
    // Zones a, b, a, b; two are enough, and the emptiest two are both in b.
    let mut world = World::new();
    world.service("shop", 6, 512, 512).group("web", 4, 0, 10);
    world.spec("cluster: main\ncapacity: {consolidation: {max_percent: 100}}\n");
    for id in ["i-web1", "i-web1", "i-web2", "i-web3", "i-web3", "i-web4"] {
        world.task("shop", id);
    }
    assert_eq!(
        world.steps(),
        ["empty i-web2: its tasks fit on the others", "empty i-web1: its tasks fit on the others"]
    );
    assert!(
        world.report().iter().any(|it| it.contains("i-web4") && it.contains("two fewer in b")),
        "{:?}",
        world.report()
    );
}
