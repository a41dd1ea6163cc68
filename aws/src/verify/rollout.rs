//! ECS's record of a rollout under way.

use windlass_shared::facts::Fact;
use windlass_shared::id::{ContainerName, TargetGroupArn, TaskDefinitionArn};
use windlass_shared::verify::{Rollout, RolloutImage};

use crate::error::Failure;
use crate::observe::convert::{fact, instant};

type Ecs = aws_sdk_ecs::Client;

/// Reads it: the deployment names the old revisions, and a revision names its target group.
pub(super) async fn read(ecs: &Ecs, deployment: &str, revision: &str) -> Fact<Rollout> {
    fact(find(ecs, deployment, revision).await, || format!("reading the rollout {deployment}"))
}

async fn find(ecs: &Ecs, deployment: &str, revision: &str) -> Result<Option<Rollout>, Failure> {
    let sent = ecs.describe_service_deployments().service_deployment_arns(deployment).send().await;
    let described = sent.map_err(|error| Failure::new("ecs:DescribeServiceDeployments", &error))?;
    let Some(record) = described.service_deployments().first() else { return Ok(None) };
    // The old one that still carries requests; a rollout over an unfinished one has two.
    let carries = |weight: Option<f64>| weight.is_some_and(|weight| weight > 0.0);
    let sources = record.source_service_revisions();
    let old = sources.iter().find(|it| carries(it.requested_production_traffic_weight)).or(sources.first());
    let mut arns = vec![revision.to_owned()];
    arns.extend(old.and_then(|old| old.arn.clone()).filter(|old| old != revision));
    let sent = ecs.describe_service_revisions().set_service_revision_arns(Some(arns)).send().await;
    let described = sent.map_err(|error| Failure::new("ecs:DescribeServiceRevisions", &error))?;
    let revisions = described.service_revisions();
    let Some(new) = revisions.iter().find(|it| it.service_revision_arn() == Some(revision)) else {
        return Ok(None);
    };
    let old = revisions.iter().find(|it| it.service_revision_arn() != Some(revision));
    let groups = group(new).zip(old.and_then(group)).filter(|(new, old)| new != old);
    Ok(Some(Rollout {
        started_at: instant(record.started_at().or(record.created_at())),
        task_definition: TaskDefinitionArn::new(new.task_definition().unwrap_or_default()),
        images: new.container_images().iter().map(image).collect(),
        is_first: old.is_none(),
        groups,
    }))
}

fn image(image: &aws_sdk_ecs::types::ContainerImage) -> RolloutImage {
    let reference = image.image().unwrap_or_default();
    let pinned = reference.split_once('@').and_then(|(_, digest)| digest.parse().ok());
    RolloutImage {
        container: ContainerName::new(image.container_name().unwrap_or_default()),
        image: reference.to_owned(),
        digest: image.image_digest().and_then(|digest| digest.parse().ok()).or(pinned),
    }
}

fn group(revision: &aws_sdk_ecs::types::ServiceRevision) -> Option<TargetGroupArn> {
    let resolved = revision.resolved_configuration()?.load_balancers().first()?;
    resolved.target_group_arn().map(TargetGroupArn::new)
}
