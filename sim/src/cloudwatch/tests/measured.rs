//! Metrics, and the alarms that look at them.

use std::time::Duration;

use serde_json::{Value, json};

use super::{call, code, errors_alarm, told, world};
use crate::cloudwatch::{AlarmState, alarm_state, set_alarm};
use crate::time::Time;
use crate::world::World;

/// The minute that a world begins with.
const START: u64 = 1_767_225_600;

fn put(world: &mut World, name: &str, values: &[f64]) {
    let data = json!([{"MetricName": name, "Values": values, "Unit": "Count",
        "Dimensions": [{"Name": "b", "Value": "2"}, {"Name": "a", "Value": "1"}]}]);
    call(world, "PutMetricData", json!({"Namespace": "Shop", "MetricData": data})).unwrap();
}

fn pass(world: &mut World, minutes: u64) {
    let to = world.now() + Duration::from_mins(minutes);
    world.advance(to);
}

fn stat(id: &str, name: &str, stat: &str) -> Value {
    let dimensions = json!([{"Name": "a", "Value": "1"}, {"Name": "b", "Value": "2"}]);
    let metric = json!({"Namespace": "Shop", "MetricName": name, "Dimensions": dimensions});
    json!({"Id": id, "MetricStat": {"Metric": metric, "Period": 60, "Stat": stat}})
}

fn get(world: &mut World, queries: &[Value], more: &Value) -> Value {
    let mut ask = json!({"MetricDataQueries": queries, "StartTime": START, "EndTime": START + 3600});
    for (name, value) in more.as_object().unwrap() {
        ask[name] = value.clone();
    }
    call(world, "GetMetricData", ask).unwrap()
}

#[test]
fn a_minute_is_read_once_it_is_over() {
    let mut world = world();
    put(&mut world, "Errors", &[1.0, 2.0, 6.0]);
    let queries = [stat("m1", "Errors", "Sum")];
    assert_eq!(get(&mut world, &queries, &json!({}))["MetricDataResults"][0]["Values"], json!([]));
    pass(&mut world, 1);
    let queries = ["Sum", "Average", "Minimum", "Maximum", "SampleCount", "p100"];
    let queries: Vec<_> =
        queries.iter().enumerate().map(|(n, name)| stat(&format!("m{n}"), "Errors", name)).collect();
    let told = get(&mut world, &queries, &json!({}));
    let values: Vec<_> = told["MetricDataResults"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["Values"][0].as_f64().unwrap())
        .collect();
    assert_eq!(values, [9.0, 3.0, 1.0, 6.0, 3.0, 6.0]);
    assert_eq!(told["MetricDataResults"][0]["Timestamps"], json!([1_767_225_600.0]));
}

#[test]
fn queries_are_computed_with_paged_and_scanned_both_ways() {
    let mut world = world();
    for n in 1..=5 {
        put(&mut world, "Errors", &[f64::from(n)]);
        put(&mut world, "Requests", &[10.0]);
        pass(&mut world, 1);
    }
    let hidden = |mut query: Value| {
        query["ReturnData"] = json!(false);
        query
    };
    let queries = [
        hidden(stat("errors", "Errors", "Sum")),
        hidden(stat("requests", "Requests", "Sum")),
        json!({"Id": "rate", "Expression": "100 * errors / requests", "Label": "Error rate"}),
        stat("none", "None", "Sum"),
    ];
    let all = get(&mut world, &queries, &json!({"ScanBy": "TimestampAscending"}));
    assert_eq!(all["MetricDataResults"][0]["Values"], json!([10.0, 20.0, 30.0, 40.0, 50.0]));
    assert_eq!(all["MetricDataResults"][0]["Label"], "Error rate");
    assert_eq!(all["MetricDataResults"][1]["Values"], json!([]));
    let first = get(&mut world, &queries, &json!({"MaxDatapoints": 3}));
    assert_eq!(first["MetricDataResults"][0]["Values"], json!([50.0, 40.0, 30.0]));
    assert_eq!(first["MetricDataResults"][0]["StatusCode"], "PartialData");
    let rest = get(&mut world, &queries, &json!({"MaxDatapoints": 3, "NextToken": first["NextToken"]}));
    assert_eq!(rest["MetricDataResults"][0]["Values"], json!([20.0, 10.0]));
    assert_eq!(rest["MetricDataResults"][0]["StatusCode"], "Complete");
    assert!(rest["NextToken"].is_null());
}

