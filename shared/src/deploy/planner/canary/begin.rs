//! How a canary begins: everything that must be there before its first request.

use super::super::native::rolling;
use super::super::room::{Steps, Surge};
use super::super::{Planner, Stop};
use super::lane::{Lane, Leads};
use super::steps_of;
use crate::deploy::canary::{self, Weights};
use crate::deploy::desired;
use crate::deploy::plan::{CreateServiceSpec, InFlightChange, Made, Part, RolloutSettings, Step};
use crate::deploy::report::{CanaryNote, Note};
use crate::deploy::wanted::Wanted;
use crate::facts::{AlarmState, LiveService, RolloutState};
use crate::id::{TargetGroupArn, TaskDefinitionArn};
use crate::image::Candidate;
use crate::ledger::{CanaryState, Manner};
use crate::names;
use crate::spec::{RolloutSpec, ServiceSpec};
use crate::task_definition::TaskDefinition;

/// What the canary's ECS service is to be.
pub(super) struct CanaryService<'w> {
    pub(super) spec: &'w ServiceSpec,
    pub(super) revision: Made<TaskDefinitionArn>,
    pub(super) tasks: u32,
}

impl<'a> Planner<'a> {
    /// Whether this rollout goes by a canary of ours. A first one has nothing to shift from,
    /// and of a service without tasks nothing can be compared.
    pub(in super::super) fn goes_by_canary(&self, spec: &ServiceSpec, service: &LiveService) -> bool {
        steps_of(spec).is_some() && self.settled.is_some() && service.desired > 0
    }

    /// Nothing else is being rolled out: a canary is compared with what is settled.
    pub(in super::super) fn is_steady_enough(
        &mut self,
        service: &LiveService,
        chosen: &Candidate,
    ) -> Result<(), Stop> {
        let is_steady = service.deployments.iter().all(|deployment| {
            deployment.status == "PRIMARY"
                && matches!(deployment.rollout, RolloutState::Completed | RolloutState::Unsaid)
        });
        if is_steady {
            return Ok(());
        }
        self.refuse(Note::Canary(CanaryNote::AfterRollout { would: chosen.digest.clone() }))
    }

    /// Begins a canary of the wanted revision; one that goes on gives its place.
    pub(in super::super) fn begin_canary(
        &mut self,
        wanted: &Wanted,
        service: &LiveService,
        chosen: &Candidate,
        desired: TaskDefinition,
        live: &TaskDefinition,
    ) -> Result<(), Stop> {
        self.is_steady_enough(service, chosen)?;
        let lane = self.lane(&wanted.spec, service)?;
        self.can_be_weighed(lane.as_ref())?;
        self.canary_is_ours(lane.as_ref())?;
        if self.is_awsvpc(&wanted.spec) && wanted.spec.network.is_none() {
            return self.impossible("its tasks are in awsvpc mode, and the spec has no `network` section to make a second service with");
        }
        let steps = steps_of(&wanted.spec).unwrap_or_default();
        let tasks = tasks(&wanted.spec, service, canary::share(steps, 0));
        if let Err(waits) = self.room(wanted, &chosen.digest, &desired, Surge { tasks, steps: Steps::Fixed })
        {
            let revision = self.revision(desired, live, chosen)?;
            return self.want_room(waits, revision);
        }
        let before = self.pre_deploy(wanted, &chosen.digest, &desired)?;
        let revision = self.revision(desired, live, chosen)?;
        if let Some(before) = before {
            return self.run_pre_deploy(wanted, &chosen.digest, before, revision);
        }
        self.begin(wanted, chosen, Some(service), Manner::Canary);
        let group = lane.as_ref().map(|lane| self.canary_group(&wanted.spec, lane));
        if let Some(lane) = &lane {
            self.lead(lane, group.as_ref(), Leads::ToBoth(Weights::MAIN));
        }
        let made = match &revision {
            Made::Already(arn) => Some(arn.clone()),
            Made::ByThisPlan(_) => None,
        };
        let canary = CanaryService { spec: &wanted.spec, revision, tasks };
        self.canary_service(&canary, lane.as_ref(), group.as_ref());
        let rang_before = self.ringing(&wanted.spec.rollout_or_default()).map(str::to_owned).collect();
        if let InFlightChange::Set(intent) = &mut self.ledger.in_flight {
            intent.task_definition = made;
            intent.canary =
                Some(CanaryState { entered: Some(self.now), rang_before, ..CanaryState::default() });
        }
        Ok(())
    }

