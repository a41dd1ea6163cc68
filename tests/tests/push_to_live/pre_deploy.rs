//! The task before a rollout: a migration, under traffic.

use std::time::Duration;

use serde_json::{Value, json};
use windlass_aws::clients::Retries;
use windlass_sim::ServiceId;
use windlass_sim::door::in_process::Kill;
use windlass_sim::gate::faults::When;
use windlass_tests::account::ByHand;
use windlass_tests::stage::{Capacity, Setting};
use windlass_tests::{ImageDigest, Stage, key, labelled, version};

use super::{canary, create};

const MIGRATES: &str = "image: {repository: shop}\npre_deploy: {command: [./migrate, up]}\n";

/// `shop` on version 1, migrated by its spec, under traffic.
async fn migrated(seed: u64) -> (Stage, ImageDigest) {
    let setting = Setting {
        seed,
        retries: Retries::Standard,
        tick: Duration::from_millis(500),
        capacity: Capacity::Fixed,
    };
    let mut stage = Stage::with(setting).await;
    let one = stage.service_by_hand(&ByHand::tracking("shop", "shop:latest")).await;
    stage.apply_spec("shop", MIGRATES);
    stage.run_for(Duration::from_secs(5)).await;
    stage.until_quiet().await;
    stage.traffic.to(stage.now(), "/shop", 5);
    (stage, one)
}

/// The tasks that ran before rollouts, with their exit codes, as ECS still shows them.
pub(crate) fn jobs(stage: &Stage, family: &str) -> Vec<Value> {
    let all: Vec<Value> = ["RUNNING", "STOPPED"]
        .iter()
        .flat_map(|status| {
            let listed = stage.by_hand(
                ServiceId::Ecs,
                "ListTasks",
                &json!({"cluster": "main", "family": family, "desiredStatus": status}),
            );
            listed["taskArns"].as_array().cloned().unwrap_or_default()
        })
        .collect();
    let told = stage.by_hand(ServiceId::Ecs, "DescribeTasks", &json!({"cluster": "main", "tasks": all}));
    let is_job = |task: &&Value| task["startedBy"].as_str().is_some_and(|by| by.starts_with("windlass/"));
    told["tasks"].as_array().unwrap().iter().filter(is_job).cloned().collect()
}

