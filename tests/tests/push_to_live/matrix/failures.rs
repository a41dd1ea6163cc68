//! Releases that are given up: by what their tasks do, by verification, by alarms.

use std::time::Duration;

use windlass_shared::ledger::{Judgement, Outcome};
use windlass_tests::{key, version};

use super::shop::{Moment, Shop, Strategy, crashing, failing, spec, unhealthy};

pub(super) async fn crash_loop(strategy: Strategy) {
    let mut shop = Shop::new(strategy, strategy.seed(3), "").await;
    shop.stage.watch.tolerate("shop-canary");
    let bad = shop.push(&crashing("2"));
    shop.over().await;
    assert_eq!(shop.outcome_of(&bad).await, Some((Outcome::RolledBack, strategy.manner())));
    assert!(!shop.was_met(&bad), "no request met it");
    let last = shop.stage.row(&key("shop")).await.state.last_release.expect("it ended");
    let minutes = last.ended_at.duration_since(last.started_at).as_mins();
    assert!(minutes < 10, "given up after {minutes} min");
    shop.went_back(&bad, "exit 3").await;
}

pub(super) async fn health_check(strategy: Strategy) {
    let mut shop = Shop::new(strategy, strategy.seed(4), "").await;
    shop.stage.watch.tolerate("shop-canary");
    let bad = shop.push(&unhealthy("2"));
    shop.over().await;
    assert_eq!(shop.outcome_of(&bad).await, Some((Outcome::RolledBack, strategy.manner())));
    assert!(!shop.was_met(&bad), "no request met it");
    shop.went_back(&bad, "health check").await;
}

const TEST_ROUTE: &str = ", test_route: {header: x-test, values: [new]}";

const VERIFY: &str = "{http: [{path: /shop, status: '200', tries: 3}]}";

/// A verification that fails: before any request where ECS shifts, under the first step's share
/// by Windlass's own canary.
pub(super) async fn verification(strategy: Strategy) {
    if strategy == Strategy::Rolling {
        return nothing_to_verify().await;
    }
    let mut shop = Shop::verified(strategy, strategy.seed(5), TEST_ROUTE, VERIFY).await;
    let bad = shop.push(&failing("2"));
    shop.over().await;
    assert_eq!(shop.outcome_of(&bad).await, Some((Outcome::RolledBack, strategy.manner())));
    if strategy.is_ecs_shift() {
        assert!(!shop.was_met(&bad), "no production request met it");
        let verdict = shop.stage.row(&key("shop")).await.verdict;
        assert_eq!(verdict.map(|it| it.judgement), Some(Judgement::Failed));
        let release = shop.stage.releases(&key("shop")).await.pop().expect("it ended");
        assert_eq!(release.verdicts.last().map(|it| it.judgement), Some(Judgement::Failed));
        return shop.went_back(&bad, "lifecycle hook").await;
    }
    shop.gave_up(&bad, "its verification failed").await;
    errors_are_bounded(&shop, 25);
    shop.stage.finish().await;
}

/// A rolling update has no tasks that could be verified alone: such a spec is refused in words,
/// and nothing is rolled out until it is another one.
async fn nothing_to_verify() {
    let mut shop = Shop::new(Strategy::Rolling, Strategy::Rolling.seed(5), "").await;
    let refused = format!("{}verify: {VERIFY}\n", spec(Strategy::Rolling, ""));
    shop.stage.apply_spec("shop", &refused);
    let two = shop.push(&version("2"));
    shop.stage.run_for(Duration::from_mins(3)).await;
    let report = shop.stage.report(&key("shop")).await;
    assert!(report.contains("a rolling update mixes old and new tasks"), "{report}");
    assert!(!shop.was_met(&two));
    shop.stage.apply_spec("shop", &spec(Strategy::Rolling, ""));
    shop.ends_live(&two).await;
}

/// At each moment at which requests meet the new version, an alarm rings.
pub(super) async fn alarm(strategy: Strategy) {
    let of_requests =
        |moment: &Moment| !matches!(moment, Moment::Stage("SCALE_UP" | "CLEAN_UP") | Moment::Shares(0));
    for (n, moment) in (0..).zip(strategy.moments().into_iter().filter(of_requests)) {
        println!("{strategy:?} at {moment:?}");
        let mut shop = Shop::new(strategy, strategy.seed(6) + n, ", alarms: [errors]").await;
        let two = shop.release_until(moment).await;
        shop.stage.run_for(Duration::from_secs(20)).await;
        shop.stage.alarm("errors", true);
        shop.over().await;
        assert_eq!(shop.outcome_of(&two).await, Some((Outcome::RolledBack, strategy.manner())), "{moment:?}");
        shop.stage.alarm("errors", false);
        shop.went_back(&two, "").await;
    }
}

/// An alarm that rings before the start holds the release back until it is quiet.
pub(super) async fn ringing_alarm(strategy: Strategy) {
    let mut shop = Shop::new(strategy, strategy.seed(7), ", alarms: [errors]").await;
    shop.stage.alarm("errors", true);
    let two = shop.push(&version("2"));
    shop.stage.run_for(Duration::from_mins(3)).await;
    shop.stage.assert_live("shop", &shop.one);
    let report = shop.stage.report(&key("shop")).await;
    assert!(report.contains("errors rings before"), "{report}");
    shop.stage.alarm("errors", false);
    shop.stage.run_for(Duration::from_secs(70)).await;
    shop.ends_live(&two).await;
}

/// By the spec it goes on all the same, and the release says so.
pub(super) async fn ringing_alarm_warned(strategy: Strategy) {
    let more = ", alarms: [errors], ringing_alarm: warn";
    let mut shop = Shop::new(strategy, strategy.seed(8), more).await;
    shop.stage.alarm("errors", true);
    let two = shop.push(&version("2"));
    shop.over().await;
    let passes = shop.stage.history(&key("shop")).await;
    let warned = passes.iter().flat_map(|pass| &pass.report).any(|line| line.contains("errors rings"));
    assert!(warned, "{passes:?}");
    shop.ends_live(&two).await;
}

/// The broken version's own errors: no more than its share of the requests.
fn errors_are_bounded(shop: &Shop, percent: u64) {
    let counts = shop.stage.traffic.counts("/shop");
    assert!(counts.failed > 0, "its own errors are seen");
    assert!(
        counts.failed * 100 <= counts.sent * percent,
        "{} of {} failed, {percent} % is its share",
        counts.failed,
        counts.sent
    );
}
