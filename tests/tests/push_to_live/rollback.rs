//! Going back: after a release was live, while one goes on, and never to what is not there.

use std::time::Duration;

use serde_json::json;
use windlass_shared::id::TaskDefinitionArn;
use windlass_shared::ledger::{Outcome, Quarantine, RollbackTo};
use windlass_shared::names;
use windlass_sim::door::in_process::Kill;
use windlass_sim::gate::faults::When;
use windlass_sim::{ServiceId, elb};
use windlass_tests::account::{self, ByHand};
use windlass_tests::{ImageDigest, Stage, broken, key, labelled, version};

use super::create::SPEC;
use super::update::shop;

/// `shop` with 1, 2, … `newest` live one after the other, and requests under way; their images,
/// oldest first.
async fn releases(seed: u64, newest: u32) -> (Stage, Vec<ImageDigest>) {
    let (mut stage, one) = shop(seed).await;
    stage.traffic.to(stage.now(), "/shop", 10);
    let mut images = vec![one];
    for number in 2..=newest {
        let image = stage.push("shop", "latest", &version(&number.to_string()));
        stage.until_quiet().await;
        stage.assert_live("shop", &image);
        images.push(image);
    }
    (stage, images)
}

/// The rollback is begun and over.
async fn settled(stage: &mut Stage) {
    stage.run_for(Duration::from_secs(3)).await;
    stage.until_quiet().await;
}

fn revision_of(stage: &Stage, digest: &ImageDigest) -> TaskDefinitionArn {
    let is_it = |revision: &serde_json::Value| {
        revision["containerDefinitions"][0]["image"]
            .as_str()
            .is_some_and(|image| image.ends_with(digest.as_str()))
    };
    let found = stage.revisions("shop").into_iter().find(is_it);
    TaskDefinitionArn::new(found.expect("a revision of the image")["taskDefinitionArn"].as_str().unwrap())
}

