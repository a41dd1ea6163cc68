//! Deployments that do not go well, or are not let go on.

use serde_json::{Value, json};

use super::super::testing::{call, deployment_events, instance, pass, push, release, service};
use super::bench::{Bench, elb};

fn blue_green() -> Value {
    json!({"strategy": "BLUE_GREEN", "bakeTimeInMinutes": 5})
}

fn stop(bench: &mut Bench) {
    let arn = bench.arn(0);
    call(
        &mut bench.world,
        "StopServiceDeployment",
        json!({"serviceDeploymentArn": arn, "stopType": "ROLLBACK"}),
    );
}

#[test]
fn stopped_at_any_stage_it_goes_back_without_a_failed_request() {
    for stage in [
        "PRE_SCALE_UP",
        "SCALE_UP",
        "POST_SCALE_UP",
        "TEST_TRAFFIC_SHIFT",
        "PRODUCTION_TRAFFIC_SHIFT",
        "BAKE_TIME",
        "CLEAN_UP",
    ] {
        let mut bench = Bench::steady(blue_green());
        bench.release("v2");
        for _ in 0..3600 {
            bench.traffic(1);
            if bench.stage() == stage {
                break;
            }
        }
        stop(&mut bench);
        assert_eq!(bench.status(0), "ROLLBACK_REQUESTED", "{stage}");
        bench.traffic(2);
        assert_eq!(bench.status(0), "ROLLBACK_IN_PROGRESS", "{stage}");
        stop(&mut bench); // which it does already
        bench.traffic(90);
        assert_eq!(bench.status(0), "ROLLBACK_SUCCESSFUL", "{stage}");
        assert_eq!((bench.production(), bench.tasks()), ((100, 0), [2, 0, 0]), "{stage}");
        assert_eq!(bench.request(true).1, "1", "{stage}");
        let described = bench.describe(0);
        assert!(described["rollback"]["reason"].as_str().unwrap().contains("stopped by user"));
        assert_eq!(
            described["rollback"]["serviceRevisionArn"],
            described["sourceServiceRevisions"][0]["arn"]
        );
        let service = bench.service();
        assert!(service["taskDefinition"].as_str().unwrap().ends_with("shop:1"), "{stage}");
        assert_eq!(service["deployments"][0]["rolloutState"], "COMPLETED");
    }
}

#[test]
fn a_rollback_says_failed_then_in_progress_then_completed() {
    let mut bench = Bench::steady(blue_green());
    bench.release("v2");
    bench.until_stage("BAKE_TIME");
    let failed = service(&mut bench.world, "shop")["deployments"][0]["id"].clone();
    stop(&mut bench);
    bench.until_status("ROLLBACK_SUCCESSFUL");
    let events = deployment_events();
    let names: Vec<&str> = events.iter().map(|it| it.0.as_str()).collect();
    assert_eq!(
        names,
        [
            "SERVICE_DEPLOYMENT_IN_PROGRESS",
            "SERVICE_DEPLOYMENT_FAILED",
            "SERVICE_DEPLOYMENT_IN_PROGRESS",
            "SERVICE_DEPLOYMENT_COMPLETED"
        ]
    );
    assert_eq!(events[1].1, failed.as_str().unwrap());
    assert_eq!(events[2].1, events[3].1);
}

#[test]
fn the_traffic_goes_back_before_the_new_tasks_leave() {
    let mut bench = Bench::steady(blue_green());
    bench.release("v2");
    bench.until_stage("BAKE_TIME");
    stop(&mut bench);
    bench.until(|bench| bench.production() == (100, 0), "back");
    assert_eq!(bench.tasks(), [2, 2, 0]);
}

#[test]
fn tasks_that_never_get_healthy_wait_a_day_and_the_breaker_does_not_look() {
    let mut bench = Bench::steady(json!({"strategy": "BLUE_GREEN", "bakeTimeInMinutes": 5,
        "deploymentCircuitBreaker": {"enable": true, "rollback": true}}));
    push(&mut bench.world, "sick", [("sim.health_status", "500")]);
    release(&mut bench.world, "sick");
    pass(&mut bench.world, 1800);
    assert_eq!((bench.status(0).as_str(), bench.stage().as_str()), ("IN_PROGRESS", "SCALE_UP"));
    release(&mut bench.world, "not-there");
    pass(&mut bench.world, 12 * 3600);
    assert_eq!((bench.status(0).as_str(), bench.stage().as_str()), ("IN_PROGRESS", "SCALE_UP"));
    assert_eq!((bench.tasks()[0], bench.production()), (2, (100, 0)));
    pass(&mut bench.world, 13 * 3600);
    assert_eq!(bench.status(0), "ROLLBACK_SUCCESSFUL");
}

#[test]
fn groups_that_no_rule_knows_are_found_when_it_is_deployed() {
    let mut bench = Bench::steady(blue_green());
    for rule in [bench.production.clone(), bench.test.clone()] {
        let to_blue = json!([{"Type": "forward", "TargetGroupArn": bench.blue}]);
        elb(&mut bench.world, "ModifyRule", &json!({"RuleArn": rule, "Actions": to_blue}));
    }
    bench.release("v2");
    bench.until_status("ROLLBACK_SUCCESSFUL");
    let reason = bench.describe(0)["statusReason"].as_str().unwrap().to_owned();
    assert!(reason.starts_with("Both targetGroup and alternateTargetGroup must be associated"), "{reason}");
}

