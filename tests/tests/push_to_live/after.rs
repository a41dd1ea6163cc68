//! Promotion by digest, and order by tag: one service follows another.

use std::time::Duration;

use windlass_shared::ledger::RollbackTo;
use windlass_sim::bus::DeliveryFaults;
use windlass_sim::door::in_process::Kill;
use windlass_sim::gate::faults::When;
use windlass_tests::account::ByHand;
use windlass_tests::{ImageDigest, Stage, broken, key, version};

use super::kills::{at_every_call, was_killed};

/// How long the sweep may take to see what nothing rang for.
const SWEPT: Duration = Duration::from_secs(70);

/// `staging` and `shop` on version 1 of `shop:latest`; `shop` follows `staging`.
async fn promoting(seed: u64, healthy_minutes: u32) -> (Stage, ImageDigest) {
    let mut stage = Stage::new(seed).await;
    stage.service_by_hand(&ByHand::tracking("staging", "shop:latest")).await;
    let one = stage.service_by_hand(&ByHand::tracking("shop", "shop:latest")).await;
    let after = format!("after: {{service: main/staging, healthy_minutes: {healthy_minutes}}}");
    stage.apply_spec("shop", &format!("image: {{repository: shop}}\n{after}"));
    stage.run_for(Duration::from_secs(3)).await;
    stage.until_quiet().await;
    for path in ["/shop", "/staging"] {
        stage.traffic.to(stage.now(), path, 5);
    }
    (stage, one)
}

