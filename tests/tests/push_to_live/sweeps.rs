//! Law 5: what a sweep cannot do anything about costs reads, minute after minute, and no write.

use std::time::Duration;

use windlass_tests::{Stage, broken, key, version};

use super::update::shop;

const SPEC: &str = "image: {repository: shop}\ntask: {container: web, cpu: 128, memory: 256, port: 80}";

/// Many sweeps, after the one that noted what there is.
async fn reads_only(stage: &mut Stage) {
    stage.run_for(Duration::from_secs(65)).await;
    for _ in 0..5 {
        stage.sweeps_without_a_write().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_changed_spec_whose_image_failed_is_swept_without_a_write() {
    let (mut stage, one) = shop(1300).await;
    stage.hold(&key("shop"), "both at once").await;
    stage.apply_spec("shop", SPEC);
    let bad = stage.push("shop", "latest", &broken("2"));
    stage.resume(&key("shop")).await;
    stage.run_for(Duration::from_mins(3)).await;
    stage.until_quiet().await;
    stage.assert_live("shop", &one);
    let row = stage.row(&key("shop")).await;
    assert!(row.quarantine.contains_key(&bad), "{row:?}");
    reads_only(&mut stage).await;
    // It is not asleep.
    let three = stage.push("shop", "latest", &version("3"));
    stage.run_for(Duration::from_secs(3)).await;
    stage.until_quiet().await;
    stage.assert_live("shop", &three);
    assert_eq!(stage.revisions("shop").pop().unwrap()["containerDefinitions"][0]["memory"], 256);
    stage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_service_that_never_settled_is_swept_without_a_write() {
    let mut stage = Stage::new(1301).await;
    let spec = |name: &str| format!("image: {{repository: {name}}}\ntask: {{cpu: 64, memory: 64}}");
    // One without a repository, one without an image that fits, one for no cluster of ours.
    stage.apply_spec("lost", &spec("lost"));
    stage.push("cart", "wip", &version("1"));
    stage.apply_spec("cart", &spec("cart"));
    stage.put_parameter("/windlass/services/mian/shop", &spec("shop"));
    stage.push("shop", "latest", &version("1"));
    stage.run_for(Duration::from_mins(2)).await;
    for (name, words) in [("lost", "repository lost"), ("cart", "no image")] {
        let report = stage.report(&key(name)).await;
        assert!(report.contains(words), "{name}: {report}");
        assert!(stage.row(&key(name)).await.state.settled.is_none());
    }
    reads_only(&mut stage).await;
    let one = stage.push("cart", "latest", &version("2"));
    stage.run_for(Duration::from_secs(30)).await;
    stage.assert_live("cart", &one);
    stage.watch.verdict();
}

#[tokio::test(start_paused = true)]
async fn a_first_release_that_failed_is_swept_without_a_write() {
    let mut stage = Stage::new(1302).await;
    stage.watch.tolerate("shop");
    stage.apply_spec("shop", SPEC);
    let bad = stage.push("shop", "latest", &broken("1"));
    stage.run_for(Duration::from_mins(5)).await;
    let row = stage.row(&key("shop")).await;
    assert!(row.quarantine.contains_key(&bad) && row.state.settled.is_none(), "{row:?}");
    reads_only(&mut stage).await;
    let two = stage.push("shop", "latest", &version("2"));
    stage.run_for(Duration::from_secs(3)).await;
    stage.until_quiet().await;
    stage.assert_live("shop", &two);
    stage.finish().await;
}
