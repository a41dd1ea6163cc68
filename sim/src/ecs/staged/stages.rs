//! The way through the stages: one step a pass at most.
//!
//! 1. A stage begins: it shifts weights where it is one that does, and calls its hooks.
//! 2. It is over once its hooks are, and what it waits for (tasks, time) has come.
//! 3. The next one begins, until `CLEAN_UP` is over and the deployment has succeeded.

use std::time::Duration;

use serde_json::Value;

use super::super::census::Census;
use super::super::deployment::{self, Completed, Release};
use super::super::service::{Service, ServiceKey};
use super::super::strategy::{self, Share, Stage, Strategy};
use super::progress::{Progress, current, current_mut};
use super::retreat::Then;
use super::traffic::{self, Traffic};
use super::{hooks, retreat};
use crate::time::Time;
use crate::world::World;

/// "Each lifecycle stage can last up to 24 hours."
const LONGEST: Duration = Duration::from_hours(24);

/// The progress of a release that begins now, where its configuration needs stages.
pub(crate) fn begin(
    service: &Service,
    configuration: &Value,
    execution: String,
    now: Time,
) -> Option<Progress> {
    let strategy = Strategy::of(configuration);
    let hooked = !strategy::hooks(configuration).unwrap_or_default().is_empty();
    let bakes = !strategy::bake(configuration).is_zero();
    if !strategy.has_two_sets() && !hooked && !bakes {
        return None;
    }
    let crowded = service.deployments.len() > 1 && strategy.has_two_sets();
    Some(Progress {
        strategy,
        stage: if crowded { Stage::ReconcileService } else { Stage::PreScaleUp },
        since: now,
        begun: false,
        source: source_of(service),
        steps: strategy::steps(configuration),
        step: 0,
        production: Share::NONE,
        test: Share::NONE,
        execution,
        hooks: Vec::new(),
        details: hooks::first_details(configuration),
        retreat: None,
        reconciled: false,
    })
}

/// What serves now: the last that completed; during a rollback, what it goes back to.
pub(crate) fn source_of(service: &Service) -> Option<Completed> {
    let release = service.releases.last();
    let goes_back = release.is_some_and(|it| it.rollback.is_some() && !it.status.is_over());
    let primary = service.primary().filter(|_| goes_back);
    let back = primary.map(|it| Completed { deployment: it.id.clone(), revision: it.revision.clone() });
    service.completed.clone().or(back)
}

/// A rolling deployment takes over: it knows one group only, so the source gets its traffic
/// back at once.
pub(crate) fn supersede(world: &mut World, key: &ServiceKey) {
    for traffic in [Traffic::Production, Traffic::Test] {
        // A rule that is gone has nothing to give back.
        let _ = traffic::shift(world, key, traffic, Share::NONE);
    }
}

/// Moves a service's staged deployment by one step, if it can move.
pub(crate) fn advance(world: &mut World, key: &ServiceKey) -> bool {
    let Some((_, progress)) = world.ecs.service(key).and_then(current) else { return false };
    if progress.retreat.is_some() {
        return retreat::advance(world, key);
    }
    if !progress.begun {
        enter(world, key);
        return true;
    }
    if let Some(why) = hooks::look(world, key) {
        retreat::fail(world, key, "ECS deployment lifecycle hook", &why, Then::RollBack);
        return true;
    }
    match standing(world, key) {
        Standing::Waits => false,
        Standing::Failed(why) => {
            retreat::fail(world, key, "ECS deployment", &why, Then::RollBack);
            true
        }
        Standing::Over => {
            leave(world, key);
            true
        }
    }
}

/// When the next look is needed for what no task will tell.
pub(crate) fn next_look(service: &Service) -> Option<Time> {
    let (release, progress) = current(service)?;
    let open = progress.hooks.iter().filter(|hook| hook.status.is_open());
    let of_hooks = open.map(|hook| hook.again_at.map_or(hook.expires_at, |at| at.min(hook.expires_at)));
    let of_stage = progress.begun.then(|| ends_at(release, progress)).flatten();
    of_hooks.chain(of_stage).min()
}

/// When a stage that waits for time is over, or must have got what it waits for.
fn ends_at(release: &Release, progress: &Progress) -> Option<Time> {
    let configuration = &release.configuration;
    match progress.stage {
        Stage::ScaleUp => Some(progress.since + LONGEST),
        Stage::ProductionTrafficShift if progress.step < progress.steps.len() => {
            Some(progress.since + strategy::step_bake(configuration))
        }
        Stage::BakeTime => Some(progress.since + strategy::bake(configuration)),
        _ => None,
    }
    .filter(|_| progress.retreat.is_none())
}

/// A stage begins.
fn enter(world: &mut World, key: &ServiceKey) {
    let now = world.now();
    let Some(progress) = world.ecs.service_mut(key).and_then(current_mut) else { return };
    progress.begun = true;
    progress.since = now;
    let (stage, strategy) = (progress.stage, progress.strategy);
    let shifted = match stage {
        Stage::PreScaleUp if strategy.has_two_sets() => match traffic::obstacle(world, key) {
            Some(obstacle) => Err(obstacle),
            None => Ok(()),
        },
        Stage::TestTrafficShift => traffic::shift(world, key, Traffic::Test, Share::ALL),
        Stage::ProductionTrafficShift => shift_production(world, key),
        _ => Ok(()),
    };
    match shifted {
        Ok(()) => hooks::call_all(world, key, stage),
        Err(why) => retreat::fail(world, key, "ECS deployment", &why, Then::RollBack),
    }
}

