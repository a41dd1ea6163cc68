//! ECS's own strategies: what is prepared, left alone, asked and mended.

use super::world::{World, at, deployment, digest, group, ours};
use crate::deploy::plan::{InFlightChange, Step};
use crate::deploy::{Plan, Violation, check, route};
use crate::event::LifecycleStage;
use crate::facts::{
    Fact, HookRun, LiveBalancing, RolloutState, RouteFacts, Rule, RuleConditions, ServiceLoadBalancer,
    TargetHealth, UnderWay,
};
use crate::ledger::{Answer, Judgement, Manner, Order, Verdict};
use crate::rollout_settings::{RolloutSettings, Shift};

const FIRST: &str = "arn:targetgroup/shop-cd08adcc/1";
const SECOND: &str = "arn:targetgroup/shop-canary-aa007201/2";
const ROLE: &str = "arn:aws:iam::123456789012:role/windlass-infrastructure";
const BLUE_GREEN: &str = "strategy: blue_green, bake_minutes: 10";

fn spec(rollout: &str) -> String {
    format!("image: {{repository: shop}}\nroute: {{paths: ['/shop/*']}}\nrollout: {{{rollout}}}\n")
}

fn healthy(healthy: u32) -> Fact<TargetHealth> {
    Fact::Known(TargetHealth { healthy, registered: healthy })
}

fn own_rule(forwards: &[(&str, u32)]) -> Rule {
    Rule {
        arn: "arn:listener-rule/own".into(),
        priority: Some(7),
        conditions: RuleConditions { paths: vec!["/shop/*".into()], ..RuleConditions::default() },
        forwards: forwards.iter().map(|&(group, weight)| (group.into(), weight)).collect(),
        stickiness_secs: None,
        rewrites: Vec::new(),
        tags: ours(),
    }
}

/// The rule of test requests with this header's value.
fn test_rule(value: &str) -> Rule {
    let mut rule = own_rule(&[(FIRST, 100), (SECOND, 0)]);
    (rule.arn, rule.priority) = ("arn:listener-rule/test".into(), Some(6));
    rule.conditions.headers.insert("x-test".into(), vec![value.into()]);
    rule.tags.insert(route::TAG_RULE.into(), route::TEST.into());
    rule
}

/// main/shop rolled on until now; its spec asks for this `rollout`, and `b` was pushed.
fn pushed(rollout: &str) -> World {
    let mut world = World::specified(&spec(rollout)).image('b', "v2", 50);
    world.settings.infrastructure_role = Some(ROLE.into());
    world.service().load_balancers = vec![ServiceLoadBalancer {
        target_group: FIRST.into(),
        container: "web".into(),
        port: 80,
        advanced: None,
    }];
    world.facts.route = Fact::Known(RouteFacts {
        listener: "listener".into(),
        vpc: "vpc-1".into(),
        rules: vec![own_rule(&[(FIRST, 1)])],
        target_group: group(FIRST),
        health: healthy(2),
        second_group: Fact::Absent,
        second_health: Fact::Absent,
        tagged: crate::facts::Tagged::All,
        usage: Fact::NotAsked,
        neighbours: std::collections::BTreeMap::new(),
    });
    world
}

/// The same after its first blue/green: ECS knows both groups, and this is where requests go.
fn between_two(rollout: &str, weights: [u32; 2], healths: [u32; 2]) -> World {
    let mut world = pushed(rollout);
    world.service().settings =
        RolloutSettings { shift: Shift::BlueGreen, bake_minutes: 10, ..RolloutSettings::default() };
    world.service().load_balancers[0].advanced = Some(LiveBalancing {
        alternate: SECOND.into(),
        production_rule: "arn:listener-rule/own".into(),
        test_rule: None,
        role: ROLE.into(),
    });
    let route = facts(&mut world);
    route.rules = vec![own_rule(&[(FIRST, weights[0]), (SECOND, weights[1])])];
    (route.health, route.second_health) = (healthy(healths[0]), healthy(healths[1]));
    route.second_group = group(SECOND);
    world
}

