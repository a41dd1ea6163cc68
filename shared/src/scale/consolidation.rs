//! Which instances are spare: the packer's answer, within the cluster's policy, and its words for those that
//! are kept.

use std::collections::{BTreeMap, BTreeSet};

use jiff::SignedDuration;

use super::facts::GroupInstance;
use super::instances::Pass;
use super::report::InstanceNote;
use crate::capacity::{
    self, Instance, InstanceState, Kept, Owner, SparePolicy, Standing, Supply, TaskOn, Touch,
};
use crate::id::{AutoScalingGroupName, ContainerInstanceArn, ServiceName, Timestamp};
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
        gapless: gapless(pass),
        zones: Touch::Keep,
        exempt: exempt.keys().cloned().collect::<BTreeSet<_>>(),
        for_now: pass.stays().filter(|it| is_new(pass, it)).map(|it| it.arn.clone()).collect(),
    };
    let found = capacity::spare(&there, &pass.there.offers, &pass.wanted.all(), &policy);
    let emptied: Vec<Instance> = found.emptied.iter().map(|it| there[it.instance].clone()).collect();
    let fewest: BTreeMap<&AutoScalingGroupName, u32> =
        found.kept.iter().filter_map(|(_, why)| at_fewest(why)).collect();
    let fewest = fewest.into_iter().map(|(group, min)| InstanceNote::AtFewest { group: group.clone(), min });
    let each = found
        .kept
        .iter()
        .filter_map(|(at, why)| Some(kept(&there[*at], words(why, exempt.get(&there[*at].arn))?)))
        .take(TOLD);
    let mut notes: Vec<InstanceNote> = fewest.chain(each).collect();
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
        let why = protected.or_else(|| new(pass, instance)).or_else(|| {
            let mut owners = movable(instance).filter_map(service);
            let name = owners.find(|name| !pass.can_move(name))?;
            Some(format!(
                "ECS cannot move {name}: its maximum leaves no room for one task more; raise `max_percent`"
            ))
        });
        Some((instance.arn.clone(), why?))
    };
    pass.there.instances.iter().filter_map(of).collect()
}

fn service(task: &TaskOn) -> Option<&ServiceName> {
    match &task.owner {
        Owner::Service(name) => Some(name),
        Owner::Standalone | Owner::Daemon(_) => None,
    }
}

/// Services of which ECS keeps at least one task healthy while it moves them.
fn gapless(pass: &Pass<'_>) -> BTreeSet<ServiceName> {
    let services = pass.facts.services.known().into_iter().flat_map(BTreeMap::keys);
    services.filter(|name| pass.least(name).is_some_and(|least| least > 0)).cloned().collect()
}

/// What came a while ago came for something, and what comes and goes sooner would move tasks twice.
fn new(pass: &Pass<'_>, instance: &Instance) -> Option<String> {
    let until = settled_at(pass, instance).filter(|_| is_new(pass, instance))?;
    Some(format!("it came a while ago only; not before {until:.0} while tasks are on it"))
}

fn is_new(pass: &Pass<'_>, instance: &Instance) -> bool {
    movable(instance).next().is_some() && settled_at(pass, instance).is_some_and(|until| pass.now < until)
}

fn settled_at(pass: &Pass<'_>, instance: &Instance) -> Option<Timestamp> {
    let settles = SignedDuration::from_secs(i64::from(pass.spec.consolidation.settle_secs));
    let came = pass.registered_at(instance)?;
    Some(came.saturating_add(settles).unwrap_or(Timestamp::MAX))
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

fn at_fewest(why: &Kept) -> Option<(&AutoScalingGroupName, u32)> {
    match why {
        Kept::AtMin { group, min } => Some((group, *min)),
        _ => None,
    }
}

/// Why an instance is kept, where a person would ask: not where it is nobody's to take, or next.
fn words(why: &Kept, exempt: Option<&String>) -> Option<String> {
    Some(match why {
        // What is at its fewest is told of the group.
        Kept::NotUsable | Kept::NoGroup | Kept::Budget(_) | Kept::AtMin { .. } => return None,
        Kept::Closed(_, Supply::NotOurs | Supply::ManagedScaling | Supply::Open | Supply::Failing) => {
            return None;
        }
        Kept::Exempt => exempt?.clone(),
        Kept::Base { group, base } => {
            format!("it is of the first {base} of {group}, and other groups have more than theirs")
        }
        Kept::Share { group } => {
            format!("{group} has more than its share and gives one first, once what came there has settled")
        }
        Kept::ZoneShort { group, zone } => format!(
            "without it {group} would have two fewer in {zone} than elsewhere, and Auto Scaling would launch another"
        ),
        Kept::Protected(task) => format!("a task on it is protected ({})", task.as_str()),
        Kept::Standalone(task) => {
            format!("{} on it is started again by no service", task.as_str())
        }
        Kept::LastCopy(service) => format!(
            "no other instance has a healthy task of {service}, and ECS may stop it first; raise `min_healthy_percent`"
        ),
        Kept::NoRoom(group, why) => format!("{group} has no place elsewhere: {why}"),
        Kept::HeadroomShort(group, why) => format!("{group} has no place even now: {why}"),
        Kept::WouldBeMissed => "without it something would have to be bought again".to_owned(),
    })
}

fn kept(instance: &Instance, why: String) -> InstanceNote {
    let name = instance.ec2.clone().unwrap_or_else(|| instance.name().into());
    InstanceNote::Kept { instance: name, why }
}
