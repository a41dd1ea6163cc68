//! What is in an image: manifest or index → config → platforms and labels.
//!
//! An image's content is named by its digest and so never changes: it is read once for each
//! digest, and may be read before anybody knows whether it will be wanted.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use aws_sdk_ecr::types::{ImageFailureCode, ImageIdentifier};
use aws_smithy_runtime_api::client::http::{HttpConnector as _, SharedHttpConnector};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use serde::Deserialize;
use windlass_shared::facts::{Fact, FailureKind, ImageContent};
use windlass_shared::id::{Architecture, ImageDigest, RepositoryName};
use windlass_shared::image::media;

use super::convert::fact;
use crate::error::{Failure, chain};

const BATCH_GET: &str = "ecr:BatchGetImage";
const LAYER: &str = "ecr:GetDownloadUrlForLayer";

/// A config is a few KB of JSON. More is no config, and would fill a small function.
const CONFIG_MAX: usize = 4 * 1024 * 1024;
/// The whole download: S3 answers in tens of milliseconds.
const DOWNLOAD_TIMEOUT: Duration = Duration::from_secs(10);

/// How deep to look. An index says its platforms itself; its labels are two calls and a
/// download further.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Depth {
    /// The architectures; labels only where they come along.
    Platforms,
    /// Labels, too.
    Labels,
}

/// Looks into an image. `Absent`: the repository has no such digest.
pub(crate) async fn content(
    ecr: aws_sdk_ecr::Client,
    http: SharedHttpConnector,
    repository: RepositoryName,
    digest: ImageDigest,
    depth: Depth,
) -> Fact<ImageContent> {
    let reader = Reader { ecr, http, repository };
    let found = reader.read(&digest, depth).await;
    fact(found, || format!("looking into image {} of {}", digest.short(), reader.repository))
}

struct Reader {
    ecr: aws_sdk_ecr::Client,
    http: SharedHttpConnector,
    repository: RepositoryName,
}

impl Reader {
    async fn read(&self, digest: &ImageDigest, depth: Depth) -> Result<Option<ImageContent>, Failure> {
        let Some(manifest) = self.manifest(digest.as_str()).await? else { return Ok(None) };
        let mut children = BTreeSet::new();
        let (architectures, labels) = match (manifest.config, manifest.manifests) {
            (Some(config), _) => {
                let config = self.config(&config.digest).await?;
                (config.architecture(), config.labels())
            }
            (None, Some(listed)) => {
                let runnable: Vec<Child> = listed.into_iter().filter(Child::is_runnable).collect();
                let labels = match (depth, runnable.first()) {
                    (Depth::Labels, Some(first)) => self.labels_of(&first.digest).await?,
                    (Depth::Labels | Depth::Platforms, _) => BTreeMap::new(),
                };
                children = runnable.iter().map(Child::digest).collect::<Result<_, Failure>>()?;
                (runnable.iter().filter_map(Child::architecture).collect(), labels)
            }
            (None, None) => {
                return Err(unreadable(BATCH_GET, "the manifest has neither a config nor children"));
            }
        };
        Ok(Some(ImageContent {
            digest: digest.clone(),
            repository: self.repository.clone(),
            architectures,
            labels,
            children,
        }))
    }

    /// Labels of an index's child.
    async fn labels_of(&self, digest: &str) -> Result<BTreeMap<String, String>, Failure> {
        let child = self.manifest(digest).await?.and_then(|manifest| manifest.config);
        let config = child.ok_or_else(|| unreadable(BATCH_GET, "the index's first child has no config"))?;
        Ok(self.config(&config.digest).await?.labels())
    }

    async fn manifest(&self, digest: &str) -> Result<Option<Manifest>, Failure> {
        let sent = self
            .ecr
            .batch_get_image()
            .repository_name(self.repository.name())
            .set_registry_id(self.repository.registry_id())
            .image_ids(ImageIdentifier::builder().image_digest(digest).build())
            .set_accepted_media_types(Some(media::pulled().map(str::to_owned).collect()))
            .send()
            .await;
        let got = sent.map_err(|error| Failure::new(BATCH_GET, &error))?;
        if let Some(text) = got.images().first().and_then(|image| image.image_manifest()) {
            let manifest = serde_json::from_str(text);
            return manifest
                .map(Some)
                .map_err(|error| unreadable(BATCH_GET, &format!("the manifest: {error}")));
        }
        match got.failures().first() {
            Some(failed) if failed.failure_code() != Some(&ImageFailureCode::ImageNotFound) => {
                let code = failed.failure_code().map(ImageFailureCode::as_str);
                Err(Failure::of_code(BATCH_GET, code, failed.failure_reason().unwrap_or("(no reason)")))
            }
            Some(_) | None => Ok(None),
        }
    }

