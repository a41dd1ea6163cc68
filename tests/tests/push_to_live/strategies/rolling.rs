//! What a rolling update has beside its two percentages: the breaker's threshold, early
//! success, a bake time.

use std::time::Duration;

use windlass_tests::{broken, key, version};

use super::{at, shop, until_over};

#[tokio::test(start_paused = true)]
async fn a_breaker_with_a_threshold_of_one_task_ends_a_crash_loop_at_the_first() {
    let (mut stage, _) = shop(900, "strategy: rolling, breaker_threshold: {tasks: 1}").await;
    let bad = stage.push("shop", "latest", &broken("2"));
    until_over(&mut stage).await;
    let row = stage.row(&key("shop")).await;
    assert!(row.quarantine.contains_key(&bad), "{row:?}");
    let breaker = &stage.described("shop")["deploymentConfiguration"]["deploymentCircuitBreaker"];
    assert_eq!(breaker["thresholdConfiguration"], serde_json::json!({"type": "COUNT", "value": 1}));
    stage.traffic.assert_none_failed();
    stage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_rolling_update_bakes_and_a_spec_that_says_no_more_of_it_ends_that() {
    let (mut stage, _) = shop(901, "strategy: rolling, bake_minutes: 3, early_success_percent: 100").await;
    let two = stage.push("shop", "latest", &version("2"));
    super::until_at(&mut stage, "BAKE_TIME").await;
    until_over(&mut stage).await;
    stage.assert_live("shop", &two);
    stage.apply_spec("shop", &super::spec("strategy: rolling"));
    let three = stage.push("shop", "latest", &version("3"));
    stage.run_for(Duration::from_secs(30)).await;
    assert_ne!(at(&stage).as_deref(), Some("BAKE_TIME"));
    until_over(&mut stage).await;
    stage.assert_live("shop", &three);
    let live = stage.described("shop")["deploymentConfiguration"].clone();
    assert_eq!(
        (&live["bakeTimeInMinutes"], &live["earlySuccessCriteria"]["enable"]),
        (&0.into(), &false.into())
    );
    stage.traffic.assert_none_failed();
    stage.finish().await;
}
