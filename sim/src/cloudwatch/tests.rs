use serde_json::{Value, json};

use super::*;
use crate::call::{Call, Caller, ServiceId};
use crate::lambda::{Function, Permission};
use crate::world::{Config, Effect};

pub(super) fn world() -> World {
    World::new(Config { throttling: false, ..Config::default() })
}

pub(super) fn call(world: &mut World, operation: &str, input: Value) -> Reply {
    let caller = Caller { access_key: "AKIDEXAMPLE".into() };
    world.call(&Call { service: ServiceId::CloudWatch, operation: operation.into(), input, caller })
}

fn code(reply: Reply) -> String {
    reply.unwrap_err().code
}

fn errors_alarm(name: &str) -> Value {
    json!({
        "AlarmName": name,
        "AlarmDescription": "Too many errors",
        "Namespace": "AWS/ApplicationELB",
        "MetricName": "HTTPCode_Target_5XX_Count",
        "Dimensions": [{"Name": "TargetGroup", "Value": "targetgroup/shop/1"}],
        "Statistic": "Sum",
        "Period": 60,
        "EvaluationPeriods": 2,
        "Threshold": 5.0,
        "ComparisonOperator": "GreaterThanThreshold",
        "TreatMissingData": "notBreaching",
    })
}

/// The states that alarms' events told, oldest first.
fn told(world: &World) -> Vec<(String, String, String)> {
    let changes =
        world.bus.log.iter().filter(|logged| logged.event.detail_type() == "CloudWatch Alarm State Change");
    changes
        .map(|logged| {
            let text = |pointer: &str| {
                logged.event.detail().pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
            };
            (text("/alarmName"), text("/previousState/value"), text("/state/value"))
        })
        .collect()
}

#[test]
fn an_alarm_is_told_as_it_was_put() {
    let mut world = world();
    call(&mut world, "PutMetricAlarm", errors_alarm("errors")).unwrap();
    let told = call(&mut world, "DescribeAlarms", json!({"AlarmNames": ["errors"]})).unwrap();
    let alarm = &told["MetricAlarms"][0];
    for (member, value) in errors_alarm("errors").as_object().unwrap() {
        assert_eq!(&alarm[member], value, "{member}");
    }
    assert_eq!(alarm["AlarmArn"], "arn:aws:cloudwatch:eu-central-1:123456789012:alarm:errors");
    assert_eq!(alarm["StateValue"], "INSUFFICIENT_DATA");
    assert_eq!(alarm["StateReason"], "Unchecked: Initial alarm creation");
    assert_eq!(alarm["StateUpdatedTimestamp"], 1_767_225_600.0);
}

#[test]
fn a_change_of_state_goes_onto_the_bus_once() {
    let mut world = world();
    call(&mut world, "PutMetricAlarm", errors_alarm("errors")).unwrap();
    let set =
        json!({"AlarmName": "errors", "StateValue": "ALARM", "StateReason": "test", "StateReasonData": "{}"});
    call(&mut world, "SetAlarmState", set.clone()).unwrap();
    call(&mut world, "SetAlarmState", set).unwrap();
    assert_eq!(told(&world), [("errors".into(), "INSUFFICIENT_DATA".into(), "ALARM".into())]);
    assert_eq!(alarm_state(&world, "errors"), Some(AlarmState::Alarm));
    let event = &world.bus.log.back().unwrap().event;
    assert_eq!(event.source(), "aws.cloudwatch");
    assert_eq!(event.0["resources"], json!(["arn:aws:cloudwatch:eu-central-1:123456789012:alarm:errors"]));
    assert_eq!(
        event.detail()["state"],
        json!({"value": "ALARM", "reason": "test", "reasonData": "{}", "timestamp": "2026-01-01T00:00:00.000+0000"})
    );
    let metric = &event.detail()["configuration"]["metrics"][0];
    assert_eq!(metric["metricStat"]["metric"]["dimensions"], json!({"TargetGroup": "targetgroup/shop/1"}));
}

/// Every path of a value, so that two shapes can be compared.
fn paths(value: &Value, at: &str, into: &mut std::collections::BTreeSet<String>) {
    match value {
        // Dimensions are named freely.
        Value::Object(members) if !at.ends_with(".dimensions") => {
            members.iter().for_each(|(name, value)| paths(value, &format!("{at}.{name}"), into));
        }
        Value::Array(items) => items.iter().for_each(|item| paths(item, &format!("{at}[]"), into)),
        _ => drop(into.insert(at.to_owned())),
    }
}

