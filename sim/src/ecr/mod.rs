//! ECR.

use serde_json::Value;

use crate::call::{ApiError, Reply};
use crate::world::World;

/// ECR. State.
#[derive(Debug, Default)]
pub struct Ecr {}

/// What this service's timers are for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub enum Due {}

pub(crate) fn handle(_world: &mut World, operation: &str, _input: &Value) -> Reply {
    Err(ApiError::client("UnknownOperationException", operation))
}

pub(crate) fn due(_world: &mut World, due: Due) {
    match due {}
}

/// What ECS sees of an image when a container starts.
#[derive(Debug, Clone, PartialEq)]
pub struct PulledImage {
    /// The digest that the reference resolved to (the index's own, where it is one).
    pub digest: String,
    /// The tags that this digest carries now.
    pub tags: Vec<String>,
    /// `amd64`, `arm64`, … of the manifest that was chosen for the instance.
    pub architecture: String,
    /// The config's labels.
    pub labels: std::collections::BTreeMap<String, String>,
}

/// Pulls `<registry>/<repository>[:tag][@digest]` for an instance of `architecture`
/// (`amd64`, `arm64`). The error is the text after `CannotPullContainerError: `.
pub(crate) fn pull(_world: &World, _image: &str, _architecture: &str) -> Result<PulledImage, String> {
    Err(String::new())
}
