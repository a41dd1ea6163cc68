//! Calls that read alarms.

use serde::Deserialize;
use serde_json::{Value, json};

use super::alarm::{Alarm, Definition, arn};
use super::{AlarmState, hold, invalid};
use crate::call::{ApiError, Reply, parse};
use crate::world::World;

/// A page's size where the caller says none, and the most that it may say.
const PAGE: (usize, usize) = (50, 100);

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct DescribeAlarms {
    #[serde(default)]
    alarm_names: Vec<String>,
    alarm_name_prefix: Option<String>,
    #[serde(default)]
    alarm_types: Vec<AlarmType>,
    state_value: Option<AlarmState>,
    action_prefix: Option<String>,
    max_records: Option<usize>,
    next_token: Option<String>,
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
enum AlarmType {
    MetricAlarm,
    CompositeAlarm,
}

impl AlarmType {
    fn of(alarm: &Alarm) -> Self {
        match alarm.definition {
            Definition::Metric(_) => Self::MetricAlarm,
            Definition::Composite { .. } => Self::CompositeAlarm,
        }
    }
}

impl DescribeAlarms {
    fn check(&self) -> Result<(), ApiError> {
        if self.alarm_name_prefix.is_some() && !self.alarm_names.is_empty() {
            return Err(invalid("AlarmNamePrefix and AlarmNames must not be used together."));
        }
        if self.alarm_names.len() > 100 {
            return Err(invalid("AlarmNames must have length less than or equal to 100"));
        }
        if self.max_records.is_some_and(|most| most == 0 || most > PAGE.1) {
            return Err(invalid("MaxRecords must be between 1 and 100"));
        }
        Ok(())
    }

    /// Without types only metric alarms are told, whatever is asked for by name.
    fn admits(&self, name: &str, alarm: &Alarm) -> bool {
        let kind = AlarmType::of(alarm);
        let types: &[AlarmType] =
            if self.alarm_types.is_empty() { &[AlarmType::MetricAlarm] } else { &self.alarm_types };
        let actions = [AlarmState::Ok, AlarmState::Alarm, AlarmState::InsufficientData];
        let mut actions = actions.iter().flat_map(|state| alarm.actions.of(*state));
        types.contains(&kind)
            && (self.alarm_names.is_empty() || self.alarm_names.iter().any(|wanted| wanted == name))
            && self.alarm_name_prefix.as_ref().is_none_or(|prefix| name.starts_with(prefix.as_str()))
            && self.state_value.is_none_or(|state| alarm.status.value == state)
            && self
                .action_prefix
                .as_ref()
                .is_none_or(|p| actions.any(|action| action.starts_with(p.as_str())))
    }
}

/// Pages in the order of names; the token names the last one told.
pub(super) fn alarms(world: &World, input: &Value) -> Reply {
    let ask: DescribeAlarms = parse(input)?;
    ask.check()?;
    let most = ask.max_records.unwrap_or(if ask.alarm_names.is_empty() { PAGE.0 } else { PAGE.1 });
    let after = token(ask.next_token.as_deref())?;
    let all = world.cloudwatch.alarms.iter().filter(|(name, alarm)| ask.admits(name, alarm));
    let rest = all.filter(|(name, _)| after.as_ref().is_none_or(|after| *name > after));
    let found: Vec<_> = rest.take(most + 1).collect();
    let mut reply = json!({ "MetricAlarms": [], "CompositeAlarms": [] });
    if found.len() > most {
        reply["NextToken"] = json!(format!("{TOKEN}{}", found[most - 1].0));
    }
    for (name, alarm) in found.into_iter().take(most) {
        let list = match AlarmType::of(alarm) {
            AlarmType::MetricAlarm => &mut reply["MetricAlarms"],
            AlarmType::CompositeAlarm => &mut reply["CompositeAlarms"],
        };
        if let Some(list) = list.as_array_mut() {
            list.push(told(world, name, alarm));
        }
    }
    Ok(reply)
}

const TOKEN: &str = "after:";

fn token(token: Option<&str>) -> Result<Option<String>, ApiError> {
    let invalid = || ApiError::client("InvalidNextToken", "The next token specified is invalid.");
    token.map(|token| token.strip_prefix(TOKEN).map(str::to_owned).ok_or_else(invalid)).transpose()
}

fn told(world: &World, name: &str, alarm: &Alarm) -> Value {
    let mut told = match &alarm.definition {
        Definition::Metric(definition) => definition.told(),
        Definition::Composite { text, suppressor, .. } => {
            let mut told = json!({ "AlarmRule": text });
            if let Some(it) = suppressor {
                told["ActionsSuppressor"] = json!(it.alarm);
                told["ActionsSuppressorWaitPeriod"] = json!(it.wait_secs);
                told["ActionsSuppressorExtensionPeriod"] = json!(it.extension_secs);
            }
            if let Some(by) = hold::suppressed_by(world, name) {
                told["ActionsSuppressedBy"] = json!(by);
                told["ActionsSuppressedReason"] = json!(format!("Actions suppressed by {by}"));
            }
            told
        }
    };
    let common = json!({
        "AlarmName": name,
        "AlarmArn": arn(world, name),
        "ActionsEnabled": alarm.actions.enabled,
        "OKActions": alarm.actions.ok,
        "AlarmActions": alarm.actions.alarm,
        "InsufficientDataActions": alarm.actions.insufficient_data,
        "StateValue": alarm.status.value,
        "StateReason": alarm.status.reason,
        "StateUpdatedTimestamp": alarm.status.at.epoch_secs(),
        "StateTransitionedTimestamp": alarm.transitioned.epoch_secs(),
        "AlarmConfigurationUpdatedTimestamp": alarm.configured.epoch_secs(),
    });
    for (name, value) in common.as_object().into_iter().flatten() {
        told[name] = value.clone();
    }
    if let Some(description) = &alarm.actions.description {
        told["AlarmDescription"] = json!(description);
    }
    if let Some(data) = &alarm.status.data {
        told["StateReasonData"] = json!(data);
    }
    told
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ListTags {
    #[serde(rename = "ResourceARN")]
    resource_arn: String,
}

pub(super) fn tags(world: &World, input: &Value) -> Reply {
    let ask: ListTags = parse(input)?;
    let found = world.cloudwatch.alarms.iter().find(|(name, _)| arn(world, name) == ask.resource_arn);
    let (_, alarm) = found.ok_or_else(|| {
        ApiError::client("ResourceNotFoundException", format!("{} does not exist", ask.resource_arn))
            .with_status(404)
    })?;
    let tags = alarm.tags.iter().map(|(key, value)| json!({ "Key": key, "Value": value }));
    Ok(json!({ "Tags": tags.collect::<Vec<_>>() }))
}
