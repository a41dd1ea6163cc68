//! What a container agent gets when it pulls: reference → index → manifest of the
//! instance's platform → config. Errors in docker's words, as ECS reports them.

use std::collections::BTreeMap;

use serde_json::Value;

use super::manifest::Child;
use super::store::{Image, ImageStatus, Repository};
use super::{Ecr, policy};
use crate::world::World;

/// What ECS sees of an image when a container starts.
#[derive(Debug, Clone, PartialEq)]
pub struct PulledImage {
    /// The digest that the reference resolved to (the index's own, where it is one).
    pub digest: String,
    /// The tags that this digest carries now.
    pub tags: Vec<String>,
    /// `amd64`, `arm64`, … of the manifest that was chosen for the instance. A single
    /// image of another architecture *is* pulled, as docker does: the container then
    /// ends with `exec format error`.
    pub architecture: String,
    /// The config's labels.
    pub labels: BTreeMap<String, String>,
}

/// Pulls `<registry>/<repository>[:tag][@digest]` for an instance of `architecture`
/// (`amd64`, `arm64`). The error is the text after `CannotPullContainerError: `.
///
/// Another account's repository must let this account pull. Whether its policy names a role of an instance or a
/// task is not looked at: such a statement lets nobody in here.
pub(crate) fn pull(world: &World, image: &str, architecture: &str) -> Result<PulledImage, String> {
    let Source { account, ecr, repository, reference } = source(world, image)?;
    let repo = ecr.repositories.get(repository).ok_or_else(|| {
        format!(
            "Error response from daemon: repository {image} not found: name unknown: The repository with name \
             '{repository}' does not exist in the registry with id '{account}'"
        )
    })?;
    if account != world.config.account && !policy::may_pull(repo, &world.config.account) {
        return Err(format!(
            "Error response from daemon: failed to resolve reference \"{image}\": pulling from host {} failed with \
             status code [manifests {reference}]: 403 Forbidden",
            image.split('/').next().unwrap_or_default()
        ));
    }
    let not_found =
        || format!("Error response from daemon: failed to resolve reference \"{image}\": {image}: not found");
    let (digest, top) = repo.resolve(reference).ok_or_else(not_found)?;
    let chosen = choose(repo, top, architecture, image)?;
    if top.status == ImageStatus::Archived || chosen.status == ImageStatus::Archived {
        return Err(format!(
            "Error response from daemon: unknown: The image with digest '{digest}' in the repository '{repository}' is \
             archived: restore it before it is pulled"
        ));
    }
    let config = chosen.manifest.config.as_ref().and_then(|config| ecr.blob(repository, config));
    let config: Value = serde_json::from_slice(config.ok_or_else(not_found)?)
        .map_err(|error| format!("Error response from daemon: invalid image config: {error}"))?;
    Ok(PulledImage {
        digest: digest.to_owned(),
        tags: repo.tags_of(digest),
        architecture: config["architecture"].as_str().unwrap_or_default().to_owned(),
        labels: labels(&config),
    })
}

/// Where an image is.
struct Source<'a> {
    account: &'a str,
    ecr: &'a Ecr,
    repository: &'a str,
    /// The digest where the image has one, else the tag.
    reference: &'a str,
}

/// Takes an image URI apart. The registry's own AWS name is known beside the configured one, so that task
/// definitions written for AWS run on the local endpoint.
fn source<'a>(world: &'a World, image: &'a str) -> Result<Source<'a>, String> {
    let config = &world.config;
    let aws = format!("{}.dkr.ecr.{}.amazonaws.com", config.account, config.region);
    let (host, rest) = image.split_once('/').unwrap_or(("", image));
    let other =
        world.accounts.of_host(host).and_then(|account| Some((account, world.accounts.ecr(account)?)));
    let own = (host == config.registry || host == aws).then_some((config.account.as_str(), &world.ecr));
    let (account, ecr) = own.or(other).ok_or_else(|| {
        format!(
            "Error response from daemon: pull access denied for {image}, repository does not exist or may require \
             'docker login': denied: only the registry {} is known here",
            config.registry
        )
    })?;
    let (name, digest) = rest.split_once('@').map_or((rest, None), |(name, digest)| (name, Some(digest)));
    let (repository, tag) = name.split_once(':').unwrap_or((name, "latest"));
    Ok(Source { account, ecr, repository, reference: digest.unwrap_or(tag) })
}

fn choose<'a>(
    repo: &'a Repository,
    top: &'a Image,
    architecture: &str,
    image: &str,
) -> Result<&'a Image, String> {
    if !top.manifest.is_index() {
        return Ok(top);
    }
    let fits =
        |child: &&Child| !child.attestation && child.os == "linux" && child.architecture == architecture;
    let child = top.manifest.children.iter().find(fits).ok_or_else(|| {
        format!(
            "Error response from daemon: no matching manifest for linux/{architecture} in the manifest list entries: \
             no match for platform in manifest: not found ({image})"
        )
    })?;
    repo.images.get(&child.digest).ok_or_else(|| {
        format!(
            "Error response from daemon: failed to resolve reference \"{image}\": {}: not found",
            child.digest
        )
    })
}

/// A config's labels.
pub(super) fn labels(config: &Value) -> BTreeMap<String, String> {
    let labels = config["config"]["Labels"].as_object().into_iter().flatten();
    labels.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect()
}
