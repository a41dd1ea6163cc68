//! A state's change: what is remembered of it, the event, the functions among the alarm's
//! actions, and the composite alarms above.

use serde::Deserialize;
use serde_json::{Value, json};

use super::alarm::{Definition, Status, arn, stamp};
use super::{AlarmState, FailedAction, hold, invalid};
use crate::call::{ApiError, Reply, parse};
use crate::lambda;
use crate::world::World;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct SetAlarmState {
    alarm_name: String,
    state_value: AlarmState,
    state_reason: String,
    state_reason_data: Option<String>,
}

/// Lasts until the alarm's next evaluation finds another state.
pub(super) fn set_call(world: &mut World, input: &Value) -> Reply {
    let set: SetAlarmState = parse(input)?;
    if set.state_reason.len() > 1023 {
        return Err(invalid("StateReason must have length less than or equal to 1023"));
    }
    if let Some(data) = &set.state_reason_data
        && serde_json::from_str::<Value>(data).is_err()
    {
        return Err(ApiError::client("InvalidFormat", "StateReasonData was not syntactically valid JSON"));
    }
    if !world.cloudwatch.alarms.contains_key(&set.alarm_name) {
        return Err(ApiError::client("ResourceNotFound", "").with_status(404));
    }
    become_now(world, &set.alarm_name, set.state_value, set.state_reason, set.state_reason_data);
    Ok(Value::Null)
}

/// Brings an alarm into a state. One that is in it already is only told the new reason.
pub(super) fn become_now(
    world: &mut World,
    name: &str,
    value: AlarmState,
    reason: String,
    data: Option<String>,
) {
    let now = world.now();
    let Some(alarm) = world.cloudwatch.alarms.get_mut(name) else { return };
    let before = std::mem::replace(&mut alarm.status, Status { value, reason, data, at: now });
    if before.value == value {
        return;
    }
    alarm.transitioned = now;
    alarm.previous = Some(before);
    announce(world, name);
    follow(world, name, &mut vec![name.to_owned()]);
}

/// The event, and the alarm's functions, where nothing holds them back.
fn announce(world: &mut World, name: &str) {
    let Some(detail) = detail(world, name) else { return };
    let is_held = hold::is_held(world, name);
    if let Some(alarm) = world.cloudwatch.alarms.get_mut(name) {
        alarm.held = is_held;
    }
    if !is_held {
        act(world, name);
    }
    let arn = arn(world, name);
    world.emit("aws.cloudwatch", "CloudWatch Alarm State Change", &[arn], detail);
    hold::changed(world, name);
}

fn detail(world: &World, name: &str) -> Option<Value> {
    let alarm = world.cloudwatch.alarms.get(name)?;
    let mut detail = json!({
        "alarmName": name,
        "state": alarm.status.told(),
        "previousState": alarm.previous.as_ref().map(Status::told),
        "configuration": alarm.configuration(name),
    });
    if let Some(by) = hold::suppressed_by(world, name) {
        detail["state"]["actionsSuppressedBy"] = json!(by);
        detail["state"]["actionsSuppressedReason"] = json!(format!("Actions suppressed by {by}"));
    }
    if let Some(mute) = hold::muted(world, name) {
        detail["muteDetail"] = mute;
    }
    Some(detail)
}

/// Calls the functions among the alarm's actions for its state.
pub(super) fn act(world: &mut World, name: &str) {
    let (Some(alarm), Some(detail)) = (world.cloudwatch.alarms.get(name).cloned(), detail(world, name))
    else {
        return;
    };
    let arn = arn(world, name);
    let functions = alarm.actions.of(alarm.status.value).iter().filter(|action| is_function(action));
    for function in functions.filter(|_| alarm.actions.enabled) {
        let payload = json!({
            "source": "aws.cloudwatch",
            "alarmArn": arn,
            "accountId": world.config.account,
            "time": stamp(alarm.status.at),
            "region": world.config.region,
            "alarmData": detail,
        });
        // A function that is not there, or does not let alarms invoke it, is AWS's entry in the
        // alarm's history, and no more.
        let called = lambda::allows(world, function, PRINCIPAL, &arn)
            && lambda::enqueue(world, function, payload).is_some();
        if !called {
            let failed =
                FailedAction { at: alarm.status.at, alarm: name.to_owned(), action: function.clone() };
            world.cloudwatch.failed_actions.push(failed);
        }
    }
}