#[tokio::test(start_paused = true)]
async fn a_rollback_after_completion_uses_the_recorded_revision_and_holds() {
    let (mut stage, images) = releases(700, 2).await;
    let [one, two] = images.as_slice() else { panic!("two releases") };
    stage.roll_back(&key("shop"), RollbackTo::Previous).await;
    settled(&mut stage).await;
    stage.assert_live("shop", one);
    // ecspresso#673: the wrong revision registered again, or taken away.
    stage.assert_registered("shop", &[one, two]);
    assert_eq!(stage.described("shop")["taskDefinition"], revision_of(&stage, one).as_str());
    let row = stage.row(&key("shop")).await;
    let why = &row.quarantine[two];
    assert_eq!(why.reason, "rolled back by ann: it is slow");
    let report = stage.report(&key("shop")).await;
    assert!(report.contains("rolled back by ann (it is slow)"), "{report}");
    // The tag still points at what was left.
    stage.run_for(Duration::from_mins(10)).await;
    stage.assert_live("shop", one);
    stage.traffic.assert_none_failed();
    insta::assert_snapshot!(stage.story(&key("shop"), &[("1", one), ("2", two)]).await, @r"
    1: live (from nothing)
    2: live (from 1)
    1: live (from 2)
    ");
    stage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn two_rollbacks_go_two_back() {
    let (mut stage, images) = releases(701, 3).await;
    for expected in [1, 0] {
        stage.roll_back(&key("shop"), RollbackTo::Previous).await;
        settled(&mut stage).await;
        stage.assert_live("shop", &images[expected]);
    }
    stage.roll_back(&key("shop"), RollbackTo::Previous).await;
    settled(&mut stage).await;
    let report = stage.report(&key("shop")).await;
    assert!(
        report.contains("refused: the rollback is not carried out: nothing was live here before"),
        "{report}"
    );
    stage.assert_live("shop", &images[0]);
    stage.traffic.assert_none_failed();
    stage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_rollback_by_digest_and_by_revision() {
    let (mut stage, images) = releases(702, 3).await;
    stage.roll_back(&key("shop"), RollbackTo::Digest(images[0].clone())).await;
    settled(&mut stage).await;
    stage.assert_live("shop", &images[0]);
    let second = revision_of(&stage, &images[1]);
    stage.roll_back(&key("shop"), RollbackTo::Revision(second.clone())).await;
    settled(&mut stage).await;
    stage.assert_live("shop", &images[1]);
    assert_eq!(stage.described("shop")["taskDefinition"], second.as_str());
    let all: Vec<&ImageDigest> = images.iter().collect();
    stage.assert_registered("shop", &all);
    stage.traffic.assert_none_failed();
    stage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn an_image_that_was_never_live_here_is_gone_back_to_by_its_digest() {
    let (mut stage, images) = releases(703, 2).await;
    stage.hold(&key("shop"), "quiet").await;
    let unseen = stage.push("shop", "side", &version("side"));
    stage.resume(&key("shop")).await;
    settled(&mut stage).await;
    stage.roll_back(&key("shop"), RollbackTo::Digest(unseen.clone())).await;
    settled(&mut stage).await;
    stage.assert_live("shop", &unseen);
    stage.assert_registered("shop", &[&images[0], &images[1], &unseen]);
    stage.traffic.assert_none_failed();
    stage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn an_image_that_is_gone_is_refused_with_what_else_can_be_gone_back_to() {
    let (mut stage, images) = releases(704, 3).await;
    stage.delete_image("shop", &images[1]);
    let updates = stage.count("ecs:UpdateService");
    stage.roll_back(&key("shop"), RollbackTo::Previous).await;
    settled(&mut stage).await;
    let report = stage.report(&key("shop")).await;
    assert!(report.contains("is gone from the repository"), "{report}");
    assert!(report.contains(&format!("one can go back to latest ({})", images[0].short())), "{report}");
    assert_eq!(stage.count("ecs:UpdateService"), updates);
    let row = stage.row(&key("shop")).await;
    assert!(row.quarantine.is_empty() && row.state.marks.pin.is_none(), "nothing came of it: {row:?}");
    // It was answered: an image that comes back later is not rolled out.
    stage.push("shop", "again", &version("2"));
    stage.run_for(Duration::from_mins(3)).await;
    stage.assert_live("shop", &images[2]);
    // Untagged is not gone.
    stage.roll_back(&key("shop"), RollbackTo::Digest(images[0].clone())).await;
    settled(&mut stage).await;
    stage.assert_live("shop", &images[0]);
    stage.traffic.assert_none_failed();
    stage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_revision_that_was_deregistered_is_made_again_from_the_live_one() {
    let (mut stage, images) = releases(705, 2).await;
    let gone = revision_of(&stage, &images[0]);
    stage.by_hand(ServiceId::Ecs, "DeregisterTaskDefinition", &json!({"taskDefinition": gone.as_str()}));
    stage.roll_back(&key("shop"), RollbackTo::Previous).await;
    settled(&mut stage).await;
    stage.assert_live("shop", &images[0]);
    assert_ne!(stage.described("shop")["taskDefinition"], gone.as_str());
    stage.assert_registered("shop", &[&images[0], &images[1]]);
    stage.traffic.assert_none_failed();
    stage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_newer_push_after_a_rollback_goes_live_and_an_older_image_that_gets_the_tag_does_not() {
    let (mut stage, images) = releases(706, 3).await;
    stage.roll_back(&key("shop"), RollbackTo::Previous).await;
    settled(&mut stage).await;
    stage.assert_live("shop", &images[1]);
    // The tag is moved to the very first image.
    stage.retag("shop", &images[0], "latest");
    stage.run_for(Duration::from_mins(3)).await;
    stage.assert_live("shop", &images[1]);
    let four = stage.push("shop", "latest", &version("4"));
    settled(&mut stage).await;
    stage.assert_live("shop", &four);
    assert!(stage.row(&key("shop")).await.state.marks.pin.is_none());
    stage.traffic.assert_none_failed();
    stage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn to_release_what_was_left_ends_the_rollback() {
    let (mut stage, images) = releases(707, 2).await;
    stage.roll_back(&key("shop"), RollbackTo::Previous).await;
    settled(&mut stage).await;
    stage.release(&key("shop"), &images[1]).await;
    settled(&mut stage).await;
    stage.assert_live("shop", &images[1]);
    stage.assert_registered("shop", &[&images[0], &images[1]]);
    stage.traffic.assert_none_failed();
    stage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_held_service_is_rolled_back_once_the_hold_ends() {
    let (mut stage, images) = releases(708, 2).await;
    stage.hold(&key("shop"), "launch day").await;
    stage.roll_back(&key("shop"), RollbackTo::Previous).await;
    stage.run_for(Duration::from_mins(2)).await;
    stage.assert_live("shop", &images[1]);
    let report = stage.report(&key("shop")).await;
    assert!(report.contains("(launch day); the rollback waits"), "{report}");
    stage.resume(&key("shop")).await;
    settled(&mut stage).await;
    stage.assert_live("shop", &images[0]);
    stage.traffic.assert_none_failed();
    stage.finish().await;
}

/// The rollout of an image that crashes after its first health check: ECS would go on for ever.
async fn during_a_rollout(seed: u64) -> (Stage, ImageDigest, ImageDigest) {
    let (mut stage, one) = shop(seed).await;
    stage.traffic.to(stage.now(), "/shop", 10);
    let slow = stage.push("shop", "latest", &labelled("2", &[("sim.start_secs", "120")]));
    stage.run_for(Duration::from_secs(20)).await;
    assert!(stage.row(&key("shop")).await.state.in_flight.is_some(), "{}", stage.picture().await);
    (stage, one, slow)
}

#[tokio::test(start_paused = true)]
async fn a_rollback_during_a_rolling_rollout_ends_it() {
    let (mut stage, one, slow) = during_a_rollout(709).await;
    stage.roll_back(&key("shop"), RollbackTo::Previous).await;
    settled(&mut stage).await;
    assert_eq!(stage.count("ecs:StopServiceDeployment"), 1);
    stage.assert_live("shop", &one);
    let last = stage.row(&key("shop")).await.state.last_release.unwrap();
    assert_eq!((last.outcome, &last.digest), (Outcome::RolledBack, &slow));
    assert!(
        last.reason.as_deref().is_some_and(|why| why.contains("rolled back by ann: it is slow")),
        "{last:?}"
    );
    stage.run_for(Duration::from_mins(5)).await;
    stage.assert_live("shop", &one);
    let three = stage.push("shop", "latest", &version("3"));
    settled(&mut stage).await;
    stage.assert_live("shop", &three);
    stage.traffic.assert_none_failed();
    stage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_rollback_to_an_older_one_during_a_rollout_ends_it_and_goes_on() {
    let (mut stage, images) = releases(710, 2).await;
    stage.push("shop", "latest", &labelled("3", &[("sim.start_secs", "120")]));
    stage.run_for(Duration::from_secs(20)).await;
    stage.roll_back(&key("shop"), RollbackTo::Digest(images[0].clone())).await;
    settled(&mut stage).await;
    stage.assert_live("shop", &images[0]);
    stage.traffic.assert_none_failed();
    stage.finish().await;
}

/// Kills the invocation that the ring by hand woke, at its call number `call`.
async fn killed(mut stage: Stage, to: RollbackTo, expected: &ImageDigest, call: u32, when: When) -> bool {
    let mut left = Some(Kill { call, when });
    stage.door.set_kills(Box::new(move |invocation| {
        if invocation.payload["detail-type"] == "Windlass Doorbell" { left.take() } else { None }
    }));
    stage.roll_back(&key("shop"), to).await;
    stage.run_for(Duration::from_mins(3)).await;
    stage.until_quiet().await;
    stage.assert_live("shop", expected);
    let was_killed = stage.errors().iter().any(|error| error.contains("signal: killed"));
    stage.finish().await;
    was_killed
}

#[tokio::test(start_paused = true)]
async fn a_rollback_killed_at_any_call_is_carried_out_once() {
    for call in 1..80 {
        for when in [When::Before, When::After] {
            let (stage, images) = releases(720 + u64::from(call), 2).await;
            if !killed(stage, RollbackTo::Previous, &images[0], call, when).await {
                assert!(call >= 6, "{call} calls: did it ring?");
                return;
            }
        }
    }
    panic!("an invocation makes 80 calls");
}

#[tokio::test(start_paused = true)]
async fn a_rollback_during_a_rollout_killed_at_any_call_ends_it() {
    for call in 1..80 {
        for when in [When::Before, When::After] {
            let (stage, one, _) = during_a_rollout(820 + u64::from(call)).await;
            if !killed(stage, RollbackTo::Previous, &one, call, when).await {
                assert!(call >= 5, "{call} calls: did it ring?");
                return;
            }
        }
    }
    panic!("an invocation makes 80 calls");
}

#[tokio::test(start_paused = true)]
async fn what_was_gone_back_to_and_fails_is_not_followed_by_a_guess() {
    let (mut stage, images) = releases(711, 3).await;
    stage.watch.tolerate("shop");
    let crashing = stage.push("shop", "side", &broken("crashing"));
    stage.roll_back(&key("shop"), RollbackTo::Digest(crashing.clone())).await;
    settled(&mut stage).await;
    stage.assert_live("shop", &images[2]);
    let report = stage.report(&key("shop")).await;
    assert!(report.contains("which was rolled back to, failed too"), "{report}");
    // Another order is another chance.
    stage.roll_back(&key("shop"), RollbackTo::Digest(images[0].clone())).await;
    settled(&mut stage).await;
    stage.assert_live("shop", &images[0]);
    stage.traffic.assert_none_failed();
    stage.finish().await;
}

/// The conditions of the rule to `service`'s target group.
fn conditions(stage: &Stage, service: &str) -> String {
    let group = names::target_group(&key(service));
    let rules = stage.door.with(|world| elb::rules(world, &stage.listener));
    let own = rules.into_iter().find(|rule| rule.groups.iter().any(|it| it.name == group));
    own.unwrap_or_else(|| panic!("a rule to {group}")).conditions.join(" and ")
}

/// Somebody opens the rule of `service` on its path.
fn open_by_hand(stage: &Stage, service: &str) {
    let elb = ServiceId::ElasticLoadBalancing;
    let there = stage.by_hand(elb, "DescribeRules", &json!({ "ListenerArn": stage.listener }));
    let parked = names::parking_host(&key(service));
    let rules = there["Rules"].as_array().unwrap();
    let own = rules.iter().find(|rule| rule["Conditions"].to_string().contains(&parked)).unwrap();
    let path = json!([{"Field": "path-pattern", "Values": [format!("/{service}*")]}]);
    stage.by_hand(elb, "ModifyRule", &json!({"RuleArn": own["RuleArn"], "Conditions": path}));
}

/// Its tasks run before they crash, so that ECS's breaker counts none of them.
#[tokio::test(start_paused = true)]
async fn a_first_release_that_fails_ends_clean_and_the_next_push_goes_on_with_what_is_there() {
    let (mut stage, neighbour) = shop(712).await;
    stage.traffic.to(stage.now(), "/shop", 10);
    stage.watch.tolerate("cart");
    stage.apply_spec("cart", &SPEC.replace("shop", "cart"));
    let bad = stage.push("cart", "latest", &labelled("1", &[("sim.crash_secs", "2")]));
    stage.run_for(Duration::from_mins(33)).await;
    let row = stage.row(&key("cart")).await;
    assert!(row.quarantine.contains_key(&bad), "{}", stage.picture().await);
    assert!(row.quarantine[&bad].reason.starts_with("not live within 30 min"), "{row:?}");
    let last = row.state.last_release.unwrap();
    assert_eq!((last.outcome, &last.digest), (Outcome::Failed, &bad));
    assert!(conditions(&stage, "cart").contains("parked.windlass.invalid"));
    let report = stage.report(&key("cart")).await;
    let made =
        ["nothing of it serves", "service main/cart", "task definition main-cart:1", "target group cart-"];
    for words in made.into_iter().chain([", parked"]) {
        assert!(report.contains(words), "{words}: {report}");
    }
    // Nothing is scaled to nothing, which would look live, and nothing is tried again.
    assert_eq!(stage.described("cart")["desiredCount"], 2);
    let updates = stage.count("ecs:UpdateService");
    stage.run_for(Duration::from_mins(20)).await;
    assert_eq!(stage.count("ecs:UpdateService"), updates);
    open_by_hand(&stage, "cart");
    stage.run_for(Duration::from_secs(70)).await;
    assert!(conditions(&stage, "cart").contains("parked.windlass.invalid"), "parked again");
    let good = stage.push("cart", "latest", &version("2"));
    stage.run_for(Duration::from_secs(3)).await;
    assert!(conditions(&stage, "cart").contains("parked.windlass.invalid"), "not before it is live");
    settled(&mut stage).await;
    stage.assert_live("cart", &good);
    assert_eq!(conditions(&stage, "cart"), "path /cart*");
    insta::assert_snapshot!(stage.story(&key("cart"), &[("bad", &bad), ("good", &good)]).await, @r"
    bad: failed (from nothing)
    good: live (from nothing)
    ");
    stage.assert_live("shop", &neighbour);
    stage.traffic.assert_none_failed();
    stage.finish().await;
}

/// Lets time go on until the image is in quarantine.
async fn quarantined(stage: &mut Stage, digest: &ImageDigest) -> Quarantine {
    for _ in 0..60 {
        if let Some(why) = stage.row(&key("shop")).await.quarantine.get(digest) {
            return why.clone();
        }
        stage.run_for(Duration::from_mins(1)).await;
    }
    panic!("{digest} is not in quarantine\n{}", stage.picture().await);
}

/// `shop` on a cluster in which a third task of it has no room; no breaker ends its rollouts.
async fn full_cluster(seed: u64) -> (Stage, ImageDigest) {
    let mut stage = Stage::new(seed).await;
    stage.door.with(|world| account::instance(world, 3));
    let huge = |name: &str, desired: u32| ByHand {
        desired,
        extra: json!({"memory": "12000"}),
        ..ByHand::tracking(name, &format!("{name}:latest"))
    };
    let one = stage.service_by_hand(&huge("shop", 2)).await;
    stage.service_by_hand(&ByHand { track: None, ..huge("filler", 1) }).await;
    stage.traffic.to(stage.now(), "/shop", 10);
    (stage, one)
}

#[tokio::test(start_paused = true)]
async fn a_rollout_without_room_is_rolled_back_and_tried_again_by_itself_once_there_is_some() {
    let (mut stage, one) = full_cluster(713).await;
    let two = stage.push("shop", "latest", &version("2"));
    stage.run_for(Duration::from_secs(5)).await;
    let failed = quarantined(&mut stage, &two).await;
    assert!(failed.reason.starts_with("no capacity: "), "{failed:?}");
    assert!(failed.reason.contains("insufficient memory"), "{failed:?}");
    let until = failed.until.unwrap_or_else(|| panic!("not for ever: {failed:?}"));
    assert_eq!(until.duration_since(failed.at).as_mins(), 15);
    stage.run_for(Duration::from_mins(5)).await;
    stage.assert_live("shop", &one);
    let report = stage.report(&key("shop")).await;
    assert!(report.contains("no capacity"), "{report}");
    stage.door.with(|world| account::instance(world, 4));
    stage.run_for(Duration::from_mins(5)).await;
    stage.assert_live("shop", &one);
    stage.run_for(Duration::from_mins(6)).await;
    stage.until_quiet().await;
    stage.assert_live("shop", &two);
    stage.assert_registered("shop", &[&one, &two]);
    stage.traffic.assert_none_failed();
    stage.finish().await;
}
