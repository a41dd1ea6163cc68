//! Real images for tests and the demo: configs, manifests and indexes that go through the
//! registry's own protocol, as a client's push does.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use serde_json::{Value, json};

use super::manifest::{OCI_CONFIG, OCI_INDEX, OCI_LAYER, OCI_MANIFEST, digest_of};
use super::oci::http;
use super::store::Repository;
use crate::world::World;

/// What image to make.
#[derive(Debug, Clone, PartialEq)]
pub struct PushSpec {
    /// The config's labels.
    pub labels: BTreeMap<String, String>,
    /// One: a plain image. Several: an image per architecture and an index.
    pub architectures: Vec<String>,
    /// Adds a provenance attestation beside the images, and so makes an index, as buildx
    /// does by default.
    pub attestation: bool,
    /// What tells two images with the same labels apart: their layer's content.
    pub content: String,
}

impl Default for PushSpec {
    fn default() -> Self {
        Self {
            labels: BTreeMap::new(),
            architectures: vec!["amd64".into()],
            attestation: false,
            content: "1".into(),
        }
    }
}

impl PushSpec {
    /// A plain amd64 image with these labels.
    pub fn labelled<const N: usize>(labels: [(&str, &str); N]) -> Self {
        let labels = labels.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        Self { labels, ..Self::default() }
    }
}

/// Makes sure that a repository is there.
pub fn ensure_repository(world: &mut World, name: &str) {
    let now = world.now();
    world.ecr.repositories.entry(name.to_owned()).or_insert_with(|| Repository::new(name, now));
}

/// Pushes an image: blobs, then each architecture's manifest by digest and the index
/// under the tags; a plain image straight under its tags. Without tags it is pushed by its
/// digest. Returns the digest that the tags point at; the error is the registry's body.
pub fn push_image(
    world: &mut World,
    repository: &str,
    tags: &[&str],
    spec: &PushSpec,
) -> Result<String, String> {
    let images: Result<Vec<_>, String> =
        spec.architectures.iter().map(|architecture| image(world, repository, architecture, spec)).collect();
    let mut images = images?;
    let plain = images.len() == 1 && !spec.attestation;
    let top = if plain {
        images.remove(0).text
    } else {
        let mut children = Vec::new();
        for image in &images {
            put_manifest(world, repository, &digest_of(image.text.as_bytes()), OCI_MANIFEST, &image.text)?;
            children.push(descriptor(&image.text, "linux", &image.architecture, None));
        }
        if spec.attestation {
            children.extend(attest(world, repository, &images)?);
        }
        json!({ "schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": children }).to_string()
    };
    let digest = digest_of(top.as_bytes());
    let kind = if plain { OCI_MANIFEST } else { OCI_INDEX };
    let references = if tags.is_empty() { vec![digest.as_str()] } else { tags.to_vec() };
    for reference in references {
        put_manifest(world, repository, reference, kind, &top)?;
    }
    Ok(digest)
}

struct Made {
    architecture: String,
    text: String,
}

fn image(world: &mut World, repository: &str, architecture: &str, spec: &PushSpec) -> Result<Made, String> {
    let layer = put_blob(world, repository, OCI_LAYER, spec.content.clone().into())?;
    let config = json!({
        "architecture": architecture,
        "os": "linux",
        "config": { "Labels": spec.labels },
        "rootfs": { "type": "layers", "diff_ids": [layer["digest"]] },
    });
    let config = put_blob(world, repository, OCI_CONFIG, config.to_string().into())?;
    let text = json!({ "schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": config, "layers": [layer] });
    Ok(Made { architecture: architecture.to_owned(), text: text.to_string() })
}

/// One attestation per image, as buildx writes them: platform unknown/unknown, and an
/// annotation that says what it is about.
fn attest(world: &mut World, repository: &str, images: &[Made]) -> Result<Vec<Value>, String> {
    let mut children = Vec::new();
    for image in images {
        let subject = digest_of(image.text.as_bytes());
        let statement = json!({ "predicateType": "https://slsa.dev/provenance/v1", "subject": subject });
        let layer =
            put_blob(world, repository, "application/vnd.in-toto+json", statement.to_string().into())?;
        let config = json!({ "architecture": "unknown", "os": "unknown", "config": {} });
        let config = put_blob(world, repository, OCI_CONFIG, config.to_string().into())?;
        let text =
            json!({ "schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": config, "layers": [layer] });
        let text = text.to_string();
        put_manifest(world, repository, &digest_of(text.as_bytes()), OCI_MANIFEST, &text)?;
        children.push(descriptor(&text, "unknown", "unknown", Some(&subject)));
    }
    Ok(children)
}

fn descriptor(text: &str, os: &str, architecture: &str, attests: Option<&str>) -> Value {
    let mut descriptor = json!({
        "mediaType": OCI_MANIFEST,
        "digest": digest_of(text.as_bytes()),
        "size": text.len(),
        "platform": { "os": os, "architecture": architecture },
    });
    if let Some(subject) = attests {
        descriptor["annotations"] = json!({ "vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": subject });
    }
    descriptor
}

/// Pushes a blob and returns its descriptor.
fn put_blob(world: &mut World, repository: &str, media_type: &str, bytes: Bytes) -> Result<Value, String> {
    let digest = digest_of(&bytes);
    let size = bytes.len();
    send(world, Method::POST, &format!("/v2/{repository}/blobs/uploads/?digest={digest}"), None, bytes)?;
    Ok(json!({ "mediaType": media_type, "digest": digest, "size": size }))
}

fn put_manifest(
    world: &mut World,
    repository: &str,
    reference: &str,
    media_type: &str,
    text: &str,
) -> Result<(), String> {
    let path = format!("/v2/{repository}/manifests/{reference}");
    send(world, Method::PUT, &path, Some(media_type), text.to_owned().into())
}

fn send(
    world: &mut World,
    method: Method,
    path: &str,
    media_type: Option<&str>,
    body: Bytes,
) -> Result<(), String> {
    let mut request = Request::builder().method(method).uri(path);
    if let Some(media_type) = media_type {
        request = request.header("content-type", media_type);
    }
    let request = request.body(body).map_err(|error| format!("{path}: {error}"))?;
    let response = http(world, &request);
    if response.status() == StatusCode::CREATED {
        return Ok(());
    }
    Err(String::from_utf8_lossy(response.body()).into_owned())
}
