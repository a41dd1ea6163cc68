//! What a canary asks a person: before its first request, at the end of a step, before the
//! service itself is updated.

use jiff::SignedDuration;

use super::super::Planner;
use crate::id::Actor;
use crate::ledger::{Approval as Given, InFlight, Order, Question};
use crate::spec::rollout::{Approval, OnTimeout};

/// What came of a question.
pub(super) enum Said {
    Yes,
    /// No, in words.
    No(String),
    /// Nothing yet: what is waited for, in words.
    Nothing(String),
}

impl Planner<'_> {
    /// Asks once, and looks at the answer. `within`: when silence becomes an answer, and which.
    pub(super) fn ask(
        &mut self,
        going: &mut InFlight,
        id: &str,
        what: &str,
        within: Option<&Approval>,
    ) -> Said {
        let id = format!("canary {} {} {id}", going.digest.short(), going.started_at);
        if going.approvals.iter().any(|given| given.what == what) {
            return Said::Yes;
        }
        if let Some(answer) = self.row.answer_to(&id).cloned() {
            self.marks.question.take_if(|question| question.id == id);
            if answer.approve {
                going.approvals.push(Given { what: what.to_owned(), order: answer.order });
                return Said::Yes;
            }
            return Said::No(format!("{} said no to `{what}`: {}", answer.order.by, answer.order.reason));
        }
        let open = self.marks.question.clone().filter(|question| question.id == id);
        let question = open.unwrap_or_else(|| Question {
            id,
            what: what.to_owned(),
            digest: going.digest.clone(),
            since: self.now,
            expires: within.and_then(|approval| {
                self.now.checked_add(SignedDuration::from_mins(approval.timeout_minutes.into())).ok()
            }),
        });
        if let Some((approval, expires)) = within.zip(question.expires)
            && self.now >= expires
        {
            self.marks.question = None;
            return silence(going, what, approval, expires);
        }
        let until = question.expires.map_or_else(String::new, |at| format!(" until {at:.0}"));
        let words =
            format!("a person's yes is waited for{until} to {what}: `windlass approve {}`", self.facts.key);
        self.marks.question = Some(question);
        Said::Nothing(words)
    }
}

fn silence(going: &mut InFlight, what: &str, approval: &Approval, at: crate::id::Timestamp) -> Said {
    let reason = format!("nobody answered within {} minutes", approval.timeout_minutes);
    match approval.on_timeout {
        OnTimeout::Rollback => Said::No(format!("{reason} to `{what}`")),
        OnTimeout::Continue => {
            let order = Order { by: Actor::new("the spec"), reason, at };
            going.approvals.push(Given { what: what.to_owned(), order });
            Said::Yes
        }
    }
}
