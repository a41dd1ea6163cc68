//! Observing one service: everything that a deploy pass must see, in as few rounds as it
//! takes.
//!
//! # Flow
//!
//! 1. Side by side, without knowing anything: the spec's parameter, the service with its
//!    tags, the cluster; and, led by the row and by [`Hints`], the repository's images, the live revision,
//!    the family's newest, the route, the pushed image's content.
//! 2. Side by side, what only the first round could say: whatever a hint had wrong, the
//!    chosen image's content, and of a rollout in flight how it ended.
//!
//! A service that is wanted by its image's labels takes one round more: nothing else says
//! what is wanted of it. So does one that follows another service, while it is to be rolled out.
//!
//! # Guarantees
//!
//! Hints only make a pass quicker. What they led to is used where the spec and the service
//! ask for the very same thing, and read anew where not.
//!
//! It decides nothing: *which* image is wanted is asked of `shared`, to look into that one.

mod alarms;
mod canary;
mod cluster;
mod configuration;
mod content;
pub(crate) mod convert;
pub(crate) mod parameter;
pub(crate) mod pre_deploy;
pub(crate) mod repository;
mod revisions;
mod rollback;
pub(crate) mod rounds;
pub(crate) mod route;
mod scan;
pub(crate) mod service;
pub(crate) mod shelf;
pub(crate) mod surroundings;
pub(crate) mod under_way;
pub(crate) mod upstream;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use windlass_shared::deploy::planner::room;
use windlass_shared::deploy::{self, Plan, Settings};
use windlass_shared::facts::{
    ClusterFacts, Fact, ImageContent, ImageFact, LiveService, RepositoryFacts, ServiceFacts,
};
use windlass_shared::id::{ClusterName, ImageDigest, ImageTag, RepositoryName, ServiceKey, Timestamp};
use windlass_shared::ledger::{RouteHint, ServiceRow};
use windlass_shared::task_definition::TaskDefinition;

use self::content::Depth;
use self::shelf::{Reading, Shelf};
use crate::{CapacityObserver, Clients, Clock, Failure, Ledger, lossless};

pub(crate) use parameter::parameter_text;
pub use parameter::{delete_parameter, parameter, parameters, put_parameter};
pub use surroundings::listener_rules;

/// Images' contents that are kept: a few hundred bytes each.
const CONTENTS: usize = 64;
/// Clusters and repositories that are kept.
const NAMES: usize = 64;
/// How long a cluster's instances are taken for unchanged. Only an instance of a *new*
/// architecture matters, and the next pass sees it.
const CLUSTER_FRESH: Duration = Duration::from_mins(1);

/// Reads the world for deploy passes. Cheap to clone; what it keeps is shared.
#[derive(Debug, Clone)]
pub struct Observer(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    clients: Clients,
    clock: Clock,
    ledger: Ledger,
    contents: Shelf<(RepositoryName, ImageDigest, Depth), ImageContent>,
    clusters: Shelf<ClusterName, ClusterFacts>,
    repositories: Shelf<RepositoryName, RepositoryFacts>,
    capacity: CapacityObserver,
}

/// What the doorbell says, to read sooner by. Never a fact.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Hints {
    /// The repository that was pushed to.
    pub repository: Option<RepositoryName>,
    /// The image that was pushed.
    pub digest: Option<ImageDigest>,
    /// The tag that it was pushed under.
    pub tag: Option<ImageTag>,
}

/// Where the facts saw the service's route: for the row's next state.
pub fn route_hint(facts: &ServiceFacts) -> Option<RouteHint> {
    let route = facts.route.known()?;
    let group = route.target_group.known().map(|group| group.arn.clone());
    let rule = group.as_ref().and_then(|group| {
        windlass_shared::deploy::route::own_rule(&route.rules, group, &facts.key).map(|rule| rule.arn.clone())
    });
    Some(RouteHint { listener: route.listener.clone(), target_group: group, rule })
}

/// The service and the revision that it runs, as they are; `None` where there is no such service.
pub async fn running(
    ecs: &aws_sdk_ecs::Client,
    key: &ServiceKey,
) -> Result<Option<(LiveService, TaskDefinition)>, Failure> {
    let Some(service) = service::describe(ecs, key).await? else { return Ok(None) };
    let revision = lossless::describe_task_definition(ecs, service.task_definition.as_str()).await?;
    Ok(Some((service, revision)))
}

impl Observer {
    /// An observer with nothing kept.
    pub fn new(clients: Clients, clock: Clock, ledger: Ledger) -> Self {
        let capacity = CapacityObserver::new(clients.clone(), clock.clone(), ledger.clone());
        Self(Arc::new(Inner {
            capacity,
            clients,
            clock,
            ledger,
            contents: Shelf::new(CONTENTS, None),
            clusters: Shelf::new(NAMES, Some(CLUSTER_FRESH)),
            repositories: Shelf::new(NAMES, None),
        }))
    }

