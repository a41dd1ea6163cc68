//! A cluster's capacity: observing it in three rounds, and applying a scale pass's steps.
//!
//! # Flow of an observation
//!
//! 1. Side by side, without knowing anything: the cluster's parameter, every spec, what people stopped,
//!    services, instances, tasks, the groups that carry our tag, the cluster's capacity providers.
//! 2. What only the first round could say: the revisions of services and tasks, the services' rows, the
//!    alarms that specs name, the groups of instances that carry no tag, whose desired count AWS's
//!    Application Auto Scaling owns.
//! 3. The values of what those alarms watch.
//!
//! A fact that could not be read is said to be so, and hides no other one.

mod alarms;
mod apply;
mod groups;
mod instances;
mod mutes;
mod services;

use std::collections::{BTreeMap, BTreeSet};

use futures::stream::{self, StreamExt as _};
use futures::{FutureExt as _, join};
use windlass_shared::facts::{Fact, FailureKind, ParameterText, RoomFacts, Unreadable};
use windlass_shared::id::{ClusterName, ServiceKey, ServiceName, TaskDefinitionArn, Timestamp};
use windlass_shared::ledger::{ClusterRow, RoomWanted, ServiceRow};
use windlass_shared::scale::facts::{CapacityFacts, LiveTask, ServiceOfCluster};
use windlass_shared::scale::{self, CapacityPlan, Settings};
use windlass_shared::spec::{self, ServiceSpec};
use windlass_shared::task_definition::TaskDefinition;

pub use self::apply::{CapacityMade, apply};
pub(crate) use self::apply::{put_mark, set_state, take_back};
pub(crate) use self::groups::{providers, tagged};
pub(crate) use self::instances::{describe_instances, instances, instances_in, live_task};
pub(crate) use self::services::{describe as describe_services, placement};
use crate::Failure;
use crate::lossless::describe_task_definition;
use crate::observe::convert::fact;
use crate::observe::shelf::Shelf;
use crate::observe::{parameter, parameters};
use crate::{Clients, Clock, Ledger};

/// Calls of one kind under way at once: within every read bucket's burst.
const SIDE_BY_SIDE: usize = 8;
/// Revisions that are kept: they never change.
const REVISIONS: usize = 512;

/// Reads clusters for scale passes.
#[derive(Debug)]
pub struct CapacityObserver {
    clients: Clients,
    clock: Clock,
    ledger: Ledger,
    revisions: Shelf<TaskDefinitionArn, TaskDefinition>,
}

impl CapacityObserver {
    /// An observer with nothing kept.
    pub fn new(clients: Clients, clock: Clock, ledger: Ledger) -> Self {
        Self { clients, clock, ledger, revisions: Shelf::new(REVISIONS, None) }
    }

    /// Everything that a pass over the cluster must see.
    pub async fn cluster_facts(&self, cluster: &ClusterName) -> CapacityFacts {
        let (first, groups) = join!(self.first_round(cluster), groups::tagged(&self.clients, cluster));
        let (mut facts, parameters) = first;
        let names = specs_of(cluster, &parameters);
        let alarms = alarms::named(&names);
        let untagged = groups::of_instances(&self.clients, &facts.instances, groups);
        let owned = services::owned_elsewhere(&self.clients, cluster, &names);
        let (rows, groups, alarms, owned) = join!(
            self.rows(cluster, &facts),
            untagged.boxed(),
            alarms::alarms(&self.clients, &alarms, self.clock.now()),
            owned,
        );
        facts.groups = groups;
        facts.alarms = alarms;
        facts.owned_elsewhere = owned;
        facts.coming = coming(cluster, &facts.services, &rows);
        facts.services = with_rows(facts.services, rows);
        // Last: the rows name revisions, too, for which room is wanted.
        facts.task_definitions = self.revisions(&facts).await;
        facts
    }

    /// The facts, the plan that they make, and when. Where it would set a number of tasks, it is asked whether the
    /// alarms are muted; where it would empty an instance, which tasks are protected; and the plan is made again
    /// with that: no other pass pays for it.
    pub async fn plan(
        &self,
        cluster: &ClusterName,
        row: &ClusterRow,
        settings: &Settings,
    ) -> (CapacityFacts, CapacityPlan, Timestamp) {
        let mut facts = Box::pin(self.cluster_facts(cluster)).await;
        let now = self.clock.now();
        let mut plan = scale::plan(&facts, row, settings, now);
        let alarms = alarms_of(plan.sets(), &facts);
        if !alarms.is_empty() {
            facts.mutes = mutes::mutes(&self.clients.cloudwatch, &alarms).await;
            plan = scale::plan(&facts, row, settings, now);
        }
        if !plan.empties() {
            return (facts, plan, now);
        }
        facts.protection = self.protect(cluster, &mut facts.tasks).await;
        let now = self.clock.now();
        let plan = scale::plan(&facts, row, settings, now);
        (facts, plan, now)
    }

