//! What another AWS service asks of a group in the account's name: ECS, for its capacity
//! providers. No call passes the gate here.

use super::model::{Hook, Lifecycle, Tag, Transition, Verdict};
use super::{actions, desired, keeping, leaving};
use crate::time::Time;
use crate::world::World;

/// A group's ARN has its name at its end.
pub(crate) fn name_of_arn(arn: &str) -> &str {
    arn.rsplit_once("autoScalingGroupName/").map_or(arn, |(_, name)| name)
}

/// Whether there is such a group, and whether it protects new instances from scale-in.
pub(crate) fn protects_new(world: &World, group: &str) -> Option<bool> {
    world.autoscaling.groups.get(group).map(|it| it.protects_new)
}

/// The instances of a group that are in service, with their protection.
pub(crate) fn in_service(world: &World, group: &str) -> Vec<(String, bool)> {
    let members = world.autoscaling.groups.get(group).into_iter().flat_map(|it| it.members.values());
    let members = members.filter(|it| it.state == Lifecycle::InService);
    members.map(|it| (it.id.clone(), it.protected)).collect()
}

/// How many instances a group is to have, those on their way counted.
pub(crate) fn desired_of(world: &World, group: &str) -> Option<u32> {
    world.autoscaling.groups.get(group).map(|it| it.desired)
}

/// When a group's youngest instance was launched, of those that stay.
pub(crate) fn youngest(world: &World, group: &str) -> Option<Time> {
    let members = world.autoscaling.groups.get(group)?.members.values().filter(|it| it.state.counts());
    members.filter_map(|it| world.ec2.instances.get(&it.id)).map(|it| it.launched).max()
}

/// Instance types that a group may launch.
pub(crate) fn types_of(world: &World, group: &str) -> Vec<String> {
    let Some(group) = world.autoscaling.groups.get(group) else { return Vec::new() };
    if !group.launches.types.is_empty() {
        return group.launches.types.clone();
    }
    let resolved = crate::ec2::resolve(world, &group.launches.template);
    resolved.ok().and_then(|it| it.instance_type).into_iter().collect()
}

/// Sets the desired capacity as a scaling policy does: what is outside the bounds is brought
/// inside.
pub(crate) fn scale_to(world: &mut World, group: &str, wanted: u32) {
    let now = world.now();
    let Some(it) = world.autoscaling.groups.get_mut(group).filter(|it| !it.deleting) else { return };
    let wanted = wanted.clamp(it.min, it.max);
    if wanted == it.desired {
        return;
    }
    let before = it.desired;
    desired::change(it, wanted, now);
    it.cause = format!(
        "At {} a monitor alarm TargetTracking-{group} in state ALARM triggered policy ECSManagedAutoScalingPolicy \
         changing the desired capacity from {before} to {wanted}.",
        now.iso_secs()
    );
    keeping::look_soon(world, group);
}

/// Protects an instance from scale-in, or no longer.
pub(crate) fn set_protection(world: &mut World, id: &str, protected: bool) {
    if let Some(member) = leaving::member_mut(world, id) {
        member.protected = protected;
    }
}

/// The tag by which a group is known to be ECS's to scale.
pub(crate) fn mark(world: &mut World, group: &str, key: &str) {
    if let Some(group) = world.autoscaling.groups.get_mut(group) {
        group.tags.insert(key.to_owned(), Tag { value: String::new(), propagates: true });
    }
}

/// Puts a terminate hook that goes on by default, or takes it away.
pub(crate) fn set_terminate_hook(world: &mut World, group: &str, name: &str, heartbeat: Option<u32>) {
    let Some(group) = world.autoscaling.groups.get_mut(group) else { return };
    match heartbeat {
        None => drop(group.hooks.remove(name)),
        Some(heartbeat) => {
            let hook = Hook {
                name: name.to_owned(),
                transition: Transition::Terminating,
                heartbeat,
                default_result: Verdict::Continue,
                metadata: None,
                target: None,
                role: None,
            };
            group.hooks.insert(name.to_owned(), hook);
        }
    }
}

/// Whether an instance waits for a hook, by its token.
pub(crate) fn waits_for(world: &World, id: &str, hook: &str) -> Option<String> {
    let name = leaving::group_of(world, id)?;
    let member = world.autoscaling.groups.get(&name)?.members.get(id)?;
    member.waits.iter().find(|it| it.hook.name == hook).map(|it| it.token.clone())
}

/// A heartbeat for an action.
pub(crate) fn heartbeat(world: &mut World, id: &str, token: &str) {
    actions::extend(world, id, token);
}

/// An action is done.
pub(crate) fn complete(world: &mut World, id: &str, token: &str) {
    actions::answer(world, id, token, Verdict::Continue);
}
