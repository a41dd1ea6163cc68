//! Repositories, their images and blobs, and the two changes that both doors make:
//! putting a manifest and deleting an image. The doors word the errors.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::manifest::{Manifest, digest_of};
use super::scan::{self, Scan};
use super::{Ecr, events};
use crate::time::Time;
use crate::wildcard;
use crate::world::World;

/// One repository.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Repository {
    pub(crate) name: String,
    pub(crate) created_at: Time,
    pub(crate) mutability: Mutability,
    /// Wildcards of tags to which the opposite of `mutability` applies.
    pub(crate) exclusions: Vec<String>,
    pub(crate) scan_on_push: bool,
    pub(crate) labels: BTreeMap<String, String>,
    /// The blobs that were pushed into it. Their bytes lie in [`Ecr`], once per registry.
    pub(crate) blobs: BTreeSet<String>,
    pub(crate) images: BTreeMap<String, Image>,
    /// Image tag to digest.
    pub(crate) tags: BTreeMap<String, String>,
    /// Which other accounts may what, as it was written.
    #[serde(default)] // a state from before there were policies
    pub(crate) policy: Option<String>,
}

/// Whether a tag can be moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum Mutability {
    Mutable,
    Immutable,
    ImmutableWithExclusion,
    MutableWithExclusion,
}

/// One manifest in a repository.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Image {
    /// The bytes as they were pushed: the digest is theirs.
    pub(crate) text: String,
    pub(crate) manifest: Manifest,
    pub(crate) pushed_at: Time,
    pub(crate) status: ImageStatus,
    #[serde(default)] // a state from before there were scans
    pub(crate) scan: Option<Scan>,
}

/// Whether an image can be pulled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum ImageStatus {
    Active,
    Archived,
}

impl Repository {
    pub(crate) fn new(name: &str, now: Time) -> Self {
        Self {
            name: name.to_owned(),
            created_at: now,
            mutability: Mutability::Mutable,
            exclusions: Vec::new(),
            scan_on_push: false,
            labels: BTreeMap::new(),
            blobs: BTreeSet::new(),
            images: BTreeMap::new(),
            tags: BTreeMap::new(),
            policy: None,
        }
    }

    /// The tags that a digest carries, in order.
    pub(crate) fn tags_of(&self, digest: &str) -> Vec<String> {
        self.tags.iter().filter(|(_, to)| *to == digest).map(|(tag, _)| tag.clone()).collect()
    }

    /// An image by tag or digest, as a manifest's reference names it.
    pub(crate) fn resolve(&self, reference: &str) -> Option<(&str, &Image)> {
        let digest = if reference.contains(':') { reference } else { self.tags.get(reference)? };
        self.images.get_key_value(digest).map(|(digest, image)| (digest.as_str(), image))
    }

    /// ECR's own words: "If the image is a manifest list, this will be the max size of all
    /// manifests in the list."
    pub(crate) fn size_of(&self, image: &Image) -> u64 {
        if !image.manifest.is_index() {
            return image.manifest.blobs.iter().map(|(_, size)| size).sum();
        }
        let children = image.manifest.children.iter().filter_map(|child| self.images.get(&child.digest));
        children.map(|child| self.size_of(child)).max().unwrap_or(0)
    }

    fn is_immutable(&self, tag: &str) -> bool {
        let excluded = self.exclusions.iter().any(|filter| wildcard::matches(filter, tag));
        match self.mutability {
            Mutability::Mutable => false,
            Mutability::Immutable => true,
            Mutability::ImmutableWithExclusion => !excluded,
            Mutability::MutableWithExclusion => excluded,
        }
    }
}

/// Why a manifest was not put.
#[derive(Debug, PartialEq)]
pub(crate) enum PutError {
    RepositoryNotFound,
    Invalid(String),
    DigestMismatch { expected: String, found: String },
    BlobsNotFound(Vec<String>),
    ImagesNotFound(Vec<String>),
    TagImmutable(String),
}

/// What a put did.
pub(crate) struct Stored {
    pub(crate) digest: String,
    pub(crate) subject: Option<String>,
}

