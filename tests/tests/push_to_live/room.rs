//! Room before a rollout: capacity comes first, then the rollout; and where none comes, it is said and
//! settled.

use std::time::Duration;

use serde_json::json;
use windlass_shared::id::ClusterName;
use windlass_shared::ledger::{Manner, WaitsOn};
use windlass_sim::bus::DeliveryFaults;
use windlass_sim::door::in_process::Kill;
use windlass_sim::gate::faults::When;
use windlass_sim::{ServiceId, World, autoscaling, ecs};
use windlass_tests::function::timestamp;
use windlass_tests::{Stage, key, labelled, version};

/// Four of its tasks fill an m5.large: 2,048 CPU units.
const SHOP: &str = "image: {repository: shop}\ntask: {cpu: 512, memory: 1024, port: 8080}\ndesired: 4\nroute: {paths: [/shop*]}\n";

/// `shop` with four tasks, which fill the group's one instance.
async fn full(seed: u64, max: u32, rollout: &str) -> Stage {
    let mut stage = Stage::on_a_group(seed, 1, max).await;
    stage.apply_spec("shop", &format!("{SHOP}{rollout}"));
    stage.push("shop", "latest", &version("1"));
    stage.until("shop is up", |world| running(world, "shop") == 4).await;
    stage.until_quiet().await;
    stage.traffic.to(stage.now(), "/shop", 20);
    stage
}

fn running(world: &World, service: &str) -> usize {
    ecs::view::service(world, "main", service).map_or(0, |it| it.running)
}

fn instances(world: &World) -> (u32, usize) {
    autoscaling::group(world, "nodes").map_or((0, 0), |it| (it.desired, it.in_service()))
}

/// The most instances that the group was to have.
async fn most_until_live(stage: &mut Stage) -> u32 {
    let mut most = 0;
    for _ in 0..600 {
        stage.run_for(Duration::from_secs(2)).await;
        most = most.max(stage.door.with(|world| instances(world).0));
        let is_settled = stage.row(&key("shop")).await.state.in_flight.is_none();
        let waits = stage.row(&key("shop")).await.state.marks.room.is_some();
        if is_settled && !waits && stage.door.with(|world| running(world, "shop") == 4) && most > 1 {
            break;
        }
    }
    stage.until_quiet().await;
    most
}

