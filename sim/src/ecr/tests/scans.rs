//! Scans: on push and asked for, of images and of indexes.

use std::time::Duration;

use super::*;

fn scanning_world() -> World {
    let mut world = world();
    let on = json!({ "repositoryName": "shop", "imageScanningConfiguration": { "scanOnPush": true } });
    let told = call(&mut world, "PutImageScanningConfiguration", on);
    assert_eq!(told["imageScanningConfiguration"]["scanOnPush"], true);
    world
}

fn pass(world: &mut World, secs: u64) {
    let to = world.now() + Duration::from_secs(secs);
    world.advance(to);
}

fn of(digest: &str) -> Value {
    json!({ "repositoryName": "shop", "imageId": { "imageDigest": digest } })
}

fn scan_events(world: &World) -> Vec<Value> {
    let scans = world.bus.log.iter().filter(|logged| logged.event.detail_type() == "ECR Image Scan");
    scans.map(|logged| logged.event.0.clone()).collect()
}

#[test]
fn a_push_is_scanned_and_its_findings_come_by_its_labels() {
    let mut world = scanning_world();
    let spec = PushSpec::labelled([("sim.findings", "CRITICAL=1,HIGH=3"), ("sim.scan_secs", "20")]);
    let digest = push_image(&mut world, "shop", &["v1"], &spec).unwrap();
    pass(&mut world, 19);
    let running = call(&mut world, "DescribeImageScanFindings", of(&digest));
    assert_eq!(running["imageScanStatus"]["status"], "IN_PROGRESS");
    assert!(running.get("imageScanFindings").is_none());
    pass(&mut world, 1);
    let done = call(&mut world, "DescribeImageScanFindings", of(&digest));
    assert_eq!(done["imageScanStatus"]["status"], "COMPLETE");
    let counts = json!({ "CRITICAL": 1, "HIGH": 3 });
    assert_eq!(done["imageScanFindings"]["findingSeverityCounts"], counts);
    let found = done["imageScanFindings"]["findings"].as_array().unwrap();
    assert_eq!(found.len(), 4);
    let detail =
        call(&mut world, "DescribeImages", json!({ "repositoryName": "shop" }))["imageDetails"][0].clone();
    assert_eq!(detail["imageScanFindingsSummary"]["findingSeverityCounts"], counts);
    let mut first = of(&digest);
    first["maxResults"] = json!(3);
    let first = call(&mut world, "DescribeImageScanFindings", first);
    assert_eq!(first["imageScanFindings"]["findings"].as_array().unwrap().len(), 3);
    assert!(first["nextToken"].is_string());
    let [event] = scan_events(&world).try_into().unwrap();
    assert_eq!(event["resources"], json!(["arn:aws:ecr:eu-central-1:123456789012:repository/shop"]));
    assert_eq!(
        event["detail"],
        json!({
            "scan-status": "COMPLETE", "repository-name": "shop", "finding-severity-counts": counts,
            "image-digest": digest, "image-tags": ["v1"],
        })
    );
}

#[test]
fn a_scan_is_asked_for_once_a_day() {
    let mut world = world();
    let digest = push_image(&mut world, "shop", &["v1"], &PushSpec::default()).unwrap();
    assert_eq!(code(&mut world, "DescribeImageScanFindings", of(&digest)), "ScanNotFoundException");
    let by_tag = json!({ "repositoryName": "shop", "imageId": { "imageTag": "v1" } });
    let began = call(&mut world, "StartImageScan", by_tag.clone());
    assert_eq!(began["imageScanStatus"]["status"], "IN_PROGRESS");
    assert_eq!(began["imageId"], json!({ "imageDigest": digest, "imageTag": "v1" }));
    pass(&mut world, 60);
    assert_eq!(code(&mut world, "StartImageScan", by_tag.clone()), "LimitExceededException");
    let none = call(&mut world, "DescribeImageScanFindings", by_tag.clone());
    assert_eq!(none["imageScanFindings"]["findingSeverityCounts"], json!({}), "nothing found");
    pass(&mut world, 24 * 3600);
    call(&mut world, "StartImageScan", by_tag);
    pass(&mut world, 60);
    assert_eq!(scan_events(&world).len(), 2);
    assert_eq!(
        code(&mut world, "StartImageScan", of(&format!("sha256:{}", "0".repeat(64)))),
        "ImageNotFoundException"
    );
}

#[test]
fn an_index_is_not_scanned_but_its_images_are() {
    let mut world = scanning_world();
    let spec = PushSpec { attestation: true, ..multi_arch() };
    let index = push_image(&mut world, "shop", &["v1"], &spec).unwrap();
    assert_eq!(code(&mut world, "StartImageScan", of(&index)), "UnsupportedImageTypeException");
    pass(&mut world, 60);
    assert_eq!(code(&mut world, "DescribeImageScanFindings", of(&index)), "ScanNotFoundException");
    let mut statuses: Vec<_> = scan_events(&world)
        .iter()
        .map(|event| event["detail"]["scan-status"].as_str().unwrap().to_owned())
        .collect();
    statuses.sort();
    assert_eq!(statuses, ["COMPLETE", "COMPLETE", "FAILED", "FAILED"], "two images, two attestations");
}

#[test]
fn a_failed_scan_says_so_and_has_no_counts() {
    let mut world = scanning_world();
    let spec = PushSpec::labelled([("sim.findings", "FAILED")]);
    let digest = push_image(&mut world, "shop", &["v1"], &spec).unwrap();
    pass(&mut world, 60);
    let told = call(&mut world, "DescribeImageScanFindings", of(&digest));
    assert_eq!(told["imageScanStatus"]["status"], "FAILED");
    assert!(scan_events(&world)[0]["detail"].get("finding-severity-counts").is_none());
}

#[test]
fn findings_are_read_from_their_label() {
    use super::super::scan::Found;
    assert_eq!(
        Found::parse("HIGH=2, LOW=1"),
        Some(Found::Counts([("HIGH".into(), 2), ("LOW".into(), 1)].into()))
    );
    assert_eq!(Found::parse(""), Some(Found::Counts([].into())));
    for label in ["HIGH", "high=1", "HIGH=x", "HIGH=-1", "SEVERE=1"] {
        assert_eq!(Found::parse(label), None, "{label}");
    }
}
