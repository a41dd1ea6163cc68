//! A base on demand and the rest by weight, over two Auto Scaling groups: what comes, what goes, and what takes
//! over while EC2 has no spot instances.

use std::time::Duration;

use serde_json::json;
use windlass_shared::id::ClusterName;
use windlass_sim::ec2::{LaunchError, LaunchFault, Market};
use windlass_sim::{ServiceId, World, autoscaling, ecs};
use windlass_tests::{Stage, version};

use super::scaling::{another_group, user_data};

/// Four of its tasks fill an m5.large: 18 want five instances.
const SHOP: &str = "
image: {repository: shop}
task: {cpu: 512, memory: 1024, port: 8080}
desired: 2
route: {paths: [/shop*]}
scaling:
  min: 2
  max: 18
  rules:
    - step: {alarm: busy, steps: [{beyond: 0, change: 16}]}
    - step: {alarm: idle, steps: [{beyond: 0, change: -16}]}
";
const STRATEGY: &str = "capacity: {strategy: [{group: nodes, base: 1}, {group: spot, weight: 3}]}";

/// `shop` on a group on demand with one instance, beside a spot group with none.
async fn shop(seed: u64) -> Stage {
    let mut stage = Stage::on_a_group(seed, 1, 6).await;
    let data = json!({"InstanceType": "m5.large", "ImageId": "ami-1", "UserData": user_data(),
        "InstanceMarketOptions": {"MarketType": "spot"}});
    let template = json!({"LaunchTemplateName": "spot-template", "LaunchTemplateData": data});
    stage.by_hand(ServiceId::Ec2, "CreateLaunchTemplate", &template);
    let from = json!({"LaunchTemplate": {"LaunchTemplateName": "spot-template", "Version": "$Latest"}});
    another_group(&stage, "spot", "m5.large", 6, &from);
    stage.put_parameter("/windlass/clusters/main", STRATEGY);
    stage.alarm("busy", false);
    stage.alarm("idle", false);
    stage.apply_spec("shop", SHOP);
    stage.push("shop", "latest", &version("1"));
    stage.until("shop is up", |world| running(world) == 2).await;
    stage.until_quiet().await;
    stage.traffic.to(stage.now(), "/shop", 20);
    stage
}

fn running(world: &World) -> usize {
    ecs::view::service(world, "main", "shop").map_or(0, |it| it.running)
}

/// How many instances are in service on demand, and as spot.
fn mix(world: &World) -> (usize, usize) {
    let of = |name| autoscaling::group(world, name).map_or(0, |it| it.in_service());
    (of("nodes"), of("spot"))
}

#[tokio::test(start_paused = true)]
async fn a_base_on_demand_comes_first_and_goes_last_and_spot_has_the_rest() {
    let mut stage = shop(1).await;
    assert_eq!(stage.door.with(|world| mix(world)), (1, 0), "the base");
    stage.alarm("busy", true);
    stage.until("eighteen tasks", |world| running(world) == 18).await;
    stage.alarm("busy", false);
    assert_eq!(stage.door.with(|world| mix(world)), (1, 4), "five, and only the base on demand");
    stage.alarm("idle", true);
    stage.until("the base alone again", |world| running(world) == 2 && mix(world) == (1, 0)).await;
    stage.alarm("idle", false);
    stage.traffic.assert_none_failed();
    stage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn where_there_are_no_spot_instances_on_demand_takes_over_and_gives_back_what_comes_later() {
    let mut stage = shop(2).await;
    let fault = LaunchFault {
        az: None,
        instance_type: None,
        market: Some(Market::Spot),
        error: LaunchError::InsufficientInstanceCapacity,
    };
    stage.door.with(|world| world.ec2.launch_fails(fault));
    stage.alarm("busy", true);
    stage.until("eighteen tasks, on demand", |world| running(world) == 18).await;
    stage.alarm("busy", false);
    assert_eq!(stage.door.with(|world| mix(world)), (5, 0));
    let history = stage.cluster_history(&ClusterName::new("main")).await;
    let steps: Vec<&String> = history.iter().flat_map(|it| it.steps.iter().map(|it| &it.step)).collect();
    let instead = "nodes: 1 → 5 instances (14 tasks have no place; spot, whose turn it is, fails to launch)";
    assert!(steps.iter().any(|it| *it == instead), "{steps:#?}");
    let said = |it: &String| it.starts_with("spot: its launches fail since");
    assert!(history.iter().any(|it| it.report.iter().any(said)), "{history:#?}");

    // What Auto Scaling still owes comes once EC2 has it again: by the shares it is those on demand that go.
    stage.run_for(Duration::from_mins(5)).await;
    stage.door.with(|world| world.ec2.launches_again());
    stage.until("the base and four spot instances", |world| mix(world) == (1, 4)).await;
    assert_eq!(stage.door.with(|world| running(world)), 18);
    stage.until_quiet().await;
    stage.run_for(Duration::from_mins(30)).await;
    assert_eq!(stage.door.with(|world| mix(world)), (1, 4), "no flapping");
    stage.traffic.assert_none_failed();
    stage.finish().await;
}
