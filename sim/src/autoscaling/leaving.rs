//! Who leaves a group, and how.
//!
//! `Terminating` → its hooks (`Terminating:Wait`) → `Terminating:Proceed` → EC2 ends it → gone.

use std::time::Duration;

use super::model::{ActivityStatus, Group, Lifecycle, Member, Transition};
use super::{Due, actions, activities, keeping};
use crate::ec2;
use crate::world::{self, World};

/// From an instance's end to the health check that sees it.
const HEALTH_CHECK: Duration = Duration::from_secs(30);

/// The name of the group that an instance is in.
/// The name of the group that has the instance `id`.
pub(crate) fn group_of(world: &World, id: &str) -> Option<String> {
    let mut groups = world.autoscaling.groups.values();
    groups.find(|group| group.members.contains_key(id)).map(|group| group.name.clone())
}

pub(super) fn member_mut<'a>(world: &'a mut World, id: &str) -> Option<&'a mut Member> {
    world.autoscaling.groups.values_mut().find_map(|group| group.members.get_mut(id))
}

/// The next to be removed: of the fullest zone that has one which may be.
pub(super) fn next(world: &World, group: &Group) -> Option<String> {
    let mut zones: Vec<(usize, &str)> =
        group.zones.iter().map(|zone| (group.in_zone(&zone.az), zone.az.as_str())).collect();
    // Zones that the group has left come first: nothing is to stay there.
    let strays = group.members.values().filter(|it| group.zones.iter().all(|zone| zone.az != it.az));
    zones.extend(strays.map(|it| (usize::MAX, it.az.as_str())));
    zones.sort_by_key(|(count, az)| (std::cmp::Reverse(*count), *az));
    zones.into_iter().find_map(|(_, az)| next_in(world, group, az))
}

/// The next to be removed of one zone, by the group's policies in their order.
pub(super) fn next_in(world: &World, group: &Group, az: &str) -> Option<String> {
    let may_go =
        |it: &&Member| it.state == Lifecycle::InService && !it.protected && !it.yields && it.az == az;
    let rank = |member: &&Member| -> (Vec<u64>, String) {
        let ranks = group.termination_policies.iter().flat_map(|policy| ranks(world, policy, &member.id));
        (ranks.collect(), member.id.clone())
    };
    group.members.values().filter(may_go).min_by_key(rank).map(|it| it.id.clone())
}

/// Smaller goes first.
fn ranks(world: &World, policy: &str, id: &str) -> Vec<u64> {
    let Some(instance) = world.ec2.instances.get(id) else { return vec![0] };
    let to_next_hour = 3600 - world.now().since(instance.launched).as_secs() % 3600;
    match policy {
        "OldestInstance" => vec![instance.launched.0],
        "NewestInstance" => vec![u64::MAX - instance.launched.0],
        "OldestLaunchTemplate" => vec![instance.template.version],
        "ClosestToNextInstanceHour" => vec![to_next_hour],
        // Weights and prices are not kept, and there are no launch configurations.
        "AllocationStrategy" | "OldestLaunchConfiguration" => Vec::new(),
        _ => vec![instance.template.version, to_next_hour],
    }
}

/// Takes an instance out of its group: its hooks are asked, then it ends. Returns the activity.
pub(super) fn leave(world: &mut World, id: &str, cause: &str) -> Option<String> {
    let activity = begin(world, id, cause)?;
    if !actions::begin(world, id, Transition::Terminating) {
        proceed(world, id);
    }
    Some(activity)
}

/// The same without asking: the group itself is to go.
pub(super) fn without_hooks(world: &mut World, id: &str) {
    let cause = format!("At {} the AutoScalingGroup was deleted.", world.now().iso_secs());
    if begin(world, id, &cause).is_some() || member_mut(world, id).is_some() {
        proceed(world, id);
    }
}

/// The activity of leaving; `None` where the instance leaves already.
fn begin(world: &mut World, id: &str, cause: &str) -> Option<String> {
    let name = group_of(world, id)?;
    let member = world.autoscaling.groups.get(&name)?.members.get(id)?;
    if !member.state.counts() {
        return None;
    }
    let zone = activities::zone_of(world, &name, &member.az.clone());
    let description = format!("Terminating EC2 instance: {id}");
    let activity = activities::begin(world, &name, &zone, &description, cause, ActivityStatus::InProgress);
    let member = member_mut(world, id)?;
    member.state = Lifecycle::Terminating;
    member.activity.clone_from(&activity);
    member.waits.clear();
    Some(activity)
}

/// Its hooks are done, or there were none: EC2 ends it, if it has not ended by itself.
pub(super) fn proceed(world: &mut World, id: &str) {
    let Some(member) = member_mut(world, id) else { return };
    member.state = Lifecycle::TerminatingProceed;
    member.waits.clear();
    let activity = member.activity.clone();
    activities::turn(world, &activity, ActivityStatus::InProgress);
    if has_ended(world, id) {
        finish(world, id);
        return;
    }
    // An instance that is shutting down already is only waited for.
    ec2::terminate(world, id, "Client.UserInitiatedShutdown");
}

fn has_ended(world: &World, id: &str) -> bool {
    world.ec2.instances.get(id).is_none_or(|it| it.state == ec2::State::Terminated)
}

/// EC2 says that an instance has ended. One that was not asked to is found by a health check.
pub(crate) fn instance_gone(world: &mut World, id: &str) {
    let Some(member) = member_mut(world, id) else { return };
    match member.state {
        Lifecycle::TerminatingProceed => finish(world, id),
        state if state.counts() => {
            let at = world.now() + HEALTH_CHECK;
            world.at(at, world::Due::AutoScaling(Due::Ended(id.to_owned())));
        }
        // Its hooks are still asked: it goes when they have answered, or at their deadline.
        _ => {}
    }
}

/// The health check: it is replaced at once, and its hooks are asked although it is gone.
pub(super) fn found_ended(world: &mut World, id: &str) {
    let cause = format!(
        "At {} an instance was taken out of service in response to an EC2 health check indicating it has been \
         terminated or stopped.",
        world.now().iso_secs()
    );
    replace(world, id, &cause);
}

/// An instance is no good: it leaves, and the group looks for another.
pub(super) fn replace(world: &mut World, id: &str, cause: &str) {
    let Some(name) = group_of(world, id) else { return };
    if let Some(member) = member_mut(world, id) {
        member.healthy = false;
    }
    leave(world, id, cause);
    keeping::look_soon(world, &name);
}

/// It is gone: its activity ends, and a group that was waiting for that goes too.
fn finish(world: &mut World, id: &str) {
    let Some(name) = group_of(world, id) else { return };
    activities::terminated(world, &name, id);
    let Some(group) = world.autoscaling.groups.get_mut(&name) else { return };
    group.members.remove(id);
    if group.deleting && group.members.is_empty() {
        world.autoscaling.groups.remove(&name);
        return;
    }
    keeping::look_soon(world, &name);
}
