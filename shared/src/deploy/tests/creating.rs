//! A service that is wanted and not there, and its route.

use std::collections::BTreeMap;

use super::world::{World, digest, image_of, ours, revision};
use crate::deploy::{Note, Step, record, route};
use crate::facts::{
    Fact, FailureKind, RolloutState, RuleConditions, ServiceLoadBalancer, TargetGroup, TargetHealth,
    Unreadable,
};
use crate::ledger::{Hold, Quarantine};

pub(super) const SPEC: &str = "
image: {repository: shop, policy: latest}
task: {cpu: 256, memory: 512, port: 8080}
route: {paths: ['/shop/*']}
";

#[test]
fn a_wanted_service_is_made_with_its_group_a_parked_rule_and_a_pinned_revision() {
    insta::assert_snapshot!(World::empty(SPEC).plan(), @"
    main/shop
      release: latest aaaaaaaaaaaa (from nothing)
      1. register main-shop; shop: registry.example/shop@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
      2. create target group shop-cd08adcc (instance targets, port 8080, health check /)
      3. create rule 48730, parked until a target is healthy
      4. create the service with 1 task(s) of the new revision
           circuit breaker: on
    ");
}

#[test]
fn without_a_task_section_it_is_said_what_is_missing() {
    let plan = World::empty("image: {repository: shop, policy: latest}").plan();
    assert_eq!(plan.steps, []);
    insta::assert_snapshot!(plan, @"
    main/shop
      refused: the service does not exist and cannot be created: the spec has no `task` section; add one, or create the service yourself
    ");
}

#[test]
fn a_route_that_another_rule_answers_is_refused_before_anything_is_made() {
    let plan = World::empty(SPEC).rule(100, &["/shop/*"]).plan();
    assert_eq!(plan.steps, []);
    insta::assert_snapshot!(plan, @"
    main/shop
      refused: rule 100 of the listener already answers the same requests (rule-100); choose another path or host, or remove that rule
    ");
}

#[test]
fn an_unknown_cluster_is_refused_by_its_name() {
    let mut world = World::empty(SPEC);
    world.facts.cluster = Fact::Absent;
    let plan = world.plan();
    assert_eq!(plan.steps, []);
    insta::assert_snapshot!(plan, @"
    main/shop
      refused: cluster main is missing; create it, or correct the cluster's name in the spec
    ");
}

#[test]
fn a_missing_repository_is_refused_by_its_name() {
    let mut world = World::empty(SPEC);
    world.facts.images = Fact::Absent;
    let plan = world.plan();
    assert!(matches!(plan.report[..], [Note::RepositoryMissing { .. }]), "{plan}");
}

#[test]
fn a_spec_that_does_not_read_is_refused_with_every_fault() {
    let plan = World::empty("image: {repositry: shop}").plan();
    assert!(matches!(plan.report[..], [Note::SpecRefused { .. }]), "{plan}");
}

#[test]
fn a_held_service_is_not_made_either() {
    let mut world = World::empty(SPEC);
    world.row.hold = Some(Hold { by: "ann".into(), reason: "not yet".into(), at: super::world::at(1) });
    let plan = world.plan();
    assert!(plan.steps.is_empty() && matches!(plan.report[..], [Note::Held { .. }]), "{plan}");
}

/// For the tests of routes.
pub(super) fn made_of(conditions: RuleConditions, healthy: u32) -> World {
    made(conditions, healthy)
}

/// The service of [`SPEC`] was made, and its rule is as `conditions` say.
fn made(conditions: RuleConditions, healthy: u32) -> World {
    let mut world = World::specified(SPEC);
    let key = world.facts.key.clone();
    world.facts.route = World::empty(SPEC).facts.route;
    let tags = BTreeMap::from([("windlass:service".to_owned(), key.to_string())]);
    world = world.rule(48_730, &[]);
    let Fact::Known(facts) = &mut world.facts.route else { panic!() };
    facts.rules[0].conditions = conditions;
    facts.rules[0].forwards = vec![("group".into(), 1)];
    facts.rules[0].tags.clone_from(&tags);
    facts.rules[0].tags.insert("windlass:priority".to_owned(), "auto:12".to_owned());
    facts.health = Fact::Known(TargetHealth { healthy, registered: 2 });
    facts.target_group = Fact::Known(TargetGroup {
        arn: "group".into(),
        name: crate::names::target_group(&key),
        load_balancers: vec!["lb".into()],
        check: None,
        deregistration_delay_secs: None,
        tags,
    });
    let first = World::empty(SPEC).plan();
    let crate::deploy::Step::RegisterTaskDefinition { content, .. } = first.steps[0].clone() else {
        panic!("{first}")
    };
    world = world.deployments(vec![super::world::deployment(1, 7, RolloutState::Completed)], 'a');
    let mut live = *content;
    live.arn = Some(world.service().task_definition.clone());
    world.facts.live_task_definition = Fact::Known(live.clone());
    world.facts.newest_revision = Fact::Known(live);
    world.service().load_balancers = vec![ServiceLoadBalancer {
        target_group: "group".into(),
        container: "shop".into(),
        port: 8080,
        advanced: None,
    }];
    world
}

#[test]
fn the_route_stays_parked_until_a_target_is_healthy() {
    let plan = made(route::parked(&"main/shop".parse().unwrap()), 0).plan();
    assert_eq!(plan.steps, []);
    insta::assert_snapshot!(plan, @"
    main/shop
      quiet: latest (aaaaaaaaaaaa) is live
      waiting: the route opens with the first healthy target (0 of 2 healthy)
    ");
}

#[test]
fn the_route_opens_with_the_first_healthy_target() {
    insta::assert_snapshot!(made(route::parked(&"main/shop".parse().unwrap()), 1).plan(), @"
    main/shop
      quiet: latest (aaaaaaaaaaaa) is live
      1. modify rule 48730: host cd08adcc.parked.windlass.invalid → path /shop/*;
    ");
}

/// What [`made`] made failed, and nothing was ever settled.
fn failed_first(conditions: RuleConditions) -> World {
    let mut world = made(conditions, 1);
    let key = world.facts.key.to_string();
    world.service().tags.insert("windlass:service".into(), key);
    world.row.state.settled = None;
    let at = super::world::at(2);
    let why = Quarantine { reason: "exit 3".into(), at, deployment: None, spec: None, until: None };
    world.row.quarantine.insert(digest('a'), why);
    world
}

#[test]
fn the_route_of_a_first_release_that_failed_is_parked_and_what_was_made_is_said() {
    let open = RuleConditions { paths: vec!["/shop/*".into()], ..RuleConditions::default() };
    insta::assert_snapshot!(failed_first(open).plan(), @"
    main/shop
      quarantined: latest (aaaaaaaaaaaa) failed and is not redeployed by itself (exit 3); push a fixed image, or `windlass release SERVICE sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa`
      failed: the first release, aaaaaaaaaaaa; nothing of it serves. Made, and used by the next push: service main/shop, task definition shop:7, target group shop-cd08adcc, rule 48730, parked
      1. modify rule 48730: path /shop/* → host cd08adcc.parked.windlass.invalid;
    ");
}

#[test]
fn the_next_push_goes_on_with_what_a_failed_first_release_left_and_opens_once_it_is_live() {
    let parked = route::parked(&"main/shop".parse().unwrap());
    let mut world = failed_first(parked).image('b', "v1.1.0", 50);
    insta::assert_snapshot!(world.plan(), @"
    main/shop
      release: latest bbbbbbbbbbbb (from nothing)
      1. register main-shop, from shop:7; shop: registry.example/shop@sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb
      2. update the service: shop:7 → the new revision
    ");
    let going = world.plan();
    let crate::deploy::plan::InFlightChange::Set(going) = going.ledger.in_flight else { panic!("{going}") };
    world.row.state.in_flight = Some(*going);
    let both = vec![super::world::deployment(2, 8, RolloutState::InProgress)];
    world = world.deployments(both, 'b');
    let plan = world.plan();
    assert!(plan.steps.is_empty() && plan.to_string().contains("opens once bbbbbbbbbbbb is live"), "{plan}");
}

#[test]
fn a_route_that_is_as_wanted_is_left_alone() {
    let conditions = RuleConditions { paths: vec!["/shop/*".into()], ..RuleConditions::default() };
    let plan = made(conditions, 2).plan();
    assert_eq!(plan.steps, [], "{plan}");
}

#[test]
fn the_route_opens_although_the_next_image_is_refused() {
    let parked = route::parked(&"main/shop".parse().unwrap());
    let world = made(parked, 1).image('b', "v1.1.0", 50).content('b', crate::id::Architecture::Arm64, &[]);
    insta::assert_snapshot!(world.plan(), @"
    main/shop
      refused: bbbbbbbbbbbb is built for arm64, the cluster's instances are amd64; build it with `docker buildx build --platform linux/amd64`
      1. modify rule 48730: host cd08adcc.parked.windlass.invalid → path /shop/*;
    ");
}

#[test]
fn a_group_that_could_not_be_read_is_asked_for_again() {
    let mut world = made(route::parked(&"main/shop".parse().unwrap()), 1);
    let Fact::Known(facts) = &mut world.facts.route else { panic!() };
    facts.target_group = unreadable();
    let plan = world.plan();
    assert!(plan.steps.is_empty() && matches!(plan.report[..], [.., Note::Unreadable { .. }]), "{plan}");
    let made = record::Made::default();
    assert!(record::after(world.row.state, &plan, &made).unfinished, "the sweep comes back");
}

#[test]
fn a_rule_whose_priority_somebody_took_holds_up_no_rollout() {
    let mut world = made(RuleConditions::default(), 1).image('b', "v1.1.0", 50);
    let Fact::Known(facts) = &mut world.facts.route else { panic!() };
    facts.rules[0].tags.clear();
    let spec = SPEC.replace("paths:", "priority: 48730, paths:");
    let Fact::Known(parameter) = &mut world.facts.parameter else { panic!() };
    parameter.text = spec;
    let plan = world.plan();
    assert!(plan.steps.iter().any(|step| matches!(step, Step::UpdateService { .. })), "{plan}");
    assert!(matches!(plan.report[..], [.., Note::RouteTaken { priority: 48_730, .. }]), "{plan}");
}

#[test]
fn a_family_that_could_not_be_read_is_not_taken_for_a_new_one() {
    let mut world = World::empty(SPEC);
    world.facts.newest_revision = unreadable();
    let plan = world.plan();
    assert!(plan.steps.is_empty() && matches!(plan.report[..], [Note::Unreadable { .. }]), "{plan}");
}

fn unreadable<T>() -> Fact<T> {
    Fact::Unreadable(Unreadable {
        doing: "describing".into(),
        kind: FailureKind::Throttled,
        detail: "ThrottlingException".into(),
    })
}

#[test]
fn images_that_could_not_be_listed_do_not_say_that_nobody_wants_the_service() {
    let mut world = labelled(World::empty(SPEC));
    world.facts.images = unreadable();
    let plan = world.plan();
    assert!(!plan.is_not_tracked() && matches!(plan.report[..], [Note::Unreadable { .. }]), "{plan}");
}

const LABELS: [(&str, &str); 5] = [
    ("windlass.service", "shop"),
    ("windlass.path", "/shop/*"),
    ("windlass.port", "8080"),
    ("windlass.cpu", "128"),
    ("windlass.memory", "256"),
];

fn labelled(world: World) -> World {
    let mut world = world.content('a', crate::id::Architecture::Amd64, &LABELS);
    world.facts.parameter = Fact::Absent;
    world
}

fn rails() -> crate::spec::GuardRails {
    crate::spec::GuardRails {
        enabled: true,
        clusters: std::collections::BTreeSet::from(["main".into()]),
        path_prefixes: vec!["/shop/".into()],
        hosts: Vec::new(),
        max_cpu: 256,
        max_memory: 512,
        max_desired: 2,
    }
}

/// main/shop is there, runs this image, and labels of an image of `shop` name it.
fn labelled_and_there(tags: BTreeMap<String, String>, image: &str) -> World {
    let mut world = labelled(World::tracked("shop:latest"));
    world.settings.guard_rails = rails();
    world.service().tags = tags;
    world.facts.live_task_definition = Fact::Known(revision(7, image));
    world
}

#[test]
fn labels_bring_nothing_to_a_service_that_runs_another_repositorys_image() {
    let plan = labelled_and_there(ours(), "registry.example/other@sha256:0").plan();
    assert_eq!((&plan.steps[..], &plan.repository), (&[][..], &None));
    insta::assert_snapshot!(plan, @"
    main/shop
      refused: the labels of shop name main/shop, which runs an image of another repository; give `windlass.service` another name, or write a spec and `windlass apply` it
    ");
}

#[test]
fn labels_do_not_adopt_what_windlass_did_not_make() {
    let plan = labelled_and_there(BTreeMap::new(), &image_of(&digest('a'))).plan();
    assert_eq!((&plan.steps[..], &plan.repository), (&[][..], &None));
    insta::assert_snapshot!(plan, @"
    main/shop
      refused: the labels of shop name main/shop, which Windlass did not make; give `windlass.service` another name, or write a spec and `windlass apply` it
    ");
}

#[test]
fn labels_go_on_with_what_they_made() {
    let plan = labelled_and_there(ours(), &image_of(&digest('a'))).plan();
    assert_eq!(plan.repository, Some("shop".into()));
    assert!(!plan.to_string().contains("the labels of"), "{plan}");
}

#[test]
fn labels_alone_make_a_service_where_the_stack_allows_it() {
    let mut world = labelled(World::empty(SPEC));
    world.settings.guard_rails = rails();
    insta::assert_snapshot!(world.plan(), @"
    main/shop
      release: v1.0.0 aaaaaaaaaaaa (from nothing)
      1. register main-shop; shop: registry.example/shop@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
      2. create target group shop-cd08adcc (instance targets, port 8080, health check /)
      3. create rule 48730, parked until a target is healthy
      4. create the service with 1 task(s) of the new revision
           circuit breaker: on
    ");
}

#[test]
fn labels_are_refused_where_the_stack_does_not_allow_them() {
    let plan = labelled(World::empty(SPEC)).plan();
    assert_eq!(plan.steps, []);
    insta::assert_snapshot!(plan, @"
    main/shop
      refused: no service is made from the labels of shop
    the stack makes no services from labels: allow it with its label parameters, or write a spec and `windlass apply` it
    ");
    assert!(!plan.ledger.quarantine.contains_key(&digest('a')));
}