    /// Alarms of the rollout that ring now.
    pub(super) fn ringing<'r>(
        &self,
        rollout: &'r RolloutSpec,
    ) -> impl Iterator<Item = &'r str> + use<'r, 'a> {
        let alarms = &self.facts.alarms;
        let rings = move |name: &&String| {
            alarms.get(*name).and_then(|state| state.known()) == Some(&AlarmState::Alarm)
        };
        rollout.alarms.iter().filter(rings).map(String::as_str)
    }

    fn can_be_weighed(&mut self, lane: Option<&Lane<'_>>) -> Result<(), Stop> {
        let Some(lane) = lane else { return Ok(()) };
        if lane.rules.is_empty() || lane.is_parked() {
            return self.impossible("no open rule of its own leads to it yet; the next pass makes one");
        }
        if lane.leads_elsewhere() {
            return self.impossible(
                "its rule leads to other services, too; end the experiment first (`route.weights`)",
            );
        }
        Ok(())
    }

    /// The canary's service is not there, or Windlass's own and in the right group.
    fn canary_is_ours(&mut self, lane: Option<&Lane<'_>>) -> Result<(), Stop> {
        let name = names::canary(&self.facts.key).service;
        let Some(there) = self.need(&self.facts.canary, "the canary's service")? else { return Ok(()) };
        if there.status == "INACTIVE" {
            return Ok(());
        }
        if there.status != "ACTIVE" {
            return self.impossible(&format!("{name} is {}; it begins once that is gone", there.status));
        }
        if there.tags.get(names::TAG_SERVICE) != Some(&self.facts.key.to_string()) {
            return self.impossible(&format!(
                "a service named {name} exists and is not Windlass's; rename or remove it"
            ));
        }
        let groups: Vec<&TargetGroupArn> = there.load_balancers.iter().map(|lb| &lb.target_group).collect();
        let wanted: Vec<&TargetGroupArn> = lane.iter().filter_map(|lane| lane.canary.as_ref()).collect();
        if groups != wanted {
            return self.impossible(&format!(
                "{name} was made for another target group; delete that service, it has no tasks"
            ));
        }
        Ok(())
    }

    /// The canary's service as it is to be: made, pointed at the revision, with so many tasks.
    pub(super) fn canary_service(
        &mut self,
        canary: &CanaryService<'_>,
        lane: Option<&Lane<'_>>,
        group: Option<&Made<TargetGroupArn>>,
    ) {
        let there = self.facts.canary.known().filter(|there| there.status == "ACTIVE");
        let Some(there) = there else {
            return self.make_canary(canary, lane, group);
        };
        if canary.revision != Made::Already(there.task_definition.clone()) {
            self.steps.push(Step::UpdateService {
                part: Part::Canary,
                expected: there.task_definition.clone(),
                task_definition: canary.revision.clone(),
                settings: None,
                load_balancer: None,
                was: None,
            });
        }
        if there.desired != canary.tasks {
            self.scale_canary(there.desired, canary.tasks);
        }
    }

    pub(super) fn scale_canary(&mut self, expected: u32, desired: u32) {
        self.steps.push(Step::Scale { part: Part::Canary, expected, desired });
    }

    fn make_canary(
        &mut self,
        canary: &CanaryService<'_>,
        lane: Option<&Lane<'_>>,
        group: Option<&Made<TargetGroupArn>>,
    ) {
        let spec = canary.spec;
        self.steps.push(Step::CreateService(Box::new(CreateServiceSpec {
            part: Part::Canary,
            task_definition: canary.revision.clone(),
            desired: canary.tasks,
            load_balancer: lane.zip(group).map(|(lane, group)| lane.registers(group)),
            settings: canary_settings(),
            grace_secs: spec.rollout_or_default().grace_secs,
            network: spec.network.clone(),
            tags: desired::tags(&self.facts.key),
        })));
    }
}

/// How many tasks carry this share of the service's.
pub(super) fn tasks(spec: &ServiceSpec, service: &LiveService, share: crate::spec::Percent) -> u32 {
    canary::tasks(service.desired, share, spec.scaling.as_ref().map(|scaling| scaling.max))
}

/// ECS's breaker is off: its rollback would start the revision of the release before, in the
/// group that is to show this one. Windlass counts the canary's failed tasks itself, which the
/// breaker does not do once the deployment has completed.
fn canary_settings() -> RolloutSettings {
    RolloutSettings { circuit_breaker: false, ..rolling(&RolloutSpec::default()) }
}
