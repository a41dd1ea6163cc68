//! The calls about lifecycle hooks and actions.

use serde_json::{Value, json};

use super::actions;
use super::args::{self, invalid};
use super::model::{Hook, Transition, Verdict};
use crate::call::{ApiError, Reply};
use crate::world::World;

/// Reads a hook; members that are not given are the live one's, or AWS's defaults.
pub(super) fn read(input: &Value, live: Option<&Hook>) -> Result<Hook, ApiError> {
    let name = args::required(input, "LifecycleHookName")?.to_owned();
    let transition = match args::text(input, "LifecycleTransition") {
        Some("autoscaling:EC2_INSTANCE_LAUNCHING") => Transition::Launching,
        Some("autoscaling:EC2_INSTANCE_TERMINATING") => Transition::Terminating,
        Some(other) => return Err(invalid(format!("Invalid Lifecycle Transition {other}"))),
        None => live.map(|it| it.transition).ok_or_else(|| invalid("LifecycleTransition must be given"))?,
    };
    let heartbeat = args::number(input, "HeartbeatTimeout")?.or(live.map(|it| it.heartbeat)).unwrap_or(3600);
    if !(30..=7200).contains(&heartbeat) {
        return Err(invalid("Heartbeat Timeout must be between 30 and 7200 seconds"));
    }
    let default_result = match args::text(input, "DefaultResult") {
        Some(text) => verdict(text)?,
        None => live.map_or(Verdict::Abandon, |it| it.default_result),
    };
    let text = |member: &str, live: Option<&String>| {
        args::text(input, member).map(str::to_owned).or_else(|| live.cloned())
    };
    Ok(Hook {
        name,
        transition,
        heartbeat,
        default_result,
        metadata: text("NotificationMetadata", live.and_then(|it| it.metadata.as_ref())),
        target: text("NotificationTargetARN", live.and_then(|it| it.target.as_ref())),
        role: text("RoleARN", live.and_then(|it| it.role.as_ref())),
    })
}

fn verdict(text: &str) -> Result<Verdict, ApiError> {
    match text {
        "CONTINUE" => Ok(Verdict::Continue),
        "ABANDON" => Ok(Verdict::Abandon),
        other => Err(invalid(format!("Invalid Lifecycle Action Result {other}"))),
    }
}

pub(super) fn put(world: &mut World, input: &Value) -> Reply {
    let group = args::group_mut(world, input)?;
    let live = args::text(input, "LifecycleHookName").and_then(|name| group.hooks.get(name));
    let hook = read(input, live)?;
    if live.is_none() && group.hooks.len() >= 50 {
        return Err(ApiError::client("LimitExceeded", "There are already 50 lifecycle hooks for this group"));
    }
    group.hooks.insert(hook.name.clone(), hook);
    Ok(json!({}))
}

pub(super) fn describe(world: &World, input: &Value) -> Reply {
    let name = args::group_name(world, input)?;
    let asked = args::texts(input, "LifecycleHookNames");
    let hooks = world.autoscaling.groups.get(&name).into_iter().flat_map(|group| group.hooks.values());
    let hooks = hooks.filter(|it| asked.is_empty() || asked.contains(&it.name));
    Ok(json!({ "LifecycleHooks": hooks.map(|hook| view(&name, hook)).collect::<Vec<_>>() }))
}

fn view(group: &str, hook: &Hook) -> Value {
    json!({
        "LifecycleHookName": hook.name,
        "AutoScalingGroupName": group,
        "LifecycleTransition": hook.transition.name(),
        "HeartbeatTimeout": hook.heartbeat,
        "GlobalTimeout": hook.longest().as_secs(),
        "DefaultResult": hook.default_result,
        "NotificationMetadata": hook.metadata,
        "NotificationTargetARN": hook.target,
        "RoleARN": hook.role,
    })
}

/// The hook goes; instances that wait for it go on, with CONTINUE on their way out and ABANDON on
/// their way in.
pub(super) fn delete(world: &mut World, input: &Value) -> Reply {
    let name = args::group_name(world, input)?;
    let hook = args::required(input, "LifecycleHookName")?.to_owned();
    let group = args::group_mut(world, input)?;
    let Some(gone) = group.hooks.remove(&hook) else {
        return Err(invalid(format!("No Lifecycle Hook found with name: {hook} in group {name}")));
    };
    let verdict = match gone.transition {
        Transition::Launching => Verdict::Abandon,
        Transition::Terminating => Verdict::Continue,
    };
    let waiting = group.members.values().flat_map(|member| {
        let actions = member.waits.iter().filter(|it| it.hook.name == hook);
        actions.map(|action| (member.id.clone(), action.token.clone()))
    });
    for (id, token) in waiting.collect::<Vec<_>>() {
        actions::answer(world, &id, &token, verdict);
    }
    Ok(json!({}))
}

/// The action that a call means, by its token or its instance: (instance, token).
fn action(world: &World, input: &Value) -> Result<(String, String), ApiError> {
    let name = args::group_name(world, input)?;
    let hook = args::required(input, "LifecycleHookName")?;
    let (token, id) = (args::text(input, "LifecycleActionToken"), args::text(input, "InstanceId"));
    let Some(group) = world.autoscaling.groups.get(&name) else { return Err(args::no_group(&name)) };
    if !group.hooks.contains_key(hook) {
        return Err(invalid(format!("No Lifecycle Hook found with name: {hook} in group {name}")));
    }
    let all = group.members.values().flat_map(|it| it.waits.iter().map(|action| (it.id.as_str(), action)));
    let mut fitting = all.filter(|(instance, action)| {
        action.hook.name == hook && token.map_or(id == Some(*instance), |token| action.token == token)
    });
    let found = fitting.next().map(|(instance, action)| (instance.to_owned(), action.token.clone()));
    found.ok_or_else(|| {
        invalid(match (token, id) {
            (Some(token), _) => format!("No active Lifecycle Action found with token {token}"),
            (None, Some(id)) => format!("No active Lifecycle Action found with instance ID {id}"),
            (None, None) => "Either LifecycleActionToken or InstanceId must be given".to_owned(),
        })
    })
}

pub(super) fn complete(world: &mut World, input: &Value) -> Reply {
    let verdict = verdict(args::required(input, "LifecycleActionResult")?)?;
    let (id, token) = action(world, input)?;
    actions::answer(world, &id, &token, verdict);
    Ok(json!({}))
}

pub(super) fn heartbeat(world: &mut World, input: &Value) -> Reply {
    let (id, token) = action(world, input)?;
    actions::extend(world, &id, &token);
    Ok(json!({}))
}