#[test]
fn the_event_has_the_members_of_awss_sample() {
    let mut world = world();
    call(&mut world, "PutMetricAlarm", errors_alarm("errors")).unwrap();
    for state in ["OK", "ALARM"] {
        let set =
            json!({"AlarmName": "errors", "StateValue": state, "StateReason": "r", "StateReasonData": "{}"});
        call(&mut world, "SetAlarmState", set).unwrap();
    }
    let mut ours = std::collections::BTreeSet::new();
    paths(&world.bus.log.back().unwrap().event.0, "", &mut ours);
    assert_eq!(ours, sample(include_str!("../../../events/cloudwatch-alarm-state-change-single.json")));
}

#[test]
fn a_function_among_the_actions_is_called_with_the_alarm() {
    let mut world = world();
    lambda_installed(&mut world);
    let mut alarm = errors_alarm("errors");
    alarm["AlarmActions"] = json!([
        "arn:aws:lambda:eu-central-1:123456789012:function:ring",
        "arn:aws:sns:eu-central-1:123456789012:topic",
    ]);
    call(&mut world, "PutMetricAlarm", alarm.clone()).unwrap();
    set_alarm(&mut world, "errors", AlarmState::Alarm).unwrap();
    set_alarm(&mut world, "errors", AlarmState::Ok).unwrap();
    let payloads: Vec<Value> = world
        .effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Invoke(invocation) => Some(invocation.payload.clone()),
            _ => None,
        })
        .collect();
    let [payload] = payloads.as_slice() else { panic!("{payloads:?}") };
    assert_eq!(payload["alarmArn"], "arn:aws:cloudwatch:eu-central-1:123456789012:alarm:errors");
    assert_eq!(payload["time"], "2026-01-01T00:00:00.000+0000");
    assert_eq!(payload["alarmData"]["state"]["value"], "ALARM");
    assert_eq!(payload["alarmData"]["configuration"]["description"], "Too many errors");
    alarm["ActionsEnabled"] = json!(false);
    call(&mut world, "PutMetricAlarm", alarm).unwrap();
    world.effects.clear();
    set_alarm(&mut world, "errors", AlarmState::Alarm).unwrap();
    assert!(world.effects.is_empty(), "its actions are off");
}

fn lambda_installed(world: &mut World) {
    crate::lambda::install(world, Function::named("ring"));
    assert!(crate::lambda::permit(world, "ring", "alarms", alarms_may(None)));
}

fn alarms_may(source_arn: Option<&str>) -> Permission {
    Permission {
        principal: "lambda.alarms.cloudwatch.amazonaws.com".into(),
        source_arn: source_arn.map(str::to_owned),
        source_account: Some("123456789012".into()),
    }
}

#[test]
fn a_function_is_called_only_where_its_policy_lets_alarms() {
    let mut world = world();
    crate::lambda::install(&mut world, Function::named("ring"));
    let ring = "arn:aws:lambda:eu-central-1:123456789012:function:ring";
    let mut alarm = errors_alarm("errors");
    alarm["AlarmActions"] = json!([ring]);
    call(&mut world, "PutMetricAlarm", alarm).unwrap();
    let outcome = |world: &mut World| {
        world.effects.clear();
        set_alarm(world, "errors", AlarmState::Ok).unwrap();
        set_alarm(world, "errors", AlarmState::Alarm).unwrap();
        (world.effects.len(), world.cloudwatch.failed_actions.len())
    };
    assert_eq!(outcome(&mut world), (0, 1), "nobody may");
    let other = Permission { principal: "events.amazonaws.com".into(), ..alarms_may(None) };
    crate::lambda::permit(&mut world, "ring", "alarms", other);
    assert_eq!(outcome(&mut world), (0, 2), "another service may");
    let of_others = alarms_may(Some("arn:aws:cloudwatch:eu-central-1:123456789012:alarm:other*"));
    crate::lambda::permit(&mut world, "ring", "alarms", of_others);
    assert_eq!(outcome(&mut world), (0, 3), "other alarms may");
    assert_eq!(world.cloudwatch.failed_actions[2].action, ring);
    let add = json!({"FunctionName": "ring", "StatementId": "these", "Action": "lambda:InvokeFunction",
        "Principal": "lambda.alarms.cloudwatch.amazonaws.com",
        "SourceArn": "arn:aws:cloudwatch:eu-central-1:123456789012:alarm:*"});
    crate::lambda::handle(&mut world, "AddPermission", &add).unwrap();
    assert_eq!(outcome(&mut world), (1, 3));
    let again = crate::lambda::handle(&mut world, "AddPermission", &add);
    assert_eq!(code(again), "ResourceConflictException");
}

/// The paths of a sample of `events/`.
fn sample(text: &str) -> std::collections::BTreeSet<String> {
    let mut found = std::collections::BTreeSet::new();
    paths(&serde_json::from_str(text).unwrap(), "", &mut found);
    // The sample's alarm is muted.
    found.retain(|path| !path.starts_with(".detail.muteDetail"));
    found
}

