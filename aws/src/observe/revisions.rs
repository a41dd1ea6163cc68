//! The revisions of a family, and which of them other services need.

use std::collections::BTreeSet;

use aws_sdk_ecs::types::{SortOrder, TaskDefinitionStatus};
use futures::future::{join, try_join_all};
use windlass_shared::deploy::keep;
use windlass_shared::facts::{Fact, RevisionFacts, Unreadable};
use windlass_shared::id::{Family, ServiceKey, TaskDefinitionArn};

use super::convert::fact;
use super::{Observer, service};
use crate::error::Failure;
use crate::ledger::LedgerError;

const LIST: &str = "ecs:ListTaskDefinitions";
/// Of 100 revisions each: a family that grew for years is not read whole.
const PAGES: usize = 10;

/// The family's ACTIVE revisions, and those that services other than `key` need.
pub(super) async fn revisions(observer: &Observer, key: &ServiceKey, family: Family) -> Fact<RevisionFacts> {
    let (listed, elsewhere) = join(list(observer, &family), elsewhere(observer, key, &family)).await;
    let (active, cut_off) = match fact(listed.map(Some), || format!("listing the revisions of {family}")) {
        Fact::Known(listed) => listed,
        Fact::Unreadable(what) => return Fact::Unreadable(what),
        Fact::Absent | Fact::NotAsked => return Fact::Absent,
    };
    match elsewhere {
        Ok(elsewhere) => Fact::Known(RevisionFacts { family, active, cut_off, elsewhere }),
        Err(what) => Fact::Unreadable(what),
    }
}

/// The oldest first, and whether there are more than were read.
async fn list(observer: &Observer, family: &Family) -> Result<(Vec<TaskDefinitionArn>, bool), Failure> {
    let (mut arns, mut token) = (Vec::new(), None);
    for _ in 0..PAGES {
        let page = observer
            .clients()
            .ecs
            .list_task_definitions()
            .family_prefix(family.as_str())
            .status(TaskDefinitionStatus::Active)
            .sort(SortOrder::Asc)
            .set_next_token(token.take())
            .send()
            .await
            .map_err(|error| Failure::new(LIST, &error))?;
        arns.extend(page.task_definition_arns().iter().map(TaskDefinitionArn::new));
        token = page.next_token;
        if token.is_none() {
            return Ok((arns, false));
        }
    }
    Ok((arns, true))
}

/// What the other services of the ledger need of this family: by their rows, and where those
/// name it by what ECS says that they run.
async fn elsewhere(
    observer: &Observer,
    key: &ServiceKey,
    family: &Family,
) -> Result<BTreeSet<TaskDefinitionArn>, Unreadable> {
    let ledger = observer.ledger();
    let mut keys = ledger.services().await.map_err(LedgerError::into_unreadable)?;
    keys.retain(|other| other != key);
    let rows = ledger.rows(&keys).await.map_err(LedgerError::into_unreadable)?;
    let of_family = |arn: &TaskDefinitionArn| arn.family() == *family;
    let mut needed = BTreeSet::new();
    let mut sharing = Vec::new();
    for (other, row) in rows {
        let by_row: Vec<_> = keep::needed(&row.state).into_iter().filter(of_family).collect();
        if !by_row.is_empty() {
            sharing.push(other);
        }
        needed.extend(by_row);
    }
    let run = sharing.into_iter().map(|other| async move {
        match service::service(&observer.clients().ecs, &other).await {
            Fact::Known(service) => Ok(keep::run_by(&service)),
            Fact::Absent | Fact::NotAsked => Ok(BTreeSet::new()),
            Fact::Unreadable(what) => Err(what),
        }
    });
    needed.extend(try_join_all(run).await?.into_iter().flatten().filter(of_family));
    Ok(needed)
}
