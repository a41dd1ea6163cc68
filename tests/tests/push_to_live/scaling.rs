//! How the peers fail at capacity, each under traffic: what is somebody else's is left alone and said once;
//! what is missing comes in one step from the right group; what is spare goes in waves; and a function that
//! dies in between leaves nothing behind.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};
use windlass_shared::id::ClusterName;
use windlass_shared::ledger::ClusterRecord;
use windlass_sim::door::in_process::Kill;
use windlass_sim::ec2::{LaunchError, LaunchFault};
use windlass_sim::gate::faults::When;
use windlass_sim::lambda::access_key;
use windlass_sim::{ServiceId, World, autoscaling, ecs};
use windlass_tests::{Stage, key, labelled, version};

/// Four of its tasks fill an m5.large: 2,048 CPU units.
const SHOP: &str = "image: {repository: shop}\ntask: {cpu: 512, memory: 1024, port: 8080}\ndesired: 2\nroute: {paths: [/shop*]}\n";
const BUSY: &str = "    - step: {alarm: busy, steps: [{beyond: 0, change: 4}]}\n";
const IDLE: &str = "    - step: {alarm: idle, steps: [{beyond: 0, change: -100}]}\n";

fn scaled(min: u32, max: u32) -> String {
    format!("{SHOP}scaling:\n  min: {min}\n  max: {max}\n  rules:\n{BUSY}{IDLE}")
}

/// `shop` on a group of one instance, with alarms that are quiet.
async fn shop(seed: u64, most_instances: u32, spec: &str) -> Stage {
    let mut stage = Stage::on_a_group(seed, 1, most_instances).await;
    stage.alarm("busy", false);
    stage.alarm("idle", false);
    stage.apply_spec("shop", spec);
    stage.push("shop", "latest", &version("1"));
    stage.until("shop is up", |world| running(world) == 2).await;
    stage.until_quiet().await;
    stage.traffic.to(stage.now(), "/shop", 20);
    stage
}

fn running(world: &World) -> usize {
    ecs::view::service(world, "main", "shop").map_or(0, |it| it.running)
}

fn group(world: &World, name: &str) -> (u32, usize) {
    autoscaling::group(world, name).map_or((0, 0), |it| (it.desired, it.in_service()))
}

/// How often the scale function made this call with success.
fn scale_made(stage: &Stage, operation: &str) -> usize {
    let caller = access_key(&stage.scale);
    stage.door.with(|world| {
        let records = world.gate.log.records();
        let own = records.filter(|it| it.caller.access_key == caller && it.error.is_none());
        own.filter(|it| it.operation == operation).count()
    })
}

async fn history(stage: &Stage) -> Vec<ClusterRecord> {
    stage.cluster_history(&ClusterName::new("main")).await
}

/// How often the history tells this.
async fn told(stage: &Stage, words: &str) -> usize {
    let all = history(stage).await;
    all.iter().filter(|it| it.steps.is_empty() && it.report.iter().any(|it| it.contains(words))).count()
}

/// Another group with the tag, of this type, with no instance.
pub(super) fn another_group(stage: &Stage, name: &str, kind: &str, max: u32, more: &Value) {
    let data = json!({"InstanceType": kind, "ImageId": "ami-1", "UserData": user_data()});
    let template = json!({"LaunchTemplateName": name, "LaunchTemplateData": data});
    stage.by_hand(ServiceId::Ec2, "CreateLaunchTemplate", &template);
    let tag = |key: &str, value: &str| {
        json!({"Key": key, "Value": value, "PropagateAtLaunch": false,
            "ResourceId": name, "ResourceType": "auto-scaling-group"})
    };
    let mut made = json!({
        "AutoScalingGroupName": name, "MinSize": 0, "MaxSize": max, "DesiredCapacity": 0,
        "VPCZoneIdentifier": "subnet-a,subnet-b",
        "Tags": [tag("windlass:cluster", "main"), tag("windlass:instance-type", kind)],
        "LaunchTemplate": {"LaunchTemplateName": name, "Version": "$Latest"},
    });
    if let (Value::Object(made), Value::Object(more)) = (&mut made, more) {
        made.extend(more.clone());
    }
    stage.by_hand(ServiceId::AutoScaling, "CreateAutoScalingGroup", &made);
}

/// What the account's own launch template has.
pub(super) fn user_data() -> String {
    use base64::Engine as _;
    let script = "#!/bin/bash\necho ECS_CLUSTER=main >> /etc/ecs/ecs.config\n";
    base64::engine::general_purpose::STANDARD.encode(script)
}

