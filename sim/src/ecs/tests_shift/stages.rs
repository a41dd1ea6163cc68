//! Blue/green, canary and linear deployments that go well.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::super::testing::{call, deployment_events, is_quiet, pass, refused, said};
use super::super::view;
use super::bench::Bench;
use crate::ecs;

fn blue_green() -> Value {
    json!({"strategy": "BLUE_GREEN", "bakeTimeInMinutes": 5})
}

#[test]
fn a_blue_green_deployment_goes_through_its_stages_and_no_request_fails() {
    let mut bench = Bench::steady(blue_green());
    assert_eq!(bench.production(), (100, 0));
    bench.release("v2");
    let mut seen: Vec<String> = Vec::new();
    for _ in 0..500 {
        bench.traffic(1);
        let deployment = bench.describe(0);
        let stage = deployment["lifecycleStage"].as_str().unwrap().to_owned();
        if seen.last() != Some(&stage) {
            seen.push(stage);
        }
        if deployment["status"] == "SUCCESSFUL" {
            break;
        }
    }
    assert_eq!(
        seen,
        [
            "PRE_SCALE_UP",
            "SCALE_UP",
            "POST_SCALE_UP",
            "TEST_TRAFFIC_SHIFT",
            "POST_TEST_TRAFFIC_SHIFT",
            "PRE_PRODUCTION_TRAFFIC_SHIFT",
            "PRODUCTION_TRAFFIC_SHIFT",
            "POST_PRODUCTION_TRAFFIC_SHIFT",
            "BAKE_TIME",
            "CLEAN_UP"
        ]
    );
    assert_eq!(bench.production(), (0, 100));
    assert_eq!(bench.weights(&bench.test.clone()), (0, 100));
    assert_eq!(bench.tasks(), [0, 2, 0]);
    let names: Vec<String> = deployment_events().into_iter().map(|it| it.0).collect();
    assert_eq!(names, ["SERVICE_DEPLOYMENT_IN_PROGRESS", "SERVICE_DEPLOYMENT_COMPLETED"]);
    assert!(said(&bench.world, "has reached a steady state"));
    pass(&mut bench.world, 60);
    assert_eq!(bench.service()["deployments"].as_array().unwrap().len(), 1);
}

#[test]
fn the_groups_alternate() {
    let mut bench = Bench::steady(json!({"strategy": "BLUE_GREEN", "bakeTimeInMinutes": 0}));
    for (tag, weights) in [("v2", (0, 100)), ("v3", (100, 0)), ("v4", (0, 100))] {
        bench.release(tag);
        bench.traffic(100);
        assert_eq!((bench.status(0).as_str(), bench.production()), ("SUCCESSFUL", weights), "{tag}");
    }
}

#[test]
fn test_traffic_sees_the_new_revision_before_production_does() {
    let mut bench = Bench::steady(blue_green());
    bench.release("v2");
    assert_eq!(bench.tasks(), [2, 0, 0]);
    bench.until_stage("POST_TEST_TRAFFIC_SHIFT");
    assert_eq!(bench.tasks(), [2, 2, 0]);
    assert_eq!((bench.request(true).1, bench.request(false).1), ("2".to_owned(), "1".to_owned()));
    bench.until_stage("BAKE_TIME");
    assert_eq!(bench.request(false).1, "2");
    assert_eq!(bench.tasks(), [2, 2, 0], "both sets stay while it bakes");
    let (service, deployment) = (bench.service(), bench.describe(0));
    let counts: Vec<&Value> =
        service["deployments"].as_array().unwrap().iter().map(|it| &it["desiredCount"]).collect();
    assert_eq!(counts, [2, 2]);
    assert_eq!(service["deployments"][0]["status"], "PRIMARY");
    assert_eq!(service["deployments"][0]["rolloutState"], "IN_PROGRESS");
    assert_eq!(service["currentServiceDeployment"], deployment["serviceDeploymentArn"]);
    assert_eq!(service["currentServiceRevisions"].as_array().unwrap().len(), 2);
    let weights = |revision: &Value| {
        (revision["requestedTestTrafficWeight"].clone(), revision["requestedProductionTrafficWeight"].clone())
    };
    assert_eq!(weights(&deployment["targetServiceRevision"]), (json!(100.0), json!(100.0)));
    assert_eq!(weights(&deployment["sourceServiceRevisions"][0]), (json!(0.0), json!(0.0)));
    assert_eq!(deployment["deploymentConfiguration"]["strategy"], "BLUE_GREEN");
    assert_eq!(deployment["deploymentCircuitBreaker"]["status"], "DISABLED");
}

