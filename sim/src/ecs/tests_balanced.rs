//! Services behind a load balancer: what clients see while tasks come and go.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::testing::{
    call, effects, emitted, instance, pass, push, refused, register, release, service, shop, world,
};
use super::view;
use crate::elb::{self, RequestHead, TargetState};
use crate::world::{Effect, World};

fn elb(world: &mut World, operation: &str, input: &Value) -> Value {
    elb::handle(world, operation, input).unwrap_or_else(|error| panic!("{operation}: {error:?}"))
}

/// A target group checked every 5 s, unhealthy after 2 failures, drained for 10 s.
fn group(world: &mut World, name: &str) -> String {
    let made = elb(
        world,
        "CreateTargetGroup",
        &json!({"Name": name, "Protocol": "HTTP", "Port": 80,
        "VpcId": elb::VPC_ID, "HealthCheckPath": "/", "HealthCheckIntervalSeconds": 5,
        "HealthCheckTimeoutSeconds": 2, "HealthyThresholdCount": 2, "UnhealthyThresholdCount": 2}),
    );
    let arn = made["TargetGroups"][0]["TargetGroupArn"].as_str().unwrap().to_owned();
    elb(
        world,
        "ModifyTargetGroupAttributes",
        &json!({"TargetGroupArn": arn,
        "Attributes": [{"Key": "deregistration_delay.timeout_seconds", "Value": "10"}]}),
    );
    arn
}

fn listener(world: &mut World, group: &str) -> String {
    let made =
        elb(world, "CreateLoadBalancer", &json!({"Name": "main", "Subnets": ["subnet-a", "subnet-b"]}));
    let arn = made["LoadBalancers"][0]["LoadBalancerArn"].clone();
    let made = elb(
        world,
        "CreateListener",
        &json!({"LoadBalancerArn": arn, "Protocol": "HTTP", "Port": 80,
        "DefaultActions": [{"Type": "forward", "TargetGroupArn": group}]}),
    );
    made["Listeners"][0]["ListenerArn"].as_str().unwrap().to_owned()
}

fn create(world: &mut World, group: &str, definition: &str, desired: u32) -> Value {
    call(
        world,
        "CreateService",
        json!({"cluster": "main", "serviceName": "shop", "taskDefinition": definition,
        "desiredCount": desired,
        "loadBalancers": [{"targetGroupArn": group, "containerName": "web", "containerPort": 80}],
        "deploymentConfiguration": {"deploymentCircuitBreaker": {"enable": true, "rollback": true}}}),
    )
}

/// `shop` with 2 tasks behind a listener, steady on `shop:v1`.
struct Shop {
    world: World,
    listener: String,
    group: String,
}

impl Shop {
    fn steady() -> Self {
        let mut world = world();
        instance(&mut world, 1, 4000);
        instance(&mut world, 2, 4000);
        let group = group(&mut world, "shop");
        let listener = listener(&mut world, &group);
        push(&mut world, "v1", []);
        let definition = register(&mut world, "shop", &shop("v1"), 256);
        create(&mut world, &group, &definition, 2);
        pass(&mut world, 30);
        let mut shop = Self { world, listener, group };
        assert_eq!(shop.service()["deployments"][0]["rolloutState"], "COMPLETED");
        shop
    }

    fn service(&mut self) -> Value {
        service(&mut self.world, "shop")
    }

    /// Sends a request every 100 ms for `secs`: how many ended in each status.
    fn traffic(&mut self, secs: u64) -> BTreeMap<u16, usize> {
        let mut seen = BTreeMap::new();
        for _ in 0..secs * 10 {
            let to = self.world.now() + Duration::from_millis(100);
            self.world.advance(to);
            let served =
                elb::request(&mut self.world, &self.listener, &RequestHead::get("shop", "/")).unwrap();
            *seen.entry(served.status).or_default() += 1;
        }
        seen
    }

    fn states(&self) -> BTreeMap<TargetState, usize> {
        elb::target_counts(&self.world, &self.group)
    }
}

