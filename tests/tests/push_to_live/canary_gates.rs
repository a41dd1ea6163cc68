//! What is put before rollouts keeps a canary at its step, too; giving it up asks nobody.

use std::time::Duration;

use windlass_shared::ledger::StopScope;
use windlass_tests::{key, version};

use super::canary::{STEPS, assert_only, shop};

const LONG: Duration = Duration::from_mins(15);

#[tokio::test(start_paused = true)]
async fn a_stop_keeps_it_at_its_share_and_start_lets_it_go_on() {
    let (mut stage, _) = shop(440, STEPS, "").await;
    let two = stage.push("shop", "latest", &version("2"));
    stage.until_weight("shop", 100).await;
    stage.stop(&StopScope::Everywhere, "an incident").await;
    stage.run_for(LONG).await;
    assert_eq!((stage.weights("shop").1, stage.desired("shop")), (Some(100), (4, 1)));
    let report = stage.report(&key("shop")).await;
    assert!(report.contains("everything is stopped by ann") && report.contains("it stays here"), "{report}");
    stage.sweeps_without_a_write().await;
    stage.start(&StopScope::Everywhere).await;
    stage.until_weight("shop", 500).await;
    stage.until_quiet().await;
    assert_only(&stage, &two);
    stage.traffic.assert_none_failed();
    stage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn it_is_given_up_though_everything_is_stopped() {
    let (mut stage, one) = shop(441, STEPS, ", alarms: [errors]").await;
    let two = stage.push("shop", "latest", &version("2"));
    stage.until_weight("shop", 100).await;
    stage.stop(&StopScope::Cluster("main".into()), "an incident").await;
    stage.run_for(LONG).await;
    stage.alarm("errors", true);
    stage.run_for(Duration::from_secs(70)).await;
    stage.until_quiet().await;
    assert_only(&stage, &one);
    let row = stage.row(&key("shop")).await;
    assert!(row.quarantine[&two].reason.contains("errors rings"), "{}", row.quarantine[&two].reason);
    stage.traffic.assert_none_failed();
    stage.finish().await;
}

/// The world begins on a Thursday at midnight.
#[tokio::test(start_paused = true)]
async fn a_freeze_keeps_it_before_its_promotion_until_it_ends() {
    let (mut stage, one) = shop(442, STEPS, "").await;
    let two = stage.push("shop", "latest", &version("2"));
    stage.until_weight("shop", 500).await;
    let freeze = "freeze: [{start: 0 0 * * THU, minutes: 40, reason: sale}]";
    stage.put_parameter("/windlass/clusters/main", freeze);
    stage.run_for(LONG).await;
    stage.assert_live("shop", &one);
    assert_eq!(stage.weights("shop").1, Some(500));
    let report = stage.report(&key("shop")).await;
    assert!(report.contains("until 2026-01-01T00:40:00Z (sale)"), "{report}");
    stage.run_for(Duration::from_mins(10)).await;
    assert_eq!(stage.weights("shop").1, Some(500), "not yet");
    stage.until_quiet().await;
    assert_only(&stage, &two);
    stage.traffic.assert_none_failed();
    stage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn who_lets_it_past_a_stop_stands_in_the_release() {
    let (mut stage, _) = shop(443, STEPS, "").await;
    let two = stage.push("shop", "latest", &version("2"));
    stage.until_weight("shop", 100).await;
    stage.stop(&StopScope::Everywhere, "an incident").await;
    stage.run_for(Duration::from_mins(7)).await;
    assert_eq!(stage.weights("shop").1, Some(100));
    stage.force(&key("shop"), "this is the fix").await;
    stage.until_quiet().await;
    assert_only(&stage, &two);
    let release = stage.releases(&key("shop")).await.pop().unwrap();
    let passed: Vec<&str> = release.approvals.iter().map(|given| given.what.as_str()).collect();
    assert_eq!(passed, ["it passes by the stop of everything (an incident)"]);
    stage.traffic.assert_none_failed();
    stage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_canary_that_began_past_a_stop_goes_through_all_its_steps() {
    let (mut stage, _) = shop(444, STEPS, "").await;
    stage.stop(&StopScope::Everywhere, "an incident").await;
    let two = stage.push("shop", "latest", &version("2"));
    stage.run_for(Duration::from_secs(5)).await;
    stage.force(&key("shop"), "this is the fix").await;
    stage.until_weight("shop", 500).await;
    stage.until_quiet().await;
    assert_only(&stage, &two);
    stage.traffic.assert_none_failed();
    stage.finish().await;
}
