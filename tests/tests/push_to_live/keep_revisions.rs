//! `keep_revisions`: old revisions go some at a time, in quiet passes, and every way back stays.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::json;
use windlass_shared::ledger::{KEPT_SETTLED, RollbackTo};
use windlass_sim::door::in_process::Kill;
use windlass_sim::gate::faults::When;
use windlass_tests::account::{self, ByHand};
use windlass_tests::{ImageDigest, Stage, key, version};

use super::update::shop;

const LIST: &str = "ecs:ListTaskDefinitions";
const DEREGISTER: &str = "ecs:DeregisterTaskDefinition";

/// Releases that are gone back to, the one that is live, and six more.
const RELEASES: usize = KEPT_SETTLED + 1 + 6;

async fn release(stage: &mut Stage, numbers: std::ops::RangeInclusive<usize>) -> Vec<ImageDigest> {
    let mut images = Vec::new();
    for number in numbers {
        let image = stage.push("shop", "latest", &version(&number.to_string()));
        stage.run_for(Duration::from_secs(3)).await;
        stage.until_quiet().await;
        stage.assert_live("shop", &image);
        images.push(image);
    }
    images
}

/// The numbers of the ACTIVE revisions of `shop`.
fn numbers(stage: &Stage) -> BTreeSet<u64> {
    stage.revisions("shop").iter().filter_map(|revision| revision["revision"].as_u64()).collect()
}

