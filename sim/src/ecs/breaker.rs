//! The deployment circuit breaker: which tasks it counts, and what it does.
//!
//! What counts, after AWS's "How the deployment circuit breaker detects failures":
//! a task that could not be placed, one that never came to RUNNING (its image could not
//! be pulled, or it ended before the agent had reported it as running), and one that was
//! stopped because it failed its load balancer's health checks before it ever was
//! healthy. A task that came to RUNNING and *then ended by itself* does **not** count:
//! AWS does not count it either (aws/containers-roadmap#1206, aws/copilot-cli#1879), so a
//! deployment whose tasks crash after some seconds goes on for ever. A healthy task sets
//! the count back to 0 unless `resetOnHealthyTask` is false.

use std::time::Duration;

use serde_json::json;

use super::deployment::{self, BreakerStatus, ReleaseStatus, Rollout};
use super::events;
use super::service::{Service, ServiceKey};
use super::staged;
use super::task::StopCode;
use crate::world::World;

/// The breaker's name in reasons.
const NAME: &str = "ECS deployment circuit breaker";

/// Tasks in a row that never ran, from which on the scheduler waits before the next.
const PATIENCE: u32 = 4;

/// Whether a task is of the PRIMARY deployment's revision.
fn is_of_primary(service: &Service, world: &World, id: &str) -> bool {
    let owner = world.ecs.tasks.get(id).and_then(|task| task.owner.as_ref());
    owner.map(|owner| &owner.revision) == service.primary().map(|it| &it.revision)
}

/// Whether the breaker is on: it is for rolling deployments only.
fn watches(service: &Service) -> bool {
    let two_sets = staged::current(service).is_some_and(|(_, it)| it.strategy.has_two_sets());
    service.settings.breaker().enabled && !two_sets
}

/// A task was found healthy for the first time.
pub(crate) fn task_healthy(world: &mut World, key: &ServiceKey, id: &str) {
    let Some(service) = world.ecs.service(key) else { return };
    if !is_of_primary(service, world, id) {
        return;
    }
    let reset = service.settings.breaker().reset;
    let Some(service) = world.ecs.service_mut(key) else { return };
    service.pace.stillborn = 0;
    if reset && let Some(primary) = service.primary_mut() {
        primary.failed_tasks = 0;
    }
}

/// A task has ended: it counts if it never ran.
pub(crate) fn task_ended(world: &mut World, id: &str) {
    let Some(task) = world.ecs.tasks.get(id) else { return };
    let Some(owner) = &task.owner else { return };
    let failed = task.stop.as_ref().is_some_and(|stop| {
        matches!(stop.code, StopCode::TaskFailedToStart | StopCode::EssentialContainerExited)
    });
    if task.times.started.is_none() && failed {
        let key = owner.service.clone();
        slow_down(world, &key, id);
        task_failed(world, &key, id);
    }
}

/// ECS throttles a service whose tasks never run: forever if need be, so not while a
/// breaker watches, which ends it sooner.
fn slow_down(world: &mut World, key: &ServiceKey, id: &str) {
    let now = world.now();
    let Some(service) = world.ecs.service(key) else { return };
    let in_progress = service.primary().is_some_and(|it| it.rollout == Rollout::InProgress);
    let watched = in_progress && watches(service);
    if watched || !is_of_primary(service, world, id) {
        return;
    }
    let Some(service) = world.ecs.service_mut(key) else { return };
    service.pace.stillborn += 1;
    let Some(over) = service.pace.stillborn.checked_sub(PATIENCE) else { return };
    let wait = Duration::from_secs((10_u64 << over.min(6)).min(900));
    service.pace.not_before = Some(now + wait);
    service.pace.room_seen = false;
    let message = "is unable to consistently start tasks successfully. For more information, see the \
                   Troubleshooting section of the Amazon ECS Developer Guide.";
    events::say(world, key, message);
    events::service_action(world, key, "WARN", "SERVICE_TASK_START_IMPAIRED", &json!({}));
}

/// A task of the PRIMARY deployment failed.
pub(crate) fn task_failed(world: &mut World, key: &ServiceKey, id: &str) {
    if world.ecs.service(key).is_some_and(|service| is_of_primary(service, world, id)) {
        count(world, key);
    }
}

/// A task could not be placed.
pub(crate) fn placement_failed(world: &mut World, key: &ServiceKey) {
    count(world, key);
}

fn count(world: &mut World, key: &ServiceKey) {
    let now = world.now();
    let Some(service) = world.ecs.service_mut(key) else { return };
    let breaker = service.settings.breaker();
    let threshold = breaker.threshold(service.desired);
    let watches = watches(service);
    let Some(primary) = service.primary_mut().filter(|it| it.rollout == Rollout::InProgress) else { return };
    primary.failed_tasks += 1;
    primary.updated_at = now;
    let failures = primary.failed_tasks;
    if let Some(release) = service.release_mut() {
        release.breaker.failures = failures;
        release.breaker.threshold = threshold;
    }
    if watches && failures >= threshold {
        trip(world, key, breaker.rollback);
    }
}

/// The PRIMARY deployment fails. It is rolled back to the last completed one if that is
/// wanted and there is one; otherwise it stalls: it starts nothing more.
fn trip(world: &mut World, key: &ServiceKey, rollback: bool) {
    let now = world.now();
    let reason = format!("{NAME}: tasks failed to start.");
    let Some(service) = world.ecs.service_mut(key) else { return };
    let Some(primary) = service.primary_mut() else { return };
    primary.rollout = Rollout::Failed;
    primary.reason.clone_from(&reason);
    primary.updated_at = now;
    let id = primary.id.clone();
    if let Some(release) = service.release_mut() {
        release.breaker.status = BreakerStatus::Triggered;
        release.reason = Some(reason);
        release.updated_at = now;
    }
    events::say(world, key, &format!("(deployment {id}) deployment failed: tasks failed to start."));
    events::deployment_changed(world, key, &id);
    if rollback && deployment::roll_back(world, key, NAME) {
        return;
    }
    let Some(release) = world.ecs.service_mut(key).and_then(Service::release_mut) else { return };
    release.status = if rollback { ReleaseStatus::RollbackFailed } else { ReleaseStatus::Stopped };
    release.finished_at = Some(now);
}
