//! Capacity goes away in the midst of a rollout: fewer tasks are wanted, or an instance leaves.

use std::time::Duration;

use serde_json::json;
use windlass_sim::ServiceId;
use windlass_sim::ecs::view;
use windlass_tests::account::instance;

use super::shop::{Shop, Strategy, desired};

/// At each moment autoscaling (or somebody) lowers the desired count: it is never put back.
pub(super) async fn fewer_wanted(strategy: Strategy) {
    for (n, moment) in (0..).zip(strategy.moments()) {
        println!("{strategy:?} at {moment:?}");
        let mut shop = Shop::new(strategy, strategy.seed(14) + n, "").await;
        let two = shop.release_until(moment).await;
        let scale = json!({"cluster": "main", "service": "shop", "desiredCount": 2});
        shop.stage.by_hand(ServiceId::Ecs, "UpdateService", &scale);
        shop.over().await;
        assert_eq!(desired(&shop.stage), 2, "{moment:?}");
        shop.ends_live(&two).await;
    }
}

/// At each moment an instance with tasks of both versions is drained, and goes once it is empty.
pub(super) async fn instance_leaves(strategy: Strategy) {
    for (n, moment) in (0..).zip(strategy.moments()) {
        println!("{strategy:?} at {moment:?}");
        let mut shop = Shop::new(strategy, strategy.seed(15) + n, "").await;
        shop.stage.door.with(|world| instance(world, 3));
        let two = shop.release_until(moment).await;
        let leaves = shop.stage.door.with(|world| {
            let all = view::instances(world);
            all.into_iter().find(|it| !it.tasks.is_empty()).expect("an instance with tasks").arn
        });
        let drain = json!({"cluster": "main", "containerInstances": [leaves], "status": "DRAINING"});
        shop.stage.by_hand(ServiceId::Ecs, "UpdateContainerInstancesState", &drain);
        shop.over().await;
        shop.stage.run_for(Duration::from_mins(2)).await;
        let left = shop.stage.door.with(|world| {
            let all = view::instances(world);
            all.into_iter().find(|it| it.arn == leaves).expect("it is registered").tasks
        });
        assert!(left.is_empty(), "{moment:?}: it is empty: {left:?}");
        shop.ends_live(&two).await;
    }
}
