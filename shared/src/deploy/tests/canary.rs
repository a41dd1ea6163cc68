//! Windlass's own canary, pass by pass.

use super::world::{World, at, deployment, digest, group, image_of, ours, revision};
use crate::deploy::plan::{InFlightChange, Step};
use crate::deploy::{Violation, check};
use crate::facts::{
    AlarmState, Fact, LiveService, RolloutState, RouteFacts, Rule, RuleConditions, ServiceLoadBalancer,
    StoppedTask, TargetHealth,
};
use crate::id::TargetGroupArn;
use crate::ledger::{Answer, CanaryState, InFlight, Judgement, Manner, Order, Outcome, Verdict};

const SPEC: &str = "
image: {repository: shop, policy: latest}
route: {paths: ['/shop/*'], stickiness: {duration_secs: 60}}
rollout: {alarms: [errors], strategy: {canary: {steps: [
  {percent: 2.5, minutes: 10}, {percent: 50, minutes: 60, approval: true}]}}}
";

const MAIN: &str = "arn:targetgroup/shop-cd08adcc/1";
const CANARY: &str = "arn:targetgroup/shop-canary-aa007201/2";

fn lb(group: &str) -> Vec<ServiceLoadBalancer> {
    vec![ServiceLoadBalancer {
        target_group: group.into(),
        container: "web".into(),
        port: 80,
        advanced: None,
    }]
}

fn healthy(healthy: u32) -> Fact<TargetHealth> {
    Fact::Known(TargetHealth { healthy, registered: healthy })
}

/// main/shop with ten tasks behind its rule, settled on `a`; `b` was pushed.
fn pushed(spec: &str) -> World {
    let mut world = World::specified(spec);
    world.service().desired = 10;
    world.service().load_balancers = lb(MAIN);
    world.facts.canary = Fact::Absent;
    world.facts.alarms.insert("errors".into(), Fact::Known(AlarmState::Ok));
    world.facts.route = Fact::Known(RouteFacts {
        listener: "listener".into(),
        vpc: "vpc-1".into(),
        rules: vec![Rule {
            arn: "rule-7".into(),
            priority: Some(7),
            conditions: RuleConditions { paths: vec!["/shop/*".into()], ..RuleConditions::default() },
            forwards: vec![(MAIN.into(), 1)],
            stickiness_secs: Some(60),
            rewrites: Vec::new(),
            tags: ours(),
        }],
        target_group: group(MAIN),
        health: healthy(10),
        second_group: Fact::Absent,
        second_health: Fact::Absent,
        tagged: crate::facts::Tagged::All,
        usage: Fact::NotAsked,
        neighbours: std::collections::BTreeMap::new(),
    });
    let settled = crate::deploy::plan(&world.facts, &world.row, &world.settings, at(2));
    world.row.state.settled = settled.ledger.settled;
    assert!(world.row.state.settled.is_some(), "the world settles");
    world.image('b', "v2", 50)
}

fn route(world: &mut World) -> &mut RouteFacts {
    match &mut world.facts.route {
        Fact::Known(route) => route,
        _ => panic!("no route"),
    }
}

/// The canary's service with `tasks` tasks, all healthy, and the rule's weights.
fn with_canary(mut world: World, step: usize, since: Option<i64>, tasks: u32, weight: u32) -> World {
    let row = world.row.state.settled.clone().unwrap();
    world.row.state.in_flight = Some(InFlight {
        manner: Manner::Canary,
        deployment: None,
        from_task_definition: Some(row.task_definition),
        spec: row.spec,
        canary: Some(CanaryState {
            step,
            since: since.map(at),
            entered: Some(at(50)),
            ..CanaryState::default()
        }),
        ..world.row.state.in_flight.clone().unwrap_or_else(|| begun(&world))
    });
    world.facts.newest_revision = Fact::Known(revision(8, &image_of(&digest('b'))));
    let mut canary: LiveService = world.service().clone();
    canary.task_definition = revision(8, "").arn.unwrap();
    canary.deployments = vec![deployment(9, 8, RolloutState::Completed)];
    (canary.desired, canary.running, canary.load_balancers, canary.tags) = (tasks, tasks, lb(CANARY), ours());
    world.facts.canary = Fact::Known(canary);
    world.facts.stopped_tasks = Fact::Known(Vec::new());
    let route = route(&mut world);
    (route.second_group, route.second_health) = (group(CANARY), healthy(tasks));
    let main = if weight == 0 { 999 } else { 1000 - weight };
    route.rules[0].forwards = vec![(MAIN.into(), main), (CANARY.into(), weight)];
    world
}

