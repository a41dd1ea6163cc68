//! Having an image scanned.

use aws_sdk_ecr::types::ImageIdentifier;
use windlass_shared::deploy::plan::StepOutcome;
use windlass_shared::facts::FailureKind;
use windlass_shared::id::{ImageDigest, RepositoryName};

use super::outcome::refused;
use crate::Clients;
use crate::error::Failure;

/// Starts a basic scan; its end rings. Where ECR starts none (enhanced scanning begins by
/// itself, an image is scanned once a day, not every kind can be), the gate goes on waiting
/// for one, up to its own time.
pub(super) async fn start(
    clients: &Clients,
    repository: &RepositoryName,
    digest: &ImageDigest,
) -> StepOutcome {
    let doing = format!("scanning {repository}@{}", digest.short());
    let sent = clients
        .ecr
        .start_image_scan()
        .repository_name(repository.name())
        .set_registry_id(repository.registry_id())
        .image_id(ImageIdentifier::builder().image_digest(digest.as_str()).build())
        .send()
        .await;
    match sent.map_err(|error| Failure::new("ecr:StartImageScan", &error)) {
        Ok(_) => StepOutcome::Done,
        Err(failure) if matches!(failure.kind, FailureKind::Invalid | FailureKind::Limit) => {
            StepOutcome::Waiting { reason: format!("{doing}: ECR starts no scan of it now ({failure})") }
        }
        Err(failure) => refused(&doing, &failure),
    }
}
