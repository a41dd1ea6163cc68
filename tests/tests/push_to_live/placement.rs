//! What tasks ask for beside CPU and memory, and what instances are beside their number: each under traffic
//! of another application on the same cluster. Exactly as many come as are needed, and they go again.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};
use windlass_shared::id::ClusterName;
use windlass_sim::{ServiceId, World, autoscaling, ec2, ecs};
use windlass_tests::account::ByHand;
use windlass_tests::{CLUSTER, Stage};

/// `shop` behind the load balancer, small, on a group of one instance; `nodes` may have so many.
async fn shop(seed: u64, most: u32) -> Stage {
    let mut stage = Stage::on_a_group(seed, 1, most).await;
    stage.until("an instance", |world| !ecs::view::instances(world).is_empty()).await;
    // Before it there is nothing on the instance, and it may be on its way out: that is no failure of its own.
    let what = ByHand { track: None, breaker: false, ..ByHand::tracking("shop", "shop:latest") };
    stage.service_by_hand(&what).await;
    stage.traffic.to(stage.now(), "/shop", 10);
    stage
}

/// A worker without a load balancer, of these tasks. `container` and `service` are more members.
fn worker(stage: &Stage, name: &str, tasks: u32, container: &Value, service: &Value) {
    let image = stage.door.with(|world| format!("{}/shop:latest", world.config.registry));
    let mut web = json!({"name": "web", "image": image, "cpu": 256, "memory": 256, "essential": true});
    merge(&mut web, container);
    let family = json!({"family": name, "containerDefinitions": [web]});
    stage.by_hand(ServiceId::Ecs, "RegisterTaskDefinition", &family);
    let mut made = json!({"cluster": CLUSTER, "serviceName": name, "taskDefinition": name, "desiredCount": tasks,
        "deploymentConfiguration": {"minimumHealthyPercent": 50, "maximumPercent": 200}});
    merge(&mut made, service);
    stage.by_hand(ServiceId::Ecs, "CreateService", &made);
}

fn merge(into: &mut Value, more: &Value) {
    if let (Value::Object(into), Value::Object(more)) = (into, more) {
        into.extend(more.clone());
    }
}

fn desired(stage: &Stage, name: &str, tasks: u32) {
    let input = json!({"cluster": CLUSTER, "service": name, "desiredCount": tasks});
    stage.by_hand(ServiceId::Ecs, "UpdateService", &input);
}

fn running(world: &World, name: &str) -> usize {
    ecs::view::service(world, CLUSTER, name).map_or(0, |it| it.running)
}

fn group(world: &World, name: &str) -> (u32, usize) {
    autoscaling::group(world, name).map_or((0, 0), |it| (it.desired, it.in_service()))
}

/// What the scale function's last look did not do, and why.
async fn last_report(stage: &Stage) -> String {
    let row = stage.ledger().row(&ClusterName::new(CLUSTER)).await;
    row.unwrap_or_else(|error| panic!("{error}")).state.last_report.join("\n")
}

/// How many of the group's instances are in each zone.
fn zones(world: &World) -> BTreeMap<String, usize> {
    let mut zones = BTreeMap::new();
    let members = autoscaling::group(world, "nodes").into_iter().flat_map(|it| it.members);
    for member in members.filter(|it| !it.state.starts_with("Terminating")) {
        *zones.entry(member.az).or_default() += 1;
    }
    zones
}

