//! What a registry reads in an image manifest or an image index: what it refers to.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

pub(crate) const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub(crate) const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub(crate) const OCI_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
pub(crate) const OCI_LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";

/// `sha256:<64 hex digits>` of these bytes.
pub(crate) fn digest_of(bytes: &[u8]) -> String {
    let mut text = String::from("sha256:");
    for byte in Sha256::digest(bytes) {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// Whether this is `sha256:` and 64 lower-case hex digits, the only algorithm ECR takes.
pub(crate) fn is_digest(text: &str) -> bool {
    text.strip_prefix("sha256:").is_some_and(|hex| {
        hex.len() == 64 && hex.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    })
}

/// One manifest, as far as a registry cares.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Manifest {
    pub(crate) media_type: String,
    /// `artifactType`, else the config's media type; an index has none unless it says so.
    pub(crate) artifact_media_type: Option<String>,
    /// The config blob's digest; an index has none.
    pub(crate) config: Option<String>,
    /// Config and layers that must be here: (digest, size). Layers that lie elsewhere by
    /// their media type ("foreign", "nondistributable") are left out.
    pub(crate) blobs: Vec<(String, u64)>,
    /// An index's manifests.
    pub(crate) children: Vec<Child>,
    /// The image that this is a signature, a bill of materials, … of.
    pub(crate) subject: Option<String>,
}

/// One manifest of an index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Child {
    pub(crate) digest: String,
    pub(crate) os: String,
    pub(crate) architecture: String,
    /// `vnd.docker.reference.type: attestation-manifest`, as buildx marks provenance.
    pub(crate) attestation: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Raw {
    schema_version: u32,
    media_type: Option<String>,
    artifact_type: Option<String>,
    config: Option<Descriptor>,
    layers: Option<Vec<Descriptor>>,
    manifests: Option<Vec<Descriptor>>,
    subject: Option<Descriptor>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    #[serde(default)]
    media_type: String,
    digest: String,
    #[serde(default)]
    size: u64,
    platform: Option<Platform>,
    #[serde(default)]
    annotations: std::collections::BTreeMap<String, Value>,
}

#[derive(Deserialize, Default)]
struct Platform {
    #[serde(default)]
    os: String,
    #[serde(default)]
    architecture: String,
}

impl Manifest {
    /// Reads a manifest. `content_type` is the PUT's header or `imageManifestMediaType`;
    /// it only matters where the manifest does not say its media type itself.
    pub(crate) fn parse(text: &str, content_type: Option<&str>) -> Result<Self, String> {
        let raw: Raw = serde_json::from_str(text).map_err(|error| format!("manifest invalid: {error}"))?;
        if raw.schema_version != 2 {
            return Err("manifest invalid: only schemaVersion 2 is supported".into());
        }
        let media_type = media_type(&raw, content_type)?;
        for descriptor in
            raw.config.iter().chain(raw.layers.iter().flatten()).chain(raw.manifests.iter().flatten())
        {
            if !is_digest(&descriptor.digest) {
                return Err(format!("manifest invalid: {} is not a sha256 digest", descriptor.digest));
            }
        }
        let artifact_media_type =
            raw.artifact_type.or_else(|| raw.config.as_ref().map(|config| config.media_type.clone()));
        let children = raw.manifests.into_iter().flatten().map(Child::from).collect();
        let config = raw.config.as_ref().map(|config| config.digest.clone());
        let blobs = raw
            .config
            .into_iter()
            .chain(raw.layers.into_iter().flatten())
            .filter(|blob| {
                !blob.media_type.contains("foreign") && !blob.media_type.contains("nondistributable")
            })
            .map(|blob| (blob.digest, blob.size))
            .collect();
        let subject = raw.subject.map(|subject| subject.digest);
        Ok(Self { media_type, artifact_media_type, config, blobs, children, subject })
    }

    /// Whether it lists other manifests.
    pub(crate) fn is_index(&self) -> bool {
        self.media_type == OCI_INDEX || self.media_type == DOCKER_LIST
    }
}

fn media_type(raw: &Raw, content_type: Option<&str>) -> Result<String, String> {
    let said =
        raw.media_type.as_deref().or(content_type.map(|value| value.split(';').next().unwrap_or(value)));
    let found = said.map_or(if raw.manifests.is_some() { OCI_INDEX } else { OCI_MANIFEST }, str::trim);
    match found {
        OCI_MANIFEST | DOCKER_MANIFEST if raw.config.is_some() => Ok(found.to_owned()),
        OCI_INDEX | DOCKER_LIST if raw.manifests.is_some() => Ok(found.to_owned()),
        OCI_MANIFEST | DOCKER_MANIFEST => Err("manifest invalid: an image manifest needs a config".into()),
        OCI_INDEX | DOCKER_LIST => Err("manifest invalid: an image index needs manifests".into()),
        other => Err(format!("manifest invalid: media type {other} is not supported")),
    }
}

impl From<Descriptor> for Child {
    fn from(descriptor: Descriptor) -> Self {
        let Platform { os, architecture } = descriptor.platform.unwrap_or_default();
        let attestation = descriptor
            .annotations
            .get("vnd.docker.reference.type")
            .is_some_and(|kind| kind.as_str() == Some("attestation-manifest"));
        Self { digest: descriptor.digest, os, architecture, attestation }
    }
}
