//! The control API's images.

use serde::Deserialize;
use serde_json::{Value, json};

use super::input::{ImageId, Miss, invalid, page, paged, read, repository};
use super::store::{self, DeleteError, Image, ImageStatus, PutError, Repository};
use super::{events, scan};
use crate::call::{ApiError, Reply};
use crate::world::World;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Query {
    repository_name: String,
    image_ids: Option<Vec<ImageId>>,
    filter: Option<Filter>,
    next_token: Option<String>,
    max_results: Option<u32>,
    #[serde(default)]
    accepted_media_types: Vec<String>,
}

impl Query {
    /// The ids that `BatchGetImage` and `BatchDeleteImage` must have, at most 100.
    fn ids(&self) -> Result<&[ImageId], ApiError> {
        match self.image_ids.as_deref() {
            Some(ids) if (1..=100).contains(&ids.len()) => Ok(ids),
            _ => Err(invalid(
                "Invalid parameter at 'imageIds' failed to satisfy constraint: 1 to 100 image ids",
            )),
        }
    }
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct Filter {
    #[serde(default)]
    tag_status: TagStatus,
    image_status: Option<StatusFilter>,
}

#[derive(Deserialize, Default, Clone, Copy)]
#[serde(rename_all = "UPPERCASE")]
enum TagStatus {
    Tagged,
    Untagged,
    #[default]
    Any,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "UPPERCASE")]
enum StatusFilter {
    Active,
    Archived,
    Activating,
    Any,
}

impl Filter {
    fn takes(&self, image: &Image, tags: &[String]) -> bool {
        let tagged = match self.tag_status {
            TagStatus::Tagged => !tags.is_empty(),
            TagStatus::Untagged => tags.is_empty(),
            TagStatus::Any => true,
        };
        let status = match self.image_status {
            None | Some(StatusFilter::Any) => true,
            Some(StatusFilter::Active) => image.status == ImageStatus::Active,
            Some(StatusFilter::Archived) => image.status == ImageStatus::Archived,
            // Restoring takes no time here, so nothing is ever on its way.
            Some(StatusFilter::Activating) => false,
        };
        tagged && status
    }
}

pub(super) fn describe(world: &World, input: &Value) -> Reply {
    let query: Query = read(input)?;
    let repo = repository(world, &query.repository_name)?;
    if let Some(ids) = query.image_ids.as_deref().filter(|ids| !ids.is_empty()) {
        if query.next_token.is_some() || query.max_results.is_some() {
            return Err(invalid(
                "Invalid parameter: 'maxResults' and 'nextToken' cannot be used with 'imageIds'",
            ));
        }
        return describe_ids(world, repo, ids);
    }
    let filter = query.filter.unwrap_or_default();
    let images = repo.images.iter().filter(|(digest, image)| filter.takes(image, &repo.tags_of(digest)));
    let images = images.map(|(digest, image)| (digest.clone(), detail(world, repo, digest, image))).collect();
    let (images, next) = page(images, query.next_token.as_deref(), query.max_results)?;
    Ok(paged("imageDetails", &images, next))
}

/// One entry per image, however many of its ids were asked for.
fn describe_ids(world: &World, repo: &Repository, ids: &[ImageId]) -> Reply {
    let mut found: Vec<(&str, &Image)> = Vec::new();
    for id in ids {
        let hit = match id.find(repo) {
            Ok(hit) => hit,
            Err(Miss::NoDigestNorTag | Miss::InvalidDigest) => {
                return Err(invalid("Invalid parameter at 'imageIds': a valid digest or a tag is needed"));
            }
            Err(_) => return Err(id.not_found(world, &repo.name)),
        };
        if !found.iter().any(|(digest, _)| *digest == hit.0) {
            found.push(hit);
        }
    }
    let details: Vec<_> =
        found.into_iter().map(|(digest, image)| detail(world, repo, digest, image)).collect();
    Ok(json!({ "imageDetails": details }))
}

fn detail(world: &World, repo: &Repository, digest: &str, image: &Image) -> Value {
    let mut detail = json!({
        "registryId": world.config.account,
        "repositoryName": repo.name,
        "imageDigest": digest,
        "imageSizeInBytes": repo.size_of(image),
        "imagePushedAt": image.pushed_at.epoch_secs(),
        "imageManifestMediaType": image.manifest.media_type,
        "imageStatus": image.status,
    });
    let tags = repo.tags_of(digest);
    // An untagged image has no `imageTags` at all.
    if !tags.is_empty() {
        detail["imageTags"] = json!(tags);
    }
    if let Some(artifact) = &image.manifest.artifact_media_type {
        detail["artifactMediaType"] = json!(artifact);
    }
    if let Some(subject) = &image.manifest.subject {
        detail["subjectManifestDigest"] = json!(subject);
    }
    scan::described(image, &mut detail);
    detail
}

