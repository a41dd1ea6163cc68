//! Basic scans: on push where the repository says so, or asked for; findings come some seconds
//! later, by the image's labels.
//!
//! | label | meaning |
//! |---|---|
//! | `sim.findings` | `CRITICAL=1,HIGH=3`: what is found; nothing without it. `FAILED`: the scan fails |
//! | `sim.scan_secs` | how long it takes (default 10) |
//!
//! An index cannot be scanned, as in AWS: on push its images are scanned, each by its own
//! digest. There is no enhanced scanning (Inspector).

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Due;
use super::input::{ImageId, invalid, page, read, repository};
use super::manifest::{Manifest, OCI_CONFIG};
use super::pull::labels;
use super::store::{Image, ImageStatus, Repository};
use crate::call::{ApiError, Reply};
use crate::time::Time;
use crate::world::{self, World};

const DOCKER_CONFIG: &str = "application/vnd.docker.container.image.v1+json";

/// AWS scans an image once a day at most.
const ONCE: Duration = Duration::from_hours(24);

const SEVERITIES: [&str; 6] = ["CRITICAL", "HIGH", "MEDIUM", "LOW", "INFORMATIONAL", "UNDEFINED"];

/// An image's scan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Scan {
    began: Time,
    /// `None` while it runs.
    result: Option<ScanResult>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct ScanResult {
    at: Time,
    found: Found,
}

/// What a scan comes to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Found {
    /// Findings by their severity; none is an empty map.
    Counts(BTreeMap<String, u32>),
    /// The scanner does not know what is in the image.
    Failed,
}

impl Found {
    /// Reads `CRITICAL=1,HIGH=3` or `FAILED`; `None` where it is neither.
    pub(crate) fn parse(label: &str) -> Option<Self> {
        if label == "FAILED" {
            return Some(Self::Failed);
        }
        let part = |part: &str| {
            let (severity, count) = part.split_once('=')?;
            let count: u32 = count.trim().parse().ok()?;
            SEVERITIES.contains(&severity.trim()).then(|| (severity.trim().to_owned(), count))
        };
        let parts = label.split(',').map(str::trim).filter(|part| !part.is_empty());
        parts.map(part).collect::<Option<_>>().map(Self::Counts)
    }

    fn status(&self) -> (&'static str, &'static str) {
        match self {
            Self::Counts(_) => ("COMPLETE", "The scan was completed successfully."),
            Self::Failed => (
                "FAILED",
                "UnsupportedImageError: The operating system and/or package manager are not supported.",
            ),
        }
    }
}

/// A manifest was put that was not there before.
pub(super) fn pushed(world: &mut World, repository: &str, digest: &str) {
    let Some(repo) = world.ecr.repositories.get(repository) else { return };
    let scannable = repo.images.get(digest).is_some_and(|image| is_image(&image.manifest));
    if repo.scan_on_push && scannable {
        begin(world, repository, digest);
    }
}

fn is_image(manifest: &Manifest) -> bool {
    let kind = manifest.artifact_media_type.as_deref();
    !manifest.is_index() && manifest.subject.is_none() && matches!(kind, Some(OCI_CONFIG | DOCKER_CONFIG))
}

fn begin(world: &mut World, repository: &str, digest: &str) {
    let now = world.now();
    let secs = label(world, repository, digest, "sim.scan_secs").and_then(|secs| secs.parse().ok());
    let takes = Duration::try_from_secs_f64(secs.unwrap_or(10.0)).unwrap_or_default();
    let repo = world.ecr.repositories.get_mut(repository);
    let Some(image) = repo.and_then(|repo| repo.images.get_mut(digest)) else { return };
    image.scan = Some(Scan { began: now, result: None });
    let due = Due::Scanned { repository: repository.to_owned(), digest: digest.to_owned(), began: now };
    world.at(now + takes, world::Due::Ecr(due));
}

fn label(world: &World, repository: &str, digest: &str, name: &str) -> Option<String> {
    labels(&config(world, repository, digest)?).remove(name)
}

fn config(world: &World, repository: &str, digest: &str) -> Option<Value> {
    let image = world.ecr.repositories.get(repository)?.images.get(digest)?;
    serde_json::from_slice(world.ecr.blob(repository, image.manifest.config.as_ref()?)?).ok()
}

/// The scan that began at `began` ends. What was deleted meanwhile has no result.
pub(super) fn scanned(world: &mut World, repository: &str, digest: &str, began: Time) {
    let found = find(world, repository, digest);
    let at = world.now();
    let repo = world.ecr.repositories.get_mut(repository);
    let Some(repo) = repo else { return };
    let tags = repo.tags_of(digest);
    let Some(scan) = repo.images.get_mut(digest).and_then(|image| image.scan.as_mut()) else { return };
    if scan.began != began || scan.result.is_some() {
        return;
    }
    scan.result = Some(ScanResult { at, found: found.clone() });
    let mut detail = json!({
        "scan-status": found.status().0,
        "repository-name": repository,
        "image-digest": digest,
        "image-tags": tags,
    });
    if let Found::Counts(counts) = &found {
        detail["finding-severity-counts"] = json!(counts);
    }
    let arn = world.arn("ecr", &format!("repository/{repository}"));
    world.emit("aws.ecr", "ECR Image Scan", &[arn], detail);
}