#[tokio::test(start_paused = true)]
async fn a_group_with_managed_scaling_is_left_alone_and_said_once() {
    let mut stage = shop(1, 4, &scaled(2, 10)).await;
    let arn = stage.by_hand(
        ServiceId::AutoScaling,
        "DescribeAutoScalingGroups",
        &json!({"AutoScalingGroupNames": ["nodes"]}),
    )["AutoScalingGroups"][0]["AutoScalingGroupARN"]
        .clone();
    let provider = json!({"name": "cp", "autoScalingGroupProvider": {
        "autoScalingGroupArn": arn, "managedScaling": {"status": "ENABLED", "targetCapacity": 100}}});
    stage.by_hand(ServiceId::Ecs, "CreateCapacityProvider", &provider);
    let put = json!({"cluster": "main", "capacityProviders": ["cp"], "defaultCapacityProviderStrategy": []});
    stage.by_hand(ServiceId::Ecs, "PutClusterCapacityProviders", &put);
    stage.run_for(Duration::from_mins(2)).await;
    stage.door.with(|world| world.gate.log.clear());
    stage.alarm("busy", true);
    stage.run_for(Duration::from_mins(6)).await;
    stage.alarm("busy", false);
    assert_eq!(scale_made(&stage, "SetDesiredCapacity"), 0);
    assert_eq!(scale_made(&stage, "TerminateInstanceInAutoScalingGroup"), 0);
    assert_eq!(told(&stage, "nodes: left alone, the capacity provider cp has managed scaling").await, 1);
    stage.traffic.assert_none_failed();
}