#[tokio::test(start_paused = true)]
async fn a_rolling_update_waits_for_the_room_of_its_surge_and_says_what_is_short() {
    let mut stage = full(1, 4, "").await;
    let two = stage.push("shop", "latest", &labelled("2", &[]));
    stage.run_for(Duration::from_secs(5)).await;
    let row = stage.row(&key("shop")).await;
    assert_eq!(row.state.in_flight, None, "nothing begins without room");
    assert_eq!(row.state.marks.waiting.as_ref().map(|it| it.on), Some(WaitsOn::Room));
    assert_eq!(row.state.marks.room.as_ref().map(|it| it.tasks), Some(4));
    let report = stage.report(&key("shop")).await;
    assert!(report.contains("needs room for 4 tasks and has it for 0: 512 CPU units short"), "{report}");
    assert!(report.contains("room comes (nodes: 1 more)"), "{report}");
    assert_eq!(most_until_live(&mut stage).await, 2, "exactly the instance that it needs");
    stage.assert_live("shop", &two);
    stage.until("the instance leaves again", |world| instances(world) == (1, 1)).await;
    stage.traffic.assert_none_failed();
    stage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_rollout_that_needs_room_rings_the_cluster_and_instances_are_asked_for_within_seconds() {
    let mut stage = full(9, 4, "").await;
    let bells = |world: &World| {
        world.bus.log.iter().filter(|it| it.event.detail_type() == "Windlass Cluster Doorbell").count()
    };
    // The first release had to wait for its instance, too.
    let before = stage.door.with(|world| bells(world));
    let pushed = stage.now();
    // No timer comes in between.
    stage.door.with(|world| world.bus.delivery = DeliveryFaults::lose("Scheduled Event"));
    stage.push("shop", "latest", &labelled("2", &[]));
    stage.run_for(Duration::from_secs(6)).await;
    stage.door.with(|world| world.bus.delivery = DeliveryFaults::default());
    let cluster = ClusterName::new("main");
    let history = stage.cluster_history(&cluster).await;
    // The newest: the first release asked, too.
    let mut newest = history.iter().rev();
    let asked = newest.find(|it| it.steps.iter().any(|step| step.step.starts_with("nodes: 1 → 2")));
    let asked = asked.unwrap_or_else(|| panic!("{history:#?}"));
    assert!(asked.cause.ends_with("a rollout of shop needs room"), "{history:#?}");
    assert!(asked.at.as_millisecond() - timestamp(pushed).as_millisecond() < 6_000);
    // It waits on, and rings no second time.
    stage.run_for(Duration::from_secs(40)).await;
    assert_eq!(stage.door.with(|world| bells(world)) - before, 1);
    assert_eq!(most_until_live(&mut stage).await, 2);
    stage.traffic.assert_none_failed();
    stage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_rollout_that_waits_begins_when_its_instance_has_registered_and_not_with_a_sweep() {
    let mut stage = full(11, 4, "").await;
    let two = stage.push("shop", "latest", &labelled("2", &[]));
    stage.until("a second instance is asked for", |world| instances(world).0 == 2).await;
    // From here on no timer rings anybody.
    stage.door.with(|world| world.bus.delivery = DeliveryFaults::lose("Scheduled Event"));
    let there = |world: &World| ecs::view::instances(world).len();
    stage.until("it has registered", |world| there(world) == 2).await;
    stage.run_for(Duration::from_secs(6)).await;
    let row = stage.row(&key("shop")).await.state;
    assert_eq!(row.in_flight.map(|it| it.digest), Some(two.clone()), "{:?}", row.last_report);
    let bells = stage.door.with(|world| {
        let bells = world.bus.log.iter().filter(|it| it.event.detail_type() == "Windlass Doorbell");
        bells.map(|it| it.event.detail().to_string()).collect::<Vec<_>>()
    });
    // The first release waited, too.
    assert!(bells.len() <= 2 && bells.iter().all(|it| it.contains("there is room")), "{bells:?}");
    stage.door.with(|world| world.bus.delivery = DeliveryFaults::default());
    stage.until("shop is up", |world| running(world, "shop") == 4).await;
    stage.until_quiet().await;
    stage.assert_live("shop", &two);

    // Where nobody waits an instance's events are read, and no pass is made.
    let from = stage.door.with(|world| world.lambda.log.len());
    let more = json!({"AutoScalingGroupName": "nodes", "DesiredCapacity": 3});
    stage.by_hand(ServiceId::AutoScaling, "SetDesiredCapacity", &more);
    stage.until("another one", |world| there(world) == 3).await;
    stage.run_for(Duration::from_secs(3)).await;
    let said = stage.door.with(|world| {
        let answers = world.lambda.log.iter().skip(from).map(|it| format!("{:?}", it.ended));
        answers.filter(|it| it.contains("no rollout of main waits for room")).count()
    });
    assert!(said >= 1);
    stage.traffic.assert_none_failed();
    stage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_lost_bell_for_room_costs_a_minute() {
    let mut stage = full(10, 4, "").await;
    stage.door.with(|world| world.bus.delivery = DeliveryFaults::lose("Windlass Cluster Doorbell"));
    let two = stage.push("shop", "latest", &labelled("2", &[]));
    stage.run_for(Duration::from_secs(66)).await;
    assert_eq!(stage.door.with(|world| instances(world).0), 2);
    assert_eq!(most_until_live(&mut stage).await, 2);
    stage.assert_live("shop", &two);
    stage.traffic.assert_none_failed();
    stage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn where_nobody_or_ecs_itself_brings_instances_it_begins_and_says_so() {
    for (seed, is_managed) in [(31, true), (32, false)] {
        let mut stage = full(seed, 4, "").await;
        let words = if is_managed {
            manage(&stage);
            "managed scaling of nodes"
        } else {
            // The group is no longer Windlass's.
            let tag = json!({"Key": "windlass:cluster", "ResourceId": "nodes",
                "ResourceType": "auto-scaling-group"});
            stage.by_hand(ServiceId::AutoScaling, "DeleteTags", &json!({"Tags": [tag]}));
            "no Auto Scaling group has the tag"
        };
        let two = stage.push("shop", "latest", &labelled("2", &[]));
        stage.run_for(Duration::from_secs(6)).await;
        let row = stage.row(&key("shop")).await.state;
        assert_eq!(row.in_flight.map(|it| it.digest), Some(two), "{:?}", row.last_report);
        let history = stage.history(&key("shop")).await;
        let report: Vec<&String> = history.iter().flat_map(|it| &it.report).collect();
        assert!(report.iter().any(|it| it.contains(words)), "{report:#?}");
        // It has no room, and the old ones serve.
        stage.run_for(Duration::from_mins(2)).await;
        stage.traffic.assert_none_failed();
    }
}

/// ECS's managed scaling owns the group from now on.
fn manage(stage: &Stage) {
    let names = json!({"AutoScalingGroupNames": ["nodes"]});
    let groups = stage.by_hand(ServiceId::AutoScaling, "DescribeAutoScalingGroups", &names);
    let arn = &groups["AutoScalingGroups"][0]["AutoScalingGroupARN"];
    let provider = json!({"name": "cp", "autoScalingGroupProvider": {
        "autoScalingGroupArn": arn, "managedScaling": {"status": "ENABLED", "targetCapacity": 100}}});
    stage.by_hand(ServiceId::Ecs, "CreateCapacityProvider", &provider);
    let put = json!({"cluster": "main", "capacityProviders": ["cp"], "defaultCapacityProviderStrategy": []});
    stage.by_hand(ServiceId::Ecs, "PutClusterCapacityProviders", &put);
}

#[tokio::test(start_paused = true)]
async fn a_blue_green_rollout_waits_for_the_room_of_a_whole_second_set() {
    let mut stage = full(2, 4, "rollout: {strategy: blue_green, bake_minutes: 1}\n").await;
    let two = stage.push("shop", "latest", &labelled("2", &[]));
    stage.run_for(Duration::from_secs(5)).await;
    let room = stage.row(&key("shop")).await.state.marks.room;
    assert_eq!(room.map(|it| it.tasks), Some(4), "{}", stage.report(&key("shop")).await);
    assert_eq!(most_until_live(&mut stage).await, 2);
    stage.assert_live("shop", &two);
    assert_eq!(stage.releases(&key("shop")).await.last().map(|it| it.manner), Some(Manner::BlueGreen));
    stage.traffic.assert_none_failed();
    stage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_canary_waits_for_the_room_of_its_share_alone() {
    let canary = "rollout: {strategy: {canary: {steps: [{percent: 25, minutes: 2}]}}}\n";
    let mut stage = full(3, 4, canary).await;
    let two = stage.push("shop", "latest", &labelled("2", &[]));
    stage.run_for(Duration::from_secs(5)).await;
    let room = stage.row(&key("shop")).await.state.marks.room;
    assert_eq!(room.map(|it| it.tasks), Some(1), "{}", stage.report(&key("shop")).await);
    // The canary beside the service and its own rolling update: nine tasks at most.
    assert_eq!(most_until_live(&mut stage).await, 3);
    stage.assert_live("shop", &two);
    stage.traffic.assert_none_failed();
    stage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_slower_strategy_by_the_spec_takes_the_room_that_there_is() {
    // Three tasks: there is room for one beside them, and a second set would need three.
    let spec = SHOP.replace("desired: 4", "desired: 3");
    let mut stage = Stage::on_a_group(4, 1, 4).await;
    let rollout = "rollout: {strategy: blue_green, bake_minutes: 1, room: {if_short: slower}}\n";
    stage.apply_spec("shop", &format!("{spec}{rollout}"));
    stage.push("shop", "latest", &version("1"));
    stage.until("shop is up", |world| running(world, "shop") == 3).await;
    stage.until_quiet().await;
    stage.traffic.to(stage.now(), "/shop", 20);
    let two = stage.push("shop", "latest", &labelled("2", &[]));
    stage.run_for(Duration::from_secs(5)).await;
    let begun = stage.row(&key("shop")).await.state.in_flight.unwrap_or_else(|| panic!("it begins at once"));
    assert_eq!(begun.manner, Manner::Rolling);
    let report: Vec<String> =
        stage.history(&key("shop")).await.into_iter().flat_map(|it| it.report).collect();
    let report = report.join("\n");
    assert!(report.contains("room for 1 of its 3 tasks"), "{report}");
    assert!(report.contains("task by task, as its spec says"), "{report}");
    stage.until_quiet().await;
    stage.assert_live("shop", &two);
    // With room again the next one is blue/green again.
    stage.by_hand(
        ServiceId::AutoScaling,
        "SetDesiredCapacity",
        &json!({"AutoScalingGroupName": "nodes", "DesiredCapacity": 2}),
    );
    stage.run_for(Duration::from_mins(3)).await;
    let three = stage.push("shop", "latest", &labelled("3", &[]));
    stage.run_for(Duration::from_secs(5)).await;
    stage.until_quiet().await;
    stage.assert_live("shop", &three);
    assert_eq!(stage.releases(&key("shop")).await.last().map(|it| it.manner), Some(Manner::BlueGreen));
    stage.traffic.assert_none_failed();
    stage.until("one instance again", |world| instances(world) == (1, 1)).await;
    stage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_group_at_its_most_is_said_within_one_pass_and_more_of_it_is_used_at_once() {
    let rollout = "rollout: {room: {then: wait}}\n";
    let mut stage = full(5, 1, rollout).await;
    let two = stage.push("shop", "latest", &labelled("2", &[]));
    stage.run_for(Duration::from_secs(5)).await;
    let report = stage.report(&key("shop")).await;
    assert!(report.contains("512 CPU units short on the only instance (i-"), "{report}");
    assert!(report.contains("no room comes: nodes: it has its most, 1; raise its maximum"), "{report}");
    // It waits on, longer than it would have by itself.
    stage.run_for(Duration::from_mins(15)).await;
    assert_eq!(stage.row(&key("shop")).await.state.in_flight, None);
    stage.by_hand(
        ServiceId::AutoScaling,
        "UpdateAutoScalingGroup",
        &json!({"AutoScalingGroupName": "nodes", "MaxSize": 2}),
    );
    assert_eq!(most_until_live(&mut stage).await, 2);
    stage.assert_live("shop", &two);
    stage.traffic.assert_none_failed();
    stage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_rollout_that_has_waited_its_time_goes_as_ecs_would() {
    let rollout = "rollout: {circuit_breaker: false, timeout_minutes: 10, room: {wait_minutes: 5}}\n";
    let mut stage = full(6, 1, rollout).await;
    let two = stage.push("shop", "latest", &labelled("2", &[]));
    stage.run_for(Duration::from_mins(4)).await;
    assert_eq!(stage.row(&key("shop")).await.state.in_flight, None);
    stage.run_for(Duration::from_mins(3)).await;
    let row = stage.row(&key("shop")).await;
    assert_eq!(row.state.in_flight.map(|it| it.digest), Some(two.clone()));
    assert_eq!(row.state.marks.room, None);
    // Nothing makes room: it is given up, without blame, and the old ones have served all along.
    stage.run_for(Duration::from_mins(15)).await;
    let why = stage.row(&key("shop")).await.quarantine[&two].clone();
    assert!(why.reason.starts_with("no capacity: ") && why.until.is_some(), "{why:?}");
    stage.traffic.assert_none_failed();
    stage.by_hand(
        ServiceId::AutoScaling,
        "UpdateAutoScalingGroup",
        &json!({"AutoScalingGroupName": "nodes", "MaxSize": 2}),
    );
    stage.run_for(Duration::from_mins(20)).await;
    stage.until_quiet().await;
    stage.assert_live("shop", &two);
    stage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn by_the_spec_it_begins_whatever_room_there_is() {
    let mut stage = full(7, 4, "").await;
    stage.apply_spec("shop", &format!("{SHOP}rollout: {{room: {{if_short: go}}}}\n"));
    stage.until_quiet().await;
    // Instances that take their time.
    stage.door.with(|world| world.ec2.pace.boot = (240, 300));
    let two = stage.push("shop", "latest", &labelled("2", &[]));
    stage.run_for(Duration::from_secs(5)).await;
    assert!(stage.row(&key("shop")).await.state.in_flight.is_some());
    // ECS's breaker counts what has no place, and gives up before instances are there: this is why it
    // waits where the spec does not say otherwise.
    stage.run_for(Duration::from_mins(4)).await;
    let failed = stage.row(&key("shop")).await.quarantine.get(&two).cloned();
    let Some(why) = failed else { panic!("{}", stage.picture().await) };
    assert!(why.reason.starts_with("no capacity: ") && why.until.is_some(), "{why:?}");
    stage.apply_spec("shop", SHOP);
    stage.run_for(Duration::from_mins(20)).await;
    stage.until_quiet().await;
    stage.assert_live("shop", &two);
    stage.traffic.assert_none_failed();
    stage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn room_is_looked_for_only_where_the_instances_seem_to_have_none() {
    let mut stage = Stage::on_a_group(8, 3, 4).await;
    stage.put_parameter("/windlass/clusters/main", "capacity: {consolidation: {enabled: false}}");
    stage.apply_spec("shop", SHOP);
    stage.push("shop", "latest", &version("1"));
    stage.until_quiet().await;
    stage.door.with(|world| world.gate.log.clear());
    let two = stage.push("shop", "latest", &labelled("2", &[]));
    stage.run_for(Duration::from_secs(5)).await;
    assert!(stage.row(&key("shop")).await.state.in_flight.is_some());
    assert_eq!(
        stage.count("autoscaling:DescribeAutoScalingGroups"),
        0,
        "the deploy function looks at no group"
    );
    assert_eq!(stage.count("ecs:ListTasks"), 0);
    stage.until_quiet().await;
    stage.assert_live("shop", &two);
    stage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_deploy_pass_killed_anywhere_on_its_way_to_room_ends_live_and_registers_once() {
    for call in [8, 14, 18, 20, 22, 24, 26, 28, 30] {
        for when in [When::Before, When::After] {
            let mut stage = full(20 + u64::from(call), 4, "").await;
            let mut left = Some(Kill { call, when });
            stage.door.set_kills(Box::new(move |invocation| {
                let is_push = invocation.payload["detail-type"] == "ECR Image Action";
                if is_push { left.take() } else { None }
            }));
            let two = stage.push("shop", "latest", &labelled("2", &[]));
            assert_eq!(most_until_live(&mut stage).await, 2, "call {call} {when:?}");
            stage.assert_live("shop", &two);
            assert_eq!(stage.registrations("main-shop").values().copied().max(), Some(1));
            stage.traffic.assert_none_failed();
            stage.finish().await;
        }
    }
}
