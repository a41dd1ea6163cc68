//! A canary at one of its steps.

use jiff::SignedDuration;

use super::super::{Planner, Stop};
use super::begin::{CanaryService, tasks};
use super::judge::Verified;
use super::lane::{Lane, Leads};
use super::question::Said;
use super::{state, steps_of};
use crate::deploy::canary::{self, Serves, Weights};
use crate::deploy::plan::Made;
use crate::deploy::report::{CanaryNote, Note};
use crate::deploy::wanted::Wanted;
use crate::facts::LiveService;
use crate::id::{TargetGroupArn, TaskDefinitionArn};
use crate::image::Candidate;
use crate::ledger::{CanaryState, InFlight};
use crate::spec::ServiceSpec;
use crate::spec::rollout::ApprovalBefore;

/// What a canary waits for that something stands against.
const HELD: &str = "it stays here: see the reason beside";

/// A canary as one pass sees it.
pub(super) struct Seen<'a, 's> {
    pub(super) spec: &'s ServiceSpec,
    pub(super) service: &'s LiveService,
    pub(super) lane: Option<Lane<'a>>,
    pub(super) going: InFlight,
}

impl Seen<'_, '_> {
    pub(super) fn state(&self) -> CanaryState {
        state(&self.going)
    }
}

impl<'a> Planner<'a> {
    /// Goes on with the step that the canary is at, and to the next one where this one is over.
    pub(super) fn at_step(
        &mut self,
        wanted: &Wanted,
        service: &LiveService,
        going: InFlight,
        chosen: &Candidate,
    ) -> Result<(), Stop> {
        let lane = self.lane(&wanted.spec, service)?;
        let revision = match &going.task_definition {
            Some(arn) => Made::Already(arn.clone()),
            // A pass died before it had its revision: that is looked for, or registered anew.
            None => self.revision_again(wanted, service, chosen)?,
        };
        let mut seen = Seen { spec: &wanted.spec, service, lane, going };
        if let Made::Already(arn) = &revision {
            seen.going.task_definition = Some(arn.clone());
        }
        let group = self.hold_the_weights(&mut seen, &revision);
        if self.may_advance(&wanted.spec, &mut seen.going).is_err() {
            self.stay_held(seen);
            return Ok(());
        }
        let canary = CanaryService { spec: seen.spec, revision, tasks: wanted_tasks(&seen) };
        self.canary_service(&canary, seen.lane.as_ref(), group.as_ref());
        if !self.steps.is_empty() || !self.is_up(seen.lane.as_ref()) {
            self.says_coming_up(&seen);
            self.keep_in_flight(seen.going);
            return Ok(());
        }
        if seen.state().since.is_none() { self.take_share(seen) } else { self.after_its_minutes(seen) }
    }

    /// The canary neither goes on nor back: its weights and its tasks are kept as its step says.
    pub(super) fn stay(
        &mut self,
        spec: &ServiceSpec,
        service: &LiveService,
        going: InFlight,
    ) -> Result<(), Stop> {
        let Some(revision) = going.task_definition.clone() else { return Ok(()) };
        let lane = self.lane(spec, service)?;
        let mut seen = Seen { spec, service, lane, going };
        self.hold_the_weights(&mut seen, &Made::Already(revision));
        self.resize(&seen);
        self.says_at_step(&seen, HELD);
        self.keep_in_flight(seen.going);
        Ok(())
    }

    fn stay_held(&mut self, mut seen: Seen<'_, '_>) {
        let state = seen.state();
        if state.since.is_none() && !self.is_up(seen.lane.as_ref()) {
            // It could not come up yet: its time for that counts from when it may.
            seen.going.canary = Some(CanaryState { entered: Some(self.now), ..state });
        }
        self.resize(&seen);
        self.says_at_step(&seen, HELD);
        self.keep_in_flight(seen.going);
    }

    fn revision_again(
        &mut self,
        wanted: &Wanted,
        service: &LiveService,
        chosen: &Candidate,
    ) -> Result<Made<TaskDefinitionArn>, Stop> {
        let Some(live) = self.need(&self.facts.live_task_definition, "the live task definition")? else {
            return self.refuse(Note::NotCreatable {
                reason: format!("its task definition {} is gone", service.task_definition.short()),
            });
        };
        let desired = self.desired(wanted, live, &chosen.digest)?;
        self.revision(desired, live, chosen)
    }