#[tokio::test(start_paused = true)]
async fn a_service_that_application_auto_scaling_owns_keeps_its_number_and_is_said_once() {
    let mut stage = shop(2, 4, &scaled(2, 10)).await;
    let target = json!({"ServiceNamespace": "ecs", "ResourceId": "service/main/shop",
        "ScalableDimension": "ecs:service:DesiredCount", "MinCapacity": 1, "MaxCapacity": 5});
    stage.by_hand(ServiceId::ApplicationAutoScaling, "RegisterScalableTarget", &target);
    stage.alarm("busy", true);
    stage.run_for(Duration::from_mins(10)).await;
    assert_eq!(stage.door.with(|world| running(world)), 2);
    assert_eq!(told(&stage, "shop: left alone, AWS's Application Auto Scaling owns").await, 1);
    stage.alarm("busy", false);
    stage.traffic.assert_none_failed();
    stage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn an_alarm_that_does_not_exist_is_reported_once_and_not_every_minute() {
    let spec = format!(
        "{SHOP}scaling:\n  min: 2\n  max: 4\n  rules:\n    - step: {{alarm: nobody, steps: [{{beyond: 0, change: 1}}]}}\n"
    );
    let mut stage = shop(3, 4, &spec).await;
    stage.run_for(Duration::from_mins(20)).await;
    assert_eq!(told(&stage, "shop: there is no alarm nobody").await, 1);
    // It is made, and is gone again: that is news.
    stage.alarm("nobody", true);
    stage.until("it scales", |world| running(world) == 3).await;
    stage.by_hand(ServiceId::CloudWatch, "DeleteAlarms", &json!({"AlarmNames": ["nobody"]}));
    stage.run_for(Duration::from_mins(5)).await;
    assert_eq!(told(&stage, "shop: there is no alarm nobody").await, 2);
    stage.traffic.assert_none_failed();
    stage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn to_zero_and_back_on_demand() {
    let mut stage = Stage::on_a_group(4, 1, 4).await;
    stage.alarm("busy", false);
    stage.alarm("idle", false);
    stage.apply_spec("shop", &scaled(0, 10));
    stage.push("shop", "latest", &version("1"));
    stage.until("shop is up", |world| running(world) == 2).await;
    stage.until_quiet().await;
    stage.watch.tolerate("shop");
    stage.alarm("idle", true);
    stage.until("nothing is left", |world| running(world) == 0 && group(world, "nodes") == (0, 0)).await;
    stage.alarm("idle", false);
    stage.until_quiet().await;
    stage.alarm("busy", true);
    stage
        .until("it is back, with one instance", |world| {
            running(world) == 4 && group(world, "nodes") == (1, 1)
        })
        .await;
    stage.alarm("busy", false);
    stage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_schedule_counts_by_its_own_time_zone() {
    // The world begins at midnight UTC: half past one in Berlin is half past midnight there.
    let schedule = "  schedules:\n    - {at: '0 1 * * *', timezone: Europe/Berlin, min: 2, max: 3}\n    - {at: '30 1 * * *', timezone: Europe/Berlin, min: 5, max: 6}\n";
    let spec = format!("{SHOP}scaling:\n  min: 2\n  max: 3\n{schedule}");
    let mut stage = Stage::on_a_group(5, 1, 4).await;
    stage.apply_spec("shop", &spec);
    stage.push("shop", "latest", &version("1"));
    stage.run_for(Duration::from_mins(10)).await;
    stage.traffic.to(stage.now(), "/shop", 20);
    while stage.now().to_string().as_str() < "2026-01-01T00:29" {
        stage.run_for(Duration::from_secs(20)).await;
    }
    let before = stage.door.with(|world| running(world));
    stage.run_for(Duration::from_mins(5)).await;
    let after = stage.door.with(|world| running(world));
    assert_eq!((before <= 3, after), (true, 5), "{before} before");
    stage.traffic.assert_none_failed();
    stage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn more_is_scaled_during_a_rollout_and_fewer_waits_for_its_end() {
    let mut stage = shop(6, 6, &scaled(2, 6)).await;
    let two = stage.push("shop", "latest", &labelled("2", &[("sim.start_secs", "5")]));
    stage.run_for(Duration::from_secs(10)).await;
    stage.alarm("busy", true);
    stage.run_for(Duration::from_secs(30)).await;
    stage.alarm("busy", false);
    stage.until_quiet().await;
    stage.assert_live("shop", &two);
    assert!(stage.door.with(|world| running(world)) >= 6);
    let three = stage.push("shop", "latest", &labelled("3", &[]));
    stage.alarm("idle", true);
    stage.until("two tasks", |world| running(world) == 2).await;
    stage.until_quiet().await;
    stage.assert_live("shop", &three);
    stage.alarm("idle", false);
    stage.traffic.assert_none_failed();
    stage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn of_two_groups_the_cheaper_one_for_what_is_missing_is_asked() {
    let mut stage = shop(7, 1, &scaled(2, 10)).await;
    another_group(&stage, "dear", "m5.4xlarge", 3, &json!({}));
    another_group(&stage, "cheap", "m5.large", 3, &json!({}));
    stage.alarm("busy", true);
    stage.until("ten tasks", |world| running(world) == 10).await;
    stage.alarm("busy", false);
    stage.until_quiet().await;
    let asked = stage.door.with(|world| (group(world, "cheap").0, group(world, "dear").0));
    assert_eq!(asked, (2, 0));
    stage.traffic.assert_none_failed();
    stage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_group_whose_launches_fail_gives_way_to_another_one_and_is_said_once() {
    let mut stage = shop(8, 4, &scaled(2, 6)).await;
    let fault = LaunchFault {
        az: None,
        instance_type: Some("m5.large".into()),
        market: None,
        error: LaunchError::InsufficientInstanceCapacity,
    };
    stage.door.with(|world| world.ec2.launch_fails(fault));
    another_group(&stage, "other", "m5.xlarge", 3, &json!({}));
    stage.alarm("busy", true);
    stage.until("six tasks, on the other group", |world| running(world) == 6).await;
    stage.alarm("busy", false);
    stage.run_for(Duration::from_mins(5)).await;
    let said = told(&stage, "nodes: its launches fail").await;
    let all = history(&stage).await;
    let with_steps =
        all.iter().filter(|it| it.report.iter().any(|it| it.contains("nodes: its launches fail"))).count();
    assert!(said <= 1 && (1..=3).contains(&with_steps), "{said} {with_steps}: {all:#?}");
    assert_eq!(stage.door.with(|world| group(world, "other").1), 1);
    stage.door.with(|world| world.ec2.launches_again());
    stage.alarm("idle", true);
    stage.until("two tasks", |world| running(world) == 2).await;
    stage.alarm("idle", false);
    stage.traffic.assert_none_failed();
    stage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn an_az_without_capacity_costs_no_task_its_place() {
    let mut stage = shop(9, 4, &scaled(2, 10)).await;
    let zone = stage.door.with(|world| format!("{}b", world.config.region));
    stage.door.with(|world| world.ec2.launch_fails(LaunchFault::no_capacity_in(&zone)));
    stage.alarm("busy", true);
    stage.until("ten tasks", |world| running(world) == 10).await;
    stage.alarm("busy", false);
    stage.door.with(|world| world.ec2.launches_again());
    stage.until_quiet().await;
    stage.traffic.assert_none_failed();
    stage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn load_that_comes_and_goes_makes_no_instance_come_and_go() {
    let mut stage = shop(10, 4, &scaled(2, 6)).await;
    let mut sizes = BTreeSet::new();
    stage.alarm("busy", true);
    stage.until("six tasks", |world| running(world) == 6).await;
    stage.until("two instances", |world| group(world, "nodes") == (2, 2)).await;
    stage.alarm("busy", false);
    stage.door.with(|world| world.gate.log.clear());
    // Down and up again, a minute each: shorter than the cool-down.
    for round in 0..3 {
        stage.alarm(if round % 2 == 0 { "idle" } else { "busy" }, true);
        stage.run_for(Duration::from_secs(45)).await;
        sizes.insert(stage.door.with(|world| group(world, "nodes").0));
        stage.alarm("idle", false);
        stage.alarm("busy", false);
        stage.run_for(Duration::from_secs(15)).await;
    }
    assert_eq!(sizes, [2].into(), "the cool-down keeps them");
    stage.traffic.assert_none_failed();
    stage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn twenty_six_instances_become_two_in_budgeted_waves_without_a_failed_request() {
    let mut stage = shop(11, 30, &scaled(2, 104)).await;
    for _ in 0..26 {
        stage.alarm("busy", true);
        stage.run_for(Duration::from_mins(2)).await;
        if stage.door.with(|world| running(world)) == 102 {
            break;
        }
    }
    stage.alarm("busy", false);
    stage.until("twenty-six instances", |world| group(world, "nodes").1 == 26).await;
    let from = stage.now();
    stage.alarm("idle", true);
    let mut most = 0;
    while stage.door.with(|world| group(world, "nodes").0) > 2 {
        stage.run_for(Duration::from_secs(5)).await;
        let leaving = stage.door.with(|world| {
            let described = ecs::view::instances(world);
            described.iter().filter(|it| it.status == "DRAINING").count()
        });
        most = most.max(leaving);
        assert!(stage.now() < from + Duration::from_mins(40), "{}", stage.picture().await);
    }
    assert!((1..=5).contains(&most), "{most} at once: the budget is five");
    stage.alarm("idle", false);
    stage.traffic.assert_none_failed();
    stage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_protected_task_and_one_alone_keep_their_instances_until_they_are_free() {
    let mut stage = shop(12, 4, &scaled(2, 6)).await;
    stage.alarm("busy", true);
    stage.until("two instances", |world| running(world) == 6 && group(world, "nodes") == (2, 2)).await;
    stage.alarm("busy", false);
    let tasks = stage.door.with(|world| ecs::view::service(world, "main", "shop")).expect("shop").tasks;
    let all: Vec<String> = tasks.iter().map(|it| it.arn.clone()).collect();
    stage.by_hand(
        ServiceId::Ecs,
        "UpdateTaskProtection",
        &json!({"cluster": "main", "tasks": all, "protectionEnabled": true, "expiresInMinutes": 20}),
    );
    stage.alarm("idle", true);
    stage.run_for(Duration::from_mins(15)).await;
    stage.alarm("idle", false);
    assert_eq!(stage.door.with(|world| group(world, "nodes")), (2, 2), "protected");
    stage.until("free again, one goes", |world| group(world, "nodes") == (1, 1)).await;
    stage.traffic.assert_none_failed();
    stage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn the_scale_function_killed_at_any_call_of_scaling_out_buys_what_is_missing_and_no_more() {
    for call in (2..=34).step_by(4) {
        for when in [When::Before, When::After] {
            let mut stage = shop(40 + u64::from(call), 6, &scaled(2, 6)).await;
            let mut left = Some(Kill { call, when });
            let scale = stage.scale.clone();
            stage.door.set_kills(Box::new(move |invocation| {
                let is_it = invocation.function == scale && invocation.payload["source"] == "aws.cloudwatch";
                if is_it { left.take() } else { None }
            }));
            stage.alarm("busy", true);
            stage.until("six tasks", |world| running(world) == 6).await;
            stage.alarm("busy", false);
            assert_eq!(stage.door.with(|world| group(world, "nodes").0), 2, "call {call} {when:?}");
            stage.traffic.assert_none_failed();
            stage.finish().await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_scale_function_killed_in_the_middle_of_emptying_and_removing_ends_with_one_instance() {
    for call in (14..=44).step_by(3) {
        let mut stage = shop(80 + u64::from(call), 6, &scaled(2, 6)).await;
        stage.alarm("busy", true);
        stage.until("two instances", |world| running(world) == 6 && group(world, "nodes") == (2, 2)).await;
        stage.alarm("busy", false);
        stage.run_for(Duration::from_mins(6)).await;
        let mut left = 3;
        let scale = stage.scale.clone();
        stage.door.set_kills(Box::new(move |invocation| {
            if invocation.function == scale && left > 0 {
                left -= 1;
                return Some(Kill { call, when: When::After });
            }
            None
        }));
        stage.alarm("idle", true);
        stage.until("one instance", |world| running(world) == 2 && group(world, "nodes") == (1, 1)).await;
        stage.alarm("idle", false);
        stage.traffic.assert_none_failed();
        stage.finish().await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_alarm_that_no_spec_names_changes_nothing() {
    let mut stage = shop(13, 4, &scaled(2, 6)).await;
    stage.door.with(|world| world.gate.log.clear());
    stage.alarm("strange", true);
    stage.run_for(Duration::from_mins(5)).await;
    assert_eq!(scale_made(&stage, "UpdateService") + scale_made(&stage, "SetDesiredCapacity"), 0);
    assert_eq!(stage.row(&key("shop")).await.state.in_flight, None);
    stage.traffic.assert_none_failed();
    stage.finish().await;
}
