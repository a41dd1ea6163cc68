//! What cannot be done now: denied, throttled, malformed, unknown. Nothing half-made is
//! lost, and a person reads what to do.

use std::time::Duration;

use serde_json::json;
use windlass_sim::ServiceId;
use windlass_sim::gate::faults;
use windlass_sim::lambda::enqueue;
use windlass_tests::account::ByHand;
use windlass_tests::{Stage, key, version};

use super::update::shop;

#[tokio::test(start_paused = true)]
async fn a_denied_call_is_named_with_the_next_step_and_the_service_runs_on() {
    let (mut stage, one) = shop(80).await;
    stage.door.with(|world| world.gate.permissions.deny("ecs:RegisterTaskDefinition"));
    let two = stage.push("shop", "latest", &version("2"));
    stage.run_for(Duration::from_secs(10)).await;
    stage.assert_live("shop", &one);
    let report = stage.report(&key("shop")).await;
    assert!(report.contains("ecs:RegisterTaskDefinition"), "{report}");
    assert!(report.contains("allow") || report.contains("role"), "the next step: {report}");
    stage.door.with(|world| world.gate.permissions.clear_denials());
    stage.run_for(Duration::from_secs(65)).await;
    stage.until_quiet().await;
    stage.assert_live("shop", &two);
    stage.assert_registered("shop", &[&one, &two]);
    stage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_fact_that_may_not_be_read_is_not_taken_for_absent() {
    let (mut stage, one) = shop(81).await;
    stage.door.with(|world| world.gate.permissions.deny("ecr:DescribeImages"));
    stage.push("shop", "latest", &version("2"));
    stage.run_for(Duration::from_mins(2)).await;
    stage.assert_live("shop", &one);
    let report = stage.report(&key("shop")).await;
    assert!(report.contains("ecr:DescribeImages"), "{report}");
    stage.door.with(|world| world.gate.permissions.clear_denials());
    stage.run_for(Duration::from_secs(65)).await;
    stage.finish().await;
}

/// ecspresso#787, aws-actions deploy#502: RegisterTaskDefinition has 20 calls, then one a second.
#[tokio::test(start_paused = true)]
async fn forty_services_on_one_repository_finish_in_later_passes_each_registered_once() {
    let mut stage = Stage::new(82).await;
    for n in 3..=6 {
        stage.door.with(|world| windlass_tests::account::instance(world, n));
    }
    let names: Vec<String> = (0..40).map(|n| format!("shop{n:02}")).collect();
    let one = stage.push("shop", "latest", &version("1"));
    for name in &names {
        let what = ByHand { desired: 1, ..ByHand::tracking(name, "shop:latest") };
        stage.door.with(|world| windlass_tests::account::service(world, &stage.listener, &what));
    }
    stage.run_for(Duration::from_mins(5)).await;
    stage.until_quiet().await;
    let two = stage.push("shop", "latest", &version("2"));
    stage.run_for(Duration::from_secs(5)).await;
    stage.until_quiet().await;
    for name in &names {
        stage.assert_live(name, &two);
        stage.assert_registered(name, &[&one, &two]);
    }
    let throttled = stage.calls().iter().any(|call| call.error.as_deref() == Some("ThrottlingException"));
    assert!(throttled, "the rate was reached");
    stage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_spec_for_an_unknown_cluster_is_refused_by_its_name() {
    let mut stage = Stage::new(83).await;
    stage.put_parameter(
        "/windlass/services/mian/shop",
        "image: {repository: shop}\ntask: {cpu: 64, memory: 64}",
    );
    stage.push("shop", "latest", &version("1"));
    stage.run_for(Duration::from_mins(2)).await;
    let report = stage.report(&windlass_tests::ServiceKey::new("mian", "shop")).await;
    assert!(report.contains("cluster mian") && report.contains("correct the cluster's name"), "{report}");
    stage.watch.verdict();
}

/// Two stacks in one account get each other's events: whose cluster it is not leaves it alone. A misspelled
/// cluster is refused all the same.
#[tokio::test(start_paused = true)]
async fn a_spec_of_another_stacks_cluster_leaves_no_row() {
    let mut stage = Stage::new(87).await;
    stage.put_parameter("/windlass/stacks/other", r#"{"table": "others", "clusters": "blue,green"}"#);
    let spec = "image: {repository: shop}\ntask: {cpu: 64, memory: 64}";
    let [theirs, nobodys] = ["green", "mian"].map(|cluster| windlass_tests::ServiceKey::new(cluster, "shop"));
    for key in [&theirs, &nobodys] {
        stage.put_parameter(&format!("/windlass/services/{key}"), spec);
    }
    stage.ring(&theirs);
    stage.push("shop", "latest", &version("1"));
    stage.run_for(Duration::from_mins(2)).await;
    assert_eq!(stage.row(&theirs).await.rung, 0, "{}", stage.report(&theirs).await);
    assert!(stage.report(&nobodys).await.contains("correct the cluster's name"), "as with one stack");
    stage.watch.verdict();
}

#[tokio::test(start_paused = true)]
async fn a_malformed_spec_changes_nothing_and_says_where() {
    let (mut stage, one) = shop(84).await;
    stage.apply_spec("shop", "image: {repository: shop, polisy: latest}");
    stage.push("shop", "latest", &version("2"));
    stage.run_for(Duration::from_mins(2)).await;
    stage.assert_live("shop", &one);
    let report = stage.report(&key("shop")).await;
    assert!(report.contains("polisy") && report.contains("policy"), "{report}");
    stage.sweeps_without_a_write().await;
    stage.apply_spec("shop", "image: {repository: shop, policy: latest}");
    stage.run_for(Duration::from_secs(2)).await;
    stage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_malformed_event_ends_as_a_dead_letter_with_its_reason_and_blocks_nothing() {
    let (mut stage, _) = shop(85).await;
    let event = json!({"source": "aws.ecr", "detail-type": "ECR Image Action", "detail": {"action-type": 7}});
    stage.door.with(|world| enqueue(world, &stage.function, event)).unwrap();
    let two = stage.push("shop", "latest", &version("2"));
    stage.run_for(Duration::from_secs(30)).await;
    stage.assert_live("shop", &two);
    stage.run_for(Duration::from_mins(5)).await;
    let letters = stage.dead_letters();
    assert_eq!(letters.len(), 1, "{letters:?}");
    assert!(letters[0].contains("malformed event") && letters[0].contains("action-type"), "{letters:?}");
    stage.sweeps_without_a_write().await;
    stage.watch.verdict();
}

#[tokio::test(start_paused = true)]
async fn calls_that_fail_on_aws_side_are_made_again_later() {
    let (mut stage, one) = shop(86).await;
    for operation in ["RegisterTaskDefinition", "UpdateService", "DescribeServices"] {
        stage.door.with(|world| {
            world.gate.faults = faults::refuse(ServiceId::Ecs, operation, faults::internal(ServiceId::Ecs));
        });
        let next = stage.push("shop", "latest", &version(operation));
        stage.run_for(Duration::from_secs(20)).await;
        stage.door.with(|world| world.gate.faults = faults::none());
        stage.run_for(Duration::from_secs(65)).await;
        stage.until_quiet().await;
        stage.assert_live("shop", &next);
    }
    assert_eq!(stage.registrations("shop").values().max(), Some(&1));
    assert!(stage.registrations("shop").contains_key(one.as_str()));
    stage.finish().await;
}
