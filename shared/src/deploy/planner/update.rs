//! A service that is there: its image, and what else the spec says of its task.

use std::collections::BTreeMap;

use super::room::{self, Pace};
use super::{Planner, Stop, native};
use crate::deploy::desired;
use crate::deploy::plan::{InFlightChange, Made, Part, Step};
use crate::deploy::report::Note;
use crate::deploy::wanted::Wanted;
use crate::facts::{Deployment, Fact, LiveService, RolloutState};
use crate::id::{ContainerName, ImageDigest};
use crate::image::Candidate;
use crate::ledger::InFlight;
use crate::spec::ServiceSpec;
use crate::task_definition::TaskDefinition;

impl Planner<'_> {
    pub(super) fn update(
        &mut self,
        wanted: &Wanted,
        service: &LiveService,
        chosen: &Candidate,
    ) -> Result<(), Stop> {
        let Some(live) = self.need(&self.facts.live_task_definition, "the live task definition")? else {
            return self.refuse(Note::NotCreatable {
                reason: format!("its task definition {} is gone", service.task_definition.short()),
            });
        };
        let desired = self.desired(wanted, live, &chosen.digest)?;
        if desired.same_content(live) || self.said_so_before(wanted, service, live, &chosen.digest) {
            if let Some(going) = self.canary_in_flight() {
                return self.canary_is_unwanted(wanted, service, going);
            }
            if let Some(failed) = self.failed_already(service) {
                return self.once_more(wanted, service, chosen, failed);
            }
            self.nothing_to_roll_out(wanted, service, chosen);
            return Ok(());
        }
        self.may_begin(wanted, &chosen.digest)?;
        if self.goes_by_canary(&wanted.spec, service) {
            // Its promotion is a rolling update of the service itself.
            self.can_move(&native::rolling(&wanted.spec.rollout_or_default()), service)?;
            return self.begin_canary(wanted, service, chosen, desired, live);
        }
        // Its refusals come before anything is made.
        let mut prepared = self.prepare(&wanted.spec, service)?;
        let settings = prepared.settings.as_ref().unwrap_or(&service.settings);
        match self.room(wanted, &chosen.digest, &desired, room::surge(service, settings)) {
            Ok(Pace::AsAsked) => {}
            Ok(Pace::Slower) => prepared = self.prepare_rolling(&wanted.spec, service)?,
            Err(waits) => {
                let revision = self.revision(desired, live, chosen)?;
                return self.want_room(waits, revision);
            }
        }
        let before = self.pre_deploy(wanted, &chosen.digest, &desired)?;
        let task_definition = self.revision(desired, live, chosen)?;
        if let Some(before) = before {
            return self.run_pre_deploy(wanted, &chosen.digest, before, task_definition);
        }
        self.steps.extend(prepared.steps);
        self.begin(wanted, chosen, Some(service), native::manner(prepared.shift));
        self.steps.push(Step::UpdateService {
            part: Part::Main,
            expected: service.task_definition.clone(),
            task_definition,
            settings: prepared.settings,
            load_balancer: prepared.load_balancer,
            was: prepared.was,
        });
        Ok(())
    }

    /// Whether the live revision is the one that was registered for this very spec and image.
    /// Were AWS to give back other words than it was given, the two would never be the same,
    /// and the service would be rolled out for ever.
    fn said_so_before(
        &self,
        wanted: &Wanted,
        service: &LiveService,
        live: &TaskDefinition,
        digest: &ImageDigest,
    ) -> bool {
        let spec = wanted.spec.fingerprint();
        let revision = &service.task_definition;
        let settled = self.settled.as_ref().is_some_and(|settled| {
            settled.task_definition == *revision && settled.digest == *digest && settled.spec == spec
        });
        let going = self.going.as_ref().is_some_and(|going| {
            going.task_definition.as_ref() == Some(revision) && going.digest == *digest && going.spec == spec
        });
        (settled || going) && live.carries(digest)
    }

    /// The live revision with the image pinned, and with what the `task` section says.
    pub(super) fn desired(
        &mut self,
        wanted: &Wanted,
        live: &TaskDefinition,
        digest: &ImageDigest,
    ) -> Result<TaskDefinition, Stop> {
        let tracked = self.tracked(&wanted.spec, live)?;
        let images: BTreeMap<ContainerName, String> = tracked
            .iter()
            .map(|(name, registry)| {
                (name.clone(), format!("{registry}{}@{digest}", wanted.spec.image.repository.name()))
            })
            .collect();
        let mut desired = live.with_images(&images);
        if let Some(task) = &wanted.spec.task
            && let Some(image) = images.values().next()
        {
            let (key, region) = (&self.facts.key, &self.settings.region);
            desired = desired::from_spec(Some(&desired), key, task, image, region);
        }
        Ok(desired)
    }

    /// The tracked containers, each with its image's registry (`host/`, or nothing).
    fn tracked(
        &mut self,
        spec: &ServiceSpec,
        live: &TaskDefinition,
    ) -> Result<Vec<(ContainerName, String)>, Stop> {
        let repository = &spec.image.repository;
        let there = live.images();
        let own_container = spec.task.as_ref().map(|task| desired::container(&self.facts.key, task));
        let named: Vec<_> = spec.image.containers.iter().cloned().chain(own_container).collect();
        let home = self.settings.home();
        let of_repository =
            |image: Option<&str>| image.is_some_and(|image| home.before(image, repository).is_some());
        let tracked: Vec<_> = if !named.is_empty() {
            there.iter().filter(|(name, _)| named.contains(name)).collect()
        } else if there.iter().any(|(_, image)| of_repository(*image)) {
            there.iter().filter(|(_, image)| of_repository(*image)).collect()
        } else if there.len() == 1 {
            there.iter().collect()
        } else {
            Vec::new()
        };
        if tracked.is_empty()
            || (!spec.image.containers.is_empty() && tracked.len() < spec.image.containers.len())
        {
            return self.refuse(Note::NoTrackedContainer {
                repository: repository.clone(),
                containers: there.iter().map(|(name, _)| name.to_string()).collect(),
            });
        }
        let fallback = self.facts.repository.known().and_then(|known| home.before(&known.uri, repository));
        let located = tracked
            .into_iter()
            .map(|(name, image)| {
                let own = image.and_then(|image| home.before(image, repository));
                Some((name.clone(), own.or(fallback)?.to_owned()))
            })
            .collect::<Option<Vec<_>>>();
        match (located, &self.facts.repository) {
            (Some(located), _) => Ok(located),
            (None, Fact::Unreadable(what)) => self.refuse(Note::Unreadable { what: what.clone() }),
            (None, _) => self.refuse(Note::RepositoryMissing { repository: repository.clone() }),
        }
    }

    /// The revision to roll out: one that a dead pass registered, or a new one.
    pub(super) fn revision(
        &mut self,
        desired: TaskDefinition,
        live: &TaskDefinition,
        chosen: &Candidate,
    ) -> Result<Made<crate::id::TaskDefinitionArn>, Stop> {
        if let Some(found) = self.leftover(&desired)? {
            return Ok(Made::Already(found));
        }
        let family = live.family().unwrap_or_else(|| desired::family(&self.facts.key));
        self.steps.push(Step::RegisterTaskDefinition {
            family: family.clone(),
            content: Box::new(TaskDefinition { arn: None, ..desired }),
            digest: chosen.digest.clone(),
            replaces: live.arn.clone(),
        });
        Ok(Made::ByThisPlan(family.to_string()))
    }

    /// The family's newest revision, if it says just what is wanted.
    pub(super) fn leftover(
        &mut self,
        desired: &TaskDefinition,
    ) -> Result<Option<crate::id::TaskDefinitionArn>, Stop> {
        let newest = self.need(&self.facts.newest_revision, "the family's newest revision")?;
        let same = newest.filter(|newest| newest.same_content(desired));
        let Some(arn) = same.and_then(|newest| newest.arn.clone()) else { return Ok(None) };
        self.notes.push(Note::LeftoverFound { task_definition: arn.clone() });
        Ok(Some(arn))
    }

    /// The service wants the right revision already. Is it settled, or on its way?
    pub(super) fn nothing_to_roll_out(&mut self, wanted: &Wanted, service: &LiveService, chosen: &Candidate) {
        let Some(primary) = service.deployments.iter().find(|d| d.status == "PRIMARY") else { return };
        if self.going.is_some() {
            return;
        }
        self.no_question();
        match primary.rollout {
            RolloutState::Completed | RolloutState::Unsaid => self.settle(wanted, service, chosen),
            RolloutState::InProgress | RolloutState::Failed => {
                self.on_its_way(wanted, service, chosen, primary);
            }
        }
    }

    fn settle(&mut self, wanted: &Wanted, service: &LiveService, chosen: &Candidate) {
        // Another image than the settled one was deployed by hand, and is live since now: who
        // follows this service counts from then.
        let known = self.settled.as_ref().filter(|settled| settled.digest == chosen.digest);
        let since = known.map_or(self.now, |settled| settled.at);
        let settled =
            self.in_flight_of(wanted, chosen, since).settled(service.task_definition.clone(), since);
        self.notes.push(Note::Quiet { digest: settled.digest.clone(), tag: settled.tag.clone() });
        self.settled = Some(settled);
    }

    /// A deployment of the right revision goes on without its record: ECS's rollback to
    /// what was settled, or one that a dead pass or a person began, which is followed
    /// from now on so that its failure is not missed.
    fn on_its_way(
        &mut self,
        wanted: &Wanted,
        service: &LiveService,
        chosen: &Candidate,
        primary: &Deployment,
    ) {
        let is_return = self.settled.as_ref().is_some_and(|s| s.task_definition == primary.task_definition);
        if is_return {
            self.notes.push(Note::RollingBack { to: primary.task_definition.clone() });
            return;
        }
        self.notes.push(Note::TookOver { deployment: primary.id.clone() });
        let found = InFlight {
            task_definition: Some(service.task_definition.clone()),
            deployment: Some(primary.id.clone()),
            from_task_definition: self.settled.as_ref().map(|settled| settled.task_definition.clone()),
            manner: native::manner(service.settings.shift),
            ..self.in_flight_of(wanted, chosen, primary.created_at)
        };
        self.ledger.in_flight = InFlightChange::Set(Box::new(found));
    }
}
