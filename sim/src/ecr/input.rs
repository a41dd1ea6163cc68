//! Reading inputs, and the errors that many of ECR's operations share.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::store::{Image, Repository};
use crate::call::ApiError;
use crate::world::World;

/// Reads an operation's input; a missing or mistyped member is ECR's
/// `InvalidParameterException`.
pub(super) fn read<T: DeserializeOwned>(input: &Value) -> Result<T, ApiError> {
    T::deserialize(input).map_err(|error| invalid(format!("Invalid parameter: {error}")))
}

pub(super) fn invalid(message: impl Into<String>) -> ApiError {
    ApiError::client("InvalidParameterException", message)
}

/// `imageIds[]`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ImageId {
    pub(super) image_digest: Option<String>,
    pub(super) image_tag: Option<String>,
}

impl ImageId {
    /// As it came, without the absent members.
    pub(super) fn json(&self) -> Value {
        let mut id = json!({});
        if let Some(digest) = &self.image_digest {
            id["imageDigest"] = json!(digest);
        }
        if let Some(tag) = &self.image_tag {
            id["imageTag"] = json!(tag);
        }
        id
    }

    /// The image it means. Where it has both members, both must be the same image's.
    pub(super) fn find<'a>(&self, repo: &'a Repository) -> Result<(&'a str, &'a Image), Miss> {
        let (digest, tag) = (self.image_digest.as_deref(), self.image_tag.as_deref());
        let found = match (digest, tag) {
            (None, None) => return Err(Miss::NoDigestNorTag),
            (Some(digest), _) if !super::manifest::is_digest(digest) => return Err(Miss::InvalidDigest),
            (Some(digest), _) => repo.resolve(digest),
            (None, Some(tag)) => repo.resolve(tag),
        };
        let found = found.ok_or(Miss::NotFound)?;
        match (digest, tag) {
            (Some(digest), Some(tag)) if repo.tags.get(tag).is_none_or(|to| to != digest) => {
                Err(Miss::TagIsAnothers)
            }
            _ => Ok(found),
        }
    }

    pub(super) fn not_found(&self, world: &World, repository: &str) -> ApiError {
        let part = |value: &Option<String>| value.clone().unwrap_or_else(|| "null".into());
        let message = format!(
            "The image with imageId {{imageDigest:'{}', imageTag:'{}'}} does not exist within the repository with name \
             '{repository}' in the registry with id '{}'",
            part(&self.image_digest),
            part(&self.image_tag),
            world.config.account
        );
        ApiError::client("ImageNotFoundException", message)
    }
}

/// Why an image id means no image: a `failureCode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Miss {
    NoDigestNorTag,
    InvalidDigest,
    NotFound,
    TagIsAnothers,
    ReferencedByIndex,
}

impl Miss {
    /// One of `failures[]`.
    pub(super) fn failure(self, id: &ImageId) -> Value {
        let (code, reason) = match self {
            Self::NoDigestNorTag => {
                ("MissingDigestAndTag", "Invalid request parameters: both tag and digest cannot be null")
            }
            Self::InvalidDigest => (
                "InvalidImageDigest",
                "Invalid request parameters: image digest should satisfy the regex '[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+'",
            ),
            Self::NotFound => ("ImageNotFound", "Requested image not found"),
            Self::TagIsAnothers => {
                ("ImageTagDoesNotMatchDigest", "Requested image tag does not match the digest")
            }
            Self::ReferencedByIndex => (
                "ImageReferencedByManifestList",
                "Requested image referenced by manifest list: delete the manifest list first",
            ),
        };
        json!({ "imageId": id.json(), "failureCode": code, "failureReason": reason })
    }
}

pub(super) fn repository_not_found(world: &World, name: &str) -> ApiError {
    let account = &world.config.account;
    let message =
        format!("The repository with name '{name}' does not exist in the registry with id '{account}'");
    ApiError::client("RepositoryNotFoundException", message)
}

pub(super) fn repository<'a>(world: &'a World, name: &str) -> Result<&'a Repository, ApiError> {
    world.ecr.repositories.get(name).ok_or_else(|| repository_not_found(world, name))
}

/// One page of what is left after `token`, and the next token. Items come with the key
/// that a token is made of.
pub(super) fn page<T>(
    items: Vec<(String, T)>,
    token: Option<&str>,
    max_results: Option<u32>,
) -> Result<(Vec<T>, Option<String>), ApiError> {
    let size = max_results.unwrap_or(100);
    if !(1..=1000).contains(&size) {
        return Err(invalid("Invalid parameter at 'maxResults' failed to satisfy constraint: 1 to 1000"));
    }
    let after = token.map(|token| {
        let bytes = STANDARD.decode(token).ok();
        bytes
            .and_then(|bytes| String::from_utf8(bytes).ok())
            .ok_or_else(|| invalid("Invalid parameter at 'nextToken'"))
    });
    let after = after.transpose()?;
    let mut rest = items.into_iter().filter(|(key, _)| after.as_ref().is_none_or(|after| key > after));
    let page: Vec<_> = rest.by_ref().take(size as usize).collect();
    let more = rest.next().is_some();
    let next = page.last().filter(|_| more).map(|(key, _)| STANDARD.encode(key));
    Ok((page.into_iter().map(|(_, item)| item).collect(), next))
}

/// `{<member>: items, nextToken?}`
pub(super) fn paged(member: &str, items: &[Value], next: Option<String>) -> Value {
    let mut reply = json!({ member: items });
    if let Some(next) = next {
        reply["nextToken"] = json!(next);
    }
    reply
}
