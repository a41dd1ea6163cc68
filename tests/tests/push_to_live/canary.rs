//! Windlass's own canary: a second service with a fraction of the tasks, and a weighted rule.

use std::time::Duration;

use serde_json::json;
use windlass_shared::ledger::Outcome;
use windlass_sim::ServiceId;
use windlass_tests::traffic::Traffic;
use windlass_tests::{ImageDigest, Stage, broken, key, labelled, version};

use super::update;

/// Four tasks; 10 % for five minutes, half of the requests for five more.
pub(super) fn spec(steps: &str, more: &str) -> String {
    format!(
        "
image: {{repository: shop}}
task: {{cpu: 64, memory: 128, port: 8080}}
desired: 4
route: {{paths: [/shop*], health: {{interval_secs: 5, timeout_secs: 2}}, deregistration_delay_secs: 10}}
rollout: {{strategy: {{canary: {{steps: [{steps}]}}}}, timeout_minutes: 10{more}}}
"
    )
}

pub(super) const STEPS: &str = "{percent: 10, minutes: 5}, {percent: 50, minutes: 5}";

/// `shop` as Windlass made it, live on version 1, with 20 requests a second.
pub(super) async fn shop(seed: u64, steps: &str, more: &str) -> (Stage, ImageDigest) {
    let mut stage = Stage::new(seed).await;
    stage.alarm("errors", false);
    stage.apply_spec("shop", &spec(steps, more));
    let one = stage.push("shop", "latest", &version("1"));
    stage.run_for(Duration::from_secs(2)).await;
    stage.until_quiet().await;
    stage.assert_live("shop", &one);
    stage.traffic.to(stage.now(), "/shop", 20);
    (stage, one)
}

async fn story(stage: &Stage, one: &ImageDigest, two: &ImageDigest) -> String {
    stage.story(&key("shop"), &[("1", one), ("2", two)]).await
}

/// The canary is gone: everything leads to the service, which runs this image.
pub(super) fn assert_only(stage: &Stage, digest: &ImageDigest) {
    stage.assert_live("shop", digest);
    assert_eq!(stage.weights("shop").1, None, "the rule leads to the service alone");
    assert_eq!(stage.desired("shop"), (4, 0));
}

