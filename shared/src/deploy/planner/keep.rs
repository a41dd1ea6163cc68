//! Revisions beyond those that are kept are deregistered: in a quiet pass, never in the middle
//! of a rollout, some at a time.

use std::collections::BTreeSet;

use super::Planner;
use crate::deploy::keep;
use crate::deploy::plan::{InFlightChange, Step};
use crate::deploy::report::{Note, RevisionsStay, RollbackNote};
use crate::deploy::settings::Revisions;
use crate::deploy::wanted::Wanted;
use crate::facts::{Fact, LiveService, RevisionFacts, RolloutState};
use crate::id::{Family, TaskDefinitionArn};
use crate::ledger::{ServiceState, Tidy};

/// AWS gives an account 20 registrations and deregistrations at once and one a second after
/// that: pushes come first.
const AT_ONCE: usize = 5;

impl Planner<'_> {
    /// Deregisters what may go, where that was looked at; else says that it is to be looked at.
    pub(super) fn tidy_revisions(&mut self, wanted: &Wanted, service: &LiveService) {
        // What was settled until now is what a rollback goes back to.
        self.remember_settled();
        let Some(settled) = self.settled.as_ref().map(|settled| settled.task_definition.clone()) else {
            return;
        };
        let Some(keep) = keep::wanted(wanted, self.facts) else {
            self.marks.tidy = None;
            return;
        };
        let refused = self.may_not_go(&settled);
        let done = Tidy::Done { keep, settled };
        if !self.is_at_rest(service) || self.marks.tidy.as_ref() == Some(&done) {
            return;
        }
        if let Some(why) = refused {
            return self.notes.push(Note::Rollback(RollbackNote::RevisionsStay { keep, why }));
        }
        let family = service.task_definition.family();
        let needed = self.needed_revisions();
        let beyond = keep::beyond(&self.marks, &family, keep, &needed);
        if beyond.is_empty() {
            // Not even a mark: most releases come this way.
            self.marks.tidy = self.marks.tidy.take().map(|_| done);
            return;
        }
        match &self.facts.revisions {
            Fact::NotAsked | Fact::Absent => self.marks.tidy = Some(Tidy::Due),
            Fact::Unreadable(what) => self.notes.push(Note::Unreadable { what: what.clone() }),
            Fact::Known(revisions) => {
                let more = self.deregister(&family, &beyond, revisions);
                self.marks.tidy = Some(if more == 0 { done } else { Tidy::Due });
            }
        }
    }

    /// What stands against it, however many are beyond.
    fn may_not_go(&self, settled: &TaskDefinitionArn) -> Option<RevisionsStay> {
        match (&self.marks.tidy, self.settings.revisions) {
            (_, Revisions::Stay) => Some(RevisionsStay::ByTheStack),
            (Some(Tidy::Refused { settled: of, reason }), Revisions::MayGo) if of == settled => {
                Some(RevisionsStay::Refused(reason.clone()))
            }
            _ => None,
        }
    }

    /// The oldest first; how many are left for the next pass.
    fn deregister(&mut self, family: &Family, beyond: &BTreeSet<u32>, revisions: &RevisionFacts) -> usize {
        let RevisionFacts { family: of, active, cut_off, elsewhere } = revisions;
        if of != family {
            return beyond.len();
        }
        let there = |arn: &&TaskDefinitionArn| arn.number().is_some_and(|number| beyond.contains(&number));
        let there: Vec<&TaskDefinitionArn> = active.iter().filter(there).collect();
        if !cut_off {
            let numbers: BTreeSet<u32> = there.iter().filter_map(|arn| arn.number()).collect();
            self.forget_registered(family, &(beyond - &numbers));
        }
        // What the row named when the pass began is spared once more: a pin that just ended, say.
        let before = keep::needed(&self.row.state);
        let may_go = there.into_iter().filter(|arn| !elsewhere.contains(*arn));
        let (spared, mut may_go): (Vec<_>, Vec<_>) = may_go.partition(|arn| before.contains(*arn));
        may_go.sort_by_key(|arn| arn.number());
        let more = may_go.len().saturating_sub(AT_ONCE) + spared.len();
        let steps = may_go.into_iter().take(AT_ONCE);
        self.steps.extend(steps.map(|arn| Step::Deregister { task_definition: arn.clone() }));
        if more > 0 {
            self.notes.push(Note::Rollback(RollbackNote::RevisionsLater { family: family.clone(), more }));
        }
        more
    }

    /// Somebody else deregistered them.
    fn forget_registered(&mut self, family: &Family, gone: &BTreeSet<u32>) {
        if let Some(numbers) = self.marks.registered.get_mut(family) {
            numbers.retain(|number| !gone.contains(number));
        }
    }

    fn needed_revisions(&self) -> BTreeSet<TaskDefinitionArn> {
        let state = ServiceState {
            settled: self.settled.clone(),
            marks: self.marks.clone(),
            ..self.row.state.clone()
        };
        let ended = self.ledger.ended.iter().filter_map(|release| release.task_definition.clone());
        keep::needed_here(self.facts, &state).into_iter().chain(ended).collect()
    }

    /// Nothing is on its way, and nothing is being made ready.
    fn is_at_rest(&self, service: &LiveService) -> bool {
        let is_steady = service.deployments.iter().all(|deployment| {
            deployment.status == "PRIMARY"
                && matches!(deployment.rollout, RolloutState::Completed | RolloutState::Unsaid)
        });
        let canary_rests = match &self.facts.canary {
            Fact::Known(canary) => canary.desired == 0 && canary.running == 0,
            Fact::Absent | Fact::NotAsked => true,
            Fact::Unreadable(_) => false,
        };
        is_steady
            && canary_rests
            && self.steps.is_empty()
            && self.going.is_none()
            && !matches!(self.ledger.in_flight, InFlightChange::Set(_))
            && self.marks.prepared.is_none()
            && self.marks.question.is_none()
            && self.marks.room.is_none()
            && self.row.pending_rollback().is_none()
    }
}
