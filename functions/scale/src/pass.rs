//! One pass over one cluster: observe → plan → check → apply → record, under the cluster's lease.

use std::fmt;

use windlass_aws::capacity::apply;
use windlass_aws::pass::{Pass, Passed, Turn, pass};
use windlass_aws::{Invocation, Lease, LedgerError, Meter, Quarantined};
use windlass_shared::id::{AlarmName, ClusterName, Timestamp};
use windlass_shared::ledger::{ClusterRow, ClusterState};
use windlass_shared::metrics::Metric;
use windlass_shared::scale::facts::CapacityFacts;
use windlass_shared::scale::report::{InstanceNote, Note};
use windlass_shared::scale::rings::{Naming, naming};
use windlass_shared::scale::{self, CapacityPlan, check::Violation, record};

use crate::app::App;

/// How a pass ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PassEnd {
    /// Nothing was to be done; why stands in the row's report.
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
}

/// What wakes a pass.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cause<'a> {
    /// In words.
    pub(crate) words: &'a str,
    /// The alarm, where it is one.
    pub(crate) alarm: Option<&'a AlarmName>,
}

/// What came of it.
#[derive(Debug)]
pub(crate) struct Over {
    pub(crate) end: PassEnd,
    /// Whether the cluster scales by the alarm that rang.
    pub(crate) naming: Naming,
}

/// Makes the pass. It looks first, without the lease: a cluster in which nothing is to be done costs reads
/// alone, each minute. What is to be done is looked at again under the lease.
pub(crate) async fn over(
    app: &App,
    cluster: &ClusterName,
    cause: Cause<'_>,
    invocation: &Invocation,
) -> Result<Over, PassError> {
    let own = OverCluster { app, cause };
    let row = app.ledger.row(cluster).await?;
    let Look { plan, naming, now } = own.look(cluster, &row).await?;
    if plan.steps.is_empty() && !record::is_news(&row.state, &plan.state) {
        app.clients.meter.passed(true);
        log(&plan, &PassEnd::Nothing, cause.words, now, app.clock.now());
        return Ok(Over { end: PassEnd::Nothing, naming });
    }
    let passed = pass(&app.ledger, &app.clock, cluster, invocation, &own).await;
    app.clients.meter.passed(passed.is_ok());
    let end = match passed? {
        Passed::Ended(end) => end,
        Passed::Busy => PassEnd::Busy,
        Passed::OutOfTime => PassEnd::OutOfTime,
    };
    Ok(Over { end, naming })
}

/// What is to be done, sound, and when it was looked.
struct Look {
    plan: CapacityPlan,
    naming: Naming,
    now: Timestamp,
}

struct OverCluster<'a> {
    app: &'a App,
    cause: Cause<'a>,
}

impl OverCluster<'_> {
    async fn look(&self, cluster: &ClusterName, row: &ClusterRow) -> Result<Look, PassError> {
        let (facts, plan, now) = Box::pin(self.app.observer.plan(cluster, row, &self.app.stack.scale)).await;
        count(&self.app.clients.meter, &facts, &plan);
        let violations = scale::check(&plan, &facts, row, now);
        if !violations.is_empty() {
            return Err(PassError::Unsound(violations));
        }
        let naming = self.cause.alarm.map_or(Naming::Untold, |alarm| naming(&facts, alarm));
        Ok(Look { plan, naming, now })
    }
}

impl Pass for OverCluster<'_> {
    type Key = ClusterName;
    type End = PassEnd;
    type Error = PassError;

    async fn round(
        &self,
        lease: &Lease<ClusterName>,
        row: &ClusterRow,
    ) -> Result<Turn<ClusterState, PassEnd>, PassError> {
        let Self { app, cause } = self;
        let settings = &app.stack.scale;
        let Look { plan, now, .. } = self.look(&lease.key, row).await?;
        let outcomes = apply(&app.clients, &plan, &app.stack.scale.actor, now).await;
        let context = record::Context {
            now,
            token: lease.token,
            cause: cause.words.to_owned(),
            by: settings.actor.clone(),
        };
        let state = record::after(&plan, row, &outcomes, now);
        if let Some(record) = record::pass(&plan, (&row.state, &state), &outcomes, &context) {
            app.ledger.record_of_cluster(&record).await?;
        }
        let steps = outcomes.iter().filter(|outcome| outcome.goes_on()).count();
        let is_stale = outcomes.iter().any(record::is_stale);
        let end = match plan.steps.len() {
            0 => PassEnd::Nothing,
            of => PassEnd::Did { steps, of },
        };
        log(&plan, &end, cause.words, now, app.clock.now());
        let is_news = record::is_news(&row.state, &state);
        Ok(Turn { state, quarantine: Quarantined::new(), is_news, is_stale, end })
    }
}

/// How it stands with the cluster: its instances, and the tasks that no group can give a place.
fn count(meter: &Meter, facts: &CapacityFacts, plan: &CapacityPlan) {
    let without_place = plan.report.iter().map(|note| match note {
        Note::Instances(InstanceNote::NoPlace { tasks, .. }) => f64::from(*tasks),
        _ => 0.0,
    });
    let mut tally = meter.tally();
    tally.of_cluster(&plan.cluster, Metric::TasksWithoutPlace, without_place.sum());
    if let Some(instances) = facts.instances.known() {
        let instances = u32::try_from(instances.len()).unwrap_or(u32::MAX);
        tally.of_cluster(&plan.cluster, Metric::Instances, f64::from(instances));
    }
}

fn log(plan: &CapacityPlan, end: &PassEnd, cause: &str, began: Timestamp, now: Timestamp) {
    let report: Vec<String> = plan.report.iter().map(ToString::to_string).collect();
    tracing::info!(
        cluster = %plan.cluster,
        generation = plan.state.generation,
        outcome = %end,
        duration_ms = now.as_millisecond() - began.as_millisecond(),
        steps = plan.steps.len(),
        cause = %cause,
        report = %report.join(" | "),
        "pass"
    );
}