    async fn config(&self, digest: &str) -> Result<Config, Failure> {
        let sent = self
            .ecr
            .get_download_url_for_layer()
            .repository_name(self.repository.name())
            .set_registry_id(self.repository.registry_id())
            .layer_digest(digest)
            .send()
            .await;
        let url = sent.map_err(|error| Failure::new(LAYER, &error))?.download_url;
        let url = url.ok_or_else(|| unreadable(LAYER, "the response has no URL"))?;
        let downloading = download(&self.http, &url);
        let bytes = tokio::time::timeout(DOWNLOAD_TIMEOUT, downloading)
            .await
            .map_err(|_| unreadable(LAYER, "downloading the image's config took too long"))??;
        serde_json::from_slice(&bytes)
            .map_err(|error| unreadable(LAYER, &format!("the image's config: {error}")))
    }
}

/// Gets what a presigned URL gives.
async fn download(http: &SharedHttpConnector, url: &str) -> Result<Vec<u8>, Failure> {
    let failed = |why: String| unreadable(LAYER, &format!("downloading the image's config: {why}"));
    let mut request = HttpRequest::new(SdkBody::empty());
    request.set_uri(url).map_err(|error| failed(error.to_string()))?;
    let response = http
        .call(request)
        .await
        .map_err(|error| failed(format!("{}; the function needs a way to S3", chain(&error))))?;
    if !response.status().is_success() {
        return Err(failed(format!("HTTP {}", response.status().as_u16())));
    }
    let mut body = ByteStream::new(response.into_body());
    let mut bytes = Vec::new();
    while let Some(chunk) = body.next().await {
        bytes.extend_from_slice(&chunk.map_err(|error| failed(error.to_string()))?);
        if bytes.len() > CONFIG_MAX {
            return Err(failed(format!("more than {CONFIG_MAX} bytes")));
        }
    }
    Ok(bytes)
}

fn unreadable(action: &'static str, why: &str) -> Failure {
    Failure { action, kind: FailureKind::Unknown, code: None, message: why.to_owned() }
}

/// A manifest or an index, as far as they differ.
#[derive(Debug, Deserialize)]
struct Manifest {
    config: Option<Descriptor>,
    manifests: Option<Vec<Child>>,
}

#[derive(Debug, Deserialize)]
struct Descriptor {
    digest: String,
}

/// One manifest of an index.
#[derive(Debug, Deserialize)]
struct Child {
    digest: String,
    platform: Option<Platform>,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize)]
struct Platform {
    os: String,
    architecture: String,
}

impl Child {
    /// For Linux, and no attestation (buildx hangs those in under `unknown/unknown`).
    fn is_runnable(&self) -> bool {
        !self.annotations.contains_key("vnd.docker.reference.type")
            && self.platform.as_ref().is_none_or(|platform| platform.os == "linux")
    }

    fn digest(&self) -> Result<ImageDigest, Failure> {
        let digest = self.digest.parse();
        digest.map_err(|_| unreadable(BATCH_GET, "a child of the index is named by no digest"))
    }

    fn architecture(&self) -> Option<Architecture> {
        self.platform.as_ref().map(|platform| Architecture::from_word(&platform.architecture))
    }
}

/// An image's config.
#[derive(Debug, Deserialize)]
struct Config {
    architecture: Option<String>,
    os: Option<String>,
    #[serde(rename = "config")]
    run: Option<RunConfig>,
}

#[derive(Debug, Deserialize)]
struct RunConfig {
    #[serde(rename = "Labels")]
    labels: Option<BTreeMap<String, String>>,
}

impl Config {
    fn architecture(&self) -> BTreeSet<Architecture> {
        let is_linux = self.os.as_deref().is_none_or(|os| os == "linux");
        self.architecture.iter().filter(|_| is_linux).map(|word| Architecture::from_word(word)).collect()
    }

    fn labels(self) -> BTreeMap<String, String> {
        self.run.and_then(|run| run.labels).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attestations_and_windows_are_no_platforms() {
        let index: Manifest = serde_json::from_str(
            r#"{"manifests": [
                {"digest": "sha256:a", "platform": {"os": "linux", "architecture": "amd64"}},
                {"digest": "sha256:b", "platform": {"os": "linux", "architecture": "arm64", "variant": "v8"}},
                {"digest": "sha256:c", "platform": {"os": "windows", "architecture": "amd64"}},
                {"digest": "sha256:d", "platform": {"os": "unknown", "architecture": "unknown"},
                 "annotations": {"vnd.docker.reference.type": "attestation-manifest"}}
            ]}"#,
        )
        .unwrap();
        let children = index.manifests.unwrap();
        let runnable: Vec<_> = children.iter().filter(|child| child.is_runnable()).collect();
        let architectures: Vec<_> = runnable.iter().filter_map(|child| child.architecture()).collect();
        assert_eq!(architectures, [Architecture::Amd64, Architecture::Arm64]);
    }

    #[test]
    fn a_config_without_labels_has_none() {
        for text in ["{}", r#"{"config": null}"#, r#"{"config": {"Labels": null}}"#] {
            let config: Config = serde_json::from_str(text).unwrap();
            assert!(config.labels().is_empty(), "{text}");
        }
        let windows: Config = serde_json::from_str(r#"{"os": "windows", "architecture": "amd64"}"#).unwrap();
        assert!(windows.architecture().is_empty());
    }
}