#[test]
fn statistics_and_names_are_told() {
    let mut world = world();
    put(&mut world, "Errors", &[1.0, 3.0]);
    pass(&mut world, 1);
    let dimensions = json!([{"Name": "b", "Value": "2"}, {"Name": "a", "Value": "1"}]);
    let ask = json!({"Namespace": "Shop", "MetricName": "Errors", "Dimensions": dimensions, "Period": 300,
        "StartTime": START, "EndTime": START + 600, "Statistics": ["Average", "Sum"]});
    let told = call(&mut world, "GetMetricStatistics", ask).unwrap();
    assert_eq!(
        told["Datapoints"],
        json!([{"Timestamp": 1_767_225_600.0, "Unit": "Count", "Average": 2.0, "Sum": 4.0}])
    );
    let found =
        call(&mut world, "ListMetrics", json!({"Namespace": "Shop", "Dimensions": [{"Name": "a"}]})).unwrap();
    assert_eq!(found["Metrics"][0]["MetricName"], "Errors");
    let other = json!({"Dimensions": [{"Name": "a", "Value": "9"}]});
    assert_eq!(call(&mut world, "ListMetrics", other).unwrap()["Metrics"], json!([]));
    pass(&mut world, 200);
    assert_eq!(call(&mut world, "ListMetrics", json!({})).unwrap()["Metrics"], json!([]), "too old");
}

#[test]
fn what_is_not_carried_out_is_refused() {
    let mut world = world();
    let query =
        |query: Value| json!({"MetricDataQueries": [query], "StartTime": START, "EndTime": START + 60});
    let mut fine = stat("m1", "Errors", "Sum");
    fine["MetricStat"]["Period"] = json!(10);
    let datum = |datum: Value| json!({"Namespace": "Shop", "MetricData": [datum]});
    for (operation, input, expected) in [
        ("GetMetricData", query(fine), "ValidationError"),
        ("GetMetricData", query(stat("m1", "Errors", "tm90")), "ValidationError"),
        ("GetMetricData", query(stat("M1", "Errors", "Sum")), "ValidationError"),
        ("GetMetricData", query(json!({"Id": "e1", "Expression": "SEARCH('x', 'Sum')"})), "ValidationError"),
        (
            "GetMetricData",
            query(json!({"Id": "e1", "Expression": "ANOMALY_DETECTION_BAND(m1)"})),
            "ValidationError",
        ),
        ("GetMetricData", query(json!({"Id": "e1", "Expression": "m9 * 2"})), "ValidationError"),
        ("PutMetricData", json!({"Namespace": "AWS/ECS", "MetricData": []}), "InvalidParameterValue"),
        ("PutMetricData", datum(json!({"MetricName": "m"})), "MissingParameter"),
        (
            "PutMetricData",
            datum(json!({"MetricName": "m", "Values": [1], "Counts": [1, 2]})),
            "InvalidParameterValue",
        ),
        (
            "PutMetricData",
            datum(json!({"MetricName": "m", "Value": 1, "Values": [1]})),
            "InvalidParameterCombination",
        ),
    ] {
        assert_eq!(code(call(&mut world, operation, input.clone())), expected, "{operation} {input}");
    }
    let mut long = errors_alarm("long");
    long["EvaluationPeriods"] = json!(200);
    assert_eq!(code(call(&mut world, "PutMetricAlarm", long)), "ValidationError");
}

fn shop_alarm(missing: &str) -> Value {
    json!({
        "AlarmName": "errors", "Namespace": "Shop", "MetricName": "Errors", "Statistic": "Sum", "Period": 60,
        "Dimensions": [{"Name": "a", "Value": "1"}, {"Name": "b", "Value": "2"}],
        "EvaluationPeriods": 2, "DatapointsToAlarm": 2, "Threshold": 5,
        "ComparisonOperator": "GreaterThanOrEqualToThreshold", "TreatMissingData": missing,
    })
}

