//! What stands before a rollout, and how it ends.

use std::time::Duration;

use windlass_shared::ledger::StopScope;
use windlass_tests::{key, version};

use super::update;

const ALARM: &str = "image: {repository: shop}\nrollout: {alarms: [errors]";

/// How long the sweep may take to see what nothing rang for.
const SWEPT: Duration = Duration::from_secs(70);

#[tokio::test(start_paused = true)]
async fn a_ringing_alarm_holds_a_push_back_until_it_is_quiet() {
    let (mut stage, one) = update::shop(60).await;
    stage.alarm("errors", true);
    stage.apply_spec("shop", &format!("{ALARM}}}"));
    stage.traffic.to(stage.now(), "/shop", 5);
    let two = stage.push("shop", "latest", &version("2"));
    stage.run_for(SWEPT).await;
    stage.assert_live("shop", &one);
    let report = stage.report(&key("shop")).await;
    assert!(report.contains("errors rings before the rollout"), "{report}");
    stage.sweeps_without_a_write().await;
    stage.alarm("errors", false);
    stage.run_for(SWEPT).await;
    stage.until_quiet().await;
    stage.assert_live("shop", &two);
    stage.traffic.assert_none_failed();
    stage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn by_the_spec_a_ringing_alarm_is_noted_in_the_release_and_lets_it_through() {
    let (mut stage, _) = update::shop(61).await;
    stage.alarm("errors", true);
    stage.apply_spec("shop", &format!("{ALARM}, ringing_alarm: warn}}"));
    stage.run_for(Duration::from_secs(5)).await;
    let two = stage.push("shop", "latest", &version("2"));
    stage.until_quiet().await;
    stage.assert_live("shop", &two);
    let releases = stage.releases(&key("shop")).await;
    let approvals = &releases.last().unwrap().approvals;
    assert_eq!(approvals[0].what, "it begins although errors rings", "{releases:?}");
    // ECS tells of the steady state a while after it completed the deployment.
    stage.run_for(Duration::from_secs(5)).await;
    stage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_stop_holds_all_pushes_back_without_a_write_and_start_lets_them_go() {
    let (mut stage, one) = update::shop(62).await;
    stage.stop(&StopScope::Everywhere, "an incident").await;
    let two = stage.push("shop", "latest", &version("2"));
    stage.run_for(SWEPT).await;
    stage.assert_live("shop", &one);
    let report = stage.report(&key("shop")).await;
    assert!(report.contains("everything is stopped by ann") && report.contains("an incident"), "{report}");
    stage.sweeps_without_a_write().await;
    stage.start(&StopScope::Everywhere).await;
    stage.run_for(SWEPT).await;
    stage.until_quiet().await;
    stage.assert_live("shop", &two);
    stage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_clusters_stop_is_passed_by_once_with_a_reason_that_stands_in_the_history() {
    let (mut stage, _) = update::shop(63).await;
    stage.stop(&StopScope::Cluster("main".into()), "an incident").await;
    let two = stage.push("shop", "latest", &version("2"));
    stage.run_for(Duration::from_secs(5)).await;
    stage.force(&key("shop"), "this is the fix").await;
    stage.until_quiet().await;
    stage.assert_live("shop", &two);
    let releases = stage.releases(&key("shop")).await;
    let passed = &releases.last().unwrap().approvals[0];
    assert_eq!(passed.what, "it passes by the stop of cluster main (an incident)");
    assert_eq!((passed.order.by.as_str(), passed.order.reason.as_str()), ("bob", "this is the fix"));
    let three = stage.push("shop", "latest", &version("3"));
    stage.run_for(SWEPT).await;
    stage.assert_live("shop", &two);
    stage.start(&StopScope::Cluster("main".into())).await;
    stage.run_for(SWEPT).await;
    stage.until_quiet().await;
    stage.assert_live("shop", &three);
    stage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn the_sweep_writes_nothing_for_a_held_service() {
    let (mut stage, _) = update::shop(64).await;
    stage.hold(&key("shop"), "the sale").await;
    let two = stage.push("shop", "latest", &version("2"));
    stage.run_for(Duration::from_secs(5)).await;
    stage.sweeps_without_a_write().await;
    stage.resume(&key("shop")).await;
    stage.until_quiet().await;
    stage.assert_live("shop", &two);
    stage.finish().await;
}

/// The world begins on a Thursday at midnight.
#[tokio::test(start_paused = true)]
async fn a_freeze_of_the_cluster_holds_pushes_back_and_its_change_rings_them() {
    let (mut stage, one) = update::shop(65).await;
    stage.put_parameter(
        "/windlass/clusters/main",
        "freeze: [{start: 0 0 * * THU, minutes: 600, reason: sale}]",
    );
    stage.run_for(Duration::from_secs(3)).await;
    let two = stage.push("shop", "latest", &version("2"));
    stage.run_for(SWEPT).await;
    stage.assert_live("shop", &one);
    let report = stage.report(&key("shop")).await;
    assert!(report.contains("until 2026-01-01T10:00:00Z (sale)"), "{report}");
    stage.sweeps_without_a_write().await;
    stage.put_parameter("/windlass/clusters/main", "freeze: []");
    stage.run_for(Duration::from_secs(5)).await;
    stage.until_quiet().await;
    stage.assert_live("shop", &two);
    stage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_service_thaws_by_the_clock_alone() {
    let (mut stage, one) = update::shop(66).await;
    stage.apply_spec("shop", "image: {repository: shop}\nfreeze: [{start: 0 0 * * *, minutes: 8}]");
    stage.run_for(Duration::from_secs(3)).await;
    let two = stage.push("shop", "latest", &version("2"));
    stage.run_for(SWEPT).await;
    stage.assert_live("shop", &one);
    stage.run_for(Duration::from_mins(8)).await;
    stage.until_quiet().await;
    stage.assert_live("shop", &two);
    stage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_push_waits_for_a_persons_yes_and_the_sweep_writes_nothing_meanwhile() {
    let (mut stage, one) = update::shop(67).await;
    stage.apply_spec("shop", "image: {repository: shop}\nrollout: {approval: {before: rollout}}");
    stage.run_for(Duration::from_secs(3)).await;
    stage.traffic.to(stage.now(), "/shop", 5);
    let two = stage.push("shop", "latest", &version("2"));
    stage.run_for(SWEPT).await;
    stage.assert_live("shop", &one);
    stage.sweeps_without_a_write().await;
    stage.answer(&key("shop"), true).await;
    stage.until_quiet().await;
    stage.assert_live("shop", &two);
    let releases = stage.releases(&key("shop")).await;
    assert_eq!(releases.last().unwrap().approvals[0].order.by.as_str(), "bob");
    stage.traffic.assert_none_failed();
    stage.finish().await;
}