#[test]
fn a_release_under_traffic_loses_no_request() {
    let mut shop = Shop::steady();
    push(&mut shop.world, "v2", [("sim.start_secs", "4")]);
    release(&mut shop.world, "v2");
    assert_eq!(shop.traffic(120), BTreeMap::from([(200, 1200)]));
    let service = shop.service();
    assert_eq!(service["deployments"].as_array().unwrap().len(), 1);
    assert_eq!(service["deployments"][0]["rolloutState"], "COMPLETED");
    assert!(service["taskDefinition"].as_str().unwrap().ends_with("shop:2"));
    assert_eq!(shop.states(), BTreeMap::from([(TargetState::Healthy, 2)]));
}

#[test]
fn a_target_is_drained_before_its_task_gets_its_signal() {
    let mut shop = Shop::steady();
    let task = view::service(&shop.world, "main", "shop").unwrap().tasks[0].arn.clone();
    effects(&mut shop.world);
    call(&mut shop.world, "StopTask", json!({"cluster": "main", "task": task}));
    assert_eq!(view::task(&shop.world, &task).unwrap().status, "DEACTIVATING");
    assert_eq!(shop.states()[&TargetState::Draining], 1);
    let at = shop.world.now();
    while !effects(&mut shop.world).contains(&Effect::SignalContainer { task_arn: task.clone() }) {
        let to = shop.world.now() + Duration::from_millis(100);
        shop.world.advance(to);
        assert!(to.since(at) < Duration::from_mins(1));
    }
    assert!(shop.world.now().since(at) >= Duration::from_secs(10), "the deregistration delay");
    assert!(!shop.states().contains_key(&TargetState::Draining));
    emitted("");
    pass(&mut shop.world, 30);
    assert_eq!(shop.service()["runningCount"], 2);
}

#[test]
fn a_release_that_fails_its_health_checks_is_rolled_back_without_a_failed_request() {
    let mut shop = Shop::steady();
    push(&mut shop.world, "bad", [("sim.health_status", "500"), ("sim.status", "500")]);
    emitted("");
    let failed = release(&mut shop.world, "bad")["deployments"][0]["id"].clone();
    let seen = shop.traffic(180);
    assert_eq!(seen, BTreeMap::from([(200, 1800)]));
    let service = shop.service();
    assert!(service["taskDefinition"].as_str().unwrap().ends_with("shop:1"));
    assert_eq!(service["deployments"][0]["rolloutState"], "COMPLETED");
    let events = emitted("ECS Deployment State Change");
    let failure = events.iter().find(|it| it["eventName"] == "SERVICE_DEPLOYMENT_FAILED").unwrap();
    assert_eq!(failure["deploymentId"], failed);
    let stopped = call(
        &mut shop.world,
        "ListTasks",
        json!({"cluster": "main", "startedBy": failed, "desiredStatus": "STOPPED"}),
    );
    let tasks =
        call(&mut shop.world, "DescribeTasks", json!({"cluster": "main", "tasks": stopped["taskArns"]}));
    let reason = format!("Task failed ELB health checks in (target-group {})", shop.group);
    assert!(tasks["tasks"].as_array().unwrap().iter().any(|it| it["stoppedReason"] == reason.as_str()));
    assert!(
        service["events"]
            .as_array()
            .unwrap()
            .iter()
            .any(|it| it["message"].as_str().unwrap().contains("is unhealthy in (target-group"))
    );
}

#[test]
fn the_grace_period_lets_a_slow_application_start() {
    for (grace, comes_up) in [(0, false), (60, true)] {
        let mut shop = Shop::steady();
        push(&mut shop.world, "slow", [("sim.start_secs", "30")]);
        call(
            &mut shop.world,
            "UpdateService",
            json!({"cluster": "main", "service": "shop", "healthCheckGracePeriodSeconds": grace}),
        );
        release(&mut shop.world, "slow");
        assert_eq!(shop.traffic(180), BTreeMap::from([(200, 1800)]));
        let ends = if comes_up { "shop:2" } else { "shop:1" };
        assert!(shop.service()["taskDefinition"].as_str().unwrap().ends_with(ends), "grace {grace}");
    }
}