    // ── weights and tasks ───────────────────────────────────────────────────────────

    /// The weights that belong to where the canary stands: back to the service where the canary
    /// has lost its last healthy target, and as the step says where somebody changed them.
    /// The canary's group, where it has one.
    fn hold_the_weights(
        &mut self,
        seen: &mut Seen<'a, '_>,
        revision: &Made<TaskDefinitionArn>,
    ) -> Option<Made<TargetGroupArn>> {
        let lane = seen.lane.as_ref()?;
        let mut state = seen.state();
        let serves = canary_serves(lane, self.facts.canary.known(), revision);
        if serves == Serves::No && state.since.is_some() {
            // Its minutes count anew once it carries its share again.
            state = CanaryState { since: None, entered: Some(self.now), asked: None, ..state };
        }
        let steps = steps_of(seen.spec).unwrap_or_default();
        let share = canary::carried(steps, state.step, state.since.is_some());
        let weights = Weights::of(share, lane.main_health.healthy.into(), serves);
        let group = self.canary_group(seen.spec, lane);
        self.lead(lane, Some(&group), Leads::ToBoth(weights));
        seen.going.canary = Some(state);
        Some(group)
    }

    /// The service's own number of tasks changed: the canary's follows.
    fn resize(&mut self, seen: &Seen<'_, '_>) {
        let there = self.facts.canary.known().filter(|there| there.status == "ACTIVE");
        let Some(there) = there.filter(|there| there.desired > 0) else { return };
        let tasks = wanted_tasks(seen);
        if there.desired != tasks {
            self.scale_canary(there.desired, tasks);
        }
    }

    /// Whether all of the canary's tasks are of its revision and can answer.
    pub(super) fn is_up(&self, lane: Option<&Lane<'_>>) -> bool {
        let Some(there) = self.facts.canary.known() else { return false };
        let only_this = there.deployments.iter().all(|deployment| deployment.status == "PRIMARY");
        let healthy = lane.is_none_or(|lane| lane.canary_health.healthy >= there.desired);
        only_this && there.running >= there.desired && there.pending == 0 && healthy
    }

    // ── what a step goes through ────────────────────────────────────────────────────

    /// The tasks are up: the step's share, after a person's yes where that is wanted first.
    fn take_share(&mut self, mut seen: Seen<'a, '_>) -> Result<(), Stop> {
        let rollout = seen.spec.rollout_or_default();
        let before_traffic = rollout.approval_before(ApprovalBefore::Traffic);
        let state = seen.state();
        self.open_test_route(&seen)?;
        if let Some(approval) = before_traffic.filter(|_| state.step == 0) {
            let what = format!("send the first requests to {}", name(&seen.going));
            match self.ask(&mut seen.going, "traffic", &what, Some(approval)) {
                Said::Yes => {}
                Said::No(reason) => return self.rejected(seen, &reason),
                Said::Nothing(waits_for) => {
                    self.canary_waits(seen, &waits_for);
                    return Ok(());
                }
            }
        }
        seen.going.canary = Some(CanaryState { since: Some(self.now), ..state.clone() });
        if let Some(lane) = &seen.lane
            && let Some(group) = &lane.canary
        {
            let steps = steps_of(seen.spec).unwrap_or_default();
            let share = canary::share(steps, state.step);
            let weights =
                Weights::of(share, lane.main_health.healthy.into(), lane.canary_health.healthy.into());
            self.lead(lane, Some(&Made::Already(group.clone())), Leads::ToBoth(weights));
        }
        self.after_its_minutes(seen)
    }

