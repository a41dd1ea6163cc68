//! The judge of a scale pass's plan: the invariants, without knowing how it was made.
//!
//! A violation is a fault of the planner. Nothing of such a plan is applied.

use super::facts::{CapacityFacts, LiveGroup};
use super::plan::{CapacityPlan, Step};
use super::supply::TAG;
use crate::id::{AutoScalingGroupName, InstanceId, ServiceName, Timestamp};
use crate::ledger::{ClusterRow, MARK, WhyItLeaves, read_mark};
use crate::spec::ServiceSpec;

/// An invariant that a plan breaks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// A number of tasks outside of every limit of the spec.
    #[error("it sets {service} to {to} tasks, and its spec allows {min} to {max}")]
    OutsideLimits {
        /// Which service.
        service: ServiceName,
        /// What was planned.
        to: u32,
        /// The lowest limit of any time.
        min: u32,
        /// The highest.
        max: u32,
    },
    /// Nobody asked for it.
    #[error("it sets the tasks of {0}, which has no `scaling` section")]
    NotAsked(ServiceName),
    /// Somebody else's number.
    #[error("law 8: it sets the tasks of {0}, which Application Auto Scaling owns")]
    OwnedElsewhere(ServiceName),
    /// Not ours.
    #[error("law 8: it changes the group {0}, which has no tag for this cluster, or which ECS scales")]
    NotOurs(AutoScalingGroupName),
    /// More than the group may have, or not more than it has.
    #[error("it asks {group} for {to} instances: it has {from}, and may have {max}")]
    Capacity {
        /// Which group.
        group: AutoScalingGroupName,
        /// What was planned.
        to: u32,
        /// What it is.
        from: u32,
        /// Its maximum.
        max: u32,
    },
    /// A group below its least.
    #[error("it leaves {0} with fewer instances than its minimum")]
    BelowMinimum(AutoScalingGroupName),
    /// The base of a group goes before what is beyond the bases.
    #[error("it empties {0}'s base for a saving, and other groups have instances beyond theirs")]
    Base(AutoScalingGroupName),
    /// Removed with tasks on it.
    #[error("it removes {0}, which is not drained, not marked by Windlass, or not empty")]
    NotEmpty(InstanceId),
    /// A protected task.
    #[error("it empties {0}, on which a task is protected")]
    Protected(InstanceId),
    /// Somebody else's.
    #[error("it takes {0} back, which does not leave for consolidation")]
    NotOursToTakeBack(InstanceId),
}

/// What of the plan breaks an invariant.
pub fn check(plan: &CapacityPlan, facts: &CapacityFacts, row: &ClusterRow, now: Timestamp) -> Vec<Violation> {
    let _ = row;
    let mut found = Vec::new();
    for step in &plan.steps {
        match step {
            Step::SetDesired { service, to, .. } => of_service(facts, service, *to, &mut found),
            Step::SetCapacity { group, from, to, .. } => match group_of(facts, group) {
                Some(live) if is_ours(facts, live) => {
                    if *from != live.desired || *to <= live.desired || *to > live.max {
                        let (to, from, max) = (*to, live.desired, live.max);
                        found.push(Violation::Capacity { group: group.clone(), to, from, max });
                    }
                }
                _ => found.push(Violation::NotOurs(group.clone())),
            },
            Step::Remove { ec2, group, .. } => of_removal(facts, ec2, group, &mut found),
            Step::Empty { ec2, .. } => of_emptying(facts, ec2, now, &mut found),
            // One bell more costs a look.
            Step::Ring { .. } => {}
            Step::TakeBack { ec2, .. } => {
                if mark_of(facts, ec2) != Some(WhyItLeaves::Consolidation) {
                    found.push(Violation::NotOursToTakeBack(ec2.clone()));
                }
            }
        }
    }
    found.extend(below_minimum(plan, facts));
    found.extend(below_base(plan, facts));
    found
}

fn of_service(facts: &CapacityFacts, name: &ServiceName, to: u32, found: &mut Vec<Violation>) {
    let service = facts.services.known().and_then(|services| services.get(name));
    let text = service.and_then(|service| service.parameter.known());
    let scaling = text.and_then(|it| ServiceSpec::parse(&it.text).ok()).and_then(|spec| spec.scaling);
    let Some(scaling) = scaling else {
        found.push(Violation::NotAsked(name.clone()));
        return;
    };
    let limits = scaling.schedules.iter().map(|it| (it.min, it.max));
    let (min, max) =
        limits.fold((scaling.min, scaling.max), |(low, high), (min, max)| (low.min(min), high.max(max)));
    if !(min..=max).contains(&to) {
        found.push(Violation::OutsideLimits { service: name.clone(), to, min, max });
    }
    if facts.owned_elsewhere.known().is_some_and(|owned| owned.contains(name)) {
        found.push(Violation::OwnedElsewhere(name.clone()));
    }
}

fn group_of<'a>(facts: &'a CapacityFacts, name: &AutoScalingGroupName) -> Option<&'a LiveGroup> {
    facts.groups.known()?.iter().find(|group| group.name == *name)
}

