//! The image's scan before its rollout, under traffic.

use std::time::Duration;

use serde_json::json;
use windlass_sim::ServiceId;
use windlass_sim::door::in_process::Kill;
use windlass_sim::gate::faults::When;
use windlass_tests::{PushSpec, Stage, key, labelled, version};

use super::{create, update};

const GATE: &str = "image: {repository: shop}\nscan: {max_severity: medium}\n";

fn scan_on_push(stage: &Stage) {
    let on = json!({"repositoryName": "shop", "imageScanningConfiguration": {"scanOnPush": true}});
    stage.by_hand(ServiceId::Ecr, "PutImageScanningConfiguration", &on);
}

/// `shop` on version 1, gated, under traffic.
async fn gated(seed: u64, spec: &str) -> (Stage, windlass_tests::ImageDigest) {
    let (mut stage, one) = update::shop(seed).await;
    stage.apply_spec("shop", spec);
    stage.run_for(Duration::from_secs(5)).await;
    stage.until_quiet().await;
    stage.traffic.to(stage.now(), "/shop", 5);
    (stage, one)
}

fn findings(found: &str) -> PushSpec {
    labelled("2", &[("sim.findings", found)])
}

#[tokio::test(start_paused = true)]
async fn a_clean_image_goes_live_once_its_scan_has_ended() {
    let (mut stage, one) = gated(500, GATE).await;
    scan_on_push(&stage);
    let two = stage.push("shop", "latest", &findings("MEDIUM=2,LOW=9"));
    stage.run_for(Duration::from_secs(5)).await;
    stage.assert_live("shop", &one);
    let report = stage.report(&key("shop")).await;
    assert!(report.contains("for the scan of") && report.contains("IN_PROGRESS"), "{report}");
    // Ten seconds a scan; the event rings, not the minute's sweep.
    stage.run_for(Duration::from_secs(8)).await;
    assert_eq!(stage.count("ecs:UpdateService"), 2, "the adoption, and the release");
    stage.until_quiet().await;
    stage.assert_live("shop", &two);
    assert_eq!(stage.count("ecr:StartImageScan"), 0);
    stage.traffic.assert_none_failed();
    stage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn an_image_that_nobody_scanned_is_scanned_once() {
    let (mut stage, _) = gated(501, GATE).await;
    let two = stage.push("shop", "latest", &version("2"));
    stage.run_for(Duration::from_secs(20)).await;
    stage.until_quiet().await;
    stage.assert_live("shop", &two);
    assert_eq!(stage.count("ecr:StartImageScan"), 1);
    stage.traffic.assert_none_failed();
    stage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_vulnerable_image_is_held_back_without_a_write_and_a_mended_one_goes_live() {
    let (mut stage, one) = gated(502, GATE).await;
    let two = stage.push("shop", "latest", &findings("CRITICAL=1,HIGH=3"));
    stage.run_for(Duration::from_mins(3)).await;
    stage.assert_live("shop", &one);
    let report = stage.report(&key("shop")).await;
    assert!(report.contains("found 1 critical, 3 high, and scan.max_severity allows medium"), "{report}");
    assert!(!stage.row(&key("shop")).await.quarantine.contains_key(&two), "held, not quarantined");
    stage.sweeps_without_a_write().await;
    let three = stage.push("shop", "latest", &version("3"));
    stage.run_for(Duration::from_secs(20)).await;
    stage.until_quiet().await;
    stage.assert_live("shop", &three);
    stage.traffic.assert_none_failed();
    stage.finish().await;
}

/// The vulnerability is withdrawn, or the spec allows it: no new push is needed.
#[tokio::test(start_paused = true)]
async fn what_was_held_back_begins_once_the_spec_allows_it() {
    let (mut stage, one) = gated(503, GATE).await;
    let two = stage.push("shop", "latest", &findings("HIGH=1"));
    stage.run_for(Duration::from_mins(1)).await;
    stage.assert_live("shop", &one);
    stage.apply_spec("shop", "image: {repository: shop}\nscan: {max_severity: high}\n");
    stage.run_for(Duration::from_secs(5)).await;
    stage.until_quiet().await;
    stage.assert_live("shop", &two);
    stage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_scan_that_fails_refuses_or_is_noted_as_the_spec_says() {
    let (mut stage, one) = gated(504, GATE).await;
    let two = stage.push("shop", "latest", &findings("FAILED"));
    stage.run_for(Duration::from_secs(20)).await;
    stage.assert_live("shop", &one);
    let report = stage.report(&key("shop")).await;
    assert!(report.contains("has no scan's result: FAILED: UnsupportedImageError"), "{report}");
    stage.apply_spec("shop", "image: {repository: shop}\nscan: {max_severity: medium, if_unscanned: warn}\n");
    stage.run_for(Duration::from_secs(5)).await;
    stage.until_quiet().await;
    stage.assert_live("shop", &two);
    let releases = stage.releases(&key("shop")).await;
    let approvals = &releases.last().unwrap().approvals;
    assert!(approvals[0].what.starts_with("it begins without a scan's result"), "{approvals:?}");
    stage.traffic.assert_none_failed();
    stage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_first_release_waits_for_its_scan_before_anything_is_made() {
    let mut stage = Stage::new(505).await;
    stage.apply_spec("shop", &format!("{}scan: {{max_severity: none}}\n", create::SPEC));
    stage.run_for(Duration::from_secs(5)).await;
    stage.push("shop", "latest", &findings("LOW=1"));
    stage.run_for(Duration::from_mins(1)).await;
    for call in ["ecs:RegisterTaskDefinition", "ecs:CreateService", "elasticloadbalancing:CreateTargetGroup"]
    {
        assert_eq!(stage.count(call), 0, "{call}");
    }
    let two = stage.push("shop", "latest", &version("2"));
    stage.run_for(Duration::from_secs(20)).await;
    stage.until_quiet().await;
    stage.assert_live("shop", &two);
    stage.finish().await;
}

/// An index is scanned by its images, which have no tag; their events ring all the same.
#[tokio::test(start_paused = true)]
async fn an_index_is_judged_by_its_images() {
    let (mut stage, one) = gated(506, GATE).await;
    let index = |found| PushSpec { architectures: vec!["amd64".into(), "arm64".into()], ..findings(found) };
    let two = stage.push("shop", "latest", &index("CRITICAL=1"));
    stage.run_for(Duration::from_mins(1)).await;
    stage.assert_live("shop", &one);
    assert_eq!(stage.count("ecr:StartImageScan"), 2, "{two}: two images");
    let three = stage.push("shop", "latest", &index("LOW=1"));
    stage.run_for(Duration::from_secs(30)).await;
    stage.until_quiet().await;
    stage.assert_live("shop", &three);
    stage.traffic.assert_none_failed();
    stage.finish().await;
}

/// Whatever dies at whichever call: the scan is waited for, and the image goes live once.
#[tokio::test(start_paused = true)]
async fn a_function_killed_at_any_call_before_the_scan_ended_ends_on_the_new_image() {
    for call in 1..=24 {
        for when in [When::Before, When::After] {
            let (mut stage, one) = gated(510, GATE).await;
            stage.door.kill_at(Kill { call, when });
            let two = stage.push("shop", "latest", &version("2"));
            stage.run_for(Duration::from_mins(3)).await;
            stage.until_quiet().await;
            stage.assert_live("shop", &two);
            stage.assert_registered("shop", &[&one, &two]);
            stage.traffic.assert_none_failed();
            stage.finish().await;
        }
    }
}
