//! Which instances are spare: the packer's answer, within the cluster's policy, and its words for those that
//! are kept.

use std::collections::{BTreeMap, BTreeSet};

use super::facts::GroupInstance;
use super::instances::Pass;
use super::report::InstanceNote;
use crate::capacity::{
    self, Instance, InstanceState, Kept, Owner, SparePolicy, Standing, Supply, TaskOn, Touch,
};
use crate::id::ContainerInstanceArn;
use crate::spec::capacity::StandaloneTasks;

/// Of a large cluster the first reasons say enough.
const TOLD: usize = 20;

/// What is to be emptied, and why the rest is kept.
pub(super) struct Found {
    pub(super) emptied: Vec<Instance>,
    pub(super) notes: Vec<InstanceNote>,
}

/// At most `budget` instances whose tasks all fit on those that stay, beside what is wanted and kept free.
pub(super) fn spare(pass: &Pass<'_>, budget: u32) -> Found {
    let there = standing(&pass.there.instances);
    let exempt = exempt(pass);
    let policy = SparePolicy {
        budget,
        standalone: match pass.spec.consolidation.standalone {
            StandaloneTasks::Keep => Touch::Keep,
            StandaloneTasks::Stop => Touch::Allow,
        },
        protected: Touch::Keep,
        last_copies: Touch::Keep,
        zones: Touch::Keep,
        exempt: exempt.keys().cloned().collect::<BTreeSet<_>>(),
    };
    let found = capacity::spare(&there, &pass.there.offers, &pass.wanted.all(), &policy);
    let emptied: Vec<Instance> = found.emptied.iter().map(|it| there[it.instance].clone()).collect();
    let mut notes: Vec<InstanceNote> = found
        .kept
        .iter()
        .filter_map(|(at, why)| Some(kept(&there[*at], words(why, exempt.get(&there[*at].arn))?)))
        .take(TOLD)
        .collect();
    if !emptied.is_empty() {
        notes.push(InstanceNote::Saves {
            instances: u32::try_from(emptied.len()).unwrap_or(u32::MAX),
            cents_a_month: found.saves.cents_a_month(),
            unpriced: found.unpriced,
        });
    }
    Found { emptied, notes }
}

/// The instances; of those that leave without their tasks, which are wanted elsewhere already.
fn standing(instances: &[Instance]) -> Vec<Instance> {
    let leaves = |it: &Instance| it.state == InstanceState::Draining;
    instances
        .iter()
        .map(|it| if leaves(it) { Instance { tasks: Vec::new(), ..it.clone() } } else { it.clone() })
        .collect()
}

/// Instances that are not touched for reasons that the packer does not know, each in words.
fn exempt(pass: &Pass<'_>) -> BTreeMap<ContainerInstanceArn, String> {
    let of = |instance: &Instance| {
        let protected =
            is_protected(pass, instance).then(|| "its group protects it from scale-in".to_owned());
        let why = protected.or_else(|| {
            movable(instance).find_map(|task| match &task.owner {
                Owner::Service(name) if !pass.can_move(name) => Some(format!(
                    "ECS cannot move {name}: its maximum leaves no room for one task more; raise `max_percent`"
                )),
                _ => None,
            })
        });
        Some((instance.arn.clone(), why?))
    };
    pass.there.instances.iter().filter_map(of).collect()
}

fn is_protected(pass: &Pass<'_>, instance: &Instance) -> bool {
    let groups = pass.facts.groups.known().into_iter().flatten();
    let mut members = groups.flat_map(|group| &group.instances);
    members.any(|it: &GroupInstance| it.is_protected && Some(&it.id) == instance.ec2.as_ref())
}

/// What would have to be started elsewhere.
fn movable(instance: &Instance) -> impl Iterator<Item = &TaskOn> {
    let moves =
        |task: &&TaskOn| matches!(task.owner, Owner::Service(_)) && task.standing != Standing::Leaving;
    instance.tasks.iter().filter(moves)
}

/// Why an instance is kept, where a person would ask: not where it is nobody's to take, or next.
fn words(why: &Kept, exempt: Option<&String>) -> Option<String> {
    Some(match why {
        Kept::NotUsable | Kept::NoGroup | Kept::Budget(_) => return None,
        Kept::Closed(_, Supply::NotOurs | Supply::ManagedScaling | Supply::Open | Supply::Failing) => {
            return None;
        }
        Kept::Exempt => exempt?.clone(),
        Kept::AtMin { group, .. } => format!("{group} has its fewest"),
        Kept::ZoneShort { group, zone } => format!(
            "without it {group} would have two fewer in {zone} than elsewhere, and Auto Scaling would launch another"
        ),
        Kept::Protected(task) => format!("a task on it is protected ({})", task.as_str()),
        Kept::Standalone(task) => {
            format!("{} on it is started again by no service", task.as_str())
        }
        Kept::LastCopy(service) => format!("no other instance has a healthy task of {service}"),
        Kept::NoRoom(group, why) => format!("{group} has no place elsewhere: {why}"),
        Kept::HeadroomShort(group, why) => format!("{group} has no place even now: {why}"),
        Kept::WouldBeMissed => "without it something would have to be bought again".to_owned(),
    })
}

fn kept(instance: &Instance, why: String) -> InstanceNote {
    let name = instance.ec2.clone().unwrap_or_else(|| instance.name().into());
    InstanceNote::Kept { instance: name, why }
}