/// One id per tag, and one without a tag for an untagged image.
pub(super) fn list(world: &World, input: &Value) -> Reply {
    let query: Query = read(input)?;
    let repo = repository(world, &query.repository_name)?;
    let filter = query.filter.unwrap_or_default();
    let mut ids = Vec::new();
    for (digest, image) in &repo.images {
        let tags = repo.tags_of(digest);
        if !filter.takes(image, &tags) {
            continue;
        }
        if tags.is_empty() {
            ids.push((digest.clone(), json!({ "imageDigest": digest })));
        }
        let tagged = tags
            .iter()
            .map(|tag| (format!("{digest}:{tag}"), json!({ "imageDigest": digest, "imageTag": tag })));
        ids.extend(tagged);
    }
    let (ids, next) = page(ids, query.next_token.as_deref(), query.max_results)?;
    Ok(paged("imageIds", &ids, next))
}

pub(super) fn batch_get(world: &World, input: &Value) -> Reply {
    let query: Query = read(input)?;
    let repo = repository(world, &query.repository_name)?;
    let (mut images, mut failures) = (Vec::new(), Vec::new());
    for id in query.ids()? {
        match id.find(repo) {
            Ok((_, image)) if !accepts(&query.accepted_media_types, image) => {
                failures.push(Miss::NotFound.failure(id));
            }
            Ok((_, image)) if image.status == ImageStatus::Archived => failures.push(json!({
                "imageId": id.json(),
                "failureCode": "ImageInaccessible",
                "failureReason": "The image is archived: restore it before it is pulled",
            })),
            Ok((digest, image)) => images.push(full(world, repo, digest, id.image_tag.as_deref(), image)),
            Err(miss) => failures.push(miss.failure(id)),
        }
    }
    Ok(json!({ "images": images, "failures": failures }))
}

fn accepts(types: &[String], image: &Image) -> bool {
    types.is_empty() || types.contains(&image.manifest.media_type)
}

fn full(world: &World, repo: &Repository, digest: &str, tag: Option<&str>, image: &Image) -> Value {
    let id = ImageId { image_digest: Some(digest.to_owned()), image_tag: tag.map(str::to_owned) };
    json!({
        "registryId": world.config.account,
        "repositoryName": repo.name,
        "imageId": id.json(),
        "imageManifest": image.text,
        "imageManifestMediaType": image.manifest.media_type,
    })
}

pub(super) fn batch_delete(world: &mut World, input: &Value) -> Reply {
    let query: Query = read(input)?;
    repository(world, &query.repository_name)?;
    let (mut deleted, mut failures) = (Vec::new(), Vec::new());
    for id in query.ids()? {
        match delete_one(world, &query.repository_name, id) {
            Ok(ids) => deleted.extend(ids),
            Err(miss) => failures.push(miss.failure(id)),
        }
    }
    Ok(json!({ "imageIds": deleted, "failures": failures }))
}

