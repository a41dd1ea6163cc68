//! One pass over one service: observe → plan → check → apply → record, under the service's lease.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};

use jiff::SignedDuration;
use windlass_aws::observe::route_hint;
use windlass_aws::pass::{self, Pass, Passed, Turn};
use windlass_aws::{Hints, Invocation, Lease, LedgerError, Meter, StateWrite};
use windlass_shared::deploy::{self, Plan, StepOutcome, Violation, record};
use windlass_shared::event::{ClusterDoorbell, Doorbell};
use windlass_shared::facts::ServiceFacts;
use windlass_shared::id::{ServiceKey, Timestamp};
use windlass_shared::ledger::{Manner, Outcome, ServiceRow, ServiceState};
use windlass_shared::metrics::Metric;

use crate::app::App;

/// An image that was pushed so long before its rollout was begun waited for something else than Windlass.
const JUST_BEFORE: SignedDuration = SignedDuration::from_hours(1);

/// A pass to make.
#[derive(Debug, Clone)]
pub(crate) struct Task {
    pub(crate) key: ServiceKey,
    pub(crate) cause: String,
    pub(crate) hints: Hints,
    pub(crate) ring: Ring,
}

/// Whether the doorbell is rung at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ring {
    /// It is.
    Always,
    /// Only that of a service that has a row: an event of a service that nobody tracks must
    /// leave no trace.
    OnlyKnown,
    /// Only where a look without the lease finds something to do or to note: what waits, is
    /// refused or was never settled is swept each minute, and costs no write then.
    WhereNeeded,
}

/// How a pass ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PassEnd {
    /// Nothing was to be done; why stands in the row's report.
    Nothing,
    /// Steps were made, or ends recorded.
    Did {
        /// How many steps went through.
        steps: usize,
    },
    /// A step has to wait: the timer, or the next event, goes on.
    Waits(String),
    /// Somebody else has the lease, and will see this ring.
    Busy,
    /// Nobody asked for this service.
    NotTracked,
    /// There was no time left; the sweep takes it up.
    OutOfTime,
}

impl fmt::Display for PassEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("nothing to do"),
            Self::Did { steps } => write!(f, "did {steps} steps"),
            Self::Waits(reason) => write!(f, "waits: {reason}"),
            Self::Busy => f.write_str("another pass has the lease and will see this ring"),
            Self::NotTracked => f.write_str("not tracked"),
            Self::OutOfTime => f.write_str("out of time; the next sweep goes on"),
        }
    }
}

/// Why a pass did not come to its end. Nothing half-made is lost: the next one observes it.
#[derive(Debug, thiserror::Error)]
pub enum PassError {
    /// The ledger.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The plan breaks invariants; nothing of it was applied.
    #[error("the plan was refused by the check: {}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Unsound(Vec<Violation>),
    /// AWS refused a step; the pass is recorded with its reason.
    #[error("{0}")]
    Refused(String),
}

/// Makes one pass.
pub(crate) async fn pass(app: &App, task: &Task, invocation: &Invocation) -> Result<PassEnd, PassError> {
    match task.ring {
        Ring::OnlyKnown if app.ledger.row(&task.key).await?.rung == 0 => return Ok(PassEnd::NotTracked),
        Ring::Always | Ring::OnlyKnown => {}
        Ring::WhereNeeded => {
            // Boxed: the facts are large.
            if !Box::pin(is_needed(app, task)).await? {
                return Ok(PassEnd::Nothing);
            }
        }
    }
    if task.hints.digest.is_some() {
        // A push will be rolled out, and waits for the cluster's architectures: two calls deep.
        app.observer.warm(&task.key.cluster);
    }
    let [concerns_followers, wants_room] = [AtomicBool::new(false), AtomicBool::new(false)];
    let own = OverService { app, task, concerns_followers, wants_room };
    let ended = pass::pass(&app.ledger, &app.clock, &task.key, invocation, &own).await;
    if let Err(error) = &ended {
        tracing::error!(service = %task.key, %error, "pass failed");
    }
    if own.concerns_followers.into_inner() {
        ring_followers(app, &task.key).await;
    }
    if own.wants_room.into_inner() {
        ring_cluster(app, &task.key).await;
    }
    let ended = ended.and_then(|passed| match passed {
        Passed::Ended(Done { refused: Some(reason), .. }) => Err(PassError::Refused(reason)),
        Passed::Ended(Done { end, refused: None }) => Ok(end),
        Passed::Busy => Ok(PassEnd::Busy),
        Passed::OutOfTime => Ok(PassEnd::OutOfTime),
    });
    app.clients.meter.passed(ended.is_ok());
    ended
}

