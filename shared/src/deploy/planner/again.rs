//! What failed and is wanted all the same: a person let it go from quarantine, or it had no room
//! and its time is over.
//!
//! Mostly ECS rolled back, so that it is an update like any other. But where there was nothing to
//! go back to the service points at it still, and no ECS call that says only "this revision"
//! would start its tasks again.

use super::room::{Steps, Surge};
use super::{Planner, Stop, native};
use crate::deploy::plan::{InFlightChange, Made, Step};
use crate::deploy::wanted::Wanted;
use crate::facts::{LiveService, RolloutState};
use crate::id::DeploymentId;
use crate::image::Candidate;
use crate::ledger::{InFlight, Outcome};

impl Planner<'_> {
    /// The service's newest deployment, where it is the one whose failure was told already. One
    /// that nobody has followed is not: that is taken over, and judged.
    pub(super) fn failed_already(&self, service: &LiveService) -> Option<DeploymentId> {
        if self.going.is_some() {
            return None;
        }
        let last = self.row.state.last_release.as_ref().filter(|last| last.outcome == Outcome::Failed)?;
        let newest = service.deployments.iter().find(|deployment| deployment.status == "PRIMARY")?;
        let is_open = matches!(newest.rollout, RolloutState::Failed | RolloutState::InProgress);
        (is_open && last.deployment.as_ref() == Some(&newest.id)).then(|| newest.id.clone())
    }

    /// Rolls the service's own revision out once more.
    pub(super) fn once_more(
        &mut self,
        wanted: &Wanted,
        service: &LiveService,
        chosen: &Candidate,
        failed: DeploymentId,
    ) -> Result<(), Stop> {
        self.may_begin(wanted, &chosen.digest)?;
        if let Some(live) = self.need(&self.facts.live_task_definition, "the live task definition")? {
            let missing = service.desired.saturating_sub(service.running);
            let surge = Surge { tasks: missing, steps: Steps::OneByOne };
            if let Err(waits) = self.room(wanted, &chosen.digest, live, surge) {
                return self.want_room(waits, Made::Already(service.task_definition.clone()));
            }
        }
        self.begin(wanted, chosen, Some(service), native::manner(service.settings.shift));
        let revision = service.task_definition.clone();
        if let InFlightChange::Set(intent) = &mut self.ledger.in_flight {
            // It comes from nothing: what ran before is the very revision that failed.
            **intent = InFlight {
                task_definition: Some(revision.clone()),
                from_task_definition: None,
                ..(**intent).clone()
            };
        }
        self.steps.push(Step::RollOutAgain { task_definition: revision, failed });
        Ok(())
    }
}
