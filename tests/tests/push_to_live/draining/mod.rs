//! Instances that leave: under traffic, with 0 failed requests.

mod hook;
mod kills;
mod others;
mod spot;
mod timeout;

use std::time::Duration;

use serde_json::json;
use windlass_shared::ledger::{HowItEnded, InstanceKey, InstanceRow};
use windlass_sim::autoscaling::MemberView;
use windlass_sim::ecs::view::InstanceView;
use windlass_sim::lambda::access_key;
use windlass_sim::{ServiceId, World, autoscaling, ecs};
use windlass_tests::account::ByHand;
use windlass_tests::{CLUSTER, Stage};

/// The hook's name begins with `windlass`: ours to complete.
pub(super) const HOOK: &str = "windlass-drain";

/// A cluster on so many instances, whose group asks Windlass before it ends one.
pub(super) async fn cluster(seed: u64, instances: u32) -> Stage {
    let mut stage = Stage::on_a_group(seed, 0, 8).await;
    // What is spare here is none of these scenarios.
    settings(&stage, "");
    put_hook(&stage, HOOK, 300);
    let capacity = json!({"AutoScalingGroupName": "nodes", "DesiredCapacity": instances});
    stage.by_hand(ServiceId::AutoScaling, "SetDesiredCapacity", &capacity);
    stage.run_for(Duration::from_mins(2)).await;
    stage
}

/// The cluster's section on draining.
pub(super) fn settings(stage: &Stage, drain: &str) {
    let text = format!("capacity: {{consolidation: {{enabled: false}}, drain: {{{drain}}}}}");
    stage.put_parameter("/windlass/clusters/main", &text);
}

pub(super) fn put_hook(stage: &Stage, name: &str, heartbeat: u32) {
    let hook = json!({"AutoScalingGroupName": "nodes", "LifecycleHookName": name, "DefaultResult": "CONTINUE",
        "LifecycleTransition": "autoscaling:EC2_INSTANCE_TERMINATING", "HeartbeatTimeout": heartbeat});
    stage.by_hand(ServiceId::AutoScaling, "PutLifecycleHook", &hook);
}

/// Services by hand, each with traffic.
pub(super) async fn services(stage: &mut Stage, names: &[&str], tasks: u32) {
    for name in names {
        let what =
            ByHand { track: None, desired: tasks, ..ByHand::tracking(name, &format!("{name}:latest")) };
        stage.service_by_hand(&what).await;
        stage.traffic.to(stage.now(), &format!("/{name}"), 10);
    }
}

/// The fullest instance.
pub(super) fn fullest(stage: &Stage) -> InstanceView {
    let all = stage.door.with(|world| ecs::view::instances(world));
    all.into_iter().max_by_key(|it| it.tasks.len()).expect("an instance")
}

pub(super) fn instance(world: &World, id: &str) -> Option<InstanceView> {
    ecs::view::instances(world).into_iter().find(|it| it.instance_id == id)
}

pub(super) fn member(world: &World, id: &str) -> Option<MemberView> {
    autoscaling::group(world, "nodes")?.members.into_iter().find(|it| it.instance_id == id)
}

pub(super) fn is_gone(world: &World, id: &str) -> bool {
    instance(world, id).is_none() && member(world, id).is_none()
}

/// Auto Scaling ends it, as when its zones are balanced or a person says so; another one comes.
pub(super) fn terminate(stage: &Stage, id: &str) {
    let input = json!({"InstanceId": id, "ShouldDecrementDesiredCapacity": false});
    stage.by_hand(ServiceId::AutoScaling, "TerminateInstanceInAutoScalingGroup", &input);
}

pub(super) async fn row(stage: &Stage, id: &str) -> InstanceRow {
    stage.ledger().row(&InstanceKey::new(CLUSTER, id)).await.expect("a row")
}

pub(super) async fn ended(stage: &Stage, id: &str) -> Option<HowItEnded> {
    row(stage, id).await.state.ended.map(|end| end.how)
}

/// Calls of the drain function since the log began.
pub(super) fn calls(stage: &Stage) -> Vec<String> {
    let caller = access_key(&stage.drain);
    stage.door.with(|world| {
        let records = world.gate.log.records().filter(|record| record.caller.access_key == caller);
        records.filter(|it| it.error.is_none()).map(|it| it.operation.clone()).collect()
    })
}

/// Nothing failed, and in the quiet world that came of it two more timers ring without a write.
pub(super) async fn finish(mut stage: Stage) {
    stage.until_quiet().await;
    stage.run_for(Duration::from_mins(2)).await;
    stage.traffic.assert_none_failed();
    stage.door.with(|world| world.gate.log.clear());
    stage.run_for(Duration::from_secs(130)).await;
    let writes: Vec<String> = calls(&stage).into_iter().filter(|call| is_write(call)).collect();
    assert!(writes.is_empty(), "a quiet world, and drain writes: {writes:?}");
    assert!(!calls(&stage).is_empty(), "no timer came");
    stage.finish().await;
}

pub(super) fn is_write(call: &str) -> bool {
    !["Describe", "List", "Get", "BatchGet", "Query"].iter().any(|word| call.starts_with(word))
}
