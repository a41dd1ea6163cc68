//! Which revisions a plan may deregister: what these passes registered, and nothing needs.

use super::Violation;
use crate::deploy::plan::{InFlightChange, Plan};
use crate::facts::{Fact, LiveService, ServiceFacts};
use crate::id::TaskDefinitionArn;
use crate::ledger::{Marks, ServiceRow, Settled};

/// Judges the deregistration of step `at`.
pub(super) fn judge(
    plan: &Plan,
    at: usize,
    arn: &TaskDefinitionArn,
    facts: &ServiceFacts,
    row: &ServiceRow,
    broken: &mut Vec<Violation>,
) {
    let mut refuse = |why: &'static str| broken.push(Violation::Deregisters(at, arn.clone(), why));
    let marks = plan.ledger.marks.as_deref().unwrap_or(&row.state.marks);
    let registered = row.state.marks.registered.get(&arn.family());
    if !registered.zip(arn.number()).is_some_and(|(numbers, number)| numbers.contains(&number)) {
        refuse("which no pass over this service registered");
    }
    if !facts.revisions.known().is_some_and(|known| known.active.contains(arn)) {
        refuse("which was not seen to be there");
    }
    if facts.revisions.known().is_some_and(|known| known.elsewhere.contains(arn)) {
        refuse("which another service needs");
    }
    if row.state.in_flight.is_some() || matches!(plan.ledger.in_flight, InFlightChange::Set(_)) {
        refuse("in the middle of a rollout");
    }
    if [&facts.service, &facts.canary].into_iter().filter_map(Fact::known).any(|it| runs(it, arn)) {
        refuse("which a service runs or is being given");
    }
    let settled = [row.state.settled.as_ref(), plan.ledger.settled.as_ref()];
    let is_recorded = settled.into_iter().flatten().any(|it| it.task_definition == *arn)
        || records(&row.state.marks, arn)
        || records(marks, arn);
    if is_recorded {
        refuse("which a rollback may go back to");
    }
}

fn runs(service: &LiveService, arn: &TaskDefinitionArn) -> bool {
    service.task_definition == *arn
        || service.deployments.iter().any(|deployment| deployment.task_definition == *arn)
}

fn records(marks: &Marks, arn: &TaskDefinitionArn) -> bool {
    let is_it = |settled: &Settled| settled.task_definition == *arn;
    marks.before.iter().any(is_it) || marks.pin.as_ref().is_some_and(|pin| is_it(&pin.to))
}
