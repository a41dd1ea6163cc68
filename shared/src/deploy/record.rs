//! What a pass leaves behind: the row's next state, and the item of its history.
//!
//! # Flow
//!
//! 1. [`ended`]: releases whose end was seen go into the history *first*. Killed after
//!    that, the next pass sees the same end again and says it again: twice is better than
//!    never.
//! 2. [`intent`]: the state with the rollout that is about to begin, written before
//!    `UpdateService`.
//! 3. [`after`]: the state with what the steps made, written as the lease is let go.

use super::plan::{InFlightChange, Plan, Step, StepOutcome};
use super::report::Note;
use crate::id::{Actor, DeploymentId, FencingToken, TaskDefinitionArn, Timestamp};
use crate::ledger::{
    InFlight, KEPT_REGISTERED, Manner, PassRecord, Published, RoomWanted, SCHEMA, ServiceRow, ServiceState,
    StepRecord, Tidy,
};

/// What the steps made, as far as they came.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Made {
    /// Each step that was tried, with its end, in order. Fewer than the plan's where one
    /// did not go through.
    pub outcomes: Vec<StepOutcome>,
    /// The revision that was registered, or found.
    pub task_definition: Option<TaskDefinitionArn>,
    /// The deployment that was begun.
    pub deployment: Option<DeploymentId>,
    /// What became of the task before a rollout.
    pub task: Option<Ran>,
}

/// What `RunTask` answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ran {
    /// The task of this ARN.
    Task(String),
    /// There is none, and there will be none by this token.
    Nothing,
}

/// In which pass something was recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Context {
    /// When.
    pub now: Timestamp,
    /// Under which token.
    pub token: FencingToken,
    /// What rang.
    pub cause: String,
    /// Who.
    pub by: Actor,
}

/// The history's item of releases that ended; `None` if none did.
pub fn ended(plan: &Plan, row: &ServiceRow, context: &Context) -> Option<PassRecord> {
    let has_ended = !plan.ledger.ended.is_empty();
    has_ended.then(|| PassRecord { ended: plan.ledger.ended.clone(), ..blank(plan, row, context) })
}

/// The history's item of a pass that had steps, with what [`ended`] said already; `None` if
/// it had none.
pub fn steps(plan: &Plan, row: &ServiceRow, made: &Made, context: &Context) -> Option<PassRecord> {
    if plan.steps.is_empty() && !answers_an_order(plan, &row.state) {
        return None;
    }
    let steps = plan
        .steps
        .iter()
        .zip(&made.outcomes)
        .map(|(step, outcome)| StepRecord { step: step.to_string(), outcome: outcome.to_string() });
    let began = match &plan.ledger.in_flight {
        InFlightChange::Set(begun) if has_begun(begun, row, made) => {
            let mut begun = (**begun).clone();
            begun.deployment.clone_from(&made.deployment);
            begun.task_definition = made.task_definition.clone().or(begun.task_definition);
            Some(begun)
        }
        InFlightChange::Set(_) | InFlightChange::Keep | InFlightChange::Clear => None,
    };
    // Under the same key as [`ended`]'s item, which this one takes the place of.
    let ended = plan.ledger.ended.clone();
    Some(PassRecord { steps: steps.collect(), began, ended, ..blank(plan, row, context) })
}

/// Whether a person's order was taken up: that stands in the history, also where it was refused.
fn answers_an_order(plan: &Plan, state: &ServiceState) -> bool {
    plan.ledger.marks.as_ref().is_some_and(|marks| marks.done != state.marks.done)
}

/// Whether this pass began it: ECS answered with a deployment, or its canary was made.
fn has_begun(begun: &InFlight, row: &ServiceRow, made: &Made) -> bool {
    let is_new = row.state.in_flight.as_ref().is_none_or(|known| known.started_at != begun.started_at);
    match begun.manner {
        Manner::Canary => is_new && made.task_definition.is_some(),
        Manner::Rolling | Manner::BlueGreen | Manner::EcsCanary | Manner::Linear => made.deployment.is_some(),
    }
}

