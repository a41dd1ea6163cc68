//! Spot, recommendations, marks that others left, and what is none of ours.

use super::world::{World, at};
use crate::drain::facts::Warning;
use crate::facts::Fact;
use crate::ledger::{HowItEnded, WhyItLeaves};

const SPOT: Warning = Warning::Spot { at: crate::id::Timestamp::UNIX_EPOCH };

fn spot() -> Warning {
    Warning::Spot { at: at(0) }
}

fn rebalance() -> Warning {
    Warning::Rebalance { at: at(0) }
}

#[test]
fn a_spot_warning_drains_and_what_serves_elsewhere_leaves_the_load_balancer_before_the_end() {
    let mut world = World::new();
    world.warned(spot()).task("service:shop");
    world.task("service:alone");
    world.service("alone", 1, 100, 100);
    world.task("family:job");
    assert_eq!(world.steps(), ["mark it: EC2 takes the spot instance back", "drain it"]);
    assert_eq!(world.pass().after(59).steps(), Vec::<String>::new());
    let stopped = world.after(60).steps();
    assert_eq!(stopped.len(), 1, "{stopped:?}");
    assert!(stopped[0].starts_with("stop 0 of service:shop"), "{stopped:?}");
    world.pass().after(125).gone().pass();
    let cut: Vec<&str> = world.row.state.cut.iter().map(|it| it.group.as_str()).collect();
    assert_eq!(cut, ["service:shop", "service:alone", "family:job"], "what was cut is recorded");
    assert_eq!(world.row.state.ended.as_ref().unwrap().how, HowItEnded::Gone);
    // Auto Scaling finds it gone, and asks.
    assert_eq!(world.after(160).terminating().steps(), ["complete windlass-drain of nodes"]);
}

#[test]
fn a_harder_reason_takes_a_softer_ones_place_and_never_the_other_way_round() {
    let mut world = World::new();
    world.marked(WhyItLeaves::Consolidation, at(-60)).draining().task("service:shop");
    assert_eq!(world.warned(spot()).steps(), ["mark it: EC2 takes the spot instance back"]);
    let mut world = World::new();
    world.marked(WhyItLeaves::Rotation, at(-60)).draining().task("service:shop");
    world.pass();
    assert_eq!(world.warned(rebalance()).steps(), Vec::<String>::new());
    assert_eq!(world.row.state.leaves.as_ref().unwrap().why, WhyItLeaves::Rotation);
}

#[test]
fn a_recommendation_that_nothing_follows_is_taken_back() {
    let mut world = World::new();
    world.warned(rebalance()).task("service:shop");
    assert_eq!(world.pass().after(1799).steps(), Vec::<String>::new());
    assert_eq!(world.after(1800).steps(), ["take it back"]);
    world.pass();
    assert_eq!(world.row.state.ended.as_ref().unwrap().how, HowItEnded::TakenBack);
    assert_eq!(world.words(), "");
    // Unless Auto Scaling ends it by then.
    let mut world = World::new();
    world.warned(rebalance()).task("service:shop");
    world.pass().after(1700).terminating();
    assert_eq!(world.steps(), ["mark it: Auto Scaling terminates it"]);
    assert_eq!(world.pass().after(1800).steps(), Vec::<String>::new());
}

#[test]
fn a_recommendation_may_be_ignored() {
    let mut world = World::new();
    world.spec("rebalance: ignore").warned(rebalance());
    assert_eq!(world.words(), "- a recommendation alone drains nothing here (`drain.rebalance: ignore`)");
}

#[test]
fn a_mark_without_draining_is_a_dead_pass_and_gone_on_with() {
    for why in [WhyItLeaves::Consolidation, WhyItLeaves::Rotation, WhyItLeaves::Spot, WhyItLeaves::Person] {
        let mut world = World::new();
        world.marked(why, at(-300)).task("service:shop");
        assert_eq!(world.steps(), [format!("mark it: {why}"), "drain it".to_owned()]);
    }
}

#[test]
fn what_somebody_set_active_again_stays_so_unless_it_ends_anyway() {
    let mut world = World::new();
    world.warned(rebalance()).task("service:shop");
    world.pass();
    world.instance().status = "ACTIVE".into();
    assert_eq!(world.steps(), ["take it back"], "the mark goes too");
    let mut world = World::new();
    world.terminating().task("service:shop");
    world.pass();
    world.instance().status = "ACTIVE".into();
    assert_eq!(world.steps(), ["mark it: Auto Scaling terminates it", "drain it"]);
}

#[test]
fn draining_without_our_mark_is_somebody_elses() {
    let mut world = World::new();
    world.draining().task("service:shop");
    assert_eq!(world.words(), "- left alone: it drains, and not for Windlass");
    assert_eq!(world.warned(SPOT).words(), "- left alone: it drains, and not for Windlass");
    world.facts.warning = None;
    // Our hook is ours all the same: it is completed when the other one has emptied it.
    world.terminating();
    assert_eq!(world.steps(), Vec::<String>::new());
    assert_eq!(world.pass().emptied().steps(), ["complete windlass-drain of nodes"]);
}

#[test]
fn managed_draining_is_left_alone() {
    let mut world = World::new();
    world.managed().task("service:shop");
    world.member().lifecycle = "Terminating:Wait".into();
    insta::assert_snapshot!(world.words(), @"- left alone: the capacity provider nodes-provider has managed draining");
    world.member().lifecycle = "InService".into();
    insta::assert_snapshot!(world.warned(rebalance()).words(), @"- left alone: the capacity provider nodes-provider has managed draining");
    world.facts.warning = None;
    // With a hook of ours beside it: ECS empties, and ours is completed then.
    world.terminating();
    assert_eq!(world.steps(), Vec::<String>::new());
    assert_eq!(world.pass().draining().emptied().steps(), ["complete windlass-drain of nodes"]);
}

#[test]
fn groups_and_hooks_of_others_are_left_alone_with_a_reason() {
    let mut world = World::new();
    world.member().is_ours = false;
    insta::assert_snapshot!(world.clone().warned(spot()).words(), @"- left alone: its group nodes has no tag `windlass:cluster` for this cluster");
    world.member().lifecycle = "Terminating:Wait".into();
    insta::assert_snapshot!(world.words(), @"- left alone: its group nodes has no tag `windlass:cluster` for this cluster");
    world.member().is_ours = true;
    insta::assert_snapshot!(world.words(), @"- left alone: nodes waits for a hook whose name does not begin with `windlass`; whoever made it completes it");
    world.facts.group = Fact::Absent;
    insta::assert_snapshot!(world.warned(rebalance()).words(), @"- left alone: it is of no Auto Scaling group that was given to Windlass");
}

#[test]
fn a_row_whose_instance_is_gone_is_closed() {
    let mut world = World::new();
    world.marked(WhyItLeaves::Person, at(-60)).draining();
    assert_eq!(world.pass().words(), "- empty (a person asked); nothing waits for it");
    world.facts.group = Fact::Absent;
    world.gone().pass();
    assert_eq!(world.row.state.ended.as_ref().unwrap().how, HowItEnded::Empty);
    assert_eq!(world.words(), "");
}

#[test]
fn of_an_instance_that_stays_nothing_is_said_or_written() {
    let mut world = World::new();
    world.task("service:shop");
    let before = world.row.state.clone();
    let plan = world.plan();
    assert_eq!((plan.steps.len(), plan.report.len()), (0, 0));
    assert_eq!(plan.state, before);
}
