//! Alarms to capacity: tasks by their alarms, and exactly the instances that they need.

use std::time::Duration;

use windlass_sim::{World, autoscaling, ecs};
use windlass_tests::{Stage, labelled};

/// Four of its tasks fill an m5.large: 2,048 CPU units.
const SHOP: &str = "
image: {repository: shop}
task: {cpu: 512, memory: 1024, port: 8080}
desired: 2
route: {paths: [/shop*]}
scaling:
  min: 2
  max: 10
  rules:
    - step: {alarm: busy, steps: [{beyond: 0, change: 4}]}
    - step: {alarm: idle, steps: [{beyond: 0, change: -10}]}
";

/// `shop` with two tasks on a group of one instance.
async fn shop(seed: u64, max: u32) -> Stage {
    let mut stage = Stage::on_a_group(seed, 1, max).await;
    stage.alarm("busy", false);
    stage.alarm("idle", false);
    stage.apply_spec("shop", SHOP);
    stage.push("shop", "latest", &labelled("1", &[]));
    stage.until("shop is up", |world| running(world, "shop") == 2).await;
    stage.until_quiet().await;
    stage
}

fn running(world: &World, service: &str) -> usize {
    ecs::view::service(world, "main", service).map_or(0, |it| it.running)
}

fn instances(world: &World) -> (u32, usize) {
    autoscaling::group(world, "nodes").map_or((0, 0), |it| (it.desired, it.in_service()))
}

#[tokio::test(start_paused = true)]
async fn an_alarm_rings_and_tasks_and_exactly_the_instances_they_need_come_and_go_again() {
    let mut stage = shop(1, 6).await;
    stage.traffic.to(stage.now(), "/shop", 20);
    assert_eq!(stage.door.with(|world| instances(world)), (1, 1));

    stage.alarm("busy", true);
    // It rings on, without another event: 2, 6, 10, and no further.
    stage.until("ten tasks", |world| running(world, "shop") == 10).await;
    stage.run_for(Duration::from_mins(3)).await;
    assert_eq!(stage.door.with(|world| (running(world, "shop"), instances(world))), (10, (3, 3)));

    stage.alarm("busy", false);
    stage.alarm("idle", true);
    stage
        .until("two tasks on one instance", |world| running(world, "shop") == 2 && instances(world) == (1, 1))
        .await;
    stage.until_quiet().await;
    stage.run_for(Duration::from_mins(10)).await;
    assert_eq!(
        stage.door.with(|world| (running(world, "shop"), instances(world))),
        (2, (1, 1)),
        "no flapping"
    );
    stage.traffic.assert_none_failed();
    stage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_deploy_keeps_the_number_of_tasks_that_scaling_chose() {
    let mut stage = shop(2, 6).await;
    // Task by task in the room that is there: a surge would have to wait for its instances.
    let rollout = "rollout: {strategy: rolling, min_healthy_percent: 50, max_percent: 100}\n";
    stage.watch.min_percent("shop", 50);
    stage.apply_spec("shop", &format!("{SHOP}{rollout}"));
    stage.until_quiet().await;
    stage.traffic.to(stage.now(), "/shop", 10);
    stage.alarm("busy", true);
    stage.until("six tasks", |world| running(world, "shop") == 6).await;
    stage.alarm("busy", false);
    let two = stage.push("shop", "latest", &labelled("2", &[]));
    stage.until_quiet().await;
    stage.assert_live("shop", &two);
    assert_eq!(stage.door.with(|world| running(world, "shop")), 6);
    stage.traffic.assert_none_failed();
    stage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_deploy_finds_the_room_of_its_surge_first_and_keeps_the_number_that_scaling_chose() {
    let mut stage = shop(4, 6).await;
    stage.traffic.to(stage.now(), "/shop", 10);
    stage.alarm("busy", true);
    stage.until("six tasks", |world| running(world, "shop") == 6).await;
    stage.alarm("busy", false);
    let two = stage.push("shop", "latest", &labelled("2", &[]));
    // Six beside six: three instances where there were two.
    let mut most = 0;
    while stage.running("shop") != [two.to_string()].into()
        || stage.door.with(|world| running(world, "shop")) != 6
    {
        stage.run_for(Duration::from_secs(1)).await;
        most = most.max(stage.door.with(|world| instances(world).0));
    }
    assert_eq!(most, 3);
    stage.until_quiet().await;
    stage.assert_live("shop", &two);
    assert_eq!(stage.door.with(|world| running(world, "shop")), 6);
    stage.traffic.assert_none_failed();
    stage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_new_application_finds_its_room_from_an_empty_cluster_with_one_instance() {
    let mut stage = Stage::on_a_group(3, 0, 6).await;
    stage.apply_spec("shop", "image: {repository: shop}\ntask: {cpu: 512, memory: 1024, port: 8080}\ndesired: 4\nroute: {paths: [/shop*]}\n");
    stage.push("shop", "latest", &labelled("1", &[]));
    stage.until("shop is up", |world| running(world, "shop") == 4).await;
    assert_eq!(stage.door.with(|world| instances(world)), (1, 1), "roadmap#1716: one is enough");
    stage.until_quiet().await;
    stage.finish().await;
}

/// An instance that no group has was put there by a person: it is looked up, counted, and left.
#[tokio::test(start_paused = true)]
async fn an_instance_beside_the_groups_is_asked_about_and_stays() {
    let mut stage = shop(3, 6).await;
    stage.door.with(|world| windlass_tests::account::instance(world, 90));
    stage.door.with(|world| world.gate.log.clear());
    stage.run_for(Duration::from_mins(20)).await;
    let scale = windlass_sim::lambda::access_key(&stage.scale);
    let asked = stage.door.with(|world| {
        let mut calls = world.gate.log.records();
        calls.any(|it| it.caller.access_key == scale && it.operation == "DescribeAutoScalingInstances")
    });
    assert!(asked, "whose it is");
    let by_hand = format!("i-{:017x}", 90);
    let there = stage.door.with(|world| ecs::view::instances(world));
    let by_hand = there.iter().find(|it| it.instance_id == by_hand);
    assert!(by_hand.is_some_and(|it| it.status == "ACTIVE"), "{there:?}");
}
