//! Auto Scaling waits for our hook.

use super::world::{World, at};
use crate::facts::{Fact, FailureKind, Unreadable};
use crate::ledger::{HowItEnded, WhyItLeaves};

fn ended(world: &World) -> Option<HowItEnded> {
    world.row.state.ended.as_ref().map(|end| end.how)
}

#[test]
fn it_is_marked_drained_waited_for_and_completed_when_tasks_and_targets_have_left() {
    let mut world = World::new();
    world.terminating().task("service:shop");
    world.target("healthy");
    insta::assert_snapshot!(world.words(), @"
    mark it: Auto Scaling terminates it
    drain it
    - 1 task to go: service:shop
    - 1 target still in 1 target group
    ");
    assert_eq!(world.pass().steps(), Vec::<String>::new(), "ECS moves it");
    // The task has stopped, its target still finishes requests: aws-cdk#13506.
    world.task("service:shop").last_status = "STOPPED".into();
    world.emptied().target("draining");
    insta::assert_snapshot!(world.words(), @"- 1 target still in 1 target group");
    world.emptied().target("unused");
    insta::assert_snapshot!(world.words(), @"complete windlass-drain of nodes");
    world.pass();
    assert_eq!(ended(&world), Some(HowItEnded::Empty));
    assert_eq!(world.words(), "", "it proceeds, and nothing is done twice");
    assert_eq!(world.gone().pass().words(), "");
}

#[test]
fn what_scale_has_emptied_is_let_go_at_once() {
    let mut world = World::new();
    world.marked(WhyItLeaves::Consolidation, at(-60)).draining().terminating();
    assert_eq!(world.steps(), ["complete windlass-drain of nodes"]);
}

#[test]
fn an_instance_that_ecs_never_knew_or_that_is_gone_is_let_go() {
    let mut world = World::new();
    world.terminating().gone();
    assert_eq!(world.steps(), ["complete windlass-drain of nodes"]);
    assert_eq!(world.pass().steps(), Vec::<String>::new());
}

#[test]
fn daemons_do_not_count_and_stop_nothing() {
    let mut world = World::new();
    world.terminating().draining().marked(WhyItLeaves::Hook, at(0)).task("service:agent");
    assert_eq!(world.steps(), Vec::<String>::new());
    world.service("agent", 4, 100, 200).scheduling = "DAEMON".into();
    assert_eq!(world.steps(), ["complete windlass-drain of nodes"]);
}

#[test]
fn a_task_that_is_being_stopped_counts_until_it_has_stopped() {
    let mut world = World::new();
    world.terminating().draining().marked(WhyItLeaves::Hook, at(0)).task("service:shop").desired_status =
        "STOPPED".into();
    assert_eq!(world.steps(), Vec::<String>::new());
}

#[test]
fn it_is_told_that_it_goes_on_when_half_the_patience_is_over_and_never_past_the_longest() {
    let mut world = World::new();
    world.spec("on_timeout: wait").terminating().task("service:shop");
    world.pass();
    assert_eq!(world.after(1799).steps(), Vec::<String>::new());
    assert_eq!(world.after(1800).steps(), ["tell nodes that windlass-drain goes on"]);
    world.pass();
    assert_eq!(world.after(3599).steps(), Vec::<String>::new());
    assert_eq!(world.after(3600).steps(), ["tell nodes that windlass-drain goes on"]);
    assert_eq!(world.after(48 * 3600).steps(), Vec::<String>::new(), "48 hours are Auto Scaling's end");
    world.member().hooks[0].heartbeat_secs = 60;
    assert_eq!(world.after(5999).steps(), ["tell nodes that windlass-drain goes on"]);
    assert_eq!(world.after(6000).steps(), Vec::<String>::new(), "100 heartbeats are");
}

#[test]
fn what_cannot_be_read_lets_nothing_go() {
    let broken = || Unreadable {
        doing: "asking".into(),
        kind: FailureKind::Throttled,
        detail: "Rate exceeded".into(),
    };
    let mut world = World::new();
    world.terminating().draining().marked(WhyItLeaves::Hook, at(0));
    let mut one = world.clone();
    one.facts.tasks = Fact::Unreadable(broken());
    assert_eq!(one.words(), "- unreadable: asking: Rate exceeded");
    let mut one = world.clone();
    one.facts.targets = Fact::Unreadable(broken());
    assert_eq!(one.words(), "- unreadable: asking: Rate exceeded");
    let mut one = world.clone();
    one.facts.instance = Fact::Unreadable(broken());
    assert_eq!(one.words(), "- unreadable: asking: Rate exceeded");
    // A service that cannot be told may be a daemon's: it counts.
    world.task("service:shop");
    world.facts.services.insert("shop".into(), Fact::Unreadable(broken()));
    assert_eq!(world.steps(), Vec::<String>::new());
}

#[test]
fn back_in_service_it_is_taken_back() {
    let mut world = World::new();
    world.terminating().task("service:shop");
    world.member().lifecycle = "ReplacingRootVolume:Wait".into();
    world.pass().emptied().pass();
    assert_eq!(ended(&world), Some(HowItEnded::Empty));
    world.member().lifecycle = "InService".into();
    assert_eq!(world.after(30).steps(), Vec::<String>::new(), "what an API tells may be of before");
    assert_eq!(world.after(120).steps(), ["take it back"]);
    world.pass();
    assert_eq!(ended(&world), Some(HowItEnded::TakenBack));
    assert_eq!(world.words(), "");
    // And leaves another time.
    assert_eq!(world.terminating().steps(), ["mark it: Auto Scaling terminates it", "drain it"]);
}

#[test]
fn both_at_100_percent_is_told_at_once_with_what_to_change() {
    let mut world = World::new();
    world.terminating().task("service:shop");
    world.service("shop", 1, 100, 100);
    insta::assert_snapshot!(world.words(), @"
    mark it: Auto Scaling terminates it
    drain it
    - 1 task to go: service:shop
    - shop: ECS cannot move its tasks (minimum 100 %, maximum 100 % of 1); raise `max_percent` or lower `min_healthy_percent` in its spec's `rollout`
    ");
}

#[test]
fn one_that_comes_into_the_warm_pool_is_not_taken_for_one_that_leaves() {
    let mut world = World::new();
    world.terminating().gone().member().lifecycle = "Warmed:Pending:Wait".into();
    assert_eq!(world.words(), "");
}

#[test]
fn one_that_was_back_unseen_is_asked_after_anew() {
    let mut world = World::new();
    world.terminating().draining().pass();
    assert_eq!(ended(&world), Some(HowItEnded::Empty));
    // Another hook is still waited for: ours was answered.
    world.terminating();
    assert_eq!(world.after(60).steps(), Vec::<String>::new());
    assert_eq!(world.after(7200).steps(), ["complete windlass-drain of nodes"]);
}
