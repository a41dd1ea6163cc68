//! The control API's layers, and the download links that it gives out.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};

use super::input::{invalid, read, repository};
use super::manifest::{digest_of, is_digest};
use crate::call::{ApiError, Reply};
use crate::time::Time;
use crate::world::World;

/// An upload under way: what came so far.
#[derive(Debug, Clone)]
pub(crate) struct Upload {
    pub(crate) repository: String,
    pub(crate) bytes: Vec<u8>,
}

/// How long a download link works, in seconds, as S3's presigned ones from ECR do.
const LINK_SECS: u64 = 3600;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Layer {
    repository_name: String,
    layer_digest: String,
}

/// A link that really serves the blob: `http://<registry>/_layers/<token>`.
pub(super) fn download_url(world: &World, input: &Value) -> Reply {
    let Layer { repository_name: name, layer_digest: digest } = read(input)?;
    repository(world, &name)?;
    if !is_digest(&digest) {
        return Err(invalid(format!(
            "Invalid parameter at 'layerDigest' failed to satisfy constraint: {digest}"
        )));
    }
    if world.ecr.blob(&name, &digest).is_none() {
        return Err(layers_not_found(world, &name, &digest));
    }
    let expires = Time(world.now().0 + LINK_SECS * 1000);
    let token = token(world, &digest, expires);
    Ok(json!({
        "downloadUrl": format!("http://{}/_layers/{token}", world.config.registry),
        "layerDigest": digest,
    }))
}

fn layers_not_found(world: &World, repository: &str, digest: &str) -> ApiError {
    let message = format!(
        "Layer with digest '{digest}' does not exist in the repository with name '{repository}' in the registry with \
         id '{}'",
        world.config.account
    );
    ApiError::client("LayersNotFoundException", message)
}

/// `<digest>-<expires>-<signature>`: it says what it is for, so that links need no state.
/// The signature guards against mistakes (a made-up or outlived link), not attackers.
fn token(world: &World, digest: &str, expires: Time) -> String {
    let signed = format!("{}/{}/{digest}/{}", world.config.account, world.config.seed, expires.0);
    let signature = digest_of(signed.as_bytes());
    let hex = |digest: &str| digest.trim_start_matches("sha256:").to_owned();
    format!("{}-{}-{}", hex(digest), expires.0, hex(&signature))
}

/// The blob behind a link's token; `None` where it is not ours or has expired.
pub(super) fn open_link(world: &World, given: &str) -> Option<Bytes> {
    let mut parts = given.split('-');
    let digest = format!("sha256:{}", parts.next()?);
    let expires = Time(parts.next()?.parse().ok()?);
    let valid = token(world, &digest, expires) == given && world.now() < expires;
    world.ecr.blobs.get(&digest).filter(|_| valid).cloned()
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Availability {
    repository_name: String,
    layer_digests: Vec<String>,
}

pub(super) fn availability(world: &World, input: &Value) -> Reply {
    let input: Availability = read(input)?;
    repository(world, &input.repository_name)?;
    let (mut layers, mut failures) = (Vec::new(), Vec::new());
    for digest in &input.layer_digests {
        match world.ecr.blob(&input.repository_name, digest) {
            _ if !is_digest(digest) => failures.push(json!({
                "layerDigest": digest,
                "failureCode": "InvalidLayerDigest",
                "failureReason": "Invalid request parameters: not a sha256 digest",
            })),
            Some(blob) => layers.push(json!({
                "layerDigest": digest,
                "layerAvailability": "AVAILABLE",
                "layerSize": blob.len(),
                "mediaType": "application/vnd.docker.image.rootfs.diff.tar.gzip",
            })),
            None => layers
                .push(json!({ "layerDigest": digest, "layerAvailability": "UNAVAILABLE", "layerSize": 0 })),
        }
    }
    Ok(json!({ "layers": layers, "failures": failures }))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Uploading {
    repository_name: String,
    #[serde(default)]
    upload_id: String,
    #[serde(default)]
    part_first_byte: usize,
    #[serde(default)]
    layer_part_blob: String,
    #[serde(default)]
    layer_digests: Vec<String>,
}

pub(super) fn initiate(world: &mut World, input: &Value) -> Reply {
    let input: Uploading = read(input)?;
    repository(world, &input.repository_name)?;
    Ok(json!({ "uploadId": begin(world, &input.repository_name), "partSize": 10_485_760 }))
}

/// Begins an upload, for both doors; returns its id.
pub(super) fn begin(world: &mut World, repository: &str) -> String {
    let number = world.next_id();
    let hash = digest_of(format!("upload/{}/{number}", world.config.seed).as_bytes());
    let id = hash.trim_start_matches("sha256:")[..32].to_owned();
    world.ecr.uploads.insert(id.clone(), Upload { repository: repository.to_owned(), bytes: Vec::new() });
    id
}

pub(super) fn part(world: &mut World, input: &Value) -> Reply {
    let input: Uploading = read(input)?;
    repository(world, &input.repository_name)?;
    let part = STANDARD
        .decode(&input.layer_part_blob)
        .map_err(|error| invalid(format!("layerPartBlob: {error}")))?;
    let account = world.config.account.clone();
    let upload =
        world.ecr.uploads.get_mut(&input.upload_id).ok_or_else(|| upload_not_found(&input.upload_id))?;
    if input.part_first_byte != upload.bytes.len() {
        let message =
            format!("Layer part starts at {}, expected {}", input.part_first_byte, upload.bytes.len());
        return Err(ApiError::client("InvalidLayerPartException", message));
    }
    upload.bytes.extend_from_slice(&part);
    Ok(json!({
        "registryId": account,
        "repositoryName": input.repository_name,
        "uploadId": input.upload_id,
        "lastByteReceived": upload.bytes.len().saturating_sub(1),
    }))
}

fn upload_not_found(id: &str) -> ApiError {
    ApiError::client("UploadNotFoundException", format!("The upload with id '{id}' does not exist"))
}

pub(super) fn complete(world: &mut World, input: &Value) -> Reply {
    let input: Uploading = read(input)?;
    repository(world, &input.repository_name)?;
    let upload = world.ecr.uploads.get(&input.upload_id).ok_or_else(|| upload_not_found(&input.upload_id))?;
    if upload.bytes.is_empty() {
        return Err(ApiError::client("EmptyUploadException", "The upload has no layer parts"));
    }
    let digest = digest_of(&upload.bytes);
    if !input.layer_digests.contains(&digest) {
        let message = format!("Layer digests {:?} do not match the uploaded {digest}", input.layer_digests);
        return Err(ApiError::client("InvalidLayerException", message));
    }
    if world.ecr.blob(&input.repository_name, &digest).is_some() {
        let message = format!("Layer with digest '{digest}' already exists");
        return Err(ApiError::client("LayerAlreadyExistsException", message));
    }
    if let Some(upload) = world.ecr.uploads.remove(&input.upload_id) {
        world.ecr.put_blob(&input.repository_name, upload.bytes.into());
    }
    Ok(json!({
        "registryId": world.config.account,
        "repositoryName": input.repository_name,
        "uploadId": input.upload_id,
        "layerDigest": digest,
    }))
}
