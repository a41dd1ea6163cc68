//! The function killed right after each of its calls; killed before the next is the same to the world.

use std::time::Duration;

use windlass_shared::ledger::HowItEnded;
use windlass_sim::door::in_process::Kill;
use windlass_sim::gate::faults::When;

use super::{cluster, ended, fullest, instance, is_gone, services, terminate};

/// No invocation makes this many calls.
const MANY: u32 = 80;

/// Whether the invocation came as far as its kill.
async fn killed(detail_type: &'static str, call: u32) -> bool {
    let mut stage = cluster(400 + u64::from(call), 2).await;
    services(&mut stage, &["shop"], 2).await;
    let id = fullest(&stage).instance_id;
    let mut left = Some(Kill { call, when: When::After });
    let drain = stage.drain.clone();
    stage.door.set_kills(Box::new(move |invocation| {
        let is_it = invocation.function == drain && invocation.payload["detail-type"] == detail_type;
        if is_it { left.take() } else { None }
    }));
    terminate(&stage, &id);
    stage.until("it drains", |world| instance(world, &id).is_none_or(|it| it.status == "DRAINING")).await;
    stage.until("it is gone", |world| is_gone(world, &id)).await;
    // Lambda tries it again after a minute.
    stage.run_for(Duration::from_secs(90)).await;
    assert_eq!(ended(&stage, &id).await, Some(HowItEnded::Empty), "call {call}");
    let killed = stage.errors().iter().any(|error| error.contains("signal: killed"));
    stage.traffic.assert_none_failed();
    stage.watch.verdict();
    assert_eq!(stage.dead_letters(), Vec::<String>::new());
    killed
}

async fn at_every_call(detail_type: &'static str) -> u32 {
    for call in 1..MANY {
        if !killed(detail_type, call).await {
            return call - 1;
        }
    }
    panic!("an invocation makes {MANY} calls")
}

#[tokio::test(start_paused = true)]
async fn a_drain_killed_at_any_call_of_its_first_pass_is_gone_on_with() {
    let calls = at_every_call("EC2 Instance-terminate Lifecycle Action").await;
    assert!(calls >= 12, "{calls} calls: did the hook ring?");
}

#[tokio::test(start_paused = true)]
async fn the_pass_that_lets_an_instance_go_may_be_killed_at_any_call() {
    let calls = at_every_call("ECS Task State Change").await;
    assert!(calls >= 6, "{calls} calls: did the task's end ring?");
}
