//! Every service, at a glance: what the sweep's triage needs to tell which of them need a
//! pass. Reads only, and few: services by the ten, rows by the hundred, one listing for each
//! repository.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ecs::operation::describe_services::DescribeServicesOutput;
use aws_sdk_ecs::types::ServiceField;
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use futures::try_join;
use windlass_shared::deploy::{Settings, wanted};
use windlass_shared::facts::{Fact, FailureKind, ImageFact, LiveService, ParameterText, ServiceFacts};
use windlass_shared::id::{ClusterName, RepositoryName, ServiceKey};
use windlass_shared::ledger::ServiceRow;
use windlass_shared::spec::Origin;

use crate::error::Failure;
use crate::ledger::{Ledger, LedgerError};
use crate::observe::convert::fact;
use crate::observe::repository::{self, ImageQuery};
use crate::observe::service::live;
use crate::observe::{Observer, parameters, upstream};

/// DescribeServices' limit.
const DESCRIBED: usize = 10;
/// ListServices' largest page.
const LISTED: i32 = 100;
/// Calls of one kind under way at once: within every read bucket's burst (50 to 100), with
/// room for the passes that run meanwhile.
const SIDE_BY_SIDE: usize = 8;

/// One service at a glance: `parameter`, `service`, `images` and `stops` are read, nothing else; `upstream`
/// of those that wait for it is told by the others' glimpses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glimpse {
    /// The cheap facts.
    pub facts: ServiceFacts,
    /// Its row; `None` where no doorbell ever rang.
    pub row: Option<ServiceRow>,
}

/// A list could not be read, so that services might be missing from the sweep.
#[derive(Debug, thiserror::Error)]
pub enum SweepFailure {
    /// ECS or Parameter Store.
    #[error("{doing}: {source}")]
    Call {
        /// What was being done.
        doing: String,
        /// Why not.
        source: Failure,
    },
    /// The ledger.
    #[error("reading the ledger")]
    Ledger(#[from] LedgerError),
}

impl Observer {
    /// Every service of these clusters that ECS, Parameter Store or the ledger knows of.
    /// What one service's facts could not say is a fact of that service; what hides
    /// services is an error.
    pub async fn sweep(
        &self,
        clusters: &[ClusterName],
        ledger: &Ledger,
        settings: &Settings,
    ) -> Result<Vec<Glimpse>, SweepFailure> {
        let (live, parameters, known, stops) = try_join!(
            self.live_services(clusters),
            self.all_parameters(),
            async { ledger.services().await.map_err(SweepFailure::from) },
            async { Ok(ledger.stops_fact().await) },
        )?;
        let keys: BTreeSet<ServiceKey> = live
            .keys()
            .chain(parameters.keys())
            .chain(&known)
            .filter(|key| clusters.contains(&key.cluster))
            .cloned()
            .collect();
        let keys: Vec<ServiceKey> = keys.into_iter().collect();
        let mut rows = ledger.rows(&keys).await?;
        let mut glimpses: Vec<Glimpse> = keys
            .into_iter()
            .map(|key| {
                let facts = ServiceFacts {
                    parameter: parameters.get(&key).cloned().map_or(Fact::Absent, Fact::Known),
                    service: live.get(&key).cloned().unwrap_or(Fact::Absent),
                    stops: stops.clone(),
                    ..ServiceFacts::not_asked(key.clone())
                };
                Glimpse { row: rows.remove(&key), facts }
            })
            .collect();
        self.list_images(&mut glimpses, settings).await;
        upstream::of_glimpses(&mut glimpses, settings, self.now());
        Ok(glimpses)
    }

    async fn all_parameters(&self) -> Result<BTreeMap<ServiceKey, ParameterText>, SweepFailure> {
        let found = parameters(&self.clients().ssm).await;
        let found =
            found.map_err(|source| SweepFailure::Call { doing: "listing the specs".to_owned(), source })?;
        Ok(found.into_iter().collect())
    }

    async fn live_services(
        &self,
        clusters: &[ClusterName],
    ) -> Result<BTreeMap<ServiceKey, Fact<LiveService>>, SweepFailure> {
        let listed: Vec<Vec<ServiceKey>> = stream::iter(clusters.to_vec())
            // Owned: over a borrow the future would not be `Send` for whoever spawns the pass.
            .map(|cluster| self.service_names(cluster))
            .buffer_unordered(SIDE_BY_SIDE)
            .try_collect()
            .await?;
        let batches: Vec<Vec<ServiceKey>> = listed
            .iter()
            .flat_map(|of_cluster| of_cluster.chunks(DESCRIBED).map(<[ServiceKey]>::to_vec))
            .collect();
        let described: Vec<Vec<(ServiceKey, Fact<LiveService>)>> = stream::iter(batches)
            .map(|batch| self.describe_batch(batch))
            .buffer_unordered(SIDE_BY_SIDE)
            .collect()
            .await;
        Ok(described.into_iter().flatten().collect())
    }

