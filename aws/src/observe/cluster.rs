//! The cluster, and which architectures its instances have.

use std::collections::BTreeSet;

use aws_sdk_ecs::types::ContainerInstanceStatus;
use futures::future::try_join_all;
use futures::join;
use windlass_shared::facts::{ClusterFacts, Fact};
use windlass_shared::id::{Architecture, ClusterName};

use super::convert::{fact, text};
use crate::error::Failure;

/// DescribeContainerInstances' limit.
const BATCH: usize = 100;
/// The attribute in which the ECS agent says it.
const ARCHITECTURE: &str = "ecs.cpu-architecture";

/// The cluster with its architectures. The two are read side by side.
pub(crate) async fn cluster(ecs: aws_sdk_ecs::Client, name: ClusterName) -> Fact<ClusterFacts> {
    let (status, architectures) = join!(status(&ecs, &name), architectures(&ecs, &name));
    let found = status.and_then(|status| match status {
        None => Ok(None),
        Some(status) => Ok(Some(ClusterFacts { name: name.clone(), status, architectures: architectures? })),
    });
    fact(found, || format!("describing cluster {name}"))
}

async fn status(ecs: &aws_sdk_ecs::Client, name: &ClusterName) -> Result<Option<String>, Failure> {
    let sent = ecs.describe_clusters().clusters(name.as_str()).send().await;
    let described = sent.map_err(|error| Failure::new("ecs:DescribeClusters", &error))?;
    Ok(described.clusters().first().map(|cluster| text(cluster.status())))
}

async fn architectures(
    ecs: &aws_sdk_ecs::Client,
    name: &ClusterName,
) -> Result<BTreeSet<Architecture>, Failure> {
    let mut arns = Vec::new();
    let mut pages = ecs
        .list_container_instances()
        .cluster(name.as_str())
        .status(ContainerInstanceStatus::Active)
        .into_paginator()
        .items()
        .send();
    while let Some(arn) = pages.next().await {
        arns.push(arn.map_err(|error| Failure::new("ecs:ListContainerInstances", &error))?);
    }
    let batches = try_join_all(arns.chunks(BATCH).map(|batch| describe(ecs, name, batch))).await?;
    Ok(batches.into_iter().flatten().collect())
}

async fn describe(
    ecs: &aws_sdk_ecs::Client,
    name: &ClusterName,
    arns: &[String],
) -> Result<BTreeSet<Architecture>, Failure> {
    let sent = ecs
        .describe_container_instances()
        .cluster(name.as_str())
        .set_container_instances(Some(arns.to_vec()))
        .send()
        .await;
    let described = sent.map_err(|error| Failure::new("ecs:DescribeContainerInstances", &error))?;
    Ok(described
        .container_instances()
        .iter()
        .flat_map(|instance| instance.attributes())
        .filter(|attribute| attribute.name() == ARCHITECTURE)
        .filter_map(|attribute| attribute.value().map(Architecture::from_word))
        .collect())
}
