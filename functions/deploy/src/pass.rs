//! One pass over one service: ring → lease → observe → plan → check → apply → record.
//!
//! The loop goes round again where somebody rang meanwhile, or where a step found the
//! world changed since it was looked at; a bounded number of times, and never past the
//! function's deadline. What is left then, the timer's next sweep takes up.

use std::fmt;

use jiff::SignedDuration;
use windlass_aws::observe::route_hint;
use windlass_aws::{Hints, Lease, LedgerError, Released, RingResult, StateWrite};
use windlass_shared::deploy::{self, Plan, StepOutcome, Violation, record};
use windlass_shared::event::Doorbell;
use windlass_shared::facts::ServiceFacts;
use windlass_shared::id::{ServiceKey, Timestamp};
use windlass_shared::ledger::{Manner, ServiceRow, ServiceState};

use windlass_aws::Invocation;

use crate::app::App;

/// Rounds under one lease. Each ring during a round asks for another; a service that is
/// rung without end is the timer's after that.
const ROUNDS: u32 = 5;
/// A round takes well under a second; with less than this left none is begun.
const ROOM: SignedDuration = SignedDuration::from_secs(10);

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
    let now = app.clock.now();
    let holder = format!("{}/{}", invocation.request_id, task.key);
    let (lease, mut row) =
        match app.ledger.ring_and_lease(&task.key, now, invocation.lease_until(), &holder).await? {
            RingResult::Leased { lease, row } => (lease, row),
            RingResult::Busy { .. } => return Ok(PassEnd::Busy),
        };
    // Boxed: every pass side by side would carry this one's rounds on its stack.
    let before = (row.state.settled.clone(), row.quarantine.clone());
    let end = Box::pin(rounds(app, task, invocation, &lease, &mut row)).await;
    if let Err(error) = &end {
        tracing::error!(service = %task.key, %error, "pass failed");
        // Nobody has to wait for the lease to run out. If this fails too, they do.
        let _: Result<(), LedgerError> = app.ledger.let_go(&lease).await;
    }
    if (&row.state.settled, &row.quarantine) != (&before.0, &before.1) {
        ring_followers(app, &task.key).await;
    }
    end
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

async fn rounds(
    app: &App,
    task: &Task,
    invocation: &Invocation,
    lease: &Lease,
    row: &mut ServiceRow,
) -> Result<PassEnd, PassError> {
    let mut last = PassEnd::Nothing;
    for round in 1..=ROUNDS {
        if app.clock.now().duration_until(invocation.deadline) < ROOM {
            app.ledger.let_go(lease).await?;
            return Ok(PassEnd::OutOfTime);
        }
        let done = Box::pin(one_round(app, task, lease, row)).await?;
        let goes_round = done.looks_again && round < ROUNDS;
        last = done.end;
        row.state = done.state;
        row.quarantine.extend(done.plan.ledger.quarantine.clone());
        if goes_round {
            app.ledger.write_state(lease, write(&row.state, &done.plan)).await?;
            continue;
        }
        let news = done.is_news.then(|| write(&row.state, &done.plan));
        match app.ledger.release(lease, row.rung, news).await? {
            Released::Released => return refused_or(done.refused, last),
            Released::RungAgain { rung } => {
                row.rung = rung;
                // The release wrote nothing, and the next round only writes what is new to it.
                if done.is_news {
                    app.ledger.write_state(lease, write(&row.state, &done.plan)).await?;
                }
            }
        }
    }
    app.ledger.let_go(lease).await?;
    Ok(last)
}

fn refused_or(refused: Option<String>, end: PassEnd) -> Result<PassEnd, PassError> {
    refused.map_or(Ok(end), |reason| Err(PassError::Refused(reason)))
}

fn write<'a>(state: &'a ServiceState, plan: &'a Plan) -> StateWrite<'a> {
    StateWrite { state, quarantine: &plan.ledger.quarantine }
}

/// What a round came to.
struct Done {
    end: PassEnd,
    plan: Plan,
    state: ServiceState,
    is_news: bool,
    /// Another round: the world is not as this one's plan saw it.
    looks_again: bool,
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
    let facts = app.observer.service_facts(&task.key, row, &task.hints, &app.stack.settings).await;
    let now = app.clock.now();
    let mut plan = deploy::plan(&facts, row, &app.stack.settings, now);
    if plan.repository.is_none() && row.state.repository.is_none() && !plan.is_not_tracked() {
        // It could not be told what is wanted. Of a first push the sweep would not know otherwise.
        plan.repository.clone_from(&task.hints.repository);
    }
    Look { facts, plan, now }
}

async fn one_round(app: &App, task: &Task, lease: &Lease, row: &ServiceRow) -> Result<Done, PassError> {
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
    let done = judge(plan, &made, &row.state, state);
    log(task, &done, now, app.clock.now());
    Ok(done)
}

/// The steps; the intent is written beside the first one and before any that begins a rollout.
async fn apply(
    app: &App,
    lease: &Lease,
    plan: &Plan,
    intent: &ServiceState,
    row: &ServiceRow,
) -> Result<record::Made, PassError> {
    let before_rollout = app.ledger.write_state(lease, write(intent, plan));
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

fn judge(plan: Plan, made: &record::Made, before: &ServiceState, state: ServiceState) -> Done {
    let steps = made.outcomes.iter().filter(|outcome| outcome.goes_on()).count();
    let is_news = record::is_news(before, &state);
    let last = made.outcomes.last();
    let refused = match last {
        Some(StepOutcome::Failed { reason, .. }) => Some(reason.clone()),
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
    let looks_again = matches!(last, Some(StepOutcome::Stale { .. })) || (ends_canary && refused.is_none());
    Done { end, plan, state, is_news, looks_again, refused }
}

fn log(task: &Task, done: &Done, began: Timestamp, now: Timestamp) {
    let report: Vec<String> = done.plan.report.iter().map(ToString::to_string).collect();
    tracing::info!(
        service = %task.key,
        generation = done.state.generation,
        outcome = %done.end,
        duration_ms = now.as_millisecond() - began.as_millisecond(),
        steps = done.plan.steps.len(),
        ended = done.plan.ledger.ended.len(),
        quarantined = done.plan.ledger.quarantine.len(),
        cause = %task.cause,
        report = %report.join(" | "),
        "pass"
    );
}
