//! ECR: the control API, the OCI distribution protocol, and what a container agent
//! pulls.
//!
//! | room | holds |
//! |---|---|
//! | `manifest` | what a manifest refers to |
//! | `store` | repositories, images, blobs; putting and deleting, for both doors |
//! | `events` | ECR Image Action and ECR Referrer Action |
//! | `repositories` `images` `layers` | the control API (awsJson) |
//! | `oci` | the distribution protocol (`docker push`, skopeo, crane) |
//! | `pull` | what ECS gets when a container starts |
//! | `scan` | basic scans: findings by the image's labels |
//! | `push` | real images for tests and the demo |
//! | `policy` | repositories' policies, and calls into another account's registry |
//! | `copy` | what a replication, or a pull through a cache, brings from another account |
//! | `disk` | state to files and back |
//!
//! It does not replicate or pull through a cache by its own rules (a test says when), and does not sign or
//! expire images by lifecycle policies.

mod copy;
mod disk;
mod events;
mod images;
mod input;
mod layers;
mod manifest;
mod oci;
mod policy;
mod pull;
mod push;
mod repositories;
mod scan;
mod store;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use copy::{pull_through_cache, replicate};
pub(crate) use manifest::digest_of;
pub use oci::http;
pub(crate) use policy::serve;
pub use pull::PulledImage;
pub(crate) use pull::pull;
pub use push::{PushSpec, ensure_repository, push_image};
pub(crate) use scan::Found;

use crate::call::{ApiError, Reply};
use crate::time::Time;
use crate::world::World;
use store::Repository;

/// ECR's state. Serialised without the blobs' bytes, which [`Ecr::save`] writes to files.
#[derive(Debug, Serialize, Deserialize)]
pub struct Ecr {
    /// Whether a push into an unknown repository creates it. AWS does so only where a
    /// creation template for `CREATE_ON_PUSH` fits; off by default.
    pub create_on_push: bool,
    /// Whether a push that changes nothing (same tag, same digest) emits an event again.
    /// AWS does not say; on by default, so that nobody relies on silence.
    pub emit_on_same_push: bool,
    pub(crate) repositories: BTreeMap<String, Repository>,
    /// Blobs by digest; a repository's own set says which it has.
    #[serde(skip)]
    pub(crate) blobs: BTreeMap<String, Bytes>,
    /// Uploads under way; a client whose upload was lost begins again.
    #[serde(skip)]
    pub(crate) uploads: BTreeMap<String, layers::Upload>,
}

impl Default for Ecr {
    fn default() -> Self {
        Self {
            create_on_push: false,
            emit_on_same_push: true,
            repositories: BTreeMap::new(),
            blobs: BTreeMap::new(),
            uploads: BTreeMap::new(),
        }
    }
}

/// What this service's timers are for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Due {
    /// A scan ends.
    Scanned {
        /// The repository.
        repository: String,
        /// The image.
        digest: String,
        /// When it began.
        began: Time,
    },
}

pub(crate) fn due(world: &mut World, due: &Due) {
    match due {
        Due::Scanned { repository, digest, began } => scan::scanned(world, repository, digest, *began),
    }
}

pub(crate) fn handle(world: &mut World, operation: &str, input: &Value) -> Reply {
    match operation {
        "CreateRepository" => repositories::create(world, input),
        "DescribeRepositories" => repositories::describe(world, input),
        "DeleteRepository" => repositories::delete(world, input),
        "PutImageTagMutability" => repositories::put_mutability(world, input),
        "ListTagsForResource" => repositories::list_tags(world, input),
        "TagResource" => repositories::tag(world, input),
        "UntagResource" => repositories::untag(world, input),
        "GetRepositoryPolicy" => policy::get(world, input),
        "SetRepositoryPolicy" => policy::set(world, input),
        "DeleteRepositoryPolicy" => policy::delete(world, input),
        "GetLifecyclePolicy" => repositories::no_policy(world, input, "LifecyclePolicyNotFoundException"),
        "GetAuthorizationToken" => Ok(repositories::token(world)),
        "DescribeImages" => images::describe(world, input),
        "ListImages" => images::list(world, input),
        "BatchGetImage" => images::batch_get(world, input),
        "BatchDeleteImage" => images::batch_delete(world, input),
        "PutImage" => images::put(world, input),
        "ListImageReferrers" => images::referrers(world, input),
        "UpdateImageStorageClass" => images::storage_class(world, input),
        "DescribeImageScanFindings" => scan::findings(world, input),
        "StartImageScan" => scan::start(world, input),
        "PutImageScanningConfiguration" => scan::configure(world, input),
        "GetDownloadUrlForLayer" => layers::download_url(world, input),
        "BatchCheckLayerAvailability" => layers::availability(world, input),
        "InitiateLayerUpload" => layers::initiate(world, input),
        "UploadLayerPart" => layers::part(world, input),
        "CompleteLayerUpload" => layers::complete(world, input),
        other => Err(ApiError::client(
            "UnknownOperationException",
            format!("the embedded ECR does not have the operation {other}"),
        )),
    }
}