/// ECS is at `stage` of the rollout of `b`.
fn shifting(stage: LifecycleStage, hooks: Vec<HookRun>) -> World {
    let mut world = between_two(BLUE_GREEN, [100, 0], [2, 2]);
    world.row.state.settled = super::world::World::tracked("shop:latest").row.state.settled;
    world = world.in_flight('b');
    world.row.state.in_flight.as_mut().unwrap().manner = Manner::BlueGreen;
    let going = vec![deployment(2, 8, RolloutState::InProgress), deployment(1, 7, RolloutState::Completed)];
    world = world.deployments(going, 'b');
    world.facts.under_way = Fact::Known(UnderWay {
        arn: "arn:service-deployment/2".into(),
        status: "IN_PROGRESS".into(),
        stage: Some(stage),
        share: None,
        hooks,
    });
    world
}

fn awaiting() -> Vec<HookRun> {
    vec![HookRun { id: "hook-1".into(), status: "AWAITING_ACTION".into(), expires_at: Some(at(90)) }]
}

fn facts(world: &mut World) -> &mut RouteFacts {
    match &mut world.facts.route {
        Fact::Known(route) => route,
        _ => panic!("no route in this world"),
    }
}

fn words(plan: &Plan) -> String {
    plan.steps.iter().map(|step| format!("{step:#}")).collect::<Vec<_>>().join("\n")
}

// ── before the first rollout by a strategy ──────────────────────────────────────────────

