//! Blobs: reading, mounting, and uploads in one piece or in chunks.

use bytes::Bytes;
use http::{Method, Request};

use super::reply::{Failure, reply};
use super::{Outcome, query};
use crate::ecr::layers;
use crate::ecr::manifest::{digest_of, is_digest};
use crate::world::World;

/// GET and HEAD of a blob. A door leaves the body out for HEAD; its length stays.
pub(super) fn get(world: &World, repository: &str, digest: &str) -> Outcome {
    if !is_digest(digest) {
        return Err(Failure::new(400, "DIGEST_INVALID", format!("{digest} is not a sha256 digest")));
    }
    let blob = world.ecr.blob(repository, digest);
    let blob = blob.ok_or_else(|| {
        Failure::new(404, "BLOB_UNKNOWN", format!("blob {digest} is unknown to {repository}"))
    })?;
    let headers = [("content-type", "application/octet-stream"), ("docker-content-digest", digest)];
    Ok(reply(200, &headers, blob.clone()))
}

/// POST: mounts a blob of another repository, takes it whole (`?digest=`), or begins an
/// upload.
pub(super) fn begin(world: &mut World, repository: &str, request: &Request<Bytes>) -> Outcome {
    if *request.method() != Method::POST {
        return Err(Failure::new(405, "UNSUPPORTED", "The operation is unsupported"));
    }
    if let Some(digest) = query(request.uri(), "digest") {
        return finish(world, repository, &digest, request.body().clone());
    }
    let mount = query(request.uri(), "mount").zip(query(request.uri(), "from"));
    let mounted = mount.and_then(|(digest, from)| Some((world.ecr.blob(&from, &digest)?.clone(), digest)));
    if let Some((blob, digest)) = mounted {
        return finish(world, repository, &digest, blob);
    }
    let id = layers::begin(world, repository);
    Ok(progress(202, repository, &id, 0))
}

/// PATCH, PUT, GET and DELETE of an upload under way.
pub(super) fn upload(world: &mut World, repository: &str, id: &str, request: &Request<Bytes>) -> Outcome {
    let unknown =
        || Failure::new(404, "BLOB_UPLOAD_UNKNOWN", format!("upload {id} is unknown to {repository}"));
    let upload = world.ecr.uploads.get_mut(id).filter(|upload| upload.repository == repository);
    let upload = upload.ok_or_else(unknown)?;
    match *request.method() {
        Method::GET => Ok(progress(204, repository, id, upload.bytes.len())),
        Method::PATCH => {
            expect_start(request, upload.bytes.len())?;
            upload.bytes.extend_from_slice(request.body());
            Ok(progress(202, repository, id, upload.bytes.len()))
        }
        Method::PUT => {
            let digest = query(request.uri(), "digest");
            let digest = digest.ok_or_else(|| Failure::new(400, "DIGEST_INVALID", "?digest= is missing"))?;
            expect_start(request, upload.bytes.len())?;
            let mut bytes = std::mem::take(&mut upload.bytes);
            world.ecr.uploads.remove(id);
            bytes.extend_from_slice(request.body());
            finish(world, repository, &digest, bytes.into())
        }
        Method::DELETE => {
            world.ecr.uploads.remove(id);
            Ok(reply(204, &[], Bytes::new()))
        }
        _ => Err(Failure::new(405, "UNSUPPORTED", "The operation is unsupported")),
    }
}

/// A chunk's `Content-Range: <first>-<last>` must go on where the last one ended.
fn expect_start(request: &Request<Bytes>, at: usize) -> Result<(), Failure> {
    let Some(range) = request.headers().get(http::header::CONTENT_RANGE) else { return Ok(()) };
    let text = range.to_str().unwrap_or_default().trim_start_matches("bytes ");
    let first = text.split('-').next().and_then(|first| first.parse::<usize>().ok());
    if first == Some(at) {
        return Ok(());
    }
    Err(Failure::new(416, "BLOB_UPLOAD_INVALID", format!("the chunk {text} does not go on at byte {at}")))
}

fn finish(world: &mut World, repository: &str, digest: &str, bytes: Bytes) -> Outcome {
    let found = digest_of(&bytes);
    if found != digest {
        return Err(Failure::new(
            400,
            "DIGEST_INVALID",
            format!("the blob's digest is {found}, not {digest}"),
        ));
    }
    world.ecr.put_blob(repository, bytes);
    let location = format!("/v2/{repository}/blobs/{digest}");
    Ok(reply(201, &[("location", &location), ("docker-content-digest", digest)], Bytes::new()))
}

fn progress(status: u16, repository: &str, id: &str, length: usize) -> http::Response<Bytes> {
    let location = format!("/v2/{repository}/blobs/uploads/{id}");
    let range = format!("0-{}", length.saturating_sub(1));
    reply(status, &[("location", &location), ("range", &range), ("docker-upload-uuid", id)], Bytes::new())
}
