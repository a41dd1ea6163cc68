//! Which revisions of a task definition may be deregistered, and which never.
//!
//! Only what this service's own passes registered ([`Marks::registered`]) may ever go: the ledger
//! says so, since tags do not tell (a revision that a person clones carries the same). Of those the
//! newest stay, and whatever [`needed`] names.
//!
//! It does not know when that is looked at: that is the planner's.

use std::collections::BTreeSet;

use super::wanted::Wanted;
use crate::facts::{Fact, LiveService, ServiceFacts};
use crate::id::{Family, TaskDefinitionArn};
use crate::ledger::{Marks, ServiceState, Tidy};
use crate::spec::ClusterSpec;

/// How many revisions stay: as the service's spec says, else the cluster's. `None`: all.
pub fn wanted(wanted: &Wanted, facts: &ServiceFacts) -> Option<u32> {
    let of_cluster = || {
        let parameter = facts.cluster_parameter.known()?;
        ClusterSpec::parse(&parameter.text).ok()?.keep_revisions
    };
    wanted.spec.keep_revisions.or_else(of_cluster)
}

/// Whether a pass reads the family's revisions: some may go, and nothing is on its way.
pub fn is_due(state: &ServiceState) -> bool {
    state.marks.tidy == Some(Tidy::Due) && state.in_flight.is_none()
}

/// What a service runs, is being given, or can go back to, by its row.
///
/// 1. What is settled, and every release before it that a rollback may choose.
/// 2. What a rollback by hand holds, and what a rollout brings and comes from.
/// 3. What ended last: a failed image that a person lets go from quarantine may be rolled out
///    again as it is.
pub fn needed(state: &ServiceState) -> BTreeSet<TaskDefinitionArn> {
    let settled = state.settled.iter().chain(&state.marks.before);
    let pinned = state.marks.pin.iter().map(|pin| &pin.to);
    let recorded = settled.chain(pinned).map(|settled| &settled.task_definition);
    let begun = state.in_flight.iter();
    let begun = begun.flat_map(|begun| begun.task_definition.iter().chain(&begun.from_task_definition));
    let ended = state.last_release.iter().filter_map(|release| release.task_definition.as_ref());
    recorded.chain(begun).chain(ended).cloned().collect()
}

/// What an ECS service runs or is being given.
pub fn run_by(service: &LiveService) -> BTreeSet<TaskDefinitionArn> {
    let deployments = service.deployments.iter().map(|deployment| &deployment.task_definition);
    deployments.chain([&service.task_definition]).cloned().collect()
}

/// The numbers of the family's revisions that these passes registered, beyond the newest `keep`
/// and without those that are `needed`; oldest first.
pub fn beyond(
    marks: &Marks,
    family: &Family,
    keep: u32,
    needed: &BTreeSet<TaskDefinitionArn>,
) -> BTreeSet<u32> {
    let needed: BTreeSet<u32> =
        needed.iter().filter(|arn| arn.family() == *family).filter_map(TaskDefinitionArn::number).collect();
    let registered = marks.registered.get(family).into_iter().flatten();
    registered.rev().skip(keep as usize).filter(|number| !needed.contains(number)).copied().collect()
}

/// What this pass's facts and row name.
pub(super) fn needed_here(facts: &ServiceFacts, state: &ServiceState) -> BTreeSet<TaskDefinitionArn> {
    let services = [&facts.service, &facts.canary].into_iter().filter_map(Fact::known);
    services.flat_map(run_by).chain(needed(state)).collect()
}
