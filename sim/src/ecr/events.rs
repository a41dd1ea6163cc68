//! ECR's events, field by field as captured from AWS: `resources` is empty, an untagged
//! push has `image-tag: ""`, the two media types ride along on a push.

use serde_json::{Value, json};

use super::manifest::Manifest;
use super::store::ImageStatus;
use crate::time::Time;
use crate::world::World;

fn emit(world: &mut World, kind: &str, detail: Value) {
    world.emit("aws.ecr", kind, &[], detail);
}

/// A manifest was put. One with a `subject` (a signature, a bill of materials) is a
/// referrer and announced as such.
pub(super) fn pushed(
    world: &mut World,
    repository: &str,
    digest: &str,
    tag: Option<&str>,
    manifest: &Manifest,
) {
    let mut detail = json!({
        "action-type": "PUSH",
        "result": "SUCCESS",
        "repository-name": repository,
        "image-digest": digest,
        "image-tag": tag.unwrap_or_default(),
        "manifest-media-type": manifest.media_type,
    });
    if let Some(artifact) = &manifest.artifact_media_type {
        detail["artifact-media-type"] = json!(artifact);
    }
    let kind = if manifest.subject.is_some() { "ECR Referrer Action" } else { "ECR Image Action" };
    emit(world, kind, detail);
}

/// An image lost these tags, or was deleted with them: one event each.
pub(super) fn deleted(world: &mut World, repository: &str, digest: &str, tags: &[String]) {
    let untagged = [String::new()];
    for tag in if tags.is_empty() { &untagged } else { tags } {
        let detail = json!({
            "action-type": "DELETE",
            "result": "SUCCESS",
            "repository-name": repository,
            "image-digest": digest,
            "image-tag": tag,
        });
        emit(world, "ECR Image Action", detail);
    }
}

/// An image was replicated into this registry.
pub(super) fn replicated(world: &mut World, repository: &str, digest: &str, tag: &str, from: &str) {
    let region = world.config.region.clone();
    let detail = json!({
        "action-type": "REPLICATE",
        "result": "SUCCESS",
        "repository-name": repository,
        "image-digest": digest,
        "image-tag": tag,
        "source-account": from,
        "source-region": region,
    });
    of_repository(world, "ECR Replication Action", repository, detail);
}

/// A pull brought an image into a cache's repository.
pub(super) fn cached(
    world: &mut World,
    repository: &str,
    digest: &str,
    tag: &str,
    prefix: &str,
    upstream: &str,
) {
    let detail = json!({
        "rule-version": "1",
        "sync-status": "SUCCESS",
        "ecr-repository-prefix": prefix,
        "repository-name": repository,
        "upstream-registry-url": upstream,
        "image-tag": tag,
        "image-digest": digest,
    });
    of_repository(world, "ECR Pull Through Cache Action", repository, detail);
}

/// These two kinds name the repository by its ARN, too.
fn of_repository(world: &mut World, kind: &str, repository: &str, detail: Value) {
    let arn = world.arn("ecr", &format!("repository/{repository}"));
    world.emit("aws.ecr", kind, &[arn], detail);
}

/// An image was archived or restored.
pub(super) fn storage_class(
    world: &mut World,
    repository: &str,
    digest: &str,
    status: ImageStatus,
    at: Time,
) {
    let (class, activated): (&str, Value) = match status {
        ImageStatus::Active => ("STANDARD", json!(at.iso())),
        ImageStatus::Archived => ("ARCHIVE", Value::Null),
    };
    let mut detail = json!({
        "action-type": "UPDATE_STORAGE_CLASS",
        "result": "SUCCESS",
        "repository-name": repository,
        "image-digest": digest,
        "target-storage-class": class,
    });
    if !activated.is_null() {
        detail["last-activated-at"] = activated;
    }
    emit(world, "ECR Image Action", detail);
}