/// By the labels. What says no operating system, as provenance attestations do, and a label
/// that does not read, fail the scan.
fn find(world: &World, repository: &str, digest: &str) -> Found {
    let known = config(world, repository, digest).is_some_and(|config| config["os"] == "linux");
    if !known {
        return Found::Failed;
    }
    match label(world, repository, digest, "sim.findings") {
        None => Found::Counts(BTreeMap::new()),
        Some(label) => Found::parse(&label).unwrap_or(Found::Failed),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct OneImage {
    repository_name: String,
    image_id: ImageId,
    next_token: Option<String>,
    max_results: Option<u32>,
}

/// `StartImageScan`
pub(super) fn start(world: &mut World, input: &Value) -> Reply {
    let input: OneImage = read(input)?;
    let name = &input.repository_name;
    let repo = repository(world, name)?;
    let (digest, image) = input.image_id.find(repo).map_err(|_| input.image_id.not_found(world, name))?;
    refuses(world, image)?;
    let digest = digest.to_owned();
    begin(world, name, &digest);
    let mut reply = about(world, &input, &digest);
    reply["imageScanStatus"] = json!({ "status": "IN_PROGRESS" });
    Ok(reply)
}

fn refuses(world: &World, image: &Image) -> Result<(), ApiError> {
    if !is_image(&image.manifest) {
        let message = format!(
            "An artifact with media type '{}' cannot be scanned. For more information, see the Amazon ECR documentation.",
            image.manifest.media_type
        );
        return Err(ApiError::client("UnsupportedImageTypeException", message));
    }
    if image.status == ImageStatus::Archived {
        let message = "The specified image is archived and cannot be scanned.";
        return Err(ApiError::client("ImageArchivedException", message));
    }
    if image.scan.as_ref().is_some_and(|scan| world.now().since(scan.began) < ONCE) {
        let message = "The scan quota per image has been exceeded. Wait and try again.";
        return Err(ApiError::client("LimitExceededException", message));
    }
    Ok(())
}

fn about(world: &World, input: &OneImage, digest: &str) -> Value {
    let mut id = input.image_id.json();
    id["imageDigest"] = json!(digest);
    json!({ "registryId": world.config.account, "repositoryName": input.repository_name, "imageId": id })
}

/// `DescribeImageScanFindings`
pub(super) fn findings(world: &World, input: &Value) -> Reply {
    let input: OneImage = read(input)?;
    let name = &input.repository_name;
    let repo = repository(world, name)?;
    let (digest, image) = input.image_id.find(repo).map_err(|_| input.image_id.not_found(world, name))?;
    let scan = image.scan.as_ref().ok_or_else(|| not_scanned(world, &input, digest))?;
    let mut reply = about(world, &input, digest);
    reply["imageScanStatus"] = status(scan);
    let Some(ScanResult { at, found: Found::Counts(counts) }) = &scan.result else { return Ok(reply) };
    let mut all: Vec<(String, Value)> =
        counts.iter().flat_map(|(severity, count)| (1..=*count).map(|n| finding(severity, n))).collect();
    all.sort_by(|(left, _), (right, _)| left.cmp(right)); // a page's token is a name
    let (shown, next) = page(all, input.next_token.as_deref(), input.max_results)?;
    let mut told = summary(*at, counts);
    told["findings"] = json!(shown);
    reply["imageScanFindings"] = told;
    if let Some(next) = next {
        reply["nextToken"] = json!(next);
    }
    Ok(reply)
}

fn not_scanned(world: &World, input: &OneImage, digest: &str) -> ApiError {
    let message = format!(
        "Image scan does not exist for the image with '{{imageDigest:'{digest}', imageTag:'{}'}}' in the repository \
         with name '{}' in the registry with id '{}'",
        input.image_id.image_tag.as_deref().unwrap_or("null"),
        input.repository_name,
        world.config.account
    );
    ApiError::client("ScanNotFoundException", message)
}

fn status(scan: &Scan) -> Value {
    match &scan.result {
        None => json!({ "status": "IN_PROGRESS" }),
        Some(result) => {
            let (status, description) = result.found.status();
            json!({ "status": status, "description": description })
        }
    }
}

fn summary(at: Time, counts: &BTreeMap<String, u32>) -> Value {
    json!({
        "imageScanCompletedAt": at.epoch_secs(),
        "vulnerabilitySourceUpdatedAt": at.epoch_secs(),
        "findingSeverityCounts": counts,
    })
}

/// The n-th finding of a severity, by its name: made up, and the same each time.
fn finding(severity: &str, n: u32) -> (String, Value) {
    let rank = SEVERITIES.iter().position(|name| *name == severity).unwrap_or_default();
    let name = format!("CVE-2026-{}{n:06}", rank + 1);
    let finding = json!({
        "name": name,
        "description": format!("A vulnerability of severity {severity}, made up by the embedded ECR"),
        "uri": format!("https://example.com/{name}"),
        "severity": severity,
        "attributes": [
            { "key": "package_name", "value": "example" },
            { "key": "package_version", "value": "1.0.0" },
        ],
    });
    (name, finding)
}

/// What `DescribeImages` says of an image's scan.
pub(super) fn described(image: &Image, detail: &mut Value) {
    let Some(scan) = &image.scan else { return };
    detail["imageScanStatus"] = status(scan);
    if let Some(ScanResult { at, found: Found::Counts(counts) }) = &scan.result {
        detail["imageScanFindingsSummary"] = summary(*at, counts);
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Configure {
    repository_name: String,
    image_scanning_configuration: super::repositories::Scanning,
}

/// `PutImageScanningConfiguration`
pub(super) fn configure(world: &mut World, input: &Value) -> Reply {
    let input: Configure = read(input)?;
    repository(world, &input.repository_name)?;
    let on_push = input.image_scanning_configuration.scan_on_push;
    let repo: Option<&mut Repository> = world.ecr.repositories.get_mut(&input.repository_name);
    let repo = repo.ok_or_else(|| invalid("Invalid parameter at 'repositoryName'"))?;
    repo.scan_on_push = on_push;
    Ok(json!({
        "registryId": world.config.account,
        "repositoryName": input.repository_name,
        "imageScanningConfiguration": { "scanOnPush": on_push },
    }))
}