#[tokio::test(start_paused = true)]
async fn a_good_release_goes_through_its_steps_at_a_fraction_of_the_capacity() {
    let (mut stage, one) = shop(400, STEPS, "").await;
    let two = stage.push("shop", "latest", &version("2"));
    stage.until_weight("shop", 0).await;
    stage.until_weight("shop", 100).await;
    assert_eq!(stage.desired("shop"), (4, 1), "a tenth of four tasks is one");
    stage.run_for(Duration::from_secs(2)).await;
    let share = stage.share("/shop", &two, Duration::from_mins(4)).await;
    assert!((0.07..=0.13).contains(&share), "10 %: {share}");
    let report = stage.report(&key("shop")).await;
    assert!(report.contains("canary: step 1 of 2, 10 %; until"), "{report}");
    stage.until_weight("shop", 500).await;
    assert_eq!(stage.desired("shop"), (4, 2));
    stage.run_for(Duration::from_secs(2)).await;
    let share = stage.share("/shop", &two, Duration::from_mins(4)).await;
    assert!((0.45..=0.55).contains(&share), "50 %: {share}");
    stage.until_quiet().await;
    assert_only(&stage, &two);
    stage.traffic.assert_none_failed();
    insta::assert_snapshot!(story(&stage, &one, &two).await, @r"
    1: live (from nothing)
    2: live (from 1)
    ");
    // The next one finds the canary's service and its group, and uses them.
    let three = stage.push("shop", "latest", &version("3"));
    stage.until_weight("shop", 100).await;
    stage.until_quiet().await;
    assert_only(&stage, &three);
    stage.assert_registered("main-shop", &[&one, &two, &three]);
    stage.traffic.assert_none_failed();
    stage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_crash_loop_never_gets_a_request_and_is_quarantined() {
    let (mut stage, one) = shop(401, STEPS, "").await;
    stage.watch.tolerate("shop-canary");
    let bad = stage.push("shop", "latest", &broken("2"));
    stage.run_for(Duration::from_secs(5)).await;
    stage.until_quiet().await;
    assert_only(&stage, &one);
    stage.traffic.assert_none_failed();
    assert!(!stage.traffic.counts("/shop").by_digest.contains_key(bad.as_str()), "no request met it");
    let row = stage.row(&key("shop")).await;
    let why = row.quarantine.get(&bad).unwrap_or_else(|| panic!("{row:?}"));
    assert!(
        why.reason.contains("of the canary's tasks failed") && why.reason.contains("exit 3"),
        "{}",
        why.reason
    );
    assert_eq!(row.state.last_release.unwrap().outcome, Outcome::RolledBack);
    stage.assert_registered("main-shop", &[&one, &bad]);
    stage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_failing_health_check_is_given_up_in_time() {
    let (mut stage, one) = shop(402, STEPS, "").await;
    stage.watch.tolerate("shop-canary");
    let bad = stage.push("shop", "latest", &labelled("2", &[("sim.health_status", "500")]));
    stage.run_for(Duration::from_secs(5)).await;
    stage.until_quiet().await;
    assert_only(&stage, &one);
    stage.traffic.assert_none_failed();
    assert!(!stage.traffic.counts("/shop").by_digest.contains_key(bad.as_str()));
    let row = stage.row(&key("shop")).await;
    assert!(row.quarantine[&bad].reason.contains("health check"), "{}", row.quarantine[&bad].reason);
    stage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn an_alarm_during_a_step_gives_it_up_and_the_broken_versions_errors_are_bounded_by_its_weight() {
    let (mut stage, one) = shop(403, STEPS, ", alarms: [errors]").await;
    let bad =
        stage.push("shop", "latest", &labelled("2", &[("sim.status", "500"), ("sim.health_status", "200")]));
    stage.until_weight("shop", 100).await;
    stage.run_for(Duration::from_mins(1)).await;
    stage.alarm("errors", true);
    stage.run_for(Duration::from_secs(5)).await;
    stage.until_quiet().await;
    assert_only(&stage, &one);
    let row = stage.row(&key("shop")).await;
    assert!(row.quarantine[&bad].reason.contains("errors rings"), "{}", row.quarantine[&bad].reason);
    let counts = stage.traffic.counts("/shop");
    assert!(counts.failed * 100 <= counts.sent * 13, "{} of {} failed", counts.failed, counts.sent);
    insta::assert_snapshot!(story(&stage, &one, &bad).await, @r"
    1: live (from nothing)
    2: rolled back (from 1)
    ");
    stage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn an_alarm_that_rang_before_is_no_reason_until_it_was_quiet() {
    let (mut stage, _) = shop(404, STEPS, ", alarms: [errors], ringing_alarm: warn").await;
    stage.alarm("errors", true);
    let two = stage.push("shop", "latest", &version("2"));
    stage.until_weight("shop", 100).await;
    stage.run_for(Duration::from_mins(2)).await;
    assert_eq!(stage.weights("shop").1, Some(100), "it rang before");
    stage.alarm("errors", false);
    stage.run_for(Duration::from_secs(70)).await;
    stage.alarm("errors", true);
    stage.run_for(Duration::from_secs(70)).await;
    stage.until_quiet().await;
    let row = stage.row(&key("shop")).await;
    assert!(row.quarantine[&two].reason.contains("errors rings"), "{row:?}");
    stage.traffic.assert_none_failed();
    stage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn an_alarm_that_rings_before_holds_the_canary_back() {
    let (mut stage, one) = shop(405, STEPS, ", alarms: [errors]").await;
    stage.alarm("errors", true);
    let two = stage.push("shop", "latest", &version("2"));
    stage.run_for(Duration::from_mins(3)).await;
    assert_only(&stage, &one);
    assert!(stage.report(&key("shop")).await.contains("errors rings before"));
    stage.alarm("errors", false);
    stage.run_for(Duration::from_secs(70)).await;
    stage.until_quiet().await;
    assert_only(&stage, &two);
    stage.traffic.assert_none_failed();
    stage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_newer_push_takes_its_place_and_begins_at_the_first_step() {
    let (mut stage, one) = shop(406, STEPS, "").await;
    let two = stage.push("shop", "latest", &version("2"));
    stage.until_weight("shop", 500).await;
    let three = stage.push("shop", "latest", &version("3"));
    stage.until_weight("shop", 0).await;
    stage.until_weight("shop", 100).await;
    stage.run_for(Duration::from_secs(2)).await;
    let share = stage.share("/shop", &two, Duration::from_mins(1)).await;
    assert!(share < f64::EPSILON, "nobody meets the superseded one: {share}");
    stage.until_quiet().await;
    assert_only(&stage, &three);
    stage.traffic.assert_none_failed();
    stage.assert_registered("main-shop", &[&one, &two, &three]);
    insta::assert_snapshot!(stage.story(&key("shop"), &[("1", &one), ("2", &two), ("3", &three)]).await, @r"
    1: live (from nothing)
    2: superseded (from 1)
    3: live (from 1)
    ");
    stage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_hold_keeps_it_at_its_step_and_resume_goes_on() {
    let (mut stage, _) = shop(407, STEPS, "").await;
    let two = stage.push("shop", "latest", &version("2"));
    stage.until_weight("shop", 100).await;
    stage.hold(&key("shop"), "the sale").await;
    stage.run_for(Duration::from_mins(20)).await;
    assert_eq!(stage.weights("shop").1, Some(100));
    assert!(stage.report(&key("shop")).await.contains("the sale"));
    stage.resume(&key("shop")).await;
    stage.until_quiet().await;
    assert_only(&stage, &two);
    stage.traffic.assert_none_failed();
    stage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn the_canary_grows_and_shrinks_with_the_service() {
    let (mut stage, _) = shop(408, STEPS, "").await;
    let two = stage.push("shop", "latest", &version("2"));
    stage.until_weight("shop", 500).await;
    let scale = |desired: u32| json!({"cluster": "main", "service": "shop", "desiredCount": desired});
    stage.by_hand(ServiceId::Ecs, "UpdateService", &scale(8));
    stage.run_for(Duration::from_secs(70)).await;
    assert_eq!(stage.desired("shop"), (8, 4));
    assert_eq!(stage.weights("shop").1, Some(500), "the share stays");
    stage.by_hand(ServiceId::Ecs, "UpdateService", &scale(2));
    stage.run_for(Duration::from_secs(70)).await;
    assert_eq!(stage.desired("shop"), (2, 1));
    stage.until_quiet().await;
    stage.assert_live("shop", &two);
    assert_eq!((stage.desired("shop"), stage.weights("shop").1), ((2, 0), None));
    stage.traffic.assert_none_failed();
    stage.finish().await;
}

pub(super) const ASKS: &str = "{percent: 25, minutes: 1, approval: true}";

#[tokio::test(start_paused = true)]
async fn held_for_hours_until_a_person_says_yes() {
    let (mut stage, _) = shop(409, ASKS, "").await;
    let two = stage.push("shop", "latest", &version("2"));
    stage.until_weight("shop", 250).await;
    stage.run_for(Duration::from_mins(5)).await;
    let report = stage.report(&key("shop")).await;
    assert!(report.contains("`windlass approve main/shop`"), "{report}");
    stage.traffic.assert_none_failed();
    // Without a request: the sweeps alone take long enough.
    stage.traffic = Traffic::default();
    stage.door.run_until(stage.now() + Duration::from_hours(6)).await;
    assert_eq!(stage.weights("shop").1, Some(250), "{}", stage.picture().await);
    stage.traffic.to(stage.now(), "/shop", 20);
    stage.answers(&key("shop"), true, "looks good").await;
    stage.until_quiet().await;
    assert_only(&stage, &two);
    let release = stage.releases(&key("shop")).await.pop().unwrap();
    assert_eq!(release.approvals[0].order.by.as_str(), "ann", "{release:?}");
    stage.traffic.assert_none_failed();
    stage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_person_says_no() {
    let (mut stage, one) = shop(410, ASKS, "").await;
    let two = stage.push("shop", "latest", &version("2"));
    stage.until_weight("shop", 250).await;
    stage.run_for(Duration::from_mins(3)).await;
    stage.answers(&key("shop"), false, "too slow").await;
    stage.until_quiet().await;
    assert_only(&stage, &one);
    let row = stage.row(&key("shop")).await;
    assert!(row.quarantine[&two].reason.contains("ann said no"), "{}", row.quarantine[&two].reason);
    assert!(row.state.marks.question.is_none());
    stage.traffic.assert_none_failed();
    stage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_yes_before_the_first_request_and_the_test_route_meanwhile() {
    let more = ", approval: {before: traffic}, test_route: {header: x-canary, values: [yes]}";
    let (mut stage, one) = shop(411, STEPS, more).await;
    let two = stage.push("shop", "latest", &version("2"));
    stage.until_weight("shop", 0).await;
    stage.run_for(Duration::from_mins(3)).await;
    assert_eq!(stage.weights("shop").1, Some(0), "nobody said yes");
    let share = stage.share("/shop", &two, Duration::from_secs(30)).await;
    assert!(share < f64::EPSILON, "no production request meets it: {share}");
    assert_eq!(stage.test_request("/shop", "x-canary", "yes"), Some(two.to_string()));
    assert_eq!(stage.test_request("/shop", "x-canary", "no"), Some(one.to_string()));
    stage.answers(&key("shop"), true, "go").await;
    stage.until_quiet().await;
    assert_only(&stage, &two);
    let rules = stage.door.with(|world| windlass_sim::elb::rules(world, &stage.listener));
    let parked = rules.iter().filter(|rule| rule.conditions.iter().any(|c| c.contains(".invalid"))).count();
    assert_eq!(parked, 1, "the test route is parked: {rules:?}");
    stage.traffic.assert_none_failed();
    stage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_worker_without_a_load_balancer_has_tasks_alone() {
    let mut stage = Stage::new(412).await;
    let yaml = spec(STEPS, "");
    let yaml: String = yaml.lines().filter(|line| !line.starts_with("route:")).collect::<Vec<_>>().join("\n");
    stage.apply_spec("shop", &yaml);
    let one = stage.push("shop", "latest", &version("1"));
    stage.run_for(Duration::from_secs(2)).await;
    stage.until_quiet().await;
    let two = stage.push("shop", "latest", &version("2"));
    stage.run_for(Duration::from_mins(3)).await;
    assert_eq!(stage.desired("shop"), (4, 1));
    stage.assert_live("shop", &one);
    stage.until_quiet().await;
    stage.assert_live("shop", &two);
    assert_eq!(stage.desired("shop"), (4, 0));
    let bad = stage.push("shop", "latest", &broken("3"));
    stage.watch.tolerate("shop-canary");
    stage.run_for(Duration::from_secs(5)).await;
    stage.until_quiet().await;
    stage.assert_live("shop", &two);
    assert!(stage.row(&key("shop")).await.quarantine.contains_key(&bad));
    stage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn an_adopted_service_has_no_canary() {
    let (mut stage, _) = update::shop(413).await;
    let two = stage.push("shop", "latest", &version("2"));
    stage.until_quiet().await;
    stage.assert_live("shop", &two);
    assert!(stage.described("shop-canary").is_null());
    stage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_quiet_service_with_a_canary_in_its_spec_costs_no_more() {
    let (mut stage, _) = shop(414, STEPS, "").await;
    stage.sweeps_without_a_write().await;
    let calls = stage.calls();
    let described = calls.iter().filter(|call| call.operation == "DescribeTargetHealth").count();
    assert_eq!(described, 0, "{calls:?}");
    stage.finish().await;
}

/// A verification that looks at an alarm alone, which the rollout itself does not look at.
async fn verified(seed: u64) -> (Stage, ImageDigest) {
    let mut stage = Stage::new(seed).await;
    stage.alarm("smoke", false);
    stage.apply_spec("shop", &format!("{}verify: {{alarms: [smoke]}}\n", spec(STEPS, "")));
    let one = stage.push("shop", "latest", &version("1"));
    stage.run_for(Duration::from_secs(2)).await;
    stage.until_quiet().await;
    stage.traffic.to(stage.now(), "/shop", 20);
    (stage, one)
}

#[tokio::test(start_paused = true)]
async fn each_step_ends_with_a_verdict_that_stands_in_the_release() {
    let (mut stage, _) = verified(415).await;
    let two = stage.push("shop", "latest", &version("2"));
    stage.until_weight("shop", 100).await;
    stage.until_quiet().await;
    assert_only(&stage, &two);
    let release = stage.releases(&key("shop")).await.pop().unwrap();
    assert_eq!(release.verdicts.len(), 2, "{release:?}");
    stage.traffic.assert_none_failed();
    stage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_verification_that_fails_gives_it_up() {
    let (mut stage, one) = verified(416).await;
    let two = stage.push("shop", "latest", &version("2"));
    stage.until_weight("shop", 100).await;
    stage.alarm("smoke", true);
    stage.until_quiet().await;
    assert_only(&stage, &one);
    let row = stage.row(&key("shop")).await;
    assert!(
        row.quarantine[&two].reason.contains("its verification failed"),
        "{}",
        row.quarantine[&two].reason
    );
    stage.traffic.assert_none_failed();
    stage.finish().await;
}