#[test]
fn the_direct_call_has_the_members_of_awss_sample() {
    let mut world = world();
    lambda_installed(&mut world);
    let mut alarm = errors_alarm("errors");
    alarm["AlarmActions"] = json!(["arn:aws:lambda:eu-central-1:123456789012:function:ring"]);
    alarm["Unit"] = json!("Count");
    call(&mut world, "PutMetricAlarm", alarm).unwrap();
    let set = |state, data: Value| json!({"AlarmName": "errors", "StateValue": state, "StateReason": "r", "StateReasonData": data});
    call(&mut world, "SetAlarmState", set("OK", json!("{}"))).unwrap();
    call(&mut world, "SetAlarmState", set("ALARM", Value::Null)).unwrap();
    let Some(Effect::Invoke(invocation)) = world.effects.back() else { panic!("{:?}", world.effects) };
    let mut ours = std::collections::BTreeSet::new();
    paths(&invocation.payload, "", &mut ours);
    assert_eq!(ours, sample(include_str!("../../../events/cloudwatch-alarm-lambda-direct-metric.json")));
}

fn anomaly_alarm() -> Value {
    let metric = json!({"Namespace": "AWS/ECS", "MetricName": "CPUUtilization",
        "Dimensions": [{"Name": "ServiceName", "Value": "shop"}]});
    json!({"AlarmName": "odd", "AlarmDescription": "Out of band", "EvaluationPeriods": 1,
        "ComparisonOperator": "LessThanLowerOrGreaterThanUpperThreshold", "ThresholdMetricId": "ad1",
        "Metrics": [
            {"Id": "m1", "MetricStat": {"Metric": metric, "Period": 60, "Stat": "Average"}, "ReturnData": true},
            {"Id": "ad1", "Expression": "ANOMALY_DETECTION_BAND(m1, 2)", "Label": "expected", "ReturnData": true}]})
}

#[test]
fn an_anomalys_state_is_set_and_told_and_never_found() {
    let mut world = world();
    call(&mut world, "PutMetricAlarm", anomaly_alarm()).unwrap();
    let described = call(&mut world, "DescribeAlarms", json!({"AlarmNames": ["odd"]})).unwrap();
    let alarm = &described["MetricAlarms"][0];
    assert_eq!((&alarm["ThresholdMetricId"], &alarm["Threshold"]), (&json!("ad1"), &Value::Null));
    for state in ["OK", "ALARM"] {
        let set =
            json!({"AlarmName": "odd", "StateValue": state, "StateReason": "r", "StateReasonData": "{}"});
        call(&mut world, "SetAlarmState", set).unwrap();
    }
    let mut ours = std::collections::BTreeSet::new();
    paths(&world.bus.log.back().unwrap().event.0, "", &mut ours);
    assert_eq!(ours, sample(include_str!("../../../events/cloudwatch-alarm-state-change-anomaly.json")));
    let later = world.now() + std::time::Duration::from_mins(10);
    world.advance(later);
    assert_eq!(alarm_state(&world, "odd"), Some(AlarmState::Alarm), "nothing evaluates it");
}

#[test]
fn a_band_that_is_none_is_refused() {
    for (member, value) in [
        ("ThresholdMetricId", Value::Null),
        ("ThresholdMetricId", json!("m1")),
        ("ThresholdMetricId", json!("m9")),
        ("Threshold", json!(1.0)),
        ("ComparisonOperator", json!("GreaterThanThreshold")),
    ] {
        let mut alarm = anomaly_alarm();
        alarm[member] = value.clone();
        assert_eq!(code(call(&mut world(), "PutMetricAlarm", alarm)), "ValidationError", "{member} {value}");
    }
}

#[test]
fn a_composite_follows_its_children_and_a_cycle_stops() {
    let mut world = world();
    for name in ["a", "b"] {
        set_alarm(&mut world, name, AlarmState::Ok).unwrap();
    }
    let rule = json!({"AlarmName": "any", "AlarmRule": "ALARM(\"a\") OR ALARM(\"b\")"});
    call(&mut world, "PutCompositeAlarm", rule).unwrap();
    assert_eq!(alarm_state(&world, "any"), Some(AlarmState::Ok));
    let above = json!({"AlarmName": "above", "AlarmRule": "ALARM(any) AND NOT ALARM(b)"});
    call(&mut world, "PutCompositeAlarm", above).unwrap();
    set_alarm(&mut world, "a", AlarmState::Alarm).unwrap();
    assert_eq!(alarm_state(&world, "above"), Some(AlarmState::Alarm));
    let reason = &world.cloudwatch.alarms["any"].status.reason;
    assert_eq!(
        reason,
        "arn:aws:cloudwatch:eu-central-1:123456789012:alarm:a transitioned to ALARM at Thursday 01 January, 2026 00:00:00 UTC"
    );
    set_alarm(&mut world, "b", AlarmState::Alarm).unwrap();
    assert_eq!(alarm_state(&world, "above"), Some(AlarmState::Ok));
    let cycle = json!({"AlarmName": "any", "AlarmRule": "ALARM(a) OR NOT ALARM(above)"});
    call(&mut world, "PutCompositeAlarm", cycle).unwrap();
    set_alarm(&mut world, "a", AlarmState::Ok).unwrap();
    assert_eq!(alarm_state(&world, "any"), Some(AlarmState::Alarm), "ended, and follows its rule");
}

