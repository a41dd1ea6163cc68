//! The two ends of a canary: promoted, or given up.

use super::super::{Planner, Stop};
use super::lane::{Lane, Leads};
use super::question::Said;
use super::state;
use super::step::{Seen, name};
use crate::deploy::canary::{self, Weights};
use crate::deploy::plan::{InFlightChange, Made, Part, Step};
use crate::deploy::report::{CanaryNote, Note};
use crate::deploy::rollout::{self, Standing};
use crate::deploy::wanted::Wanted;
use crate::facts::LiveService;
use crate::ledger::{CanaryState, InFlight, Manner, Outcome};
use crate::spec::ServiceSpec;
use crate::spec::rollout::ApprovalBefore;

impl Planner<'_> {
    // ── promotion ───────────────────────────────────────────────────────────────────

    /// All steps are done: the service itself is updated.
    pub(super) fn promote(&mut self, mut seen: Seen<'_, '_>) -> Result<(), Stop> {
        let rollout = seen.spec.rollout_or_default();
        if let Some(approval) = rollout.approval_before(ApprovalBefore::CleanUp) {
            let what = format!("replace the old tasks by {}", name(&seen.going));
            match self.ask(&mut seen.going, "promotion", &what, Some(approval)) {
                Said::Yes => {}
                Said::No(reason) => return self.rejected(seen, &reason),
                Said::Nothing(waits_for) => {
                    self.canary_waits(seen, &waits_for);
                    return Ok(());
                }
            }
        }
        let state = state(&seen.going);
        let step = super::steps_of(seen.spec).unwrap_or_default().len();
        seen.going.canary = Some(CanaryState { step, promoting_since: Some(self.now), ..state });
        self.update_main(seen.spec, seen.service, &seen.going)?;
        self.says_promoting("it begins");
        self.keep_in_flight(seen.going);
        Ok(())
    }

    fn update_main(
        &mut self,
        spec: &ServiceSpec,
        service: &LiveService,
        going: &InFlight,
    ) -> Result<(), Stop> {
        let Some(revision) = going.task_definition.clone() else { return Ok(()) };
        let prepared = self.prepare(spec, service)?;
        self.steps.extend(prepared.steps);
        self.steps.push(Step::UpdateService {
            part: Part::Main,
            expected: service.task_definition.clone(),
            task_definition: Made::Already(revision),
            settings: prepared.settings,
            load_balancer: prepared.load_balancer,
            was: prepared.was,
        });
        Ok(())
    }

    /// The service itself is being updated.
    pub(super) fn promotion(
        &mut self,
        wanted: &Wanted,
        service: &LiveService,
        mut going: InFlight,
    ) -> Result<(), Stop> {
        match rollout::standing(&going, self.facts) {
            Standing::NeverBegan => {
                self.keep_serving(&wanted.spec, service)?;
                if self.may_advance(&wanted.spec, &mut going).is_err() {
                    self.says_promoting("it has not begun: see the reason beside");
                    self.keep_in_flight(going);
                    return Ok(());
                }
                self.update_main(&wanted.spec, service, &going)?;
                self.says_promoting("it begins");
                self.keep_in_flight(going);
                Ok(())
            }
            Standing::Open { reason } => {
                self.says_promoting(&format!("its standing cannot be told now: {reason}"));
                self.keep_in_flight(going);
                Ok(())
            }
            Standing::Going { deployment, progress, .. } => {
                going.deployment = Some(deployment);
                self.keep_serving(&wanted.spec, service)?;
                self.says_promoting(&progress);
                self.keep_in_flight(going);
                Ok(())
            }
            Standing::Live { deployment, .. } => {
                going.deployment = deployment.or(going.deployment);
                self.live(&wanted.spec, service, going)
            }
            Standing::Failed { deployment, reason, .. } => {
                going.deployment = deployment.or(going.deployment);
                let (reason, until) = self.blame(&going, &reason);
                self.failed(&going, going.deployment.clone(), &reason, until);
                going.given_up = Some(reason);
                self.give_way(&wanted.spec, service, going)
            }
            Standing::Superseded { reason } => {
                going.given_up = Some(reason.to_owned());
                self.give_way(&wanted.spec, service, going)
            }
        }
    }

    /// While the service is updated the canary keeps its share, as long as both can answer.
    fn keep_serving(&mut self, spec: &ServiceSpec, service: &LiveService) -> Result<(), Stop> {
        let Some(lane) = self.lane(spec, service)? else { return Ok(()) };
        let Some(group) = lane.canary.clone() else { return Ok(()) };
        let steps = super::steps_of(spec).unwrap_or_default();
        // The last step's share, whatever became of the list meanwhile.
        let share = canary::carried(steps, steps.len(), false);
        let weights = Weights::of(share, lane.main_health.healthy.into(), lane.canary_health.healthy.into());
        self.lead(&lane, Some(&Made::Already(group)), Leads::ToBoth(weights));
        Ok(())
    }

    /// The service is live on the new revision: requests go to it alone, then the canary's
    /// tasks go.
    fn live(&mut self, spec: &ServiceSpec, service: &LiveService, going: InFlight) -> Result<(), Stop> {
        let lane = self.lane(spec, service)?;
        let is_healthy = lane.as_ref().is_none_or(|lane| lane.main_health.healthy >= service.desired);
        if !is_healthy {
            self.says_promoting("its targets become healthy");
            self.keep_in_flight(going);
            return Ok(());
        }
        if !self.clean_up(lane.as_ref())? {
            self.says_promoting("live; its canary's tasks go");
            self.keep_in_flight(going);
            return Ok(());
        }
        self.settled = Some(going.settled(service.task_definition.clone(), self.now));
        self.end(&going, Outcome::Live, None);
        Ok(())
    }

    fn says_promoting(&mut self, progress: &str) {
        self.notes.push(Note::Canary(CanaryNote::Promoting { progress: progress.to_owned() }));
    }

    // ── giving up ───────────────────────────────────────────────────────────────────

    /// Requests back to the service alone, the service back to what it ran, the canary's tasks
    /// gone: in this order, and its end once all of that is seen.
    pub(super) fn give_way(
        &mut self,
        spec: &ServiceSpec,
        service: &LiveService,
        going: InFlight,
    ) -> Result<(), Stop> {
        let reason = going.given_up.clone().unwrap_or_default();
        let lane = self.lane(spec, service)?;
        let is_alone =
            lane.as_ref().is_some_and(|lane| lane.main_health.healthy == 0 && lane.canary_health.healthy > 0);
        if is_alone {
            // Whatever it is given up for, it answers and nobody else does.
            if let Some(lane) = &lane
                && let Some(group) = lane.canary.clone()
            {
                self.lead(lane, Some(&Made::Already(group)), Leads::ToBoth(Weights::CANARY));
            }
            self.says_giving_up(
                &going,
                &reason,
                "nobody else can answer: it waits for the service's own tasks",
            );
            self.keep_in_flight(going);
            return Ok(());
        }
        let is_clean = self.clean_up(lane.as_ref())?;
        let is_back = self.main_goes_back(service, &going);
        if !is_clean || !is_back {
            self.says_giving_up(&going, &reason, "requests go back to the service, then its tasks go");
            self.keep_in_flight(going);
            return Ok(());
        }
        self.marks.question.take_if(|question| question.digest == going.digest);
        let is_bad =
            self.quarantine.get(&going.digest).is_some_and(|why| why.holds_under(&going.spec, self.now));
        let outcome = if is_bad { Outcome::RolledBack } else { Outcome::Superseded };
        self.end(&going, outcome, Some(reason));
        Ok(())
    }

    /// A promotion that is given up while ECS still goes on with it: the revision that ran before
    /// is rolled out again. `true`: the service is, or goes, back.
    fn main_goes_back(&mut self, service: &LiveService, going: &InFlight) -> bool {
        let promoted = state(going).promoting_since.is_some();
        let (Some(revision), Some(before)) = (&going.task_definition, &going.from_task_definition) else {
            return true;
        };
        // A row of an older version may name the way back as its own revision.
        if !promoted || revision == before || service.task_definition != *revision {
            return true;
        }
        self.steps.push(Step::UpdateService {
            part: Part::Main,
            expected: revision.clone(),
            task_definition: Made::Already(before.clone()),
            settings: None,
            load_balancer: None,
            was: None,
        });
        false
    }

    fn says_giving_up(&mut self, going: &InFlight, reason: &str, waits_for: &str) {
        self.notes.push(Note::Canary(CanaryNote::GivingUp {
            digest: going.digest.clone(),
            reason: reason.to_owned(),
            waits_for: waits_for.to_owned(),
        }));
    }

    /// Requests to the service alone, then no task of the canary's, and at last rules that do not
    /// name it any more: its targets drain in a group that is still in use. `true`: nothing
    /// of it is left but its name in the rules, which this plan takes out.
    fn clean_up(&mut self, lane: Option<&Lane<'_>>) -> Result<bool, Stop> {
        let there = self.need(&self.facts.canary, "the canary's service")?;
        let there = there.filter(|there| there.status == "ACTIVE" && there.desired + there.running > 0);
        let Some(there) = there else {
            if let Some(lane) = lane {
                self.park_test_route(lane);
                self.lead(lane, None, Leads::ToMain);
            }
            return Ok(true);
        };
        if let Some(lane) = lane
            && let Some(group) = &lane.canary
        {
            self.park_test_route(lane);
            self.lead(lane, Some(&Made::Already(group.clone())), Leads::ToBoth(Weights::MAIN));
        }
        if there.desired > 0 {
            self.scale_canary(there.desired, 0);
        }
        Ok(false)
    }

    /// Tasks of a canary that nobody follows any more, or rules that still name it: a row that was
    /// lost, a service that was deleted and made again, a last step that did not go through.
    /// Whatever is held back or failed meanwhile, they go.
    pub(in super::super) fn no_stray_canary(
        &mut self,
        spec: &ServiceSpec,
        service: &LiveService,
    ) -> Result<Strays, Stop> {
        let key = self.facts.key.to_string();
        let Some(there) = self.facts.canary.known() else { return Ok(Strays::None) };
        let is_ours = there.tags.get(crate::names::TAG_SERVICE) == Some(&key);
        // A pass that follows a canary, ends it or begins a rollout has its own steps.
        let was_canary = self.row.state.in_flight.as_ref().is_some_and(|it| it.manner == Manner::Canary);
        let begins = matches!(self.ledger.in_flight, InFlightChange::Set(_));
        if !is_ours || self.going.is_some() || was_canary || begins {
            return Ok(Strays::None);
        }
        let lane = self.lane(spec, service)?;
        if lane.as_ref().is_some_and(|lane| lane.main_health.healthy == 0) {
            return Ok(Strays::None);
        }
        let before = self.steps.len();
        self.clean_up(lane.as_ref())?;
        Ok(if self.steps.len() > before { Strays::TidiedUp } else { Strays::None })
    }
}

/// What is left of a canary that nobody follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Strays {
    /// Nothing, or nothing that this pass may touch.
    None,
    /// This pass takes it away.
    TidiedUp,
}
