//! The two rounds (three for labels) of reading one service.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;

use futures::future::join_all;
use futures::join;
use windlass_shared::deploy::promotion::Choice;
use windlass_shared::deploy::{Note, Settings, desired, keep, rollback, rollout, wanted};
use windlass_shared::facts::{
    AlarmState, Fact, ImageContent, ImageFact, LiveService, RevisionFacts, RollbackFacts, RolloutState,
    RouteFacts, ScanFacts, ServiceFacts, UnderWay,
};
use windlass_shared::id::{Family, ImageDigest, ListenerArn, RepositoryName, ServiceKey, TaskDefinitionArn};
use windlass_shared::image::{Policy, select};
use windlass_shared::ledger::{InFlight, Manner, Quarantine, RouteHint, ServiceRow, in_force};
use windlass_shared::spec::{After, ServiceSpec, Wanted};
use windlass_shared::task_definition::TaskDefinition;

use super::canary::{self, Canary};
use super::content::Depth;
use super::convert::fact;
use super::repository::{self, ImageQuery};
use super::route::Second;
use super::{
    Hints, Observer, alarms, parameter, pre_deploy, revisions, route, scan, service, surroundings, under_way,
    upstream,
};
use crate::lossless::describe_task_definition;

/// All facts but the cluster.
pub(super) async fn read(
    observer: &Observer,
    key: &ServiceKey,
    row: &ServiceRow,
    hints: &Hints,
    settings: &Settings,
) -> ServiceFacts {
    let led = Led::by(row, hints);
    let reader = Reader { observer, key, row, led };
    let mut facts = ServiceFacts::not_asked(key.clone());
    // Boxed: dozens of SDK calls side by side make large futures.
    let first = Box::pin(reader.first(&mut facts)).await;
    let mut found = wanted(&facts, settings);
    let nobody_says = found.as_ref().is_err_and(|note| matches!(**note, Note::NotTracked { .. }));
    let by_labels = nobody_says && settings.guard_rails.enabled;
    if by_labels && let Some(repository) = &reader.led.repository {
        let query = ImageQuery::all(repository);
        facts.images = reader.images(&query, first.images.as_ref()).await;
        facts.inspected = reader.newest(&query, &facts.images).await;
        found = wanted(&facts, settings);
    }
    let found = found.ok();
    Box::pin(reader.second(&mut facts, first, found.as_ref(), settings)).await;
    if let Some(spec) = found.as_ref().map(|wanted| &wanted.spec)
        && let Some(after) = &spec.after
    {
        Box::pin(reader.upstream(&mut facts, spec, after)).await;
    }
    facts
}

/// What the first round found under hints that may be wrong.
struct First {
    images: Option<(ImageQuery, Fact<Vec<ImageFact>>)>,
    live: Option<(TaskDefinitionArn, Fact<TaskDefinition>)>,
    newest: (Family, Fact<TaskDefinition>),
    route: Option<(ListenerArn, route::Early)>,
}

struct Reader<'a> {
    observer: &'a Observer,
    key: &'a ServiceKey,
    row: &'a ServiceRow,
    led: Led,
}

/// What will probably be asked for: by the doorbell, and by what the row remembers.
struct Led {
    repository: Option<RepositoryName>,
    query: Option<ImageQuery>,
    task_definition: Option<TaskDefinitionArn>,
    route: Option<RouteHint>,
}

impl Led {
    fn by(row: &ServiceRow, hints: &Hints) -> Self {
        let state = &row.state;
        let (settled, begun) = (state.settled.as_ref(), state.in_flight.as_ref());
        let remembered: Option<Policy> =
            begun.map(|b| &b.policy).or(settled.map(|s| &s.policy)).and_then(|text| text.parse().ok());
        let policy = remembered.or_else(|| hints.tag.clone().map(Policy::Tag));
        // Whom a push rang follows the repository; whom something else rang, the row's.
        let repository = hints.repository.clone().or_else(|| state.repository.clone());
        let query = repository.as_ref().map(|repository| match &policy {
            Some(policy) => ImageQuery::of(repository, policy),
            None => ImageQuery::all(repository),
        });
        let task_definition = begun
            .and_then(|begun| begun.task_definition.clone())
            .or_else(|| settled.map(|settled| settled.task_definition.clone()));
        Self { repository, query, task_definition, route: state.route.clone() }
    }
}