/// Who invokes a function among an alarm's actions.
const PRINCIPAL: &str = "lambda.alarms.cloudwatch.amazonaws.com";

fn is_function(action: &str) -> bool {
    action.starts_with("arn:aws:lambda:")
}

/// The composite alarms whose rules name this one. `path` is how this change came here: an
/// alarm that is on it is part of a cycle and is left alone.
fn follow(world: &mut World, name: &str, path: &mut Vec<String>) {
    let names = |definition: &Definition| match definition {
        Definition::Composite { rule, .. } => rule.children().contains(name),
        Definition::Metric(_) => false,
    };
    let alarms = world.cloudwatch.alarms.iter();
    let above: Vec<String> =
        alarms.filter(|(_, alarm)| names(&alarm.definition)).map(|(above, _)| above.clone()).collect();
    for above in above.into_iter().filter(|above| !path.contains(above)).collect::<Vec<_>>() {
        path.push(above.clone());
        if judge(world, &above, Some(name)) {
            follow(world, &above, path);
        }
        path.pop();
    }
}

/// A composite alarm was put: its state is what its rule says.
pub(super) fn created(world: &mut World, name: &str) {
    if judge(world, name, None) {
        follow(world, name, &mut vec![name.to_owned()]);
    }
}

/// Whether a composite alarm's state changed. `child` is the one whose change made it look.
fn judge(world: &mut World, name: &str, child: Option<&str>) -> bool {
    let state = |child: &str| super::alarm_state(world, child);
    let alarm = world.cloudwatch.alarms.get(name);
    let Some(Definition::Composite { rule, .. }) = alarm.map(|alarm| &alarm.definition) else { return false };
    let value = if rule.holds(&state) { AlarmState::Alarm } else { AlarmState::Ok };
    if state(name) == Some(value) {
        return false;
    }
    let triggering: Vec<&str> =
        rule.children().into_iter().filter(|child| state(child) == Some(AlarmState::Alarm)).collect();
    let (reason, data) = (reason(world, name, value, child), triggered_by(world, &triggering));
    let now = world.now();
    let Some(alarm) = world.cloudwatch.alarms.get_mut(name) else { return false };
    let status = Status { value, reason, data: Some(data), at: now };
    alarm.previous = Some(std::mem::replace(&mut alarm.status, status));
    alarm.transitioned = now;
    announce(world, name);
    true
}

fn reason(world: &World, name: &str, value: AlarmState, child: Option<&str>) -> String {
    match child.and_then(|child| Some((child, world.cloudwatch.alarms.get(child)?))) {
        Some((child, alarm)) => format!(
            "{} transitioned to {} at {}",
            arn(world, child),
            alarm.status.value.name(),
            spoken(alarm.status.at)
        ),
        None => {
            format!("{} was created and its alarm rule evaluates to {}", arn(world, name), value.name())
        }
    }
}

/// `Friday 22 July, 2022 15:57:45 UTC`
fn spoken(at: crate::time::Time) -> String {
    let (http, iso) = (at.http_date(), at.iso());
    let long = |short: &str, names: &[&str]| {
        names
            .iter()
            .find(|name| name.starts_with(short))
            .map_or_else(|| short.to_owned(), |name| (*name).to_owned())
    };
    let day =
        long(&http[..3], &["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]);
    let month = long(
        &http[8..11],
        &[
            "January",
            "February",
            "March",
            "April",
            "May",
            "June",
            "July",
            "August",
            "September",
            "October",
            "November",
            "December",
        ],
    );
    format!("{day} {} {month}, {} {} UTC", &http[5..7], &iso[..4], &iso[11..19])
}

fn triggered_by(world: &World, children: &[&str]) -> String {
    let told = children.iter().filter_map(|child| {
        let alarm = world.cloudwatch.alarms.get(*child)?;
        let state = json!({ "value": alarm.status.value, "timestamp": stamp(alarm.status.at) });
        Some(json!({ "arn": arn(world, child), "state": state }))
    });
    json!({ "triggeringAlarms": told.collect::<Vec<_>>() }).to_string()
}