fn blank(plan: &Plan, row: &ServiceRow, context: &Context) -> PassRecord {
    PassRecord {
        schema: SCHEMA,
        key: plan.key.clone(),
        at: context.now,
        generation: row.state.generation + 1,
        token: context.token,
        cause: context.cause.clone(),
        by: context.by.clone(),
        steps: Vec::new(),
        report: plan.report.iter().map(ToString::to_string).collect(),
        began: None,
        ended: Vec::new(),
    }
}

/// The row's state before any step: ends taken in, the intent set.
pub fn intent(state: &ServiceState, plan: &Plan, now: Timestamp) -> ServiceState {
    let mut next = state.clone();
    next.schema = SCHEMA;
    let does_something =
        !plan.steps.is_empty() || !plan.ledger.ended.is_empty() || answers_an_order(plan, state);
    next.generation += u64::from(does_something);
    next.repository = if plan.is_not_tracked() { None } else { plan.repository.clone().or(next.repository) };
    // Only a spec that could be read says whether it follows another service.
    if plan.repository.is_some() || plan.is_not_tracked() {
        next.follows.clone_from(&plan.follows);
    }
    if let Some(settled) = &plan.ledger.settled {
        next.settled = Some(settled.clone());
    }
    if let Some(marks) = &plan.ledger.marks {
        next.marks = (**marks).clone();
    }
    match &plan.ledger.in_flight {
        InFlightChange::Keep => {}
        InFlightChange::Clear => next.in_flight = None,
        InFlightChange::Set(begun) => next.in_flight = Some((**begun).clone()),
    }
    if let Some(last) = plan.ledger.ended.last() {
        next.last_release = Some(last.clone());
    }
    next.last_report = plan.report.iter().map(ToString::to_string).collect();
    next.looked_at = Some(now);
    next
}

/// The row's state after the steps.
pub fn after(intent: ServiceState, plan: &Plan, made: &Made) -> ServiceState {
    let mut next = intent;
    ran(&mut next, plan, made);
    room_for(&mut next, plan, made);
    // A revision that is made for a task before a later rollout is not the one in flight.
    let runs_task = plan.steps.iter().any(|step| matches!(step, Step::RunTask(_)));
    if let Some(in_flight) = &mut next.in_flight
        && matches!(plan.ledger.in_flight, InFlightChange::Set(_))
        // What its steps make then is the way back, and not its own.
        && in_flight.given_up.is_none()
        && !runs_task
    {
        in_flight.task_definition = made.task_definition.clone().or(in_flight.task_definition.take());
        in_flight.deployment = made.deployment.clone().or(in_flight.deployment.take());
    }
    registered(&mut next, plan, made);
    published(&mut next, plan, made);
    for (step, outcome) in plan.steps.iter().zip(&made.outcomes) {
        if !outcome.goes_on() {
            next.last_report.push(format!("{step}: {outcome}"));
        }
    }
    let all_went_through =
        made.outcomes.len() == plan.steps.len() && made.outcomes.iter().all(StepOutcome::goes_on);
    next.unfinished = !all_went_through || plan.report.iter().any(leaves_open);
    next
}

/// Notes the task that was started, or takes back the mark of one that was not.
fn ran(next: &mut ServiceState, plan: &Plan, made: &Made) {
    let token = plan.steps.iter().find_map(|step| match step {
        Step::RunTask(task) => Some(&task.token),
        _ => None,
    });
    let (Some(token), Some(ran)) = (token, &made.task) else { return };
    match ran {
        Ran::Task(arn) => {
            if let Some(mark) = next.marks.pre_deployed.iter_mut().find(|mark| mark.token == *token) {
                mark.task = Some(arn.clone());
            }
        }
        Ran::Nothing => next.marks.pre_deployed.retain(|mark| mark.token != *token),
    }
}

