//! Releases that fail: rolled back by ECS, explained, and never redeployed by themselves.

use std::time::Duration;

use windlass_shared::ledger::Outcome;
use windlass_tests::{broken, key, labelled, version};

use super::update::shop;

#[tokio::test(start_paused = true)]
async fn a_release_that_crashes_is_rolled_back_quarantined_and_not_tried_again() {
    let (mut stage, one) = shop(60).await;
    stage.traffic.to(stage.now(), "/shop", 20);
    let bad = stage.push("shop", "latest", &broken("2"));
    stage.run_for(Duration::from_secs(5)).await;
    stage.until_quiet().await;
    stage.traffic.assert_none_failed();
    let row = stage.row(&key("shop")).await;
    let why = row.quarantine.get(&bad).unwrap_or_else(|| panic!("{bad} is in quarantine: {row:?}"));
    assert!(why.reason.contains("exit 3"), "{}", why.reason);
    assert!(why.reason.contains("circuit breaker"), "{}", why.reason);
    assert!(why.deployment.is_some());
    assert_eq!(stage.running("shop"), [one.to_string()].into());
    let last = row.state.last_release.unwrap();
    assert_eq!((last.outcome, last.digest), (Outcome::RolledBack, bad.clone()));
    let report = row.state.last_report.join("\n");
    assert!(report.contains("push a fixed image, or `windlass release SERVICE"), "{report}");

    // The same digest again, and many sweeps: nothing.
    let updates = stage.count("ecs:UpdateService");
    stage.push("shop", "latest", &broken("2"));
    stage.run_for(Duration::from_mins(5)).await;
    assert_eq!(stage.count("ecs:UpdateService"), updates, "a quarantined digest is not redeployed");

    // A fixed one goes live.
    let fixed = stage.push("shop", "latest", &version("3"));
    stage.run_for(Duration::from_secs(2)).await;
    stage.until_quiet().await;
    stage.assert_live("shop", &fixed);
    stage.assert_registered("shop", &[&one, &bad, &fixed]);
    stage.traffic.assert_none_failed();
    insta::assert_snapshot!(stage.story(&key("shop"), &[("1", &one), ("bad", &bad), ("fixed", &fixed)]).await, @r"
    1: live (from nothing)
    bad: rolled back (from 1)
    fixed: live (from 1)
    ");
    stage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_release_that_fails_its_health_checks_is_rolled_back_without_a_failed_request() {
    let (mut stage, one) = shop(61).await;
    stage.traffic.to(stage.now(), "/shop", 20);
    let bad = stage.push("shop", "latest", &labelled("2", &[("sim.health_status", "500")]));
    stage.run_for(Duration::from_secs(5)).await;
    stage.until_quiet().await;
    stage.traffic.assert_none_failed();
    let row = stage.row(&key("shop")).await;
    let why = row.quarantine.get(&bad).unwrap_or_else(|| panic!("{bad} is in quarantine: {row:?}"));
    assert!(why.reason.contains("failed ELB health checks"), "{}", why.reason);
    assert_eq!(stage.running("shop"), [one.to_string()].into());
    assert!(!stage.traffic.counts("/shop").by_digest.contains_key(bad.as_str()), "no request met it");
    stage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_person_ends_a_quarantine() {
    let (mut stage, one) = shop(62).await;
    let bad = stage.push("shop", "latest", &broken("2"));
    stage.run_for(Duration::from_secs(5)).await;
    stage.until_quiet().await;
    assert_eq!(stage.running("shop"), [one.to_string()].into());
    stage.release(&key("shop"), &bad).await;
    stage.run_for(Duration::from_secs(5)).await;
    stage.until_quiet().await;
    // Tried again, failed again, and the same revision served both.
    let outcomes: Vec<Outcome> =
        stage.releases(&key("shop")).await.iter().map(|release| release.outcome).collect();
    assert_eq!(outcomes, [Outcome::Live, Outcome::RolledBack, Outcome::RolledBack]);
    stage.assert_registered("shop", &[&one, &bad]);
    assert!(stage.row(&key("shop")).await.quarantine.contains_key(&bad));
    stage.finish().await;
}

/// copilot#1879: tasks that start, pass a health check and then exit are not counted by the
/// breaker. ECS will never end it, and its minimum does not hold either.
#[tokio::test(start_paused = true)]
async fn a_crash_loop_that_the_breaker_does_not_see_is_given_up_after_its_time() {
    let (mut stage, one) = shop(63).await;
    stage.watch.tolerate("shop");
    let bad = stage.push("shop", "latest", &labelled("2", &[("sim.crash_secs", "2")]));
    stage.run_for(Duration::from_mins(35)).await;
    let row = stage.row(&key("shop")).await;
    assert!(row.quarantine[&bad].reason.starts_with("not live within 30 min"), "{row:?}");
    assert!(row.quarantine[&bad].reason.contains("exit 1"), "{row:?}");
    let last = row.state.last_release.unwrap();
    assert_eq!((last.outcome, last.digest), (Outcome::RolledBack, bad));
    assert_eq!(stage.count("ecs:StopServiceDeployment"), 1);
    stage.assert_live("shop", &one);
    let fixed = stage.push("shop", "latest", &version("3"));
    stage.run_for(Duration::from_secs(2)).await;
    stage.until_quiet().await;
    stage.assert_live("shop", &fixed);
    stage.finish().await;
}