#[test]
fn the_first_update_makes_the_group_and_gives_it_no_weight_before_ecs_hears_of_it() {
    insta::assert_snapshot!(pushed(BLUE_GREEN).plan(), @"
    main/shop
      release: latest bbbbbbbbbbbb (from nothing)
      1. register shop, from shop:7; web: registry.example/shop@sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb
      2. create target group shop-canary-aa007201 (instance targets, port 80, health check /)
      3. modify rule 7: forwards shop-cd08adcc 1 → shop-cd08adcc 100, shop-canary-aa007201 0;
      4. update the service: shop:7 → the new revision
           strategy: rolling → blue/green
           steps: with the tasks → all requests at once
           bake: 0 min → 10 min
           circuit breaker: on → off
           alternate group: none → shop-canary-aa007201 (new)
           production rule: none → own
           shifts in the role: none → windlass-infrastructure
    ");
}

#[test]
fn what_changes_about_a_rollout_is_told_before_and_after() {
    let rollout = "strategy: {linear: {step_percent: 20, step_minutes: 5}}, bake_minutes: 10, alarms: [errors], \
                   test_route: {header: x-test, values: [new]}, approval: {before: traffic}";
    let mut world = between_two(rollout, [100, 0], [2, 0]);
    world.facts.alarms.insert("errors".into(), Fact::Known(crate::facts::AlarmState::Ok));
    insta::assert_snapshot!(words(&world.plan()), @"
    register shop, from shop:7; web: registry.example/shop@sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb
    create rule 6: path /shop/* and header x-test new → shop-cd08adcc 100, shop-canary-aa007201 0
    update the service: shop:7 → the new revision
           strategy: blue/green → linear
           steps: all requests at once → 20 % each 5 min
           alarms: none → errors
           hook: none → asks a person at PRE_PRODUCTION_TRAFFIC_SHIFT; silence of 1440 min rolls back
           test rule: none → test (new)
    ");
    let back = between_two("strategy: rolling, breaker_threshold: {tasks: 1}", [100, 0], [2, 0]);
    insta::assert_snapshot!(words(&back.plan()), @"
    register shop, from shop:7; web: registry.example/shop@sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb
    update the service: shop:7 → the new revision
           strategy: blue/green → rolling
           steps: all requests at once → with the tasks
           bake: 10 min → 0 min
           circuit breaker: off → on, at 1 failed task(s)
           alternate group: shop-canary-aa007201 → none
           production rule: own → none
           shifts in the role: windlass-infrastructure → none
    ");
}

#[test]
fn a_record_says_it_in_one_line() {
    let plan = between_two("strategy: blue_green", [100, 0], [2, 0]).plan();
    insta::assert_snapshot!(plan.steps.last().unwrap(), @"update the service: shop:7 → the new revision; bake: 10 min → 0 min");
}

#[test]
fn what_stays_is_not_told() {
    let plan = between_two(BLUE_GREEN, [100, 0], [2, 0]).plan();
    insta::assert_snapshot!(words(&plan), @"
    register shop, from shop:7; web: registry.example/shop@sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb
    update the service: shop:7 → the new revision
    ");
}

#[test]
fn without_a_role_or_with_a_third_group_nothing_is_made() {
    let mut no_role = pushed(BLUE_GREEN);
    no_role.settings.infrastructure_role = None;
    let mut third = pushed(BLUE_GREEN);
    facts(&mut third).rules = vec![own_rule(&[(FIRST, 90), ("arn:targetgroup/blog/3", 10)])];
    for (world, said) in [(no_role, "needs a role"), (third, "the rule leads to blog, too")] {
        let plan = world.plan();
        // A group that the spec has no weight for is taken out of the rule meanwhile.
        let takes_back = |step: &Step| matches!(step, Step::ModifyRule { .. });
        assert!(plan.steps.iter().all(takes_back), "{plan}");
        assert!(plan.to_string().contains(said), "{plan}");
    }
}

#[test]
fn a_service_whose_tasks_all_fail_is_rolled_out_all_the_same() {
    let mut world = pushed(&format!("{BLUE_GREEN}, test_route: {{header: x-test, values: [new]}}"));
    facts(&mut world).health = healthy(0);
    let plan = world.plan();
    assert!(plan.to_string().contains("the rollout begins all the same"), "{plan}");
    assert!(matches!(plan.steps.last(), Some(Step::UpdateService { .. })), "{plan}");
}

// ── while ECS shifts ────────────────────────────────────────────────────────────────────

#[test]
fn while_ecs_shifts_no_rule_is_changed_whatever_the_spec_says() {
    let mut world = shifting(LifecycleStage::BakeTime, Vec::new());
    let Fact::Known(parameter) = &mut world.facts.parameter else { panic!("no parameter") };
    parameter.text = parameter.text.replace("/shop/*", "/other/*");
    facts(&mut world).rules[0].forwards[0].1 = 0;
    let plan = world.plan();
    assert_eq!(plan.steps, [], "{plan}");
    assert!(plan.to_string().contains("ECS is at BAKE_TIME"), "{plan}");
}

#[test]
fn a_plan_that_changes_a_rule_while_ecs_shifts_is_broken() {
    let world = shifting(LifecycleStage::BakeTime, Vec::new());
    let quiet = between_two(BLUE_GREEN, [0, 100], [0, 2]);
    let mut broken = world.plan();
    let astray = between_two(BLUE_GREEN, [100, 0], [0, 2]).plan().steps.remove(0);
    broken.steps.push(astray);
    assert_eq!(check(&broken, &world.facts, &world.row), [Violation::WhileShifting(0)]);
    // The very same step once ECS has ended, where the first group is empty: sound.
    assert_eq!(check(&broken, &quiet.facts, &quiet.row), []);
}

#[test]
fn a_plan_that_leads_requests_to_an_empty_group_is_broken() {
    let astray = between_two(BLUE_GREEN, [100, 0], [0, 2]);
    let plan = astray.plan();
    let healed = between_two(BLUE_GREEN, [100, 0], [2, 0]);
    assert_eq!(check(&plan, &healed.facts, &healed.row), [Violation::WeighsEmpty(0)]);
}

// ── questions ───────────────────────────────────────────────────────────────────────────

#[test]
fn what_ecs_asks_becomes_a_question_and_nothing_is_answered_for_a_person() {
    let world = shifting(LifecycleStage::PreProductionTrafficShift, awaiting());
    let plan = world.plan();
    assert_eq!(plan.steps, []);
    let question = plan.ledger.marks.as_ref().unwrap().question.as_ref().unwrap();
    assert_eq!((question.id.as_str(), question.expires), ("hook-1", Some(at(90))));
    assert_eq!(question.digest, digest('b'));
    insta::assert_snapshot!(plan, @"
    main/shop
      rolling out: bbbbbbbbbbbb as ecs-svc/2, 2 of 2 running
      rolling out: ECS is at PRE_PRODUCTION_TRAFFIC_SHIFT; the rules are left alone until it has ended
      waiting for a person's yes, to let production requests reach latest, until 2026-01-01T01:30:00Z; `windlass approve` or `windlass reject`
    ");
}

/// The world in which ann answered the question that stood.
fn answered(approve: bool) -> World {
    let mut world = shifting(LifecycleStage::PreProductionTrafficShift, awaiting());
    world.row.state.marks = *world.plan().ledger.marks.unwrap();
    let order = Order { by: "ann".into(), reason: "seen it".into(), at: at(59) };
    world.row.orders.answer = Some(Answer { question: "hook-1".into(), approve, order });
    world
}

#[test]
fn a_yes_is_given_to_ecs_once_and_stands_in_the_release() {
    let plan = answered(true).plan();
    assert!(matches!(plan.steps[..], [Step::AnswerHook { approve: true, .. }]), "{plan}");
    assert_eq!(plan.ledger.marks.as_ref().unwrap().question, None);
    let InFlightChange::Set(going) = plan.ledger.in_flight else { panic!("no record") };
    assert_eq!(going.approvals[0].order.by.as_str(), "ann");
    // ECS asks again at the next step of requests: nobody is asked twice.
    let mut next = shifting(LifecycleStage::PreProductionTrafficShift, awaiting());
    next.row.state.in_flight = Some(*going);
    assert!(matches!(next.plan().steps[..], [Step::AnswerHook { approve: true, .. }]));
}

#[test]
fn a_no_gives_the_rollout_up_with_the_persons_reason() {
    let plan = answered(false).plan();
    assert!(matches!(plan.steps[..], [Step::AnswerHook { approve: false, .. }]), "{plan}");
    let InFlightChange::Set(going) = &plan.ledger.in_flight else { panic!("no record") };
    insta::assert_snapshot!(going.given_up.as_ref().unwrap(), @"ann said no (let production requests reach latest): seen it");
}

#[test]
fn an_answer_to_another_question_is_none_to_this_one() {
    let mut world = answered(true);
    world.row.orders.answer.as_mut().unwrap().question = "hook-0".into();
    assert_eq!(world.plan().steps, []);
}

// ── verdicts ────────────────────────────────────────────────────────────────────────────

fn verdict(digit: char, judgement: Judgement, minute: i64) -> Verdict {
    Verdict {
        stage: "2/POST_TEST_TRAFFIC_SHIFT".into(),
        digest: digest(digit),
        judgement,
        findings: vec!["GET /shop: 3 of 3".into()],
        at: at(minute),
        since: None,
    }
}

#[test]
fn a_verdict_that_ecs_was_given_stands_in_the_rollout_once_and_in_its_release() {
    let mut world = shifting(LifecycleStage::BakeTime, Vec::new());
    world.row.verdict = Some(verdict('b', Judgement::Passed, 55));
    let plan = world.plan();
    let InFlightChange::Set(going) = &plan.ledger.in_flight else { panic!("no record") };
    assert_eq!(going.verdicts, [verdict('b', Judgement::Passed, 55)]);
    assert!(!plan.to_string().contains("took over"), "nothing else is new: {plan}");
    world.row.state.in_flight = Some((**going).clone());
    assert_eq!(world.plan().ledger.in_flight, InFlightChange::Keep, "plan, apply, plan");
    let ended = world.deployments(vec![deployment(2, 8, RolloutState::Completed)], 'b').plan();
    assert_eq!(ended.ledger.ended[0].verdicts.len(), 1);
}

#[test]
fn a_no_that_nobody_saw_in_time_stands_in_the_release_that_it_ended() {
    let mut world = shifting(LifecycleStage::BakeTime, Vec::new());
    world.row.verdict = Some(verdict('b', Judgement::Failed, 55));
    let mut failed = deployment(2, 8, RolloutState::Failed);
    failed.reason = "a lifecycle hook failed".into();
    let back = vec![deployment(3, 7, RolloutState::InProgress), failed];
    let plan = world.deployments(back, 'a').plan();
    assert_eq!(plan.ledger.ended[0].verdicts, [verdict('b', Judgement::Failed, 55)]);
}

#[test]
fn a_verdict_on_another_image_an_earlier_try_or_none_yet_is_not_this_rollouts() {
    for of_another in [
        verdict('a', Judgement::Passed, 55),
        verdict('b', Judgement::Passed, 49),
        verdict('b', Judgement::Undecided, 55),
    ] {
        let mut world = shifting(LifecycleStage::BakeTime, Vec::new());
        world.row.verdict = Some(of_another);
        assert_eq!(world.plan().ledger.in_flight, InFlightChange::Keep);
    }
}

// ── weights that went astray ────────────────────────────────────────────────────────────

#[test]
fn production_at_an_empty_group_is_refused_and_led_back_first() {
    let plan = between_two(BLUE_GREEN, [100, 0], [0, 2]).plan();
    insta::assert_snapshot!(plan, @"
    main/shop
      not begun: production leads to shop-cd08adcc, in which nothing is healthy; shop-canary-aa007201 is, and the rule is led there first
      mended: requests went to shop-cd08adcc, in which nothing is healthy; they are led to shop-canary-aa007201
      1. modify rule 7: forwards shop-cd08adcc 100, shop-canary-aa007201 0 → shop-canary-aa007201 100, shop-cd08adcc 0;
    ");
    assert_eq!(plan.ledger.in_flight, InFlightChange::Keep, "no rollout begins");
}

#[test]
fn a_share_that_stayed_behind_is_taken_back() {
    let mut world = between_two(BLUE_GREEN, [30, 70], [2, 0]).without_image('b');
    let quiet = world.plan();
    insta::assert_snapshot!(words(&quiet), @"modify rule 7: forwards shop-cd08adcc 30, shop-canary-aa007201 70 → shop-cd08adcc 100, shop-canary-aa007201 0;");
    // Both empty: nothing is better than anything else.
    facts(&mut world).health = healthy(0);
    assert_eq!(world.plan().steps, []);
}

#[test]
fn a_healthy_share_of_both_is_nobodys_mistake() {
    let world = between_two(BLUE_GREEN, [30, 70], [2, 2]).without_image('b');
    assert_eq!(world.plan().steps, []);
}

// ── the test route ──────────────────────────────────────────────────────────────────────

fn with_test_rule(rollout: &str, rule: Rule) -> World {
    let mut world = between_two(rollout, [100, 0], [2, 0]);
    world.service().load_balancers[0].advanced.as_mut().unwrap().test_rule = Some(rule.arn.clone());
    facts(&mut world).rules.push(rule);
    world
}

#[test]
fn a_test_rule_is_parked_once_the_spec_has_no_test_route() {
    let world = with_test_rule(BLUE_GREEN, test_rule("new")).without_image('b');
    let plan = world.plan();
    insta::assert_snapshot!(words(&plan), @"modify rule 6: path /shop/* and header x-test new → host cd08adcc.parked.windlass.invalid;");
    let mut parked = test_rule("new");
    parked.conditions = route::parked(&world.facts.key);
    assert_eq!(with_test_rule(BLUE_GREEN, parked).without_image('b').plan().steps, []);
}

#[test]
fn the_update_after_it_tells_ecs_of_no_test_rule() {
    let mut parked = test_rule("new");
    parked.conditions = route::parked(&"main/shop".parse().unwrap());
    let plan = with_test_rule(BLUE_GREEN, parked.clone()).plan();
    insta::assert_snapshot!(words(&plan), @"
    register shop, from shop:7; web: registry.example/shop@sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb
    update the service: shop:7 → the new revision
           test rule: test → none
    ");
    // And when it comes back: led where production is, opened, told to ECS.
    parked.forwards = vec![(FIRST.into(), 0), (SECOND.into(), 100)];
    let again = format!("{BLUE_GREEN}, test_route: {{header: x-test, values: [new]}}");
    let mut world = with_test_rule(&again, parked);
    world.service().load_balancers[0].advanced.as_mut().unwrap().test_rule = None;
    insta::assert_snapshot!(words(&world.plan()), @"
    register shop, from shop:7; web: registry.example/shop@sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb
    modify rule 6: host cd08adcc.parked.windlass.invalid → path /shop/* and header x-test new; forwards shop-cd08adcc 0, shop-canary-aa007201 100 → shop-cd08adcc 100, shop-canary-aa007201 0;
    update the service: shop:7 → the new revision
           test rule: none → test
    ");
}

#[test]
fn without_a_rollout_section_the_test_rule_stays() {
    let mut world = with_test_rule(BLUE_GREEN, test_rule("new")).without_image('b');
    let Fact::Known(parameter) = &mut world.facts.parameter else { panic!("no parameter") };
    parameter.text = parameter.text.split("rollout").next().unwrap().to_owned();
    assert_eq!(world.plan().steps, []);
}
