//! What is settled is published once, last of all, where the stack says so; a refusal is told.

use super::world::World;
use crate::deploy::plan::StepOutcome;
use crate::deploy::{Plan, Published, Step, Triage, record, triage};
use crate::facts::FailureKind;
use crate::ledger::ServiceState;

fn publishing() -> World {
    let mut world = World::tracked("shop:latest");
    world.settings.published = Published::Yes;
    world
}

/// The row after the plan, each step of which ended so.
fn after(world: &World, plan: &Plan, outcome: &StepOutcome) -> ServiceState {
    let made = record::Made { outcomes: vec![outcome.clone(); plan.steps.len()], ..record::Made::default() };
    record::after(record::intent(&world.row.state, plan, world.now), plan, &made)
}

fn judged(world: &World) -> Triage {
    triage(&world.facts, Some(&world.row), &world.settings, world.now)
}

#[test]
fn what_is_live_is_published_once() {
    let mut world = publishing();
    assert_eq!(judged(&world), Triage::Pass("what is live is to be published"));
    let plan = world.plan();
    insta::assert_snapshot!(plan, @"
    main/shop
      quiet: latest (aaaaaaaaaaaa) is live
      1. publish what is live in /windlass/deployed/main/shop
    ");
    let Some(Step::Publish { text, .. }) = plan.steps.last() else { panic!("{plan}") };
    insta::assert_snapshot!(text, @r#"{"digest":"sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","repository":"shop","tag":"latest","task_definition":"arn:aws:ecs:eu-central-1:123456789012:task-definition/shop:7"}"#);
    world.row.state = after(&world, &plan, &StepOutcome::Done);
    assert_eq!(judged(&world), Triage::Quiet);
    assert_eq!(world.plan().steps, []);
}

#[test]
fn a_stack_that_does_not_say_so_publishes_nothing() {
    let mut world = publishing();
    world.settings.published = Published::No;
    assert_eq!((judged(&world), world.plan().steps), (Triage::Quiet, Vec::new()));
}

/// A throttled write is made again, a refused one with the next release.
#[test]
fn a_refusal_is_told_and_nothing_more() {
    let mut world = publishing();
    let plan = world.plan();
    let before = world.row.state.clone();
    let waits = StepOutcome::Waiting { reason: "AWS's rate is reached".into() };
    world.row.state = after(&world, &plan, &waits);
    assert!(world.row.state.unfinished && matches!(judged(&world), Triage::Pass(_)));
    assert_eq!(world.plan().steps, plan.steps);

    world.row.state = before;
    let refused = StepOutcome::Failed { kind: FailureKind::Denied, reason: "AccessDenied".into() };
    world.row.state = after(&world, &plan, &refused);
    let told = world.plan();
    insta::assert_snapshot!(told, @"
    main/shop
      quiet: latest (aaaaaaaaaaaa) is live
      not published: /windlass/deployed/main/shop does not say what is live, for AWS refused it; the next release tries again. AccessDenied
    ");
    world.row.state = after(&world, &told, &StepOutcome::Done);
    assert_eq!(judged(&world), Triage::Quiet, "it is not asked each minute");
    let released = world.row.state.settled.as_mut().unwrap();
    released.task_definition = "arn:aws:ecs:eu-central-1:1:task-definition/shop:8".into();
    assert_eq!(judged(&world), Triage::Pass("what is live is to be published"), "the next release asks anew");
}

#[test]
fn an_image_on_its_way_is_not_published() {
    let world = publishing().image('b', "latest", 30);
    let plan = world.plan();
    let published = plan.steps.last().unwrap();
    let Step::Publish { text, .. } = published else { panic!("{plan}") };
    assert!(text.contains(super::world::digest('a').as_str()), "what runs, after what begins: {plan}");
    assert!(plan.steps.len() > 1, "{plan}");
}