    /// The services of one cluster. A cluster that is not there has none.
    async fn service_names(&self, cluster: ClusterName) -> Result<Vec<ServiceKey>, SweepFailure> {
        let mut arns = self
            .clients()
            .ecs
            .list_services()
            .cluster(cluster.as_str())
            .into_paginator()
            .page_size(LISTED)
            .items()
            .send();
        let mut keys = Vec::new();
        while let Some(arn) = arns.next().await {
            match arn.map_err(|error| Failure::new("ecs:ListServices", &error)) {
                Ok(arn) => {
                    // The short form of an ARN names no cluster; it is of the one that was asked.
                    let name = arn.rsplit('/').next().unwrap_or(&arn);
                    keys.push(ServiceKey::new(cluster.clone(), name));
                }
                Err(failure) if failure.kind == FailureKind::NotFound => return Ok(Vec::new()),
                Err(source) => {
                    let doing = format!("listing the services of {cluster}");
                    return Err(SweepFailure::Call { doing, source });
                }
            }
        }
        Ok(keys)
    }

    /// Ten services of one cluster. Those that could not be read say so one by one.
    async fn describe_batch(&self, batch: Vec<ServiceKey>) -> Vec<(ServiceKey, Fact<LiveService>)> {
        let names = batch.iter().map(|key| key.service.to_string()).collect();
        let sent = self
            .clients()
            .ecs
            .describe_services()
            .set_cluster(batch.first().map(|key| key.cluster.to_string()))
            .set_services(Some(names))
            .include(ServiceField::Tags)
            .send()
            .await;
        let described = sent.map_err(|error| Failure::new("ecs:DescribeServices", &error));
        let of = |key: &ServiceKey| match &described {
            Ok(described) => fact(one_of(described, key), || format!("describing service {key}")),
            Err(failure) => {
                Fact::Unreadable(failure.clone().into_unreadable(format!("describing service {key}")))
            }
        };
        batch.iter().map(|key| (key.clone(), of(key))).collect()
    }

    /// Gives each service the images of the repository that it follows: one listing for each
    /// repository, whoever follows it.
    async fn list_images(&self, glimpses: &mut [Glimpse], settings: &Settings) {
        let queries: Vec<Option<ImageQuery>> =
            glimpses.iter().map(|glimpse| query(glimpse, settings)).collect();
        let mut asked: BTreeMap<RepositoryName, ImageQuery> = BTreeMap::new();
        for query in queries.iter().flatten() {
            asked
                .entry(query.repository.clone())
                // Two tags of one repository: the whole listing has both.
                .and_modify(|there| {
                    if there != query {
                        there.tag = None;
                    }
                })
                .or_insert_with(|| query.clone());
        }
        let ecr = &self.clients().ecr;
        let listed: BTreeMap<RepositoryName, Fact<Vec<ImageFact>>> = stream::iter(asked.into_values())
            .map(|query| async move { (query.repository.clone(), repository::images(ecr, &query).await) })
            .buffer_unordered(SIDE_BY_SIDE)
            .collect()
            .await;
        for (glimpse, query) in glimpses.iter_mut().zip(queries) {
            let Some(query) = query else { continue };
            glimpse.facts.images = listed.get(&query.repository).cloned().unwrap_or(Fact::NotAsked);
        }
    }
}

/// One service out of a batch's answer.
fn one_of(described: &DescribeServicesOutput, key: &ServiceKey) -> Result<Option<LiveService>, Failure> {
    let name = key.service.as_str();
    if let Some(service) = described.services().iter().find(|service| service.service_name() == Some(name)) {
        return Ok(Some(live(service)));
    }
    let is_it = |arn: &str| arn.rsplit('/').next() == Some(name);
    match described.failures().iter().find(|failed| failed.arn().is_some_and(is_it)) {
        Some(failed) if failed.reason() != Some("MISSING") => {
            let why = failed.detail().unwrap_or("(no detail)");
            Err(Failure::of_code("ecs:DescribeServices", failed.reason(), why))
        }
        Some(_) | None => Ok(None),
    }
}

/// What the service follows: by its spec; by its row, where labels say so or nothing does.
fn query(glimpse: &Glimpse, settings: &Settings) -> Option<ImageQuery> {
    match wanted(&glimpse.facts, settings) {
        Ok(wanted) if wanted.origin != Origin::Labels => {
            Some(ImageQuery::of(&wanted.spec.image.repository, &wanted.spec.image.policy))
        }
        Ok(_) | Err(_) => glimpse.row.as_ref()?.state.repository.as_ref().map(ImageQuery::all),
    }
}