#[test]
fn a_group_without_a_load_balancer_is_refused() {
    let mut world = world();
    instance(&mut world, 1, 4000);
    let lonely = group(&mut world, "lonely");
    let definition = register(&mut world, "shop", &shop("v1"), 256);
    for group in
        [lonely.as_str(), "arn:aws:elasticloadbalancing:eu-central-1:123456789012:targetgroup/none/1"]
    {
        let error = refused(
            &mut world,
            "CreateService",
            json!({"cluster": "main", "serviceName": "shop",
            "taskDefinition": definition, "desiredCount": 1,
            "loadBalancers": [{"targetGroupArn": group, "containerName": "web", "containerPort": 80}]}),
        );
        assert_eq!(error.code, "InvalidParameterException");
    }
    assert!(view::services(&world).is_empty());
}

#[test]
fn tasks_that_crash_are_replaced_and_serve_again() {
    let mut shop = Shop::steady();
    push(&mut shop.world, "once", [("sim.crash_secs", "40")]);
    release(&mut shop.world, "once");
    pass(&mut shop.world, 35);
    let stopped_before =
        call(&mut shop.world, "ListTasks", json!({"cluster": "main", "desiredStatus": "STOPPED"}));
    let seen = shop.traffic(60);
    let stopped = call(&mut shop.world, "ListTasks", json!({"cluster": "main", "desiredStatus": "STOPPED"}));
    assert_ne!(stopped_before, stopped, "tasks crashed");
    assert!(seen[&200] > 300, "{seen:?}");
}

#[test]
fn draining_an_instance_under_traffic_loses_no_request() {
    let mut shop = Shop::steady();
    let arn = view::instances(&shop.world)[0].arn.clone();
    call(
        &mut shop.world,
        "UpdateContainerInstancesState",
        json!({"cluster": "main", "containerInstances": [arn], "status": "DRAINING"}),
    );
    assert_eq!(shop.traffic(60), BTreeMap::from([(200, 600)]));
    let counts: Vec<usize> = view::instances(&shop.world).iter().map(|it| it.tasks.len()).collect();
    assert_eq!(counts, [0, 2]);
}

#[test]
fn deleting_a_service_drains_its_targets() {
    let mut shop = Shop::steady();
    call(&mut shop.world, "DeleteService", json!({"cluster": "main", "service": "shop", "force": true}));
    pass(&mut shop.world, 5);
    assert_eq!(shop.service()["status"], "DRAINING");
    pass(&mut shop.world, 20);
    assert_eq!(shop.service()["status"], "INACTIVE");
    assert!(shop.states().is_empty());
}

#[test]
fn bursts_of_releases_end_on_the_newest() {
    let mut shop = Shop::steady();
    for n in 2..8 {
        let tag = format!("v{n}");
        push(&mut shop.world, &tag, [("sim.start_secs", "2")]);
        release(&mut shop.world, &tag);
        assert_eq!(shop.traffic(n), BTreeMap::from([(200, usize::try_from(n).unwrap() * 10)]));
    }
    assert_eq!(shop.traffic(120), BTreeMap::from([(200, 1200)]));
    let service = shop.service();
    assert!(service["taskDefinition"].as_str().unwrap().ends_with("shop:7"));
    assert_eq!(service["deployments"].as_array().unwrap().len(), 1);
    assert_eq!(service["deployments"][0]["rolloutState"], "COMPLETED");
}

#[test]
fn tasks_that_become_unhealthy_are_replaced_before_they_are_stopped() {
    let mut shop = Shop::steady();
    let group = shop.group.clone();
    elb(
        &mut shop.world,
        "ModifyTargetGroup",
        &json!({"TargetGroupArn": group, "Matcher": {"HttpCode": "404"}}),
    );
    pass(&mut shop.world, 14);
    let view = view::service(&shop.world, "main", "shop").unwrap();
    let wanted = view.tasks.iter().filter(|it| it.wanted).count();
    assert!(view.healthy == 0 && wanted > 2, "replacements come first: {view:#?}");
    elb(
        &mut shop.world,
        "ModifyTargetGroup",
        &json!({"TargetGroupArn": group, "Matcher": {"HttpCode": "200"}}),
    );
    pass(&mut shop.world, 60);
    let view = view::service(&shop.world, "main", "shop").unwrap();
    assert_eq!((view.healthy, view.tasks.len()), (2, 2));
    assert_eq!(view.events[0], "(service shop) has reached a steady state.");
}
