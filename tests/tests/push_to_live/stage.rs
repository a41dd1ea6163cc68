//! The stage's own eyes: what would be the worth of invariants that never break?

use std::time::Duration;

use serde_json::json;
use windlass_sim::ServiceId;
use windlass_sim::call::{Call, Caller};
use windlass_sim::ecs::view;
use windlass_sim::lambda::access_key;
use windlass_tests::Stage;

use super::update::shop;

fn stop_all(stage: &Stage) {
    let tasks = stage.door.with(|world| view::service(world, "main", "shop")).expect("shop").tasks;
    for task in tasks {
        stage.by_hand(ServiceId::Ecs, "StopTask", &json!({"cluster": "main", "task": task.arn}));
    }
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "shop has 0 healthy tasks, its minimum is 2")]
async fn a_service_below_its_minimum_is_seen() {
    let (mut stage, _) = shop(1).await;
    stop_all(&stage);
    stage.run_for(Duration::from_secs(2)).await;
    stage.watch.verdict();
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "requests to /shop failed")]
async fn a_failed_request_is_seen() {
    let (mut stage, _) = shop(2).await;
    stage.traffic.to(stage.now(), "/shop", 10);
    stop_all(&stage);
    stage.run_for(Duration::from_secs(20)).await;
    stage.traffic.assert_none_failed();
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "of ours has no healthy target")]
async fn an_open_rule_without_a_healthy_target_is_seen() {
    let (mut stage, _) = super::create::made(3).await;
    stop_all(&stage);
    stage.run_for(Duration::from_secs(2)).await;
    stage.watch.verdict();
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "a sweep of a quiet world writes: [\"ecs:UpdateService\"")]
async fn a_sweep_that_writes_is_seen() {
    let (stage, _) = shop(4).await;
    let caller = Caller { access_key: access_key(&stage.function) };
    let input = json!({"cluster": "main", "service": "shop", "desiredCount": 2});
    let call = Call { service: ServiceId::Ecs, operation: "UpdateService".into(), input, caller };
    stage.door.with(|world| {
        world.gate.log.clear();
        world.call(&call).expect("an update")
    });
    stage.assert_only_reads(&[]).await;
}
