//! One look at a service, as a pass would look: its row, its facts, its plan. Nothing is
//! leased and nothing is written.

use anyhow::Context as _;
use windlass_aws::Hints;
use windlass_shared::deploy::report::RollbackNote;
use windlass_shared::deploy::{self, Note, Plan, Step};
use windlass_shared::deploy::{Violation, render};
use windlass_shared::facts::ServiceFacts;
use windlass_shared::id::{ServiceKey, Timestamp};
use windlass_shared::ledger::ServiceRow;

use crate::account::Account;
use crate::failure::Result;

/// What was seen, and what a pass would do about it.
pub(super) struct Look {
    pub(super) row: ServiceRow,
    pub(super) facts: ServiceFacts,
    pub(super) plan: Plan,
    /// What the check finds wrong with the plan: the function would not apply it.
    pub(super) violations: Vec<Violation>,
    pub(super) now: Timestamp,
}

impl Look {
    /// Looks now.
    pub(super) async fn at(account: &Account, key: &ServiceKey) -> Result<Self> {
        let row = account.ledger.row(key).await.with_context(|| format!("looking at {key}"))?;
        Self::of(account, row).await
    }

    /// Looks now, as if the row were this one.
    pub(super) async fn of(account: &Account, row: ServiceRow) -> Result<Self> {
        let key = &row.key;
        let settings = &account.stack.settings;
        let (facts, plan, now) = account.observer.plan(key, &row, &Hints::default(), settings).await;
        let violations = deploy::check(&plan, &facts, &row);
        Ok(Self { row, facts, plan, violations, now })
    }

    /// Whether something is still to come: a step, an end to record, a rollout under way, a
    /// hold over a newer image.
    pub(super) fn is_pending(&self) -> bool {
        let waits = |note: &Note| {
            matches!(
                note,
                Note::RollingOut { .. }
                    | Note::RollingBack { .. }
                    | Note::Overdue { .. }
                    | Note::RouteWaits { .. }
                    | Note::Held { .. }
                    | Note::Rollback(RollbackNote::Held { .. } | RollbackNote::GivingUp { .. })
            ) || matches!(note, Note::Gate(gate) if gate.holds_back())
                || matches!(note, Note::Scan(scan) if scan.holds_back())
                || matches!(note, Note::PreDeploy(task) if task.holds_back())
                || matches!(note, Note::Room(room) if room.holds_back())
        };
        !self.plan.steps.is_empty()
            || !self.plan.ledger.ended.is_empty()
            || self.plan.report.iter().any(waits)
    }

    /// What could not be read: whether something is pending is then open.
    pub(super) fn unreadable(&self) -> Option<&Note> {
        self.plan.report.iter().find(|note| matches!(note, Note::Unreadable { .. }))
    }

    /// What the plan's new revision changes in the live one, a line each.
    pub(super) fn differences(&self) -> Vec<String> {
        let Some(live) = self.facts.live_task_definition.known() else { return Vec::new() };
        let content = self.plan.steps.iter().find_map(|step| match step {
            Step::RegisterTaskDefinition { content, .. } => Some(content),
            _ => None,
        });
        content.map(|content| render::difference(live, content)).unwrap_or_default()
    }
}