    /// The clients it reads with.
    pub fn clients(&self) -> &Clients {
        &self.0.clients
    }

    /// The ledger that it reads what people stopped from, and other services' rows.
    pub(crate) fn ledger(&self) -> &Ledger {
        &self.0.ledger
    }

    /// The time, as it passes here.
    pub(super) fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    /// Drives `meanwhile` to its end, and begins to read on the side what a pass over the push
    /// will want: while it waits for its lease, the image's config is on its way already.
    /// Needs a running tokio runtime.
    pub async fn prefetch<F: Future>(&self, hints: &Hints, meanwhile: F) -> F::Output {
        if let (Some(repository), Some(digest)) = (&hints.repository, &hints.digest) {
            drop(tokio::spawn(self.content(repository, digest, Depth::Platforms)));
        }
        meanwhile.await
    }

    /// Begins to read a cluster on the side, for a pass that is about to ask for its lease: the
    /// instances' architectures are two calls deep. Needs a running tokio runtime.
    pub fn warm(&self, cluster: &ClusterName) {
        drop(tokio::spawn(self.cluster(cluster)));
    }

    /// Everything that a pass over the service must see.
    pub async fn service_facts(
        &self,
        key: &ServiceKey,
        row: &ServiceRow,
        hints: &Hints,
        settings: &Settings,
    ) -> ServiceFacts {
        // The cluster's architectures are two calls deep, a pushed image's three: they have
        // all rounds to come in.
        let pushed = async {
            if let (Some(repository), Some(digest)) = (&hints.repository, &hints.digest) {
                self.content(repository, digest, Depth::Platforms).await;
            }
        };
        // Boxed: their type is deeper than the compiler follows.
        let rounds = rounds::read(self, key, row, hints, settings).boxed();
        let (mut facts, cluster, ()) = futures::join!(rounds, self.cluster(&key.cluster), pushed);
        facts.cluster = cluster;
        facts
    }

    /// The facts, the plan that they make, and when. Where that plan begins a rollout for whose tasks there
    /// is no room at first sight, the cluster's capacity is read and the plan made again with it: no
    /// other pass pays for that.
    pub async fn plan(
        &self,
        key: &ServiceKey,
        row: &ServiceRow,
        hints: &Hints,
        settings: &Settings,
    ) -> (ServiceFacts, Plan, Timestamp) {
        let mut facts = self.service_facts(key, row, hints, settings).await;
        let now = self.now();
        let plan = deploy::plan(&facts, row, settings, now);
        if !plan.asks_for_room {
            return (facts, plan, now);
        }
        if room::is_stale(&facts.cluster, now) {
            facts.cluster = cluster::cluster(self.0.clients.ecs.clone(), key.cluster.clone(), now).await;
            let plan = deploy::plan(&facts, row, settings, now);
            if !plan.asks_for_room {
                return (facts, plan, now);
            }
        }
        facts.room = Box::pin(self.0.capacity.room_facts(&key.cluster)).await;
        let now = self.now();
        let plan = deploy::plan(&facts, row, settings, now);
        (facts, plan, now)
    }

    /// What is in an image, its labels too.
    pub async fn image_content(
        &self,
        repository: &RepositoryName,
        digest: &ImageDigest,
    ) -> Fact<ImageContent> {
        self.content(repository, digest, Depth::Labels).await
    }

    /// A repository's images that have a tag.
    pub async fn images(&self, repository: &RepositoryName) -> Fact<Vec<ImageFact>> {
        repository::images(&self.0.clients.ecr, &repository::ImageQuery::all(repository)).await
    }

    fn cluster(&self, name: &ClusterName) -> Reading<ClusterFacts> {
        let (ecs, name) = (self.0.clients.ecs.clone(), name.clone());
        let now = self.0.clock.now();
        self.0.clusters.get(name.clone(), now, || cluster::cluster(ecs, name, now).boxed())
    }

    fn content(
        &self,
        repository: &RepositoryName,
        digest: &ImageDigest,
        depth: Depth,
    ) -> Reading<ImageContent> {
        let Clients { ecr, http, .. } = self.0.clients.clone();
        let (repository, digest) = (repository.clone(), digest.clone());
        self.0.contents.get((repository.clone(), digest.clone(), depth), self.0.clock.now(), || {
            content::content(ecr, http, repository, digest, depth).boxed()
        })
    }

    fn repository(&self, name: &RepositoryName) -> Reading<RepositoryFacts> {
        let (ecr, name) = (self.0.clients.ecr.clone(), name.clone());
        self.0.repositories.get(name.clone(), self.0.clock.now(), || {
            async move { repository::repository(&ecr, &name).await }.boxed()
        })
    }
}
