//! A person's yes before a rollout begins.
//!
//! The question stands in the row until the rollout begins, also after a no and after its
//! time: the newest answer counts, so that whoever changes his mind need not ask anew.

use super::super::{Planner, Stop};
use crate::deploy::report::GateNote;
use crate::deploy::wanted::Wanted;
use crate::id::{Actor, ImageDigest, Timestamp};
use crate::ledger::{Approval, Order, Prepared, Question, WaitsOn};
use crate::spec::{ApprovalBefore, OnTimeout};

/// Questions of this gate begin with it.
const OURS: &str = "rollout ";

impl Planner<'_> {
    pub(super) fn approved(&mut self, wanted: &Wanted, digest: &ImageDigest) -> Result<(), Stop> {
        let rollout = wanted.spec.rollout.as_ref();
        let approval = rollout.and_then(|rollout| rollout.approval.as_ref());
        let Some(approval) = approval.filter(|it| it.before == ApprovalBefore::Rollout) else {
            return Ok(());
        };
        let spec = wanted.spec.fingerprint();
        if self.prepared_for(digest, &spec).is_some_and(|prepared| !prepared.approvals.is_empty()) {
            return Ok(());
        }
        let question = self.question(digest, &spec, approval.timeout_minutes);
        // One that was given to an earlier asking of the same is none.
        let answer = self.row.answer_to(&question.id).filter(|answer| answer.order.at >= question.since);
        let silent = question.expires.filter(|expires| *expires <= self.now);
        match (answer, silent, approval.on_timeout) {
            (Some(answer), _, _) if answer.approve => {
                self.approve(digest, spec, &question, answer.order.clone());
                Ok(())
            }
            (None, Some(expired), OnTimeout::Continue) => {
                let reason = format!("nobody answered by {expired}; rollout.approval.on_timeout: continue");
                let order = Order { by: Actor::new("the spec"), reason, at: self.now };
                self.approve(digest, spec, &question, order);
                Ok(())
            }
            (Some(answer), _, _) => {
                let note = GateNote::Rejected {
                    by: answer.order.by.clone(),
                    reason: answer.order.reason.clone(),
                    at: answer.order.at,
                    would: digest.clone(),
                };
                self.asks(wanted, digest, question, None);
                self.gate(note)
            }
            (None, Some(expired), OnTimeout::Rollback) => {
                self.asks(wanted, digest, question, None);
                self.gate(GateNote::NotAnswered { expired, would: digest.clone() })
            }
            (None, None, _) => {
                let (since, expires) = (question.since, question.expires);
                self.asks(wanted, digest, question, expires);
                self.gate(GateNote::Asks { since, expires, would: digest.clone() })
            }
        }
    }

    /// What was made ready for just this rollout.
    pub(super) fn prepared_for(&self, digest: &ImageDigest, spec: &str) -> Option<&Prepared> {
        self.marks.prepared.as_ref().filter(|it| it.digest == *digest && it.spec == spec)
    }

    /// The question that stands, or a new one.
    fn question(&self, digest: &ImageDigest, spec: &str, timeout_minutes: u32) -> Question {
        let id = format!("{OURS}{digest} under {spec}");
        if let Some(stands) = self.marks.question.as_ref().filter(|question| question.id == id) {
            return stands.clone();
        }
        let timeout = jiff::SignedDuration::from_mins(i64::from(timeout_minutes));
        Question {
            id,
            what: format!("begin the rollout of {}", digest.short()),
            digest: digest.clone(),
            since: self.now,
            expires: self.now.saturating_add(timeout).ok(),
        }
    }

    fn asks(&mut self, wanted: &Wanted, digest: &ImageDigest, question: Question, until: Option<Timestamp>) {
        self.marks.question = Some(question);
        self.waits(wanted, digest, WaitsOn::Answer, until);
    }

    /// Kept until the rollout begins: what comes after this gate may take several passes.
    fn approve(&mut self, digest: &ImageDigest, spec: String, question: &Question, order: Order) {
        let approval = Approval { what: question.what.clone(), order };
        let since = self.prepared_for(digest, &spec).map_or(self.now, |prepared| prepared.since);
        let approvals = vec![approval];
        self.marks.prepared = Some(Prepared { digest: digest.clone(), spec, since, approvals });
        self.no_question();
    }

    /// Nothing is asked any more: it begins, or nothing is to be rolled out.
    pub(in super::super) fn no_question(&mut self) {
        if self.marks.question.as_ref().is_some_and(|question| question.id.starts_with(OURS)) {
            self.marks.question = None;
        }
    }
}