/// How requests were answered by each revision, in percent of 200.
fn shares(bench: &mut Bench) -> BTreeMap<String, u32> {
    let mut seen: BTreeMap<String, u32> = BTreeMap::new();
    for _ in 0..200 {
        *seen.entry(bench.request(false).1).or_default() += 1;
    }
    seen.into_iter().map(|(revision, count)| (revision, count / 2)).collect()
}

#[test]
fn a_canary_gets_its_share_bakes_and_then_gets_all() {
    let mut bench = Bench::steady(json!({"strategy": "CANARY", "bakeTimeInMinutes": 1,
        "canaryConfiguration": {"canaryPercent": 20.0, "canaryBakeTimeInMinutes": 10}}));
    bench.release("v2");
    bench.until(|bench| bench.production() == (80, 20), "the canary's share");
    let begun = bench.world.now();
    let share = shares(&mut bench)["2"];
    assert!((10..30).contains(&share), "{share}");
    bench.traffic(590);
    assert_eq!((bench.production(), bench.stage().as_str()), ((80, 20), "PRODUCTION_TRAFFIC_SHIFT"));
    bench.until(|bench| bench.production() == (0, 100), "all");
    assert!((600..620).contains(&bench.world.now().since(begun).as_secs()));
    bench.traffic(120);
    assert_eq!((bench.status(0).as_str(), bench.tasks()), ("SUCCESSFUL", [0, 2, 0]));
}

#[test]
fn a_linear_deployment_goes_step_by_step_and_the_last_step_does_not_bake() {
    let mut bench = Bench::steady(json!({"strategy": "LINEAR", "bakeTimeInMinutes": 0,
        "linearConfiguration": {"stepPercent": 25.0, "stepBakeTimeInMinutes": 2}}));
    bench.release("v2");
    let mut seen = vec![(bench.production(), bench.world.now())];
    for _ in 0..1200 {
        pass(&mut bench.world, 1);
        let weights = bench.production();
        if seen.last().is_some_and(|(last, _)| *last != weights) {
            seen.push((weights, bench.world.now()));
        }
    }
    let weights: Vec<(u32, u32)> = seen.iter().map(|it| it.0).collect();
    assert_eq!(weights, [(100, 0), (75, 25), (50, 50), (25, 75), (0, 100)]);
    for pair in seen[1..].windows(2) {
        assert!((120..130).contains(&pair[1].1.since(pair[0].1).as_secs()));
    }
    assert_eq!(bench.status(0), "SUCCESSFUL");
}

#[test]
fn a_headless_service_changes_its_tasks_in_two_sets() {
    let mut bench = Bench::empty();
    let definition =
        super::super::testing::register(&mut bench.world, "shop", &super::super::testing::shop("v1"), 256);
    call(
        &mut bench.world,
        "CreateService",
        json!({"cluster": "main", "serviceName": "shop", "taskDefinition": definition, "desiredCount": 2,
        "deploymentConfiguration": {"strategy": "BLUE_GREEN", "bakeTimeInMinutes": 1}}),
    );
    bench.until_status("SUCCESSFUL");
    bench.release("v2");
    bench.until_stage("BAKE_TIME");
    assert_eq!(bench.tasks(), [2, 2, 0]);
    bench.until_status("SUCCESSFUL");
    assert_eq!((bench.tasks(), bench.production()), ([0, 2, 0], (1, 0)));
}

