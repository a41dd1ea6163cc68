//! The verify function: as the hook of ECS's own rollouts, and asked about a canary.

use std::time::Duration;

use serde_json::{Value, json};
use windlass_sim::ServiceId;
use windlass_sim::door::in_process::functions::kill_next;
use windlass_sim::gate::faults::{self, When};
use windlass_tests::verify::Verified;
use windlass_tests::{ImageDigest, labelled, version};

const POST_TEST: &[&str] = &["POST_TEST_TRAFFIC_SHIFT"];

fn blue_green() -> Value {
    json!({"strategy": "BLUE_GREEN", "bakeTimeInMinutes": 0})
}

fn canary(percent: f64) -> Value {
    json!({"strategy": "CANARY", "bakeTimeInMinutes": 0,
        "canaryConfiguration": {"canaryPercent": percent, "canaryBakeTimeInMinutes": 3}})
}

#[tokio::test(start_paused = true)]
async fn a_good_revision_is_let_through_and_the_verdict_rings() {
    let verify = "{http: [{path: /shop, status: '200', max_latency_ms: 1000, tries: 5}]}";
    let mut shop = Verified::new(1, blue_green(), POST_TEST, verify).await;
    assert_eq!(shop.release(&version("2")).await, "SUCCESSFUL");
    assert_eq!(shop.hooks().last().unwrap(), "POST_TEST_TRAFFIC_SHIFT null: SUCCEEDED");
    let verdict = shop.verdict().await;
    assert!(
        verdict.starts_with("POST_TEST_TRAFFIC_SHIFT passed\nGET /shop: passed: 5 good answers"),
        "{verdict}"
    );
    assert!(shop.bells().last().unwrap().ends_with("POST_TEST_TRAFFIC_SHIFT: passed"), "{:?}", shop.bells());
}

#[tokio::test(start_paused = true)]
async fn a_revision_that_answers_badly_never_gets_a_production_request() {
    let verify = "{http: [{path: /shop/health, tries: 3}]}";
    let mut shop = Verified::new(2, blue_green(), POST_TEST, verify).await;
    let now = shop.stage.now();
    shop.stage.traffic.to(now, "/shop", 5);
    let bad = labelled("2", &[("sim.status", "500"), ("sim.health_status", "200")]);
    assert_eq!(shop.release(&bad).await, "ROLLBACK_SUCCESSFUL");
    let verdict = shop.verdict().await;
    assert_eq!(
        verdict,
        "POST_TEST_TRAFFIC_SHIFT failed\n\
         GET /shop/health: failed: answered 500, wanted 200-399 (try 1 of 3)"
    );
    assert!(shop.bells().last().unwrap().ends_with("failed"));
    shop.stage.traffic.assert_none_failed();
}

#[tokio::test(start_paused = true)]
async fn a_ringing_alarm_rolls_back_and_the_way_back_is_not_judged() {
    let stages = ["PRODUCTION_TRAFFIC_SHIFT", "POST_PRODUCTION_TRAFFIC_SHIFT"];
    let mut shop = Verified::new(3, blue_green(), &stages, "{alarms: [shop-5xx]}").await;
    alarm(&shop, "OK");
    shop.begin(&version("2"));
    while !shop.hooks().iter().any(|it| it == "PRODUCTION_TRAFFIC_SHIFT 100: SUCCEEDED") {
        shop.stage.run_for(Duration::from_secs(1)).await;
    }
    alarm(&shop, "ALARM");
    assert_eq!(shop.until_over().await, "ROLLBACK_SUCCESSFUL");
    let hooks = shop.hooks();
    assert!(hooks.contains(&"POST_PRODUCTION_TRAFFIC_SHIFT null: FAILED".to_owned()), "{hooks:?}");
    // The alarm still rings, and traffic moves back all the same.
    assert_eq!(hooks.last().unwrap(), "PRODUCTION_TRAFFIC_SHIFT 0: SUCCEEDED", "{hooks:?}");
    assert_eq!(
        shop.verdict().await,
        "POST_PRODUCTION_TRAFFIC_SHIFT failed\nalarm shop-5xx: failed: it rings"
    );
}

