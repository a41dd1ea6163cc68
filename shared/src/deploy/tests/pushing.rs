//! A push, and what it leads to on a service that is there.

use super::world::{World, digest, image_of, revision};
use crate::deploy::{Note, Step};
use crate::facts::{Fact, FailureKind, Unreadable};
use crate::id::Architecture;
use crate::ledger::{Hold, Quarantine};

#[test]
fn a_push_registers_one_revision_and_updates_the_service() {
    let world = World::tracked("shop:latest").image('b', "v1.1.0", 50);
    insta::assert_snapshot!(world.plan(), @"
    main/shop
      release: latest bbbbbbbbbbbb (from aaaaaaaaaaaa)
      1. register shop, from shop:7; web: registry.example/shop@sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb
      2. update the service: shop:7 → the new revision
    ");
}

#[test]
fn a_quiet_world_has_an_empty_plan() {
    let plan = World::tracked("shop:latest").plan();
    assert_eq!(plan.steps, []);
    insta::assert_snapshot!(plan, @"
    main/shop
      quiet: latest (aaaaaaaaaaaa) is live
    ");
}

#[test]
fn an_older_semver_pushed_late_changes_nothing() {
    let world = World::tracked("shop:semver=1.x").image('b', "v0.9.0", 50).image('c', "v1.0.0-rc.1", 51);
    let plan = world.plan();
    assert_eq!(plan.steps, [], "{plan}");
}

#[test]
fn an_image_whose_push_is_heard_of_late_does_not_overwrite_the_newer_one() {
    let world = World::tracked("shop:newest=all").image('c', "v1.2.0", 55).image('b', "v1.1.0", 50);
    let Some(Step::RegisterTaskDefinition { digest: chosen, .. }) = world.plan().steps.into_iter().next()
    else {
        panic!("a revision is registered")
    };
    assert_eq!(chosen, digest('c'));
}

#[test]
fn a_service_whose_image_was_never_pinned_is_pinned_once() {
    let mut world = World::tracked("shop:latest");
    world.facts.live_task_definition = Fact::Known(revision(7, "registry.example/shop:latest"));
    world.facts.newest_revision = world.facts.live_task_definition.clone();
    insta::assert_snapshot!(world.plan(), @"
    main/shop
      release: latest aaaaaaaaaaaa (from aaaaaaaaaaaa)
      1. register shop, from shop:7; web: registry.example/shop@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
      2. update the service: shop:7 → the new revision
    ");
}

#[test]
fn a_revision_that_a_dead_pass_registered_is_used_and_not_registered_again() {
    let mut world = World::tracked("shop:latest").image('b', "v1.1.0", 50);
    world.facts.newest_revision = Fact::Known(revision(8, &image_of(&digest('b'))));
    insta::assert_snapshot!(world.plan(), @"
    main/shop
      found: shop:8 was registered by an earlier pass and is used
      release: latest bbbbbbbbbbbb (from aaaaaaaaaaaa)
      1. update the service: shop:7 → shop:8
    ");
}

#[test]
fn a_deleted_image_does_not_take_the_service_back() {
    // v1.0.0 runs and was settled; it is deleted from the repository, and v0.9.0 is left.
    let world = World::tracked("shop:semver=x").image('b', "v0.9.0", 0).without_image('a');
    let plan = world.plan();
    assert_eq!(plan.steps, []);
    insta::assert_snapshot!(plan, @"
    main/shop
      refused: the policy now chooses v0.9.0 (bbbbbbbbbbbb), older than aaaaaaaaaaaa which runs; its image was probably deleted. To go back on purpose, change the spec's policy to that version
    ");
}

#[test]
fn an_image_for_another_architecture_is_refused_with_what_to_build() {
    let world = World::tracked("shop:latest").image('b', "v1.1.0", 50).content('b', Architecture::Arm64, &[]);
    let plan = world.plan();
    assert_eq!(plan.steps, []);
    insta::assert_snapshot!(plan, @"
    main/shop
      refused: bbbbbbbbbbbb is built for arm64, the cluster's instances are amd64; build it with `docker buildx build --platform linux/amd64`
    ");
}

#[test]
fn a_held_service_says_what_it_would_do() {
    let mut world = World::tracked("shop:latest").image('b', "v1.1.0", 50);
    world.row.hold = Some(Hold { by: "ann".into(), reason: "incident 7".into(), at: super::world::at(40) });
    let plan = world.plan();
    assert_eq!(plan.steps, []);
    insta::assert_snapshot!(plan, @"
    main/shop
      held: by ann since 2026-01-01T00:40:00Z (incident 7); would roll out bbbbbbbbbbbb; `windlass resume` ends the hold
    ");
}

#[test]
fn a_quarantined_digest_is_not_deployed_again_however_often_it_is_pushed() {
    let mut world = World::tracked("shop:latest").image('b', "v1.1.0", 50);
    let failed = Quarantine {
        reason: "3 × exit 1".into(),
        at: super::world::at(55),
        deployment: None,
        spec: None,
        until: None,
    };
    world.row.quarantine.insert(digest('b'), failed);
    let plan = world.plan();
    assert_eq!(plan.steps, []);
    insta::assert_snapshot!(plan, @"
    main/shop
      quarantined: latest (bbbbbbbbbbbb) failed and is not redeployed by itself (3 × exit 1); push a fixed image, or `windlass release SERVICE sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb`
    ");
}

#[test]
fn what_could_not_be_read_is_not_taken_for_absent() {
    let mut world = World::tracked("shop:latest").image('b', "v1.1.0", 50);
    world.facts.service = Fact::Unreadable(Unreadable {
        doing: "describing service main/shop".into(),
        kind: FailureKind::Denied,
        detail: "AccessDeniedException: not authorized to perform ecs:DescribeServices".into(),
    });
    let plan = world.plan();
    assert!(
        plan.steps.is_empty() && plan.report.iter().any(|note| matches!(note, Note::Unreadable { .. })),
        "{plan}"
    );
}

#[test]
fn a_service_that_nobody_asked_for_is_left_alone() {
    let mut world = World::tracked("shop:latest").image('b', "v1.1.0", 50);
    world.service().tags.clear();
    let plan = world.plan();
    assert!(plan.steps.is_empty() && matches!(plan.report[..], [Note::NotTracked { .. }]), "{plan}");
}

#[test]
fn a_service_of_code_deploy_is_left_to_it() {
    let mut world = World::tracked("shop:latest").image('b', "v1.1.0", 50);
    world.service().controller = "CODE_DEPLOY".into();
    let plan = world.plan();
    assert!(plan.steps.is_empty() && matches!(plan.report[..], [Note::OtherController { .. }]), "{plan}");
}

#[test]
fn another_repositorys_versions_are_not_compared_with_the_ones_before() {
    // v1.0.0 of shop-old runs; the spec follows shop from now on, whose first one is v0.1.0.
    let mut world = World::tracked("shop:semver=x").image('b', "v0.1.0", 50).without_image('a');
    world.row.state.settled.as_mut().unwrap().repository = Some("shop-old".into());
    let plan = world.plan();
    assert!(plan.steps.iter().any(|step| matches!(step, Step::UpdateService { .. })), "{plan}");
}
