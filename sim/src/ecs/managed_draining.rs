//! Managed draining: ECS's own terminate hook on a provider's group. An instance that is to go is
//! set to DRAINING, and goes on once no task runs there: service tasks have moved by then,
//! standalone ones have ended by themselves. After 48 hours it goes whatever runs.

use std::time::Duration;

use super::Due;
use super::machines::drain_machine;
use super::task::TaskStatus;
use crate::autoscaling::inside;
use crate::world::{self, World};

/// The hook's name, as AWS calls it.
pub(crate) const HOOK: &str = "ecs-managed-draining-termination-hook";
/// Its heartbeat timeout, in seconds.
pub(crate) const HEARTBEAT: u32 = 3600;
/// Between two looks at an instance that drains.
const LOOK: Duration = Duration::from_secs(5);
/// Between two heartbeats.
const BEAT_SECS: u64 = 1800;

/// An instance of a group waits for its hooks: where ECS's is among them, ECS drains it.
pub(crate) fn lifecycle_action(world: &mut World, ec2_id: &str) {
    if inside::waits_for(world, ec2_id, HOOK).is_none() {
        return;
    }
    drain_machine(world, ec2_id);
    later(world, ec2_id);
}

fn later(world: &mut World, ec2_id: &str) {
    let at = world.now() + LOOK;
    world.at(at, world::Due::Ecs(Due::ManagedDraining { ec2_id: ec2_id.to_owned() }));
}

/// Whether it is empty by now.
pub(crate) fn look(world: &mut World, ec2_id: &str) {
    let Some(token) = inside::waits_for(world, ec2_id, HOOK) else { return };
    let lives = |id: &String| world.ecs.tasks.get(id).is_some_and(|it| it.status < TaskStatus::Stopped);
    let busy = world.ecs.instance_by_ec2(ec2_id).is_some_and(|it| it.reserved.keys().any(lives));
    if !busy {
        inside::complete(world, ec2_id, &token);
        return;
    }
    if world.now().0 / 1000 % BEAT_SECS < LOOK.as_secs() {
        inside::heartbeat(world, ec2_id, &token);
    }
    later(world, ec2_id);
}
