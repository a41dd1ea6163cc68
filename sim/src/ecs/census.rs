//! Who is there of a service's tasks, as the scheduler counts them.

use super::health::{self, Health};
use super::instances::InstanceStatus;
use super::protection;
use super::service::{Service, ServiceKey};
use super::staged::{Scope, Set};
use super::task::{Task, TaskStatus};
use crate::time::Time;
use crate::world::World;

/// A service's tasks that have not ended, by what the scheduler does with them.
#[derive(Debug, Default)]
pub(crate) struct Census {
    /// Of the set's revision (the PRIMARY deployment's), to be kept.
    pub(crate) fresh: Vec<Member>,
    /// Of it too, but found unhealthy after they had been healthy: replaced first, then
    /// stopped.
    pub(crate) failing: Vec<Member>,
    /// To be replaced: of other revisions where the set replaces them, or on an instance
    /// that drains.
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
    /// Not to be stopped for others to take its place.
    pub(crate) protected: bool,
}

impl Census {
    /// Counts now, the PRIMARY deployment's tasks against all others.
    pub(crate) fn take(world: &World, key: &ServiceKey) -> Self {
        let primary = world.ecs.service(key).and_then(Service::primary).map(|it| it.revision.clone());
        Self::count(world, key, &primary.unwrap_or_default(), Scope::Replaces)
    }

    /// Counts now what concerns a set.
    pub(crate) fn of_set(world: &World, key: &ServiceKey, set: &Set) -> Self {
        Self::count(world, key, &set.revision, set.scope)
    }

    /// Counts now the tasks of one revision alone.
    pub(crate) fn of_revision(world: &World, key: &ServiceKey, revision: &str) -> Self {
        Self::count(world, key, revision, Scope::Own)
    }

    fn count(world: &World, key: &ServiceKey, revision: &str, scope: Scope) -> Self {
        let mut census = Self::default();
        let Some(service) = world.ecs.service(key) else { return census };
        for task in service.tasks.iter().filter_map(|id| world.ecs.tasks.get(id)) {
            let is_own = task.owner.as_ref().is_some_and(|owner| owner.revision == revision);
            if !is_own && scope == Scope::Own {
                continue;
            }
            if !task.wanted {
                census.leaving += 1;
                continue;
            }
            let health = health::of(world, task, service.settings.grace_secs());
            let member = member(task, &health, world.now());
            if !is_own || on_draining(world, task) {
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

    /// Healthy tasks of the set's own revision.
    pub(crate) fn healthy_fresh(&self) -> usize {
        self.fresh.iter().filter(|it| it.healthy).count()
    }

    /// Whether no task is there that is to go on.
    pub(crate) fn is_empty(&self) -> bool {
        self.total() == self.leaving
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

fn member(task: &Task, health: &Health, now: Time) -> Member {
    Member {
        id: task.id.clone(),
        healthy: *health == Health::Healthy,
        running: task.status == TaskStatus::Running,
        created: task.times.created,
        az: task.az.clone(),
        protected: protection::is_protected(task, now),
    }
}

fn on_draining(world: &World, task: &Task) -> bool {
    world.ecs.instances.get(&task.instance).is_some_and(|it| it.status == InstanceStatus::Draining)
}
