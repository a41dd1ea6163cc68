//! The media types of what a container runtime pulls, in OCI's words and in Docker's.

/// An image for one platform.
pub const MANIFESTS: [&str; 2] =
    ["application/vnd.oci.image.manifest.v1+json", "application/vnd.docker.distribution.manifest.v2+json"];

/// Images for several platforms: it leads to manifests and has no config of its own.
pub const INDEXES: [&str; 2] =
    ["application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json"];

/// The configs of things that run: a chart or a signature has another.
pub const CONFIGS: [&str; 2] =
    ["application/vnd.oci.image.config.v1+json", "application/vnd.docker.container.image.v1+json"];

/// All that can be pulled to run.
pub fn pulled() -> impl Iterator<Item = &'static str> {
    MANIFESTS.into_iter().chain(INDEXES)
}
