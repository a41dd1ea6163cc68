//! How many tasks each service gets.

use super::world::{World, at};
use crate::event::AlarmValue;
use crate::facts::{Fact, FailureKind, Unreadable};
use crate::ledger::{InFlight, ScalingMark, ServiceRow};

const TARGET: &str = "{min: 1, max: 10, rules: [{target: {alarm: cpu, target: 40}}]}";
const STEPS: &str = "{min: 0, max: 10, rules: [{step: {alarm: deep, steps: [{beyond: 0, change: 1}, {beyond: 100, change: 4}]}}]}";

fn shop(scaling: &str, desired: u32) -> World {
    let mut world = World::new();
    world.service("shop", desired, 256, 512).scaling("shop", scaling);
    world
}

#[test]
fn a_target_is_met_in_one_step_out_and_stays_where_it_is_near_it() {
    let mut world = shop(TARGET, 2);
    world.alarm("cpu", AlarmValue::Alarm, 50.0, 80.0);
    assert_eq!(world.steps(), ["shop: 2 → 4 tasks (cpu is 80.0, its target 40.0)"]);
    for near in [37.0, 40.0] {
        world.alarm("cpu", AlarmValue::Ok, 50.0, near);
        assert_eq!(world.steps(), Vec::<String>::new(), "{near}");
    }
}

#[test]
fn what_only_starts_does_not_carry_the_load_yet_and_is_not_asked_for_twice() {
    let mut world = shop(TARGET, 4);
    world.of("shop").live.running = 2;
    world.alarm("cpu", AlarmValue::Alarm, 50.0, 80.0);
    assert_eq!(world.steps(), Vec::<String>::new());
}

#[test]
fn a_target_gives_tasks_back_with_patience_and_never_below_the_least() {
    let mut world = shop(TARGET, 8);
    world.alarm("cpu", AlarmValue::Ok, 50.0, 1.0);
    let mark = ScalingMark { out_at: [("cpu".to_owned(), at(86_200))].into(), ..ScalingMark::default() };
    world.row.state.services.insert("shop".into(), mark);
    assert_eq!(world.steps(), Vec::<String>::new());
    assert!(world.report()[0].contains("cpu asks for 1 tasks; not before"), "{:?}", world.report());
    world.now = at(86_500);
    assert_eq!(world.steps(), ["shop: 8 → 1 tasks (cpu is 1.0, its target 40.0)"]);
}

#[test]
fn a_limit_is_kept_and_said() {
    let mut world = shop("{min: 1, max: 3, rules: [{target: {alarm: cpu, target: 40}}]}", 2);
    world.alarm("cpu", AlarmValue::Alarm, 50.0, 100.0);
    assert_eq!(world.steps(), ["shop: 2 → 3 tasks (its limits are 1 to 3)"]);
    assert_eq!(world.report()[0], "shop: its rules ask for 5 tasks, its limit is 3");
}

#[test]
fn an_alarm_that_keeps_ringing_goes_on_acting_pass_by_pass() {
    let mut world = shop(STEPS, 1);
    world.alarm("deep", AlarmValue::Alarm, 500.0, 550.0);
    let first = world.plan();
    assert_eq!(first.steps[0].to_string(), "shop: 1 → 2 tasks (deep rings, 50.0 beyond its threshold: +1)");
    world.row.state = first.state;
    world.of("shop").live.desired = 2;
    assert_eq!(world.steps(), Vec::<String>::new(), "its patience is a minute");
    world.now = at(86_461);
    world.alarm("deep", AlarmValue::Alarm, 500.0, 700.0);
    assert_eq!(world.steps(), ["shop: 2 → 6 tasks (deep rings, 200.0 beyond its threshold: +4)"]);
    world.alarm("deep", AlarmValue::Ok, 500.0, 700.0);
    assert_eq!(world.steps(), Vec::<String>::new());
}

#[test]
fn a_demand_alarm_brings_a_service_back_from_zero() {
    let mut world = shop(STEPS, 0);
    world.alarm("deep", AlarmValue::Alarm, 0.0, 3.0);
    assert_eq!(world.steps(), ["shop: 0 → 1 tasks (deep rings, 3.0 beyond its threshold: +1)"]);
}

#[test]
fn of_several_rules_the_one_that_wants_most_counts() {
    let two = "{min: 1, max: 10, rules: [{target: {alarm: cpu, target: 40}}, \
               {step: {alarm: idle, steps: [{beyond: 0, change: -1}]}}]}";
    let mut world = shop(two, 4);
    world.alarm("cpu", AlarmValue::Ok, 50.0, 40.0).alarm("idle", AlarmValue::Alarm, 0.0, 0.0);
    assert_eq!(world.steps(), Vec::<String>::new());
}

#[test]
fn a_schedules_limits_hold_from_its_time_on() {
    let night = "{min: 2, max: 10, schedules: [{at: '0 22 * * *', min: 0, max: 1}, {at: '0 6 * * *', min: 2, max: 10}]}";
    let mut world = shop(night, 4);
    world.now = "2026-11-23T23:00:00Z".parse().unwrap();
    assert_eq!(world.steps(), ["shop: 4 → 1 tasks (its limits are 0 to 1)"]);
    world.now = "2026-11-24T06:30:00Z".parse().unwrap();
    assert_eq!(world.steps(), Vec::<String>::new());
    world.of("shop").live.desired = 1;
    assert_eq!(world.steps(), ["shop: 1 → 2 tasks (its limits are 2 to 10)"]);
}

#[test]
fn during_a_rollout_tasks_are_added_and_none_taken() {
    let mut world = shop(TARGET, 4);
    let mut row = ServiceRow::new(crate::id::ServiceKey::new("main", "shop"));
    let in_flight = serde_json::json!({
        "digest": format!("sha256:{}", "1".repeat(64)), "tag": null, "pushed_at": null,
        "task_definition": null, "deployment": null, "from_digest": null, "from_task_definition": null,
        "started_at": at(0), "spec": "s", "policy": "p",
    });
    row.state.in_flight = Some(serde_json::from_value::<InFlight>(in_flight).unwrap());
    world.of("shop").row = Some(row);
    world.alarm("cpu", AlarmValue::Ok, 50.0, 1.0);
    assert_eq!(world.steps(), Vec::<String>::new());
    assert_eq!(world.report()[0], "shop: 1 tasks would do; not while a rollout goes on");
    world.alarm("cpu", AlarmValue::Alarm, 50.0, 80.0);
    assert_eq!(world.steps(), ["shop: 4 → 8 tasks (cpu is 80.0, its target 40.0)"]);
}

#[test]
fn what_is_not_known_scales_nothing_and_is_said() {
    let mut world = shop(TARGET, 4);
    assert_eq!(world.steps(), Vec::<String>::new());
    assert!(world.report()[0].starts_with("shop: there is no alarm cpu; create it"), "{:?}", world.report());
    world.alarm("cpu", AlarmValue::Alarm, 50.0, 80.0);
    world.now = at(86_400 + 600);
    assert_eq!(world.steps(), Vec::<String>::new(), "the value is too old");
    world.now = at(86_400);
    let what = Unreadable { doing: "asking".into(), kind: FailureKind::Denied, detail: "no".into() };
    world.facts.owned_elsewhere = Fact::Unreadable(what);
    assert_eq!(world.steps(), Vec::<String>::new(), "whether somebody else sets it is open");
    world.facts.owned_elsewhere = Fact::Known(["shop".into()].into());
    assert_eq!(world.steps(), Vec::<String>::new());
    assert!(world.report()[0].contains("Application Auto Scaling owns"), "{:?}", world.report());
}
