//! A task's end: its targets drain, it gets SIGTERM, it is killed if it takes too long.
//!
//! `RUNNING → DEACTIVATING` (targets deregistered, connections drain) `→ STOPPING`
//! (SIGTERM) `→ STOPPED`. A task whose essential container ends by itself has nothing
//! left to drain and goes straight to its end.

use std::time::Duration;

use super::lifecycle::{NEVER_RAN, later};
use super::task::{Stop, StopCode, Task, TaskStatus, secs};
use super::{TaskStep, breaker, events, scheduler};
use crate::elb;
use crate::time::Time;
use crate::world::{Effect, World};

/// From a container's end to the task's.
const REPORT: Duration = Duration::from_millis(200);
/// How long a stopped task can be described.
const KEPT: Duration = Duration::from_hours(1);

/// Asks a task to stop. One that stops already is left alone.
pub(crate) fn request(world: &mut World, id: &str, code: StopCode, reason: &str) {
    let now = world.now();
    let Some(task) = doomed(world, id, code, reason) else { return };
    if task.status == TaskStatus::Pending {
        events::task_changed(world, id);
        later(world, now + REPORT, id, TaskStep::End);
        return;
    }
    if task.targets.is_empty() {
        signal(world, id);
        return;
    }
    task.status = TaskStatus::Deactivating;
    events::task_changed(world, id);
    let gone = deregister(world, id);
    later(world, gone, id, TaskStep::Signal);
}

/// Marks a task as one that is to stop; `None` if it already is.
fn doomed<'a>(world: &'a mut World, id: &str, code: StopCode, reason: &str) -> Option<&'a mut Task> {
    let now = world.now();
    let task = world.ecs.tasks.get_mut(id).filter(|it| it.wanted)?;
    task.wanted = false;
    task.stop = Some(Stop { code, reason: reason.to_owned() });
    task.times.stopping = Some(now);
    Some(task)
}

/// Takes a task out of its target groups. Returns when the last target will be gone.
fn deregister(world: &mut World, id: &str) -> Time {
    let mut gone = world.now();
    let Some(task) = world.ecs.tasks.get(id) else { return gone };
    let (targets, owner) = (task.targets.clone(), task.owner.clone());
    let ec2_id = world.ecs.instances.get(&task.instance).map(|it| it.ec2_id.clone()).unwrap_or_default();
    for target in &targets {
        gone = gone.max(elb::deregister(world, &target.group, &ec2_id, target.port));
        if let Some(owner) = &owner {
            let message = format!("deregistered 1 targets in (target-group {})", target.group);
            events::say(world, &owner.service, &message);
        }
    }
    if let Some(owner) = owner.filter(|_| !targets.is_empty()) {
        events::say(world, &owner.service, "has begun draining connections on 1 tasks.");
    }
    gone
}

/// SIGTERM to its containers; SIGKILL after each one's stop timeout.
pub(crate) fn signal(world: &mut World, id: &str) {
    let now = world.now();
    let Some(task) = world.ecs.tasks.get_mut(id) else { return };
    if !matches!(task.status, TaskStatus::Running | TaskStatus::Deactivating) {
        return;
    }
    task.status = TaskStatus::Stopping;
    let live = task.containers.iter().filter(|it| it.started.is_some() && it.ended.is_none());
    let ends = live.map(|it| secs(it.behaviour.stop_secs).min(Duration::from_secs(it.stop_timeout.into())));
    let longest = ends.max().unwrap_or(Duration::ZERO);
    let arn = task.arn.clone();
    events::task_changed(world, id);
    world.effects.push_back(Effect::SignalContainer { task_arn: arn });
    later(world, now + longest, id, TaskStep::End);
}

/// A container ends by itself.
pub(crate) fn exit(world: &mut World, id: &str, index: usize) {
    let now = world.now();
    let Some(task) = world.ecs.tasks.get_mut(id) else { return };
    let Some(container) = task.containers.get_mut(index).filter(|it| it.ended.is_none()) else { return };
    container.ended = Some(now);
    container.exit_code = Some(if container.foreign { 1 } else { container.behaviour.crash_code });
    if container.foreign {
        container.reason = Some("exec format error".to_owned());
    }
    let essential = container.essential;
    if task.containers.iter().all(|it| it.ended.is_some()) {
        let task_arn = task.arn.clone();
        world.effects.push_back(Effect::StopContainer { task_arn });
    }
    if essential {
        exited(world, id);
    } else {
        events::task_changed(world, id);
    }
}