    /// The share is carried: its minutes, its verdict, its question, the next step.
    fn after_its_minutes(&mut self, mut seen: Seen<'a, '_>) -> Result<(), Stop> {
        let state = seen.state();
        let steps = steps_of(seen.spec).unwrap_or_default();
        let Some((step, since)) = steps.get(state.step).zip(state.since) else {
            return self.next_step(seen);
        };
        let until = since.saturating_add(SignedDuration::from_mins(step.minutes.into()));
        if let Ok(until) = until
            && self.now < until
        {
            self.canary_waits(seen, &format!("until {until:.0}"));
            return Ok(());
        }
        if seen.spec.verify.is_some() {
            match self.verify(&mut seen, since) {
                Verified::Passed => {}
                Verified::Failed(reason) => return self.rejected(seen, &reason),
                Verified::NotYet(waits_for) => {
                    self.canary_waits(seen, &waits_for);
                    return Ok(());
                }
            }
        }
        if step.approval {
            let what = format!("let {} go on from {}", name(&seen.going), step.percent);
            match self.ask(&mut seen.going, &format!("step {}", state.step + 1), &what, None) {
                Said::Yes => {}
                Said::No(reason) => return self.rejected(seen, &reason),
                Said::Nothing(waits_for) => {
                    self.canary_waits(seen, &waits_for);
                    return Ok(());
                }
            }
        }
        self.next_step(seen)
    }

    fn next_step(&mut self, mut seen: Seen<'a, '_>) -> Result<(), Stop> {
        let state = seen.state();
        let steps = steps_of(seen.spec).unwrap_or_default();
        let step = state.step + 1;
        if step >= steps.len() {
            return self.promote(seen);
        }
        let next = CanaryState { step, since: None, entered: Some(self.now), asked: None, ..state };
        seen.going.canary = Some(next);
        self.resize(&seen);
        if self.steps.is_empty() {
            // As many tasks carry the larger share: its weights at once.
            return self.take_share(seen);
        }
        self.says_coming_up(&seen);
        self.keep_in_flight(seen.going);
        Ok(())
    }

    pub(super) fn canary_waits(&mut self, seen: Seen<'_, '_>, waits_for: &str) {
        self.says_at_step(&seen, waits_for);
        self.keep_in_flight(seen.going);
    }

    /// A verdict or a person said no.
    pub(super) fn rejected(&mut self, seen: Seen<'_, '_>, reason: &str) -> Result<(), Stop> {
        let Seen { spec, service, mut going, .. } = seen;
        self.failed(&going, None, reason, None);
        going.given_up = Some(reason.to_owned());
        self.give_way(spec, service, going)
    }

    // ── what is said ────────────────────────────────────────────────────────────────

    fn says_at_step(&mut self, seen: &Seen<'_, '_>, waits_for: &str) {
        let state = seen.state();
        let steps = steps_of(seen.spec).unwrap_or_default();
        let share = canary::carried(steps, state.step, state.since.is_some());
        self.notes.push(Note::Canary(CanaryNote::AtStep {
            step: state.step + 1,
            of: steps.len(),
            share: share.to_string(),
            waits_for: waits_for.to_owned(),
        }));
    }

    fn says_coming_up(&mut self, seen: &Seen<'_, '_>) {
        let state = seen.state();
        let of = steps_of(seen.spec).unwrap_or_default().len();
        let there = self.facts.canary.known().filter(|there| there.status == "ACTIVE");
        let running = there.map_or(0, |there| there.running);
        let mut progress = format!("{running} of {} running", wanted_tasks(seen));
        if let Some(lane) = &seen.lane {
            progress = format!("{progress}, {} healthy", lane.canary_health.healthy);
        }
        let until = if state.since.is_some() { None } else { super::judge::gives_up_at(seen.spec, &state) };
        let step = state.step + 1;
        self.notes.push(Note::Canary(CanaryNote::ComingUp { step, of, progress, until }));
    }
}

/// How many tasks the canary has at its step.
fn wanted_tasks(seen: &Seen<'_, '_>) -> u32 {
    let steps = steps_of(seen.spec).unwrap_or_default();
    tasks(seen.spec, seen.service, canary::share(steps, seen.state().step))
}

/// Whether the canary can answer with this revision: targets of the release before do not count.
fn canary_serves(
    lane: &Lane<'_>,
    canary: Option<&LiveService>,
    revision: &Made<TaskDefinitionArn>,
) -> Serves {
    let is_this = canary.is_some_and(|there| *revision == Made::Already(there.task_definition.clone()));
    if is_this { lane.canary_health.healthy.into() } else { Serves::No }
}

/// The image in a person's words: `1.4.0 (sha256:…)`.
pub(super) fn name(going: &InFlight) -> String {
    let short = going.digest.short();
    going.tag.as_ref().map_or_else(|| short.to_owned(), |tag| format!("{tag} ({short})"))
}
