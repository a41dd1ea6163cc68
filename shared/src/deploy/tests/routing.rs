//! The route of a service that is there, as its spec changes.

use super::creating::made_of;
use super::world::{World, deployment};
use crate::deploy::{Note, Step, route};
use crate::facts::{Fact, RolloutState, Rule, RuleConditions, Usage};
use crate::ledger::Manner;

const SPEC: &str = "
image: {repository: shop, policy: latest}
task: {cpu: 256, memory: 512, port: 8080}
route: {paths: ['/shop/*']}
";

fn paths(paths: &[&str]) -> RuleConditions {
    RuleConditions { paths: paths.iter().map(|&path| path.to_owned()).collect(), ..RuleConditions::default() }
}

/// The service of [`SPEC`], open on `/shop/*`, with another spec's route.
fn with_route(route: &str) -> World {
    let mut world = made_of(paths(&["/shop/*"]), 2);
    let Fact::Known(parameter) = &mut world.facts.parameter else { panic!() };
    parameter.text = SPEC.replace("route: {paths: ['/shop/*']}", route);
    world
}

fn rules(world: &mut World) -> &mut Vec<Rule> {
    let Fact::Known(facts) = &mut world.facts.route else { panic!() };
    &mut facts.rules
}

fn of_service(world: &mut World, at: usize, service: &str) {
    rules(world)[at].tags.insert("windlass:service".to_owned(), service.to_owned());
}

