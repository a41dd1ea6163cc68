//! Who is there of a service's tasks, as the scheduler counts them.

use super::health::{self, Health};
use super::instances::InstanceStatus;
use super::service::ServiceKey;
use super::task::{Task, TaskStatus};
use crate::time::Time;
use crate::world::World;

/// A service's tasks that have not ended, by what the scheduler does with them.
#[derive(Debug, Default)]
pub(crate) struct Census {
    /// Of the PRIMARY deployment's revision, to be kept.
    pub(crate) fresh: Vec<Member>,
    /// Of it too, but found unhealthy after they had been healthy: replaced first, then
    /// stopped.
    pub(crate) failing: Vec<Member>,
    /// To be replaced: of other revisions, or on an instance that drains.
    pub(crate) old: Vec<Member>,
    /// Told to stop, and not ended yet. They hold their instances' resources, so they
    /// count towards the maximum.
    pub(crate) leaving: usize,
}

/// One of them.
#[derive(Debug, Clone)]
pub(crate) struct Member {
    pub(crate) id: String,
    pub(crate) healthy: bool,
    pub(crate) running: bool,
    pub(crate) created: Time,
    pub(crate) az: String,
}

impl Census {
    /// Counts now.
    pub(crate) fn take(world: &World, key: &ServiceKey) -> Self {
        let mut census = Self::default();
        let Some(service) = world.ecs.service(key) else { return census };
        let primary = service.primary().map(|it| it.revision.as_str());
        for task in service.tasks.iter().filter_map(|id| world.ecs.tasks.get(id)) {
            if !task.wanted {
                census.leaving += 1;
                continue;
            }
            let health = health::of(world, task, service.settings.grace_secs());
            let member = member(task, &health);
            let of_primary = task.owner.as_ref().map(|owner| owner.revision.as_str()) == primary;
            if !of_primary || on_draining(world, task) {
                census.old.push(member);
            } else if matches!(health, Health::Failing(_)) && task.was_healthy {
                census.failing.push(member);
            } else {
                census.fresh.push(member);
            }
        }
        census
    }

    /// Tasks that are healthy, whichever deployment they are of.
    pub(crate) fn healthy(&self) -> usize {
        self.fresh.iter().chain(&self.old).filter(|it| it.healthy).count()
    }

    /// All tasks that hold resources.
    pub(crate) fn total(&self) -> usize {
        self.fresh.len() + self.failing.len() + self.old.len() + self.leaving
    }

    /// Whether exactly `desired` tasks are there, all of them new and healthy.
    pub(crate) fn is_settled(&self, desired: usize) -> bool {
        self.total() == desired && self.fresh.len() == desired && self.fresh.iter().all(|it| it.healthy)
    }
}

fn member(task: &Task, health: &Health) -> Member {
    Member {
        id: task.id.clone(),
        healthy: *health == Health::Healthy,
        running: task.status == TaskStatus::Running,
        created: task.times.created,
        az: task.az.clone(),
    }
}

fn on_draining(world: &World, task: &Task) -> bool {
    world.ecs.instances.get(&task.instance).is_some_and(|it| it.status == InstanceStatus::Draining)
}