    /// Notes which tasks are protected, and until when.
    async fn protect(&self, cluster: &ClusterName, tasks: &mut Fact<Vec<LiveTask>>) -> Fact<()> {
        let Fact::Known(tasks) = tasks else { return Fact::NotAsked };
        let read = instances::protections(&self.clients.ecs, cluster, tasks).await;
        let read = read.map(|until| {
            for task in tasks {
                task.protected_until = until.get(&task.arn).copied();
            }
            Some(())
        });
        fact(read, || format!("asking which tasks of {cluster} are protected"))
    }

    /// What a deploy pass must see to tell whether its rollout has room: the instances and what is on them,
    /// what else is wanted, and who could bring more. No alarms, and nobody's desired counts.
    pub async fn room_facts(&self, cluster: &ClusterName) -> Fact<Box<RoomFacts>> {
        let ecs = &self.clients.ecs;
        let name = spec::cluster_parameter_name(cluster);
        let (parameter, services, instances, tasks, providers, groups, row) = join!(
            parameter(&self.clients.ssm, &name),
            services::services(ecs, cluster),
            instances::instances(ecs, cluster),
            instances::tasks(ecs, cluster),
            groups::providers(ecs, cluster),
            groups::tagged(&self.clients, cluster),
            self.ledger.row(cluster),
        );
        let row = match row {
            Ok(row) => row,
            Err(error) => {
                let doing = format!("reading the row of {cluster}");
                let detail = error.to_string();
                return Fact::Unreadable(Unreadable { doing, kind: FailureKind::Unknown, detail });
            }
        };
        let mut facts = CapacityFacts {
            parameter,
            services,
            instances,
            tasks,
            providers,
            ..CapacityFacts::not_asked(cluster.clone())
        };
        let untagged = groups::of_instances(&self.clients, &facts.instances, groups);
        let (rows, groups) = join!(self.rows(cluster, &facts), untagged.boxed());
        facts.groups = groups;
        facts.coming = coming(cluster, &facts.services, &rows);
        facts.services = with_rows(facts.services, rows);
        facts.task_definitions = self.revisions(&facts).await;
        Fact::Known(Box::new(RoomFacts { capacity: facts, row }))
    }

    /// The facts of the first round, and every spec of the cluster.
    async fn first_round(
        &self,
        cluster: &ClusterName,
    ) -> (CapacityFacts, Fact<BTreeMap<ServiceName, ParameterText>>) {
        let ecs = &self.clients.ecs;
        let name = spec::cluster_parameter_name(cluster);
        let (own, parameters, stops, services, instances, tasks, providers) = join!(
            parameter(&self.clients.ssm, &name),
            self.parameters(cluster),
            self.ledger.stops_fact(),
            services::services(ecs, cluster),
            instances::instances(ecs, cluster),
            instances::tasks(ecs, cluster),
            groups::providers(ecs, cluster),
        );
        let services = with_parameters(services, &parameters);
        let facts = CapacityFacts {
            parameter: own,
            stops,
            services,
            instances,
            tasks,
            providers,
            ..CapacityFacts::not_asked(cluster.clone())
        };
        (facts, parameters)
    }

    async fn parameters(&self, cluster: &ClusterName) -> Fact<BTreeMap<ServiceName, ParameterText>> {
        let of_cluster = |(key, text): (ServiceKey, ParameterText)| {
            (key.cluster == *cluster).then_some((key.service, text))
        };
        let found = parameters(&self.clients.ssm).await;
        let found = found.map(|all| Some(all.into_iter().filter_map(of_cluster).collect()));
        fact(found, || "listing the specs".to_owned())
    }

    async fn rows(&self, cluster: &ClusterName, facts: &CapacityFacts) -> BTreeMap<ServiceKey, ServiceRow> {
        let services = facts.services.known().into_iter().flat_map(|services| services.keys());
        let mut keys: BTreeSet<ServiceKey> =
            services.map(|name| ServiceKey::new(cluster.clone(), name.clone())).collect();
        match self.ledger.services().await {
            // Those too that ECS does not have yet: their first release may wait for room.
            Ok(known) => keys.extend(known.into_iter().filter(|key| key.cluster == *cluster)),
            Err(error) => tracing::warn!(%cluster, reason = %error, "listing the services that have a row"),
        }
        let keys: Vec<ServiceKey> = keys.into_iter().collect();
        // Without rows scaling does less and never more: a rollout is seen by ECS's deployments too.
        self.ledger.rows(&keys).await.unwrap_or_else(|error| {
            tracing::warn!(%cluster, reason = %error, "reading the rows of the cluster's services");
            BTreeMap::new()
        })
    }

