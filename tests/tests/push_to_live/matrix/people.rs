//! What people do in the midst of a rollout: go back, deploy something of their own.

use std::time::Duration;

use serde_json::json;
use windlass_shared::ledger::RollbackTo;
use windlass_sim::ServiceId;
use windlass_tests::{key, version};

use super::super::strategies::until_at;
use super::shop::{Shop, Strategy};

const WORDS: &str = "rolled back by ann: it is slow";

/// `windlass rollback` at each moment of a rollout.
pub(super) async fn rollback(strategy: Strategy) {
    for (n, moment) in (0..).zip(strategy.moments()) {
        println!("{strategy:?} at {moment:?}");
        let mut shop = Shop::new(strategy, strategy.seed(10) + n, "").await;
        let two = shop.release_until(moment).await;
        shop.stage.roll_back(&key("shop"), RollbackTo::Previous).await;
        shop.went_back(&two, WORDS).await;
    }
    if strategy != Strategy::Rolling {
        at_test_traffic(strategy).await;
        while_asked(strategy).await;
    }
}

/// Only test requests reach the new version, which is being verified.
async fn at_test_traffic(strategy: Strategy) {
    let more = ", test_route: {header: x-test, values: [new]}";
    let mut shop = Shop::verified(strategy, strategy.seed(11), more, "{alarms: [errors]}").await;
    shop.verification_waits(true);
    let two = shop.push(&version("2"));
    if strategy.is_ecs_shift() {
        until_at(&mut shop.stage, "POST_TEST_TRAFFIC_SHIFT").await;
    } else {
        shop.stage.until_weight("shop", 250).await;
        shop.stage.run_for(Duration::from_secs(90)).await;
    }
    shop.stage.run_for(Duration::from_secs(40)).await;
    assert_eq!(shop.stage.test_request("/shop", "x-test", "new"), Some(two.to_string()));
    shop.stage.roll_back(&key("shop"), RollbackTo::Previous).await;
    shop.stage.run_for(Duration::from_mins(2)).await;
    shop.verification_waits(false);
    shop.over().await;
    assert_eq!(shop.stage.test_request("/shop", "x-test", "new"), Some(shop.one.to_string()));
    shop.went_back(&two, WORDS).await;
}

/// ECS, or Windlass, waits for a person's yes to the first requests.
async fn while_asked(strategy: Strategy) {
    let mut shop = Shop::new(strategy, strategy.seed(12), ", approval: {before: traffic}").await;
    let two = shop.push(&version("2"));
    let end = shop.stage.now() + Duration::from_mins(20);
    while shop.stage.row(&key("shop")).await.state.marks.question.is_none() {
        assert!(shop.stage.now() < end, "nobody asks\n{}", shop.stage.picture().await);
        shop.stage.run_for(Duration::from_secs(5)).await;
    }
    shop.stage.roll_back(&key("shop"), RollbackTo::Previous).await;
    shop.over().await;
    assert!(!shop.was_met(&two), "nobody said yes");
    shop.went_back(&two, WORDS).await;
}

/// At each moment somebody deploys a revision of their own, which works: what Windlass did is
/// superseded and not blamed, theirs is not taken for it, and in the end the newest image runs.
pub(super) async fn own_deployment(strategy: Strategy) {
    for (n, moment) in (0..).zip(strategy.moments()) {
        println!("{strategy:?} at {moment:?}");
        let mut shop = Shop::new(strategy, strategy.seed(13) + n, "").await;
        let two = shop.release_until(moment).await;
        let theirs = their_revision(&shop);
        let update = json!({"cluster": "main", "service": "shop", "taskDefinition": theirs});
        shop.stage.by_hand(ServiceId::Ecs, "UpdateService", &update);
        shop.stage.run_for(Duration::from_secs(70)).await;
        shop.over().await;
        let row = shop.stage.row(&key("shop")).await;
        assert!(row.quarantine.is_empty(), "{row:?}");
        shop.ends_live(&two).await;
    }
}

/// Version 1 with more memory, registered by hand.
fn their_revision(shop: &Shop) -> String {
    let mut revision = shop.stage.revisions("main-shop").swap_remove(0);
    revision["containerDefinitions"][0]["memory"] = json!(192);
    let members = ["family", "containerDefinitions", "networkMode", "requiresCompatibilities"];
    let kept = members.iter().filter(|name| !revision[**name].is_null());
    let input: serde_json::Map<_, _> =
        kept.map(|name| ((*name).to_owned(), revision[*name].clone())).collect();
    let made = shop.stage.by_hand(ServiceId::Ecs, "RegisterTaskDefinition", &input.into());
    made["taskDefinition"]["taskDefinitionArn"].as_str().expect("an ARN").to_owned()
}
