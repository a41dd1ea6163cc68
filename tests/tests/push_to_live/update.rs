//! A push to a service that is there.

use std::time::Duration;

use windlass_tests::account::ByHand;
use windlass_tests::{ImageDigest, Stage, key, version};

/// `shop` with two tasks on version 1 of `shop:latest`, made by hand and tracked by its tag.
pub(crate) async fn shop(seed: u64) -> (Stage, ImageDigest) {
    let mut stage = Stage::new(seed).await;
    let one = stage.service_by_hand(&ByHand::tracking("shop", "shop:latest")).await;
    (stage, one)
}

#[tokio::test(start_paused = true)]
async fn a_push_goes_live_under_traffic_without_a_failed_request() {
    let (mut stage, one) = shop(1).await;
    stage.traffic.to(stage.now(), "/shop", 20);
    let two = stage.push("shop", "latest", &version("2"));
    stage.until_quiet().await;
    stage.assert_live("shop", &two);
    stage.assert_registered("shop", &[&one, &two]);
    stage.run_for(Duration::from_secs(5)).await;
    stage.traffic.assert_none_failed();
    assert!(stage.traffic.counts("/shop").by_digest[two.as_str()] > 0, "the new image answers");
    insta::assert_snapshot!(stage.story(&key("shop"), &[("1", &one), ("2", &two)]).await, @r"
    1: live (from nothing)
    2: live (from 1)
    ");
    stage.finish().await;
}