/// Whether a pass would do anything, or note anything that the row does not say. What is seen
/// here is not acted on: the pass looks again, under its lease.
async fn is_needed(app: &App, task: &Task) -> Result<bool, PassError> {
    let row = app.ledger.row(&task.key).await?;
    if row.rung == 0 || row.rung > row.answered {
        return Ok(true);
    }
    let look = Box::pin(look(app, task, &row)).await;
    let state = record::after(look.intent(&row), &look.plan, &record::Made::default());
    let changes = &look.plan.ledger;
    let is_needed = !look.plan.steps.is_empty()
        || !changes.ended.is_empty()
        || !changes.quarantine.is_empty()
        || record::is_news(&row.state, &state);
    tracing::debug!(service = %task.key, cause = %task.cause, is_needed, "looked");
    Ok(is_needed)
}

/// What was settled here, or failed, may be what others wait for. A bell that does not ring costs
/// them a minute: the sweep sees it, too.
async fn ring_followers(app: &App, key: &ServiceKey) {
    let followers = match app.ledger.index_followers(key).await {
        Ok(followers) => followers,
        Err(error) => {
            tracing::warn!(service = %key, %error, "cannot tell who follows it");
            return;
        }
    };
    for ServiceKey { cluster, service } in followers {
        let reason = Some(format!("{key}, which it follows, settled a release or gave one up"));
        let by = Some(app.stack.settings.actor.clone());
        let bell = Doorbell { cluster, service, reason, by };
        if let Err(failure) = windlass_aws::by_hand::ring(&app.clients.events, &bell).await {
            tracing::warn!(service = %key, follower = %bell.service, %failure, "cannot ring a follower");
        }
    }
}

/// A rollout waits for room: the scale pass reads in the row how much. A bell that does not ring costs a
/// minute, as above.
async fn ring_cluster(app: &App, key: &ServiceKey) {
    let reason = Some(format!("a rollout of {} needs room", key.service));
    let by = Some(app.stack.settings.actor.clone());
    let bell = ClusterDoorbell { cluster: key.cluster.clone(), reason, by };
    if let Err(failure) = windlass_aws::by_hand::ring_cluster(&app.clients.events, &bell).await {
        tracing::warn!(service = %key, %failure, "cannot ring the cluster for room");
    }
}

/// How a round ended.
struct Done {
    end: PassEnd,
    refused: Option<String>,
}

/// What there is, and what is to be done about it.
struct Look {
    facts: ServiceFacts,
    plan: Plan,
    now: Timestamp,
}

impl Look {
    /// The row's state before any step.
    fn intent(&self, row: &ServiceRow) -> ServiceState {
        ServiceState {
            route: route_hint(&self.facts).or(row.state.route.clone()),
            ..record::intent(&row.state, &self.plan, self.now)
        }
    }
}

async fn look(app: &App, task: &Task, row: &ServiceRow) -> Look {
    let looked = app.observer.plan(&task.key, row, &task.hints, &app.stack.settings);
    let (facts, mut plan, now) = Box::pin(looked).await;
    if plan.repository.is_none() && row.state.repository.is_none() && !plan.is_not_tracked() {
        // It could not be told what is wanted. Of a first push the sweep would not know otherwise.
        plan.repository.clone_from(&task.hints.repository);
    }
    Look { facts, plan, now }
}

struct OverService<'a> {
    app: &'a App,
    task: &'a Task,
    /// A release was settled, or given up: whoever waits for that is rung once the lease is let go.
    concerns_followers: AtomicBool,
    /// A rollout waits for room, or for other room than before: its cluster is rung once the row says so.
    wants_room: AtomicBool,
}

impl Pass for OverService<'_> {
    type Key = ServiceKey;
    type End = Done;
    type Error = PassError;

    async fn round(&self, lease: &Lease, row: &ServiceRow) -> Result<Turn<ServiceState, Done>, PassError> {
        let Self { app, task, concerns_followers, wants_room } = self;
        let look = Box::pin(look(app, task, row)).await;
        let intent = look.intent(row);
        let Look { facts, plan, now } = look;
        let violations = deploy::check(&plan, &facts, row);
        if !violations.is_empty() {
            return Err(PassError::Unsound(violations));
        }
        let context = record::Context {
            now,
            token: lease.token,
            cause: task.cause.clone(),
            by: app.stack.settings.actor.clone(),
        };
        if let Some(ended) = record::ended(&plan, row, &context) {
            app.ledger.record(&ended).await?;
        }
        follow_index(app, row, &plan).await?;
        let made = if plan.steps.is_empty() {
            record::Made::default()
        } else {
            apply(app, lease, &plan, &intent, row).await?
        };
        if let Some(steps) = record::steps(&plan, row, &made, &context) {
            app.ledger.record(&steps).await?;
        }
        let state = record::after(intent, &plan, &made);
        if state.settled != row.state.settled || !plan.ledger.quarantine.is_empty() {
            concerns_followers.store(true, Ordering::Relaxed);
        }
        if state.marks.room.is_some() && state.marks.room != row.state.marks.room {
            wants_room.store(true, Ordering::Relaxed);
        }
        let turn = judge(&plan, &made, &row.state, state);
        count(&app.clients.meter, row, &plan, &turn.state);
        log(task, &plan, &turn, now, app.clock.now());
        Ok(turn)
    }
}

