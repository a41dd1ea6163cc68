//! What a rollback needs: which of the images that could be gone back to are still there, and
//! whether the recorded revision can still be used.

use std::collections::BTreeSet;

use aws_sdk_ecr::types::ImageIdentifier;
use windlass_shared::deploy::rollback::{self, Target};
use windlass_shared::facts::{Fact, FailureKind, RecordedRevision, RollbackFacts};
use windlass_shared::id::{ImageDigest, RepositoryName, TaskDefinitionArn};
use windlass_shared::ledger::Settled;
use windlass_shared::registry::Home;

use super::convert::fact;
use crate::error::Failure;
use crate::{Clients, lossless};

const IMAGES: &str = "ecr:BatchGetImage";
/// BatchGetImage's limit.
const BATCH: usize = 100;

/// Looks at the target, and at what else could be gone back to.
pub(super) async fn look(
    clients: &Clients,
    repository: &RepositoryName,
    home: &Home,
    target: &Target,
    candidates: &[Settled],
) -> RollbackFacts {
    let revision = match target.revision() {
        Some(arn) => revision(clients, arn).await,
        None => Fact::NotAsked,
    };
    let named =
        revision.known().and_then(|revision| rollback::pinned_digest(&revision.definition, repository, home));
    let asked: BTreeSet<ImageDigest> = candidates
        .iter()
        .map(|settled| settled.digest.clone())
        .chain(target.digest().cloned())
        .chain(named)
        .collect();
    let there = fact(there(&clients.ecr, repository, asked).await.map(Some), || {
        format!("looking for images of {repository} by their digests")
    });
    RollbackFacts { there, revision }
}

async fn revision(clients: &Clients, arn: &TaskDefinitionArn) -> Fact<RecordedRevision> {
    let found = lossless::describe_recorded(&clients.ecs, arn.as_str()).await;
    fact(found.map(Some), || format!("describing {}", arn.short()))
}

/// Which of these images can be pulled. One that is not there is a failure in the answer, and
/// never an error.
async fn there(
    ecr: &aws_sdk_ecr::Client,
    repository: &RepositoryName,
    asked: BTreeSet<ImageDigest>,
) -> Result<BTreeSet<ImageDigest>, Failure> {
    if asked.is_empty() {
        return Ok(asked);
    }
    let ids = asked.iter().take(BATCH);
    let ids = ids.map(|digest| ImageIdentifier::builder().image_digest(digest.as_str()).build());
    let sent = ecr
        .batch_get_image()
        .repository_name(repository.name())
        .set_registry_id(repository.registry_id())
        .set_image_ids(Some(ids.collect()))
        .send()
        .await;
    match sent.map_err(|error| Failure::new(IMAGES, &error)) {
        Ok(got) => {
            let found = got.images().iter().filter_map(|image| image.image_id()?.image_digest());
            Ok(found.filter_map(|digest| digest.parse().ok()).collect())
        }
        // With its repository gone, each image is.
        Err(failure) if failure.kind == FailureKind::NotFound => Ok(BTreeSet::new()),
        Err(failure) => Err(failure),
    }
}