fn alarm(shop: &Verified, state: &str) {
    let put = json!({"AlarmName": "shop-5xx", "Namespace": "Shop", "MetricName": "Errors", "Statistic": "Sum",
        "Period": 60, "EvaluationPeriods": 1, "Threshold": 1.0, "TreatMissingData": "ignore",
        "ComparisonOperator": "GreaterThanThreshold"});
    let cloudwatch = ServiceId::CloudWatch;
    if state == "OK" {
        shop.stage.by_hand(cloudwatch, "PutMetricAlarm", &put);
    }
    let set = json!({"AlarmName": "shop-5xx", "StateValue": state, "StateReason": "test"});
    shop.stage.by_hand(cloudwatch, "SetAlarmState", &set);
}

#[tokio::test(start_paused = true)]
async fn an_alarm_that_does_not_exist_fails_with_its_name() {
    let mut shop = Verified::new(4, blue_green(), POST_TEST, "{alarms: [nobody]}").await;
    assert_eq!(shop.release(&version("2")).await, "ROLLBACK_SUCCESSFUL");
    let verdict = shop.verdict().await;
    assert!(verdict.contains("alarm nobody: failed: there is no such alarm"), "{verdict}");
}

const COMPARE: &str = "{compare: {max_error_increase: 1, max_latency_increase_percent: 50, min_requests: 50}, timeout_minutes: 10}";
const EACH_STEP: &[&str] = &["PRE_PRODUCTION_TRAFFIC_SHIFT"];

#[tokio::test(start_paused = true)]
async fn a_canary_of_ecs_is_compared_before_its_next_step() {
    let mut shop = Verified::new(5, canary(20.0), EACH_STEP, COMPARE).await;
    let now = shop.stage.now();
    shop.stage.traffic.to(now, "/shop", 10);
    assert_eq!(shop.release(&version("2")).await, "SUCCESSFUL", "{:?}", shop.hooks());
    let verdict = shop.verdict().await;
    assert!(
        verdict.starts_with("PRE_PRODUCTION_TRAFFIC_SHIFT@20 passed\nerrors: passed: 0 of "),
        "{verdict}"
    );
    assert!(verdict.contains("\nlatency: passed: "), "{verdict}");
}

#[tokio::test(start_paused = true)]
async fn a_canary_of_ecs_that_fails_more_often_goes_back() {
    let mut shop = Verified::new(6, canary(20.0), EACH_STEP, COMPARE).await;
    let now = shop.stage.now();
    shop.stage.traffic.to(now, "/shop", 10);
    let bad = labelled("2", &[("sim.error_share", "0.3"), ("sim.health_status", "200")]);
    assert_eq!(shop.release(&bad).await, "ROLLBACK_SUCCESSFUL", "{:?}", shop.hooks());
    let verdict = shop.verdict().await;
    assert!(verdict.starts_with("PRE_PRODUCTION_TRAFFIC_SHIFT@20 failed\nerrors: failed: "), "{verdict}");
}

#[tokio::test(start_paused = true)]
async fn a_canary_of_ecs_that_is_slower_goes_back() {
    let mut shop = Verified::new(7, canary(20.0), EACH_STEP, COMPARE).await;
    let now = shop.stage.now();
    shop.stage.traffic.to(now, "/shop", 10);
    let slow = labelled("2", &[("sim.latency_ms", "900")]);
    assert_eq!(shop.release(&slow).await, "ROLLBACK_SUCCESSFUL", "{:?}", shop.hooks());
    assert!(shop.verdict().await.contains("\nlatency: failed: "));
}

#[tokio::test(start_paused = true)]
async fn without_requests_ecs_waits_and_then_goes_back() {
    let mut shop = Verified::new(8, canary(20.0), EACH_STEP, COMPARE).await;
    assert_eq!(shop.release(&version("2")).await, "ROLLBACK_SUCCESSFUL");
    let hooks = shop.hooks();
    let waits = hooks.iter().filter(|it| it.ends_with("20: IN_PROGRESS")).count();
    assert!((15..=21).contains(&waits), "each half minute for ten: {hooks:?}");
    let verdict = shop.verdict().await;
    assert!(verdict.contains("not enough requests: 0 of the new revision, 0 of the old one"), "{verdict}");
    assert!(verdict.ends_with("undecided for 10 min: that is a no, by `verify.on_timeout`"), "{verdict}");
}

#[tokio::test(start_paused = true)]
async fn without_requests_the_spec_may_say_go_on() {
    let verify =
        "{compare: {max_error_increase: 1, min_requests: 50}, timeout_minutes: 1, on_timeout: continue}";
    let mut shop = Verified::new(9, canary(20.0), EACH_STEP, verify).await;
    assert_eq!(shop.release(&version("2")).await, "SUCCESSFUL");
    assert!(shop.verdict().await.ends_with("that is a yes, by `verify.on_timeout`"));
}