impl Reader<'_> {
    async fn first(&self, facts: &mut ServiceFacts) -> First {
        let clients = self.observer.clients();
        let Led { repository, query, task_definition, route } = &self.led;
        let family =
            task_definition.as_ref().map_or_else(|| desired::family(self.key), TaskDefinitionArn::family);
        let ((parameter, cluster_parameter), service, stops, pre_deploy, images, live, newest, early, ()) = join!(
            parameter::of_service(&clients.ssm, self.key),
            service::service(&clients.ecs, self.key),
            self.observer.ledger().stops_fact(),
            pre_deploy::pre_deploy(&clients.ecs, self.key, self.row),
            async {
                let query = query.clone()?;
                let images = repository::images(&clients.ecr, &query).await;
                Some((query, images))
            },
            async {
                let arn = task_definition.clone()?;
                let live = self.task_definition(arn.as_str()).await;
                Some((arn, live))
            },
            self.task_definition(family.as_str()),
            async {
                let listener = &route.as_ref()?.listener;
                let early = Box::pin(route::early(&clients.elb, self.key, listener, route.as_ref())).await;
                Some((listener.clone(), early))
            },
            async {
                // On the shelf for the second round.
                if let Some(repository) = repository {
                    self.observer.repository(repository).await;
                }
            },
        );
        facts.parameter = parameter;
        facts.cluster_parameter = cluster_parameter;
        facts.service = service;
        facts.stops = stops;
        facts.pre_deploy = pre_deploy;
        First { images, live, newest: (family, newest), route: early }
    }

    async fn second(
        &self,
        facts: &mut ServiceFacts,
        first: First,
        wanted: Option<&Wanted>,
        settings: &Settings,
    ) {
        let First { images: early_images, live, newest, route: early_route } = first;
        let alarms = self.alarms(wanted, facts.service.known(), early_images.as_ref());
        // A deleted service is shown as INACTIVE for a while; what comes is a new one.
        let service = facts.service.known().filter(|service| service.status != "INACTIVE").cloned();
        let (
            chosen,
            repository,
            live,
            newest,
            route,
            deployments,
            stopped,
            alarms,
            under_way,
            back,
            canary,
            revisions,
        ) = join!(
            async {
                let may_roll_out = self.scan_is_wanted(wanted, facts.service.known(), early_images.as_ref());
                let chosen = self.chosen(wanted, &facts.images, &facts.inspected, early_images).await;
                let scans = self.scans(wanted.filter(|_| may_roll_out), &facts.inspected, &chosen.1).await;
                (chosen, scans)
            },
            async {
                match wanted {
                    Some(wanted) => self.observer.repository(&wanted.spec.image.repository).await,
                    None => Fact::NotAsked,
                }
            },
            self.live(service.as_ref(), live),
            self.newest_revision(service.as_ref(), newest),
            self.route(wanted, settings, early_route),
            self.deployments(facts.service.known(), wanted),
            self.stopped(facts.service.known()),
            alarms,
            self.under_way(facts.service.known()),
            self.rollback(facts.service.known(), wanted, settings),
            self.canary(wanted),
            self.revisions(service.as_ref()),
        );
        let ((images, inspected), scans) = chosen;
        facts.scans = scans;
        facts.images = images;
        facts.inspected.extend(inspected);
        facts.repository = repository;
        facts.live_task_definition = live;
        facts.newest_revision = newest;
        facts.route = route;
        facts.service_deployments = deployments;
        facts.stopped_tasks = if stopped == Fact::NotAsked { canary.stopped } else { stopped };
        facts.canary = canary.service;
        facts.alarms = alarms;
        facts.under_way = under_way;
        facts.revisions = revisions;
        let (back, inspected) = back;
        facts.rollback = back;
        facts.inspected.extend(inspected);
    }

    async fn task_definition(&self, arn_or_family: &str) -> Fact<TaskDefinition> {
        let found = describe_task_definition(&self.observer.clients().ecs, arn_or_family).await;
        fact(found.map(Some), || format!("describing task definition {arn_or_family}"))
    }

    // ── images ──────────────────────────────────────────────────────────────────────

    /// The images of a query, from the first round where that asked for the same.
    async fn images(
        &self,
        query: &ImageQuery,
        early: Option<&(ImageQuery, Fact<Vec<ImageFact>>)>,
    ) -> Fact<Vec<ImageFact>> {
        match early {
            Some((asked, images)) if asked == query => images.clone(),
            _ => repository::images(&self.observer.clients().ecr, query).await,
        }
    }

    /// The content of the newest image, labels and all: it may say what is wanted.
    async fn newest(
        &self,
        query: &ImageQuery,
        images: &Fact<Vec<ImageFact>>,
    ) -> BTreeMap<ImageDigest, Fact<ImageContent>> {
        let Some(images) = images.known() else { return BTreeMap::new() };
        let newest = select(&Policy::Newest, images, &BTreeMap::new()).chosen;
        let digests = newest.map(|newest| newest.digest);
        self.inspect(query, digests, Depth::Labels).await
    }

    /// The images that the wanted policy chooses from, and the content of its choice.
    async fn chosen(
        &self,
        wanted: Option<&Wanted>,
        labelled: &Fact<Vec<ImageFact>>,
        inspected: &BTreeMap<ImageDigest, Fact<ImageContent>>,
        early: Option<(ImageQuery, Fact<Vec<ImageFact>>)>,
    ) -> (Fact<Vec<ImageFact>>, BTreeMap<ImageDigest, Fact<ImageContent>>) {
        let Some(wanted) = wanted else { return (labelled.clone(), BTreeMap::new()) };
        let image = &wanted.spec.image;
        let query = ImageQuery::of(&image.repository, &image.policy);
        let images = match labelled {
            // Read for the labels: all of the repository's, so these, too.
            Fact::Known(_) => labelled.clone(),
            Fact::Absent | Fact::Unreadable(_) | Fact::NotAsked => self.images(&query, early.as_ref()).await,
        };
        let mut digests = images.known().map(|images| self.choices(&wanted.spec, images)).unwrap_or_default();
        // What was read for its labels has its platforms, too.
        digests.retain(|digest| !inspected.contains_key(digest));
        let inspected = self.inspect(&query, digests, Depth::Platforms).await;
        (images, inspected)
    }

    /// What the policy chooses; and what it would, should the rollout in flight turn out to
    /// have failed.
    fn choices(&self, spec: &ServiceSpec, images: &[ImageFact]) -> BTreeSet<ImageDigest> {
        let policy = &spec.image.policy;
        let in_force = in_force(&self.row.quarantine, &spec.fingerprint(), self.observer.now());
        let now = select(policy, images, &in_force).chosen;
        let after = self.row.state.in_flight.as_ref().and_then(|begun| {
            let mut quarantine = in_force.clone();
            quarantine.insert(begun.digest.clone(), failed(begun));
            select(policy, images, &quarantine).chosen
        });
        now.into_iter().chain(after).map(|chosen| chosen.digest).collect()
    }

    // ── the service that it follows ─────────────────────────────────────────────────

    /// The upstream, where something is to be rolled out; and the content of what it lets through,
    /// which may be another image than the policy's first.
    async fn upstream(&self, facts: &mut ServiceFacts, spec: &ServiceSpec, after: &After) {
        let Some(images) = facts.images.known() else { return };
        let state = &self.row.state;
        let settled = state.settled.as_ref().map(|settled| &settled.digest);
        if self.choices(spec, images).iter().all(|digest| Some(digest) == settled) {
            return;
        }
        facts.upstream = upstream::upstream(self.observer, self.key, after).await;
        let Fact::Known(upstream) = &facts.upstream else { return };
        let now = self.observer.now();
        let mut held = in_force(&self.row.quarantine, &spec.fingerprint(), now);
        let mut here: BTreeSet<ImageDigest> = settled.cloned().into_iter().collect();
        let policy = &spec.image.policy;
        let first = |held: &BTreeMap<ImageDigest, Quarantine>, here: &BTreeSet<ImageDigest>| {
            Choice { after, policy, images, held, upstream, here, now }.first()
        };
        let mut digests: BTreeSet<ImageDigest> = BTreeSet::new();
        if let Some(begun) = &state.in_flight {
            here.insert(begun.digest.clone());
            digests.extend(first(&held, &here).map(|chosen| chosen.digest));
            // Should it turn out to have failed.
            here.retain(|digest| *digest != begun.digest);
            held.insert(begun.digest.clone(), failed(begun));
        }
        digests.extend(first(&held, &here).map(|chosen| chosen.digest));
        digests.retain(|digest| !facts.inspected.contains_key(digest));
        let query = ImageQuery::of(&spec.image.repository, policy);
        let inspected = self.inspect(&query, digests, Depth::Platforms).await;
        facts.inspected.extend(inspected);
    }

    async fn inspect(
        &self,
        query: &ImageQuery,
        digests: impl IntoIterator<Item = ImageDigest>,
        depth: Depth,
    ) -> BTreeMap<ImageDigest, Fact<ImageContent>> {
        let looked = digests.into_iter().map(|digest| async {
            let content = self.observer.content(&query.repository, &digest, depth).await;
            (digest, content)
        });
        join_all(looked).await.into_iter().collect()
    }

    // ── what stands before a rollout ────────────────────────────────────────────────

    /// The alarms that the spec names, unless nothing is to be rolled out.
    fn alarms(
        &self,
        wanted: Option<&Wanted>,
        service: Option<&LiveService>,
        early: Option<&(ImageQuery, Fact<Vec<ImageFact>>)>,
    ) -> impl Future<Output = BTreeMap<String, Fact<AlarmState>>> + use<'_> {
        let spec = wanted.map(|wanted| &wanted.spec).filter(|spec| self.may_roll_out(spec, service, early));
        let names = spec.map(ServiceSpec::alarm_names).unwrap_or_default();
        async move {
            if names.is_empty() {
                return BTreeMap::new();
            }
            alarms::alarms(&self.observer.clients().cloudwatch, &names).await
        }
    }

    fn scan_is_wanted(
        &self,
        wanted: Option<&Wanted>,
        service: Option<&LiveService>,
        early: Option<&(ImageQuery, Fact<Vec<ImageFact>>)>,
    ) -> bool {
        let spec = wanted.map(|wanted| &wanted.spec).filter(|spec| spec.scan.is_some());
        spec.is_some_and(|spec| self.may_roll_out(spec, service, early))
    }

    /// The scans of what the policy may choose.
    async fn scans(
        &self,
        wanted: Option<&Wanted>,
        labelled: &BTreeMap<ImageDigest, Fact<ImageContent>>,
        inspected: &BTreeMap<ImageDigest, Fact<ImageContent>>,
    ) -> BTreeMap<ImageDigest, Fact<ScanFacts>> {
        let Some(wanted) = wanted else { return BTreeMap::new() };
        let contents = labelled.values().chain(inspected.values()).filter_map(Fact::known);
        let digests: BTreeSet<_> = contents.flat_map(ImageContent::scannable).cloned().collect();
        scan::scans(&self.observer.clients().ecr, &wanted.spec.image.repository, digests).await
    }

    /// Whether a rollout goes on or may begin, as far as the first round can tell: what is not
    /// known to be settled may.
    fn may_roll_out(
        &self,
        spec: &ServiceSpec,
        service: Option<&LiveService>,
        early: Option<&(ImageQuery, Fact<Vec<ImageFact>>)>,
    ) -> bool {
        let state = &self.row.state;
        let (Some(settled), None, Some((asked, Fact::Known(images)))) =
            (&state.settled, &state.in_flight, early)
        else {
            return true;
        };
        let same_question = *asked == ImageQuery::of(&spec.image.repository, &spec.image.policy);
        let chosen = self.choices(spec, images);
        let moved = service.is_none_or(|live| live.task_definition != settled.task_definition);
        !same_question
            || moved
            || settled.spec != spec.fingerprint()
            || chosen.iter().any(|digest| *digest != settled.digest)
    }

    // ── revisions ───────────────────────────────────────────────────────────────────

    async fn live(
        &self,
        service: Option<&LiveService>,
        early: Option<(TaskDefinitionArn, Fact<TaskDefinition>)>,
    ) -> Fact<TaskDefinition> {
        let Some(service) = service else { return Fact::NotAsked };
        match early {
            Some((asked, live)) if asked == service.task_definition => live,
            _ => self.task_definition(service.task_definition.as_str()).await,
        }
    }

    async fn newest_revision(
        &self,
        service: Option<&LiveService>,
        (asked, newest): (Family, Fact<TaskDefinition>),
    ) -> Fact<TaskDefinition> {
        let family =
            service.map_or_else(|| desired::family(self.key), |service| service.task_definition.family());
        if family == asked { newest } else { self.task_definition(family.as_str()).await }
    }

    /// All of the family's, where some of them may go.
    async fn revisions(&self, service: Option<&LiveService>) -> Fact<RevisionFacts> {
        match service {
            Some(service) if keep::is_due(&self.row.state) => {
                let family = service.task_definition.family();
                Box::pin(revisions::revisions(self.observer, self.key, family)).await
            }
            Some(_) | None => Fact::NotAsked,
        }
    }

    // ── the route ───────────────────────────────────────────────────────────────────

    async fn route(
        &self,
        wanted: Option<&Wanted>,
        settings: &Settings,
        early: Option<(ListenerArn, route::Early)>,
    ) -> Fact<RouteFacts> {
        let elb = &self.observer.clients().elb;
        let Some(wanted) = wanted else { return Fact::NotAsked };
        let Some(spec) = wanted.spec.route.as_ref() else { return Box::pin(self.former_route(early)).await };
        let Some(listener) = spec.listener.as_ref().or(settings.listener.as_ref()) else {
            return Fact::NotAsked;
        };
        if route::load_balancer_arn(listener).is_none() {
            return route::not_a_listener(listener);
        }
        let early = match early {
            Some((asked, early)) if asked == *listener => early,
            _ => Box::pin(route::early(elb, self.key, listener, self.led.route.as_ref())).await,
        };
        let by_strategy = wanted.spec.has_two_groups();
        let begun = self.row.state.in_flight.as_ref();
        let in_flight = begun.is_some_and(|begun| begun.manner != Manner::Rolling);
        let second = if by_strategy || in_flight { Second::Wanted } else { Second::WhereItLeads };
        let facts = Box::pin(route::complete(elb, self.key, early, second)).await;
        let state = &self.row.state;
        let settled = state.settled.as_ref().is_some_and(|settled| settled.spec == wanted.spec.fingerprint());
        let attributes = if settled && !state.unfinished {
            surroundings::Attributes::AsSettled
        } else {
            surroundings::Attributes::MayDiffer
        };
        Box::pin(surroundings::add(elb, self.key, spec, attributes, facts)).await
    }

    /// A route that the spec no longer has: its rules are to be parked.
    async fn former_route(&self, early: Option<(ListenerArn, route::Early)>) -> Fact<RouteFacts> {
        match early {
            Some((_, early)) => {
                let elb = &self.observer.clients().elb;
                Box::pin(route::complete(elb, self.key, early, Second::WhereItLeads)).await
            }
            None => Fact::NotAsked,
        }
    }

    // ── the rollout in flight ───────────────────────────────────────────────────────

    async fn canary(&self, wanted: Option<&Wanted>) -> Canary {
        let begun = self.row.state.in_flight.as_ref();
        if !canary::is_involved(wanted.map(|wanted| &wanted.spec), begun) {
            return Canary::NOT_ASKED;
        }
        canary::canary(&self.observer.clients().ecs, self.key, begun).await
    }

    /// ECS's history, where no live deployment is the one in flight, or another took its place.
    async fn deployments(
        &self,
        service: Option<&LiveService>,
        wanted: Option<&Wanted>,
    ) -> Fact<Vec<windlass_shared::facts::ServiceDeployment>> {
        let (Some(begun), Some(service)) = (&self.row.state.in_flight, service) else {
            return Fact::NotAsked;
        };
        if canary::is_beside(begun) {
            return Fact::NotAsked;
        }
        let goes_on = live_deployment(begun, service).is_some_and(|live| !rollout::is_displaced(live));
        if goes_on && !self.may_stop(begun, wanted) {
            return Fact::NotAsked;
        }
        let ecs = &self.observer.clients().ecs;
        service::service_deployments(ecs, self.key, rollout::history_since(begun)).await
    }

    /// Where ECS is, while it moves requests between two groups.
    async fn under_way(&self, service: Option<&LiveService>) -> Fact<UnderWay> {
        let shifting = service.filter(|service| service.is_shifting());
        match shifting.and_then(|service| service.newest_deployment.as_ref()) {
            Some(arn) => under_way::under_way(&self.observer.clients().ecs, arn).await,
            None => Fact::NotAsked,
        }
    }

    /// Whether this pass may end the rollout that goes on: ECS ends it by its own name for it.
    fn may_stop(&self, begun: &InFlight, wanted: Option<&Wanted>) -> bool {
        let is_late = wanted.is_some_and(|wanted| rollout::is_late(begun, &wanted.spec, self.observer.now()));
        begun.given_up.is_some() || self.row.pending_rollback().is_some() || is_late
    }

    /// What a rollback needs, where one is ordered or not yet carried out; and the content of its
    /// image.
    async fn rollback(
        &self,
        service: Option<&LiveService>,
        wanted: Option<&Wanted>,
        settings: &Settings,
    ) -> (Fact<RollbackFacts>, BTreeMap<ImageDigest, Fact<ImageContent>>) {
        let now = self.observer.now();
        let runs = service.map(|service| &service.task_definition);
        let (Some(target), Some(wanted)) = (rollback::to_look_at(self.row, runs, now), wanted) else {
            return (Fact::NotAsked, BTreeMap::new());
        };
        let (clients, repository) = (self.observer.clients(), &wanted.spec.image.repository);
        let (candidates, home) = (rollback::of_row(self.row, now), settings.home());
        let facts = super::rollback::look(clients, repository, &home, &target, &candidates).await;
        let revision = facts.revision.known().map(|revision| &revision.definition);
        let named = revision.and_then(|revision| rollback::pinned_digest(revision, repository, &home));
        let digests: BTreeSet<ImageDigest> = target.digest().cloned().into_iter().chain(named).collect();
        let inspected = self.inspect(&ImageQuery::all(repository), digests, Depth::Platforms).await;
        (Fact::Known(facts), inspected)
    }

    /// Why tasks of the one in flight stopped, where it failed or is no longer live.
    async fn stopped(&self, service: Option<&LiveService>) -> Fact<Vec<windlass_shared::facts::StoppedTask>> {
        let (Some(begun), Some(service)) = (&self.row.state.in_flight, service) else {
            return Fact::NotAsked;
        };
        if canary::is_beside(begun) {
            return Fact::NotAsked;
        }
        // A promotion may be given up while ECS still goes on: why is told then.
        let is_promotion = begun.manner == Manner::Canary;
        let id = match live_deployment(begun, service) {
            Some(live)
                if is_promotion || live.rollout == RolloutState::Failed || rollout::is_displaced(live) =>
            {
                &live.id
            }
            Some(_) => return Fact::NotAsked,
            None => match &begun.deployment {
                Some(id) => id,
                None => return Fact::NotAsked,
            },
        };
        service::stopped_tasks(&self.observer.clients().ecs, self.key, id).await
    }
}

/// The quarantine that a rollout would end in, were it to fail.
fn failed(begun: &InFlight) -> Quarantine {
    Quarantine { reason: String::new(), at: begun.started_at, deployment: None, spec: None, until: None }
}

/// The live deployment of the rollout in flight: by its id; without one, by its revision.
fn live_deployment<'a>(
    begun: &InFlight,
    service: &'a LiveService,
) -> Option<&'a windlass_shared::facts::Deployment> {
    service.deployments.iter().find(|deployment| match &begun.deployment {
        Some(id) => deployment.id == *id,
        // The same revision may have failed before.
        None => {
            begun.task_definition.as_ref() == Some(&deployment.task_definition)
                && deployment.created_at >= rollout::history_since(begun)
        }
    })
}