fn is_ours(facts: &CapacityFacts, group: &LiveGroup) -> bool {
    let mut providers = facts.providers.known().into_iter().flatten();
    let is_managed = providers.any(|it| it.managed_scaling && it.group.as_ref() == Some(&group.name));
    group.tags.get(TAG).map(String::as_str) == Some(facts.cluster.as_str()) && !is_managed
}

fn live<'a>(facts: &'a CapacityFacts, ec2: &InstanceId) -> Option<&'a super::facts::LiveInstance> {
    facts.instances.known()?.iter().find(|it| it.ec2.as_ref() == Some(ec2))
}

fn mark_of(facts: &CapacityFacts, ec2: &InstanceId) -> Option<WhyItLeaves> {
    let mark = live(facts, ec2)?.attributes.get(MARK)?.as_deref()?;
    read_mark(mark).map(|(why, _)| why)
}

fn of_removal(
    facts: &CapacityFacts,
    ec2: &InstanceId,
    group: &AutoScalingGroupName,
    found: &mut Vec<Violation>,
) {
    if !group_of(facts, group).is_some_and(|group| is_ours(facts, group)) {
        found.push(Violation::NotOurs(group.clone()));
    }
    let is_ours = matches!(
        mark_of(facts, ec2),
        Some(WhyItLeaves::Consolidation | WhyItLeaves::Rotation | WhyItLeaves::Spot)
    );
    let instance = live(facts, ec2);
    let on = |it: &&crate::scale::facts::LiveTask| {
        it.instance.is_some() && it.instance.as_ref() == instance.map(|it| &it.arn)
    };
    let is_daemon = |it: &crate::scale::facts::LiveTask| {
        let name = super::supply::service_of(&it.group);
        let services = facts.services.known();
        let service = name.and_then(|name| services?.get(&name));
        service.is_some_and(|service| service.placement.scheduling == "DAEMON")
    };
    let mut tasks = facts.tasks.known().into_iter().flatten().filter(on);
    let is_drained = instance.is_some_and(|it| it.status == "DRAINING");
    if !is_ours || !is_drained || tasks.any(|task| !is_daemon(task)) {
        found.push(Violation::NotEmpty(ec2.clone()));
    }
}

fn of_emptying(facts: &CapacityFacts, ec2: &InstanceId, now: Timestamp, found: &mut Vec<Violation>) {
    let Some(instance) = live(facts, ec2) else { return };
    let mut tasks = facts.tasks.known().into_iter().flatten();
    let is_held = |it: &crate::scale::facts::LiveTask| {
        it.instance.as_ref() == Some(&instance.arn) && it.protected_until.is_some_and(|until| now < until)
    };
    if tasks.any(is_held) {
        found.push(Violation::Protected(ec2.clone()));
    }
}

fn below_minimum(plan: &CapacityPlan, facts: &CapacityFacts) -> Vec<Violation> {
    let mut found = Vec::new();
    for group in facts.groups.known().into_iter().flatten() {
        let fewer = plan
            .steps
            .iter()
            .filter(|step| matches!(step, Step::Remove { group: of, fewer: true, .. } if *of == group.name));
        let fewer = u32::try_from(fewer.count()).unwrap_or(u32::MAX);
        if fewer > 0 && group.desired.saturating_sub(fewer) < group.min {
            found.push(Violation::BelowMinimum(group.name.clone()));
        }
    }
    found
}

/// How many of each group stay, by ECS's own word, once the plan's savings are emptied: fewer than its base
/// only where no other group has more than its own.
fn below_base(plan: &CapacityPlan, facts: &CapacityFacts) -> Vec<Violation> {
    let saved: Vec<&InstanceId> = plan
        .steps
        .iter()
        .filter_map(|step| match step {
            Step::Empty { ec2, why: WhyItLeaves::Consolidation, .. } => Some(ec2),
            _ => None,
        })
        .collect();
    let groups = facts.groups.known().map(Vec::as_slice).unwrap_or_default();
    let count = |group: &LiveGroup, but: &[&InstanceId]| {
        let stays = |id: &InstanceId| {
            let is_active = |it: &super::facts::LiveInstance| it.status == "ACTIVE" && it.agent_connected;
            live(facts, id).is_some_and(is_active) && mark_of(facts, id).is_none() && !but.contains(&id)
        };
        let members = group.instances.iter().filter(|it| !it.lifecycle.starts_with("Terminating"));
        u32::try_from(members.filter(|it| stays(&it.id)).count()).unwrap_or(u32::MAX)
    };
    let strategy = super::supply::strategy(facts);
    let base =
        |group: &LiveGroup| strategy.iter().find(|it| it.group == group.name).map_or(0, |share| share.base);
    let is_beyond = |group: &&LiveGroup| count(group, &saved) > base(group);
    let gives = |group: &&LiveGroup| {
        let (before, after) = (count(group, &[]), count(group, &saved));
        after < before && after < base(group)
    };
    let others = |group: &LiveGroup| groups.iter().filter(is_beyond).any(|other| other.name != group.name);
    let broken = groups.iter().filter(gives).filter(|group| others(group));
    broken.map(|group| Violation::Base(group.name.clone())).collect()
}
