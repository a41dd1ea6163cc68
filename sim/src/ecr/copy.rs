//! An image out of another account's registry: by a replication, or by a pull through a cache whose upstream
//! that registry is. When that happens is a test's to say; what comes of it is ECR's: the image under its
//! digest and its tag, in a repository that is made where it is missing, and one event in this account.
//!
//! Whether ECR also sends `ECR Image Action` for such an image it does not document: none is sent here, so
//! that nobody relies on one.

use bytes::Bytes;

use super::events;
use super::store::{Image, Repository};
use crate::world::World;

/// ECR replicates a tag of another account's repository into the one of the same name here. Returns its
/// digest; `None` where there is no such image.
pub fn replicate(world: &mut World, from: &str, repository: &str, tag: &str) -> Option<String> {
    let digest = copy(world, from, repository, repository, tag)?;
    events::replicated(world, repository, &digest, tag, from);
    Some(digest)
}

/// Somebody pulls `<prefix>/<repository>:<tag>` here, and the rule for `prefix` leads to another account's
/// registry. Returns the digest; `None` where there is no such image.
pub fn pull_through_cache(
    world: &mut World,
    from: &str,
    prefix: &str,
    repository: &str,
    tag: &str,
) -> Option<String> {
    let cached = format!("{prefix}/{repository}");
    let digest = copy(world, from, repository, &cached, tag)?;
    let upstream = format!("{from}.dkr.ecr.{}.amazonaws.com", world.config.region);
    events::cached(world, &cached, &digest, tag, prefix, &upstream);
    Some(digest)
}

fn copy(world: &mut World, from: &str, repository: &str, to: &str, tag: &str) -> Option<String> {
    let taken = world.in_account(from, |world| take(world, repository, tag))??;
    let now = world.now();
    let here = world.ecr.repositories.entry(to.to_owned()).or_insert_with(|| Repository::new(to, now));
    for (digest, image) in taken.images {
        here.images.entry(digest).or_insert(Image { pushed_at: now, ..image });
    }
    here.tags.insert(tag.to_owned(), taken.digest.clone());
    for blob in taken.blobs {
        world.ecr.put_blob(to, blob)?;
    }
    Some(taken.digest)
}

/// An image with all that it leads to.
struct Taken {
    digest: String,
    images: Vec<(String, Image)>,
    blobs: Vec<Bytes>,
}

fn take(world: &World, repository: &str, tag: &str) -> Option<Taken> {
    let repo = world.ecr.repositories.get(repository)?;
    let (digest, top) = repo.resolve(tag)?;
    let children = top.manifest.children.iter().filter_map(|child| repo.resolve(&child.digest));
    let images: Vec<(String, Image)> = std::iter::once((digest, top))
        .chain(children)
        .map(|(digest, image)| (digest.to_owned(), Image { scan: None, ..image.clone() }))
        .collect();
    let blobs = images.iter().flat_map(|(_, image)| &image.manifest.blobs);
    let blobs = blobs.filter_map(|(blob, _)| world.ecr.blob(repository, blob).cloned()).collect();
    Some(Taken { digest: digest.to_owned(), images, blobs })
}
