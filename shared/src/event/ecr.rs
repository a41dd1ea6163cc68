//! ECR's and Inspector's events.
//!
//! ECR sends them at best effort, one for each manifest: a multi-arch push rings once for
//! every platform and attestation with `image-tag: ""`, then once for the index with the
//! tag. `resources` is empty for image actions. Source: the EventBridge schemas
//! `aws.ecr@ECRImageAction` and its siblings, and events captured in public.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::edge;
use super::rings::Silence;
use super::word::words;
use crate::id::{ImageDigest, ImageTag, InstanceId, RepositoryName, Timestamp};
use crate::image::media;

words! {
    /// What was done to an image.
    ImageActionKind {
        /// Pushed.
        Push = "PUSH",
        /// Deleted.
        Delete = "DELETE",
        /// Archived, or brought back.
        UpdateStorageClass = "UPDATE_STORAGE_CLASS",
        /// Replicated from another Region or account.
        Replicate = "REPLICATE",
    }
    /// How it ended.
    ActionResult {
        /// Well.
        Success = "SUCCESS",
        /// Not, in image actions.
        Failure = "FAILURE",
        /// Not, in replications.
        Failed = "FAILED",
    }
    /// How a pull through the cache ended.
    SyncStatus {
        /// The image is in the cache.
        Success = "SUCCESS",
        /// It is not.
        Failure = "FAILURE",
    }
    /// How a scan ended.
    ScanStatus {
        /// Basic scanning is done.
        Complete = "COMPLETE",
        /// Basic scanning failed.
        Failed = "FAILED",
        /// Enhanced scanning (Inspector) has looked at the image for the first time.
        InitialScanComplete = "INITIAL_SCAN_COMPLETE",
    }
}

/// A digest as an event gives it.
///
/// AWS's own documentation prints digests that are shortened (60 digits, or ending in
/// `EXAMPLE`), and registries may name other algorithms. Such a one still rings its
/// repository's bell; only a whole sha256 is ever believed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum EventDigest {
    /// A whole sha256 digest.
    Sha256(ImageDigest),
    /// Something in a digest's form that is none that Windlass can use.
    Unusable(String),
}

impl EventDigest {
    /// The digest, if it is one that can be used.
    pub fn usable(&self) -> Option<&ImageDigest> {
        match self {
            Self::Sha256(digest) => Some(digest),
            Self::Unusable(_) => None,
        }
    }
}

impl fmt::Display for EventDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sha256(digest) => write!(f, "sha256:{}…", digest.short()),
            Self::Unusable(text) => {
                let (algorithm, encoded) = text.split_once(':').unwrap_or(("", text));
                write!(f, "{algorithm}:{}…", encoded.chars().take(12).collect::<String>())
            }
        }
    }
}

/// The shortest encoded part that the distribution project's reference grammar takes.
const SHORTEST_ENCODED: usize = 32;

impl<'de> Deserialize<'de> for EventDigest {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        match text.parse() {
            Ok(digest) => Ok(Self::Sha256(digest)),
            Err(error) => {
                let has_form = text.split_once(':').is_some_and(|(algorithm, encoded)| {
                    !algorithm.is_empty()
                        && encoded.len() >= SHORTEST_ENCODED
                        && encoded.bytes().all(|b| b.is_ascii_alphanumeric())
                });
                if has_form { Ok(Self::Unusable(text)) } else { Err(serde::de::Error::custom(error)) }
            }
        }
    }
}

/// `ECR Image Action` and `ECR Referrer Action`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ImageAction {
    /// What was done.
    #[serde(rename = "action-type")]
    pub action: ImageActionKind,
    /// How it ended.
    pub result: ActionResult,
    /// Where.
    #[serde(rename = "repository-name", deserialize_with = "edge::named")]
    pub repository: RepositoryName,
    /// The manifest's digest.
    #[serde(rename = "image-digest", default)]
    pub digest: Option<EventDigest>,
    /// The tag; none for a manifest that was pushed by its digest (AWS writes `""`).
    #[serde(rename = "image-tag", default, deserialize_with = "edge::blank_is_none")]
    pub tag: Option<ImageTag>,
    /// The manifest's media type: an image's, or an index's. Not in every event.
    #[serde(default)]
    pub manifest_media_type: Option<String>,
    /// The config's media type, or the artifact's own. Not in every event.
    #[serde(default)]
    pub artifact_media_type: Option<String>,
    /// Where a change of the storage class leads: `ARCHIVE`, `STANDARD`.
    #[serde(default)]
    pub target_storage_class: Option<String>,
    /// When it was last brought back from the archive.
    #[serde(default, deserialize_with = "edge::time")]
    pub last_activated_at: Option<Timestamp>,
}

impl ImageAction {
    /// Whether the pushed manifest is a multi-arch index; `None` where the event does not
    /// say.
    pub fn is_index(&self) -> Option<bool> {
        self.manifest_media_type.as_deref().map(|kind| media::INDEXES.contains(&kind))
    }

