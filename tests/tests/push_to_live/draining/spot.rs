//! EC2 takes spot instances back: in two minutes, or perhaps.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use windlass_shared::ledger::HowItEnded;
use windlass_sim::{ServiceId, ec2};
use windlass_tests::Stage;

use super::{HOOK, calls, ended, finish, fullest, instance, is_gone, put_hook, row, services, settings};

/// The group on spot instances, whose agents are told `agent`.
async fn on_spot(seed: u64, agent: &str) -> Stage {
    let mut stage = Stage::on_a_group(seed, 0, 8).await;
    settings(&stage, "");
    put_hook(&stage, HOOK, 300);
    let script = format!("#!/bin/bash\necho ECS_CLUSTER=main >> /etc/ecs/ecs.config\n{agent}\n");
    let data = json!({"InstanceType": "m5.large", "ImageId": "ami-1", "UserData": STANDARD.encode(script),
        "InstanceMarketOptions": {"MarketType": "spot"}});
    let version = json!({"LaunchTemplateName": "nodes", "LaunchTemplateData": data});
    stage.by_hand(ServiceId::Ec2, "CreateLaunchTemplateVersion", &version);
    let capacity = json!({"AutoScalingGroupName": "nodes", "DesiredCapacity": 3});
    stage.by_hand(ServiceId::AutoScaling, "SetDesiredCapacity", &capacity);
    stage.run_for(Duration::from_mins(2)).await;
    stage
}

#[tokio::test(start_paused = true)]
async fn a_spot_interruption_is_survived_within_its_two_minutes() {
    let mut stage = on_spot(21, "").await;
    services(&mut stage, &["shop", "blog", "solo"], 2).await;
    let id = fullest(&stage).instance_id;
    assert!(stage.door.with(|world| ec2::interrupt_spot(world, &id)));
    let warned = stage.now();
    // Empty before its two minutes are over, it is ended by scale: nothing comes in its place that its tasks
    // have not asked for.
    stage.until("it is gone", |world| is_gone(world, &id)).await;
    assert!(stage.now().since(warned) <= Duration::from_mins(2), "{:?}", stage.now().since(warned));
    assert_eq!(ended(&stage, &id).await, Some(HowItEnded::Empty));
    assert_eq!(row(&stage, &id).await.state.cut, []);
    finish(stage).await;
}

#[tokio::test(start_paused = true)]
async fn a_recommendation_that_no_interruption_follows_is_taken_back() {
    let mut stage = on_spot(22, "").await;
    services(&mut stage, &["shop", "blog"], 2).await;
    let id = fullest(&stage).instance_id;
    assert!(stage.door.with(|world| ec2::recommend_rebalance(world, &id)));
    let is = |status: &'static str| {
        let id = id.clone();
        move |world: &windlass_sim::World| instance(world, &id).is_some_and(|it| it.status == status)
    };
    stage.until("it drains", is("DRAINING")).await;
    stage.until("it is taken back", is("ACTIVE")).await;
    stage.run_for(Duration::from_mins(5)).await;
    assert!(stage.door.with(|world| is("ACTIVE")(world)), "it stays so");
    assert_eq!(ended(&stage, &id).await, Some(HowItEnded::TakenBack));
    assert!(calls(&stage).iter().any(|it| it == "DeleteAttributes"), "its mark is off");
    finish(stage).await;
}

#[tokio::test(start_paused = true)]
async fn a_recommendation_that_an_interruption_follows_ends_as_one() {
    let mut stage = on_spot(23, "").await;
    services(&mut stage, &["shop"], 3).await;
    let id = fullest(&stage).instance_id;
    stage.door.with(|world| ec2::recommend_rebalance(world, &id));
    stage.run_for(Duration::from_secs(90)).await;
    stage.door.with(|world| ec2::interrupt_spot(world, &id));
    stage.until("it is gone", |world| is_gone(world, &id)).await;
    let left = row(&stage, &id).await.state;
    assert_eq!(left.leaves.map(|it| it.why), Some(windlass_shared::ledger::WhyItLeaves::Spot));
    assert_eq!(left.cut, []);
    finish(stage).await;
}

#[tokio::test(start_paused = true)]
async fn the_agents_own_spot_draining_is_left_alone_and_nobody_fights() {
    let agent = "echo ECS_ENABLE_SPOT_INSTANCE_DRAINING=true >> /etc/ecs/ecs.config";
    let mut stage = on_spot(24, agent).await;
    services(&mut stage, &["shop", "blog"], 2).await;
    let id = fullest(&stage).instance_id;
    stage.door.with(|world| ec2::interrupt_spot(world, &id));
    stage.run_for(Duration::from_secs(110)).await;
    let left = stage.door.with(|world| instance(world, &id)).expect("its two minutes are not over");
    assert_eq!((left.status.as_str(), left.tasks.len()), ("DRAINING", 0));
    let own = ["PutAttributes", "DeleteAttributes", "UpdateContainerInstancesState", "StopTask"];
    let made: Vec<String> = calls(&stage).into_iter().filter(|it| own.contains(&it.as_str())).collect();
    assert_eq!(made, Vec::<String>::new(), "the agent was first");
    stage.until("it is gone", |world| is_gone(world, &id)).await;
    finish(stage).await;
}