#[test]
fn a_rolling_service_becomes_a_blue_green_one_and_back() {
    let mut bench = Bench::empty();
    let definition =
        super::super::testing::register(&mut bench.world, "shop", &super::super::testing::shop("v1"), 256);
    let plain = json!({"targetGroupArn": bench.blue, "containerName": "web", "containerPort": 80});
    call(
        &mut bench.world,
        "CreateService",
        json!({"cluster": "main", "serviceName": "shop", "taskDefinition": definition, "desiredCount": 2,
        "loadBalancers": [plain]}),
    );
    bench.until_status("SUCCESSFUL");
    let missing = refused(
        &mut bench.world,
        "UpdateService",
        json!({"cluster": "main", "service": "shop", "deploymentConfiguration": blue_green()}),
    );
    assert!(missing.message.contains("advancedConfiguration is required"), "{missing:?}");
    let balancer = bench.balancer();
    call(
        &mut bench.world,
        "UpdateService",
        json!({"cluster": "main", "service": "shop", "loadBalancers": [balancer],
        "deploymentConfiguration": blue_green()}),
    );
    bench.traffic(420);
    assert_eq!((bench.status(0).as_str(), bench.production()), ("SUCCESSFUL", (0, 100)));
    call(
        &mut bench.world,
        "UpdateService",
        json!({"cluster": "main", "service": "shop",
        "deploymentConfiguration": {"strategy": "ROLLING", "bakeTimeInMinutes": 0}}),
    );
    bench.release("v2");
    bench.traffic(120);
    assert_eq!((bench.status(0).as_str(), bench.production()), ("SUCCESSFUL", (0, 100)));
    assert_eq!(bench.tasks(), [0, 2, 0]);
}

#[test]
fn both_sets_follow_the_desired_count_and_lost_instances() {
    let mut bench = Bench::steady(json!({"strategy": "BLUE_GREEN", "bakeTimeInMinutes": 60}));
    bench.release("v2");
    bench.until_stage("BAKE_TIME");
    let scale = |bench: &mut Bench, desired: u32| {
        call(
            &mut bench.world,
            "UpdateService",
            json!({"cluster": "main", "service": "shop", "desiredCount": desired}),
        );
        bench.traffic(60);
    };
    scale(&mut bench, 4);
    assert_eq!(bench.tasks(), [4, 4, 0]);
    scale(&mut bench, 1);
    assert_eq!(bench.tasks(), [1, 1, 0]);
    scale(&mut bench, 4);
    ecs::remove_instance(&mut bench.world, "i-1");
    pass(&mut bench.world, 60);
    assert_eq!((bench.tasks(), bench.stage().as_str()), ([4, 4, 0], "BAKE_TIME"));
    bench.until_status("SUCCESSFUL");
    assert_eq!(bench.tasks(), [0, 4, 0]);
    pass(&mut bench.world, 60);
    assert!(view::service(&bench.world, "main", "shop").unwrap().healthy == 4);
}

#[test]
fn a_drained_instance_under_two_sets_is_emptied() {
    let mut bench = Bench::steady(json!({"strategy": "BLUE_GREEN", "bakeTimeInMinutes": 60}));
    bench.release("v2");
    bench.until_stage("BAKE_TIME");
    let arn = view::instances(&bench.world)[0].arn.clone();
    call(
        &mut bench.world,
        "UpdateContainerInstancesState",
        json!({"cluster": "main", "containerInstances": [arn], "status": "DRAINING"}),
    );
    bench.traffic(90);
    let counts: Vec<usize> = view::instances(&bench.world).iter().map(|it| it.tasks.len()).collect();
    assert_eq!((counts, bench.tasks()), (vec![0, 4], [2, 2, 0]));
}

#[test]
fn a_deployment_survives_a_restart_in_any_stage() {
    let mut bench = Bench::steady(blue_green());
    bench.release("v2");
    for stage in ["SCALE_UP", "TEST_TRAFFIC_SHIFT", "PRODUCTION_TRAFFIC_SHIFT", "BAKE_TIME", "CLEAN_UP"] {
        bench.until_stage(stage);
        let text = serde_json::to_string(&bench.world.ecs).unwrap();
        bench.world.ecs = serde_json::from_str(&text).unwrap();
        assert_eq!(serde_json::to_string(&bench.world.ecs).unwrap(), text);
    }
    bench.until_status("SUCCESSFUL");
    pass(&mut bench.world, 7200);
    assert!(!is_quiet(&bench.world), "targets are watched");
}