#[test]
fn an_alarm_rings_after_enough_breaching_minutes_and_ends() {
    let mut world = world();
    call(&mut world, "PutMetricAlarm", shop_alarm("notBreaching")).unwrap();
    let mut seen = Vec::new();
    for errors in [0.0, 9.0, 7.0, 1.0, 1.0] {
        put(&mut world, "Errors", &[errors]);
        pass(&mut world, 1);
        seen.push(alarm_state(&world, "errors").unwrap());
    }
    assert_eq!(seen, [AlarmState::Ok, AlarmState::Ok, AlarmState::Alarm, AlarmState::Ok, AlarmState::Ok]);
    let reasons: Vec<_> =
        world.bus.log.iter().map(|it| it.event.detail()["state"]["reason"].clone()).collect();
    assert_eq!(
        reasons[1],
        "Threshold Crossed: 2 out of the last 2 datapoints [7.0 (01/01/26 00:02:00), 9.0 (01/01/26 00:01:00)] were \
         greater than or equal to the threshold (5.0) (minimum 2 datapoints for OK -> ALARM transition)."
    );
    let data = world.bus.log[1].event.detail()["state"]["reasonData"].as_str().unwrap();
    let data: Value = serde_json::from_str(data).unwrap();
    assert_eq!(data["recentDatapoints"], json!([9.0, 7.0]));
    assert_eq!(data["startDate"], "2026-01-01T00:01:00.000+0000");
}

#[test]
fn a_state_set_by_hand_lasts_until_the_next_evaluation_finds_another() {
    let mut world = world();
    call(&mut world, "PutMetricAlarm", shop_alarm("notBreaching")).unwrap();
    set_alarm(&mut world, "errors", AlarmState::Alarm).unwrap();
    world.advance(Time(START * 1000 + 59_000));
    assert_eq!(alarm_state(&world, "errors"), Some(AlarmState::Alarm));
    pass(&mut world, 1);
    assert_eq!(alarm_state(&world, "errors"), Some(AlarmState::Ok), "no data is no breach");
    for missing in ["ignore", "missing"] {
        call(&mut world, "PutMetricAlarm", shop_alarm(missing)).unwrap();
        set_alarm(&mut world, "errors", AlarmState::Alarm).unwrap();
        pass(&mut world, 10);
        assert_eq!(alarm_state(&world, "errors"), Some(AlarmState::Alarm), "{missing}: never measured");
    }
    put(&mut world, "Errors", &[1.0]);
    pass(&mut world, 1);
    assert_eq!(alarm_state(&world, "errors"), Some(AlarmState::Ok));
    pass(&mut world, 10);
    assert_eq!(alarm_state(&world, "errors"), Some(AlarmState::InsufficientData), "missing for too long");
    assert!(told(&world).len() >= 5);
}

#[test]
fn an_alarm_on_metric_math_looks_at_what_the_expression_comes_to() {
    let mut world = world();
    let hidden = |mut query: Value| {
        query["ReturnData"] = json!(false);
        query
    };
    let alarm = json!({
        "AlarmName": "rate", "EvaluationPeriods": 1, "Threshold": 0.5, "ComparisonOperator": "GreaterThanThreshold",
        "Metrics": [hidden(stat("e", "Errors", "Sum")), hidden(stat("r", "Requests", "Sum")),
            {"Id": "rate", "Expression": "e / r"}],
    });
    call(&mut world, "PutMetricAlarm", alarm).unwrap();
    for (errors, expected) in [(9.0, AlarmState::Alarm), (1.0, AlarmState::Ok)] {
        put(&mut world, "Errors", &[errors]);
        put(&mut world, "Requests", &[10.0]);
        pass(&mut world, 1);
        assert_eq!(alarm_state(&world, "rate"), Some(expected));
    }
}
