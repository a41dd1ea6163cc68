//! A canary ended from outside: by a person's rollback wherever it stands, and by a service
//! that cannot be updated.

use std::time::Duration;

use serde_json::json;
use windlass_shared::ledger::{Outcome, RollbackTo};
use windlass_sim::ServiceId;
use windlass_tests::account::instance;
use windlass_tests::{ImageDigest, Stage, key, labelled, version};

use super::canary::{ASKS, STEPS, assert_only, shop, spec};

/// Quick steps, to where the service itself is updated.
const QUICK: &str = "{percent: 50, minutes: 0}";

/// Rolls back by hand: the requests are with the service alone before any task of the canary's
/// goes; then it is over, and stays so.
async fn rolled_back(mut stage: Stage, one: &ImageDigest, two: &ImageDigest) {
    stage.roll_back(&key("shop"), RollbackTo::Previous).await;
    let end = stage.now() + Duration::from_mins(2);
    while stage.desired("shop").1 > 0 {
        assert!(stage.now() < end, "{}", stage.picture().await);
        stage.run_for(Duration::from_millis(500)).await;
    }
    assert!(matches!(stage.weights("shop").1, None | Some(0)), "weights first: {:?}", stage.weights("shop"));
    stage.until_quiet().await;
    assert_only(&stage, one);
    let row = stage.row(&key("shop")).await;
    assert_eq!(row.quarantine[two].reason, "rolled back by ann: it is slow");
    let last = row.state.last_release.unwrap();
    assert_eq!((last.outcome, &last.digest), (Outcome::RolledBack, two));
    assert_eq!(last.reason.as_deref(), Some("rolled back by ann: it is slow"));
    assert!(row.state.marks.question.is_none(), "nobody is asked any more");
    stage.assert_registered("main-shop", &[one, two]);
    stage.run_for(Duration::from_mins(5)).await;
    assert_only(&stage, one);
    stage.traffic.assert_none_failed();
    // A newer push ends it.
    let three = stage.push("shop", "latest", &version("3"));
    stage.run_for(Duration::from_secs(3)).await;
    stage.until_quiet().await;
    assert_only(&stage, &three);
    stage.traffic.assert_none_failed();
    stage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_rollback_while_it_comes_up() {
    let (mut stage, one) = shop(450, STEPS, "").await;
    let two = stage.push("shop", "latest", &labelled("2", &[("sim.start_secs", "120")]));
    stage.until_weight("shop", 0).await;
    stage.run_for(Duration::from_secs(10)).await;
    assert_eq!((stage.weights("shop").1, stage.desired("shop").1), (Some(0), 1));
    rolled_back(stage, &one, &two).await;
}

#[tokio::test(start_paused = true)]
async fn a_rollback_at_a_step() {
    let (mut stage, one) = shop(451, STEPS, "").await;
    let two = stage.push("shop", "latest", &version("2"));
    stage.until_weight("shop", 500).await;
    rolled_back(stage, &one, &two).await;
}

#[tokio::test(start_paused = true)]
async fn a_rollback_while_a_person_is_asked() {
    let (mut stage, one) = shop(452, ASKS, "").await;
    let two = stage.push("shop", "latest", &version("2"));
    stage.until_weight("shop", 250).await;
    stage.run_for(Duration::from_mins(3)).await;
    assert!(stage.row(&key("shop")).await.state.marks.question.is_some());
    stage.roll_back(&key("shop"), RollbackTo::Previous).await;
    stage.run_for(Duration::from_secs(3)).await;
    stage.until_quiet().await;
    assert_only(&stage, &one);
    let row = stage.row(&key("shop")).await;
    assert!(row.state.marks.question.is_none(), "nobody is asked any more");
    let last = row.state.last_release.unwrap();
    assert_eq!((last.outcome, &last.digest), (Outcome::RolledBack, &two));
    assert_eq!(last.reason.as_deref(), Some("rolled back by ann: it is slow"));
    stage.traffic.assert_none_failed();
    stage.finish().await;
}

/// Until the service itself is being updated.
async fn until_promotion(stage: &mut Stage) {
    let before = stage.described("shop")["taskDefinition"].clone();
    let end = stage.now() + Duration::from_mins(30);
    while stage.described("shop")["taskDefinition"] == before {
        assert!(stage.now() < end, "no promotion\n{}", stage.picture().await);
        stage.run_for(Duration::from_millis(500)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_rollback_as_the_promotion_begins() {
    let (mut stage, one) = shop(453, QUICK, ", grace_secs: 60").await;
    let two = stage.push("shop", "latest", &version("2"));
    until_promotion(&mut stage).await;
    rolled_back(stage, &one, &two).await;
}

#[tokio::test(start_paused = true)]
async fn a_rollback_in_the_middle_of_the_promotion() {
    for (seed, secs) in [(457, 10), (458, 25), (459, 40)] {
        let (mut stage, one) = shop(seed, QUICK, ", grace_secs: 60").await;
        let two = stage.push("shop", "latest", &labelled("2", &[("sim.start_secs", "15")]));
        until_promotion(&mut stage).await;
        stage.run_for(Duration::from_secs(secs)).await;
        let report = stage.report(&key("shop")).await;
        assert!(report.contains("promoted, the service itself is updated"), "{report}");
        rolled_back(stage, &one, &two).await;
    }
}

/// The image goes away when only the canary has it: the service's own tasks cannot be pulled,
/// and ECS's breaker trips.
#[tokio::test(start_paused = true)]
async fn a_promotion_that_ecs_gives_up_is_given_up() {
    let (mut stage, one) = shop(454, QUICK, "").await;
    let two = stage.push("shop", "latest", &version("2"));
    stage.until_weight("shop", 500).await;
    stage.delete_image("shop", &two);
    stage.run_for(Duration::from_mins(6)).await;
    assert_eq!(stage.push("shop", "latest", &version("2")), two, "the same image again");
    stage.run_for(Duration::from_secs(3)).await;
    stage.until_quiet().await;
    assert_only(&stage, &one);
    let row = stage.row(&key("shop")).await;
    assert!(row.quarantine[&two].until.is_none(), "{:?}", row.quarantine[&two]);
    let last = row.state.last_release.unwrap();
    assert_eq!((last.outcome, &last.digest), (Outcome::RolledBack, &two), "{last:?}");
    stage.assert_registered("main-shop", &[&one, &two]);
    stage.traffic.assert_none_failed();
    stage.finish().await;
}

/// Six tasks have room: four and the canary's two, and none for the service's update.
#[tokio::test(start_paused = true)]
async fn a_promotion_without_room_is_given_up_without_blame_and_tried_again() {
    let mut stage = Stage::new(455).await;
    stage.apply_spec("shop", &spec(QUICK, "").replace("cpu: 64", "cpu: 1300"));
    let one = stage.push("shop", "latest", &version("1"));
    stage.run_for(Duration::from_secs(2)).await;
    stage.until_quiet().await;
    stage.traffic.to(stage.now(), "/shop", 20);
    let two = stage.push("shop", "latest", &version("2"));
    until_promotion(&mut stage).await;
    stage.run_for(Duration::from_mins(12)).await;
    assert_only(&stage, &one);
    let row = stage.row(&key("shop")).await;
    let why = &row.quarantine[&two];
    assert!(why.reason.starts_with("no capacity: ") && why.until.is_some(), "{why:?}");
    stage.door.with(|world| instance(world, 3));
    stage.run_for(Duration::from_mins(16)).await;
    stage.until_quiet().await;
    assert_only(&stage, &two);
    stage.assert_registered("main-shop", &[&one, &two]);
    stage.traffic.assert_none_failed();
    stage.finish().await;
}

/// Somebody scales the service to nothing in the middle: nothing can be compared any more, and
/// nobody else may answer.
#[tokio::test(start_paused = true)]
async fn a_service_scaled_to_nothing_leaves_its_canary_serving() {
    let (mut stage, _) = shop(456, STEPS, "").await;
    stage.push("shop", "latest", &version("2"));
    stage.until_weight("shop", 100).await;
    stage.run_for(Duration::from_secs(10)).await;
    let scale = |desired: u32| json!({"cluster": "main", "service": "shop", "desiredCount": desired});
    stage.by_hand(ServiceId::Ecs, "UpdateService", &scale(0));
    stage.run_for(Duration::from_mins(2)).await;
    assert_eq!(stage.weights("shop"), (0, Some(999)));
    stage.by_hand(ServiceId::Ecs, "UpdateService", &scale(4));
    stage.until_weight("shop", 100).await;
    stage.until_quiet().await;
    assert_eq!(stage.desired("shop"), (4, 0));
    stage.finish().await;
}
