//! The containers that run in a world that was read from disk: their servers have to be
//! started anew.

use super::lifecycle;
use crate::world::{Effect, World};

/// Puts every running container into the world's effects.
pub(crate) fn restart(world: &mut World) {
    let tasks: Vec<String> = world.ecs.tasks.keys().cloned().collect();
    for id in tasks {
        for effect in lifecycle::effects(world, &id) {
            let Effect::StartContainer(container) = &effect else { continue };
            let containers = world.ecs.tasks.get(&id).map(|task| task.containers.as_slice());
            let known = containers.unwrap_or_default().iter().find(|it| it.name == container.container);
            if known.is_some_and(|it| it.started.is_some() && it.ended.is_none()) {
                world.effects.push_back(effect);
            }
        }
    }
}