/// By digest the image goes with all its tags; by tag only the tag, and the image with
/// its last one.
fn delete_one(world: &mut World, repository: &str, id: &ImageId) -> Result<Vec<Value>, Miss> {
    let repo = world.ecr.repositories.get(repository).ok_or(Miss::NotFound)?;
    let digest = id.find(repo)?.0.to_owned();
    let miss = |error| match error {
        DeleteError::NotFound => Miss::NotFound,
        DeleteError::ReferencedByIndex => Miss::ReferencedByIndex,
    };
    if let Some(tag) = &id.image_tag {
        store::delete_tag(world, repository, tag).map_err(miss)?;
        return Ok(vec![json!({ "imageDigest": digest, "imageTag": tag })]);
    }
    let tags = store::delete_image(world, repository, &digest).map_err(miss)?;
    if tags.is_empty() {
        return Ok(vec![json!({ "imageDigest": digest })]);
    }
    Ok(tags.iter().map(|tag| json!({ "imageDigest": digest, "imageTag": tag })).collect())
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Put {
    repository_name: String,
    image_manifest: String,
    image_manifest_media_type: Option<String>,
    image_tag: Option<String>,
    image_digest: Option<String>,
}

pub(super) fn put(world: &mut World, input: &Value) -> Reply {
    let input: Put = read(input)?;
    let name = &input.repository_name;
    let (tag, digest) = (input.image_tag.as_deref(), input.image_digest.as_deref());
    if let Some(tag) = tag.filter(|tag| !super::oci::is_tag(tag)) {
        return Err(invalid(format!("Invalid parameter at 'imageTag' failed to satisfy constraint: {tag}")));
    }
    // The control API refuses what a push by the distribution protocol takes in silence.
    let here = super::manifest::digest_of(input.image_manifest.as_bytes());
    let repo = repository(world, name)?;
    let same = repo.images.contains_key(&here) && tag.is_none_or(|tag| repo.tags.get(tag) == Some(&here));
    if same {
        let message = format!(
            "Image with digest '{here}' and tag '{}' already exists in the repository with name '{name}' in registry \
             with id '{}'",
            tag.unwrap_or("null"),
            world.config.account
        );
        return Err(ApiError::client("ImageAlreadyExistsException", message));
    }
    let media_type = input.image_manifest_media_type.as_deref();
    let stored = store::put(world, name, &input.image_manifest, media_type, tag, digest)
        .map_err(|error| put_error(world, name, error))?;
    let repo = repository(world, name)?;
    let image = repo.resolve(&stored.digest).map(|(digest, image)| full(world, repo, digest, tag, image));
    Ok(json!({ "image": image }))
}

fn put_error(world: &World, repository: &str, error: PutError) -> ApiError {
    let (code, message) = match error {
        PutError::RepositoryNotFound => return super::input::repository_not_found(world, repository),
        PutError::Invalid(reason) => (
            "InvalidParameterException",
            format!("Invalid parameter at 'ImageManifest' failed to satisfy constraint: {reason}"),
        ),
        PutError::DigestMismatch { expected, found } => (
            "ImageDigestDoesNotMatchException",
            format!(
                "Provided image digest '{expected}' does not match the calculated image digest '{found}'"
            ),
        ),
        PutError::BlobsNotFound(digests) => (
            "LayersNotFoundException",
            format!(
                "Layers with digests '{digests:?}' required for pushing image into repository with name '{repository}' do not exist"
            ),
        ),
        PutError::ImagesNotFound(digests) => (
            "ReferencedImagesNotFoundException",
            format!(
                "Images with digests '{digests:?}' required for pushing image into repository with name '{repository}' do not exist"
            ),
        ),
        PutError::TagImmutable(tag) => ("ImageTagAlreadyExistsException", immutable(repository, &tag)),
    };
    ApiError::client(code, message)
}

/// ECR's words for a tag that cannot be moved, on both doors.
pub(super) fn immutable(repository: &str, tag: &str) -> String {
    format!(
        "The image tag '{tag}' already exists in the '{repository}' repository and cannot be overwritten because the \
         tag is immutable."
    )
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct OneImage {
    repository_name: String,
    #[serde(alias = "subjectId")]
    image_id: ImageId,
    target_storage_class: Option<StorageClass>,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "UPPERCASE")]
enum StorageClass {
    Standard,
    Archive,
}

pub(super) fn referrers(world: &World, input: &Value) -> Reply {
    let input: OneImage = read(input)?;
    let repo = repository(world, &input.repository_name)?;
    let subject = input.image_id.image_digest.unwrap_or_default();
    let of = repo.images.iter().filter(|(_, image)| image.manifest.subject.as_deref() == Some(&subject));
    let referrers = of.map(|(digest, image)| {
        json!({
            "digest": digest,
            "mediaType": image.manifest.media_type,
            "artifactType": image.manifest.artifact_media_type,
            "size": image.text.len(),
            "artifactStatus": image.status,
        })
    });
    Ok(json!({ "referrers": referrers.collect::<Vec<_>>() }))
}

pub(super) fn storage_class(world: &mut World, input: &Value) -> Reply {
    let input: OneImage = read(input)?;
    let name = &input.repository_name;
    let repo = repository(world, name)?;
    let found = input.image_id.find(repo).map_err(|_| input.image_id.not_found(world, name))?;
    let digest = found.0.to_owned();
    let status = match input.target_storage_class {
        Some(StorageClass::Standard) => ImageStatus::Active,
        Some(StorageClass::Archive) => ImageStatus::Archived,
        None => return Err(invalid("Invalid parameter at 'targetStorageClass': must not be null")),
    };
    let image = world.ecr.repositories.get_mut(name).and_then(|repo| repo.images.get_mut(&digest));
    if let Some(image) = image {
        image.status = status;
    }
    let now = world.now();
    events::storage_class(world, name, &digest, status, now);
    Ok(json!({
        "registryId": world.config.account,
        "repositoryName": name,
        "imageId": input.image_id.json(),
        "imageStatus": status,
    }))
}
