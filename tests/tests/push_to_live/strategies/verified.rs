//! Releases that ECS has `functions/verify` look at, hooks and roles as the stack gives them.

use windlass_shared::ledger::{Judgement, Outcome};
use windlass_tests::{key, labelled, version};

use super::{STRATEGIES, shop, until_over};

const ROLLOUT: &str = "test_route: {header: x-test, values: [new]}, timeout_minutes: 60}\n\
                       verify: {http: [{path: /shop, status: '200', tries: 3}]";

#[tokio::test(start_paused = true)]
async fn a_release_that_verification_passes_goes_live_by_each_strategy() {
    for (seed, (word, strategy)) in (1300..).zip(STRATEGIES) {
        let (mut stage, _) = shop(seed, &format!("strategy: {strategy}, {ROLLOUT}")).await;
        let two = stage.push("shop", "latest", &version("2"));
        until_over(&mut stage).await;
        stage.assert_live("shop", &two);
        let verdict = stage.row(&key("shop")).await.verdict.expect("it was asked");
        assert_eq!((verdict.judgement, &verdict.digest), (Judgement::Passed, &two), "{word}");
        stage.traffic.assert_none_failed();
        stage.finish().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_release_that_verification_fails_meets_no_production_request() {
    for (seed, (word, strategy)) in (1310..).zip(STRATEGIES) {
        let (mut stage, one) = shop(seed, &format!("strategy: {strategy}, {ROLLOUT}")).await;
        let bad = stage.push(
            "shop",
            "latest",
            &labelled("2", &[("sim.status", "500"), ("sim.health_status", "200")]),
        );
        until_over(&mut stage).await;
        assert_eq!(stage.running("shop"), [one.to_string()].into(), "{word}");
        let row = stage.row(&key("shop")).await;
        assert!(row.quarantine.contains_key(&bad), "{word}: {row:?}");
        assert_eq!(row.verdict.map(|verdict| verdict.judgement), Some(Judgement::Failed));
        assert_eq!(row.state.last_release.map(|it| it.outcome), Some(Outcome::RolledBack));
        assert!(!stage.traffic.counts("/shop").by_digest.contains_key(bad.as_str()));
        stage.traffic.assert_none_failed();
        stage.finish().await;
    }
}
