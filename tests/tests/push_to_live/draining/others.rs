//! Others that drain: ECS, people, scale. And marks that a dead pass left.

use std::time::Duration;

use serde_json::json;
use windlass_shared::ledger::{MARK, WhyItLeaves, mark};
use windlass_sim::{ServiceId, World, autoscaling, ecs};
use windlass_tests::function::timestamp;
use windlass_tests::{Stage, labelled};

use super::{
    HOOK, calls, cluster, finish, fullest, instance, is_gone, put_hook, services, settings, terminate,
};

fn set(stage: &Stage, arn: &str, status: &str) {
    let input = json!({"cluster": "main", "containerInstances": [arn], "status": status});
    stage.by_hand(ServiceId::Ecs, "UpdateContainerInstancesState", &input);
}

fn writes(stage: &Stage) -> Vec<String> {
    calls(stage).into_iter().filter(|call| super::is_write(call)).collect()
}

#[tokio::test(start_paused = true)]
async fn managed_draining_by_ecs_is_left_alone() {
    let mut stage = Stage::on_a_group(31, 0, 8).await;
    settings(&stage, "");
    let group = stage.by_hand(ServiceId::AutoScaling, "DescribeAutoScalingGroups", &json!({}));
    let provider = json!({"autoScalingGroupArn": group["AutoScalingGroups"][0]["AutoScalingGroupARN"],
        "managedScaling": {"status": "DISABLED"}, "managedTerminationProtection": "DISABLED",
        "managedDraining": "ENABLED"});
    let input = json!({"name": "own", "autoScalingGroupProvider": provider});
    stage.by_hand(ServiceId::Ecs, "CreateCapacityProvider", &input);
    let input =
        json!({"cluster": "main", "capacityProviders": ["own"], "defaultCapacityProviderStrategy": []});
    stage.by_hand(ServiceId::Ecs, "PutClusterCapacityProviders", &input);
    let capacity = json!({"AutoScalingGroupName": "nodes", "DesiredCapacity": 2});
    stage.by_hand(ServiceId::AutoScaling, "SetDesiredCapacity", &capacity);
    stage.run_for(Duration::from_mins(2)).await;
    services(&mut stage, &["shop", "blog"], 2).await;
    stage.door.with(|world| world.gate.log.clear());
    let id = fullest(&stage).instance_id;
    terminate(&stage, &id);
    stage.until("it drains", |world| instance(world, &id).is_some_and(|it| it.status == "DRAINING")).await;
    stage.until("it is gone", |world| is_gone(world, &id)).await;
    assert_eq!(writes(&stage), Vec::<String>::new());
    finish(stage).await;
}

#[tokio::test(start_paused = true)]
async fn what_a_person_drains_without_a_mark_is_left_alone() {
    let mut stage = cluster(32, 2).await;
    services(&mut stage, &["shop"], 2).await;
    stage.door.with(|world| world.gate.log.clear());
    let leaving = fullest(&stage);
    set(&stage, &leaving.arn, "DRAINING");
    stage.run_for(Duration::from_mins(40)).await;
    assert!(instance_is(&stage, &leaving.instance_id, "DRAINING"));
    assert_eq!(writes(&stage), Vec::<String>::new());
    finish(stage).await;
}

fn instance_is(stage: &Stage, id: &str, status: &str) -> bool {
    stage.door.with(|world| instance(world, id)).is_some_and(|it| it.status == status)
}

/// As a pass leaves it that dies right after its first write.
fn mark_by_hand(stage: &Stage, arn: &str, why: WhyItLeaves) {
    let value = mark(why, timestamp(stage.now()));
    let attribute =
        json!({"name": MARK, "value": value, "targetType": "container-instance", "targetId": arn});
    stage.by_hand(ServiceId::Ecs, "PutAttributes", &json!({"cluster": "main", "attributes": [attribute]}));
}

#[tokio::test(start_paused = true)]
async fn a_mark_that_a_dead_pass_left_is_gone_on_with_and_one_that_drains_is_seen_out() {
    let mut stage = cluster(33, 3).await;
    services(&mut stage, &["shop"], 3).await;
    let leaving = fullest(&stage);
    mark_by_hand(&stage, &leaving.arn, WhyItLeaves::Rotation);
    let id = leaving.instance_id.clone();
    stage.until("it drains", |world| instance(world, &id).is_some_and(|it| it.status == "DRAINING")).await;
    // Empty, scale removes it, Auto Scaling asks, and there is nothing to wait for.
    stage.until("it is gone", |world| is_gone(world, &id)).await;
    finish(stage).await;
}

#[tokio::test(start_paused = true)]
async fn two_that_drain_and_undrain_do_not_fight_over_what_need_not_leave() {
    let mut stage = cluster(34, 2).await;
    services(&mut stage, &["shop"], 2).await;
    let leaving = fullest(&stage);
    mark_by_hand(&stage, &leaving.arn, WhyItLeaves::Person);
    let id = leaving.instance_id.clone();
    stage.until("it drains", |world| instance(world, &id).is_some_and(|it| it.status == "DRAINING")).await;
    stage.run_for(Duration::from_mins(2)).await;
    set(&stage, &leaving.arn, "ACTIVE");
    stage.run_for(Duration::from_mins(5)).await;
    assert!(instance_is(&stage, &id, "ACTIVE"), "who set it active is believed");
    finish(stage).await;
}

const SHOP: &str = "
image: {repository: shop}
task: {cpu: 512, memory: 1024, port: 8080}
desired: 2
route: {paths: [/shop*]}
scaling:
  min: 2
  max: 10
  rules:
    - step: {alarm: busy, steps: [{beyond: 0, change: 8}]}
    - step: {alarm: idle, steps: [{beyond: 0, change: -10}]}
";

fn nodes(world: &World) -> (u32, usize) {
    autoscaling::group(world, "nodes").map_or((0, 0), |it| (it.desired, it.members.len()))
}

#[tokio::test(start_paused = true)]
async fn what_scale_empties_and_removes_is_let_go_at_once_by_the_hook() {
    let mut stage = Stage::on_a_group(35, 1, 6).await;
    put_hook(&stage, HOOK, 3600);
    stage.alarm("busy", false);
    stage.alarm("idle", false);
    stage.apply_spec("shop", SHOP);
    stage.push("shop", "latest", &labelled("1", &[]));
    let running = |world: &World| ecs::view::service(world, "main", "shop").map_or(0, |it| it.running);
    stage.until("shop is up", |world| running(world) == 2).await;
    stage.traffic.to(stage.now(), "/shop", 20);
    stage.alarm("busy", true);
    stage.until("ten tasks", |world| running(world) == 10).await;
    assert_eq!(stage.door.with(|world| nodes(world)), (3, 3));
    stage.alarm("busy", false);
    stage.alarm("idle", true);
    let waits = |world: &World| {
        let group = autoscaling::group(world, "nodes");
        group.is_some_and(|it| it.members.iter().any(|it| it.state == "Terminating:Wait"))
    };
    stage.until("scale removes one", waits).await;
    let began = stage.now();
    stage.until("it is let go", |world| !waits(world)).await;
    assert!(stage.now().since(began) <= Duration::from_secs(10), "{:?}", stage.now().since(began));
    stage.until("one instance is left", |world| nodes(world) == (1, 1)).await;
    finish(stage).await;
}
