//! What a scale pass leaves in the ledger: the row's next state, and an item of history.

use super::plan::{CapacityPlan, Step};
use crate::deploy::plan::StepOutcome;
use crate::id::{Actor, FencingToken, Timestamp};
use crate::ledger::{ClusterRecord, ClusterRow, ClusterState, SCHEMA, StepRecord};

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

/// The row's state after the steps: those that did not go through take their marks back, so that the
/// next pass tries them again at once.
pub fn after(
    plan: &CapacityPlan,
    row: &ClusterRow,
    outcomes: &[StepOutcome],
    now: Timestamp,
) -> ClusterState {
    let mut state = plan.state.clone();
    for (step, outcome) in plan.steps.iter().zip(outcomes) {
        if !outcome.goes_on() {
            take_back(step, &row.state, &mut state);
        }
    }
    let did = outcomes.iter().any(StepOutcome::goes_on);
    state.generation = row.state.generation + u64::from(did);
    state.unfinished = outcomes.iter().any(|outcome| !outcome.goes_on());
    state.last_report = plan.report.iter().map(ToString::to_string).collect();
    state.looked_at = Some(now);
    state
}

fn take_back(step: &Step, before: &ClusterState, state: &mut ClusterState) {
    match step {
        Step::SetDesired { service, .. } => match before.services.get(service) {
            Some(mark) => drop(state.services.insert(service.clone(), mark.clone())),
            None => drop(state.services.remove(service)),
        },
        Step::SetCapacity { group, .. } => match before.groups.get(group) {
            Some(mark) => drop(state.groups.insert(group.clone(), mark.clone())),
            None => drop(state.groups.remove(group)),
        },
        Step::Empty { .. } => state.emptied_at = before.emptied_at,
        Step::Ring { service, .. } => {
            if let Some(waits) = state.waiting.get_mut(service) {
                waits.rung = false;
            }
        }
        Step::TakeBack { .. } | Step::Remove { .. } => {}
    }
}

/// Whether the state is worth a write: more than the look at it and the words of its report changed.
/// A quiet pass writes nothing: the row's report is that of the last pass with news, and says of when. Words
/// that change by the minute (tasks to go, until when) would make a write of each minute; what stands and is
/// new is news by `told`, and in the history.
pub fn is_news(before: &ClusterState, after: &ClusterState) -> bool {
    let still =
        |state: &ClusterState| ClusterState { looked_at: None, last_report: Vec::new(), ..state.clone() };
    still(before) != still(after)
}

/// The item of history, where anything was done, or is to be told for the first time.
pub fn pass(
    plan: &CapacityPlan,
    (before, state): (&ClusterState, &ClusterState),
    outcomes: &[StepOutcome],
    context: &Context,
) -> Option<ClusterRecord> {
    let steps = plan.steps.iter().zip(outcomes);
    let steps: Vec<StepRecord> = steps
        .map(|(step, outcome)| StepRecord { step: step.to_string(), outcome: outcome.to_string() })
        .collect();
    // What stands is told once: in the pass that sees it first.
    let is_new = state.told.iter().any(|note| !before.told.contains(note));
    (!steps.is_empty() || is_new).then(|| ClusterRecord {
        schema: SCHEMA,
        cluster: plan.cluster.clone(),
        instance: None,
        at: context.now,
        generation: state.generation,
        token: context.token,
        cause: context.cause.clone(),
        by: context.by.clone(),
        steps,
        report: state.last_report.clone(),
    })
}

/// Whether a step found the world changed since the plan looked.
pub fn is_stale(outcome: &StepOutcome) -> bool {
    matches!(outcome, StepOutcome::Stale { .. })
}