#[tokio::test(start_paused = true)]
async fn tasks_that_want_an_instance_each_get_as_many_instances_and_no_more() {
    let mut stage = shop(1, 8).await;
    let distinct = json!({"placementConstraints": [{"type": "distinctInstance"}]});
    worker(&stage, "agent", 4, &json!({}), &distinct);
    stage.until("four on four", |world| running(world, "agent") == 4).await;
    stage.run_for(Duration::from_mins(3)).await;
    assert_eq!(stage.door.with(|world| group(world, "nodes")), (4, 4));
    desired(&stage, "agent", 1);
    stage.until("one is enough", |world| group(world, "nodes") == (1, 1)).await;
    stage.traffic.assert_none_failed();
    stage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_fixed_host_port_is_one_task_an_instance() {
    let mut stage = shop(2, 8).await;
    let port = json!({"portMappings": [{"containerPort": 9000, "hostPort": 9000}]});
    worker(&stage, "metrics", 3, &port, &json!({}));
    stage.until("three on three", |world| running(world, "metrics") == 3).await;
    stage.run_for(Duration::from_mins(3)).await;
    assert_eq!(stage.door.with(|world| group(world, "nodes")), (3, 3));
    desired(&stage, "metrics", 1);
    stage.until("one is enough", |world| group(world, "nodes") == (1, 1)).await;
    stage.traffic.assert_none_failed();
    stage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_task_that_no_service_starts_again_keeps_its_instance_until_it_has_ended() {
    let mut stage = shop(3, 4).await;
    worker(&stage, "crunch", 10, &json!({}), &json!({}));
    stage
        .until("two instances", |world| running(world, "crunch") == 10 && group(world, "nodes").1 == 2)
        .await;
    desired(&stage, "crunch", 1);
    stage.until("there is room for jobs", |world| running(world, "crunch") == 1).await;
    stage.run_for(Duration::from_secs(30)).await;
    let instances = stage.door.with(|world| ecs::view::instances(world));
    let mut jobs = Vec::new();
    for instance in &instances {
        let here =
            json!([{"type": "memberOf", "expression": format!("ec2InstanceId == {}", instance.instance_id)}]);
        let input = json!({"cluster": CLUSTER, "taskDefinition": "crunch", "group": "jobs", "placementConstraints": here});
        let out = stage.by_hand(ServiceId::Ecs, "RunTask", &input);
        jobs.push(out["tasks"][0]["taskArn"].as_str().unwrap_or_else(|| panic!("{out}")).to_owned());
    }
    stage.run_for(Duration::from_mins(30)).await;
    assert_eq!(stage.door.with(|world| group(world, "nodes")), (2, 2), "both carry a job");
    let running_jobs = stage.door.with(|world| {
        jobs.iter().filter(|it| ecs::view::task(world, it).is_some_and(|it| it.status == "RUNNING")).count()
    });
    assert_eq!(running_jobs, 2);
    for job in &jobs {
        stage.by_hand(ServiceId::Ecs, "StopTask", &json!({"cluster": CLUSTER, "task": job}));
    }
    stage.until("one is enough", |world| group(world, "nodes") == (1, 1)).await;
    stage.traffic.assert_none_failed();
    stage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn tasks_that_want_a_kind_of_instance_get_it_from_the_group_that_has_it() {
    let mut stage = shop(4, 4).await;
    other_group(&stage, "big", "m5.4xlarge");
    let kind = json!([{"type": "memberOf", "expression": "attribute:ecs.instance-type == m5.4xlarge"}]);
    worker(&stage, "render", 2, &json!({}), &json!({"placementConstraints": kind}));
    stage.until("both on a big one", |world| running(world, "render") == 2).await;
    stage.run_for(Duration::from_mins(3)).await;
    assert_eq!(stage.door.with(|world| (group(world, "nodes"), group(world, "big"))), ((1, 1), (1, 1)));
    desired(&stage, "render", 0);
    stage.until("it goes", |world| group(world, "big") == (0, 0)).await;
    stage.traffic.assert_none_failed();
    stage.finish().await;
}

/// Another group with the tag, of this type, with no instance.
fn other_group(stage: &Stage, name: &str, kind: &str) {
    use base64::Engine as _;
    let script = format!("#!/bin/bash\necho ECS_CLUSTER={CLUSTER} >> /etc/ecs/ecs.config\n");
    let script = base64::engine::general_purpose::STANDARD.encode(script);
    let data = json!({"InstanceType": kind, "ImageId": "ami-1", "UserData": script});
    let template = json!({"LaunchTemplateName": name, "LaunchTemplateData": data});
    stage.by_hand(ServiceId::Ec2, "CreateLaunchTemplate", &template);
    let tag = |key: &str, value: &str| {
        json!({"Key": key, "Value": value, "PropagateAtLaunch": false,
            "ResourceId": name, "ResourceType": "auto-scaling-group"})
    };
    let made = json!({
        "AutoScalingGroupName": name, "MinSize": 0, "MaxSize": 3, "DesiredCapacity": 0,
        "VPCZoneIdentifier": "subnet-a,subnet-b",
        "Tags": [tag("windlass:cluster", CLUSTER), tag("windlass:instance-type", kind)],
        "LaunchTemplate": {"LaunchTemplateName": name, "Version": "$Latest"},
    });
    stage.by_hand(ServiceId::AutoScaling, "CreateAutoScalingGroup", &made);
}

#[tokio::test(start_paused = true)]
async fn scaling_in_leaves_no_zone_two_fewer_and_nothing_is_launched_to_balance_it() {
    let mut stage = shop(5, 8).await;
    let spread =
        json!({"placementStrategy": [{"type": "spread", "field": "attribute:ecs.availability-zone"}]});
    worker(&stage, "spread", 40, &json!({}), &spread);
    stage
        .until("six instances", |world| running(world, "spread") == 40 && group(world, "nodes").1 == 6)
        .await;
    let launched = |world: &World| autoscaling::group(world, "nodes").map_or(0, |it| it.desired);
    desired(&stage, "spread", 6);
    let (mut most_apart, mut before) = (0, stage.door.with(|world| launched(world)));
    for _ in 0..1080 {
        stage.run_for(Duration::from_secs(5)).await;
        let (zones, now) = stage.door.with(|world| (zones(world), launched(world)));
        let count = |zone: &str| zones.iter().find(|(name, _)| name.ends_with(zone)).map_or(0, |(_, n)| *n);
        most_apart = most_apart.max(count("a").abs_diff(count("b")));
        assert!(now <= before, "{before} → {now}");
        before = now;
        if stage.door.with(|world| group(world, "nodes")) == (1, 1) {
            break;
        }
    }
    assert_eq!(stage.door.with(|world| group(world, "nodes")), (1, 1), "{}", last_report(&stage).await);
    assert!(most_apart <= 1, "{most_apart} apart");
    stage.traffic.assert_none_failed();
    stage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn spot_above_an_on_demand_base_comes_in_one_step_and_its_interruption_is_survived() {
    let mut stage = shop(6, 8).await;
    let policy = json!({
        "LaunchTemplate": {
            "LaunchTemplateSpecification": {"LaunchTemplateName": "nodes", "Version": "$Latest"},
            "Overrides": [{"InstanceType": "m5.large"}]},
        "InstancesDistribution": {"OnDemandBaseCapacity": 1, "OnDemandPercentageAboveBaseCapacity": 0}});
    let update = json!({"AutoScalingGroupName": "nodes", "MixedInstancesPolicy": policy});
    stage.by_hand(ServiceId::AutoScaling, "UpdateAutoScalingGroup", &update);
    stage.watch.min_percent("crunch", 50);
    worker(&stage, "crunch", 20, &json!({}), &json!({}));
    stage
        .until("three instances", |world| running(world, "crunch") == 20 && group(world, "nodes").1 == 3)
        .await;
    let spot = stage.door.with(|world| {
        let members = autoscaling::group(world, "nodes").into_iter().flat_map(|it| it.members);
        members.map(|it| it.instance_id).find(|id| ec2::interrupt_spot(world, id))
    });
    let spot = spot.expect("one above the base is a spot instance");
    stage
        .until("it is gone, and its tasks are elsewhere", |world| {
            let here = ecs::view::instances(world);
            here.iter().all(|it| it.instance_id != spot) && running(world, "crunch") == 20
        })
        .await;
    stage.until("three again", |world| group(world, "nodes") == (3, 3)).await;
    desired(&stage, "crunch", 1);
    stage.until("one is enough", |world| group(world, "nodes") == (1, 1)).await;
    stage.traffic.assert_none_failed();
    stage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn what_came_a_while_ago_is_kept_while_tasks_are_on_it_and_goes_when_it_is_empty() {
    for empties in [false, true] {
        let mut stage = shop(7, 4).await;
        // With `shop` it fills the first instance.
        worker(&stage, "crunch", 7, &json!({}), &json!({}));
        stage.until("seven", |world| running(world, "crunch") == 7).await;
        worker(&stage, "late", 1, &json!({}), &json!({}));
        stage.until("another instance", |world| running(world, "late") == 1).await;
        let came = stage.now();
        desired(&stage, "crunch", 1);
        if empties {
            desired(&stage, "late", 0);
        }
        stage.until("one is enough", |world| group(world, "nodes") == (1, 1)).await;
        let kept = stage.now().since(came);
        let (least, most) = if empties { (4, 8) } else { (14, 20) };
        assert!(
            kept >= Duration::from_mins(least) && kept <= Duration::from_mins(most),
            "{empties}: {kept:?}"
        );
        stage.traffic.assert_none_failed();
        stage.finish().await;
    }
}