#[test]
fn alarms_are_told_page_by_page_and_by_type() {
    let mut world = world();
    for n in 0..7 {
        set_alarm(&mut world, &format!("shop-{n}"), AlarmState::Ok).unwrap();
    }
    set_alarm(&mut world, "other", AlarmState::Alarm).unwrap();
    call(&mut world, "PutCompositeAlarm", json!({"AlarmName": "shop", "AlarmRule": "ALARM(other)"})).unwrap();
    let (mut sizes, mut token) = (Vec::new(), Value::Null);
    loop {
        let mut ask = json!({"AlarmNamePrefix": "shop", "MaxRecords": 3});
        if !token.is_null() {
            ask["NextToken"] = token;
        }
        let page = call(&mut world, "DescribeAlarms", ask).unwrap();
        sizes.push(page["MetricAlarms"].as_array().unwrap().len());
        token = page["NextToken"].clone();
        if token.is_null() {
            break;
        }
    }
    assert_eq!(sizes, [3, 3, 1]);
    let both = json!({"AlarmTypes": ["CompositeAlarm", "MetricAlarm"], "StateValue": "ALARM"});
    let both = call(&mut world, "DescribeAlarms", both).unwrap();
    assert_eq!(
        (&both["MetricAlarms"][0]["AlarmName"], &both["CompositeAlarms"][0]["AlarmName"]),
        (&json!("other"), &json!("shop"))
    );
    let named = call(&mut world, "DescribeAlarms", json!({"AlarmNames": ["shop"]})).unwrap();
    assert_eq!(named["CompositeAlarms"], json!([]), "without a type only metric alarms");
}

#[test]
fn mistakes_have_their_codes() {
    let mut world = world();
    set_alarm(&mut world, "a", AlarmState::Ok).unwrap();
    call(&mut world, "PutCompositeAlarm", json!({"AlarmName": "c", "AlarmRule": "ALARM(a)"})).unwrap();
    let with = |member: &str, value: Value| {
        let mut alarm = errors_alarm("x");
        alarm[member] = value;
        alarm
    };
    for (operation, input, expected) in [
        ("PutMetricAlarm", with("ComparisonOperator", json!("GreaterThanUpperThreshold")), "ValidationError"),
        ("PutMetricAlarm", with("ThresholdMetricId", json!("ad1")), "ValidationError"),
        ("PutMetricAlarm", with("ExtendedStatistic", json!("p99")), "ValidationError"),
        ("PutMetricAlarm", with("EvaluationPeriods", json!(0)), "ValidationError"),
        ("PutMetricAlarm", with("DatapointsToAlarm", json!(3)), "ValidationError"),
        ("PutMetricAlarm", with("AlarmName", json!("")), "ValidationError"),
        ("PutCompositeAlarm", json!({"AlarmName": "d", "AlarmRule": "ALARM(none)"}), "ValidationError"),
        ("PutCompositeAlarm", json!({"AlarmName": "d", "AlarmRule": "ALARM("}), "ValidationError"),
        (
            "SetAlarmState",
            json!({"AlarmName": "none", "StateValue": "OK", "StateReason": "r"}),
            "ResourceNotFound",
        ),
        (
            "SetAlarmState",
            json!({"AlarmName": "a", "StateValue": "FINE", "StateReason": "r"}),
            "SerializationException",
        ),
        (
            "SetAlarmState",
            json!({"AlarmName": "a", "StateValue": "OK", "StateReason": "r", "StateReasonData": "{"}),
            "InvalidFormat",
        ),
        ("DescribeAlarms", json!({"AlarmNames": ["a"], "AlarmNamePrefix": "a"}), "ValidationError"),
        ("DescribeAlarms", json!({"MaxRecords": 101}), "ValidationError"),
        ("DescribeAlarms", json!({"NextToken": "x"}), "InvalidNextToken"),
        ("DeleteAlarms", json!({"AlarmNames": ["a"]}), "ValidationError"),
        ("Fly", json!({}), "UnknownOperationException"),
    ] {
        assert_eq!(code(call(&mut world, operation, input.clone())), expected, "{operation} {input}");
    }
    call(&mut world, "DeleteAlarms", json!({"AlarmNames": ["none", "a", "c"]})).unwrap();
    assert_eq!((alarm_state(&world, "a"), alarm_state(&world, "c")), (None, None));
}

mod hold;
mod measured;
