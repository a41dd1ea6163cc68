//! Others act meanwhile: a second function, a person, a newer push.

use std::time::Duration;

use serde_json::json;
use windlass_shared::ledger::Outcome;
use windlass_sim::ServiceId;
use windlass_sim::bus::{Delivery, DeliveryFaults};
use windlass_sim::door::in_process::Latency;
use windlass_tests::account::{self, ByHand};
use windlass_tests::{broken, key, labelled, version};

use super::update::shop;

/// Two pushes interleave: A ends on tag 1, B on tag 2. The slower, older pipeline wins.
#[tokio::test(start_paused = true)]
async fn two_functions_on_two_pushes_end_on_the_newest() {
    let (mut stage, one) = shop(100).await;
    // The first push's event arrives last, and both at once with another copy of each.
    let mut delays = vec![vec![900, 2000], vec![300, 900]];
    stage.door.with(|world| {
        world.bus.delivery = DeliveryFaults::new(move |event| {
            if event.detail_type() != "ECR Image Action" {
                return Delivery::Usual;
            }
            match delays.pop() {
                Some(copies) => Delivery::Copies(copies.into_iter().map(Duration::from_millis).collect()),
                None => Delivery::Usual,
            }
        });
    });
    let _two = stage.push("shop", "latest", &version("2"));
    let three = stage.push("shop", "latest", &version("3"));
    stage.until_quiet().await;
    stage.assert_live("shop", &three);
    stage.assert_registered("shop", &[&one, &three]);
    stage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_newer_push_takes_the_place_of_a_rollout_under_way() {
    let (mut stage, one) = shop(101).await;
    stage.traffic.to(stage.now(), "/shop", 20);
    let two = stage.push("shop", "latest", &labelled("2", &[("sim.start_secs", "20")]));
    stage.run_for(Duration::from_secs(10)).await;
    let three = stage.push("shop", "latest", &version("3"));
    stage.until_quiet().await;
    stage.assert_live("shop", &three);
    stage.assert_registered("shop", &[&one, &two, &three]);
    insta::assert_snapshot!(stage.story(&key("shop"), &[("1", &one), ("2", &two), ("3", &three)]).await, @r"
    1: live (from nothing)
    2: superseded (from 1)
    3: live (from 1)
    ");
    stage.traffic.assert_none_failed();
    stage.finish().await;
}

/// A release of the lease that finds another ring writes nothing: the pass writes what it saw
/// before it goes round again.
#[tokio::test(start_paused = true)]
async fn rings_while_an_end_is_being_recorded_lose_nothing_of_it() {
    let (mut stage, one) = shop(107).await;
    stage.door.with(|world| {
        world.bus.delivery = DeliveryFaults::new(|event| {
            if event.source() != "aws.ecs" {
                return Delivery::Usual;
            }
            Delivery::Copies((0..20).map(|n| Duration::from_millis(20 * n)).collect())
        });
    });
    let two = stage.push("shop", "latest", &broken("2"));
    stage.until_quiet().await;
    stage.assert_live("shop", &one);
    let passes = stage.history(&key("shop")).await;
    let ends = passes.iter().flat_map(|pass| &pass.ended).filter(|release| release.digest == two);
    assert_eq!(ends.map(|release| release.outcome).collect::<Vec<_>>(), [Outcome::RolledBack]);
    stage.finish().await;
}

/// ecspresso#929: a tool must follow its own deployment's id.
#[tokio::test(start_paused = true)]
async fn a_persons_deployment_in_between_is_not_taken_for_ours() {
    let (mut stage, one) = shop(102).await;
    let two = stage.push("shop", "latest", &labelled("2", &[("sim.start_secs", "4")]));
    stage.until("our rollout", |world| world.gate.log.count(ServiceId::Ecs, "UpdateService").ok >= 2).await;
    stage.run_for(Duration::from_secs(3)).await;
    // A person goes to a revision of their own, which works.
    let what = ByHand { extra: json!({"cpu": "256"}), ..ByHand::tracking("shop", "shop:latest") };
    let theirs = stage.door.with(|world| account::register(world, &what, "latest"));
    let update = json!({"cluster": "main", "service": "shop", "taskDefinition": theirs});
    stage.by_hand(ServiceId::Ecs, "UpdateService", &update);
    stage.run_for(Duration::from_secs(70)).await;
    stage.until_quiet().await;
    // Ours was superseded, not failed: nothing is in quarantine, and the newest image is live
    // on what the person changed.
    assert!(stage.row(&key("shop")).await.quarantine.is_empty());
    stage.assert_live("shop", &two);
    assert_eq!(stage.revisions("shop").pop().unwrap()["cpu"], "256");
    let outcomes: Vec<_> =
        stage.releases(&key("shop")).await.into_iter().map(|r| (r.digest, r.outcome)).collect();
    assert_eq!(outcomes, [(one, Outcome::Live), (two.clone(), Outcome::Superseded), (two, Outcome::Live)]);
    stage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn ten_pushes_in_a_burst_cost_few_releases_and_lose_none() {
    let (mut stage, _) = shop(103).await;
    stage.traffic.to(stage.now(), "/shop", 20);
    let updates = stage.count("ecs:UpdateService");
    let mut last = None;
    for n in 0..10 {
        last = Some(stage.push("shop", "latest", &version(&format!("burst {n}"))));
        stage.run_for(Duration::from_millis(100)).await;
    }
    stage.until_quiet().await;
    stage.assert_live("shop", &last.unwrap());
    let updates = stage.count("ecs:UpdateService") - updates;
    assert!(updates <= 4, "{updates} rollouts for ten pushes within a second");
    assert_eq!(stage.registrations("shop").values().max(), Some(&1));
    stage.traffic.assert_none_failed();
    stage.finish().await;
}

/// Law 2: whoever holds the lease sees the rings that came meanwhile. No timer and no event of
/// ECS helps here.
#[tokio::test(start_paused = true)]
async fn a_push_during_a_pass_is_seen_by_that_pass() {
    for gap in (0..2400).step_by(200) {
        let (mut stage, _) = shop(110 + gap).await;
        stage.door.with(|world| {
            world.bus.delivery = DeliveryFaults::new(|event| match event.detail_type() {
                "ECR Image Action" => Delivery::Copies(vec![Duration::from_millis(100)]),
                _ => Delivery::Lost,
            });
        });
        stage.door.set_latency(Latency { least: Duration::from_millis(50), most: Duration::from_millis(90) });
        stage.push("shop", "latest", &version("2"));
        stage.run_for(Duration::from_millis(gap)).await;
        let three = stage.push("shop", "latest", &version("3"));
        stage.run_for(Duration::from_secs(50)).await;
        stage.assert_live("shop", &three);
        stage.watch.verdict();
    }
}
