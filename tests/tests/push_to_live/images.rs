//! Which image: policies, and pushes that deploy nothing.

use std::time::Duration;

use serde_json::json;
use windlass_sim::ServiceId;
use windlass_tests::account::ByHand;
use windlass_tests::{PushSpec, Stage, key, version};

use super::update::shop;

#[tokio::test(start_paused = true)]
async fn a_semver_policy_takes_the_highest_version_and_never_an_older_one_pushed_late() {
    let mut stage = Stage::new(40).await;
    let what = ByHand { tag: "1.2.0".into(), ..ByHand::tracking("shop", "shop:semver=1.x") };
    let first = stage.service_by_hand(&what).await;
    let newer = stage.push("shop", "1.10.0", &version("1.10.0"));
    stage.until_quiet().await;
    stage.assert_live("shop", &newer);
    for older in ["1.9.9", "1.2.1", "2.0.0", "1.11.0-rc.1", "nightly"] {
        stage.push("shop", older, &version(older));
        stage.run_for(Duration::from_secs(3)).await;
    }
    stage.until_quiet().await;
    stage.assert_live("shop", &newer);
    stage.assert_registered("shop", &[&first, &newer]);
    stage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_tag_that_is_pushed_again_with_another_image_is_noticed() {
    let (mut stage, one) = shop(41).await;
    let two = stage.push("shop", "latest", &version("2"));
    stage.until_quiet().await;
    let three = stage.push("shop", "latest", &version("3"));
    stage.until_quiet().await;
    stage.assert_live("shop", &three);
    stage.assert_registered("shop", &[&one, &two, &three]);
    stage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn the_same_image_pushed_again_registers_nothing() {
    let (mut stage, one) = shop(42).await;
    let updates = stage.count("ecs:UpdateService");
    for tag in ["latest", "latest", "v1", "stable"] {
        assert_eq!(stage.push("shop", tag, &version("1")), one);
        stage.run_for(Duration::from_secs(3)).await;
    }
    stage.until_quiet().await;
    stage.assert_registered("shop", &[&one]);
    assert_eq!(stage.count("ecs:UpdateService"), updates);
    stage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_multi_architecture_push_with_attestations_is_one_release_of_its_index() {
    let (mut stage, one) = shop(43).await;
    let image =
        PushSpec { architectures: vec!["amd64".into(), "arm64".into()], attestation: true, ..version("2") };
    let index = stage.push("shop", "latest", &image);
    stage.until_quiet().await;
    stage.assert_registered("shop", &[&one, &index]);
    let pinned = stage.revisions("shop").pop().unwrap();
    assert!(pinned["containerDefinitions"][0]["image"].as_str().unwrap().ends_with(index.as_str()));
    insta::assert_snapshot!(stage.story(&key("shop"), &[("1", &one), ("index", &index)]).await, @r"
    1: live (from nothing)
    index: live (from 1)
    ");
    stage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_signature_deploys_nothing() {
    let (mut stage, one) = shop(44).await;
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": blob(&stage, "{}"), "size": 2},
        "layers": [{"mediaType": "application/vnd.dev.cosign.simplesigning.v1+json", "digest": blob(&stage, "sig"), "size": 3}],
    });
    let tag = format!("{}.sig", one.as_str().replace(':', "-"));
    let put = json!({"repositoryName": "shop", "imageTag": tag, "imageManifest": manifest.to_string()});
    stage.by_hand(ServiceId::Ecr, "PutImage", &put);
    stage.run_for(Duration::from_mins(2)).await;
    stage.assert_live("shop", &one);
    stage.assert_registered("shop", &[&one]);
    stage.finish().await;
}

/// Uploads a blob through the control API; its digest.
fn blob(stage: &Stage, text: &str) -> String {
    use windlass_sim::ecr;
    let path = "/v2/shop/blobs/uploads/";
    stage.door.with(|world| {
        let digest = sha256(text);
        let request =
            http::Request::post(format!("{path}?digest={digest}")).body(text.to_owned().into()).unwrap();
        assert_eq!(ecr::http(world, &request).status(), 201);
        digest
    })
}

fn sha256(text: &str) -> String {
    use sha2::Digest as _;
    let hash = sha2::Sha256::digest(text.as_bytes());
    hash.iter().fold("sha256:".to_owned(), |text, byte| format!("{text}{byte:02x}"))
}

#[tokio::test(start_paused = true)]
async fn a_repository_that_nobody_tracks_rings_nothing() {
    let (mut stage, one) = shop(45).await;
    let before = stage.calls().iter().filter(|call| call.is_write()).count();
    stage.push("tools", "latest", &version("1"));
    stage.run_for(Duration::from_mins(2)).await;
    let writes = stage.calls().iter().filter(|call| call.is_write()).count();
    assert_eq!(writes, before, "nothing was written anywhere");
    stage.assert_live("shop", &one);
    stage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_deleted_image_changes_nothing_that_runs_and_is_explained() {
    let mut stage = Stage::new(46).await;
    let what = ByHand { tag: "1.0.0".into(), ..ByHand::tracking("shop", "shop:semver=1.x") };
    let one = stage.service_by_hand(&what).await;
    let two = stage.push("shop", "1.1.0", &version("2"));
    stage.until_quiet().await;
    stage.assert_live("shop", &two);
    stage.delete_image("shop", &two);
    stage.run_for(Duration::from_mins(3)).await;
    stage.assert_live("shop", &two);
    stage.assert_registered("shop", &[&one, &two]);
    let report = stage.report(&key("shop")).await;
    assert!(report.contains("older than") && report.contains("was probably deleted"), "{report}");
    assert!(report.contains("change the spec's policy to that version"), "{report}");
    stage.sweeps_without_a_write().await;
    let three = stage.push("shop", "1.2.0", &version("3"));
    stage.run_for(Duration::from_secs(2)).await;
    stage.until_quiet().await;
    stage.assert_live("shop", &three);
    stage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn an_image_for_another_architecture_is_refused_with_the_way_to_build_it() {
    let (mut stage, one) = shop(47).await;
    stage.push("shop", "latest", &PushSpec { architectures: vec!["arm64".into()], ..version("2") });
    stage.run_for(Duration::from_mins(3)).await;
    stage.assert_live("shop", &one);
    stage.assert_registered("shop", &[&one]);
    let report = stage.report(&key("shop")).await;
    assert!(report.contains("is built for arm64, the cluster's instances are amd64"), "{report}");
    assert!(report.contains("docker buildx build --platform linux/amd64"), "{report}");
    stage.sweeps_without_a_write().await;
    let three = stage.push("shop", "latest", &version("3"));
    stage.run_for(Duration::from_secs(2)).await;
    stage.until_quiet().await;
    stage.assert_live("shop", &three);
    stage.finish().await;
}