    /// The tag under which an image that can run was pushed, or why this is no such push.
    pub fn rings(&self) -> Result<&ImageTag, Silence> {
        // 1. Only a push brings a new image.
        if self.action != ImageActionKind::Push {
            return Err(Silence::NotAPush(self.action.clone()));
        }
        // 2. Only one that ended well.
        if self.result != ActionResult::Success {
            return Err(Silence::Failed(self.result.to_string()));
        }
        // 3. A manifest without a tag is a platform's or an attestation's: the index under
        //    the tag comes after it, with its own event.
        let Some(tag) = &self.tag else { return Err(Silence::UntaggedChild) };
        // 4. cosign's and OCI's fallback names for what hangs on an image.
        if is_attachment(tag) {
            return Err(Silence::Attachment(tag.clone()));
        }
        // 5. Something that is no container image: a chart, a WASM module, an SBOM.
        match &self.artifact_media_type {
            Some(kind)
                if self.is_index() != Some(true)
                    && !kind.is_empty()
                    && !media::CONFIGS.contains(&kind.as_str()) =>
            {
                Err(Silence::NotAnImage(kind.clone()))
            }
            _ => Ok(tag),
        }
    }
}

/// `sha256-<64 hex>`, alone (the OCI distribution spec's referrers tag) or with cosign's
/// `.sig`, `.att`, `.sbom`.
fn is_attachment(tag: &ImageTag) -> bool {
    let Some(rest) = tag.as_str().strip_prefix("sha256-") else { return false };
    let (hex, suffix) = rest.split_once('.').unwrap_or((rest, ""));
    hex.len() == 64
        && hex.bytes().all(|b| b.is_ascii_hexdigit())
        && matches!(suffix, "" | "sig" | "att" | "sbom")
}

/// `ECR Replication Action`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Replication {
    /// Always [`ImageActionKind::Replicate`] today.
    #[serde(rename = "action-type")]
    pub action: ImageActionKind,
    /// How it ended.
    pub result: ActionResult,
    /// Where to.
    #[serde(rename = "repository-name", deserialize_with = "edge::named")]
    pub repository: RepositoryName,
    /// The manifest's digest.
    #[serde(rename = "image-digest", default)]
    pub digest: Option<EventDigest>,
    /// The tag, where it has one.
    #[serde(rename = "image-tag", default, deserialize_with = "edge::blank_is_none")]
    pub tag: Option<ImageTag>,
    /// Where it came from.
    #[serde(default)]
    pub source_account: Option<String>,
    /// Where it came from.
    #[serde(default)]
    pub source_region: Option<String>,
}

/// `ECR Pull Through Cache Action`: a pull had ECR ask the upstream registry. The user guide's sample
/// has every field but those of failures, which the CDK's typed patterns list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct PullThroughCache {
    /// How it ended.
    #[serde(rename = "sync-status")]
    pub status: SyncStatus,
    /// The repository of the cache, with its prefix.
    #[serde(rename = "repository-name", deserialize_with = "edge::named")]
    pub repository: RepositoryName,
    /// The manifest's digest.
    #[serde(rename = "image-digest", default)]
    pub digest: Option<EventDigest>,
    /// The tag that was pulled; none where it was pulled by its digest.
    #[serde(rename = "image-tag", default, deserialize_with = "edge::blank_is_none")]
    pub tag: Option<ImageTag>,
    /// `public.ecr.aws`, `registry-1.docker.io`.
    #[serde(default)]
    pub upstream_registry_url: Option<String>,
    /// The rule's prefix.
    #[serde(default)]
    pub ecr_repository_prefix: Option<String>,
    /// The rule's version.
    #[serde(default)]
    pub rule_version: Option<String>,
    /// Why it failed, in one word.
    #[serde(default)]
    pub failure_code: Option<String>,
    /// Why it failed, in AWS's words.
    #[serde(default)]
    pub failure_reason: Option<String>,
}

/// `ECR Image Scan`: basic scanning.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ImageScan {
    /// How it ended.
    #[serde(rename = "scan-status")]
    pub status: ScanStatus,
    /// Where.
    #[serde(rename = "repository-name", deserialize_with = "edge::named")]
    pub repository: RepositoryName,
    /// The manifest's digest.
    #[serde(rename = "image-digest", default)]
    pub digest: Option<EventDigest>,
    /// Its tags.
    #[serde(rename = "image-tags", default, deserialize_with = "edge::null_is_empty")]
    pub tags: Vec<ImageTag>,
    /// How many findings of which severity; severities without one are left out, and so is
    /// the whole map.
    #[serde(rename = "finding-severity-counts", default, deserialize_with = "edge::null_is_empty")]
    pub severities: BTreeMap<String, u64>,
}

/// `Inspector2 Scan`: enhanced scanning. The same event comes for EC2 instances and Lambda
/// functions, then without a repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct InspectorScan {
    /// How it ended.
    #[serde(rename = "scan-status")]
    pub status: ScanStatus,
    /// Where; Inspector writes the repository's whole ARN.
    #[serde(rename = "repository-name", default, deserialize_with = "edge::repository_of_arn")]
    pub repository: Option<RepositoryName>,
    /// The manifest's digest.
    #[serde(rename = "image-digest", default)]
    pub digest: Option<EventDigest>,
    /// Its tags.
    #[serde(rename = "image-tags", default, deserialize_with = "edge::null_is_empty")]
    pub tags: Vec<ImageTag>,
    /// How many findings of which severity, with `TOTAL`.
    #[serde(rename = "finding-severity-counts", default, deserialize_with = "edge::null_is_empty")]
    pub severities: BTreeMap<String, u64>,
    /// The instance, where one was scanned.
    #[serde(default)]
    pub instance_id: Option<InstanceId>,
}
