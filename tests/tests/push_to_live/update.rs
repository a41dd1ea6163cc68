//! A push to a service that is there.

use std::time::Duration;

use serde_json::json;
use windlass_sim::ServiceId;
use windlass_tests::account::{self, ByHand};
use windlass_tests::{ImageDigest, Stage, key, version};

/// `shop` with two tasks on version 1 of `shop:latest`, made by hand and tracked by its tag.
pub(crate) async fn shop(seed: u64) -> (Stage, ImageDigest) {
    let mut stage = Stage::new(seed).await;
    let one = stage.service_by_hand(&ByHand::tracking("shop", "shop:latest")).await;
    (stage, one)
}

#[tokio::test(start_paused = true)]
async fn a_push_goes_live_under_traffic_without_a_failed_request() {
    let (mut stage, one) = shop(1).await;
    stage.traffic.to(stage.now(), "/shop", 20);
    let two = stage.push("shop", "latest", &version("2"));
    stage.until_quiet().await;
    stage.assert_live("shop", &two);
    stage.assert_registered("shop", &[&one, &two]);
    stage.run_for(Duration::from_secs(5)).await;
    stage.traffic.assert_none_failed();
    assert!(stage.traffic.counts("/shop").by_digest[two.as_str()] > 0, "the new image answers");
    insta::assert_snapshot!(stage.story(&key("shop"), &[("1", &one), ("2", &two)]).await, @r"
    1: live (from nothing)
    2: live (from 1)
    ");
    stage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_second_service_on_the_same_instances_is_left_alone() {
    let (mut stage, one) = shop(2).await;
    let admin = stage.service_by_hand(&ByHand::tracking("admin", "admin:latest")).await;
    for path in ["/shop", "/admin"] {
        stage.traffic.to(stage.now(), path, 10);
    }
    let two = stage.push("shop", "latest", &version("2"));
    stage.until_quiet().await;
    stage.assert_live("shop", &two);
    stage.assert_live("admin", &admin);
    stage.assert_registered("shop", &[&one, &two]);
    stage.assert_registered("admin", &[&admin]);
    stage.traffic.assert_none_failed();
    stage.finish().await;
}

/// aws-actions deploy#22, #64, #464: describe → register loses what the tool does not know.
#[tokio::test(start_paused = true)]
async fn everything_of_the_live_revision_survives_a_field_unknown_to_the_sdk_too() {
    let mut stage = Stage::new(3).await;
    stage.push("proxy", "7", &version("7"));
    let proxy = stage.door.with(|world| format!("{}/proxy:7", world.config.registry));
    let what = ByHand {
        extra: json!({
            "fieldOfTheYear2031": {"depth": [1, {"x": null}]},
            "volumes": [{"name": "scratch"}],
            "placementConstraints": [{"type": "memberOf", "expression": "attribute:ecs.cpu-architecture exists"}],
        }),
        sidecars: vec![json!({"name": "proxy", "image": proxy, "cpu": 16, "memory": 32,
            "essential": false, "unheardOf": "kept"})],
        ..ByHand::tracking("shop", "shop:latest")
    };
    let one = stage.service_by_hand(&what).await;
    let two = stage.push("shop", "latest", &version("2"));
    stage.until_quiet().await;
    stage.assert_live("shop", &two);
    stage.assert_registered("shop", &[&one, &two]);
    let revisions = stage.revisions("shop");
    let (first, mut last) = (&revisions[0], revisions[2].clone());
    last["containerDefinitions"][0]["image"] = first["containerDefinitions"][0]["image"].clone();
    for member in ["taskDefinitionArn", "revision", "registeredAt", "registeredBy"] {
        last[member] = first[member].clone();
    }
    assert_eq!(last, *first, "only the tracked container's image changed");
    assert_eq!(last["fieldOfTheYear2031"]["depth"][1], json!({"x": null}));
    assert_eq!(last["tags"], json!([{"key": "team", "value": "shop"}]));
    stage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_lost_event_costs_a_minute_and_no_push() {
    let (mut stage, _) = shop(4).await;
    stage.door.with(|world| {
        world.bus.delivery = windlass_sim::bus::DeliveryFaults::lose("ECR Image Action");
    });
    let pushed = stage.now();
    let two = stage.push("shop", "latest", &version("2"));
    stage
        .until("the sweep's deployment", |world| {
            world.gate.log.count(ServiceId::Ecs, "UpdateService").ok >= 2
        })
        .await;
    let waited = stage.now().since(pushed);
    assert!(waited <= Duration::from_secs(62), "found by the next sweep: {waited:?}");
    stage.until_quiet().await;
    stage.assert_live("shop", &two);
    stage.finish().await;
}

/// ecs-deploy#174: autoscaling changes the desired count under the deployer, who puts it back.
#[tokio::test(start_paused = true)]
async fn a_desired_count_that_autoscaling_changes_meanwhile_is_never_put_back() {
    let (mut stage, _) = shop(5).await;
    let two = stage.push("shop", "latest", &version("2"));
    stage.until("the rollout", |world| world.gate.log.count(ServiceId::Ecs, "UpdateService").ok >= 2).await;
    let scale = json!({"cluster": "main", "service": "shop", "desiredCount": 5});
    stage.by_hand(ServiceId::Ecs, "UpdateService", &scale);
    stage.until_quiet().await;
    stage.assert_live("shop", &two);
    assert_eq!(stage.described("shop")["desiredCount"], 5);
    let three = stage.push("shop", "latest", &version("3"));
    stage.until_quiet().await;
    stage.assert_live("shop", &three);
    assert_eq!(stage.described("shop")["runningCount"], 5);
    stage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_spec_that_changes_deploys_like_a_push() {
    let (mut stage, one) = shop(6).await;
    let spec = "image: {repository: shop}\ntask: {container: web, cpu: 128, memory: 256, port: 80}";
    stage.apply_spec("shop", spec);
    stage.until_quiet().await;
    stage.assert_live("shop", &one);
    let revision = stage.revisions("shop").pop().unwrap();
    assert_eq!(revision["containerDefinitions"][0]["memory"], 256);
    // The same again changes nothing.
    let revisions = stage.revisions("shop").len();
    stage.apply_spec("shop", &format!("# a comment\n{spec}"));
    stage.until_quiet().await;
    assert_eq!(stage.revisions("shop").len(), revisions);
    stage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_hold_stops_and_resume_goes_on() {
    let (mut stage, one) = shop(7).await;
    stage.hold(&key("shop"), "the sale").await;
    let two = stage.push("shop", "latest", &version("2"));
    stage.run_for(Duration::from_mins(3)).await;
    stage.assert_live("shop", &one);
    let report = stage.report(&key("shop")).await;
    assert!(report.contains("held: by ann since") && report.contains("the sale"), "{report}");
    assert!(report.contains("`windlass resume` ends the hold"), "{report}");
    stage.sweeps_without_a_write().await;
    stage.resume(&key("shop")).await;
    stage.until_quiet().await;
    stage.assert_live("shop", &two);
    stage.finish().await;
}

/// convox#429: minimum 100 % on a full cluster.
#[tokio::test(start_paused = true)]
async fn a_full_cluster_keeps_the_old_version_and_says_what_is_missing() {
    let mut stage = Stage::new(8).await;
    stage.door.with(|world| account::instance(world, 3));
    // A task fills an instance: two for the service, and a third one to roll out on.
    let huge = |name: &str, desired: u32| ByHand {
        desired,
        extra: json!({"memory": "12000"}),
        ..ByHand::tracking(name, &format!("{name}:latest"))
    };
    let one = stage.service_by_hand(&huge("shop", 2)).await;
    stage.service_by_hand(&ByHand { track: None, ..huge("filler", 1) }).await;
    stage.traffic.to(stage.now(), "/shop", 10);
    let two = stage.push("shop", "latest", &version("2"));
    stage.run_for(Duration::from_secs(5)).await;
    stage.until_quiet().await;
    assert_eq!(stage.running("shop"), [one.to_string()].into());
    let report = stage.report(&key("shop")).await;
    assert!(report.contains("has insufficient memory available"), "{report}");
    stage.door.with(|world| account::instance(world, 4));
    stage.release(&key("shop"), &two).await;
    stage.run_for(Duration::from_secs(5)).await;
    stage.until_quiet().await;
    stage.assert_live("shop", &two);
    stage.assert_registered("shop", &[&one, &two]);
    stage.traffic.assert_none_failed();
    stage.finish().await;
}
