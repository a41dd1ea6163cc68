//! Windlass's own canary: a second ECS service with a fraction of the tasks, and a weighted
//! rule, advanced pass by pass and never by waiting.
//!
//! # Flow
//!
//! 1. *Begin* ([`begin`]): the revision; the canary's target group, tied to the rules with
//!    weight 0; the canary's service with the first step's tasks.
//! 2. *Each step* ([`step`]): its tasks come up → a person's yes, where it is wanted before the
//!    first request → weights → its minutes → the verdict → a person's yes → the next one.
//! 3. *Promotion* ([`end`]): the service itself is updated by ECS, task by task; the canary
//!    serves on meanwhile. Once that is live and healthy the requests go back to it alone,
//!    and the canary is scaled to 0.
//! 4. *Giving up* ([`judge`] says when, [`end`] how): requests first, then tasks.
//!
//! # Guarantees
//!
//! Each pass looks at what there is and plans what is missing, so that a pass killed between
//! any two calls is made good by the next. Weights are set anew whenever one of the groups has
//! lost its last healthy target. The function deletes nothing: the canary's service and group
//! stay, without tasks, for the next release.

mod begin;
mod end;
mod held;
mod judge;
mod lane;
mod question;
mod step;
mod test_route;

pub(super) use self::end::Strays;

use super::{Planner, Stop};
use crate::deploy::plan::{InFlightChange, Step};
use crate::deploy::report::{CanaryNote, Note};
use crate::deploy::wanted::Wanted;
use crate::facts::LiveService;
use crate::image::Candidate;
use crate::ledger::{CanaryState, InFlight, Manner};
use crate::spec::{CanaryStep, ServiceSpec};

impl Planner<'_> {
    /// The rollout in flight, where it is a canary of ours.
    pub(super) fn canary_in_flight(&self) -> Option<InFlight> {
        self.going.clone().filter(|going| going.manner == Manner::Canary)
    }

    /// One pass over a canary in flight. `chosen` is the image that the policy wants, where
    /// that could be told.
    pub(super) fn follow_canary(
        &mut self,
        wanted: &Wanted,
        service: &LiveService,
        going: InFlight,
        chosen: Option<&Candidate>,
    ) -> Result<(), Stop> {
        let mut going = going;
        self.forget_quiet_alarms(&wanted.spec, &mut going);
        if going.given_up.is_none() {
            going.given_up = self.reason_to_give_up(&wanted.spec, service, &going);
        }
        if going.given_up.is_some() {
            return self.give_way(&wanted.spec, service, going);
        }
        if state(&going).promoting_since.is_some() {
            self.says_what_waits(&going, chosen);
            return self.promotion(wanted, service, going);
        }
        let Some(chosen) = chosen else { return self.stay(&wanted.spec, service, going) };
        let is_this = chosen.digest == going.digest && going.spec == wanted.spec.fingerprint();
        if is_this {
            return self.at_step(wanted, service, going, chosen);
        }
        // A newer one takes its place, unless something stands against that: then this one stays
        // where it is.
        let before = self.steps.len();
        let updated = self.update(wanted, service, chosen);
        if updated.is_err() && self.steps.len() == before {
            return self.stay(&wanted.spec, service, going);
        }
        updated
    }

    /// Whether this pass changes rules for a canary: their weights are the canary's business.
    pub(super) fn canary_has_the_rules(&self) -> bool {
        let is_canary = match &self.ledger.in_flight {
            InFlightChange::Set(begun) => begun.manner == Manner::Canary,
            InFlightChange::Keep | InFlightChange::Clear => self.canary_in_flight().is_some(),
        };
        is_canary
            && self.steps.iter().any(|step| matches!(step, Step::ModifyRule { .. } | Step::CreateRule { .. }))
    }

    /// What runs is what the policy wants: nothing failed, and the canary is not wanted any more.
    pub(super) fn canary_is_unwanted(
        &mut self,
        wanted: &Wanted,
        service: &LiveService,
        going: InFlight,
    ) -> Result<(), Stop> {
        let given_up = Some("the policy wants what runs already".to_owned());
        self.give_way(&wanted.spec, service, InFlight { given_up, ..going })
    }

    fn says_what_waits(&mut self, going: &InFlight, chosen: Option<&Candidate>) {
        if let Some(newer) = chosen.filter(|chosen| chosen.digest != going.digest) {
            let would = newer.digest.clone();
            self.notes.push(Note::Canary(CanaryNote::AfterPromotion { would }));
        }
    }

    /// What the canary is from now on, written before its steps are made.
    fn keep_in_flight(&mut self, going: InFlight) {
        if self.row.state.in_flight.as_ref() != Some(&going) || !self.steps.is_empty() {
            self.ledger.in_flight = InFlightChange::Set(Box::new(going.clone()));
        }
        self.going = Some(going);
    }
}

/// Where a canary stands.
fn state(going: &InFlight) -> CanaryState {
    going.canary.clone().unwrap_or_default()
}

/// The steps of the spec's canary, where it is Windlass's own.
pub(super) fn steps_of(spec: &ServiceSpec) -> Option<&[CanaryStep]> {
    spec.rollout.as_ref().and_then(|rollout| rollout.own_canary()).map(|canary| canary.steps.as_slice())
}
