//! The task before a rollout.

use super::creating::SPEC;
use super::world::{World, at, digest, revision};
use crate::deploy::plan::{InFlightChange, Step, StepOutcome};
use crate::deploy::{Plan, record};
use crate::facts::{Fact, PreDeployTask, StoppedContainer, StoppedTask};
use crate::ledger::{InFlight, PreDeployEnd};

const TASK: &str = "arn:aws:ecs:eu-central-1:123456789012:task/main/1";

fn world() -> World {
    let spec = "image: {repository: shop}\npre_deploy: {command: [./migrate, up], timeout_minutes: 15}";
    World::specified(spec).image('b', "v2", 50)
}

fn begun(plan: &Plan) -> Option<&InFlight> {
    match &plan.ledger.in_flight {
        InFlightChange::Set(begun) => Some(begun),
        InFlightChange::Keep | InFlightChange::Clear => None,
    }
}

fn said(plan: &Plan) -> String {
    plan.report.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// The world after the pass: its steps went through, and RunTask answered so.
fn after(mut world: World, ran: Option<record::Ran>) -> World {
    let plan = world.plan();
    let made = record::Made {
        outcomes: vec![StepOutcome::Done; plan.steps.len()],
        task: ran,
        ..record::Made::default()
    };
    let intent = record::intent(&world.row.state, &plan, world.now);
    world.row.state = record::after(intent, &plan, &made);
    world.row.quarantine.extend(plan.ledger.quarantine.clone());
    let registered = plan.steps.iter().find_map(|step| match step {
        Step::RegisterTaskDefinition { content, .. } => Some((**content).clone()),
        _ => None,
    });
    if let Some(mut registered) = registered {
        registered.arn = revision(8, "").arn;
        world.facts.newest_revision = Fact::Known(registered);
    }
    world.facts.pre_deploy = Fact::Absent;
    world
}

fn task(stopped: Option<StoppedTask>) -> Fact<PreDeployTask> {
    let last_status = if stopped.is_some() { "STOPPED" } else { "RUNNING" }.into();
    Fact::Known(PreDeployTask { arn: TASK.into(), last_status, stopped })
}

fn ended(code: Option<i32>) -> Fact<PreDeployTask> {
    task(Some(StoppedTask {
        arn: TASK.into(),
        stop_code: Some("EssentialContainerExited".into()),
        stopped_reason: Some("Essential container in task exited".into()),
        containers: vec![
            StoppedContainer { name: "sidecar".into(), exit_code: Some(137), reason: None },
            StoppedContainer { name: "web".into(), exit_code: code, reason: None },
        ],
        stopped_at: Some(at(62)),
    }))
}

fn started() -> World {
    after(world(), Some(record::Ran::Task(TASK.into())))
}

#[test]
fn it_is_marked_and_run_in_the_new_revision_before_anything_begins() {
    let plan = world().plan();
    assert!(
        matches!(&plan.steps[..], [Step::RegisterTaskDefinition { .. }, Step::RunTask(task)]
            if task.command == ["./migrate", "up"] && task.container.as_str() == "web"),
        "{plan}"
    );
    assert_eq!(begun(&plan), None);
    let mark = &plan.ledger.marks.as_ref().unwrap().pre_deployed[0];
    assert_eq!((&mark.digest, &mark.task, mark.until), (&digest('b'), &None, Some(at(75))));
    insta::assert_snapshot!(said(&plan), @"waiting: the task before the rollout of bbbbbbbbbbbb is started");
}

#[test]
fn while_it_runs_nothing_is_registered_again() {
    let mut world = started();
    world.facts.pre_deploy = task(None);
    let plan = world.plan();
    assert!(plan.steps.is_empty() && begun(&plan).is_none(), "{plan}");
    assert!(said(&plan).contains("the task before the rollout of bbbbbbbbbbbb runs since"), "{plan}");
}

#[test]
fn its_success_is_remembered_and_the_rollout_begins_with_its_revision() {
    let mut world = started();
    world.facts.pre_deploy = ended(Some(0));
    let plan = world.plan();
    assert!(matches!(&plan.steps[..], [Step::UpdateService { .. }]), "{plan}");
    assert_eq!(begun(&plan).unwrap().digest, digest('b'));
    let marks = plan.ledger.marks.as_ref().unwrap();
    assert_eq!(marks.pre_deployed[0].ended, Some(PreDeployEnd::Succeeded));
}

#[test]
fn its_failure_stops_the_rollout_and_runs_again_only_when_a_person_says_so() {
    for (code, words) in [(Some(3), "web exited with 3"), (None, "web did not run to its end")] {
        let mut world = started();
        world.facts.pre_deploy = ended(code);
        let plan = world.plan();
        assert!(plan.steps.is_empty() && begun(&plan).is_none(), "{plan}");
        let why = &plan.ledger.quarantine[&digest('b')];
        assert!(
            why.reason.contains(words) && why.reason.contains("EssentialContainerExited"),
            "{}",
            why.reason
        );
        assert_eq!(plan.ledger.ended[0].digest, digest('b'));
        let first = world.row.state.marks.pre_deployed[0].token.clone();
        let mut failed = after(world, None);
        failed.facts.pre_deploy = Fact::NotAsked;
        assert!(failed.plan().steps.is_empty());
        failed.row.quarantine.clear();
        failed.now = at(90);
        let again = failed.plan();
        let [Step::RunTask(task)] = &again.steps[..] else { panic!("{again}") };
        assert_ne!(task.token, first, "ECS would give the failed one again");
    }
}

#[test]
fn a_pass_that_died_before_its_answer_asks_for_the_same_one_again() {
    let mut world = after(world(), None);
    world.now = at(61);
    let token = world.row.state.marks.pre_deployed[0].token.clone();
    let plan = world.plan();
    assert!(matches!(&plan.steps[..], [Step::RunTask(task)] if task.token == token), "{plan}");
    // What ECS does not list after that was never started.
    world.now = at(63);
    let plan = world.plan();
    assert!(matches!(&plan.steps[..], [Step::RunTask(task)] if task.token != token), "{plan}");
    // It was started after all: it is found by its token.
    world.facts.pre_deploy = task(None);
    let plan = world.plan();
    assert!(plan.steps.is_empty(), "{plan}");
    assert_eq!(plan.ledger.marks.unwrap().pre_deployed[0].task.as_deref(), Some(TASK));
}

#[test]
fn where_nothing_had_room_for_it_a_new_try_is_made() {
    let mut world = after(world(), Some(record::Ran::Nothing));
    assert_eq!(world.row.state.marks.pre_deployed, []);
    world.facts.pre_deploy = Fact::NotAsked;
    assert!(matches!(&world.plan().steps[..], [Step::RunTask(_)]));
}

#[test]
fn what_ecs_forgot_is_taken_for_a_failure() {
    let mut world = started();
    world.now = at(74);
    assert!(world.plan().steps.is_empty(), "ECS's list may lag");
    world.now = at(121);
    let plan = world.plan();
    assert!(plan.steps.is_empty(), "{plan}");
    assert!(plan.ledger.quarantine[&digest('b')].reason.contains("cannot be told"), "{plan}");
}

#[test]
fn a_late_one_has_failed_and_the_next_image_waits_for_its_end() {
    let mut world = started();
    world.facts.pre_deploy = task(None);
    world.now = at(75);
    let plan = world.plan();
    assert!(plan.ledger.quarantine[&digest('b')].reason.contains("has not ended in its time"), "{plan}");
    let mut late = after(world, None);
    late.facts.pre_deploy = task(None);
    assert_eq!(late.plan().ledger.ended, [], "it fails once");
    let mut next = late.image('c', "v3", 70);
    let plan = next.plan();
    assert!(plan.steps.is_empty() && said(&plan).contains("; cccccccccccc comes after it"), "{plan}");
    next.facts.pre_deploy = ended(Some(0));
    let plan = next.plan();
    assert!(plan.steps.iter().any(|step| matches!(step, Step::RunTask(_))), "{plan}");
    assert!(begun(&plan).is_none() && plan.ledger.ended.is_empty(), "{plan}");
}

#[test]
fn a_newer_push_waits_for_the_one_that_runs_and_then_gets_its_own() {
    let mut world = started().image('c', "v3", 61);
    world.facts.pre_deploy = task(None);
    assert!(world.plan().steps.is_empty());
    world.facts.pre_deploy = ended(Some(1));
    let plan = world.plan();
    assert!(plan.steps.iter().any(|step| matches!(step, Step::RunTask(_))), "{plan}");
    assert!(plan.ledger.quarantine.contains_key(&digest('b')));
}

#[test]
fn a_first_release_runs_it_before_anything_but_its_revision_is_made() {
    let plan = World::empty(&format!("{SPEC}pre_deploy: {{command: [migrate]}}\n")).plan();
    assert!(matches!(&plan.steps[..], [Step::RegisterTaskDefinition { .. }, Step::RunTask(_)]), "{plan}");
}

#[test]
fn a_container_whose_end_ends_nothing_is_refused() {
    let spec = "image: {repository: shop}\npre_deploy: {command: [migrate], container: nope}";
    let plan = World::specified(spec).image('b', "v2", 50).plan();
    assert!(plan.steps.is_empty() && said(&plan).contains("no container nope"), "{plan}");
}
