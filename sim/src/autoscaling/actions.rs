//! Lifecycle actions: an instance that comes or goes waits for each hook of its transition.
//!
//! An action ends by an answer, or at its deadline by the hook's default. A heartbeat moves the
//! deadline, up to the longest that a hook may take. On the way in, ABANDON ends the instance; on
//! the way out it goes either way, and ABANDON skips the hooks that have not answered.

use std::time::Duration;

use serde_json::json;

use super::model::{Action, ActivityStatus, Lifecycle, Transition, Verdict};
use super::{Due, activities, leaving, members};
use crate::ecs::{self, as_uuid, hex_id};
use crate::world::{self, World};

/// Asks the hooks of a transition. False where there are none.
pub(super) fn begin(world: &mut World, id: &str, transition: Transition) -> bool {
    let Some(name) = leaving::group_of(world, id) else { return false };
    let Some(group) = world.autoscaling.groups.get(&name) else { return false };
    let hooks: Vec<_> = group.hooks.values().filter(|it| it.transition == transition).cloned().collect();
    if hooks.is_empty() {
        return false;
    }
    let now = world.now();
    for hook in hooks {
        let token = as_uuid(&hex_id(world));
        let deadline = now + Duration::from_secs(hook.heartbeat.into());
        let action = Action { hook, token: token.clone(), began: now, deadline };
        tell(world, &name, id, &action);
        if let Some(member) = leaving::member_mut(world, id) {
            member.waits.push(action);
        }
        wake_at(world, deadline, id, &token);
    }
    let Some(member) = leaving::member_mut(world, id) else { return false };
    member.state = match transition {
        Transition::Launching => Lifecycle::PendingWait,
        Transition::Terminating => Lifecycle::TerminatingWait,
    };
    let activity = member.activity.clone();
    activities::turn(world, &activity, ActivityStatus::MidLifecycleAction);
    ecs::lifecycle_action(world, id);
    true
}

fn wake_at(world: &mut World, at: crate::time::Time, instance: &str, token: &str) {
    let due = Due::Heartbeat { instance: instance.to_owned(), token: token.to_owned() };
    world.at(at, world::Due::AutoScaling(due));
}

/// The hook's event.
fn tell(world: &mut World, group: &str, id: &str, action: &Action) {
    let (kind, origin, destination) = match action.hook.transition {
        Transition::Launching => ("EC2 Instance-launch Lifecycle Action", "EC2", "AutoScalingGroup"),
        Transition::Terminating => ("EC2 Instance-terminate Lifecycle Action", "AutoScalingGroup", "EC2"),
    };
    let mut detail = json!({
        "LifecycleActionToken": action.token,
        "AutoScalingGroupName": group,
        "LifecycleHookName": action.hook.name,
        "EC2InstanceId": id,
        "LifecycleTransition": action.hook.transition.name(),
        "Origin": origin,
        "Destination": destination,
    });
    if let Some(metadata) = &action.hook.metadata {
        detail["NotificationMetadata"] = json!(metadata);
    }
    let Some(arn) = world.autoscaling.groups.get(group).map(|it| it.arn.clone()) else { return };
    world.emit("aws.autoscaling", kind, &[arn], detail);
}

/// An action's deadline has come, unless a heartbeat has moved it.
pub(super) fn timed_out(world: &mut World, id: &str, token: &str) {
    let now = world.now();
    let Some(member) = leaving::member_mut(world, id) else { return };
    let Some(action) = member.waits.iter().find(|it| it.token == token && it.deadline <= now) else { return };
    let verdict = action.hook.default_result;
    answer(world, id, token, verdict);
}

/// A heartbeat: the deadline is a whole timeout away again, within the longest.
pub(super) fn extend(world: &mut World, id: &str, token: &str) {
    let now = world.now();
    let Some(member) = leaving::member_mut(world, id) else { return };
    let Some(action) = member.waits.iter_mut().find(|it| it.token == token) else { return };
    let longest = action.began + action.hook.longest();
    action.deadline = (now + Duration::from_secs(action.hook.heartbeat.into())).min(longest);
    let at = action.deadline;
    wake_at(world, at, id, token);
}

/// An action has ended. With the last of them, or with ABANDON, the instance goes on.
pub(super) fn answer(world: &mut World, id: &str, token: &str, verdict: Verdict) {
    let Some(member) = leaving::member_mut(world, id) else { return };
    member.waits.retain(|it| it.token != token);
    if verdict == Verdict::Continue && !member.waits.is_empty() {
        return;
    }
    member.waits.clear();
    match (member.state, verdict) {
        (Lifecycle::PendingWait, Verdict::Continue) => members::in_service(world, id),
        (Lifecycle::PendingWait, Verdict::Abandon) => abandoned(world, id),
        (Lifecycle::TerminatingWait, _) => leaving::proceed(world, id),
        _ => {}
    }
}

/// A launch that a hook abandoned: the instance ends, and another is launched.
fn abandoned(world: &mut World, id: &str) {
    let message = format!("The lifecycle action of instance {id} was abandoned");
    activities::fail(world, id, &message);
    let cause = format!("At {} an instance was taken out of service: {message}.", world.now().iso_secs());
    leaving::replace(world, id, &cause);
}
