//! What holds an alarm's actions back, and when they are made up for.

use std::time::Duration;

use serde_json::{Value, json};

use super::{call, errors_alarm, lambda_installed, told, world};
use crate::cloudwatch::{AlarmState, set_alarm};
use crate::world::{Effect, World};

const RING: &str = "arn:aws:lambda:eu-central-1:123456789012:function:ring";

/// An alarm that calls a function, which is there.
fn with_function() -> World {
    let mut world = world();
    lambda_installed(&mut world);
    let mut alarm = errors_alarm("errors");
    alarm["AlarmActions"] = json!([RING]);
    call(&mut world, "PutMetricAlarm", alarm).unwrap();
    world
}

fn calls(world: &World) -> usize {
    world.effects.iter().filter(|it| matches!(it, Effect::Invoke(_))).count()
}

/// The worlds begin at midnight of 1 January 2026.
fn mute(world: &mut World, expression: &str, duration: &str) -> crate::call::Reply {
    let rule = json!({"Name": "night", "Rule": {"Schedule": {"Expression": expression, "Duration": duration}},
        "MuteTargets": {"AlarmNames": ["errors"]}});
    call(world, "PutAlarmMuteRule", rule)
}

fn statuses(world: &mut World, ask: Value) -> Vec<String> {
    let listed = call(world, "ListAlarmMuteRules", ask).unwrap();
    let rules = listed["AlarmMuteRuleSummaries"].as_array().unwrap().clone();
    rules.iter().map(|it| it["Status"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_muted_alarm_changes_its_state_and_calls_nobody_until_its_window_ends() {
    let mut world = with_function();
    let minutes = |world: &mut World, minutes| world.advance(world.now() + Duration::from_mins(minutes));
    let at = format!("at({})", &(world.now() + Duration::from_mins(10)).iso()[..16]);
    mute(&mut world, &at, "PT1H").unwrap();
    assert_eq!(statuses(&mut world, json!({})), ["SCHEDULED"]);
    minutes(&mut world, 11);
    assert_eq!(statuses(&mut world, json!({"AlarmName": "errors", "Statuses": ["ACTIVE"]})), ["ACTIVE"]);
    assert_eq!(statuses(&mut world, json!({"AlarmName": "other"})), Vec::<String>::new());
    set_alarm(&mut world, "errors", AlarmState::Alarm).unwrap();
    let events: Vec<_> = world.bus.log.iter().map(|it| it.event.detail()["muteDetail"].clone()).collect();
    assert!(
        events.iter().any(|it| it["mutedByArn"].as_str().is_some_and(|it| it.ends_with(":night"))),
        "{events:?}"
    );
    assert_eq!(told(&world).last().map(|it| it.2.as_str()), Some("ALARM"));
    assert_eq!(calls(&world), 0);
    // The alarm's own evaluation finds no data that breaches: it is kept where it is.
    call(&mut world, "DeleteAlarmMuteRule", json!({"AlarmMuteRuleName": "night"})).unwrap();
    assert_eq!(calls(&world), 1, "it is still in ALARM");
}

#[test]
fn a_window_that_ends_makes_up_for_what_still_rings_alone() {
    for (is_over, expected) in [(false, 1), (true, 0)] {
        let mut world = with_function();
        let mut alarm = errors_alarm("errors");
        alarm["AlarmActions"] = json!([RING]);
        alarm["TreatMissingData"] = json!("ignore");
        call(&mut world, "PutMetricAlarm", alarm).unwrap();
        let now = format!("at({})", &world.now().iso()[..16]);
        mute(&mut world, &now, "PT30M").unwrap();
        set_alarm(&mut world, "errors", AlarmState::Alarm).unwrap();
        if is_over {
            set_alarm(&mut world, "errors", AlarmState::Ok).unwrap();
        }
        world.advance(world.now() + Duration::from_mins(31));
        assert_eq!((calls(&world), statuses(&mut world, json!({}))), (expected, vec!["EXPIRED".to_owned()]));
    }
}

#[test]
fn what_it_does_not_carry_out_it_refuses() {
    let mut world = with_function();
    for (expression, duration) in
        [("cron(0 2 * * *)", "PT1H"), ("at(2026-02-30T10:00)", "PT1H"), ("at(2026-02-03T10:00)", "P1D")]
    {
        let refused = mute(&mut world, expression, duration).unwrap_err();
        assert_eq!(refused.code, "ValidationError", "{expression} {duration}");
    }
}

#[test]
fn a_suppressor_holds_a_composite_alarms_actions_and_its_periods_end() {
    let mut world = with_function();
    set_alarm(&mut world, "deploying", AlarmState::Ok).unwrap();
    let composite = json!({"AlarmName": "all", "AlarmRule": "ALARM(errors)", "AlarmActions": [RING],
        "ActionsSuppressor": "deploying", "ActionsSuppressorWaitPeriod": 60, "ActionsSuppressorExtensionPeriod": 120});
    let mut alarm = errors_alarm("errors");
    alarm["TreatMissingData"] = json!("ignore");
    call(&mut world, "PutMetricAlarm", alarm).unwrap();
    call(&mut world, "PutCompositeAlarm", composite).unwrap();
    let by = |world: &mut World| {
        let ask = json!({"AlarmNames": ["all"], "AlarmTypes": ["CompositeAlarm"]});
        let told = call(world, "DescribeAlarms", ask).unwrap();
        told["CompositeAlarms"][0]["ActionsSuppressedBy"].as_str().map(str::to_owned)
    };
    set_alarm(&mut world, "errors", AlarmState::Alarm).unwrap();
    assert_eq!(by(&mut world).as_deref(), Some("WaitPeriod"));
    world.advance(world.now() + Duration::from_secs(30));
    set_alarm(&mut world, "deploying", AlarmState::Alarm).unwrap();
    world.advance(world.now() + Duration::from_mins(10));
    assert_eq!((by(&mut world).as_deref(), calls(&world)), (Some("Alarm"), 0));
    set_alarm(&mut world, "deploying", AlarmState::Ok).unwrap();
    assert_eq!((by(&mut world).as_deref(), calls(&world)), (Some("ExtensionPeriod"), 0));
    world.advance(world.now() + Duration::from_secs(121));
    assert_eq!((by(&mut world), calls(&world)), (None, 1));
}
