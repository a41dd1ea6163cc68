//! What does not leave by itself.

use std::time::Duration;

use serde_json::json;
use windlass_shared::ledger::HowItEnded;
use windlass_sim::ServiceId;
use windlass_sim::ecs::view;
use windlass_tests::Stage;

use super::{
    calls, cluster, ended, finish, fullest, instance, is_gone, put_hook, row, services, settings, terminate,
};

/// A job that no service starts again, on this instance.
fn job(stage: &Stage, id: &str) -> String {
    let here = json!([{"type": "memberOf", "expression": format!("ec2InstanceId == {id}")}]);
    let input =
        json!({"cluster": "main", "taskDefinition": "shop", "group": "jobs", "placementConstraints": here});
    let out = stage.by_hand(ServiceId::Ecs, "RunTask", &input);
    out["tasks"][0]["taskArn"].as_str().unwrap_or_else(|| panic!("{out}")).to_owned()
}

fn percent(stage: &Stage, service: &str, min: u32, max: u32) {
    let percent = json!({"minimumHealthyPercent": min, "maximumPercent": max});
    let input = json!({"cluster": "main", "service": service, "deploymentConfiguration": percent});
    stage.by_hand(ServiceId::Ecs, "UpdateService", &input);
}

#[tokio::test(start_paused = true)]
async fn a_job_that_does_not_end_is_stopped_when_the_time_is_up_and_recorded_as_cut() {
    let mut stage = cluster(11, 2).await;
    settings(&stage, "timeout_secs: 300");
    services(&mut stage, &["shop"], 2).await;
    let id = fullest(&stage).instance_id;
    let job = job(&stage, &id);
    stage.run_for(Duration::from_secs(20)).await;
    terminate(&stage, &id);
    stage.run_for(Duration::from_secs(280)).await;
    let left = stage.door.with(|world| instance(world, &id)).expect("it waits");
    assert_eq!(left.tasks, std::slice::from_ref(&job), "the service's tasks have moved");
    stage.until("it is gone", |world| is_gone(world, &id)).await;
    assert_eq!(ended(&stage, &id).await, Some(HowItEnded::TimedOut));
    let cut = row(&stage, &id).await.state.cut;
    assert_eq!(cut.iter().map(|it| it.task.as_str()).collect::<Vec<_>>(), [job.as_str()]);
    let stopped = stage.door.with(|world| view::task(world, &job)).and_then(|it| it.stopped_reason);
    assert_eq!(stopped.as_deref(), Some("Windlass: the time to drain its instance is up"));
    finish(stage).await;
}

#[tokio::test(start_paused = true)]
async fn a_job_that_is_to_be_waited_for_is_with_a_heartbeat_until_it_ends() {
    let mut stage = cluster(12, 2).await;
    settings(&stage, "timeout_secs: 120, on_timeout: wait");
    put_hook(&stage, super::HOOK, 240);
    services(&mut stage, &["shop"], 2).await;
    let id = fullest(&stage).instance_id;
    let job = job(&stage, &id);
    stage.run_for(Duration::from_secs(20)).await;
    terminate(&stage, &id);
    // Without a word Auto Scaling would have gone on after four minutes.
    stage.run_for(Duration::from_mins(15)).await;
    assert!(
        stage
            .door
            .with(|world| instance(world, &id))
            .is_some_and(|it| it.tasks == std::slice::from_ref(&job))
    );
    assert!(calls(&stage).iter().any(|it| it == "RecordLifecycleActionHeartbeat"));
    assert!(!calls(&stage).iter().any(|it| it == "StopTask"));
    stage.by_hand(ServiceId::Ecs, "StopTask", &json!({"cluster": "main", "task": job}));
    stage.until("it is gone", |world| is_gone(world, &id)).await;
    assert_eq!(row(&stage, &id).await.state.cut, []);
    finish(stage).await;
}

#[tokio::test(start_paused = true)]
async fn a_service_that_ecs_cannot_move_is_told_at_once_and_stopped_in_the_load_balancers_order_when_the_time_is_up()
 {
    let mut stage = cluster(13, 2).await;
    settings(&stage, "timeout_secs: 120");
    services(&mut stage, &["shop"], 2).await;
    // ECS refuses 100 and 100; of two tasks these are the same: two at least, two at most.
    percent(&stage, "shop", 75, 125);
    stage.until_quiet().await;
    let id = fullest(&stage).instance_id;
    terminate(&stage, &id);
    stage.run_for(Duration::from_secs(20)).await;
    let report = row(&stage, &id).await.state.last_report;
    assert!(report.iter().any(|note| note.contains("shop: ECS cannot move its tasks")), "{report:?}");
    // Below its minimum by the policy's word; the other one answers meanwhile.
    stage.watch.tolerate("shop");
    stage.until("it is gone", |world| is_gone(world, &id)).await;
    let cut = row(&stage, &id).await.state.cut;
    assert!(!cut.is_empty() && cut.iter().all(|it| it.group == "service:shop"), "{cut:?}");
    finish(stage).await;
}
