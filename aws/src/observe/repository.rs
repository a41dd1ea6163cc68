//! A repository and its images.

use aws_sdk_ecr::types::{DescribeImagesFilter, ImageDetail, ImageIdentifier, TagStatus};
use windlass_shared::facts::{Fact, ImageFact, RepositoryFacts};
use windlass_shared::id::{ImageTag, RepositoryName};
use windlass_shared::image::Policy;

use super::convert::{fact, instant};
use crate::error::Failure;

/// DescribeImages' largest page.
const PAGE: i32 = 1000;

/// Which images of a repository are asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ImageQuery {
    /// The repository.
    pub(crate) repository: RepositoryName,
    /// The one image that carries this tag, where the policy wants nothing else: one small
    /// call in place of as many pages as the repository has thousands of images.
    pub(crate) tag: Option<ImageTag>,
}

impl ImageQuery {
    /// What a policy chooses from.
    pub(crate) fn of(repository: &RepositoryName, policy: &Policy) -> Self {
        let tag = match policy {
            Policy::Tag(tag) => Some(tag.clone()),
            Policy::Glob(_) | Policy::Regex(_) | Policy::Semver(_) | Policy::Newest => None,
        };
        Self { repository: repository.clone(), tag }
    }

    /// All images that have a tag.
    pub(crate) fn all(repository: &RepositoryName) -> Self {
        Self { repository: repository.clone(), tag: None }
    }
}

/// The images, in the registry's order. `Absent`: there is no such repository.
pub(crate) async fn images(ecr: &aws_sdk_ecr::Client, query: &ImageQuery) -> Fact<Vec<ImageFact>> {
    let found = match &query.tag {
        Some(tag) => tagged(ecr, &query.repository, tag).await,
        None => all_tagged(ecr, &query.repository).await,
    };
    fact(found.map(Some), || format!("listing the images of {}", query.repository))
}

async fn tagged(
    ecr: &aws_sdk_ecr::Client,
    repository: &RepositoryName,
    tag: &ImageTag,
) -> Result<Vec<ImageFact>, Failure> {
    let sent = ecr
        .describe_images()
        .repository_name(repository.name())
        .set_registry_id(repository.registry_id())
        .image_ids(ImageIdentifier::builder().image_tag(tag.as_str()).build())
        .send()
        .await;
    match sent.map_err(|error| Failure::new("ecr:DescribeImages", &error)) {
        Ok(described) => Ok(described.image_details().iter().filter_map(image).collect()),
        // The repository is there, and nothing has the tag.
        Err(failure) if failure.is("ImageNotFoundException") => Ok(Vec::new()),
        Err(failure) => Err(failure),
    }
}

async fn all_tagged(
    ecr: &aws_sdk_ecr::Client,
    repository: &RepositoryName,
) -> Result<Vec<ImageFact>, Failure> {
    let mut pages = ecr
        .describe_images()
        .repository_name(repository.name())
        .set_registry_id(repository.registry_id())
        .filter(DescribeImagesFilter::builder().tag_status(TagStatus::Tagged).build())
        .into_paginator()
        .page_size(PAGE)
        .send();
    let mut images = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| Failure::new("ecr:DescribeImages", &error))?;
        images.extend(page.image_details().iter().filter_map(image));
    }
    Ok(images)
}

/// One without a digest is no image that could be pinned.
fn image(detail: &ImageDetail) -> Option<ImageFact> {
    Some(ImageFact {
        digest: detail.image_digest()?.parse().ok()?,
        tags: detail.image_tags().iter().map(ImageTag::new).collect(),
        pushed_at: instant(detail.image_pushed_at()),
        manifest_media_type: detail.image_manifest_media_type().map(str::to_owned),
        artifact_media_type: detail.artifact_media_type().map(str::to_owned),
        status: detail.image_status().map(|status| status.as_str().to_owned()),
    })
}

/// The repository itself: its URI is what image references begin with. Another account's says it by its
/// name already, and need not allow one call more.
pub(crate) async fn repository(ecr: &aws_sdk_ecr::Client, name: &RepositoryName) -> Fact<RepositoryFacts> {
    if name.registry().is_some() {
        return Fact::Known(RepositoryFacts { name: name.clone(), uri: name.to_string() });
    }
    let sent = ecr.describe_repositories().repository_names(name.as_str()).send().await;
    let found = sent.map_err(|error| Failure::new("ecr:DescribeRepositories", &error)).map(|described| {
        let uri = described.repositories().first()?.repository_uri()?;
        Some(RepositoryFacts { name: name.clone(), uri: uri.to_owned() })
    });
    fact(found, || format!("describing repository {name}"))
}
