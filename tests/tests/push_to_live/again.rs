//! A first release that failed and is wanted all the same. ECS had nothing to go back to, so that
//! the service points at it still: it is rolled out once more, by the revision that it has.

use std::time::Duration;

use serde_json::json;
use windlass_shared::ledger::Outcome;
use windlass_sim::door::in_process::Kill;
use windlass_sim::gate::faults::When;
use windlass_tests::account::{ByHand, instance};
use windlass_tests::{ImageDigest, Stage, key, labelled, version};

use super::create::SPEC;

/// `shop`'s first image cannot be pulled: somebody deleted it meanwhile. It is back by now.
async fn failed_first(seed: u64) -> (Stage, ImageDigest) {
    let mut stage = Stage::new(seed).await;
    stage.watch.tolerate("shop");
    stage.apply_spec("shop", SPEC);
    let one = stage.push("shop", "latest", &version("1"));
    stage
        .until("the service", |world| windlass_sim::ecs::view::service(world, "main", "shop").is_some())
        .await;
    stage.delete_image("shop", &one);
    stage.run_for(Duration::from_mins(5)).await;
    stage.until_quiet().await;
    assert_eq!(stage.push("shop", "latest", &version("1")), one, "the same image again");
    stage.run_for(Duration::from_mins(3)).await;
    let row = stage.row(&key("shop")).await;
    assert!(row.quarantine[&one].until.is_none(), "{row:?}");
    assert!(stage.running("shop").is_empty(), "nothing of it runs, and ECS does not try again");
    (stage, one)
}

/// It is live, by the revision that was registered once.
async fn is_live(mut stage: Stage, one: &ImageDigest) {
    stage.until_quiet().await;
    stage.assert_live("shop", one);
    stage.assert_registered("main-shop", &[one]);
    stage.traffic.to(stage.now(), "/shop", 10);
    stage.run_for(Duration::from_mins(1)).await;
    stage.traffic.assert_none_failed();
    stage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_first_release_that_failed_is_tried_again_once_a_person_lets_it_go() {
    let (mut stage, one) = failed_first(720).await;
    stage.release(&key("shop"), &one).await;
    stage.run_for(Duration::from_secs(5)).await;
    assert_eq!(stage.count("ecs:UpdateService"), 1);
    stage.until_quiet().await;
    insta::assert_snapshot!(stage.story(&key("shop"), &[("1", &one)]).await, @r"
    1: failed (from nothing)
    1: live (from nothing)
    ");
    is_live(stage, &one).await;
}

/// Its tasks are never healthy, and without a breaker ECS goes on starting them: what a person
/// has let go is a deployment of its own all the same.
#[tokio::test(start_paused = true)]
async fn one_that_fails_again_has_its_whole_time_for_that() {
    let mut stage = Stage::new(721).await;
    stage.watch.tolerate("shop");
    stage.apply_spec("shop", &format!("{SPEC}rollout: {{timeout_minutes: 8, circuit_breaker: false}}\n"));
    let bad = stage.push("shop", "latest", &labelled("1", &[("sim.health_status", "500")]));
    stage.run_for(Duration::from_mins(20)).await;
    stage.release(&key("shop"), &bad).await;
    stage.run_for(Duration::from_mins(6)).await;
    assert!(stage.row(&key("shop")).await.state.in_flight.is_some(), "{}", stage.picture().await);
    stage.run_for(Duration::from_mins(20)).await;
    let ended = stage.releases(&key("shop")).await;
    let outcomes: Vec<Outcome> = ended.iter().map(|release| release.outcome).collect();
    assert_eq!(outcomes, [Outcome::Failed, Outcome::Failed]);
    assert_ne!(ended[0].deployment, ended[1].deployment);
    let minutes = ended[1].ended_at.duration_since(ended[1].started_at).as_mins();
    assert!((8..=10).contains(&minutes), "{minutes} min");
    assert_eq!(stage.count("ecs:UpdateService"), 1);
    let good = stage.push("shop", "latest", &version("2"));
    stage.run_for(Duration::from_secs(3)).await;
    stage.until_quiet().await;
    stage.assert_live("shop", &good);
    stage.assert_registered("main-shop", &[&bad, &good]);
    stage.finish().await;
}

/// The breaker counts tasks that could not be placed: without blame, and tried again by itself.
#[tokio::test(start_paused = true)]
async fn a_first_release_without_room_is_tried_again_by_itself() {
    let mut stage = Stage::new(722).await;
    let filler = ByHand {
        desired: 2,
        track: None,
        extra: json!({"memory": "12000"}),
        ..ByHand::tracking("filler", "filler:latest")
    };
    stage.service_by_hand(&filler).await;
    stage.apply_spec("shop", &SPEC.replace("memory: 256", "memory: 12000"));
    let one = stage.push("shop", "latest", &version("1"));
    stage.run_for(Duration::from_mins(20)).await;
    let row = stage.row(&key("shop")).await;
    let why = &row.quarantine[&one];
    assert!(why.reason.starts_with("no capacity: ") && why.until.is_some(), "{why:?}");
    stage.door.with(|world| {
        instance(world, 3);
        instance(world, 4);
    });
    stage.run_for(Duration::from_mins(20)).await;
    is_live(stage, &one).await;
}

/// Wherever a pass dies, it is tried once more and not judged by its first failure.
#[tokio::test(start_paused = true)]
async fn the_function_may_be_killed_at_each_call_of_trying_again() {
    let mut kills = 0;
    // Reads come first: what is written comes in the second half, and dies on both sides of it.
    let reads = (1..=12).map(|call| (call, When::After));
    let writes = (13..=30).flat_map(|call| [(call, When::Before), (call, When::After)]);
    for (call, when) in reads.chain(writes) {
        let (mut stage, one) = failed_first(730 + u64::from(call)).await;
        let mut left = Some(Kill { call, when });
        stage.door.set_kills(Box::new(move |invocation| {
            if invocation.payload["detail-type"] == "Windlass Doorbell" { left.take() } else { None }
        }));
        stage.release(&key("shop"), &one).await;
        stage.run_for(Duration::from_mins(3)).await;
        kills += u32::from(stage.errors().iter().any(|error| error.contains("signal: killed")));
        is_live(stage, &one).await;
    }
    assert!((20..48).contains(&kills), "{kills} kills: a pass makes fewer than 30 calls");
}
