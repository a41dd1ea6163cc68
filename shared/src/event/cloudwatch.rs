//! CloudWatch's alarms: as EventBridge events, and as an alarm's own call of a function.
//!
//! Typed here and not by `aws_lambda_events`, whose structs take an EventBridge event for a
//! direct call (with an empty name), refuse metric math, composites without a suppressor and
//! periods of a day, and take an anomaly's reason for a composite's (each a test in `tests/traps`).
//! Source: the CloudWatch guide's `cloudwatch-and-eventbridge`, `alarms-and-actions-Lambda`.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};

use super::edge;
use super::word::words;
use crate::id::{AccountId, AlarmName, Region, Timestamp};

words! {
    /// An alarm's state.
    AlarmValue {
        /// Well.
        Ok = "OK",
        /// Rings.
        Alarm = "ALARM",
        /// Not enough data to say.
        InsufficientData = "INSUFFICIENT_DATA",
    }
}

/// `CloudWatch Alarm State Change`, `CloudWatch Alarm Contributor State Change`, and the
/// `alarmData` of a direct call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Alarm {
    /// Which alarm.
    #[serde(rename = "alarmName", deserialize_with = "edge::named")]
    pub name: AlarmName,
    /// Its state now.
    pub state: AlarmState,
    /// Its state before; contributors have none.
    #[serde(default)]
    pub previous_state: Option<AlarmState>,
    /// What it watches.
    #[serde(default)]
    pub configuration: AlarmConfiguration,
    /// Which of its time series, in a contributor's event.
    #[serde(rename = "alarmContributor", default)]
    pub contributor: Option<AlarmContributor>,
    /// The mute rule that holds its actions back.
    #[serde(rename = "muteDetail", default)]
    pub muted: Option<MuteDetail>,
}

/// A state of an alarm.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AlarmState {
    /// Which.
    pub value: AlarmValue,
    /// Why, in CloudWatch's words.
    #[serde(default)]
    pub reason: Option<String>,
    /// The same as data, which CloudWatch writes as JSON within a text.
    #[serde(default, deserialize_with = "reason_data")]
    pub reason_data: Option<ReasonData>,
    /// Since when.
    #[serde(default, deserialize_with = "edge::time")]
    pub timestamp: Option<Timestamp>,
    /// `Alarm`, `WaitPeriod`, `ExtensionPeriod`: what holds a composite's actions back.
    #[serde(default)]
    pub actions_suppressed_by: Option<String>,
    /// The same in words.
    #[serde(default)]
    pub actions_suppressed_reason: Option<String>,
    /// `PARTIAL_DATA`, `EVALUATION_ERROR`, …: how far the state can be trusted.
    #[serde(default)]
    pub evaluation_state: Option<String>,
}

/// Why an alarm has its state.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "form", rename_all = "snake_case")]
pub enum ReasonData {
    /// Against a threshold.
    Threshold {
        /// The threshold.
        threshold: f64,
        /// The last points; a gap is `None`.
        recent: Vec<Option<f64>>,
    },
    /// Against an anomaly detector's band.
    Band {
        /// The band's lower edge at each point.
        lower: Vec<Option<f64>>,
        /// The band's upper edge at each point.
        upper: Vec<Option<f64>>,
        /// The last points.
        recent: Vec<Option<f64>>,
    },
    /// A composite's children.
    Composite {
        /// The ones that made it change; may be empty.
        triggering: Vec<TriggeringAlarm>,
    },
    /// In a form that this code does not know, as it came. It is prose for people and no
    /// decision rests on it, so that it is not refused.
    Untold {
        /// The text.
        text: String,
    },
}

/// A child of a composite.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TriggeringAlarm {
    /// Its ARN.
    pub arn: String,
    /// Its state.
    #[serde(default)]
    pub state: Option<TriggeringState>,
}

/// The state of a composite's child.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TriggeringState {
    /// Which.
    pub value: AlarmValue,
    /// Since when.
    #[serde(default, deserialize_with = "edge::time")]
    pub timestamp: Option<Timestamp>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawReasonData {
    triggering_alarms: Option<Vec<TriggeringAlarm>>,
    threshold: Option<f64>,
    recent_lower_thresholds: Option<Vec<Option<f64>>>,
    recent_upper_thresholds: Option<Vec<Option<f64>>>,
    #[serde(default)]
    recent_datapoints: Vec<Option<f64>>,
}

impl ReasonData {
    fn read(text: String) -> Self {
        let Ok(raw) = serde_json::from_str::<RawReasonData>(&text) else { return Self::Untold { text } };
        let recent = raw.recent_datapoints;
        match (raw.triggering_alarms, raw.recent_lower_thresholds, raw.recent_upper_thresholds, raw.threshold)
        {
            (Some(triggering), ..) => Self::Composite { triggering },
            (None, None, None, Some(threshold)) => Self::Threshold { threshold, recent },
            (None, None, None, None) => Self::Untold { text },
            (None, lower, upper, _) => {
                Self::Band { lower: lower.unwrap_or_default(), upper: upper.unwrap_or_default(), recent }
            }
        }
    }
}

