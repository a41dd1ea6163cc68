//! A person's yes or no in the midst of a rollout: ECS's PAUSE hooks.

use std::time::Duration;

use windlass_shared::ledger::Outcome;
use windlass_tests::{ImageDigest, Stage, key, version};

use super::{STRATEGIES, production, shop, until_at, until_over};

const BEFORE_TRAFFIC: &str = "approval: {before: traffic, timeout_minutes: 5}";

/// `shop` on version 1, and a rollout of version 2 that waits for a yes to its traffic.
async fn asked(seed: u64, strategy: &str, approval: &str) -> (Stage, ImageDigest, ImageDigest) {
    let (mut stage, one) = shop(seed, &format!("strategy: {strategy}, {approval}")).await;
    let two = stage.push("shop", "latest", &version("2"));
    until_at(&mut stage, "PRE_PRODUCTION_TRAFFIC_SHIFT").await;
    stage.run_for(Duration::from_secs(10)).await;
    (stage, one, two)
}

#[tokio::test(start_paused = true)]
async fn without_a_yes_no_production_request_reaches_the_new_tasks_and_with_one_all_do() {
    for (seed, (word, strategy)) in (1000..).zip(STRATEGIES) {
        let (mut stage, one, two) = asked(seed, strategy, BEFORE_TRAFFIC).await;
        stage.run_for(Duration::from_mins(2)).await;
        assert!(!stage.traffic.counts("/shop").by_digest.contains_key(two.as_str()), "{word}");
        assert_eq!(production(&stage).len(), 1, "{word}");
        let question = stage.row(&key("shop")).await.state.marks.question.expect("it asks");
        assert!(question.what.starts_with("let production requests reach latest"), "{question:?}");
        assert!(question.expires.is_some());
        let report = stage.report(&key("shop")).await;
        assert!(
            report.contains("waiting for a person's yes") && report.contains("windlass approve"),
            "{report}"
        );
        stage.say(&key("shop"), true, "looks good").await;
        until_over(&mut stage).await;
        // The later steps of a canary and of a linear rollout ask nobody again.
        stage.assert_live("shop", &two);
        stage.assert_registered("main-shop", &[&one, &two]);
        let last = stage.releases(&key("shop")).await.pop().expect("a release");
        assert_eq!(last.approvals.len(), 1, "{word}: {last:?}");
        assert_eq!((last.approvals[0].order.by.as_str(), last.outcome), ("ann", Outcome::Live));
        assert_eq!(stage.row(&key("shop")).await.state.marks.question, None);
        stage.traffic.assert_none_failed();
        stage.finish().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_no_rolls_back_and_quarantines_with_the_persons_reason() {
    for (seed, (word, strategy)) in (1010..).zip(STRATEGIES) {
        let (mut stage, one, two) = asked(seed, strategy, BEFORE_TRAFFIC).await;
        stage.say(&key("shop"), false, "the colours are off").await;
        until_over(&mut stage).await;
        assert_eq!(stage.running("shop"), [one.to_string()].into(), "{word}");
        let row = stage.row(&key("shop")).await;
        let why = &row.quarantine.get(&two).expect("it is in quarantine").reason;
        assert!(why.contains("ann said no") && why.contains("the colours are off"), "{word}: {why}");
        assert_eq!(row.state.last_release.map(|it| it.outcome), Some(Outcome::RolledBack));
        assert_eq!(row.state.marks.question, None);
        stage.traffic.assert_none_failed();
        stage.finish().await;
    }
}

#[tokio::test(start_paused = true)]
async fn silence_is_the_answer_that_the_spec_gives_it() {
    for (seed, (_, strategy)) in (1020..).zip(STRATEGIES) {
        let (mut stage, one, two) = asked(seed, strategy, BEFORE_TRAFFIC).await;
        until_over(&mut stage).await;
        assert_eq!(stage.running("shop"), [one.to_string()].into());
        assert!(stage.row(&key("shop")).await.quarantine.contains_key(&two));
        stage.traffic.assert_none_failed();
        stage.finish().await;
        let goes_on = BEFORE_TRAFFIC.replace("minutes: 5", "minutes: 5, on_timeout: continue");
        let (mut stage, _, two) = asked(seed + 5, strategy, &goes_on).await;
        until_over(&mut stage).await;
        stage.assert_live("shop", &two);
        stage.traffic.assert_none_failed();
        stage.finish().await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_old_tasks_stay_until_somebody_lets_them_go() {
    for (seed, (_, strategy)) in (1030..).zip(STRATEGIES) {
        let approval = "approval: {before: clean_up, timeout_minutes: 30}";
        let (mut stage, one) = shop(seed, &format!("strategy: {strategy}, {approval}")).await;
        let two = stage.push("shop", "latest", &version("2"));
        until_at(&mut stage, "POST_PRODUCTION_TRAFFIC_SHIFT").await;
        stage.run_for(Duration::from_mins(3)).await;
        assert_eq!(stage.running("shop"), [one.to_string(), two.to_string()].into());
        stage.say(&key("shop"), true, "done").await;
        until_over(&mut stage).await;
        stage.assert_live("shop", &two);
        stage.traffic.assert_none_failed();
        stage.finish().await;
    }
}
