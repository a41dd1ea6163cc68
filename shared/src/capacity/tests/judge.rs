//! What is valid and what is possible, by ECS's rules read off the instances one by one: no catalogue, no
//! marks, no weights. Slow, and of another mind than the packer.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::worlds::with;
use crate::capacity::*;

/// Whether one more task fits on an instance as it is.
pub(super) fn takes(instance: &Instance, shape: &TaskShape) -> bool {
    let groups: Vec<&str> = instance.tasks.iter().map(|it| it.shape.group.as_str()).collect();
    let candidate = Candidate {
        attributes: &instance.attributes,
        ec2_instance_id: instance.ec2.as_ref().map(AsRef::as_ref),
        agent_version: instance.agent_version.as_deref(),
        agent_connected: Some(instance.agent == Agent::Connected),
        groups: &groups,
    };
    instance.state == InstanceState::Active
        && instance.agent == Agent::Connected
        && shape.needs.within(instance.remaining)
        && shape.ports.both(&instance.used_ports).is_empty()
        && (shape.sharing == Sharing::Shared || !groups.contains(&shape.group.as_str()))
        && shape.member_of.iter().all(|it| it.is_fulfilled_by(candidate))
}

/// Whether the tasks of each instance can come there in *some* order: a constraint on other tasks holds when
/// a task comes, not for ever.
pub(super) fn is_valid(instances: &[Instance], demand: &[Demand], placement: &Placement) -> bool {
    instances.iter().enumerate().all(|(at, instance)| {
        let here = placement.placed.iter().filter(|it| it.instance == at);
        let tasks: Vec<(&Arc<TaskShape>, u32)> =
            here.map(|it| (&demand[it.demand].shape, it.count)).collect();
        can_come(instance, &tasks, &mut BTreeSet::new())
    })
}

fn can_come(instance: &Instance, tasks: &[(&Arc<TaskShape>, u32)], tried: &mut BTreeSet<Vec<u32>>) -> bool {
    if tasks.iter().all(|(_, count)| *count == 0) {
        return true;
    }
    // What is there depends on how many of each came, not on their order.
    if !tried.insert(tasks.iter().map(|(_, count)| *count).collect()) {
        return false;
    }
    (0..tasks.len()).any(|at| {
        let (shape, count) = tasks[at];
        let mut rest = tasks.to_vec();
        rest[at].1 = count.saturating_sub(1);
        count > 0 && takes(instance, shape) && can_come(&with(instance.clone(), shape), &rest, tried)
    })
}

/// Whether each demand's tasks are either placed or not, none twice.
pub(super) fn counts_add_up(demand: &[Demand], placement: &Placement) -> bool {
    demand.iter().enumerate().all(|(at, it)| {
        let placed: u32 = placement.placed.iter().filter(|it| it.demand == at).map(|it| it.count).sum();
        let unplaced: u32 = placement.unplaced.iter().filter(|it| it.demand == at).map(|it| it.count).sum();
        placed + unplaced == it.count
    })
}

/// Whether all tasks fit in some arrangement: every instance is tried for every task.
pub(super) fn all_fit(instances: &mut Vec<Instance>, tasks: &[&Arc<TaskShape>]) -> bool {
    let Some((task, rest)) = tasks.split_first() else { return true };
    (0..instances.len()).any(|at| {
        if !takes(&instances[at], task) {
            return false;
        }
        let before = instances[at].clone();
        instances[at] = with(before.clone(), task);
        let fits = all_fit(instances, rest);
        instances[at] = before;
        fits
    })
}

/// Each task of the demand.
pub(super) fn each(demand: &[Demand]) -> Vec<&Arc<TaskShape>> {
    demand.iter().flat_map(|it| std::iter::repeat_n(&it.shape, it.count as usize)).collect()
}
