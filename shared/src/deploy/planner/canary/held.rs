//! What keeps a canary at its step: a hold, a stop, a freeze window. It keeps its share of the
//! requests and its tasks meanwhile; giving it up asks none of them.

use super::super::gates::InForce;
use super::super::{Planner, Stop};
use crate::deploy::report::Note;
use crate::ledger::{Approval, InFlight};
use crate::spec::ServiceSpec;

impl Planner<'_> {
    /// Whether the canary may go a step further. Why not is in the report.
    pub(super) fn may_advance(&mut self, spec: &ServiceSpec, going: &mut InFlight) -> Result<(), Stop> {
        if let Some(hold) = &self.row.hold {
            return self.refuse(Note::Held {
                by: hold.by.clone(),
                reason: hold.reason.clone(),
                since: hold.at,
                would: going.digest.clone(),
            });
        }
        let digest = going.digest.clone();
        for standing in [self.stop_in_force(&digest)?, self.freeze_in_force(spec, &digest)?] {
            if let Some(InForce { what, note, .. }) = standing
                && !self.is_let_past(going, &what)
            {
                return self.gate(note);
            }
        }
        Ok(())
    }

    /// A person let this very rollout pass by this, when it began or now.
    fn is_let_past(&mut self, going: &mut InFlight, what: &str) -> bool {
        let what = format!("it passes by {what}");
        if going.approvals.iter().any(|given| given.what == what) {
            return true;
        }
        let Some(order) = self.row.bypass_at(self.now).cloned() else { return false };
        self.marks.done.bypass = Some(order.at);
        going.approvals.push(Approval { what, order });
        true
    }
}