#[test]
fn a_further_rule_is_made_beside_the_first_and_open_at_once() {
    let world = with_route("route: {paths: ['/shop/*'], rules: [{hosts: [shop.example.com], priority: 7}]}");
    insta::assert_snapshot!(world.plan(), @"
    main/shop
      quiet: latest (aaaaaaaaaaaa) is live
      1. create rule 7: host shop.example.com → group 1
    ");
}

#[test]
fn other_conditions_pass_over_in_one_call_and_the_rule_stays_where_that_is_in_order() {
    insta::assert_snapshot!(with_route("route: {paths: ['/shop/cart/*']}").plan(), @"
    main/shop
      quiet: latest (aaaaaaaaaaaa) is live
      1. modify rule 48730: path /shop/* → path /shop/cart/*; tag windlass:priority auto:12 → auto:22;
    ");
    insta::assert_snapshot!(with_route("route: {paths: ['/*']}").plan(), @"
    main/shop
      quiet: latest (aaaaaaaaaaaa) is live
      1. modify rule 48730: path /shop/* → path /*; tag windlass:priority auto:12 → auto:2;
    ");
}

#[test]
fn a_fixed_priority_is_applied_to_the_rule_that_is_there() {
    insta::assert_snapshot!(with_route("route: {paths: ['/shop/*'], priority: 7}").plan(), @"
    main/shop
      quiet: latest (aaaaaaaaaaaa) is live
      1. move rules: main/shop (path /shop/*) 48730 → 7
      2. modify rule 48730: tag windlass:priority auto:12 → fixed;
    ");
}

#[test]
fn a_route_that_the_spec_no_longer_has_is_parked() {
    let plan = with_route("desired: 2").plan();
    insta::assert_snapshot!(plan, @"
    main/shop
      quiet: latest (aaaaaaaaaaaa) is live
      noted: 1 rule(s) that the spec no longer has are parked: they match nothing, count for the quota, and are used again for the next rule of the spec
      1. modify rule 48730: path /shop/* → host cd08adcc.parked.windlass.invalid;
    ");
}

#[test]
fn rewrites_and_stickiness_are_kept() {
    let route = "route: {paths: ['/shop/*'], stickiness: {duration_secs: 60}, rewrites: [{of: url, regex: ^/shop, replace: /}]}";
    insta::assert_snapshot!(with_route(route).plan(), @"
    main/shop
      quiet: latest (aaaaaaaaaaaa) is live
      1. modify rule 48730: forwards group 1 → group 1, sticky for 60 s; rewrites none → url ^/shop to /;
    ");
}

#[test]
fn a_conflict_names_both_services() {
    let mut world = with_route("route: {paths: ['/shop/*', '/cart']}").rule(100, &["/cart", "/basket"]);
    of_service(&mut world, 1, "main/cart");
    let plan = world.plan();
    assert_eq!(plan.steps, [], "{plan}");
    insta::assert_snapshot!(plan, @"
    main/shop
      quiet: latest (aaaaaaaaaaaa) is live
      refused: main/shop and main/cart both want the requests of path /shop/* or /cart; change the route of one of them
    ");
}

#[test]
fn quotas_are_asked_before_anything_is_made() {
    for (usage, words) in [
        (Usage { rules: 100, rules_max: 100, groups: 3, groups_max: 100 }, "100 of 100 rules, and 1 more"),
        (
            Usage { rules: 3, rules_max: 100, groups: 100, groups_max: 100 },
            "100 of 100 target groups, and 1 more",
        ),
    ] {
        let mut world = World::empty(SPEC);
        let Fact::Known(facts) = &mut world.facts.route else { panic!() };
        facts.usage = Fact::Known(usage);
        let plan = world.plan();
        assert_eq!(plan.steps, [], "{plan}");
        assert!(plan.to_string().contains(words), "{plan}");
        assert!(plan.report.iter().all(Note::needs_a_person), "{plan}");
    }
}

#[test]
fn while_ecs_shifts_no_rule_is_changed_and_while_a_canary_runs_everything_but_where_it_leads() {
    for (manner, changes) in
        [(Manner::BlueGreen, 0), (Manner::EcsCanary, 0), (Manner::Linear, 0), (Manner::Canary, 1)]
    {
        let mut world = with_route("route: {paths: ['/new/*'], stickiness: {duration_secs: 60}}");
        world.row.state.settled = made_of(paths(&["/shop/*"]), 2).plan().ledger.settled;
        let shifting =
            vec![deployment(2, 8, RolloutState::InProgress), deployment(1, 7, RolloutState::Completed)];
        let mut world = world.in_flight('a').deployments(shifting, 'a');
        world.row.state.in_flight.as_mut().unwrap().manner = manner;
        let plan = crate::deploy::plan(&world.facts, &world.row, &world.settings, world.now);
        let changed: Vec<_> =
            plan.steps.iter().filter(|step| matches!(step, Step::ModifyRule { .. })).collect();
        let leads =
            |step: &&&Step| matches!(step, Step::ModifyRule { change, .. } if change.action.is_some());
        assert_eq!(changed.iter().filter(leads).count(), 0, "{manner}: {plan}");
        assert_eq!(changed.len().min(1), changes, "{manner}: {plan}");
    }
}

#[test]
fn where_the_gap_has_run_out_our_rules_move_and_nobody_else_s() {
    // Everything from 48700 to 48800 is a person's, but for the neighbour and this rule.
    let mut world = with_route("route: {paths: ['/shop/*'], rules: [{paths: ['/shops/*']}]}");
    world = world.rule(48_729, &["/shopping/*"]);
    of_service(&mut world, 1, "main/shopping");
    for n in (48_000..48_729).chain(48_731..=50_000).chain(1_000..48_000) {
        let persons = Rule {
            arn: format!("persons-{n}").into(),
            priority: Some(n),
            tags: std::collections::BTreeMap::new(),
            ..rules(&mut world)[0].clone()
        };
        rules(&mut world).push(Rule { conditions: paths(&[&format!("/p{n}")]), ..persons });
    }
    // One priority is left above 1000: the one after this rule. The new one belongs before it.
    rules(&mut world).retain(|rule| rule.priority != Some(48_731));
    let plan = world.plan();
    let moves: Vec<_> = plan
        .steps
        .iter()
        .filter_map(|step| match step {
            Step::SetPriorities { moves, .. } => Some(moves.clone()),
            _ => None,
        })
        .flatten()
        .collect();
    assert_eq!(moves.len(), 1, "{plan}");
    assert_eq!(moves[0].to, 48_731);
    assert!(
        plan.steps.iter().any(|step| matches!(step, Step::CreateRule { priority: 48_730, .. })),
        "{plan}"
    );
    assert!(!route::is_parked(&rules(&mut world)[0]));
}
