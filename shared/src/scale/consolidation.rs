//! Which instances are spare: everything on them fits on the others, beside what is wanted and kept free.

use std::sync::Arc;

use super::instances::{Pass, counted};
use super::report::InstanceNote;
use crate::capacity::{
    Demand, Instance, InstanceState, Owner, Protection, Standing, TaskOn, UsdPerHour, place,
};
use crate::id::{AutoScalingGroupName, AvailabilityZone};
use crate::spec::capacity::StandaloneTasks;

/// What is to be emptied, and why the rest is kept.
pub(super) struct Found {
    pub(super) emptied: Vec<Instance>,
    pub(super) notes: Vec<InstanceNote>,
}

/// At most `budget` instances whose tasks all fit on those that stay: those with the fewest tasks first,
/// which are moved soonest.
pub(super) fn spare(pass: &Pass<'_>, budget: u32) -> Found {
    let mut found = Found { emptied: Vec::new(), notes: Vec::new() };
    let mut there = pass.there.instances.clone();
    let mut moved: Vec<Demand> = pass.wanted.all();
    let mut saved = UsdPerHour::default();
    for at in candidates(pass) {
        if u32::try_from(found.emptied.len()).unwrap_or(u32::MAX) >= budget {
            break;
        }
        let instance = there[at].clone();
        if let Some(why) = keeps(pass, &instance, &found.emptied) {
            found.notes.push(kept(&instance, why));
            continue;
        }
        there[at].state = InstanceState::Draining;
        let mut demand = moved.clone();
        demand.extend(movable(&instance).map(|task| Demand::new(Arc::clone(&task.shape), 1)));
        let placement = place(&there, &demand);
        if let Some(left) = placement.unplaced.first() {
            there[at].state = InstanceState::Active;
            let group = &demand[left.demand].shape.group;
            found.notes.push(kept(&instance, format!("{group} has no place elsewhere: {}", left.why)));
            // One that is fuller will hardly fit where this one does not.
            break;
        }
        moved = demand;
        saved = saved.plus(instance.price.unwrap_or_default());
        found.emptied.push(instance);
    }
    if !found.emptied.is_empty() {
        found.notes.push(InstanceNote::Saves {
            instances: u32::try_from(found.emptied.len()).unwrap_or(u32::MAX),
            cents_a_month: saved.cents_a_month(),
        });
    }
    found
}

/// Instances of groups that may get smaller, the emptiest first.
fn candidates(pass: &Pass<'_>) -> Vec<usize> {
    let there = &pass.there.instances;
    let mut candidates: Vec<usize> = (0..there.len())
        .filter(|at| there[*at].is_usable() && there[*at].ec2.is_some())
        .filter(|at| there[*at].group.as_ref().is_some_and(|group| pass.may_shrink(group)))
        .collect();
    let used = |it: &Instance| u64::from(it.registered.memory_mib.saturating_sub(it.remaining.memory_mib));
    candidates.sort_by(|a, b| {
        let key = |at: usize| (counted(&there[at]), used(&there[at]), there[at].arn.clone());
        key(*a).cmp(&key(*b))
    });
    candidates
}

/// What would have to be started elsewhere.
fn movable(instance: &Instance) -> impl Iterator<Item = &TaskOn> {
    let moves =
        |task: &&TaskOn| matches!(task.owner, Owner::Service(_)) && task.standing != Standing::Leaving;
    instance.tasks.iter().filter(moves)
}

/// Why an instance is not emptied, whatever room there is.
fn keeps(pass: &Pass<'_>, instance: &Instance, emptied: &[Instance]) -> Option<String> {
    let group = instance.group.as_ref()?;
    let going = emptied.iter().filter(|it| it.group.as_ref() == Some(group)).count();
    if !pass.may_lose(group, u32::try_from(going).unwrap_or(u32::MAX) + 1) {
        return Some(format!("{group} has its fewest"));
    }
    if unbalances(pass, instance, group, emptied) {
        let zone = &instance.zone;
        return Some(format!(
            "without it {group} would have two fewer in {zone} than elsewhere, and Auto Scaling would launch another"
        ));
    }
    if instance.tasks.iter().any(|task| task.protection == Protection::Protected) {
        return Some("a task on it is protected".to_owned());
    }
    let is_alone = |task: &&TaskOn| task.owner == Owner::Standalone;
    if pass.spec.consolidation.standalone == StandaloneTasks::Keep
        && let Some(task) = instance.tasks.iter().find(is_alone)
    {
        return Some(format!("{} on it is started again by no service", task.shape.group));
    }
    movable(instance).find_map(|task| match &task.owner {
        Owner::Service(name) if !pass.can_move(name) => Some(format!(
            "ECS cannot move {name}: its maximum leaves no room for one task more; raise `max_percent`"
        )),
        _ => None,
    })
}

/// Whether its zone would lag by two or more without it. Auto Scaling answers that (`AZRebalance`) with a
/// launch there, and ends an instance where there are most, whatever runs on it.
fn unbalances(
    pass: &Pass<'_>,
    instance: &Instance,
    group: &AutoScalingGroupName,
    emptied: &[Instance],
) -> bool {
    let stays = |it: &&Instance| {
        it.group.as_ref() == Some(group)
            && it.state == InstanceState::Active
            && it.arn != instance.arn
            && !emptied.iter().any(|gone| gone.arn == it.arn)
    };
    let in_zone = |zone: &AvailabilityZone| {
        pass.there.instances.iter().filter(stays).filter(|it| it.zone == *zone).count()
    };
    let offers = pass.there.offers.iter().filter(|it| it.name == *group);
    let most = offers.flat_map(|it| &it.zones).map(in_zone).max().unwrap_or(0);
    most >= in_zone(&instance.zone) + 2
}

fn kept(instance: &Instance, why: String) -> InstanceNote {
    let name = instance.ec2.clone().unwrap_or_else(|| instance.name().into());
    InstanceNote::Kept { instance: name, why }
}