fn reason_data<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<ReasonData>, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.filter(|text| !text.is_empty()).map(ReasonData::read))
}

/// What an alarm watches.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AlarmConfiguration {
    /// A person's words.
    #[serde(default)]
    pub description: Option<String>,
    /// Metrics and expressions; none for a composite.
    #[serde(default, deserialize_with = "edge::null_is_empty")]
    pub metrics: Vec<MetricQuery>,
    /// A composite's rule.
    #[serde(default)]
    pub alarm_rule: Option<String>,
    /// The alarm that holds a composite's actions back; most have none.
    #[serde(default)]
    pub actions_suppressor: Option<String>,
    /// How long a composite waits for its suppressor, in seconds.
    #[serde(rename = "actionsSuppressorWaitPeriod", default)]
    pub suppressor_wait_secs: Option<u64>,
    /// How long it waits after its suppressor, in seconds.
    #[serde(rename = "actionsSuppressorExtensionPeriod", default)]
    pub suppressor_extension_secs: Option<u64>,
}

/// A metric, or an expression over metrics.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MetricQuery {
    /// Its name within the alarm.
    #[serde(default)]
    pub id: Option<String>,
    /// Whether it is the one that is compared.
    #[serde(default)]
    pub return_data: bool,
    /// The metric; an expression has none.
    #[serde(default)]
    pub metric_stat: Option<MetricStat>,
    /// The expression; a metric has none.
    #[serde(default)]
    pub expression: Option<String>,
    /// A person's words.
    #[serde(default)]
    pub label: Option<String>,
    /// An expression's own period, in seconds.
    #[serde(rename = "period", default)]
    pub period_secs: Option<u64>,
    /// Another account, whose metric it is.
    #[serde(default)]
    pub account_id: Option<AccountId>,
}

/// A metric with its period and statistic.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MetricStat {
    /// Which.
    pub metric: Metric,
    /// Seconds; up to a day and more.
    #[serde(rename = "period")]
    pub period_secs: u64,
    /// `Average`, `p99`.
    pub stat: String,
    /// `Percent`.
    #[serde(default)]
    pub unit: Option<String>,
}

/// A metric's name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metric {
    /// `AWS/ECS`.
    #[serde(default)]
    pub namespace: Option<String>,
    /// `CPUUtilization`.
    pub name: String,
    /// `ClusterName`, `ServiceName`.
    #[serde(default, deserialize_with = "edge::null_is_empty")]
    pub dimensions: BTreeMap<String, String>,
}

/// Which kind of alarm it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AlarmShape {
    /// One metric.
    SingleMetric,
    /// An expression over metrics.
    MetricMath,
    /// A metric against an anomaly detector's band.
    Anomaly,
    /// A rule over other alarms.
    Composite,
    /// A kind that this code does not know.
    Untold,
}

impl AlarmConfiguration {
    /// Which kind of alarm it is.
    pub fn shape(&self) -> AlarmShape {
        let expressions = || self.metrics.iter().filter_map(|metric| metric.expression.as_deref());
        if self.alarm_rule.is_some() {
            AlarmShape::Composite
        } else if expressions().any(|text| text.contains("ANOMALY_DETECTION_BAND")) {
            AlarmShape::Anomaly
        } else if expressions().next().is_some() {
            AlarmShape::MetricMath
        } else if self.metrics.iter().any(|metric| metric.metric_stat.is_some()) {
            AlarmShape::SingleMetric
        } else {
            AlarmShape::Untold
        }
    }
}

/// One time series of an alarm over many.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlarmContributor {
    /// Its id.
    pub id: String,
    /// What it is: dimensions and their values.
    #[serde(default, deserialize_with = "edge::null_is_empty")]
    pub attributes: BTreeMap<String, String>,
}

/// A mute rule at work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MuteDetail {
    /// The rule's ARN.
    #[serde(default)]
    pub muted_by_arn: Option<String>,
    /// Since when.
    #[serde(rename = "muteWindowStart", default, deserialize_with = "edge::time")]
    pub since: Option<Timestamp>,
    /// Until when.
    #[serde(rename = "muteWindowEnd", default, deserialize_with = "edge::time")]
    pub until: Option<Timestamp>,
}

/// An alarm calls a function: no EventBridge, no envelope.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AlarmAction {
    /// `aws.cloudwatch`.
    #[serde(default)]
    pub source: Option<String>,
    /// The alarm's ARN.
    #[serde(default)]
    pub alarm_arn: Option<String>,
    /// Its account.
    #[serde(default)]
    pub account_id: Option<AccountId>,
    /// Its Region.
    #[serde(default)]
    pub region: Option<Region>,
    /// When.
    #[serde(default, deserialize_with = "edge::time")]
    pub time: Option<Timestamp>,
    /// The alarm.
    #[serde(rename = "alarmData")]
    pub alarm: Alarm,
}
