//! Failures of peers that no other file is about. `tests/PEERS.md` says which test is about
//! which failure.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};
use windlass_sim::{ServiceId, ecs};
use windlass_tests::{Stage, key, version};

use super::create::{SPEC, made};
use super::strategies;

const ELB: ServiceId = ServiceId::ElasticLoadBalancing;

/// One task is all that serves: at no time may there be none of it (minutes of 503).
#[tokio::test(start_paused = true)]
async fn a_service_of_one_task_is_updated_by_each_strategy_without_a_failed_request() {
    let all = std::iter::once(("ROLLING", "rolling")).chain(strategies::STRATEGIES);
    for (seed, (word, strategy)) in (1400..).zip(all) {
        let mut stage = Stage::new(seed).await;
        let one_task = |rollout: &str| strategies::spec(rollout).replace("desired: 2", "desired: 1");
        stage.apply_spec("shop", &one_task(&format!("strategy: {strategy}")));
        stage.push("shop", "latest", &version("1"));
        stage.run_for(Duration::from_secs(2)).await;
        stage.until_quiet().await;
        assert_eq!(stage.described("shop")["runningCount"], 1);
        stage.traffic.to(stage.now(), "/shop", 20);
        let two = stage.push("shop", "latest", &version("2"));
        strategies::until_over(&mut stage).await;
        stage.assert_live("shop", &two);
        assert_eq!(stage.described("shop")["deploymentConfiguration"]["strategy"], word);
        stage.traffic.assert_none_failed();
        stage.finish().await;
    }
}

/// `instance:port` of tasks that are on their way out: from SIGTERM's stage on.
fn leaving(stage: &Stage) -> BTreeSet<(String, u64)> {
    let services = stage.door.with(|world| ecs::view::services(world));
    let tasks = services.into_iter().flat_map(|view| view.tasks);
    tasks
        .filter(|task| task.status == "STOPPING")
        .flat_map(|task| {
            let ports = task.ports.into_iter();
            ports.map(move |(_, host)| (task.instance_id.clone(), u64::from(host)))
        })
        .collect()
}

/// `instance:port` of every target that a load balancer sends new requests to.
fn registered(stage: &Stage) -> BTreeSet<(String, u64)> {
    let groups = stage.by_hand(ELB, "DescribeTargetGroups", &json!({}));
    let of = |group: &Value| {
        let input = json!({ "TargetGroupArn": group["TargetGroupArn"] });
        stage.by_hand(ELB, "DescribeTargetHealth", &input)["TargetHealthDescriptions"].clone()
    };
    let all: Vec<Value> = groups["TargetGroups"].as_array().unwrap().iter().map(of).collect();
    all.iter()
        .flat_map(|targets| targets.as_array().unwrap())
        .filter(|target| target["TargetHealth"]["State"] != "draining")
        .map(|target| {
            let id = target["Target"]["Id"].as_str().unwrap().to_owned();
            (id, target["Target"]["Port"].as_u64().unwrap())
        })
        .collect()
}

/// roadmap#708: SIGTERM before deregistration, seconds of 502.
#[tokio::test(start_paused = true)]
async fn no_task_gets_sigterm_while_a_load_balancer_still_sends_it_requests() {
    let own = "{canary: {steps: [{percent: 50, minutes: 1}]}}";
    let all = ["rolling", "blue_green", own];
    for (seed, strategy) in (1410..).zip(all) {
        let (mut stage, _) = strategies::shop(seed, &format!("strategy: {strategy}")).await;
        let two = stage.push("shop", "latest", &version("2"));
        let mut left = BTreeSet::new();
        for _ in 0..1200 {
            stage.run_for(Duration::from_millis(500)).await;
            let leaving = leaving(&stage);
            let both: Vec<_> = leaving.intersection(&registered(&stage)).cloned().collect();
            assert!(both.is_empty(), "{strategy}: {both:?} got SIGTERM and new requests");
            left.extend(leaving);
        }
        assert!(left.len() >= 2, "{strategy}: the old tasks left: {left:?}");
        strategies::until_over(&mut stage).await;
        stage.assert_live("shop", &two);
        stage.traffic.assert_none_failed();
        stage.finish().await;
    }
}

/// Rounding of min and max permits no move: the spec was fine with 4 tasks, and is not with the
/// 2 that autoscaling left. It is said; ECS would wait for ever.
#[tokio::test(start_paused = true)]
async fn rounding_that_permits_no_move_is_refused_with_its_numbers_and_goes_on_when_it_does() {
    let mut stage = Stage::new(1420).await;
    let narrow = "strategy: rolling, min_healthy_percent: 100, max_percent: 125";
    stage.apply_spec("shop", &strategies::spec(narrow).replace("desired: 2", "desired: 4"));
    let one = stage.push("shop", "latest", &version("1"));
    stage.run_for(Duration::from_secs(2)).await;
    stage.until_quiet().await;
    let scale = |stage: &Stage, desired: u32| {
        let input = json!({"cluster": "main", "service": "shop", "desiredCount": desired});
        stage.by_hand(ServiceId::Ecs, "UpdateService", &input);
    };
    scale(&stage, 2);
    stage.run_for(Duration::from_secs(30)).await;
    stage.until_quiet().await;
    stage.traffic.to(stage.now(), "/shop", 10);
    let two = stage.push("shop", "latest", &version("2"));
    stage.run_for(Duration::from_mins(3)).await;
    stage.assert_live("shop", &one);
    stage.assert_registered("main-shop", &[&one]);
    let report = stage.report(&key("shop")).await;
    assert!(report.contains("at least 2 and at most 2 of 2 task(s)"), "{report}");
    assert!(report.contains("raise `rollout.max_percent`"), "{report}");
    stage.sweeps_without_a_write().await;
    scale(&stage, 4);
    stage.run_for(Duration::from_mins(2)).await;
    strategies::until_over(&mut stage).await;
    stage.assert_live("shop", &two);
    stage.traffic.assert_none_failed();
    stage.finish().await;
}

/// aws-actions deploy#22's twin for rules: DescribeRules gives `Values` and `PathPatternConfig`,
/// and ModifyRule takes one of them. (The embedded AWS refuses both, as AWS does.)
#[tokio::test(start_paused = true)]
async fn a_rule_read_in_both_forms_is_changed_in_one() {
    let (mut stage, _) = made(1430).await;
    let host_and_path = SPEC.replace("paths: [/shop*]", "paths: [/shop*], hosts: [shop.example.com]");
    stage.apply_spec("shop", &host_and_path);
    stage.run_for(Duration::from_secs(2)).await;
    stage.until_quiet().await;
    let rules = stage.by_hand(ELB, "DescribeRules", &json!({ "ListenerArn": stage.listener }));
    let read = rules["Rules"][0]["Conditions"].as_array().unwrap();
    for (condition, typed) in read.iter().zip(["HostHeaderConfig", "PathPatternConfig"]) {
        assert_eq!(condition["Values"], condition[typed]["Values"], "AWS gives both: {condition}");
    }
    let written = stage.calls().into_iter().filter(|call| call.operation == "ModifyRule");
    let errors: Vec<_> = written.filter_map(|call| call.error).collect();
    assert!(errors.is_empty(), "{errors:?}");
    assert_eq!(stage.rules()[0].1, "host shop.example.com and path /shop*");
    stage.finish().await;
}