#[tokio::test(start_paused = true)]
async fn a_push_is_promoted_once_it_was_live_in_staging_for_its_minutes() {
    let (mut stage, one) = promoting(400, 6).await;
    let two = stage.push("shop", "latest", &version("2"));
    stage.run_for(SWEPT).await;
    stage.until_quiet().await;
    stage.assert_live("staging", &two);
    stage.assert_live("shop", &one);
    let report = stage.report(&key("shop")).await;
    assert!(report.contains("follows main/staging, where this image is live since"), "{report}");
    stage.sweeps_without_a_write().await;
    stage.assert_live("shop", &one);
    stage.run_for(Duration::from_mins(6)).await;
    stage.until_quiet().await;
    stage.assert_live("shop", &two);
    stage.assert_registered("shop", &[&one, &two]);
    stage.traffic.assert_none_failed();
    stage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn what_fails_in_staging_never_comes_further_and_the_next_push_does() {
    let (mut stage, one) = promoting(401, 0).await;
    let bad = stage.push("shop", "latest", &broken("2"));
    stage.run_for(Duration::from_secs(5)).await;
    stage.until_quiet().await;
    stage.run_for(SWEPT).await;
    stage.assert_live("shop", &one);
    let report = stage.report(&key("shop")).await;
    assert!(report.contains("which gave this image up"), "{report}");
    stage.sweeps_without_a_write().await;
    let fixed = stage.push("shop", "latest", &version("3"));
    stage.run_for(Duration::from_secs(5)).await;
    stage.until_quiet().await;
    stage.assert_live("staging", &fixed);
    stage.assert_live("shop", &fixed);
    stage.assert_registered("shop", &[&one, &fixed]);
    assert!(!stage.row(&key("shop")).await.quarantine.contains_key(&bad), "it was never tried here");
    stage.traffic.assert_none_failed();
    stage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn of_several_pushes_each_service_gets_the_newest_and_only_what_was_live_before() {
    let (mut stage, one) = promoting(402, 0).await;
    for content in ["2", "3", "4"] {
        stage.push("shop", "latest", &version(content));
        stage.run_for(Duration::from_secs(7)).await;
    }
    let five = stage.push("shop", "latest", &version("5"));
    stage.run_for(Duration::from_secs(2)).await;
    stage.until_quiet().await;
    stage.assert_live("staging", &five);
    stage.assert_live("shop", &five);
    stage.assert_registered("shop", &[&one, &five]);
    stage.traffic.assert_none_failed();
    stage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn what_staging_leaves_by_hand_while_it_waits_is_not_promoted() {
    let (mut stage, one) = promoting(403, 4).await;
    let two = stage.push("shop", "latest", &version("2"));
    stage.run_for(SWEPT).await;
    stage.until_quiet().await;
    stage.assert_live("staging", &two);
    stage.roll_back(&key("staging"), RollbackTo::Previous).await;
    stage.run_for(Duration::from_secs(5)).await;
    stage.until_quiet().await;
    stage.assert_live("staging", &one);
    stage.run_for(Duration::from_mins(12)).await;
    stage.assert_live("shop", &one);
    let report = stage.report(&key("shop")).await;
    assert!(report.contains("which gave this image up"), "{report}");
    stage.traffic.assert_none_failed();
    stage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_lost_bell_of_the_upstream_costs_a_minute() {
    let (mut stage, one) = promoting(404, 0).await;
    stage.door.with(|world| world.bus.delivery = DeliveryFaults::lose("Windlass Doorbell"));
    let two = stage.push("shop", "latest", &version("2"));
    stage.run_for(Duration::from_secs(5)).await;
    stage.assert_live("shop", &one);
    stage.until_quiet().await;
    stage.assert_live("staging", &two);
    stage.run_for(SWEPT).await;
    stage.until_quiet().await;
    stage.assert_live("shop", &two);
    stage.traffic.assert_none_failed();
    stage.finish().await;
}

/// Which invocation dies while a release is promoted.
#[derive(Debug, Clone, Copy)]
enum Dies {
    /// The one that sees the release live in staging, and rings who follows it.
    Upstream,
    /// The one that this rings: it promotes.
    Follower,
}

impl Dies {
    fn is_it(self, event: &serde_json::Value) -> bool {
        match self {
            Self::Upstream => {
                let of = event["resources"][0].as_str().unwrap_or_default();
                event["detail"]["eventName"] == "SERVICE_DEPLOYMENT_COMPLETED" && of.ends_with("/staging")
            }
            Self::Follower => {
                event["detail-type"] == "Windlass Doorbell" && event["detail"]["service"] == "shop"
            }
        }
    }
}

/// Each release is promoted once, whatever died.
async fn ends_promoted(mut stage: Stage, images: [&ImageDigest; 2]) -> bool {
    // Lambda's own retry comes after a minute, and the dead holder's lease ends by then.
    stage.run_for(Duration::from_mins(3)).await;
    stage.until_quiet().await;
    for service in ["staging", "shop"] {
        stage.assert_live(service, images[1]);
        stage.assert_registered(service, &images);
    }
    let releases = stage.releases(&key("shop")).await;
    assert_eq!(releases.iter().filter(|it| it.digest == *images[1]).count(), 1, "{releases:?}");
    stage.traffic.assert_none_failed();
    let killed = was_killed(&stage);
    stage.finish().await;
    killed
}

async fn promoted_though_killed(dies: Dies, call: u32, when: When) -> bool {
    let (stage, one) = promoting(420 + u64::from(call), 0).await;
    let mut left = Some(Kill { call, when });
    stage.door.set_kills(Box::new(
        move |invocation| {
            if dies.is_it(&invocation.payload) { left.take() } else { None }
        },
    ));
    let two = stage.push("shop", "latest", &version("2"));
    ends_promoted(stage, [&one, &two]).await
}

#[tokio::test(start_paused = true)]
async fn the_pass_that_rings_who_follows_may_be_killed_at_any_call() {
    let calls = at_every_call(|call, when| promoted_though_killed(Dies::Upstream, call, when)).await;
    assert!(calls >= 6, "{calls} calls: did ECS's event ring?");
}

#[tokio::test(start_paused = true)]
async fn the_pass_that_promotes_may_be_killed_at_any_call() {
    let calls = at_every_call(|call, when| promoted_though_killed(Dies::Follower, call, when)).await;
    assert!(calls >= 8, "{calls} calls: was it rung?");
}

/// Nothing rings when the time in staging is over: a sweep promotes, and for five minutes each one dies.
#[tokio::test(start_paused = true)]
async fn the_sweep_that_promotes_when_the_time_is_over_may_be_killed() {
    let mut killed = 0;
    for call in (4..40).step_by(4) {
        let (mut stage, one) = promoting(440 + u64::from(call), 2).await;
        let two = stage.push("shop", "latest", &version("2"));
        stage.run_for(SWEPT).await;
        stage.assert_live("shop", &one);
        stage.door.set_kills(Box::new(move |invocation| {
            let is_sweep = invocation.payload["detail-type"] == "Scheduled Event";
            // Lambda's second try lives: three that die are a dead letter.
            (is_sweep && invocation.attempt == 1).then_some(Kill { call, when: When::After })
        }));
        stage.run_for(Duration::from_mins(5)).await;
        stage.door.set_kills(Box::new(|_| None));
        killed += u32::from(ends_promoted(stage, [&one, &two]).await);
    }
    assert!(killed >= 4, "{killed} runs were killed: did a sweep promote?");
}

/// `db` and `web`, each on 1.0.0 of its own repository.
async fn releases(seed: u64) -> (Stage, ImageDigest) {
    let mut stage = Stage::new(seed).await;
    let made =
        |name: &str| ByHand { tag: "1.0.0".into(), ..ByHand::tracking(name, &format!("{name}:semver=1.x")) };
    stage.service_by_hand(&made("db")).await;
    let one = stage.service_by_hand(&made("web")).await;
    let spec = "image: {repository: web, policy: {semver: 1.x}}\nafter: {service: main/db, by: tag}";
    stage.apply_spec("web", spec);
    stage.run_for(Duration::from_secs(3)).await;
    stage.until_quiet().await;
    stage.traffic.to(stage.now(), "/web", 5);
    (stage, one)
}

#[tokio::test(start_paused = true)]
async fn in_one_release_a_service_waits_for_the_other_and_follows_at_once() {
    let (mut stage, one) = releases(405).await;
    let web = stage.push("web", "1.1.0", &version("web 1.1"));
    stage.run_for(SWEPT).await;
    stage.assert_live("web", &one);
    let report = stage.report(&key("web")).await;
    assert!(report.contains("(1.0.0) is live and the release 1.1.0 is not"), "{report}");
    stage.sweeps_without_a_write().await;
    let db = stage.push("db", "1.1.0", &version("db 1.1"));
    stage.run_for(Duration::from_secs(2)).await;
    stage.until_quiet().await;
    stage.assert_live("db", &db);
    stage.assert_live("web", &web);
    let settled = stage.row(&key("db")).await.state.settled.unwrap().at;
    let begun = stage.releases(&key("web")).await.last().unwrap().started_at;
    let waited = settled.duration_until(begun);
    assert!(!waited.is_negative() && waited.as_secs() < 10, "it was rung, not swept: {waited:?}");
    stage.traffic.assert_none_failed();
    stage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_circle_is_told_and_ends_with_a_spec() {
    let (mut stage, one) = promoting(406, 0).await;
    stage.apply_spec("staging", "image: {repository: shop}\nafter: {service: main/shop}");
    stage.run_for(Duration::from_secs(3)).await;
    stage.until_quiet().await;
    let two = stage.push("shop", "latest", &version("2"));
    stage.run_for(SWEPT).await;
    stage.assert_live("staging", &one);
    stage.assert_live("shop", &one);
    let report = stage.report(&key("shop")).await;
    assert!(report.contains("main/shop → main/staging → main/shop"), "{report}");
    stage.apply_spec("staging", "image: {repository: shop}");
    stage.run_for(Duration::from_secs(3)).await;
    stage.until_quiet().await;
    stage.assert_live("staging", &two);
    stage.assert_live("shop", &two);
    stage.traffic.assert_none_failed();
    stage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_service_of_a_cluster_that_is_not_the_stacks_is_named_and_lets_nothing_through() {
    let (mut stage, one) = promoting(407, 0).await;
    stage.apply_spec("shop", "image: {repository: shop}\nafter: {service: elsewhere/shop}");
    stage.run_for(Duration::from_secs(3)).await;
    let two = stage.push("shop", "latest", &version("2"));
    stage.run_for(SWEPT).await;
    stage.assert_live("shop", &one);
    let report = stage.report(&key("shop")).await;
    assert!(report.contains("elsewhere/shop"), "{report}");
    stage.apply_spec("shop", "image: {repository: shop}");
    stage.run_for(Duration::from_secs(3)).await;
    stage.until_quiet().await;
    stage.assert_live("shop", &two);
    stage.finish().await;
}
