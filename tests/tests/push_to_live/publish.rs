//! What is live is published in a parameter, for Terraform: with each release that settles, and never else.

use std::time::Duration;

use serde_json::{Value, json};
use windlass_shared::ledger::RollbackTo;
use windlass_sim::ServiceId;
use windlass_sim::door::in_process::Kill;
use windlass_sim::gate::faults::When;
use windlass_tests::account::ByHand;
use windlass_tests::{ImageDigest, Stage, broken, key, version};

use super::kills::{at_every_call, was_killed};

const PUT: &str = "ssm:PutParameter";
const NAME: &str = "/windlass/deployed/main/shop";

/// `shop` by hand and tracked, in a stack that publishes.
async fn shop(seed: u64) -> (Stage, ImageDigest) {
    let mut stage = Stage::with_parameters(seed, &[("PublishDeployed", "yes")]).await;
    let one = stage.service_by_hand(&ByHand::tracking("shop", "shop:latest")).await;
    stage.until_quiet().await;
    (stage, one)
}

fn published(stage: &Stage) -> Value {
    let text = stage.door.with(|world| world.ssm.value(NAME).map(str::to_owned));
    text.map_or(Value::Null, |text| serde_json::from_str(&text).expect("JSON"))
}

/// As Terraform reads it: the digest, and the revision that the service runs.
fn assert_published(stage: &Stage, digest: &ImageDigest) {
    let told = published(stage);
    let running = stage.described("shop")["taskDefinition"].clone();
    let wanted = json!({"digest": digest, "repository": "shop", "tag": "latest", "task_definition": running});
    assert_eq!(told, wanted);
}

#[tokio::test(start_paused = true)]
async fn each_release_that_settles_is_published_once() {
    let (mut stage, one) = shop(1300).await;
    assert_published(&stage, &one);
    let two = stage.push("shop", "latest", &version("2"));
    stage.run_for(Duration::from_secs(4)).await;
    assert_eq!(published(&stage)["digest"], json!(one), "not while it is on its way");
    stage.until_quiet().await;
    assert_published(&stage, &two);
    let before = stage.count(PUT);
    // One that fails, and what was live stays so.
    stage.push("shop", "latest", &broken("3"));
    stage.until_quiet().await;
    assert_published(&stage, &two);
    assert_eq!(stage.count(PUT), before, "nothing new is live");
    stage.roll_back(&key("shop"), RollbackTo::Digest(one.clone())).await;
    stage.run_for(Duration::from_secs(3)).await;
    stage.until_quiet().await;
    assert_eq!(published(&stage)["digest"], json!(one), "a rollback is a release too");
    assert_eq!(published(&stage)["task_definition"], stage.described("shop")["taskDefinition"]);
    assert_eq!(stage.count(PUT), before + 1);
    stage.finish().await;
}

/// docs/terraform.md: Terraform registers what it describes with the published digest, a person rolls it out,
/// and Windlass goes on from there.
#[tokio::test(start_paused = true)]
async fn a_revision_of_terraforms_with_the_published_image_is_rolled_out_and_kept() {
    let (mut stage, _) = shop(1303).await;
    let two = stage.push("shop", "latest", &version("2"));
    stage.until_quiet().await;
    let told = published(&stage);
    let image = stage.door.with(|world| world.config.registry.clone());
    let image = format!("{image}/shop@{}", told["digest"].as_str().expect("a digest"));
    let container = json!({"name": "web", "image": image, "cpu": 64, "memory": 128, "essential": true,
        "portMappings": [{"containerPort": 80}], "environment": [{"name": "BY", "value": "terraform"}]});
    let revision = json!({"family": "shop", "containerDefinitions": [container]});
    stage.by_hand(ServiceId::Ecs, "RegisterTaskDefinition", &revision);
    stage.run_for(Duration::from_mins(3)).await;
    assert_eq!(published(&stage), told, "nobody rolled it out");
    let update = json!({"cluster": "main", "service": "shop", "taskDefinition": "shop"});
    let updated = stage.by_hand(ServiceId::Ecs, "UpdateService", &update);
    stage.run_for(Duration::from_mins(2)).await;
    stage.until_quiet().await;
    assert_published(&stage, &two);
    assert_eq!(published(&stage)["task_definition"], updated["service"]["taskDefinition"]);
    let three = stage.push("shop", "latest", &version("3"));
    stage.until_quiet().await;
    assert_published(&stage, &three);
    let live = stage.revision(published(&stage)["task_definition"].as_str().expect("an ARN"));
    assert_eq!(
        live["containerDefinitions"][0]["environment"][0]["value"], "terraform",
        "a clone of Terraform's"
    );
    stage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn without_the_stacks_word_nothing_is_published() {
    let (mut stage, _) = super::update::shop(1301).await;
    stage.push("shop", "latest", &version("2"));
    stage.until_quiet().await;
    assert_eq!((published(&stage), stage.count(PUT)), (Value::Null, 0));
    stage.finish().await;
}

/// Told in the report with what to allow; the release is live all the same, and no pass fails.
#[tokio::test(start_paused = true)]
async fn a_right_that_is_denied_is_told_and_fails_nothing() {
    let (mut stage, _) = shop(1302).await;
    stage.door.with(|world| world.gate.permissions.deny(PUT));
    let two = stage.push("shop", "latest", &version("2"));
    stage.until_quiet().await;
    stage.run_for(Duration::from_mins(2)).await;
    stage.assert_live("shop", &two);
    assert_eq!(stage.errors(), Vec::<String>::new());
    let report = stage.report(&key("shop")).await;
    assert!(report.contains(&format!("not published: {NAME} does not say what is live")), "{report}");
    assert!(report.contains("allow ssm:PutParameter"), "{report}");
    stage.sweeps_without_a_write().await;
    stage.door.with(|world| world.gate.permissions.clear_denials());
    let three = stage.push("shop", "latest", &version("3"));
    stage.until_quiet().await;
    assert_published(&stage, &three);
    stage.finish().await;
}

async fn killed(call: u32, when: When) -> bool {
    let (mut stage, _) = shop(1310 + u64::from(call)).await;
    let mut left = Some(Kill { call, when });
    stage.door.set_kills(Box::new(move |invocation| {
        let is_it = invocation.payload["detail"]["eventName"] == "SERVICE_DEPLOYMENT_COMPLETED";
        if is_it { left.take() } else { None }
    }));
    let two = stage.push("shop", "latest", &version("2"));
    stage.run_for(Duration::from_mins(3)).await;
    stage.until_quiet().await;
    assert_published(&stage, &two);
    let killed = was_killed(&stage);
    stage.finish().await;
    killed
}

#[tokio::test(start_paused = true)]
async fn the_pass_that_publishes_may_be_killed_at_any_call() {
    let calls = at_every_call(killed).await;
    assert!(calls >= 5, "{calls} calls: did ECS's event ring?");
}