/// An essential container has ended: the task ends with it.
fn exited(world: &mut World, id: &str) {
    let was_wanted =
        doomed(world, id, StopCode::EssentialContainerExited, "Essential container in task exited").is_some();
    let Some(task) = world.ecs.tasks.get(id) else { return };
    match task.status {
        // It drained already, or has got its signal: what is left of that is cut short
        // only if nothing of it runs any more.
        TaskStatus::Deactivating | TaskStatus::Stopping if !was_wanted => {
            if task.containers.iter().all(|it| it.ended.is_some()) {
                end(world, id);
            }
        }
        TaskStatus::Stopped => {}
        TaskStatus::Pending => {
            let at = world.now() + REPORT;
            events::task_changed(world, id);
            later(world, at, id, TaskStep::End);
        }
        _ => {
            deregister(world, id);
            signal_rest(world, id);
        }
    }
}

/// SIGTERM to what still runs beside an essential container that has ended.
fn signal_rest(world: &mut World, id: &str) {
    let now = world.now();
    let Some(task) = world.ecs.tasks.get(id) else { return };
    if task.containers.iter().any(|it| it.ended.is_none()) {
        signal(world, id);
        return;
    }
    if let Some(task) = world.ecs.tasks.get_mut(id) {
        task.status = TaskStatus::Stopping;
    }
    events::task_changed(world, id);
    later(world, now + REPORT, id, TaskStep::End);
}

/// A task's images or containers could not be had.
pub(crate) fn failed_to_start(world: &mut World, id: &str, container: usize, reason: &str) {
    let now = world.now();
    let Some(task) = doomed(world, id, NEVER_RAN, reason) else { return };
    if let Some(container) = task.containers.get_mut(container) {
        container.reason = Some(reason.to_owned());
    }
    events::task_changed(world, id);
    later(world, now + REPORT, id, TaskStep::End);
}

/// The instance under a task is gone.
pub(crate) fn lost_instance(world: &mut World, id: &str, ec2_id: &str) {
    let reason = format!("Host EC2 (instance {ec2_id}) terminated.");
    doomed(world, id, StopCode::TerminationNotice, &reason);
    deregister(world, id);
    for container in world.ecs.tasks.get_mut(id).into_iter().flat_map(|it| &mut it.containers) {
        container.exit_code = container.exit_code.or(Some(137));
    }
    end(world, id);
}

/// A task's containers have ended: it holds nothing any more.
pub(crate) fn end(world: &mut World, id: &str) {
    let now = world.now();
    let Some(task) = world.ecs.tasks.get_mut(id).filter(|it| it.status != TaskStatus::Stopped) else {
        return;
    };
    let mut cut = false;
    for container in &mut task.containers {
        if container.started.is_some() && container.ended.is_none() {
            cut = true;
            container.ended = Some(now);
            let killed = container.behaviour.stop_secs > f64::from(container.stop_timeout);
            let code = if killed { 137 } else { 0 };
            container.exit_code = container.exit_code.or(Some(code));
        }
    }
    task.status = TaskStatus::Stopped;
    task.times.execution_stopped = task.times.pull_stopped.and(Some(now));
    task.times.stopped = Some(now);
    let (arn, instance, cluster) = (task.arn.clone(), task.instance.clone(), task.cluster.clone());
    let owner = task.owner.clone();
    if cut {
        world.effects.push_back(Effect::StopContainer { task_arn: arn });
    }
    if let Some(instance) = world.ecs.instances.get_mut(&instance) {
        instance.reserved.remove(id);
    }
    events::task_changed(world, id);
    events::instance_changed(world, &instance);
    later(world, now + KEPT, id, TaskStep::Forget);
    breaker::task_ended(world, id);
    if let Some(owner) = owner {
        if let Some(service) = world.ecs.service_mut(&owner.service) {
            service.tasks.remove(id);
        }
        scheduler::wake(world, &owner.service);
    }
    scheduler::capacity_changed(world, &cluster);
}