/// Puts a manifest under a tag or, without one, by its digest alone, and emits the event.
pub(crate) fn put(
    world: &mut World,
    repository: &str,
    text: &str,
    media_type: Option<&str>,
    tag: Option<&str>,
    digest: Option<&str>,
) -> Result<Stored, PutError> {
    let now = world.now();
    let repo = world.ecr.repositories.get_mut(repository).ok_or(PutError::RepositoryNotFound)?;
    let manifest = Manifest::parse(text, media_type).map_err(PutError::Invalid)?;
    let found = digest_of(text.as_bytes());
    if let Some(expected) = digest.filter(|expected| *expected != found) {
        return Err(PutError::DigestMismatch { expected: expected.to_owned(), found });
    }
    check_references(repo, &manifest)?;
    let before = tag.and_then(|tag| repo.tags.get(tag));
    if let Some(tag) = tag.filter(|tag| before.is_some_and(|old| *old != found) && repo.is_immutable(tag)) {
        return Err(PutError::TagImmutable(tag.to_owned()));
    }
    // False where this digest already had this tag (or, untagged, was already here).
    let is_new = !repo.images.contains_key(&found);
    let changed = is_new || (tag.is_some() && before != Some(&found));
    let subject = manifest.subject.clone();
    // A second tag on an image that is already here keeps the image's own push time.
    repo.images.entry(found.clone()).or_insert_with(|| Image {
        text: text.to_owned(),
        manifest: manifest.clone(),
        pushed_at: now,
        status: ImageStatus::Active,
        scan: None,
    });
    if let Some(tag) = tag {
        repo.tags.insert(tag.to_owned(), found.clone());
    }
    if changed || world.ecr.emit_on_same_push {
        events::pushed(world, repository, &found, tag, &manifest);
    }
    if is_new {
        scan::pushed(world, repository, &found);
    }
    Ok(Stored { digest: found, subject })
}

fn check_references(repo: &Repository, manifest: &Manifest) -> Result<(), PutError> {
    let blobs: Vec<_> = manifest.blobs.iter().map(|(digest, _)| digest.clone()).collect();
    let blobs: Vec<_> = blobs.into_iter().filter(|digest| !repo.blobs.contains(digest)).collect();
    if !blobs.is_empty() {
        return Err(PutError::BlobsNotFound(blobs));
    }
    let children = manifest.children.iter().map(|child| child.digest.clone());
    let children: Vec<_> = children.filter(|digest| !repo.images.contains_key(digest)).collect();
    if children.is_empty() { Ok(()) } else { Err(PutError::ImagesNotFound(children)) }
}

/// Why an image was not deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DeleteError {
    NotFound,
    ReferencedByIndex,
}

/// Deletes an image with all its tags. Returns the tags it had.
pub(crate) fn delete_image(
    world: &mut World,
    repository: &str,
    digest: &str,
) -> Result<Vec<String>, DeleteError> {
    let repo = world.ecr.repositories.get_mut(repository).ok_or(DeleteError::NotFound)?;
    if !repo.images.contains_key(digest) {
        return Err(DeleteError::NotFound);
    }
    let is_listed = |image: &Image| image.manifest.children.iter().any(|child| child.digest == digest);
    if repo.images.values().any(is_listed) {
        return Err(DeleteError::ReferencedByIndex);
    }
    let tags = repo.tags_of(digest);
    repo.tags.retain(|_, to| to != digest);
    repo.images.remove(digest);
    let kept: BTreeSet<String> = repo
        .images
        .values()
        .flat_map(|image| image.manifest.blobs.iter().map(|(blob, _)| blob.clone()))
        .collect();
    repo.blobs.retain(|blob| kept.contains(blob));
    world.ecr.drop_unused_blobs();
    events::deleted(world, repository, digest, &tags);
    Ok(tags)
}

/// Removes a tag; the image goes with its last tag, as `BatchDeleteImage` by tag does.
/// Returns the digest.
pub(crate) fn delete_tag(world: &mut World, repository: &str, tag: &str) -> Result<String, DeleteError> {
    let repo = world.ecr.repositories.get_mut(repository).ok_or(DeleteError::NotFound)?;
    let digest = repo.tags.get(tag).cloned().ok_or(DeleteError::NotFound)?;
    if repo.tags_of(&digest).len() == 1 {
        delete_image(world, repository, &digest)?;
    } else {
        repo.tags.remove(tag);
        events::deleted(world, repository, &digest, &[tag.to_owned()]);
    }
    Ok(digest)
}

impl Ecr {
    /// Puts a blob that was uploaded into a repository.
    pub(crate) fn put_blob(&mut self, repository: &str, bytes: Bytes) -> Option<String> {
        let digest = digest_of(&bytes);
        self.repositories.get_mut(repository)?.blobs.insert(digest.clone());
        self.blobs.entry(digest.clone()).or_insert(bytes);
        Some(digest)
    }

    /// A repository's blob.
    pub(crate) fn blob(&self, repository: &str, digest: &str) -> Option<&Bytes> {
        self.repositories.get(repository)?.blobs.get(digest).and_then(|digest| self.blobs.get(digest))
    }

    pub(crate) fn drop_unused_blobs(&mut self) {
        let used: BTreeSet<_> = self.repositories.values().flat_map(|repo| repo.blobs.iter()).collect();
        self.blobs.retain(|digest, _| used.contains(digest));
    }
}
