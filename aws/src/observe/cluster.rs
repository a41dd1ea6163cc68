//! The cluster, its instances, and which architectures they have.

use std::collections::BTreeSet;

use aws_sdk_ecs::types::ContainerInstanceStatus;
use futures::join;
use windlass_shared::facts::{ClusterFacts, Fact};
use windlass_shared::id::{Architecture, ClusterName, Timestamp};
use windlass_shared::scale::facts::LiveInstance;

use super::convert::{fact, text};
use crate::capacity::instances_in;
use crate::error::Failure;

/// The attribute in which the ECS agent says it.
const ARCHITECTURE: &str = "ecs.cpu-architecture";

/// The cluster with its architectures. The two are read side by side.
pub(crate) async fn cluster(
    ecs: aws_sdk_ecs::Client,
    name: ClusterName,
    now: Timestamp,
) -> Fact<ClusterFacts> {
    let (status, instances) =
        join!(status(&ecs, &name), instances_in(&ecs, &name, Some(ContainerInstanceStatus::Active)));
    let found = status.and_then(|status| match status {
        None => Ok(None),
        Some(status) => {
            let instances = instances?;
            let architectures = architectures(&instances);
            let read_at = Some(now);
            Ok(Some(ClusterFacts { name: name.clone(), status, architectures, instances, read_at }))
        }
    });
    fact(found, || format!("describing cluster {name}"))
}

async fn status(ecs: &aws_sdk_ecs::Client, name: &ClusterName) -> Result<Option<String>, Failure> {
    let sent = ecs.describe_clusters().clusters(name.as_str()).send().await;
    let described = sent.map_err(|error| Failure::new("ecs:DescribeClusters", &error))?;
    Ok(described.clusters().first().map(|cluster| text(cluster.status())))
}

fn architectures(instances: &[LiveInstance]) -> BTreeSet<Architecture> {
    let words = instances.iter().filter_map(|it| it.attributes.get(ARCHITECTURE)?.as_deref());
    words.map(Architecture::from_word).collect()
}