#[tokio::test(start_paused = true)]
async fn old_revisions_go_and_each_release_that_can_be_gone_back_to_stays() {
    let (mut stage, _) = shop(1200).await;
    stage.traffic.to(stage.now(), "/shop", 5);
    stage.watch.let_revisions_go();
    stage.put_parameter("/windlass/clusters/main", "keep_revisions: 3");
    let by_hand = ByHand::tracking("shop", "shop:latest");
    stage.door.with(|world| account::register(world, &by_hand, "someday"));
    let images = release(&mut stage, 2..=RELEASES).await;
    let left = numbers(&stage);
    // 1 is the person's own, 2 its image pinned, 3 the person's again; then the releases.
    let newest = u64::try_from(RELEASES).unwrap() + 2;
    let kept = u64::try_from(KEPT_SETTLED).unwrap();
    let expected: BTreeSet<u64> = [1, 3].into_iter().chain(newest - kept..=newest).collect();
    assert_eq!(left, expected);
    let (listed, gone) = (stage.count(LIST), stage.count(DEREGISTER));
    assert_eq!(gone, RELEASES - 1 - KEPT_SETTLED, "one for each that is neither live nor gone back to");
    // The sweep looks whether some may go, then the pass that takes them.
    assert!(listed <= 2 * gone, "looked {listed} times for {gone} revisions");
    stage.run_for(Duration::from_mins(10)).await;
    assert_eq!((stage.count(LIST), stage.count(DEREGISTER)), (listed, gone), "not in every sweep");
    // The very first of those that are kept.
    let oldest = &images[images.len() - 1 - KEPT_SETTLED];
    let registered = stage.count("ecs:RegisterTaskDefinition");
    stage.roll_back(&key("shop"), RollbackTo::Digest(oldest.clone())).await;
    stage.run_for(Duration::from_secs(3)).await;
    stage.until_quiet().await;
    stage.assert_live("shop", oldest);
    assert_eq!(stage.count("ecs:RegisterTaskDefinition"), registered, "by its recorded revision");
    stage.traffic.assert_none_failed();
    stage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_revision_that_another_service_of_the_family_runs_stays() {
    let (mut stage, _) = shop(1201).await;
    let twin = ByHand { extra: json!({"family": "shop"}), ..ByHand::tracking("twin", "shop:latest") };
    stage.service_by_hand(&twin).await;
    stage.hold(&key("twin"), "later").await;
    let two = release(&mut stage, 2..=2).await;
    stage.resume(&key("twin")).await;
    stage.run_for(Duration::from_secs(3)).await;
    stage.until_quiet().await;
    stage.assert_live("twin", &two[0]);
    let shared = stage.described("shop")["taskDefinition"].clone();
    assert_eq!(stage.described("twin")["taskDefinition"], shared, "one registered it, both run it");
    stage.hold(&key("twin"), "as it is").await;
    stage.watch.let_revisions_go();
    stage.put_parameter("/windlass/clusters/main", "keep_revisions: 1");
    release(&mut stage, 3..=RELEASES).await;
    assert!(stage.count(DEREGISTER) > 0, "{}", stage.picture().await);
    let left: Vec<_> =
        stage.revisions("shop").into_iter().map(|it| it["taskDefinitionArn"].clone()).collect();
    assert!(left.contains(&shared), "{shared} of {left:?}");
    stage.resume(&key("twin")).await;
    stage.run_for(Duration::from_secs(3)).await;
    stage.finish().await;
}

/// Whether the sweep that takes six revisions came as far as its kill.
async fn killed_while_it_cleans_up(call: u32) -> bool {
    let (mut stage, _) = shop(1210 + u64::from(call)).await;
    release(&mut stage, 2..=RELEASES).await;
    stage.run_for(Duration::from_secs(61)).await;
    stage.watch.let_revisions_go();
    stage.put_parameter("/windlass/clusters/main", "keep_revisions: 2");
    stage.ring(&key("shop"));
    stage.run_for(Duration::from_secs(3)).await;
    let deploy = stage.function.clone();
    stage.door.set_kills(Box::new(move |invocation| {
        let is_it = invocation.function == deploy && invocation.payload["detail-type"] == "Scheduled Event";
        is_it.then_some(Kill { call, when: When::After })
    }));
    stage.run_for(Duration::from_secs(90)).await;
    stage.door.set_kills(Box::new(|_| None));
    stage.run_for(Duration::from_mins(4)).await;
    stage.until_quiet().await;
    let needed = numbers(&stage);
    let newest = u64::try_from(RELEASES).unwrap() + 1;
    let kept = u64::try_from(KEPT_SETTLED).unwrap();
    let ways_back: BTreeSet<u64> = (newest - kept..=newest).collect();
    assert!(needed.is_superset(&ways_back), "{needed:?}");
    let killed = stage.errors().iter().any(|error| error.contains("signal: killed"));
    let last = release(&mut stage, RELEASES + 1..=RELEASES + 1).await;
    stage.run_for(Duration::from_mins(3)).await;
    assert_eq!(numbers(&stage).len(), 1 + KEPT_SETTLED + 1, "the next release finishes it");
    stage.assert_live("shop", &last[0]);
    stage.finish().await;
    killed
}

#[tokio::test(start_paused = true)]
async fn a_clean_up_killed_at_any_call_takes_nothing_that_is_needed() {
    let mut killed = Vec::new();
    // Looking, the pass's reads, then what it writes: the last of its thirty-odd calls.
    for call in [8, 20, 26, 28, 30, 32] {
        if killed_while_it_cleans_up(call).await {
            killed.push(call);
        }
    }
    assert!(killed.len() >= 5, "did the sweep make its calls? {killed:?}");
}

/// Somebody took the right away: it is told once a release, and asked again with the next one.
#[tokio::test(start_paused = true)]
async fn a_right_that_is_denied_is_told_and_asked_for_again_with_the_next_release() {
    let (mut stage, _) = shop(1203).await;
    stage.watch.let_revisions_go();
    stage.put_parameter("/windlass/clusters/main", "keep_revisions: 2");
    stage.door.with(|world| world.gate.permissions.deny(DEREGISTER));
    release(&mut stage, 2..=RELEASES).await;
    stage.run_for(Duration::from_mins(3)).await;
    let asked = stage.calls().iter().filter(|call| call.to_string() == DEREGISTER).count();
    // The SDK takes a denial for a clock that may be off, and sends each call three times.
    assert!((3..=3 * (RELEASES - KEPT_SETTLED)).contains(&asked), "once a release: {asked}");
    let report = stage.report(&key("shop")).await;
    assert!(report.contains("not done: keep_revisions: 2, for AWS refused it"), "{report}");
    assert!(report.contains(DEREGISTER), "what to allow: {report}");
    // Nor is it asked each minute.
    stage.sweeps_without_a_write().await;
    stage.door.with(|world| world.gate.permissions.clear_denials());
    release(&mut stage, RELEASES + 1..=RELEASES + 1).await;
    stage.run_for(Duration::from_mins(3)).await;
    assert_eq!(numbers(&stage).len(), 1 + KEPT_SETTLED + 1, "{}", stage.picture().await);
    stage.finish().await;
}

/// The stack's own word: the role has no right, and the function asks for none.
#[tokio::test(start_paused = true)]
async fn a_stack_without_the_right_asks_for_nothing_and_says_what_to_change() {
    let mut stage = Stage::with_parameters(1204, &[("DeregisterRevisions", "no")]).await;
    stage.service_by_hand(&ByHand::tracking("shop", "shop:latest")).await;
    stage.put_parameter("/windlass/clusters/main", "keep_revisions: 1");
    release(&mut stage, 2..=RELEASES).await;
    let report = stage.report(&key("shop")).await;
    assert!(report.contains("DeregisterRevisions=yes"), "{report}");
    assert_eq!((stage.count(LIST), stage.count(DEREGISTER)), (0, 0));
    assert_eq!(numbers(&stage).len(), RELEASES + 1);
    stage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn without_the_setting_no_revision_is_ever_listed_or_taken() {
    let (mut stage, _) = shop(1202).await;
    release(&mut stage, 2..=4).await;
    assert_eq!((stage.count(LIST), stage.count(DEREGISTER)), (0, 0));
    assert_eq!(numbers(&stage).len(), 5);
    stage.finish().await;
}
