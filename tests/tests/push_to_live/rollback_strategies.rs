//! A person goes back in the midst of a rollout by one of the strategies with two sets of tasks.

use std::time::Duration;

use windlass_shared::ledger::{Outcome, RollbackTo};
use windlass_tests::{ImageDigest, Stage, key, version};

use super::{canary, strategies};

/// The rollout of `left` was given up for the person's reason, and is not tried again.
async fn assert_given_up(stage: &mut Stage, left: &ImageDigest) {
    let row = stage.row(&key("shop")).await;
    let last = row.state.last_release.as_ref().expect("a release that ended");
    assert_eq!((last.outcome, &last.digest), (Outcome::RolledBack, left), "{row:?}");
    assert!(row.quarantine[left].reason.starts_with("rolled back by ann: it is slow"), "{row:?}");
    stage.run_for(Duration::from_mins(5)).await;
}

#[tokio::test(start_paused = true)]
async fn a_rollback_at_any_step_of_windlasss_own_canary_takes_its_requests_back() {
    for (seed, weight) in [(730, 0), (731, 100), (732, 500)] {
        let (mut stage, one) = canary::shop(seed, canary::STEPS, "").await;
        let two = stage.push("shop", "latest", &version("2"));
        stage.until_weight("shop", weight).await;
        stage.roll_back(&key("shop"), RollbackTo::Previous).await;
        stage.run_for(Duration::from_secs(3)).await;
        stage.until_quiet().await;
        assert_given_up(&mut stage, &two).await;
        canary::assert_only(&stage, &one);
        stage.traffic.assert_none_failed();
        stage.finish().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_rollback_while_ecs_shifts_or_bakes_is_ecss_and_takes_all_requests_back() {
    for (seed, strategy, at) in [
        (733, "blue_green", "SCALE_UP"),
        (734, "blue_green", "BAKE_TIME"),
        (735, "{linear: {step_percent: 50, step_minutes: 1}}", "PRODUCTION_TRAFFIC_SHIFT"),
    ] {
        let (mut stage, one) =
            strategies::shop(seed, &format!("strategy: {strategy}, bake_minutes: 3")).await;
        let two = stage.push("shop", "latest", &version("2"));
        strategies::until_at(&mut stage, at).await;
        stage.roll_back(&key("shop"), RollbackTo::Previous).await;
        strategies::until_over(&mut stage).await;
        assert_given_up(&mut stage, &two).await;
        stage.assert_live("shop", &one);
        assert_eq!(stage.count("ecs:StopServiceDeployment"), 1, "{strategy} at {at}");
        stage.traffic.assert_none_failed();
        stage.finish().await;
    }
}
