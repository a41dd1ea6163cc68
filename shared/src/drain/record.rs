//! What a drain pass leaves in the ledger: the row's next state, and an item of history.

use super::plan::{DrainPlan, Step};
use crate::deploy::plan::StepOutcome;
use crate::id::{Actor, FencingToken, Timestamp};
use crate::ledger::{ClusterRecord, InstanceRow, InstanceState, SCHEMA, StepRecord};

/// Under which circumstances a pass was made.
#[derive(Debug, Clone)]
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

/// The row's state after the steps: those that did not go through, and those that were not tried after
/// them, take their part of it back, so that the next pass tries them again.
pub fn after(plan: &DrainPlan, row: &InstanceRow, outcomes: &[StepOutcome], now: Timestamp) -> InstanceState {
    let mut state = plan.state.clone();
    for (at, step) in plan.steps.iter().enumerate() {
        if !outcomes.get(at).is_some_and(StepOutcome::goes_on) {
            take_back(step, &row.state, &mut state);
        }
    }
    let did = outcomes.iter().any(StepOutcome::goes_on);
    state.generation = row.state.generation + u64::from(did);
    state.last_report = plan.report.iter().map(ToString::to_string).collect();
    state.looked_at = Some(now);
    state
}

fn take_back(step: &Step, before: &InstanceState, state: &mut InstanceState) {
    match step {
        Step::Mark { .. } | Step::Drain { .. } => state.drained_at = before.drained_at,
        Step::Heartbeat { .. } => state.heartbeat_at = before.heartbeat_at,
        Step::StopTask { task, .. } => state.cut.retain(|it| it.task != *task || before.cut.contains(it)),
        // What was cut with an instance that is not let go yet is not cut yet.
        Step::Complete { .. } => {
            state.let_go_at = before.let_go_at;
            state.ended.clone_from(&before.ended);
            state.cut.clone_from(&before.cut);
            state.on_it.clone_from(&before.on_it);
        }
        Step::TakeBack { .. } => {
            state.let_go_at = before.let_go_at;
            state.ended.clone_from(&before.ended);
            state.on_it.clone_from(&before.on_it);
        }
    }
}

/// Whether the state is worth a write: more than the look at it and the words of its report changed.
pub fn is_news(before: &InstanceState, after: &InstanceState) -> bool {
    let still =
        |state: &InstanceState| InstanceState { looked_at: None, last_report: Vec::new(), ..state.clone() };
    still(before) != still(after)
}

/// The item of history, where anything was done or something ended.
pub fn pass(
    plan: &DrainPlan,
    before: &InstanceState,
    state: &InstanceState,
    outcomes: &[StepOutcome],
    context: &Context,
) -> Option<ClusterRecord> {
    let steps = plan.steps.iter().zip(outcomes);
    let steps: Vec<StepRecord> = steps
        .map(|(step, outcome)| StepRecord { step: step.to_string(), outcome: outcome.to_string() })
        .collect();
    let is_news = !steps.is_empty() || state.ended != before.ended;
    let cut = state.cut.iter().filter(|it| !before.cut.contains(it));
    let cut = cut.map(|it| format!("cut: {} of {}: {}", it.task.as_str(), it.group, it.reason));
    is_news.then(|| ClusterRecord {
        schema: SCHEMA,
        cluster: plan.key.cluster.clone(),
        instance: Some(plan.key.instance.clone()),
        at: context.now,
        generation: state.generation,
        token: context.token,
        cause: context.cause.clone(),
        by: context.by.clone(),
        steps,
        report: cut.chain(state.last_report.iter().cloned()).collect(),
    })
}

/// Whether the world is to be looked at again at once: a step found it changed, or the instance drains from
/// now on and may be empty already.
pub fn goes_round(plan: &DrainPlan, outcomes: &[StepOutcome]) -> bool {
    let mut each = plan.steps.iter().zip(outcomes);
    each.any(|(step, outcome)| match outcome {
        StepOutcome::Stale { .. } => true,
        StepOutcome::Done | StepOutcome::AlreadyDone => matches!(step, Step::Drain { .. }),
        StepOutcome::Waiting { .. } | StepOutcome::Failed { .. } => false,
    })
}