#[test]
fn a_first_deployment_has_nothing_to_go_back_to() {
    let mut bench = Bench::empty();
    let gone = format!("{}0", bench.production);
    let mut balancer = bench.balancer();
    balancer["advancedConfiguration"]["productionListenerRule"] = json!(gone);
    let definition =
        super::super::testing::register(&mut bench.world, "shop", &super::super::testing::shop("v1"), 256);
    call(
        &mut bench.world,
        "CreateService",
        json!({"cluster": "main", "serviceName": "shop", "taskDefinition": definition, "desiredCount": 2,
        "loadBalancers": [balancer], "deploymentConfiguration": blue_green()}),
    );
    bench.until_status("ROLLBACK_FAILED");
    assert!(bench.describe(0)["statusReason"].as_str().unwrap().contains("does not exist"));
}

#[test]
fn a_first_deployment_that_does_not_come_up_gives_way_to_the_next() {
    let mut bench = Bench::empty();
    let missing = super::super::testing::shop("not-there");
    let definition = super::super::testing::register(&mut bench.world, "shop", &missing, 256);
    let balancer = bench.balancer();
    call(
        &mut bench.world,
        "CreateService",
        json!({"cluster": "main", "serviceName": "shop", "taskDefinition": definition, "desiredCount": 2,
        "loadBalancers": [balancer], "deploymentConfiguration": blue_green()}),
    );
    pass(&mut bench.world, 60);
    bench.release("v2");
    bench.until_status("SUCCESSFUL");
    assert_eq!((bench.production(), bench.tasks()), ((0, 100), [0, 2, 0]));
    assert_eq!(bench.status(1), "STOPPED");
    bench.traffic(20);
}

#[test]
fn room_for_one_set_alone_goes_to_what_serves() {
    let mut bench = Bench::steady(blue_green());
    call(
        &mut bench.world,
        "UpdateService",
        json!({"cluster": "main", "service": "shop", "desiredCount": 20}),
    );
    pass(&mut bench.world, 60);
    assert_eq!(bench.tasks(), [20, 0, 0]);
    bench.release("v2");
    pass(&mut bench.world, 60);
    assert_eq!((bench.tasks(), bench.stage().as_str()), ([20, 12, 0], "SCALE_UP"));
    crate::ecs::remove_instance(&mut bench.world, "i-1");
    pass(&mut bench.world, 600);
    let [old, new, _] = bench.tasks();
    assert!(old + new == 16 && old >= 10, "{old} {new}");
    instance(&mut bench.world, 3, 8000);
    instance(&mut bench.world, 4, 8000);
    bench.until_status("SUCCESSFUL");
    assert_eq!(bench.tasks(), [0, 20, 0]);
}

#[test]
fn a_newer_release_supersedes_one_under_way_at_any_stage() {
    for stage in [
        "PRE_SCALE_UP",
        "SCALE_UP",
        "TEST_TRAFFIC_SHIFT",
        "PRODUCTION_TRAFFIC_SHIFT",
        "BAKE_TIME",
        "CLEAN_UP",
    ] {
        let mut bench = Bench::steady(blue_green());
        bench.release("v2");
        for _ in 0..3600 {
            bench.traffic(1);
            if bench.stage() == stage {
                break;
            }
        }
        bench.release("v3");
        bench.traffic(440);
        assert_eq!(bench.status(0), "SUCCESSFUL", "{stage}: {}", bench.describe(0));
        assert_eq!(bench.status(1), "STOPPED", "{stage}");
        assert_eq!(bench.tasks(), [0, 0, 2], "{stage}");
        let weights = if stage == "CLEAN_UP" { (100, 0) } else { (0, 100) };
        assert_eq!(bench.production(), weights, "{stage}");
    }
}

#[test]
fn a_rolling_release_over_one_that_shifts_gives_the_traffic_back_first() {
    for stage in ["SCALE_UP", "PRODUCTION_TRAFFIC_SHIFT", "BAKE_TIME", "CLEAN_UP"] {
        let mut bench = Bench::steady(blue_green());
        bench.release("v2");
        bench.until_stage(stage);
        call(
            &mut bench.world,
            "UpdateService",
            json!({"cluster": "main", "service": "shop",
            "deploymentConfiguration": {"strategy": "ROLLING", "bakeTimeInMinutes": 0}}),
        );
        bench.release("v3");
        bench.traffic(120);
        assert_eq!((bench.status(0).as_str(), bench.tasks()), ("SUCCESSFUL", [0, 0, 2]), "{stage}");
    }
}

#[test]
fn a_release_during_a_rollback_starts_from_what_it_went_back_to() {
    let mut bench = Bench::steady(blue_green());
    bench.release("v2");
    bench.until_stage("BAKE_TIME");
    stop(&mut bench);
    bench.traffic(3);
    bench.release("v3");
    bench.traffic(440);
    assert_eq!((bench.status(0).as_str(), bench.status(1).as_str()), ("SUCCESSFUL", "STOPPED"));
    assert_eq!((bench.tasks(), bench.production()), ([0, 0, 2], (0, 100)));
}
