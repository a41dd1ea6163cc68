//! The way back of a deployment that has failed, or was told to stop.
//!
//! 1. The source gets its traffic back at once; should it have lost tasks, once it has its
//!    minimum again.
//! 2. The functions at `PRODUCTION_TRAFFIC_SHIFT` and `TEST_TRAFFIC_SHIFT` are told so (the
//!    target's weight is 0). What they answer changes nothing any more.
//! 3. The target's tasks drain and stop; then the rollback has succeeded.

use super::super::census::Census;
use super::super::deployment::{self, ReleaseStatus, Rollout};
use super::super::events;
use super::super::service::{Service, ServiceKey};
use super::super::strategy::{Share, Stage};
use super::hooks;
use super::progress::{Retreat, current, current_mut};
use super::stages::only_tasks_of;
use super::traffic::{self, Traffic};
use crate::world::World;

/// What follows a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Then {
    RollBack,
    /// A rolling deployment starts nothing more; one with two sets is rolled back even so.
    Stop,
}

/// The deployment under way fails for the reason `why` and is rolled back, where that is to
/// follow and there is something to go back to. `by` is whoever decided it.
pub(crate) fn fail(world: &mut World, key: &ServiceKey, by: &str, why: &str, then: Then) {
    let now = world.now();
    let Some(service) = world.ecs.service_mut(key) else { return };
    let Some(primary) = service.primary_mut() else { return };
    primary.rollout = Rollout::Failed;
    why.clone_into(&mut primary.reason);
    primary.updated_at = now;
    let (id, reason) = (primary.id.clone(), primary.reason.clone());
    if let Some(release) = service.release_mut() {
        release.reason = Some(reason);
        release.updated_at = now;
    }
    events::say(world, key, &format!("(deployment {id}) deployment failed: {why}"));
    events::deployment_changed(world, key, &id);
    let two_sets = world.ecs.service(key).and_then(current).is_some_and(|it| it.1.strategy.has_two_sets());
    if (then == Then::RollBack || two_sets) && turn_back(world, key, by) {
        return;
    }
    let Some(release) = world.ecs.service_mut(key).and_then(Service::release_mut) else { return };
    release.status = match then {
        Then::RollBack => ReleaseStatus::RollbackFailed,
        Then::Stop => ReleaseStatus::Stopped,
    };
    release.finished_at = Some(now);
}

/// Begins the rollback of the release under way; says whether there is something to go back
/// to.
fn turn_back(world: &mut World, key: &ServiceKey, by: &str) -> bool {
    let Some(service) = world.ecs.service_mut(key) else { return false };
    let staged = current(service).map(|(_, progress)| (progress.strategy, progress.source.clone()));
    if let Some((strategy, source)) = staged {
        if strategy.has_two_sets() {
            service.completed = source; // a clean-up has taken the target for it
        }
        if let Some(progress) = current_mut(service) {
            progress.retreat = Some(Retreat::Restoring);
            progress.hooks.clear();
        }
    }
    deployment::roll_back(world, key, by)
}

/// Moves a rollback by one step, if it can move.
pub(super) fn advance(world: &mut World, key: &ServiceKey) -> bool {
    let Some(service) = world.ecs.service(key) else { return false };
    let Some((_, progress)) = current(service) else { return false };
    let Some(source) = progress.source.as_ref().map(|it| it.revision.clone()) else { return false };
    let desired = service.desired as usize;
    match progress.retreat {
        Some(Retreat::Restoring) => {
            let ready = Census::of_revision(world, key, &source).healthy();
            if ready < service.settings.enough(service.desired) {
                return false;
            }
            restore(world, key);
            true
        }
        Some(Retreat::Telling) => {
            // What a function answers, and that it took too long, is only noted.
            let _ = hooks::look(world, key);
            let open = world.ecs.service(key).and_then(current);
            if open.is_some_and(|(_, it)| it.hooks.iter().any(|hook| hook.status.is_open())) {
                return false;
            }
            set(world, key, Retreat::Clearing);
            true
        }
        Some(Retreat::Clearing) => {
            let settled = Census::of_revision(world, key, &source).is_settled(desired);
            let over = settled && only_tasks_of(world, service, &source);
            if over {
                deployment::complete(world, key);
            }
            over
        }
        None => false,
    }
}

fn set(world: &mut World, key: &ServiceKey, retreat: Retreat) {
    if let Some(progress) = world.ecs.service_mut(key).and_then(current_mut) {
        progress.retreat = Some(retreat);
    }
}

/// The traffic goes back, and the functions that saw it come are told.
fn restore(world: &mut World, key: &ServiceKey) {
    let Some((_, progress)) = world.ecs.service(key).and_then(current) else { return };
    let moved = (progress.production > Share::NONE, progress.test > Share::NONE);
    for (traffic, moved) in [(Traffic::Production, moved.0), (Traffic::Test, moved.1)] {
        if !moved {
            continue;
        }
        // A rule that is gone cannot be given back: it is said, and the tasks go back still.
        if let Err(why) = traffic::shift(world, key, traffic, Share::NONE) {
            events::say(world, key, &why);
        }
    }
    set(world, key, Retreat::Telling);
    if moved.0 {
        hooks::tell(world, key, Stage::ProductionTrafficShift);
    }
    if moved.1 {
        hooks::tell(world, key, Stage::TestTrafficShift);
    }
}