#[tokio::test(start_paused = true)]
async fn throttled_metrics_are_no_verdict() {
    let mut shop = Verified::new(10, canary(20.0), EACH_STEP, COMPARE).await;
    let now = shop.stage.now();
    shop.stage.traffic.to(now, "/shop", 10);
    shop.begin(&version("2"));
    shop.stage.door.with(|world| {
        let until = world.now() + Duration::from_mins(8);
        world.gate.faults = Box::new(move |call, seen| {
            if call.operation == "GetMetricData" && seen.now < until {
                faults::Fault::RefuseBefore(windlass_sim::call::ApiError::client(
                    "ThrottlingException",
                    "Rate exceeded",
                ))
            } else {
                faults::Fault::None
            }
        });
    });
    assert_eq!(shop.until_over().await, "SUCCESSFUL", "{:?}", shop.hooks());
    assert!(shop.hooks().iter().any(|it| it.ends_with("20: IN_PROGRESS")), "{:?}", shop.hooks());
    assert!(shop.verdict().await.starts_with("PRE_PRODUCTION_TRAFFIC_SHIFT@20 passed"));
}

#[tokio::test(start_paused = true)]
async fn a_killed_hook_rolls_back() {
    let verify = "{http: [{path: /shop}]}";
    let mut shop = Verified::new(11, blue_green(), POST_TEST, verify).await;
    shop.stage.door.set_kills(Box::new(|invocation| {
        let is_hook = invocation.payload["lifecycleStage"].is_string();
        is_hook.then_some(windlass_sim::door::in_process::Kill { call: 2, when: When::After })
    }));
    assert_eq!(shop.release(&version("2")).await, "ROLLBACK_SUCCESSFUL");
}

/// A pass's question about its canary, as `Step::AskVerdict` puts it.
fn ask(shop: &Verified, stage: &str) {
    let digest: ImageDigest = format!("sha256:{}", "b".repeat(64)).parse().unwrap();
    let since = windlass_tests::function::timestamp(shop.stage.now());
    let detail = json!({"key": {"cluster": "main", "service": "shop"}, "stage": stage, "digest": digest,
        "since": since, "target_groups": [shop.green, shop.blue]});
    let entry =
        json!({"Source": "windlass", "DetailType": "Windlass Verdict Wanted", "Detail": detail.to_string()});
    shop.stage.by_hand(ServiceId::Events, "PutEvents", &json!({ "Entries": [entry] }));
}

#[tokio::test(start_paused = true)]
async fn a_canarys_question_is_answered_in_the_row_and_rings() {
    let verify = "{http: [{path: /shop}]}";
    let mut shop = Verified::new(12, blue_green(), &["POST_SCALE_UP"], verify).await;
    ask(&shop, "canary/10");
    shop.stage.run_for(Duration::from_secs(5)).await;
    assert!(shop.verdict().await.starts_with("10 passed\nGET /shop: passed"), "{}", shop.verdict().await);
    assert_eq!(shop.bells(), ["the verdict on canary/10: passed"]);
    // Asked again it is the same, and rings again: the first ring may have been lost.
    let before = shop.stage.row(&windlass_tests::key("shop")).await.verdict;
    ask(&shop, "canary/10");
    shop.stage.run_for(Duration::from_secs(5)).await;
    assert_eq!(shop.stage.row(&windlass_tests::key("shop")).await.verdict, before);
    assert_eq!(shop.bells().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn killed_at_each_of_its_calls_the_question_is_answered_all_the_same() {
    let verify = "{http: [{path: /shop}], alarms: [shop-5xx]}";
    let mut shop = Verified::new(13, blue_green(), &["POST_SCALE_UP"], verify).await;
    alarm(&shop, "OK");
    for call in 1..=9 {
        for when in [When::Before, When::After] {
            let stage = format!("canary/{call}-{when:?}");
            shop.stage.door.set_kills(kill_next(call, when));
            ask(&shop, &stage);
            shop.stage.run_for(Duration::from_secs(90)).await;
            let verdict = shop.stage.row(&windlass_tests::key("shop")).await.verdict.unwrap();
            assert_eq!((verdict.stage, verdict.judgement.to_string()), (stage, "passed".to_owned()));
        }
    }
    assert!(shop.stage.errors().iter().any(|error| error.contains("signal: killed")));
}
