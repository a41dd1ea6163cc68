//! What stands before a rollout, and how it ends.

use std::time::Duration;

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
    stage.sweeps_write_only_the_ledger().await;
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
    stage.finish().await;
}
