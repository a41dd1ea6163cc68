//! What holds an alarm's actions back: mute rules, and a composite alarm's suppressor. The alarm changes its
//! state all the same, and its event says what holds it. Once nothing does any more, and it is still in that
//! state, the actions are made up for.
//!
//! Of a mute rule's schedule there is one window, `at(…)` in UTC: recurring ones (`cron(…)`) are refused. A
//! suppressor holds the actions of ALARM alone.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::alarm::{Definition, stamp};
use super::{AlarmState, Due, invalid, state};
use crate::call::{ApiError, Reply, parse};
use crate::time::Time;
use crate::world::{self, World};

/// A mute rule, as it was put.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct MuteRule {
    description: Option<String>,
    expression: String,
    duration: String,
    begins: Time,
    ends: Time,
    alarms: BTreeSet<String>,
    updated: Time,
}

/// The rules by name.
pub(super) type MuteRules = BTreeMap<String, MuteRule>;

impl MuteRule {
    fn status(&self, now: Time) -> &'static str {
        if now < self.begins {
            "SCHEDULED"
        } else if now < self.ends {
            "ACTIVE"
        } else {
            "EXPIRED"
        }
    }
}

/// The alarm whose state holds a composite alarm's actions back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Suppressor {
    pub(super) alarm: String,
    pub(super) wait_secs: u32,
    pub(super) extension_secs: u32,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Put {
    name: String,
    description: Option<String>,
    rule: PutRule,
    #[serde(default)]
    mute_targets: Targets,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct PutRule {
    schedule: Schedule,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Schedule {
    expression: String,
    duration: String,
    timezone: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Targets {
    alarm_names: BTreeSet<String>,
}

/// `PutAlarmMuteRule`: one of the same name is replaced.
pub(super) fn put(world: &mut World, input: &Value) -> Reply {
    let put: Put = parse(input)?;
    let Schedule { expression, duration, timezone } = put.rule.schedule;
    if timezone.as_deref().is_some_and(|zone| zone != "UTC") {
        return Err(invalid("the embedded CloudWatch has mute rules in UTC alone"));
    }
    if put.mute_targets.alarm_names.len() > 100 {
        return Err(invalid("AlarmNames must have length less than or equal to 100"));
    }
    let begins = instant(&expression)?;
    let ends = begins + lasts(&duration)?;
    let rule = MuteRule {
        description: put.description,
        expression,
        duration,
        begins,
        ends,
        alarms: put.mute_targets.alarm_names,
        updated: world.now(),
    };
    let held = rule.alarms.clone();
    world.cloudwatch.mutes.insert(put.name, rule);
    for alarm in held {
        world.at(ends, world::Due::CloudWatch(Due::LetGo { alarm }));
    }
    Ok(Value::Null)
}

/// `at(2026-01-01T10:00)`
fn instant(expression: &str) -> Result<Time, ApiError> {
    let refused = || {
        invalid(format!(
            "the embedded CloudWatch has mute rules `at(yyyy-mm-ddThh:mm)` alone, not {expression}"
        ))
    };
    let inner = expression.strip_prefix("at(").and_then(|it| it.strip_suffix(')')).ok_or_else(refused)?;
    let (date, time) = inner.split_once('T').ok_or_else(refused)?;
    let date: Vec<u16> = date.split('-').filter_map(|it| it.parse().ok()).collect();
    let time: Vec<u64> = time.split(':').filter_map(|it| it.parse().ok()).collect();
    let ([year, month, day], [hour, minute]) = (date.as_slice(), time.as_slice()) else {
        return Err(refused());
    };
    let days = Time::of_day(*year, *month, *day).ok_or_else(refused)?;
    Ok(days + Duration::from_mins(hour * 60 + minute))
}

/// `PT2H30M`
fn lasts(duration: &str) -> Result<Duration, ApiError> {
    let refused = || invalid(format!("Duration {duration} is none of hours and minutes: PT1H30M"));
    let mut rest = duration.strip_prefix("PT").ok_or_else(refused)?;
    let mut minutes = 0;
    for (unit, worth) in [('H', 60), ('M', 1)] {
        if let Some((number, after)) = rest.split_once(unit) {
            minutes += number.parse::<u64>().map_err(|_| refused())? * worth;
            rest = after;
        }
    }
    if minutes == 0 || !rest.is_empty() {
        return Err(refused());
    }
    Ok(Duration::from_mins(minutes))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Named {
    alarm_mute_rule_name: String,
}

/// `DeleteAlarmMuteRule`: what it held is let go. One that is not there is none to delete.
pub(super) fn delete(world: &mut World, input: &Value) -> Reply {
    let Named { alarm_mute_rule_name: name } = parse(input)?;
    for alarm in world.cloudwatch.mutes.remove(&name).map(|rule| rule.alarms).unwrap_or_default() {
        let_go(world, &alarm);
    }
    Ok(Value::Null)
}

/// `GetAlarmMuteRule`
pub(super) fn get(world: &World, input: &Value) -> Reply {
    let Named { alarm_mute_rule_name: name } = parse(input)?;
    let rule = world.cloudwatch.mutes.get(&name).ok_or_else(|| {
        ApiError::client("ResourceNotFoundException", format!("{name} does not exist")).with_status(404)
    })?;
    let schedule = json!({"Expression": rule.expression, "Duration": rule.duration, "Timezone": "UTC"});
    let mut told = summary(world, &name, rule);
    told["Name"] = json!(name);
    told["Rule"] = json!({ "Schedule": schedule });
    told["MuteTargets"] = json!({ "AlarmNames": rule.alarms });
    if let Some(description) = &rule.description {
        told["Description"] = json!(description);
    }
    Ok(told)
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct List {
    alarm_name: Option<String>,
    #[serde(default)]
    statuses: Vec<String>,
    max_records: Option<usize>,
    next_token: Option<String>,
}

/// `ListAlarmMuteRules`: by alarm, by status; a page at a time.
pub(super) fn list(world: &World, input: &Value) -> Reply {
    let ask: List = parse(input)?;
    let most = ask.max_records.unwrap_or(50);
    if !(1..=100).contains(&most) {
        return Err(invalid("MaxRecords must be between 1 and 100"));
    }
    let now = world.now();
    let fits = |rule: &MuteRule| {
        ask.alarm_name.as_ref().is_none_or(|name| rule.alarms.contains(name))
            && (ask.statuses.is_empty() || ask.statuses.iter().any(|it| it == rule.status(now)))
    };
    let after = |name: &str| ask.next_token.as_deref().is_none_or(|token| name > token);
    let rules = world.cloudwatch.mutes.iter().filter(|(name, rule)| fits(rule) && after(name));
    let mut found: Vec<_> = rules.take(most + 1).collect();
    let is_more = found.len() > most;
    found.truncate(most);
    let summaries: Vec<Value> = found.iter().map(|(name, rule)| summary(world, name, rule)).collect();
    let mut reply = json!({ "AlarmMuteRuleSummaries": summaries });
    if let (true, Some((name, _))) = (is_more, found.last()) {
        reply["NextToken"] = json!(name);
    }
    Ok(reply)
}

fn summary(world: &World, name: &str, rule: &MuteRule) -> Value {
    json!({
        "AlarmMuteRuleArn": arn(world, name),
        "Status": rule.status(world.now()),
        "MuteType": "ONE_TIME",
        "LastUpdatedTimestamp": rule.updated.epoch_secs(),
    })
}

fn arn(world: &World, name: &str) -> String {
    world.arn("cloudwatch", &format!("alarm-mute-rule:{name}"))
}

/// The rule that mutes an alarm now, as an event tells it.
pub(super) fn muted(world: &World, alarm: &str) -> Option<Value> {
    let now = world.now();
    let mut rules = world.cloudwatch.mutes.iter();
    let (name, rule) = rules.find(|(_, rule)| rule.status(now) == "ACTIVE" && rule.alarms.contains(alarm))?;
    Some(json!({
        "mutedByArn": arn(world, name),
        "muteWindowStart": stamp(rule.begins),
        "muteWindowEnd": stamp(rule.ends),
    }))
}

/// `ActionsSuppressedBy` of a composite alarm.
pub(super) fn suppressed_by(world: &World, name: &str) -> Option<&'static str> {
    let alarm = world.cloudwatch.alarms.get(name)?;
    let Definition::Composite { suppressor: Some(suppressor), .. } = &alarm.definition else { return None };
    if alarm.status.value != AlarmState::Alarm {
        return None;
    }
    let now = world.now();
    let within = |since: Time, secs: u32| now < since + Duration::from_secs(u64::from(secs));
    let by = world.cloudwatch.alarms.get(&suppressor.alarm)?;
    let was_ringing = by.previous.as_ref().is_some_and(|it| it.value == AlarmState::Alarm);
    if by.status.value == AlarmState::Alarm {
        Some("Alarm")
    } else if within(alarm.transitioned, suppressor.wait_secs) {
        Some("WaitPeriod")
    } else if was_ringing && within(by.transitioned, suppressor.extension_secs) {
        Some("ExtensionPeriod")
    } else {
        None
    }
}

/// Whether anything holds the alarm's actions back.
pub(super) fn is_held(world: &World, alarm: &str) -> bool {
    muted(world, alarm).is_some() || suppressed_by(world, alarm).is_some()
}

/// An alarm has changed: its own wait ends, and so does what it held of others, a while later.
pub(super) fn changed(world: &mut World, name: &str) {
    let now = world.now();
    let due = |alarm: &str| world::Due::CloudWatch(Due::LetGo { alarm: alarm.to_owned() });
    let mut ends = Vec::new();
    for (alarm, it) in &world.cloudwatch.alarms {
        let Definition::Composite { suppressor: Some(suppressor), .. } = &it.definition else { continue };
        if alarm == name {
            ends.push((suppressor.wait_secs, due(alarm)));
        }
        if suppressor.alarm == name {
            ends.push((suppressor.extension_secs, due(alarm)));
        }
    }
    for (secs, due) in ends {
        world.at(now + Duration::from_secs(u64::from(secs)), due);
    }
}

/// The actions that were held back are made up for, where nothing holds them any more and the alarm is still
/// in the state for which they are.
pub(super) fn let_go(world: &mut World, alarm: &str) {
    if is_held(world, alarm) {
        return;
    }
    let held = world.cloudwatch.alarms.get_mut(alarm).map(|it| std::mem::take(&mut it.held));
    if held == Some(true) {
        state::act(world, alarm);
    }
}