fn begun(world: &World) -> InFlight {
    let plan = world.plan();
    let InFlightChange::Set(begun) = plan.ledger.in_flight else { panic!("nothing begins: {plan}") };
    InFlight { task_definition: revision(8, "").arn, started_at: at(50), ..*begun }
}

fn canary(world: &mut World) -> &mut LiveService {
    match &mut world.facts.canary {
        Fact::Known(canary) => canary,
        _ => panic!("no canary"),
    }
}

/// The row's rollout in flight after this plan.
fn next(world: &World) -> InFlight {
    match world.plan().ledger.in_flight {
        InFlightChange::Set(next) => *next,
        InFlightChange::Keep => world.row.state.in_flight.clone().unwrap(),
        InFlightChange::Clear => panic!("it ended"),
    }
}

#[test]
fn it_begins_beside_the_service_with_weight_0() {
    insta::assert_snapshot!(pushed(SPEC).plan(), @"
    main/shop
      release: latest bbbbbbbbbbbb (from aaaaaaaaaaaa)
      1. register shop, from shop:7; web: registry.example/shop@sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb
      2. create target group shop-canary-aa007201 (instance targets, port 80, health check /)
      3. modify rule 7: forwards shop-cd08adcc 1, sticky for 60 s → shop-cd08adcc 999, shop-canary-aa007201 0, sticky for 60 s;
      4. create its canary with 1 task(s) of the new revision
    ");
}

#[test]
fn healthy_tasks_get_the_share_to_the_tenth_of_a_percent_and_the_stickiness_stays() {
    let world = with_canary(pushed(SPEC), 0, None, 1, 0);
    let plan = world.plan();
    insta::assert_snapshot!(plan, @"
    main/shop
      canary: step 1 of 2, 2.5 %; until 2026-01-01T01:10:00Z
      release: latest bbbbbbbbbbbb (from aaaaaaaaaaaa)
      1. modify rule 7: forwards shop-cd08adcc 999, shop-canary-aa007201 0, sticky for 60 s → shop-cd08adcc 975, shop-canary-aa007201 25, sticky for 60 s;
    ");
    let Step::ModifyRule { change, .. } = &plan.steps[0] else { panic!("{plan}") };
    assert_eq!(change.action.as_ref().unwrap().stickiness_secs, Some(60));
    assert_eq!(next(&world).canary.unwrap().since, Some(world.now));
}

#[test]
fn within_its_minutes_nothing_is_planned_and_the_note_says_until_when() {
    let world = with_canary(pushed(SPEC), 0, Some(55), 1, 25);
    let plan = world.plan();
    assert_eq!((plan.steps.as_slice(), &plan.ledger.in_flight), ([].as_slice(), &InFlightChange::Keep));
    insta::assert_snapshot!(plan, @"
    main/shop
      canary: step 1 of 2, 2.5 %; until 2026-01-01T01:05:00Z
    ");
}

#[test]
fn after_its_minutes_the_next_steps_tasks_come_first_and_its_weights_later() {
    let mut world = with_canary(pushed(SPEC), 0, Some(50), 1, 25);
    insta::assert_snapshot!(world.plan(), @"
    main/shop
      canary: its tasks for step 2 of 2 come up: 1 of 5 running, 1 healthy; given up at 2026-01-01T01:30:00Z
      release: latest bbbbbbbbbbbb (from aaaaaaaaaaaa)
      1. scale its canary: 1 → 5 task(s)
    ");
    world.row.state.in_flight = Some(next(&world));
    canary(&mut world).desired = 5;
    insta::assert_snapshot!(world.plan(), @"
    main/shop
      canary: its tasks for step 2 of 2 come up: 1 of 5 running, 1 healthy; given up at 2026-01-01T01:30:00Z
    ");
}

#[test]
fn a_person_is_asked_and_a_yes_promotes() {
    let mut world = with_canary(pushed(SPEC), 1, Some(-1), 5, 500);
    let plan = world.plan();
    insta::assert_snapshot!(plan, @"
    main/shop
      canary: step 2 of 2, 50 %; a person's yes is waited for to let latest (bbbbbbbbbbbb) go on from 50 %: `windlass approve main/shop`
    ");
    world.row.state.marks = *plan.ledger.marks.unwrap();
    let question = world.row.state.marks.question.clone().unwrap();
    let order = Order { by: "ann".into(), reason: "good".into(), at: at(59) };
    world.row.orders.answer =
        Some(Answer { question: question.id.clone(), approve: true, order: order.clone() });
    insta::assert_snapshot!(world.plan(), @"
    main/shop
      canary: promoted, the service itself is updated: it begins
      release: latest bbbbbbbbbbbb (from aaaaaaaaaaaa)
      1. update the service: shop:7 → shop:8
           alarms: none → errors
    ");
    let next = next(&world);
    assert_eq!((next.approvals.len(), next.canary.unwrap().promoting_since), (1, Some(world.now)));
    world.row.orders.answer = Some(Answer { question: question.id, approve: false, order });
    insta::assert_snapshot!(world.plan(), @"
    main/shop
      canary: bbbbbbbbbbbb is given up: ann said no to `let latest (bbbbbbbbbbbb) go on from 50 %`: good; requests go back to the service, then its tasks go
      quarantine: bbbbbbbbbbbb
      release: latest bbbbbbbbbbbb (from aaaaaaaaaaaa)
      1. modify rule 7: forwards shop-cd08adcc 500, shop-canary-aa007201 500, sticky for 60 s → shop-cd08adcc 999, shop-canary-aa007201 0, sticky for 60 s;
      2. scale its canary: 5 → 0 task(s)
    ");
}

#[test]
fn a_canary_that_lost_its_last_target_gets_no_request_and_its_minutes_count_anew() {
    let mut world = with_canary(pushed(SPEC), 1, Some(55), 5, 500);
    route(&mut world).second_health = healthy(0);
    insta::assert_snapshot!(world.plan(), @"
    main/shop
      canary: its tasks for step 2 of 2 come up: 5 of 5 running, 0 healthy; given up at 2026-01-01T01:30:00Z
      release: latest bbbbbbbbbbbb (from aaaaaaaaaaaa)
      1. modify rule 7: forwards shop-cd08adcc 500, shop-canary-aa007201 500, sticky for 60 s → shop-cd08adcc 999, shop-canary-aa007201 0, sticky for 60 s;
    ");
    assert_eq!(next(&world).canary.unwrap().since, None);
}

#[test]
fn a_service_that_lost_its_last_target_is_spared_while_its_canary_answers() {
    let mut world = with_canary(pushed(SPEC), 1, Some(55), 5, 500);
    route(&mut world).health = healthy(0);
    insta::assert_snapshot!(world.plan(), @"
    main/shop
      canary: its tasks for step 2 of 2 come up: 5 of 5 running, 5 healthy
      release: latest bbbbbbbbbbbb (from aaaaaaaaaaaa)
      1. modify rule 7: forwards shop-cd08adcc 500, shop-canary-aa007201 500, sticky for 60 s → shop-cd08adcc 0, shop-canary-aa007201 999, sticky for 60 s;
    ");
}

#[test]
fn an_alarm_gives_it_up_requests_first_and_the_image_is_quarantined() {
    let mut world = with_canary(pushed(SPEC), 1, Some(55), 5, 500);
    world.facts.alarms.insert("errors".into(), Fact::Known(AlarmState::Alarm));
    let plan = world.plan();
    insta::assert_snapshot!(plan, @"
    main/shop
      canary: bbbbbbbbbbbb is given up: errors rings; requests go back to the service, then its tasks go
      quarantine: bbbbbbbbbbbb
      release: latest bbbbbbbbbbbb (from aaaaaaaaaaaa)
      1. modify rule 7: forwards shop-cd08adcc 500, shop-canary-aa007201 500, sticky for 60 s → shop-cd08adcc 999, shop-canary-aa007201 0, sticky for 60 s;
      2. scale its canary: 5 → 0 task(s)
    ");
    // Its end is told once nothing of it is left, even if the alarm is quiet by then.
    world.row.state.in_flight = Some(next(&world));
    world.row.quarantine.extend(plan.ledger.quarantine);
    world.facts.alarms.insert("errors".into(), Fact::Known(AlarmState::Ok));
    (canary(&mut world).desired, canary(&mut world).running) = (0, 0);
    route(&mut world).second_health = healthy(0);
    route(&mut world).rules[0].forwards = vec![(MAIN.into(), 999), (CANARY.into(), 0)];
    let plan = world.plan();
    insta::assert_snapshot!(plan, @"
    main/shop
      quarantined: latest (bbbbbbbbbbbb) failed and is not redeployed by itself (errors rings); push a fixed image, or `windlass release SERVICE sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb`
      ended: bbbbbbbbbbbb rolled back
      1. modify rule 7: forwards shop-cd08adcc 999, shop-canary-aa007201 0, sticky for 60 s → shop-cd08adcc 1, sticky for 60 s;
    ");
    assert_eq!(plan.ledger.ended[0].outcome, Outcome::RolledBack);
}

#[test]
fn nobody_else_answers_so_the_canary_is_not_taken_away_yet() {
    let mut world = with_canary(pushed(SPEC), 1, Some(55), 5, 500);
    world.facts.alarms.insert("errors".into(), Fact::Known(AlarmState::Alarm));
    route(&mut world).health = healthy(0);
    insta::assert_snapshot!(world.plan(), @"
    main/shop
      canary: bbbbbbbbbbbb is given up: errors rings; nobody else can answer: it waits for the service's own tasks
      quarantine: bbbbbbbbbbbb
      release: latest bbbbbbbbbbbb (from aaaaaaaaaaaa)
      1. modify rule 7: forwards shop-cd08adcc 500, shop-canary-aa007201 500, sticky for 60 s → shop-cd08adcc 0, shop-canary-aa007201 999, sticky for 60 s;
    ");
}

#[test]
fn three_tasks_that_crash_are_enough_and_tasks_that_were_scaled_in_are_none() {
    let mut world = with_canary(pushed(SPEC), 0, None, 1, 0);
    let task = |code: &str, minute: i64| StoppedTask {
        arn: format!("task-{minute}"),
        stop_code: Some(code.into()),
        stopped_reason: None,
        containers: Vec::new(),
        stopped_at: Some(at(minute)),
    };
    let crash = |minute| task("EssentialContainerExited", minute);
    let scaled_in = |minute| task("ServiceSchedulerInitiated", minute);
    world.facts.stopped_tasks =
        Fact::Known(vec![crash(51), crash(52), crash(40), scaled_in(53), scaled_in(54)]);
    assert_eq!(next(&world).given_up, None);
    world.facts.stopped_tasks = Fact::Known(vec![crash(51), crash(52), crash(53)]);
    let why = next(&world).given_up.unwrap();
    assert!(why.starts_with("3 of the canary's tasks failed; 3 × EssentialContainerExited"), "{why}");
}

#[test]
fn tasks_that_do_not_come_up_are_given_up_in_time() {
    let mut world = with_canary(pushed(SPEC), 0, None, 1, 0);
    route(&mut world).second_health = healthy(0);
    world.now = at(79);
    insta::assert_snapshot!(world.plan(), @"
    main/shop
      canary: its tasks for step 1 of 2 come up: 1 of 1 running, 0 healthy; given up at 2026-01-01T01:20:00Z
    ");
    world.now = at(80);
    assert!(next(&world).given_up.unwrap().starts_with("the canary's tasks were not healthy by"));
}

#[test]
fn a_verdict_is_asked_for_at_the_end_of_a_step_and_again_if_nobody_answers() {
    let spec = SPEC.replace("route:", "verify: {alarms: [errors]}\nroute:");
    let mut world = with_canary(pushed(&spec), 0, Some(50), 1, 25);
    let plan = world.plan();
    insta::assert_snapshot!(plan, @"
    main/shop
      canary: step 1 of 2, 2.5 %; its verification is asked for
      release: latest bbbbbbbbbbbb (from aaaaaaaaaaaa)
      1. ask for a verdict on bbbbbbbbbbbb
    ");
    let Step::AskVerdict(asked) = &plan.steps[0] else { panic!("{plan}") };
    let judged = |judgement, minute| {
        Some(Verdict {
            stage: asked.stage.clone(),
            since: Some(asked.since),
            digest: digest('b'),
            judgement,
            findings: vec!["GET /health answered 503".into()],
            at: at(minute),
        })
    };
    world.row.state.in_flight = Some(next(&world));
    assert_eq!(world.plan().steps, [], "asked a moment ago");
    world.now = at(62);
    assert!(matches!(world.plan().steps[..], [Step::AskVerdict(_)]), "nobody answered");
    world.row.verdict = judged(Judgement::Undecided, 62);
    assert_eq!(world.plan().steps, []);
    insta::assert_snapshot!(world.plan(), @"
    main/shop
      canary: step 1 of 2, 2.5 %; its verification is undecided: GET /health answered 503
    ");
    world.now = at(63);
    assert!(matches!(world.plan().steps[..], [Step::AskVerdict(_)]), "it is asked again");
    world.row.verdict = judged(Judgement::Failed, 63);
    let why = next(&world).given_up.unwrap();
    assert_eq!(why, "its verification failed: GET /health answered 503");
    world.row.verdict = judged(Judgement::Passed, 63);
    let passed = next(&world);
    assert_eq!((passed.canary.unwrap().step, passed.verdicts.len()), (1, 1));
}

#[test]
fn a_hold_stops_every_step_forward_and_none_back() {
    let mut world = with_canary(pushed(SPEC), 0, Some(50), 1, 25);
    world.row.hold = Some(crate::ledger::Hold { by: "ann".into(), reason: "sale".into(), at: at(55) });
    assert_eq!(world.plan().steps, [], "its minutes are over, and it stays");
    world.facts.alarms.insert("errors".into(), Fact::Known(AlarmState::Alarm));
    assert_eq!(world.plan().steps.len(), 2, "{}", world.plan());
}

#[test]
fn a_stop_stops_every_step_forward_and_none_back() {
    let mut world = with_canary(pushed(SPEC), 0, Some(50), 1, 25);
    let why = crate::ledger::Hold { by: "ann".into(), reason: "an incident".into(), at: at(55) };
    world.facts.stops = Fact::Known(crate::facts::Stops { everywhere: Some(why), ..Default::default() });
    let plan = world.plan();
    assert_eq!(plan.steps, [], "its minutes are over, and it stays");
    assert!(plan.to_string().contains("everything is stopped by ann"), "{plan}");
    world.facts.alarms.insert("errors".into(), Fact::Known(AlarmState::Alarm));
    assert_eq!(world.plan().steps.len(), 2, "{}", world.plan());
}

#[test]
fn rules_that_name_a_canary_nobody_follows_are_tidied_up_though_the_image_is_held_back() {
    let mut world = with_canary(pushed(SPEC), 0, Some(50), 1, 25);
    world.row.state.in_flight = None;
    canary(&mut world).desired = 0;
    canary(&mut world).running = 0;
    let bad = crate::ledger::Quarantine {
        reason: "bad".into(),
        at: at(60),
        deployment: None,
        spec: None,
        until: None,
    };
    world.row.quarantine.insert(digest('b'), bad);
    let plan = world.plan();
    assert!(matches!(plan.steps.as_slice(), [Step::ModifyRule { .. }]), "{plan}");
}

#[test]
fn somebodys_own_deployment_ends_it_without_blame() {
    let mut world = with_canary(pushed(SPEC), 0, Some(50), 1, 25);
    world = world.deployments(vec![deployment(3, 12, RolloutState::Completed)], 'a');
    let plan = world.plan();
    assert!(next(&world).given_up.unwrap().contains("somebody deployed shop:12"), "{plan}");
    assert!(plan.ledger.quarantine.is_empty());
}

#[test]
fn a_strangers_service_of_the_canarys_name_is_refused() {
    let mut world = with_canary(pushed(SPEC), 0, None, 1, 0);
    world.row.state.in_flight = None;
    canary(&mut world).tags.clear();
    let plan = world.plan();
    assert_eq!(plan.steps, []);
    insta::assert_snapshot!(plan, @"
    main/shop
      refused: no canary: a service named shop-canary exists and is not Windlass's; rename or remove it
    ");
}

#[test]
fn the_check_refuses_weights_that_are_no_whole_and_weight_to_an_empty_group() {
    let mut world = with_canary(pushed(SPEC), 0, None, 1, 0);
    let mut plan = world.plan();
    let Step::ModifyRule { change, .. } = &mut plan.steps[0] else { panic!("{plan}") };
    let forwards = &mut change.action.as_mut().unwrap().forwards;
    (forwards[0].weight, forwards[1].weight) = (500, 400);
    assert_eq!(check(&plan, &world.facts, &world.row), [Violation::NotAWhole(0, vec![500, 400])]);
    let Step::ModifyRule { change, .. } = &mut plan.steps[0] else { panic!("{plan}") };
    change.action.as_mut().unwrap().forwards[0].weight = 600;
    route(&mut world).second_health = healthy(0);
    assert_eq!(check(&plan, &world.facts, &world.row), [Violation::WeighsEmpty(0)]);
    route(&mut world).rules[0].tags.clear();
    assert!(check(&plan, &world.facts, &world.row).contains(&Violation::NotOurs(0)));
}

#[test]
fn one_group_alone_is_led_to_where_the_other_was_never_made() {
    let arn: TargetGroupArn = MAIN.into();
    let world = pushed(SPEC);
    let plan = world.plan();
    let weights = plan.steps.iter().find_map(|step| match step {
        Step::ModifyRule { change, .. } => change.action.clone(),
        _ => None,
    });
    let forwards = weights.unwrap().forwards;
    assert_eq!((forwards[0].weight, forwards[1].weight), (999, 0), "{arn}");
}

#[test]
fn a_freeze_in_its_spec_in_the_middle_keeps_it_at_its_step_and_does_not_begin_it_anew() {
    let mut world = with_canary(pushed(SPEC), 0, Some(52), 1, 25);
    let Fact::Known(parameter) = &mut world.facts.parameter else { panic!("a spec") };
    parameter.text += "freeze: [{start: '0 0 * * *', minutes: 1440, reason: sale}]\n";
    world.now = at(70);
    let plan = world.plan();
    assert_eq!(plan.steps, [], "{plan}");
    let going = match &plan.ledger.in_flight {
        InFlightChange::Set(going) => going.as_ref(),
        InFlightChange::Keep => world.row.state.in_flight.as_ref().unwrap(),
        InFlightChange::Clear => panic!("{plan}"),
    };
    assert_eq!((going.started_at, going.canary.as_ref().unwrap().step), (at(50), 0));
    assert!(plan.report.iter().any(|note| note.to_string().contains("sale")), "{plan}");
}

#[test]
fn after_a_strategy_of_ecss_the_refusal_says_what_to_do_first() {
    let mut world = pushed(SPEC);
    world.service().load_balancers[0].advanced = Some(crate::facts::LiveBalancing {
        alternate: CANARY.into(),
        production_rule: "rule-7".into(),
        test_rule: None,
        role: "role".into(),
    });
    let plan = world.plan();
    assert_eq!(plan.steps, []);
    insta::assert_snapshot!(plan, @"
    main/shop
      refused: no canary: ECS shifts this service between two groups since its last strategy; roll out once with `strategy: rolling`, and a canary can follow
    ");
}

#[test]
fn during_an_experiment_a_canary_is_refused() {
    let mut world = pushed(SPEC);
    route(&mut world).rules[0].forwards = vec![(MAIN.into(), 90), ("arn:targetgroup/other/3".into(), 10)];
    let plan = world.plan();
    assert!(
        !plan.steps.iter().any(|step| matches!(step, Step::CreateService(_) | Step::UpdateService { .. }))
    );
    insta::assert_snapshot!(plan, @"
    main/shop
      refused: no canary: its rule leads to other services, too; end the experiment first (`route.weights`)
      1. modify rule 7: forwards shop-cd08adcc 90, other 10, sticky for 60 s → shop-cd08adcc 90, sticky for 60 s;
    ");
}
