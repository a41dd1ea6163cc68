//! An image, pushed as docker, skopeo and crane push: blobs, then the manifest by its tag,
//! over the OCI distribution protocol.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anyhow::{Context as _, ensure};
use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use sha2::Digest as _;
use windlass_shared::id::ImageDigest;

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

/// An image to push.
pub(super) struct Image {
    pub(super) repository: String,
    pub(super) tag: String,
    labels: BTreeMap<String, String>,
}

impl Image {
    /// An application that starts in a few seconds and answers 200.
    pub(super) fn new(repository: &str, tag: &str) -> Self {
        let image = Self { repository: repository.to_owned(), tag: tag.to_owned(), labels: BTreeMap::new() };
        image.label("org.opencontainers.image.version", tag).label("sim.start_secs", "2")
    }

    /// The same with a label.
    pub(super) fn label(mut self, name: &str, value: &str) -> Self {
        self.labels.insert(name.to_owned(), value.to_owned());
        self
    }

    fn config(&self) -> Value {
        json!({
            "architecture": "amd64",
            "os": "linux",
            "config": { "Labels": self.labels },
            "rootfs": { "type": "layers", "diff_ids": [digest(self.layer().as_bytes())] },
        })
    }

    /// What is in the layer matters to nobody here; that each version has its own does.
    fn layer(&self) -> String {
        format!("{}:{}", self.repository, self.tag)
    }
}

/// Pushes it to the registry at `endpoint`; its manifest's digest.
pub(super) async fn push(endpoint: &str, image: &Image) -> anyhow::Result<ImageDigest> {
    let registry = Registry {
        client: Client::builder(TokioExecutor::new()).build(HttpConnector::new()),
        base: format!("{endpoint}/v2/{}", image.repository),
    };
    let config = registry.blob(CONFIG, image.config().to_string()).await?;
    let layer = registry.blob(LAYER, image.layer()).await?;
    let manifest =
        json!({ "schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [layer] }).to_string();
    let digest = digest(manifest.as_bytes());
    let path = format!("/manifests/{}", image.tag);
    registry.send(Method::PUT, &path, MANIFEST, manifest.into()).await?;
    Ok(digest.parse()?)
}

struct Registry {
    client: Client<HttpConnector, Full<Bytes>>,
    base: String,
}

impl Registry {
    /// Uploads a blob in one piece; its descriptor.
    async fn blob(&self, kind: &str, content: String) -> anyhow::Result<Value> {
        let (digest, size) = (digest(content.as_bytes()), content.len());
        let path = format!("/blobs/uploads/?digest={digest}");
        self.send(Method::POST, &path, "application/octet-stream", content.into()).await?;
        Ok(json!({ "mediaType": kind, "digest": digest, "size": size }))
    }

    async fn send(&self, method: Method, path: &str, kind: &str, body: Bytes) -> anyhow::Result<()> {
        let url = format!("{}{path}", self.base);
        let doing = format!("{method} {url}");
        let request = Request::builder()
            .method(method)
            .uri(&url)
            .header(header::CONTENT_TYPE, kind)
            .body(Full::new(body))
            .with_context(|| doing.clone())?;
        let response = self.client.request(request).await.with_context(|| doing.clone())?;
        let status = response.status();
        let said = response.into_body().collect().await.with_context(|| doing.clone())?.to_bytes();
        ensure!(status == StatusCode::CREATED, "{doing}: {status}: {}", String::from_utf8_lossy(&said));
        Ok(())
    }
}

fn digest(bytes: &[u8]) -> String {
    sha2::Sha256::digest(bytes).iter().fold("sha256:".to_owned(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}"); // a String takes everything
        text
    })
}
