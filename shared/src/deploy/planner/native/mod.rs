//! Rollouts by ECS's own controller: rolling updates, and the strategies with a second set of
//! tasks (blue/green, canary, linear).
//!
//! | room | holds |
//! |---|---|
//! | [`settings`] | a spec's `rollout` in ECS's words, hooks included |
//! | [`pair`] | a service's two target groups, and which of them serves |
//! | [`prepare`] | what must stand before ECS can shift: group, weights, test rule |
//! | [`test_route`] | the rule of test requests: made, kept, parked |
//! | [`follow`] | while ECS shifts: its stage, and what it asks of people |
//! | [`mend`] | after it: production leads to what is healthy |
//!
//! Between `UpdateService` and the rollout's end the rules are ECS's: nothing here, and no other
//! room of the planner, changes them ([`Planner::rules_are_ecs`]).

mod follow;
mod mend;
mod pair;
mod prepare;
mod settings;
mod test_route;

use super::Planner;
use crate::deploy::plan::InFlightChange;
use crate::facts::LiveService;
use crate::ledger::{InFlight, Manner};
use crate::rollout_settings::Shift;

pub(super) use self::settings::rolling;

/// The manner of a rollout that ECS carries out so.
pub(super) fn manner(shift: Shift) -> Manner {
    match shift {
        Shift::Rolling => Manner::Rolling,
        Shift::BlueGreen => Manner::BlueGreen,
        Shift::Canary { .. } => Manner::EcsCanary,
        Shift::Linear { .. } => Manner::Linear,
    }
}

impl Planner<'_> {
    /// Whether the service's rules are ECS's now.
    pub(super) fn rules_are_ecs(&self, service: &LiveService) -> bool {
        let begun = match &self.ledger.in_flight {
            InFlightChange::Set(begun) => Some(begun.as_ref()),
            InFlightChange::Keep | InFlightChange::Clear => None,
        };
        let of_ecs = |rollout: &InFlight| {
            matches!(rollout.manner, Manner::BlueGreen | Manner::EcsCanary | Manner::Linear)
        };
        service.is_shifting() || begun.or(self.going.as_ref()).is_some_and(of_ecs)
    }
}
