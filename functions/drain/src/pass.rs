//! One pass over one instance: observe → plan → check → apply → record, under the instance's lease.

use std::fmt;

use windlass_aws::draining::apply;
use windlass_aws::pass::{Pass, Passed, Turn, pass};
use windlass_aws::{Invocation, Lease, LedgerError, Quarantined};
use windlass_shared::drain::facts::Warning;
use windlass_shared::drain::{self, DrainPlan, check::Violation, record};
use windlass_shared::id::Timestamp;
use windlass_shared::ledger::{InstanceKey, InstanceRow, InstanceState};

use crate::app::App;

/// How a pass ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PassEnd {
    /// Nothing was to be done; why stands in the log.
    Nothing,
    /// Steps were made.
    Did {
        /// How many went through.
        steps: usize,
        /// How many were tried.
        of: usize,
    },
    /// Somebody else has the lease, and will see this ring.
    Busy,
    /// There was no time left; the sweep takes it up.
    OutOfTime,
}

impl fmt::Display for PassEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("nothing to do"),
            Self::Did { steps, of } if steps == of => write!(f, "did {steps} steps"),
            Self::Did { steps, of } => write!(f, "did {steps} of {of} steps"),
            Self::Busy => f.write_str("another pass has the lease and will see this ring"),
            Self::OutOfTime => f.write_str("out of time; the next sweep goes on"),
        }
    }
}

/// Why a pass did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum PassError {
    /// The ledger.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The plan breaks invariants; nothing of it was applied.
    #[error("the plan was refused by the check: {}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Unsound(Vec<Violation>),
    /// The warning stands in its event alone: whoever has the lease cannot know it.
    #[error("another pass has the lease, and cannot know of the warning; to be tried again")]
    Unheard,
}

/// Makes the pass. It looks first, without the lease: an instance of which nothing is to be done costs
/// reads alone, each minute. What is to be done is looked at again under the lease.
pub(crate) async fn over(
    app: &App,
    key: &InstanceKey,
    warning: Option<Warning>,
    cause: &str,
    invocation: &Invocation,
) -> Result<PassEnd, PassError> {
    let own = OverInstance { app, warning, cause };
    let row = app.ledger.row(key).await?;
    let (plan, now) = own.plan(key, &row).await?;
    if plan.steps.is_empty() && !record::is_news(&row.state, &plan.state) {
        app.clients.meter.passed(true);
        log(&plan, &PassEnd::Nothing, cause, now, app.clock.now());
        return Ok(PassEnd::Nothing);
    }
    let passed = pass(&app.ledger, &app.clock, key, invocation, &own).await;
    app.clients.meter.passed(passed.is_ok());
    match passed? {
        Passed::Ended(end) => Ok(end),
        Passed::Busy if warning.is_some() => Err(PassError::Unheard),
        Passed::Busy => Ok(PassEnd::Busy),
        Passed::OutOfTime => Ok(PassEnd::OutOfTime),
    }
}

struct OverInstance<'a> {
    app: &'a App,
    warning: Option<Warning>,
    cause: &'a str,
}

impl OverInstance<'_> {
    /// What is to be done, sound, and when it was looked.
    async fn plan(&self, key: &InstanceKey, row: &InstanceRow) -> Result<(DrainPlan, Timestamp), PassError> {
        let facts = Box::pin(self.app.observer.instance_facts(key, self.warning)).await;
        let now = self.app.clock.now();
        let plan = drain::plan(&facts, row, now);
        match drain::check(&plan, &facts, row, now) {
            violations if violations.is_empty() => Ok((plan, now)),
            violations => Err(PassError::Unsound(violations)),
        }
    }
}

impl Pass for OverInstance<'_> {
    type Key = InstanceKey;
    type End = PassEnd;
    type Error = PassError;

    async fn round(
        &self,
        lease: &Lease<InstanceKey>,
        row: &InstanceRow,
    ) -> Result<Turn<InstanceState, PassEnd>, PassError> {
        let Self { app, cause, .. } = self;
        let (plan, now) = self.plan(&lease.key, row).await?;
        let outcomes = apply(&app.clients, &plan).await;
        let by = app.stack.scale.actor.clone();
        let context = record::Context { now, token: lease.token, cause: (*cause).to_owned(), by };
        let state = record::after(&plan, row, &outcomes, now);
        if let Some(record) = record::pass(&plan, &row.state, &state, &outcomes, &context) {
            app.ledger.record_of_cluster(&record).await?;
        }
        let steps = outcomes.iter().filter(|outcome| outcome.goes_on()).count();
        let is_stale = record::goes_round(&plan, &outcomes);
        let end = match plan.steps.len() {
            0 => PassEnd::Nothing,
            of => PassEnd::Did { steps, of },
        };
        log(&plan, &end, cause, now, app.clock.now());
        let is_news = record::is_news(&row.state, &state);
        Ok(Turn { state, quarantine: Quarantined::new(), is_news, is_stale, end })
    }
}

fn log(plan: &DrainPlan, end: &PassEnd, cause: &str, began: Timestamp, now: Timestamp) {
    let report: Vec<String> = plan.report.iter().map(ToString::to_string).collect();
    tracing::info!(
        instance = %plan.key,
        generation = plan.state.generation,
        outcome = %end,
        duration_ms = now.as_millisecond() - began.as_millisecond(),
        steps = plan.steps.len(),
        cause = %cause,
        report = %report.join(" | "),
        "pass"
    );
}
