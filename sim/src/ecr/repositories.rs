//! The control API's repositories, their tags, and the registry's token.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};

use super::input::{invalid, page, paged, read, repository, repository_not_found};
use super::store::{Mutability, Repository};
use crate::call::{ApiError, Reply};
use crate::world::World;

#[derive(Deserialize)]
struct Tag {
    #[serde(rename = "Key")]
    key: String,
    #[serde(rename = "Value", default)]
    value: String,
}

#[derive(Deserialize)]
struct Exclusion {
    filter: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Create {
    repository_name: String,
    #[serde(default)]
    tags: Vec<Tag>,
    image_tag_mutability: Option<Mutability>,
    #[serde(default)]
    image_tag_mutability_exclusion_filters: Vec<Exclusion>,
    image_scanning_configuration: Option<Scanning>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Scanning {
    #[serde(default)]
    pub(super) scan_on_push: bool,
}

pub(super) fn create(world: &mut World, input: &Value) -> Reply {
    let input: Create = read(input)?;
    let name = input.repository_name;
    if !is_name(&name) {
        return Err(invalid(format!(
            "Invalid parameter at 'repositoryName' failed to satisfy constraint: 'must satisfy regular expression \
             '(?:[a-z0-9]+(?:[._-][a-z0-9]+)*/)*[a-z0-9]+(?:[._-][a-z0-9]+)*'': {name}"
        )));
    }
    if world.ecr.repositories.contains_key(&name) {
        let account = &world.config.account;
        let message =
            format!("The repository with name '{name}' already exists in the registry with id '{account}'");
        return Err(ApiError::client("RepositoryAlreadyExistsException", message));
    }
    let mut made = Repository::new(&name, world.now());
    made.mutability = input.image_tag_mutability.unwrap_or(Mutability::Mutable);
    made.exclusions =
        input.image_tag_mutability_exclusion_filters.into_iter().map(|exclusion| exclusion.filter).collect();
    made.scan_on_push = input.image_scanning_configuration.is_some_and(|scanning| scanning.scan_on_push);
    made.labels = input.tags.into_iter().map(|tag| (tag.key, tag.value)).collect();
    let reply = json!({ "repository": describe_one(world, &made) });
    world.ecr.repositories.insert(name, made);
    Ok(reply)
}

/// Path components of lower-case letters and digits, joined by `.`, `_`, `__` or `-`s;
/// 2 to 256 characters.
pub(super) fn is_name(name: &str) -> bool {
    let part = |part: &str| {
        let inner = part.trim_matches(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
        let ends_well = |c: Option<char>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
        let allowed =
            inner.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-".contains(c));
        let runs = ["..", "___", "._", "_.", ".-", "-.", "_-", "-_"];
        allowed
            && ends_well(part.chars().next())
            && ends_well(part.chars().last())
            && !runs.iter().any(|run| part.contains(run))
    };
    (2..=256).contains(&name.len()) && name.split('/').all(part)
}

fn describe_one(world: &World, repo: &Repository) -> Value {
    let mut described = json!({
        "repositoryArn": arn(world, &repo.name),
        "registryId": world.config.account,
        "repositoryName": repo.name,
        "repositoryUri": format!("{}/{}", world.config.registry, repo.name),
        "createdAt": repo.created_at.epoch_secs(),
        "imageTagMutability": repo.mutability,
        "imageScanningConfiguration": { "scanOnPush": repo.scan_on_push },
        "encryptionConfiguration": { "encryptionType": "AES256" },
    });
    if !repo.exclusions.is_empty() {
        described["imageTagMutabilityExclusionFilters"] = exclusions(repo);
    }
    described
}

fn exclusions(repo: &Repository) -> Value {
    repo.exclusions.iter().map(|filter| json!({ "filterType": "WILDCARD", "filter": filter })).collect()
}

fn arn(world: &World, name: &str) -> String {
    world.arn("ecr", &format!("repository/{name}"))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Describe {
    repository_names: Option<Vec<String>>,
    next_token: Option<String>,
    max_results: Option<u32>,
}

pub(super) fn describe(world: &World, input: &Value) -> Reply {
    let input: Describe = read(input)?;
    if let Some(names) = input.repository_names.filter(|names| !names.is_empty()) {
        let found: Result<Vec<_>, _> =
            names.iter().map(|name| repository(world, name).map(|repo| describe_one(world, repo))).collect();
        return Ok(json!({ "repositories": found? }));
    }
    let all = world.ecr.repositories.iter().map(|(name, repo)| (name.clone(), describe_one(world, repo)));
    let (repositories, next) = page(all.collect(), input.next_token.as_deref(), input.max_results)?;
    Ok(paged("repositories", &repositories, next))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Delete {
    repository_name: String,
    #[serde(default)]
    force: bool,
}

pub(super) fn delete(world: &mut World, input: &Value) -> Reply {
    let Delete { repository_name: name, force } = read(input)?;
    let repo = repository(world, &name)?;
    if !repo.images.is_empty() && !force {
        let message = format!(
            "The repository with name '{name}' in registry with id '{}' cannot be deleted because it still contains \
             images",
            world.config.account
        );
        return Err(ApiError::client("RepositoryNotEmptyException", message));
    }
    let reply = json!({ "repository": describe_one(world, repo) });
    world.ecr.repositories.remove(&name);
    world.ecr.drop_unused_blobs();
    Ok(reply)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PutMutability {
    repository_name: String,
    image_tag_mutability: Mutability,
    #[serde(default)]
    image_tag_mutability_exclusion_filters: Vec<Exclusion>,
}

pub(super) fn put_mutability(world: &mut World, input: &Value) -> Reply {
    let input: PutMutability = read(input)?;
    let name = &input.repository_name;
    let missing = repository_not_found(world, name);
    let repo = world.ecr.repositories.get_mut(name).ok_or(missing)?;
    repo.mutability = input.image_tag_mutability;
    repo.exclusions = input.image_tag_mutability_exclusion_filters.into_iter().map(|e| e.filter).collect();
    let mut reply = json!({ "repositoryName": name, "imageTagMutability": repo.mutability });
    if !repo.exclusions.is_empty() {
        reply["imageTagMutabilityExclusionFilters"] = exclusions(repo);
    }
    reply["registryId"] = json!(world.config.account);
    Ok(reply)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Resource {
    #[serde(rename = "resourceArn")]
    arn: String,
    #[serde(default)]
    tags: Vec<Tag>,
    #[serde(default)]
    tag_keys: Vec<String>,
}

fn tags_of<'a>(
    world: &'a mut World,
    resource: &Resource,
) -> Result<&'a mut BTreeMap<String, String>, ApiError> {
    let prefix = arn(world, "");
    let name = resource.arn.strip_prefix(&prefix).ok_or_else(|| {
        invalid(format!("Invalid parameter at 'resourceArn': {} is no repository's ARN", resource.arn))
    })?;
    let missing = repository_not_found(world, name);
    world.ecr.repositories.get_mut(name).map(|repo| &mut repo.labels).ok_or(missing)
}

pub(super) fn list_tags(world: &mut World, input: &Value) -> Reply {
    let tags = tags_of(world, &read(input)?)?;
    let tags: Vec<_> = tags.iter().map(|(key, value)| json!({ "Key": key, "Value": value })).collect();
    Ok(json!({ "tags": tags }))
}

pub(super) fn tag(world: &mut World, input: &Value) -> Reply {
    let resource: Resource = read(input)?;
    let tags = tags_of(world, &resource)?;
    tags.extend(resource.tags.into_iter().map(|tag| (tag.key, tag.value)));
    Ok(json!({}))
}

pub(super) fn untag(world: &mut World, input: &Value) -> Reply {
    let resource: Resource = read(input)?;
    tags_of(world, &resource)?.retain(|key, _| !resource.tag_keys.contains(key));
    Ok(json!({}))
}

/// No repository here has a lifecycle policy; tools ask for one and expect this refusal.
pub(super) fn no_policy(world: &World, input: &Value, code: &str) -> Reply {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Of {
        repository_name: String,
    }
    let Of { repository_name: name } = read(input)?;
    repository(world, &name)?;
    let account = &world.config.account;
    Err(ApiError::client(
        code,
        format!(
            "Policy does not exist for the repository with name '{name}' in the registry with id '{account}'"
        ),
    ))
}

/// A token for `docker login`. The registry takes any: the embedded AWS keeps no secrets.
pub(super) fn token(world: &World) -> Value {
    let registry = &world.config.registry;
    let scheme = if registry.ends_with(".amazonaws.com") { "https" } else { "http" };
    let expires = world.now() + std::time::Duration::from_hours(12);
    json!({ "authorizationData": [{
        "authorizationToken": STANDARD.encode("AWS:embedded"),
        "expiresAt": expires.epoch_secs(),
        "proxyEndpoint": format!("{scheme}://{registry}"),
    }] })
}