/// The next step of production traffic.
fn shift_production(world: &mut World, key: &ServiceKey) -> Result<(), String> {
    let Some(progress) = world.ecs.service_mut(key).and_then(current_mut) else { return Ok(()) };
    let share = progress.steps.get(progress.step).copied().unwrap_or(Share::ALL);
    progress.step += 1;
    traffic::shift(world, key, Traffic::Production, share)
}

/// From its clean-up on, the target is what serves: a newer deployment starts from it.
fn serves(world: &mut World, key: &ServiceKey) {
    let Some(service) = world.ecs.service_mut(key) else { return };
    if let Some(primary) = service.primary() {
        let (deployment, revision) = (primary.id.clone(), primary.revision.clone());
        service.completed = Some(Completed { deployment, revision });
    }
}

/// How a stage stands.
enum Standing {
    Waits,
    Over,
    Failed(String),
}

fn standing(world: &mut World, key: &ServiceKey) -> Standing {
    let now = world.now();
    let Some(service) = world.ecs.service(key) else { return Standing::Waits };
    let Some((release, progress)) = current(service) else { return Standing::Waits };
    if progress.hooks.iter().any(|hook| hook.status.is_open()) {
        return Standing::Waits;
    }
    let late = ends_at(release, progress).is_some_and(|at| now >= at);
    let over = match progress.stage {
        Stage::ReconcileService => return reconcile(world, key),
        Stage::ScaleUp if scaled_up(world, service, &release.target, progress) => true,
        Stage::ScaleUp if late => {
            let message = "ECS deployment: the new service revision did not become healthy within 24 hours.";
            return Standing::Failed(message.to_owned());
        }
        Stage::ScaleUp => false,
        Stage::ProductionTrafficShift if progress.step < progress.steps.len() => late,
        Stage::BakeTime => late,
        Stage::CleanUp => only_tasks_of(world, service, &release.target),
        _ => true,
    };
    if over { Standing::Over } else { Standing::Waits }
}

/// Superseded revisions leave once the source can take, and has, all traffic.
fn reconcile(world: &mut World, key: &ServiceKey) -> Standing {
    let Some(service) = world.ecs.service(key) else { return Standing::Waits };
    let Some((release, progress)) = current(service) else { return Standing::Waits };
    // Nothing ever completed: whatever is there stays until the clean-up.
    let Some(source) = progress.source.clone() else { return Standing::Over };
    let others: Vec<String> = release.sources.iter().filter(|it| **it != source.revision).cloned().collect();
    if progress.reconciled {
        let left = others.iter().any(|it| !Census::of_revision(world, key, it).is_empty());
        return if left { Standing::Waits } else { Standing::Over };
    }
    if Census::of_revision(world, key, &source.revision).healthy() < service.settings.enough(service.desired)
    {
        return Standing::Waits;
    }
    for traffic in [Traffic::Production, Traffic::Test] {
        if let Err(why) = traffic::shift(world, key, traffic, Share::NONE) {
            return Standing::Failed(why);
        }
    }
    if let Some(progress) = world.ecs.service_mut(key).and_then(current_mut) {
        progress.reconciled = true;
    }
    super::super::scheduler::wake(world, key);
    Standing::Waits
}

fn scaled_up(world: &World, service: &Service, target: &str, progress: &Progress) -> bool {
    if progress.strategy.has_two_sets() {
        return Census::of_revision(world, &service.key, target).is_settled(service.desired as usize);
    }
    deployment::has_rolled(world, service)
}

/// Whether every task that has not ended is of this revision.
pub(super) fn only_tasks_of(world: &World, service: &Service, revision: &str) -> bool {
    let mut tasks = service.tasks.iter().filter_map(|id| world.ecs.tasks.get(id));
    tasks.all(|task| task.owner.as_ref().is_some_and(|owner| owner.revision == revision))
}

/// A stage is over: the next one, or the end.
fn leave(world: &mut World, key: &ServiceKey) {
    let Some((release, progress)) = world.ecs.service(key).and_then(current) else { return };
    let Some(next) = after(progress, &release.configuration) else {
        deployment::complete(world, key);
        return;
    };
    if next == Stage::CleanUp {
        serves(world, key);
    }
    if let Some(progress) = world.ecs.service_mut(key).and_then(current_mut) {
        progress.stage = next;
        progress.begun = false;
        progress.hooks.clear();
    }
}

fn after(progress: &Progress, configuration: &Value) -> Option<Stage> {
    let bakes = !strategy::bake(configuration).is_zero();
    let two_sets = progress.strategy.has_two_sets();
    Some(match progress.stage {
        Stage::ReconcileService => Stage::PreScaleUp,
        Stage::PreScaleUp => Stage::ScaleUp,
        Stage::ScaleUp => Stage::PostScaleUp,
        Stage::PostScaleUp if two_sets => Stage::TestTrafficShift,
        Stage::PostScaleUp if bakes => Stage::BakeTime,
        Stage::TestTrafficShift => Stage::PostTestTrafficShift,
        Stage::PostTestTrafficShift => Stage::PreProductionTrafficShift,
        Stage::PreProductionTrafficShift => Stage::ProductionTrafficShift,
        Stage::ProductionTrafficShift if progress.step < progress.steps.len() => {
            Stage::PreProductionTrafficShift
        }
        Stage::ProductionTrafficShift => Stage::PostProductionTrafficShift,
        Stage::PostProductionTrafficShift => Stage::BakeTime,
        Stage::BakeTime if two_sets => Stage::CleanUp,
        Stage::PostScaleUp | Stage::BakeTime | Stage::CleanUp => return None,
    })
}