/// The steps; the intent is written beside the first one and before any that begins a rollout.
async fn apply(
    app: &App,
    lease: &Lease,
    plan: &Plan,
    intent: &ServiceState,
    row: &ServiceRow,
) -> Result<record::Made, PassError> {
    let intended = StateWrite { state: intent, quarantine: &plan.ledger.quarantine };
    let before_rollout = app.ledger.write_state(lease, intended);
    // Boxed: SDK futures are large, and every pass side by side would carry this one's on its stack.
    let applied = windlass_aws::apply(&app.clients, plan, row.state.generation + 1, before_rollout);
    Ok(Box::pin(applied).await?)
}

/// The doorbell index follows the spec: its repository, and whose releases it follows.
async fn follow_index(app: &App, row: &ServiceRow, plan: &Plan) -> Result<(), PassError> {
    let before = row.state.repository.as_ref();
    match (&plan.repository, before) {
        (Some(repository), _) if before != Some(repository) => {
            app.ledger.index_put(&plan.key, repository, before).await?;
        }
        (None, Some(before)) if plan.is_not_tracked() => app.ledger.index_remove(&plan.key, before).await?,
        (Some(_) | None, _) => {}
    }
    let (follows, followed) = (plan.follows.as_ref(), row.state.follows.as_ref());
    let is_known = plan.repository.is_some() || plan.is_not_tracked();
    if is_known && follows != followed {
        app.ledger.index_follow(&plan.key, follows, followed).await?;
    }
    Ok(())
}

fn judge(
    plan: &Plan,
    made: &record::Made,
    before: &ServiceState,
    state: ServiceState,
) -> Turn<ServiceState, Done> {
    let steps = made.outcomes.iter().filter(|outcome| outcome.goes_on()).count();
    let last = made.outcomes.last();
    let refused = match plan.steps.iter().zip(&made.outcomes).next_back() {
        Some((step, StepOutcome::Failed { reason, .. })) if !step.may_fail() => Some(reason.clone()),
        _ => None,
    };
    let end = match last {
        Some(StepOutcome::Waiting { reason }) => PassEnd::Waits(reason.clone()),
        Some(_) => PassEnd::Did { steps },
        None if !plan.ledger.ended.is_empty() => PassEnd::Did { steps: 0 },
        None if plan.is_not_tracked() => PassEnd::NotTracked,
        None => PassEnd::Nothing,
    };
    // The pass that sees the end of Windlass's own canary has not looked at what waited for it.
    let ends_canary = plan.ledger.ended.iter().any(|release| release.manner == Manner::Canary);
    let is_stale = matches!(last, Some(StepOutcome::Stale { .. })) || (ends_canary && refused.is_none());
    // Where it goes round, the intent stands in the row: what became of it is written over it in any case.
    let is_news = is_stale || record::is_news(before, &state);
    let quarantine = plan.ledger.quarantine.clone();
    Turn { state, quarantine, is_news, is_stale, end: Done { end, refused } }
}

/// Of the rollouts: begun, ended, and how long an image took that was pushed just before.
fn count(meter: &Meter, row: &ServiceRow, plan: &Plan, state: &ServiceState) {
    let began = |state: &ServiceState| state.in_flight.as_ref().map(|it| (it.digest.clone(), it.started_at));
    let mut tally = meter.tally();
    if began(state).is_some() && began(state) != began(&row.state) {
        tally.count(Metric::RolloutsBegun, 1);
    }
    for release in &plan.ledger.ended {
        match release.outcome {
            Outcome::Live => tally.count(Metric::ReleasesLive, 1),
            Outcome::RolledBack | Outcome::Failed => tally.count(Metric::ReleasesRolledBack, 1),
            Outcome::Superseded => continue,
        }
        let pushed = release.pushed_at.filter(|at| at.duration_until(release.started_at) < JUST_BEFORE);
        if let (Outcome::Live, Some(pushed)) = (release.outcome, pushed) {
            tally.value(Metric::PushToLive, pushed.duration_until(release.ended_at).as_secs_f64());
        }
    }
}

fn log(task: &Task, plan: &Plan, turn: &Turn<ServiceState, Done>, began: Timestamp, now: Timestamp) {
    let report: Vec<String> = plan.report.iter().map(ToString::to_string).collect();
    tracing::info!(
        service = %task.key,
        generation = turn.state.generation,
        outcome = %turn.end.end,
        duration_ms = now.as_millisecond() - began.as_millisecond(),
        steps = plan.steps.len(),
        ended = plan.ledger.ended.len(),
        quarantined = plan.ledger.quarantine.len(),
        cause = %task.cause,
        report = %report.join(" | "),
        "pass"
    );
}
