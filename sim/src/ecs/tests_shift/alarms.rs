//! Deployment alarms, of every strategy.

use serde_json::{Value, json};

use super::super::testing::{call, pass, refused};
use super::bench::Bench;
use crate::cloudwatch::{AlarmState, set_alarm};

fn with_alarms(strategy: &str, rollback: bool) -> Value {
    json!({"strategy": strategy, "bakeTimeInMinutes": 10,
        "alarms": {"alarmNames": ["errors", "latency"], "enable": true, "rollback": rollback}})
}

fn ring(bench: &mut Bench, name: &str) {
    set_alarm(&mut bench.world, name, AlarmState::Alarm).unwrap();
}

#[test]
fn an_alarm_while_it_bakes_rolls_back() {
    for strategy in ["BLUE_GREEN", "CANARY", "LINEAR", "ROLLING"] {
        let mut bench = Bench::steady(with_alarms(strategy, true));
        assert_eq!(bench.describe(0)["alarms"]["status"], "MONITORING_COMPLETE");
        bench.release("v2");
        bench.until_stage("BAKE_TIME");
        pass(&mut bench.world, 120);
        assert_eq!(bench.describe(0)["alarms"]["status"], "MONITORING", "{strategy}");
        ring(&mut bench, "errors");
        pass(&mut bench.world, 16);
        let alarms = bench.describe(0)["alarms"].clone();
        assert_eq!(
            (&alarms["status"], &alarms["triggeredAlarmNames"]),
            (&json!("TRIGGERED"), &json!(["errors"]))
        );
        bench.traffic(120);
        assert_eq!(
            (bench.status(0).as_str(), bench.tasks()),
            ("ROLLBACK_SUCCESSFUL", [2, 0, 0]),
            "{strategy}"
        );
        assert!(bench.describe(0)["statusReason"].as_str().unwrap().contains("errors"), "{strategy}");
    }
}

#[test]
fn an_alarm_before_the_traffic_moves_rolls_back_too() {
    let mut bench = Bench::steady(with_alarms("BLUE_GREEN", true));
    bench.release("v2");
    bench.until_stage("SCALE_UP");
    ring(&mut bench, "latency");
    bench.until_status("ROLLBACK_SUCCESSFUL");
    assert_eq!((bench.production(), bench.tasks()), ((100, 0), [2, 0, 0]));
}

#[test]
fn an_alarm_that_rings_at_the_start_switches_the_watch_off() {
    let mut bench = Bench::steady(with_alarms("BLUE_GREEN", true));
    ring(&mut bench, "errors");
    bench.release("v2");
    pass(&mut bench.world, 60);
    assert_eq!(bench.describe(0)["alarms"]["status"], "DISABLED");
    ring(&mut bench, "latency");
    bench.until_status("SUCCESSFUL");
}

#[test]
fn a_rolling_deployment_without_rollback_fails_and_stays() {
    let mut bench = Bench::steady(with_alarms("ROLLING", false));
    bench.release("v2");
    bench.until_stage("BAKE_TIME");
    ring(&mut bench, "errors");
    pass(&mut bench.world, 30);
    assert_eq!((bench.status(0).as_str(), bench.tasks()), ("STOPPED", [0, 2, 0]));
    assert_eq!(bench.service()["deployments"][0]["rolloutState"], "FAILED");
}

#[test]
fn alarms_without_names_are_refused_and_without_a_time_they_bake_five_minutes() {
    let mut bench = Bench::steady(json!({"strategy": "ROLLING"}));
    let update = |alarms: Value| json!({"cluster": "main", "service": "shop", "deploymentConfiguration": {"alarms": alarms}});
    let error = refused(&mut bench.world, "UpdateService", update(json!({"alarmNames": [], "enable": true})));
    assert_eq!(error.code, "InvalidParameterException");
    let alarms = json!({"alarmNames": ["errors"], "enable": true, "rollback": true});
    call(&mut bench.world, "UpdateService", update(alarms));
    bench.release("v2");
    bench.until_stage("BAKE_TIME");
    pass(&mut bench.world, 290);
    assert_eq!(bench.status(0), "IN_PROGRESS");
    bench.until_status("SUCCESSFUL");
}