    async fn revisions(&self, facts: &CapacityFacts) -> BTreeMap<TaskDefinitionArn, Fact<TaskDefinition>> {
        let services = facts.services.known().into_iter().flat_map(|services| services.values());
        let of_services = services.map(|service| service.live.task_definition.clone());
        let tasks = facts.tasks.known().into_iter().flatten();
        let of_tasks = tasks.map(|task: &LiveTask| task.task_definition.clone());
        let rooms = facts.services.known().into_iter().flat_map(|services| services.values());
        let of_rooms = rooms.filter_map(|service| {
            Some(service.row.as_ref()?.state.marks.room.as_ref()?.task_definition.clone())
        });
        let of_coming = facts.coming.values().map(|room| room.task_definition.clone());
        let all: BTreeSet<TaskDefinitionArn> =
            of_services.chain(of_tasks).chain(of_rooms).chain(of_coming).collect();
        stream::iter(all)
            .map(|arn| async move { (arn.clone(), self.revision(arn).await) })
            .buffer_unordered(SIDE_BY_SIDE)
            .collect()
            .await
    }

    async fn revision(&self, arn: TaskDefinitionArn) -> Fact<TaskDefinition> {
        let ecs = self.clients.ecs.clone();
        let name = arn.clone();
        let begin = || {
            async move {
                let found = describe_task_definition(&ecs, name.as_str()).await;
                fact(found.map(Some), || format!("describing task definition {}", name.short()))
            }
            .boxed()
        };
        self.revisions.get(arn, self.clock.now(), begin).await
    }
}

/// The specs of the cluster that read, by service.
fn specs_of(
    cluster: &ClusterName,
    parameters: &Fact<BTreeMap<ServiceName, ParameterText>>,
) -> BTreeMap<ServiceName, ServiceSpec> {
    let parameters = parameters.known().into_iter().flatten();
    let read = parameters.filter_map(|(name, text)| match ServiceSpec::parse(&text.text) {
        Ok(spec) => Some((name.clone(), spec)),
        Err(error) => {
            tracing::debug!(%cluster, service = %name, reason = %error, "a spec does not read");
            None
        }
    });
    read.collect()
}

/// The alarms by which these services scale.
fn alarms_of<'a>(services: impl Iterator<Item = &'a ServiceName>, facts: &CapacityFacts) -> BTreeSet<String> {
    let all = facts.services.known();
    let of = |name: &ServiceName| {
        let text = &all?.get(name)?.parameter.known()?.text;
        let spec = ServiceSpec::parse(text).ok()?;
        Some((name.clone(), spec))
    };
    alarms::named(&services.filter_map(of).collect())
}

fn with_parameters(
    services: Fact<BTreeMap<ServiceName, ServiceOfCluster>>,
    parameters: &Fact<BTreeMap<ServiceName, ParameterText>>,
) -> Fact<BTreeMap<ServiceName, ServiceOfCluster>> {
    let Fact::Known(mut services) = services else { return services };
    for (name, service) in &mut services {
        service.parameter = match parameters {
            Fact::Known(all) => all.get(name).cloned().map_or(Fact::Absent, Fact::Known),
            Fact::Unreadable(what) => Fact::Unreadable(what.clone()),
            Fact::Absent => Fact::Absent,
            Fact::NotAsked => Fact::NotAsked,
        };
    }
    Fact::Known(services)
}

/// What first releases wait for: rows of services that ECS does not have, or has no more.
fn coming(
    cluster: &ClusterName,
    services: &Fact<BTreeMap<ServiceName, ServiceOfCluster>>,
    rows: &BTreeMap<ServiceKey, ServiceRow>,
) -> BTreeMap<ServiceName, RoomWanted> {
    let Some(services) = services.known() else { return BTreeMap::new() };
    let is_there = |key: &ServiceKey| services.get(&key.service).is_some_and(|it| it.live.status == "ACTIVE");
    let new = rows.iter().filter(|(key, _)| key.cluster == *cluster && !is_there(key));
    let rooms = new.filter_map(|(key, row)| Some((key.service.clone(), row.state.marks.room.clone()?)));
    rooms.collect()
}

fn with_rows(
    services: Fact<BTreeMap<ServiceName, ServiceOfCluster>>,
    rows: BTreeMap<ServiceKey, ServiceRow>,
) -> Fact<BTreeMap<ServiceName, ServiceOfCluster>> {
    let Fact::Known(mut services) = services else { return services };
    for (key, row) in rows {
        if let Some(service) = services.get_mut(&key.service) {
            service.row = Some(row);
        }
    }
    Fact::Known(services)
}

/// Every page of a listing, or why not.
pub(crate) type Listed<T> = Result<Vec<T>, Failure>;