/// Notes the revision that was registered, and forgets those that were deregistered.
fn registered(next: &mut ServiceState, plan: &Plan, made: &Made) {
    let (marks, mut all_gone) = (&mut next.marks, true);
    for (at, step) in plan.steps.iter().enumerate() {
        let outcome = made.outcomes.get(at);
        match step {
            Step::RegisterTaskDefinition { .. } if outcome == Some(&StepOutcome::Done) => {
                let Some((family, number)) =
                    made.task_definition.as_ref().and_then(|arn| Some((arn.family(), arn.number()?)))
                else {
                    continue;
                };
                let numbers = marks.registered.entry(family).or_default();
                numbers.insert(number);
                while numbers.len() > KEPT_REGISTERED {
                    numbers.pop_first();
                }
            }
            Step::Deregister { task_definition } => {
                let numbers = marks.registered.get_mut(&task_definition.family());
                match outcome {
                    Some(outcome) if outcome.goes_on() => {
                        if let (Some(numbers), Some(number)) = (numbers, task_definition.number()) {
                            numbers.remove(&number);
                        }
                    }
                    // What AWS refuses for good is not asked each minute: the next release does.
                    Some(StepOutcome::Failed { reason, .. }) => {
                        let settled = next.settled.as_ref().map(|settled| settled.task_definition.clone());
                        let refused = |settled| Tidy::Refused { settled, reason: reason.clone() };
                        marks.tidy = settled.map(refused);
                        return;
                    }
                    Some(_) | None => all_gone = false,
                }
            }
            _ => {}
        }
    }
    if !all_gone {
        marks.tidy = Some(Tidy::Due);
    }
}

/// Notes what was published, or refused for good.
fn published(next: &mut ServiceState, plan: &Plan, made: &Made) {
    for (step, outcome) in plan.steps.iter().zip(&made.outcomes) {
        let Step::Publish { text, .. } = step else { continue };
        let text = text.clone();
        match outcome {
            StepOutcome::Failed { reason, .. } => {
                next.marks.published = Some(Published::Refused { text, reason: reason.clone() });
            }
            outcome if outcome.goes_on() => next.marks.published = Some(Published::Done { text }),
            _ => {}
        }
    }
}

/// A rollout that waits for room does so with the revision that it just registered; where that did
/// not come to be, nothing is asked for.
fn room_for(next: &mut ServiceState, plan: &Plan, made: &Made) {
    let registers = plan.steps.iter().any(|step| matches!(step, Step::RegisterTaskDefinition { .. }));
    let waits = plan.report.iter().any(|note| matches!(note, Note::Room(room) if room.holds_back()));
    if !registers || !waits {
        return;
    }
    next.marks.room = next
        .marks
        .room
        .take()
        .zip(made.task_definition.clone())
        .map(|(room, made)| RoomWanted { task_definition: made, ..room });
}

/// Whether the state says anything that the row does not: when the pass looked is not
/// worth a write.
pub fn is_news(before: &ServiceState, after: &ServiceState) -> bool {
    ServiceState { looked_at: None, ..before.clone() } != ServiceState { looked_at: None, ..after.clone() }
}

/// Whether the sweep should look again although nothing rings. What follows a rollout is
/// kept by `in_flight`, and what waits for another image by the images themselves.
fn leaves_open(note: &Note) -> bool {
    match note {
        Note::Gate(note) => note.leaves_open(),
        Note::Strategy(note) => note.leaves_open(),
        Note::Canary(note) => note.leaves_open(),
        Note::Rollback(note) => note.leaves_open(),
        Note::Route(note) => note.leaves_open(),
        Note::Scan(note) => note.leaves_open(),
        Note::PreDeploy(note) => note.leaves_open(),
        Note::Quiet { .. }
        | Note::RollingOut { .. }
        | Note::Overdue { .. }
        | Note::TookOver { .. }
        | Note::LeftoverFound { .. }
        | Note::Quarantined { .. }
        | Note::NoImage { .. }
        | Note::NotTracked { .. }
        | Note::Room(_)
        // The next release asks anew.
        | Note::NotPublished { .. }
        // The mark of what it waits for says when to look again.
        | Note::Held { .. } => false,
        Note::SpecRefused { .. }
        | Note::LabelsRefused { .. }
        | Note::Unreadable { .. }
        | Note::ClusterMissing { .. }
        | Note::ServiceLeaving { .. }
        | Note::OtherController { .. }
        | Note::NotCreatable { .. }
        | Note::RepositoryMissing { .. }
        | Note::OtherRegion { .. }
        | Note::WrongArchitecture { .. }
        | Note::ImageGone { .. }
        | Note::WouldDowngrade { .. }
        | Note::NoTrackedContainer { .. }
        | Note::RollingBack { .. }
        | Note::RouteTaken { .. }
        | Note::RouteWaits { .. }
        | Note::NoListener
        | Note::NoPriority => true,
    }
}