#[tokio::test(start_paused = true)]
async fn a_migration_runs_once_before_its_image_goes_live_and_its_end_rings() {
    let (mut stage, one) = migrated(520).await;
    let two = stage.push("shop", "latest", &labelled("2", &[("sim.job_secs", "9")]));
    stage.run_for(Duration::from_secs(8)).await;
    stage.assert_live("shop", &one);
    let report = stage.report(&key("shop")).await;
    assert!(report.contains("the task before the rollout of"), "{report}");
    // Not a minute's sweep, but the task's own end begins the rollout.
    stage.run_for(Duration::from_secs(12)).await;
    assert_eq!(stage.count("ecs:UpdateService"), 2, "the adoption, and the release");
    stage.until_quiet().await;
    stage.assert_live("shop", &two);
    stage.assert_registered("shop", &[&one, &two]);
    let jobs = jobs(&stage, "shop");
    assert_eq!(jobs.len(), 1, "{jobs:?}");
    assert_eq!(jobs[0]["overrides"]["containerOverrides"][0]["command"], json!(["./migrate", "up"]));
    stage.traffic.assert_none_failed();
    stage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_migration_that_fails_stops_its_image_and_the_next_one_goes_live() {
    let (mut stage, one) = migrated(521).await;
    let two = stage.push("shop", "latest", &labelled("2", &[("sim.job_code", "3")]));
    stage.run_for(Duration::from_mins(1)).await;
    stage.until_quiet().await;
    stage.assert_live("shop", &one);
    let row = stage.row(&key("shop")).await;
    let why = &row.quarantine[&two].reason;
    assert!(why.contains("web exited with 3") && why.contains("Essential container"), "{why}");
    stage.sweeps_without_a_write().await;
    let three = stage.push("shop", "latest", &version("3"));
    stage.run_for(Duration::from_secs(10)).await;
    stage.until_quiet().await;
    stage.assert_live("shop", &three);
    assert_eq!(jobs(&stage, "shop").len(), 2);
    let story = stage.story(&key("shop"), &[("1", &one), ("2", &two), ("3", &three)]).await;
    assert!(story.contains("2: failed (from 1)\n3: live (from 1)"), "{story}");
    stage.traffic.assert_none_failed();
    stage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn once_a_person_released_it_a_failed_migration_runs_again() {
    let (mut stage, one) = migrated(522).await;
    let two = stage.push("shop", "latest", &labelled("2", &[("sim.job_code", "3")]));
    stage.run_for(Duration::from_mins(1)).await;
    stage.until_quiet().await;
    stage.release(&key("shop"), &two).await;
    stage.ring(&key("shop"));
    stage.run_for(Duration::from_mins(1)).await;
    stage.until_quiet().await;
    assert_eq!(jobs(&stage, "shop").len(), 2, "the same image, another task");
    stage.assert_live("shop", &one);
    stage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_first_release_is_migrated_before_its_service_is_made() {
    let mut stage = Stage::new(523).await;
    stage.apply_spec("shop", &format!("{}pre_deploy: {{command: [migrate]}}\n", create::SPEC));
    stage.run_for(Duration::from_secs(5)).await;
    stage.push("shop", "latest", &labelled("1", &[("sim.job_code", "1")]));
    stage.run_for(Duration::from_mins(1)).await;
    stage.until_quiet().await;
    assert_eq!(stage.count("ecs:CreateService"), 0);
    assert_eq!(stage.count("elasticloadbalancing:CreateTargetGroup"), 0);
    let two = stage.push("shop", "latest", &version("2"));
    stage.run_for(Duration::from_secs(10)).await;
    stage.until_quiet().await;
    stage.assert_live("shop", &two);
    stage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_canary_begins_only_after_its_migration() {
    let mut stage = Stage::new(524).await;
    let spec = canary::spec("{percent: 25, minutes: 1}, {percent: 50, minutes: 1}", "");
    stage.apply_spec("shop", &format!("{spec}\npre_deploy: {{command: [migrate]}}\n"));
    let one = stage.push("shop", "latest", &version("1"));
    stage.run_for(Duration::from_secs(5)).await;
    stage.until_quiet().await;
    stage.traffic.to(stage.now(), "/shop", 4);
    let two = stage.push("shop", "latest", &labelled("2", &[("sim.job_code", "1")]));
    stage.run_for(Duration::from_mins(1)).await;
    stage.until_quiet().await;
    canary::assert_only(&stage, &one);
    assert!(stage.row(&key("shop")).await.quarantine.contains_key(&two));
    let three = stage.push("shop", "latest", &version("3"));
    stage.run_for(Duration::from_mins(1)).await;
    stage.until_quiet().await;
    canary::assert_only(&stage, &three);
    stage.traffic.assert_none_failed();
    stage.finish().await;
}

/// Fills the instances, or gives their room back.
fn hogs(stage: &Stage, count: u32) {
    let update = json!({"cluster": "main", "service": "hog", "desiredCount": count});
    stage.by_hand(ServiceId::Ecs, "UpdateService", &update);
}

/// No instance has room: nothing is begun, and ECS's words say why; room comes, it goes on.
#[tokio::test(start_paused = true)]
async fn a_migration_without_room_waits_with_ecss_words() {
    let (mut stage, one) = migrated(525).await;
    let image = stage.door.with(|world| format!("{}/shop:latest", world.config.registry));
    let container = json!({"name": "hog", "image": image, "cpu": 64, "memory": 128, "essential": true});
    let definition = json!({"family": "hog", "containerDefinitions": [container]});
    stage.by_hand(ServiceId::Ecs, "RegisterTaskDefinition", &definition);
    let service =
        json!({"cluster": "main", "serviceName": "hog", "taskDefinition": "hog", "desiredCount": 0});
    stage.by_hand(ServiceId::Ecs, "CreateService", &service);
    hogs(&stage, 200);
    stage.run_for(Duration::from_mins(2)).await;
    let two = stage.push("shop", "latest", &version("2"));
    stage.run_for(Duration::from_mins(2)).await;
    stage.assert_live("shop", &one);
    let report = stage.report(&key("shop")).await;
    assert!(report.contains("no instance has room for it (RESOURCE:"), "{report}");
    assert!(jobs(&stage, "shop").is_empty() && stage.row(&key("shop")).await.quarantine.is_empty());
    hogs(&stage, 0);
    stage.run_for(Duration::from_mins(3)).await;
    stage.until_quiet().await;
    stage.assert_live("shop", &two);
    assert_eq!(jobs(&stage, "shop").len(), 1);
    stage.traffic.assert_none_failed();
    stage.finish().await;
}

/// Whatever dies at whichever call, from the push to the end of the release: one migration.
#[tokio::test(start_paused = true)]
async fn a_function_killed_at_any_call_migrates_once() {
    for call in 1..=48 {
        for when in [When::Before, When::After] {
            let (mut stage, one) = migrated(530).await;
            stage.door.kill_at(Kill { call, when });
            let two = stage.push("shop", "latest", &version("2"));
            stage.run_for(Duration::from_mins(4)).await;
            stage.until_quiet().await;
            stage.assert_live("shop", &two);
            stage.assert_registered("shop", &[&one, &two]);
            let jobs = jobs(&stage, "shop");
            assert_eq!(jobs.len(), 1, "killed at call {call}, {when:?}: {jobs:?}");
            stage.traffic.assert_none_failed();
            stage.finish().await;
        }
    }
}
