//! Calls that make, replace and delete alarms. What is not carried out here is refused, so that
//! nobody relies on an alarm that would never ring.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::alarm::{Actions, Alarm, Comparison, Definition, MetricAlarm, Missing, Source, Statistic, Status};
use super::hold::Suppressor;
use super::query::{Dimension, Metric, MetricQuery};
use super::rule::Rule;
use super::{AlarmState, evaluate, invalid, query, state};
use crate::call::{ApiError, Reply, parse};
use crate::world::World;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct PutMetricAlarm {
    alarm_name: String,
    alarm_description: Option<String>,
    actions_enabled: Option<bool>,
    #[serde(default, rename = "OKActions")]
    ok_actions: Vec<String>,
    #[serde(default)]
    alarm_actions: Vec<String>,
    #[serde(default)]
    insufficient_data_actions: Vec<String>,
    metric_name: Option<String>,
    namespace: Option<String>,
    statistic: Option<String>,
    extended_statistic: Option<String>,
    #[serde(default)]
    dimensions: Vec<Dimension>,
    period: Option<u32>,
    unit: Option<String>,
    evaluation_periods: u32,
    datapoints_to_alarm: Option<u32>,
    threshold: Option<f64>,
    threshold_metric_id: Option<String>,
    comparison_operator: Comparison,
    treat_missing_data: Option<Missing>,
    #[serde(default)]
    metrics: Vec<MetricQuery>,
    #[serde(default)]
    tags: Vec<Tag>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Tag {
    key: String,
    value: String,
}

pub(super) fn metric(world: &mut World, input: &Value) -> Reply {
    let put: PutMetricAlarm = parse(input)?;
    check_name(&put.alarm_name)?;
    let definition = MetricAlarm {
        comparison: put.comparison_operator,
        threshold: threshold(&put)?,
        band: put.threshold_metric_id.clone(),
        evaluation_periods: put.evaluation_periods,
        datapoints_to_alarm: put.datapoints_to_alarm,
        missing: put.treat_missing_data,
        source: source(&put)?,
    };
    check_periods(&definition)?;
    let actions = Actions {
        description: put.alarm_description,
        enabled: put.actions_enabled.unwrap_or(true),
        ok: put.ok_actions,
        alarm: put.alarm_actions,
        insufficient_data: put.insufficient_data_actions,
    };
    store(world, &put.alarm_name, Definition::Metric(Box::new(definition)), actions, put.tags);
    Ok(Value::Null)
}

fn check_name(name: &str) -> Result<(), ApiError> {
    if (1..=255).contains(&name.chars().count()) {
        return Ok(());
    }
    Err(invalid("AlarmName must have length between 1 and 255"))
}

/// A number, or (in its place) the id of a band.
fn threshold(put: &PutMetricAlarm) -> Result<f64, ApiError> {
    match (put.comparison_operator.is_of_band(), put.threshold, &put.threshold_metric_id) {
        (false, Some(threshold), None) => Ok(threshold),
        (false, None, None) => Err(invalid("Threshold is required for a static threshold")),
        (false, _, Some(_)) => Err(invalid("ThresholdMetricId goes with a comparison with a band only")),
        (true, None, Some(_)) => Ok(0.0),
        (true, _, None) => Err(invalid("ThresholdMetricId is required for a comparison with a band")),
        (true, Some(_), Some(_)) => Err(invalid("Threshold and ThresholdMetricId must not be used together")),
    }
}

/// The queries of an alarm on a band: a metric, and its band under the id that the alarm names.
fn banded(put: &PutMetricAlarm, id: &str) -> Result<Source, ApiError> {
    let (bands, others): (Vec<MetricQuery>, Vec<MetricQuery>) =
        put.metrics.iter().cloned().partition(|query| query.id == id);
    let [band] = bands.as_slice() else {
        return Err(invalid(format!("ThresholdMetricId {id} is not the id of exactly one of the metrics")));
    };
    let expression = band.expression.as_deref().unwrap_or_default();
    let inner = expression.strip_prefix("ANOMALY_DETECTION_BAND(").and_then(|rest| rest.strip_suffix(')'));
    let of = inner.map(|inner| inner.split(',').next().unwrap_or_default().trim());
    if !of.is_some_and(|of| others.iter().any(|query| query.id == of && query.metric_stat.is_some())) {
        return Err(invalid(format!(
            "'{expression}' is not the ANOMALY_DETECTION_BAND of one of the metrics"
        )));
    }
    query::check(&others)?;
    Ok(Source::Queries(put.metrics.clone()))
}

fn source(put: &PutMetricAlarm) -> Result<Source, ApiError> {
    if let Some(band) = &put.threshold_metric_id {
        return banded(put, band);
    }
    match (&put.metric_name, put.metrics.is_empty()) {
        (Some(_), false) => Err(invalid("MetricName and Metrics must not be used together")),
        (None, true) => Err(invalid("MetricName or Metrics is required")),
        (None, false) => {
            let returned = put.metrics.iter().filter(|query| query.returns_data()).count();
            if returned != 1 {
                return Err(invalid("Exactly one element of the metrics list should return data"));
            }
            query::check(&put.metrics)?;
            Ok(Source::Queries(put.metrics.clone()))
        }
        (Some(metric_name), true) => {
            let missing = |member: &str| invalid(format!("{member} is required with MetricName"));
            let statistic = match (&put.statistic, &put.extended_statistic) {
                (Some(name), None) => Statistic::Plain(name.clone()),
                (None, Some(name)) => Statistic::Extended(name.clone()),
                _ => return Err(missing("Statistic or ExtendedStatistic, and not both,")),
            };
            let metric = Metric {
                namespace: put.namespace.clone().ok_or_else(|| missing("Namespace"))?,
                metric_name: metric_name.clone(),
                dimensions: put.dimensions.clone(),
            };
            let period = put.period.ok_or_else(|| missing("Period"))?;
            query::check_period(period)?;
            query::check_stat(statistic.name())?;
            Ok(Source::Metric { metric, period, statistic, unit: put.unit.clone() })
        }
    }
}

fn check_periods(alarm: &MetricAlarm) -> Result<(), ApiError> {
    if alarm.evaluation_periods == 0 {
        return Err(invalid("EvaluationPeriods must be greater than or equal to 1"));
    }
    if alarm.datapoints_to_alarm.is_some_and(|needed| needed == 0 || needed > alarm.evaluation_periods) {
        return Err(invalid("DatapointsToAlarm must be between 1 and EvaluationPeriods"));
    }
    let window_secs = u64::from(alarm.period()) * u64::from(alarm.evaluation_periods);
    if window_secs > evaluate::LONGEST_SECS {
        return Err(invalid(format!(
            "EvaluationPeriods times Period is {window_secs} s, and the embedded CloudWatch looks back {} s at most",
            evaluate::LONGEST_SECS
        )));
    }
    Ok(())
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct PutCompositeAlarm {
    alarm_name: String,
    alarm_description: Option<String>,
    actions_enabled: Option<bool>,
    #[serde(default, rename = "OKActions")]
    ok_actions: Vec<String>,
    #[serde(default)]
    alarm_actions: Vec<String>,
    #[serde(default)]
    insufficient_data_actions: Vec<String>,
    alarm_rule: String,
    actions_suppressor: Option<String>,
    actions_suppressor_wait_period: Option<u32>,
    actions_suppressor_extension_period: Option<u32>,
    #[serde(default)]
    tags: Vec<Tag>,
}

/// Both periods go with a suppressor, and it with them.
fn suppressor(world: &World, put: &PutCompositeAlarm) -> Result<Option<Suppressor>, ApiError> {
    let periods = (put.actions_suppressor_wait_period, put.actions_suppressor_extension_period);
    match (&put.actions_suppressor, periods) {
        (None, (None, None)) => Ok(None),
        (Some(given), (Some(wait_secs), Some(extension_secs))) => {
            // By name, or by ARN.
            let alarm = given.rsplit(":alarm:").next().unwrap_or(given).to_owned();
            if !world.cloudwatch.alarms.contains_key(&alarm) {
                return Err(invalid(format!("ActionsSuppressor {given} does not exist")));
            }
            Ok(Some(Suppressor { alarm, wait_secs, extension_secs }))
        }
        _ => Err(invalid(
            "ActionsSuppressor, ActionsSuppressorWaitPeriod and ActionsSuppressorExtensionPeriod go together",
        )),
    }
}

pub(super) fn composite(world: &mut World, input: &Value) -> Reply {
    let put: PutCompositeAlarm = parse(input)?;
    check_name(&put.alarm_name)?;
    let rule = Rule::parse(&put.alarm_rule)
        .map_err(|reason| invalid(format!("AlarmRule is not valid: {reason}")))?;
    let unknown = |child: &&str| !world.cloudwatch.alarms.contains_key(*child) && *child != put.alarm_name;
    let unknown: Vec<&str> = rule.children().into_iter().filter(unknown).collect();
    if !unknown.is_empty() {
        return Err(invalid(format!(
            "Could not save the composite alarm as alarms [{}] in the alarm rule do not exist",
            unknown.join(", ")
        )));
    }
    let suppressor = suppressor(world, &put)?;
    let actions = Actions {
        description: put.alarm_description,
        enabled: put.actions_enabled.unwrap_or(true),
        ok: put.ok_actions,
        alarm: put.alarm_actions,
        insufficient_data: put.insufficient_data_actions,
    };
    let definition = Definition::Composite { text: put.alarm_rule, rule, suppressor };
    store(world, &put.alarm_name, definition, actions, put.tags);
    state::created(world, &put.alarm_name);
    Ok(Value::Null)
}

/// A new alarm begins without data; one that is replaced keeps its state and its tags.
fn store(world: &mut World, name: &str, definition: Definition, actions: Actions, tags: Vec<Tag>) {
    let now = world.now();
    let tags: BTreeMap<_, _> = tags.into_iter().map(|tag| (tag.key, tag.value)).collect();
    if let Some(alarm) = world.cloudwatch.alarms.get_mut(name) {
        (alarm.definition, alarm.actions, alarm.configured) = (definition, actions, now);
        return;
    }
    let status = Status {
        value: AlarmState::InsufficientData,
        reason: "Unchecked: Initial alarm creation".into(),
        data: None,
        at: now,
    };
    let alarm = Alarm {
        definition,
        actions,
        status,
        previous: None,
        transitioned: now,
        configured: now,
        tags,
        held: false,
    };
    world.cloudwatch.alarms.insert(name.to_owned(), alarm);
    super::wake(world);
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DeleteAlarms {
    alarm_names: Vec<String>,
}

/// Names that nothing has are passed over: the others are deleted.
pub(super) fn delete(world: &mut World, input: &Value) -> Reply {
    let DeleteAlarms { alarm_names: names } = parse(input)?;
    if names.len() > 100 {
        return Err(invalid("AlarmNames must have length less than or equal to 100"));
    }
    let is_composite = |name: &&String| {
        let alarm = world.cloudwatch.alarms.get(*name);
        alarm.is_some_and(|alarm| matches!(alarm.definition, Definition::Composite { .. }))
    };
    if names.iter().filter(is_composite).count() > 1 {
        return Err(invalid("At most one composite alarm can be deleted in one operation"));
    }
    for name in &names {
        if let Some(above) = depending(world, name).find(|above| !names.iter().any(|name| name == above)) {
            return Err(invalid(format!(
                "Cannot delete {name} as there are composite alarm(s) depending on it, {above} among them."
            )));
        }
    }
    world.cloudwatch.alarms.retain(|name, _| !names.contains(name));
    Ok(Value::Null)
}

/// The composite alarms whose rules name this one, or which it suppresses.
fn depending<'w>(world: &'w World, name: &'w str) -> impl Iterator<Item = &'w str> {
    let names = move |alarm: &Alarm| match &alarm.definition {
        Definition::Composite { rule, suppressor, .. } => {
            rule.children().contains(name) || suppressor.as_ref().is_some_and(|it| it.alarm == name)
        }
        Definition::Metric(_) => false,
    };
    world.cloudwatch.alarms.iter().filter(move |(_, alarm)| names(alarm)).map(|(above, _)| above.as_str())
}
