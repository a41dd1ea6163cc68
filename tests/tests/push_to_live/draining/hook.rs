//! Auto Scaling ends an instance and waits for Windlass's hook.

use std::time::Duration;

use serde_json::json;
use windlass_shared::ledger::HowItEnded;
use windlass_sim::bus::DeliveryFaults;
use windlass_sim::{ServiceId, World};
use windlass_tests::{Stage, version};

use super::{calls, cluster, ended, finish, fullest, instance, is_gone, member, row, services, terminate};

fn proceeds(world: &World, id: &str) -> bool {
    member(world, id).is_none_or(|it| it.state == "Terminating:Proceed")
}

/// The instance's targets in every target group, and how they stand.
fn targets(stage: &Stage, id: &str) -> Vec<String> {
    let elb = ServiceId::ElasticLoadBalancing;
    let groups = stage.by_hand(elb, "DescribeTargetGroups", &json!({}));
    let groups = groups["TargetGroups"].as_array().cloned().unwrap_or_default();
    let mut found = Vec::new();
    for group in groups {
        let asked = json!({"TargetGroupArn": group["TargetGroupArn"]});
        let health = stage.by_hand(elb, "DescribeTargetHealth", &asked);
        for target in health["TargetHealthDescriptions"].as_array().into_iter().flatten() {
            if target["Target"]["Id"] == id {
                found.push(target["TargetHealth"]["State"].to_string());
            }
        }
    }
    found
}

#[tokio::test(start_paused = true)]
async fn an_instance_that_auto_scaling_ends_is_emptied_first_and_no_request_fails() {
    let mut stage = cluster(1, 3).await;
    services(&mut stage, &["shop", "blog", "wiki"], 2).await;
    let leaving = fullest(&stage);
    let id = leaving.instance_id.clone();
    assert!(leaving.tasks.len() >= 2, "{leaving:?}");
    assert!(!targets(&stage, &id).is_empty());
    terminate(&stage, &id);
    stage.until("it drains", |world| instance(world, &id).is_some_and(|it| it.status == "DRAINING")).await;
    // The hook is completed when the last task has stopped and the last target has left: aws-cdk#13506.
    stage.until("it proceeds", |world| proceeds(world, &id)).await;
    assert_eq!(targets(&stage, &id), Vec::<String>::new());
    assert!(stage.door.with(|world| instance(world, &id)).is_none_or(|it| it.tasks.is_empty()));
    stage.until("it is gone", |world| is_gone(world, &id)).await;
    assert_eq!(ended(&stage, &id).await, Some(HowItEnded::Empty));
    assert_eq!(row(&stage, &id).await.state.cut, []);
    let done = calls(&stage).iter().filter(|it| *it == "CompleteLifecycleAction").count();
    assert_eq!(done, 1);
    finish(stage).await;
}

#[tokio::test(start_paused = true)]
async fn a_service_of_one_task_moves_before_its_instance_ends() {
    let mut stage = cluster(2, 2).await;
    services(&mut stage, &["shop"], 1).await;
    let id = fullest(&stage).instance_id;
    terminate(&stage, &id);
    stage.until("it is gone", |world| is_gone(world, &id)).await;
    finish(stage).await;
}

#[tokio::test(start_paused = true)]
async fn lost_events_cost_a_minute_each_and_no_request() {
    let mut stage = cluster(3, 2).await;
    services(&mut stage, &["shop", "blog"], 2).await;
    stage.door.with(|world| {
        world.bus.delivery = DeliveryFaults::new(|event| {
            let is_timer = event.detail_type() == "Scheduled Event";
            if is_timer { windlass_sim::bus::Delivery::Usual } else { windlass_sim::bus::Delivery::Lost }
        });
    });
    let id = fullest(&stage).instance_id;
    terminate(&stage, &id);
    let began = stage.now();
    stage.until("it is gone", |world| is_gone(world, &id)).await;
    assert!(stage.now().since(began) < Duration::from_mins(5), "{:?}", stage.now().since(began));
    finish(stage).await;
}

#[tokio::test(start_paused = true)]
async fn an_instance_that_ends_in_the_middle_of_a_rollout_takes_nobody_with_it() {
    let mut stage = cluster(4, 3).await;
    let what = windlass_tests::account::ByHand {
        desired: 4,
        ..windlass_tests::account::ByHand::tracking("shop", "shop:latest")
    };
    stage.service_by_hand(&what).await;
    stage.traffic.to(stage.now(), "/shop", 20);
    let two = stage.push("shop", "latest", &version("2"));
    stage
        .until("the rollout goes on", |world| {
            windlass_sim::ecs::view::service(world, "main", "shop")
                .is_some_and(|it| it.rollout == "IN_PROGRESS")
        })
        .await;
    stage.run_for(Duration::from_secs(5)).await;
    let id = fullest(&stage).instance_id;
    terminate(&stage, &id);
    stage.until("it is gone", |world| is_gone(world, &id)).await;
    stage.until_quiet().await;
    stage.assert_live("shop", &two);
    finish(stage).await;
}

#[tokio::test(start_paused = true)]
async fn two_instances_at_once_are_both_emptied() {
    let mut stage = cluster(5, 3).await;
    services(&mut stage, &["shop", "blog"], 3).await;
    let mut ids: Vec<String> = Vec::new();
    for it in stage.door.with(|world| windlass_sim::ecs::view::instances(world)).into_iter().take(2) {
        terminate(&stage, &it.instance_id);
        ids.push(it.instance_id);
    }
    stage.until("both are gone", |world| ids.iter().all(|id| is_gone(world, id))).await;
    finish(stage).await;
}
