//! Which instance an event means, and which ones leave.

use std::collections::BTreeSet;

use futures::future::try_join_all;
use futures::try_join;
use windlass_shared::facts::{Fact, Unreadable};
use windlass_shared::id::{ClusterName, ContainerInstanceArn, InstanceId};
use windlass_shared::ledger::{InstanceKey, MARK};
use windlass_shared::scale::facts::LiveInstance;

use super::{DrainObserver, group};
use crate::LedgerError;
use crate::capacity::{instances, tagged};
use crate::error::Failure;

/// Where instances are could not be told.
#[derive(Debug, thiserror::Error)]
pub enum FindError {
    /// AWS.
    #[error("looking for the instance")]
    Call(#[from] Failure),
    /// The ledger.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// Instances.
    #[error("{0}")]
    Unreadable(Unreadable),
}

impl DrainObserver {
    /// The instance in one of these clusters: where it is registered; else where its group belongs (it may be
    /// gone from ECS, and Auto Scaling still wait for it); else where a row of it is open.
    pub async fn of_ec2(
        &self,
        instance: &InstanceId,
        clusters: &[ClusterName],
    ) -> Result<Option<InstanceKey>, FindError> {
        let keys = || clusters.iter().map(|cluster| InstanceKey::new(cluster.clone(), instance.clone()));
        let registered = try_join_all(keys().map(|key| async move {
            let arns = self.arns(&key).await;
            // A cluster that is not there has none.
            let arns =
                arns.or_else(|it| if it.is("ClusterNotFoundException") { Ok(Vec::new()) } else { Err(it) });
            Ok::<_, FindError>((!arns?.is_empty()).then_some(key))
        }));
        let (registered, of_group) =
            try_join!(registered, async { Ok(group::cluster_of(&self.clients, instance).await?) })?;
        let found = registered.into_iter().flatten().next();
        if let Some(key) = found.or_else(|| keys().find(|key| Some(&key.cluster) == of_group.as_ref())) {
            return Ok(Some(key));
        }
        for key in keys() {
            let row = self.ledger.row(&key).await?;
            if row.state.leaves.is_some() && row.state.ended.is_none() {
                return Ok(Some(key));
            }
        }
        Ok(None)
    }

    /// A container instance, where it leaves.
    pub async fn of_arn(
        &self,
        cluster: &ClusterName,
        arn: &ContainerInstanceArn,
    ) -> Result<Option<InstanceKey>, FindError> {
        let found = self.described(cluster.as_str(), arn).await?;
        let leaves = found.into_iter().find(leaves);
        Ok(leaves.and_then(|it| Some(InstanceKey::new(cluster.clone(), it.ec2?))))
    }

    /// Every instance of the cluster that leaves: by our mark, by ECS's status, or since Auto Scaling waits
    /// for it.
    pub async fn leaving(&self, cluster: &ClusterName) -> Result<Vec<InstanceKey>, FindError> {
        let groups = async { Ok(tagged(&self.clients, cluster).await?) };
        let live = async {
            match instances(&self.clients.ecs, cluster).await {
                Fact::Known(live) => Ok(live),
                Fact::Absent | Fact::NotAsked => Ok(Vec::new()),
                Fact::Unreadable(what) => Err(FindError::Unreadable(what)),
            }
        };
        let (groups, live): (Vec<_>, Vec<LiveInstance>) = try_join!(groups, live)?;
        let members = groups.into_iter().flat_map(|group| group.instances);
        let waiting = members.filter(|it| it.lifecycle.ends_with(":Wait")).map(|it| it.id);
        let by_ecs = live.into_iter().filter(leaves).filter_map(|it| it.ec2);
        let all: BTreeSet<InstanceId> = waiting.chain(by_ecs).collect();
        Ok(all.into_iter().map(|id| InstanceKey::new(cluster.clone(), id)).collect())
    }
}

fn leaves(instance: &LiveInstance) -> bool {
    instance.status == "DRAINING" || instance.attributes.contains_key(MARK)
}
