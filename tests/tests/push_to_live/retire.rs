//! `windlass retire` where not all is well: killed at any of its calls, and of a service that
//! never came up.

use std::time::Duration;

use windlass_sim::ServiceId;
use windlass_sim::gate::faults::{self, Fault, When};
use windlass_tests::routes::RETIRES;
use windlass_tests::{Stage, broken, key, version};

use super::create::{SPEC, made};

/// Every n-th of the reads is one at which it is killed, too.
const STRIDE: usize = 5;

/// `shop`, which is to go, and `admin`, which requests come to.
async fn two(seed: u64) -> Stage {
    let (mut stage, _) = made(seed).await;
    stage.apply_spec("admin", &SPEC.replace("shop", "admin"));
    stage.push("admin", "latest", &version("1"));
    stage.run_for(Duration::from_secs(2)).await;
    stage.until_quiet().await;
    stage.traffic.to(stage.now(), "/admin", 10);
    stage.door.with(|world| world.gate.log.clear());
    stage
}

/// The process ends at its call number `call`: nothing that it would do after it happens.
fn kill_at(stage: &Stage, call: usize, when: When) {
    let mut count = 0;
    stage.door.with(|world| {
        world.gate.faults = Box::new(move |made, _| {
            if made.caller.access_key != RETIRES {
                return Fault::None;
            }
            count += 1;
            match count {
                n if n < call => Fault::None,
                n if n == call && when == When::After => Fault::DropAfter,
                _ => Fault::DropBefore,
            }
        });
    });
}

/// Rounds until nothing is left, or until one fails.
async fn rounds(stage: &mut Stage) -> Result<(), String> {
    for _ in 0..100 {
        if stage.retire_round("shop").await?.is_none() {
            return Ok(());
        }
        stage.run_for(Duration::from_secs(4)).await;
    }
    panic!("shop is not gone\n{}", stage.picture().await)
}

async fn ends_well(mut stage: Stage) {
    assert_eq!(stage.rules().iter().map(|rule| rule.1.as_str()).collect::<Vec<_>>(), ["path /admin*"]);
    assert_ne!(stage.described("shop")["status"], "ACTIVE");
    let groups =
        stage.by_hand(ServiceId::ElasticLoadBalancing, "DescribeTargetGroups", &serde_json::json!({}));
    assert_eq!(groups["TargetGroups"].as_array().unwrap().len(), 1, "{groups}");
    stage.until_quiet().await;
    stage.traffic.assert_none_failed();
    stage.finish().await;
}

/// The calls at which it is killed: all that write, and some of the others.
async fn points() -> Vec<(usize, When)> {
    let mut stage = two(410).await;
    stage.delete_spec("shop");
    // Without a rule its targets are unused, wherever it was killed.
    stage.watch.tolerate("shop");
    rounds(&mut stage).await.unwrap();
    let calls: Vec<String> = stage.door.with(|world| {
        let records = world.gate.log.records().filter(|record| record.caller.access_key == RETIRES);
        records.map(|record| record.operation.clone()).collect()
    });
    ends_well(stage).await;
    let mut points = Vec::new();
    for (number, call) in (1..).zip(&calls) {
        if ["Delete", "Update"].iter().any(|write| call.starts_with(write)) {
            points.extend([(number, When::Before), (number, When::After)]);
        } else if number % STRIDE == 0 {
            points.push((number, When::After));
        }
    }
    assert!(points.len() > 10, "{calls:?}");
    points
}

#[tokio::test(start_paused = true)]
async fn a_retire_killed_at_any_write_is_gone_on_with_and_neighbours_do_not_feel_it() {
    for (call, when) in points().await {
        println!("call {call}, {when:?}");
        let mut stage = two(410).await;
        stage.delete_spec("shop");
        stage.watch.tolerate("shop");
        kill_at(&stage, call, when);
        let killed = rounds(&mut stage).await;
        stage.door.with(|world| world.gate.faults = faults::none());
        assert!(killed.is_err() || call > 1, "killed at call {call}");
        // The dead one's lease ends by itself.
        stage.run_for(Duration::from_secs(70)).await;
        rounds(&mut stage).await.unwrap_or_else(|error| panic!("call {call} {when:?}: {error}"));
        ends_well(stage).await;
    }
}

/// A first release that failed left a service, a parked rule and a group: all of it goes, and
/// the same name can be made anew.
#[tokio::test(start_paused = true)]
async fn a_service_whose_creation_failed_is_retired_and_can_be_made_anew() {
    let mut stage = two(411).await;
    stage.watch.tolerate("cart");
    stage.apply_spec("cart", &SPEC.replace("shop", "cart"));
    let bad = stage.push("cart", "latest", &broken("1"));
    stage.run_for(Duration::from_mins(12)).await;
    assert!(stage.row(&key("cart")).await.quarantine.contains_key(&bad), "{}", stage.picture().await);
    let did = stage.retire("cart").await;
    let verbs: Vec<&str> = did.iter().map(|step| step.split(' ').next().unwrap_or_default()).collect();
    assert_eq!(verbs, ["delete", "scale", "delete", "delete"], "{did:?}");
    assert_eq!(stage.rules().len(), 2, "{:?}", stage.rules());
    stage.apply_spec("cart", &SPEC.replace("shop", "cart"));
    let good = stage.push("cart", "latest", &version("2"));
    stage.run_for(Duration::from_secs(2)).await;
    stage.until_quiet().await;
    stage.assert_live("cart", &good);
    assert!(stage.rules().iter().any(|rule| rule.1 == "path /cart*"), "{:?}", stage.rules());
    stage.traffic.assert_none_failed();
    stage.finish().await;
}
