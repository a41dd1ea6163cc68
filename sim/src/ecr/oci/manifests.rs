//! Manifests, tags and referrers.

use bytes::Bytes;
use http::{Request, Uri};
use serde_json::json;

use super::reply::{Failure, json_reply, reply};
use super::{Outcome, is_tag, query};
use crate::ecr::images::immutable;
use crate::ecr::manifest::{OCI_INDEX, is_digest};
use crate::ecr::store::{self, DeleteError, ImageStatus, PutError, Repository};
use crate::world::World;

/// 4 MiB, the specification's advice and ECR's limit.
const MANIFEST_LIMIT: usize = 4 * 1024 * 1024;

fn repo<'a>(world: &'a World, name: &str) -> Result<&'a Repository, Failure> {
    world.ecr.repositories.get(name).ok_or_else(|| super::unknown(world, name))
}

pub(super) fn get(world: &World, name: &str, reference: &str) -> Outcome {
    let found = repo(world, name)?.resolve(reference);
    let (digest, image) =
        found.ok_or_else(|| Failure::new(404, "MANIFEST_UNKNOWN", "Requested image not found"))?;
    if image.status == ImageStatus::Archived {
        return Err(Failure::new(403, "DENIED", "The image is archived: restore it before it is pulled"));
    }
    let headers = [("content-type", image.manifest.media_type.as_str()), ("docker-content-digest", digest)];
    Ok(reply(200, &headers, image.text.clone().into()))
}

pub(super) fn put(world: &mut World, name: &str, reference: &str, request: &Request<Bytes>) -> Outcome {
    let by_digest = is_digest(reference);
    if !by_digest && !is_tag(reference) {
        return Err(Failure::new(
            400,
            "TAG_INVALID",
            format!("{reference} is neither a tag nor a sha256 digest"),
        ));
    }
    if request.body().len() > MANIFEST_LIMIT {
        return Err(Failure::new(413, "SIZE_INVALID", "a manifest is at most 4 MiB"));
    }
    let text = std::str::from_utf8(request.body())
        .map_err(|error| Failure::new(400, "MANIFEST_INVALID", format!("manifest invalid: {error}")))?;
    let media_type = request.headers().get(http::header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let (tag, digest) = if by_digest { (None, Some(reference)) } else { (Some(reference), None) };
    let stored = store::put(world, name, text, media_type, tag, digest)
        .map_err(|error| refusal(world, name, error))?;
    let location = format!("/v2/{name}/manifests/{reference}");
    let mut headers =
        vec![("location", location.as_str()), ("docker-content-digest", stored.digest.as_str())];
    if let Some(subject) = &stored.subject {
        headers.push(("oci-subject", subject));
    }
    Ok(reply(201, &headers, Bytes::new()))
}

fn refusal(world: &World, name: &str, error: PutError) -> Failure {
    match error {
        PutError::RepositoryNotFound => super::unknown(world, name),
        PutError::Invalid(reason) => Failure::new(400, "MANIFEST_INVALID", reason),
        PutError::DigestMismatch { expected, found } => {
            Failure::new(400, "DIGEST_INVALID", format!("the manifest's digest is {found}, not {expected}"))
        }
        PutError::BlobsNotFound(digests) => Failure::new(
            404,
            "MANIFEST_BLOB_UNKNOWN",
            format!("blobs that the manifest refers to are unknown to {name}: {}", digests.join(", ")),
        ),
        PutError::ImagesNotFound(digests) => Failure::new(
            404,
            "MANIFEST_BLOB_UNKNOWN",
            format!(
                "Images with digests '{digests:?}' required for pushing image into repository with name '{name}' do not exist"
            ),
        ),
        PutError::TagImmutable(tag) => Failure::new(400, "TAG_INVALID", immutable(name, &tag)),
    }
}

pub(super) fn delete(world: &mut World, name: &str, reference: &str) -> Outcome {
    let deleted = if is_digest(reference) {
        store::delete_image(world, name, reference).map(drop)
    } else {
        store::delete_tag(world, name, reference).map(drop)
    };
    deleted.map_err(|error| match error {
        DeleteError::NotFound => Failure::new(404, "MANIFEST_UNKNOWN", "Requested image not found"),
        DeleteError::ReferencedByIndex => Failure::new(
            403,
            "DENIED",
            "Requested image referenced by manifest list: delete the manifest list first",
        ),
    })?;
    Ok(reply(202, &[], Bytes::new()))
}

pub(super) fn tags(world: &World, name: &str, uri: &Uri) -> Outcome {
    let all = &repo(world, name)?.tags;
    let last = query(uri, "last").unwrap_or_default();
    let size = query(uri, "n").and_then(|n| n.parse().ok()).unwrap_or(1000);
    let mut rest = all.keys().filter(|tag| last.is_empty() || **tag > last);
    let page: Vec<_> = rest.by_ref().take(size).collect();
    let link = match (page.last(), rest.next()) {
        (Some(last), Some(_)) => Some(format!("</v2/{name}/tags/list?n={size}&last={last}>; rel=\"next\"")),
        _ => None,
    };
    let headers: Vec<_> = link.iter().map(|link| ("link", link.as_str())).collect();
    Ok(json_reply(200, &headers, &json!({ "name": name, "tags": page })))
}

/// An index of the manifests whose `subject` is `digest`; an image without any is no error.
pub(super) fn referrers(world: &World, name: &str, digest: &str, uri: &Uri) -> Outcome {
    let wanted = query(uri, "artifactType");
    let of = repo(world, name)?
        .images
        .iter()
        .filter(|(_, image)| image.manifest.subject.as_deref() == Some(digest));
    let of = of.filter(|(_, image)| wanted.is_none() || image.manifest.artifact_media_type == wanted);
    let manifests: Vec<_> = of
        .map(|(digest, image)| {
            json!({
                "mediaType": image.manifest.media_type,
                "digest": digest,
                "size": image.text.len(),
                "artifactType": image.manifest.artifact_media_type,
            })
        })
        .collect();
    let mut headers = vec![("content-type", OCI_INDEX)];
    if wanted.is_some() {
        headers.push(("oci-filters-applied", "artifactType"));
    }
    let body = json!({ "schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": manifests });
    Ok(json_reply(200, &headers, &body))
}
