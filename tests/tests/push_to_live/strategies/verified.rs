//! Releases that ECS has `functions/verify` look at, hooks and roles as the stack gives them.

use windlass_shared::ledger::{Judgement, Verdict};
use windlass_tests::{key, version};

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
        let told = stage.releases(&key("shop")).await.pop().expect("a release").verdicts;
        let is_told = |it: &Verdict| it.judgement == Judgement::Passed && !it.findings.is_empty();
        assert!(!told.is_empty() && told.iter().all(is_told), "{word}: {told:?}");
        stage.traffic.assert_none_failed();
        stage.finish().await;
    }
}
