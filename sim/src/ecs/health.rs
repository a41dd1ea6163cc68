//! Whether a task is healthy: it runs, and every target group that it is registered in
//! says so. Container health checks (`healthCheck` in a container definition) are kept in
//! the task definition and not carried out.

use std::time::Duration;

use super::events;
use super::service::ServiceKey;
use super::task::{StopCode, Task, TaskStatus};
use super::{breaker, stopping};
use crate::elb::{self, TargetState};
use crate::world::World;

/// A task's health.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Health {
    /// Not running, not checked yet, or unhealthy within the grace period.
    Waiting,
    /// In service.
    Healthy,
    /// Unhealthy in this target group.
    Failing(String),
}

/// A task's health now.
pub(crate) fn of(world: &World, task: &Task, grace_secs: u64) -> Health {
    if task.status != TaskStatus::Running {
        return Health::Waiting;
    }
    let Some(instance) = world.ecs.instances.get(&task.instance) else { return Health::Waiting };
    let in_grace = task.times.started.is_none_or(|at| world.now() < at + Duration::from_secs(grace_secs));
    let mut health = Health::Healthy;
    for target in &task.targets {
        match elb::target_state(world, &target.group, &instance.ec2_id, target.port) {
            Some(TargetState::Healthy) => {}
            Some(TargetState::Unhealthy) if !in_grace => return Health::Failing(target.group.clone()),
            _ => health = Health::Waiting,
        }
    }
    health
}

/// Looks at every task of a service: those healthy for the first time are noted, those
/// that fail before they ever were healthy are stopped. (Those that fail later are
/// replaced first: see the scheduler.)
pub(crate) fn look(world: &mut World, key: &ServiceKey) {
    let Some(service) = world.ecs.service(key) else { return };
    let grace = service.settings.grace_secs();
    let ids: Vec<String> = service.tasks.iter().cloned().collect();
    for id in ids {
        let Some(task) = world.ecs.tasks.get(&id).filter(|it| it.wanted) else { continue };
        match of(world, task, grace) {
            Health::Healthy if !task.was_healthy => first_healthy(world, key, &id),
            Health::Failing(group) if !task.was_healthy => fail(world, key, &id, &group),
            _ => {}
        }
    }
}

fn first_healthy(world: &mut World, key: &ServiceKey, id: &str) {
    if let Some(task) = world.ecs.tasks.get_mut(id) {
        task.was_healthy = true;
    }
    breaker::task_healthy(world, key, id);
}

/// Stops a task for its failed health checks.
pub(crate) fn fail(world: &mut World, key: &ServiceKey, id: &str, group: &str) {
    let Some(task) = world.ecs.tasks.get(id) else { return };
    let never_healthy = !task.was_healthy;
    let ec2_id = world.ecs.instances.get(&task.instance).map(|it| it.ec2_id.clone()).unwrap_or_default();
    let port = task.targets.iter().find(|it| it.group == group).map_or(0, |it| it.port);
    let message = format!(
        "(instance {ec2_id}) (port {port}) is unhealthy in (target-group {group}) due to (reason Health checks failed)."
    );
    events::say(world, key, &message);
    let reason = format!("Task failed ELB health checks in (target-group {group})");
    stopping::request(world, id, StopCode::ServiceSchedulerInitiated, &reason);
    if never_healthy {
        breaker::task_failed(world, key, id);
    }
}
