//! A rollout in flight: followed by its own id, its end recorded once.

use super::world::{World, at, deployment, digest, image_of, revision};
use crate::deploy::plan::InFlightChange;
use crate::deploy::{Note, Step, record};
use crate::facts::{
    Fact, FailureKind, RolloutState, ServiceDeployment, StoppedContainer, StoppedTask, Unreadable,
};
use crate::ledger::Outcome;

fn pushed() -> World {
    World::tracked("shop:latest").image('b', "v1.1.0", 49).in_flight('b')
}

fn crashed() -> Fact<Vec<StoppedTask>> {
    Fact::Known(vec![StoppedTask {
        arn: "task".into(),
        stop_code: Some("EssentialContainerExited".into()),
        stopped_reason: None,
        containers: vec![StoppedContainer { name: "web".into(), exit_code: Some(1), reason: None }],
        stopped_at: None,
    }])
}

#[test]
fn a_rollout_that_goes_on_is_waited_for_without_a_step() {
    let world = pushed().deployments(
        vec![deployment(2, 8, RolloutState::InProgress), deployment(1, 7, RolloutState::Completed)],
        'b',
    );
    let plan = world.plan();
    assert_eq!(plan.steps, []);
    insta::assert_snapshot!(plan, @"
    main/shop
      rolling out: bbbbbbbbbbbb as ecs-svc/2, 2 of 2 running
    ");
}

#[test]
fn a_rollout_that_ended_well_is_live_and_settled() {
    let plan = pushed().deployments(vec![deployment(2, 8, RolloutState::Completed)], 'b').plan();
    assert_eq!(plan.ledger.ended[0].outcome, Outcome::Live);
    assert_eq!(plan.ledger.settled.as_ref().unwrap().digest, digest('b'));
    assert_eq!(plan.ledger.in_flight, InFlightChange::Clear);
    insta::assert_snapshot!(plan, @"
    main/shop
      quiet: latest (bbbbbbbbbbbb) is live
      ended: bbbbbbbbbbbb live
    ");
}

#[test]
fn a_failed_rollout_is_quarantined_with_the_reason_that_a_person_needs() {
    let mut failed = deployment(2, 8, RolloutState::Failed);
    failed.reason = "ECS deployment circuit breaker: tasks failed to start.".into();
    let mut world = pushed().deployments(vec![deployment(3, 7, RolloutState::InProgress), failed], 'a');
    world.facts.stopped_tasks = crashed();
    let plan = world.plan();
    assert_eq!(plan.steps, [], "the failed digest is not deployed again");
    assert_eq!(plan.ledger.ended[0].outcome, Outcome::RolledBack);
    insta::assert_snapshot!(plan.ledger.quarantine[&digest('b')].reason, @"ECS deployment circuit breaker: tasks failed to start; 1 × EssentialContainerExited [web exit 1]");
}

#[test]
fn a_newer_push_during_a_rollback_is_rolled_out_at_once() {
    let mut failed = deployment(2, 8, RolloutState::Failed);
    failed.reason = "ECS deployment circuit breaker: tasks failed to start.".into();
    let world = pushed()
        .image('c', "v1.2.0", 55)
        .deployments(vec![deployment(3, 7, RolloutState::InProgress), failed], 'a');
    insta::assert_snapshot!(world.plan(), @"
    main/shop
      ended: bbbbbbbbbbbb rolled back
      quarantine: bbbbbbbbbbbb
      release: latest cccccccccccc (from aaaaaaaaaaaa)
      1. register shop, from shop:7; web: registry.example/shop@sha256:cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc
      2. update the service: shop:7 → the new revision
    ");
}

#[test]
fn a_newer_push_during_a_rollout_supersedes_it() {
    let world = pushed().image('c', "v1.2.0", 55).deployments(
        vec![deployment(2, 8, RolloutState::InProgress), deployment(1, 7, RolloutState::Completed)],
        'b',
    );
    let plan = world.plan();
    assert_eq!(plan.ledger.ended[0].outcome, Outcome::Superseded);
    insta::assert_snapshot!(plan, @"
    main/shop
      rolling out: bbbbbbbbbbbb as ecs-svc/2, 2 of 2 running
      ended: bbbbbbbbbbbb superseded
      release: latest cccccccccccc (from aaaaaaaaaaaa)
      1. register shop, from shop:8; web: registry.example/shop@sha256:cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc
      2. update the service: shop:8 → the new revision
    ");
}

/// shop:8 rolls out by the spec until now; a newer image is pushed, and this is the spec now.
fn specified_midway(spec: &str) -> World {
    let mut world = World::specified(spec);
    world.row.state.settled = World::tracked("shop:latest").row.state.settled;
    world.image('b', "v1.1.0", 49).image('c', "v1.2.0", 55).in_flight('b').deployments(
        vec![deployment(2, 8, RolloutState::InProgress), deployment(1, 7, RolloutState::Completed)],
        'b',
    )
}

/// What `windlass plan` prints below the steps: what the new revision changes in the live one.
fn differences(world: &World, plan: &crate::deploy::Plan) -> String {
    let content = plan.steps.iter().find_map(|step| match step {
        Step::RegisterTaskDefinition { content, .. } => Some(content),
        _ => None,
    });
    let live = world.facts.live_task_definition.known().unwrap();
    crate::deploy::render::difference(live, content.expect("a revision is registered")).join("\n")
}

#[test]
fn in_the_midst_of_a_rollout_a_newer_push_and_another_spec_are_told_as_a_diff() {
    let spec = "image: {repository: shop}\ndesired: 2\ntask: {container: web, cpu: 256, memory: 512, port: 80}\n\
                rollout: {strategy: rolling, bake_minutes: 5, max_percent: 150, alarms: [errors]}\n";
    let mut world = specified_midway(spec);
    world.facts.alarms.insert("errors".into(), Fact::Known(crate::facts::AlarmState::Ok));
    let plan = world.plan();
    insta::assert_snapshot!(plan, @"
    main/shop
      rolling out: bbbbbbbbbbbb as ecs-svc/2, 2 of 2 running
      ended: bbbbbbbbbbbb superseded
      release: latest cccccccccccc (from aaaaaaaaaaaa)
      1. register shop, from shop:8; web: registry.example/shop@sha256:cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc
      2. update the service: shop:8 → the new revision
           bake: 0 min → 5 min
           healthy: 100 % to 200 % → 100 % to 150 %
           alarms: none → errors
    ");
    insta::assert_snapshot!(differences(&world, &plan), @r#"
    containerDefinitions[web].cpu: (nothing) → 256
    containerDefinitions[web].essential: (nothing) → true
    containerDefinitions[web].image: registry.example/shop@sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb → registry.example/shop@sha256:cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc
    containerDefinitions[web].memory: (nothing) → 512
    containerDefinitions[web].portMappings: (nothing) → [{"containerPort":80,"hostPort":0,"protocol":"tcp"}]
    networkMode: (nothing) → bridge
    "#);
}

#[test]
fn in_the_midst_of_a_rollout_only_what_differs_from_what_goes_on_is_told() {
    let plan = specified_midway("image: {repository: shop}\nrollout: {strategy: rolling}\n").plan();
    let update = plan.steps.last().unwrap();
    insta::assert_snapshot!(format!("{update:#}"), @"update the service: shop:8 → the new revision");
}

#[test]
fn an_end_and_a_beginning_in_one_pass_both_stand_in_the_history() {
    let world =
        pushed().image('c', "v1.2.0", 55).deployments(vec![deployment(2, 8, RolloutState::InProgress)], 'b');
    let plan = world.plan();
    let context = record::Context {
        now: world.now,
        token: crate::id::FencingToken(1),
        cause: "ecr push".into(),
        by: "deploy".into(),
    };
    let ended = record::ended(&plan, &world.row, &context).unwrap();
    let steps = record::steps(&plan, &world.row, &record::Made::default(), &context).unwrap();
    assert_eq!((ended.at, ended.generation), (steps.at, steps.generation), "one item: the later replaces");
    assert_eq!(steps.ended, ended.ended);
}

#[test]
fn a_function_killed_after_update_service_finds_its_rollout_by_the_revision() {
    let mut world = pushed().deployments(vec![deployment(2, 8, RolloutState::InProgress)], 'b');
    let in_flight = world.row.state.in_flight.as_mut().unwrap();
    (in_flight.deployment, in_flight.task_definition) = (None, None);
    world.facts.newest_revision = Fact::Known(revision(8, &image_of(&digest('b'))));
    let plan = world.plan();
    assert_eq!(plan.steps, []);
    let InFlightChange::Set(followed) = &plan.ledger.in_flight else { panic!("it is followed from now on") };
    assert_eq!(followed.deployment.as_ref().unwrap().as_str(), "ecs-svc/2");
    assert!(plan.report.iter().any(|note| matches!(note, Note::TookOver { .. })));
}

#[test]
fn a_function_killed_before_update_service_begins_again_with_the_same_revision() {
    let mut world = pushed();
    let in_flight = world.row.state.in_flight.as_mut().unwrap();
    (in_flight.deployment, in_flight.task_definition) = (None, None);
    world.facts.newest_revision = Fact::Known(revision(8, &image_of(&digest('b'))));
    world.facts.service_deployments = Fact::Known(Vec::new());
    insta::assert_snapshot!(world.plan(), @"
    main/shop
      found: shop:8 was registered by an earlier pass and is used
      release: latest bbbbbbbbbbbb (from aaaaaaaaaaaa)
      1. update the service: shop:7 → shop:8
    ");
}

#[test]
fn a_rollback_that_was_over_before_anybody_looked_is_found_in_the_history() {
    let mut world = pushed().deployments(vec![deployment(3, 7, RolloutState::Completed)], 'a');
    world.facts.service_deployments = Fact::Known(vec![ServiceDeployment {
        arn: "arn".into(),
        created_at: at(51),
        status: "ROLLBACK_SUCCESSFUL".into(),
        reason: "ECS deployment circuit breaker: tasks failed to start.".into(),
        task_definition: revision(8, "").arn,
    }]);
    let plan = world.plan();
    assert!(plan.ledger.quarantine.contains_key(&digest('b')), "{plan}");
    assert_eq!(plan.steps, []);
}

#[test]
fn as_long_as_the_standing_cannot_be_told_nothing_is_begun() {
    let world =
        pushed().image('c', "v1.2.0", 55).deployments(vec![deployment(3, 7, RolloutState::Completed)], 'a');
    let plan = world.plan();
    assert!(plan.steps.is_empty() && plan.ledger.in_flight == InFlightChange::Keep, "{plan}");
}

#[test]
fn a_deployment_that_a_person_began_is_followed_so_that_its_failure_is_not_missed() {
    let world = World::tracked("shop:latest")
        .image('b', "v1.1.0", 49)
        .deployments(vec![deployment(2, 8, RolloutState::InProgress)], 'b');
    let plan = world.plan();
    assert!(matches!(plan.ledger.in_flight, InFlightChange::Set(_)), "{plan}");
}

#[test]
fn ecs_returning_to_what_was_settled_is_not_taken_for_a_release() {
    let world =
        World::tracked("shop:latest").deployments(vec![deployment(3, 7, RolloutState::InProgress)], 'a');
    let plan = world.plan();
    assert_eq!(plan.ledger.in_flight, InFlightChange::Keep);
    assert!(matches!(plan.report[..], [Note::RollingBack { .. }]), "{plan}");
}

#[test]
fn a_rollout_that_never_ends_is_given_up_and_ended_by_ecss_own_name_for_it() {
    let mut world = pushed().deployments(vec![deployment(2, 8, RolloutState::InProgress)], 'b');
    world.facts.service_deployments = Fact::Known(vec![ServiceDeployment {
        arn: "arn:service-deployment".into(),
        created_at: at(50),
        status: "IN_PROGRESS".into(),
        reason: String::new(),
        task_definition: revision(8, "").arn,
    }]);
    world.now = at(50 + 29);
    assert_eq!(world.plan().steps, [], "not before its time");
    world.now = at(50 + 31);
    insta::assert_snapshot!(world.plan(), @"
    main/shop
      rolling out: bbbbbbbbbbbb as ecs-svc/2, 2 of 2 running
      giving up: bbbbbbbbbbbb (not live within 30 min); ECS rolls it back
      release: latest bbbbbbbbbbbb (from aaaaaaaaaaaa)
      1. end the rollout: ECS rolls back
    ");
}

#[test]
fn a_first_rollout_that_never_ends_has_nothing_to_go_back_to_and_is_said_to_be_overdue() {
    let mut world = pushed().deployments(vec![deployment(2, 8, RolloutState::InProgress)], 'b');
    world.row.state.settled = None;
    world.now = at(50 + 31);
    let plan = world.plan();
    assert_eq!(plan.steps, []);
    assert!(plan.report.iter().any(|note| matches!(note, Note::Overdue { .. })), "{plan}");
}

fn unreadable<T>(doing: &str) -> Fact<T> {
    Fact::Unreadable(Unreadable {
        doing: doing.into(),
        kind: FailureKind::Throttled,
        detail: "ThrottlingException".into(),
    })
}

/// Only the spec changed: the very image that is settled is in flight again, as shop:8.
fn respecified() -> World {
    let mut world = World::tracked("shop:semver=1.x").image('0', "v0.9.0", 0).image('9', "v1.0.0-rc", 0);
    let Fact::Known(images) = &mut world.facts.images else { panic!() };
    images[2].tags = ["v0.9.9".into(), "v1.0.0".into()].into();
    images[0].tags = ["v1.1.0".into()].into();
    let mut world = world.in_flight('a');
    world.row.state.settled.as_mut().unwrap().tag = Some("v1.1.0".into());
    world.row.state.in_flight.as_mut().unwrap().tag = Some("v1.1.0".into());
    world
}

#[test]
fn a_failed_change_of_the_spec_gives_up_the_spec_and_not_the_image() {
    let mut failed = deployment(2, 8, RolloutState::Failed);
    failed.reason = "circuit breaker".into();
    let mut world = respecified().deployments(vec![deployment(3, 7, RolloutState::Completed), failed], 'a');
    // What the spec wants differs from what runs again, so that something would be begun.
    world.facts.live_task_definition = Fact::Known(revision(7, "registry.example/shop:v1.1.0"));
    let plan = world.plan();
    assert_eq!(plan.steps, [], "neither again nor with an older image: {plan}");
    let spec = world.row.state.in_flight.as_ref().unwrap().spec.clone();
    assert_eq!(plan.ledger.quarantine[&digest('a')].spec.as_ref(), Some(&spec));

    // The spec is corrected: the image is as good as before.
    world.row.state.in_flight = None;
    world.row.quarantine = plan.ledger.quarantine;
    world.row.quarantine.get_mut(&digest('a')).unwrap().spec = Some("the bad one".into());
    assert!(world.plan().steps.iter().any(|step| matches!(step, Step::UpdateService { .. })));
}

#[test]
fn a_change_of_the_spec_that_never_began_is_not_taken_for_live() {
    let mut world = respecified();
    let in_flight = world.row.state.in_flight.as_mut().unwrap();
    (in_flight.deployment, in_flight.task_definition) = (None, None);
    let plan = world.plan();
    assert_eq!(plan.ledger.ended, [], "shop:7 ran before: {plan}");
    assert_eq!(plan.ledger.in_flight, InFlightChange::Clear);
}

#[test]
fn without_the_newest_revision_it_cannot_be_told_whether_a_rollout_began() {
    let mut world = pushed().deployments(vec![deployment(3, 7, RolloutState::Completed)], 'a');
    let in_flight = world.row.state.in_flight.as_mut().unwrap();
    (in_flight.deployment, in_flight.task_definition) = (None, None);
    world.facts.newest_revision = unreadable("describing shop");
    world.facts.service_deployments = Fact::Known(Vec::new());
    let plan = world.plan();
    assert!(plan.steps.is_empty() && plan.ledger.in_flight == InFlightChange::Keep, "{plan}");
}

fn rolled_back(seconds_after_intent: i64, status: &str) -> Fact<Vec<ServiceDeployment>> {
    Fact::Known(vec![ServiceDeployment {
        arn: "arn".into(),
        created_at: at(50).saturating_add(jiff::SignedDuration::from_secs(seconds_after_intent)).unwrap(),
        status: status.into(),
        reason: "circuit breaker".into(),
        task_definition: revision(8, "").arn,
    }])
}

#[test]
fn a_clock_of_ecs_that_is_behind_ours_hides_no_failure() {
    let mut world = pushed().deployments(vec![deployment(3, 7, RolloutState::Completed)], 'a');
    world.row.state.in_flight.as_mut().unwrap().deployment = None;
    world.facts.service_deployments = rolled_back(-2, "ROLLBACK_SUCCESSFUL");
    let plan = world.plan();
    assert!(plan.steps.is_empty() && plan.ledger.quarantine.contains_key(&digest('b')), "{plan}");
}

#[test]
fn a_rollback_that_ecs_does_not_call_failed_yet_is_not_taken_for_a_newer_deployment() {
    let mut world = pushed().deployments(
        vec![deployment(3, 7, RolloutState::InProgress), deployment(2, 8, RolloutState::InProgress)],
        'a',
    );
    world.facts.service_deployments = rolled_back(1, "ROLLBACK_IN_PROGRESS");
    let plan = world.plan();
    assert!(plan.steps.is_empty() && plan.ledger.quarantine.contains_key(&digest('b')), "{plan}");

    world.facts.service_deployments = rolled_back(1, "STOPPED");
    let plan = world.plan();
    assert_eq!(plan.ledger.ended[0].outcome, Outcome::Superseded);
    assert!(plan.ledger.quarantine.is_empty(), "{plan}");
}

#[test]
fn a_rollout_of_a_service_that_was_deleted_has_ended() {
    let mut world = pushed();
    world.service().status = "INACTIVE".into();
    world.service().deployments.clear();
    world.service().task_definition = revision(8, "").arn.unwrap();
    world.facts.service_deployments = Fact::Known(Vec::new());
    let plan = world.plan();
    assert_eq!(plan.ledger.in_flight, InFlightChange::Clear, "{plan}");
    assert_eq!(plan.ledger.ended[0].outcome, Outcome::Superseded);
}

#[test]
fn what_aws_words_otherwise_than_it_was_told_is_not_rolled_out_for_ever() {
    let spec = "image: {repository: shop, policy: latest}\ntask: {cpu: 256, memory: 512, container: web}";
    let first = World::specified(spec).plan();
    let InFlightChange::Set(begun) = first.ledger.in_flight else { panic!("the task section is new") };
    // What it asked for is shop:8 now; AWS gives back `memory` as a word.
    let world = |mut world: World, rollout| {
        world = world.deployments(vec![deployment(2, 8, rollout)], 'a');
        let Fact::Known(live) = &mut world.facts.live_task_definition else { panic!() };
        live.content["containerDefinitions"][0]["memory"] = serde_json::json!("512");
        world.facts.newest_revision = world.facts.live_task_definition.clone();
        world
    };
    let mut in_flight = *begun;
    in_flight.task_definition = revision(8, "").arn;
    in_flight.deployment = Some("ecs-svc/2".into());
    let mut going = world(World::specified(spec), RolloutState::InProgress);
    going.row.state.in_flight = Some(in_flight);
    let plan = going.plan();
    assert_eq!(plan.steps, [], "while it goes on: {plan}");

    let mut done = world(going, RolloutState::Completed);
    let plan = done.plan();
    assert_eq!(plan.steps, [], "as it ends: {plan}");
    done.row.state.in_flight = None;
    done.row.state.settled = plan.ledger.settled;
    assert_eq!(done.plan().steps, [], "and ever after");
}
