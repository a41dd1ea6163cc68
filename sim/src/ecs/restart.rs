//! The containers that run in a world that was read from disk: their servers have to be
//! started anew, each as far in its life as it was.

use super::lifecycle;
use super::task::secs;
use crate::world::{Effect, World};

/// Puts every running container into the world's effects.
pub(crate) fn restart(world: &mut World) {
    let tasks: Vec<String> = world.ecs.tasks.keys().cloned().collect();
    for id in tasks {
        for effect in lifecycle::effects(world, &id) {
            let Effect::StartContainer(mut container) = effect else { continue };
            let task = world.ecs.tasks.get(&id);
            let known =
                task.and_then(|task| task.containers.iter().find(|it| it.name == container.container));
            let Some(started) = known.filter(|it| it.ended.is_none()).and_then(|it| it.started) else {
                continue;
            };
            let left = secs(container.behaviour.start_secs).saturating_sub(world.now().since(started));
            container.behaviour.start_secs = left.as_secs_f64();
            world.effects.push_back(Effect::StartContainer(container));
        }
    }
}
