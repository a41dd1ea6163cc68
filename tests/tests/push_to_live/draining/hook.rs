//! Auto Scaling ends an instance and waits for Windlass's hook.

use windlass_shared::ledger::HowItEnded;

use super::{calls, cluster, ended, finish, fullest, instance, is_gone, row, services, terminate};

#[tokio::test(start_paused = true)]
async fn an_instance_that_auto_scaling_ends_is_emptied_first_and_no_request_fails() {
    let mut stage = cluster(1, 3).await;
    services(&mut stage, &["shop", "blog", "wiki"], 2).await;
    let leaving = fullest(&stage);
    let id = leaving.instance_id.clone();
    assert!(leaving.tasks.len() >= 2, "{leaving:?}");
    terminate(&stage, &id);
    stage.until("it drains", |world| instance(world, &id).is_some_and(|it| it.status == "DRAINING")).await;
    stage.until("it is gone", |world| is_gone(world, &id)).await;
    assert_eq!(ended(&stage, &id).await, Some(HowItEnded::Empty));
    assert_eq!(row(&stage, &id).await.state.cut, []);
    let done = calls(&stage).iter().filter(|it| *it == "CompleteLifecycleAction").count();
    assert_eq!(done, 1);
    finish(stage).await;
}
