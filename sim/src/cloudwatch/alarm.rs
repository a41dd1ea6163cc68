//! What an alarm is. It knows neither how it is evaluated nor who hears of it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::hold::Suppressor;
use super::query::{Metric, MetricQuery, MetricStat};
use super::rule::Rule;
use crate::time::Time;
use crate::world::World;

/// An alarm's state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum AlarmState {
    /// `OK`
    Ok,
    /// `ALARM`
    Alarm,
    /// `INSUFFICIENT_DATA`
    InsufficientData,
}

impl AlarmState {
    /// As the API spells it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Alarm => "ALARM",
            Self::InsufficientData => "INSUFFICIENT_DATA",
        }
    }
}

/// An alarm of either type.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Alarm {
    pub(super) definition: Definition,
    pub(super) actions: Actions,
    pub(super) status: Status,
    /// The status before the last change.
    pub(super) previous: Option<Status>,
    /// When `status.value` last became another.
    pub(super) transitioned: Time,
    /// When its definition was put.
    pub(super) configured: Time,
    pub(super) tags: BTreeMap<String, String>,
    /// Whether the actions for its state were held back.
    #[serde(default)]
    pub(super) held: bool,
}

/// What its state follows from.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) enum Definition {
    Metric(Box<MetricAlarm>),
    Composite {
        text: String,
        rule: Rule,
        #[serde(default)]
        suppressor: Option<Suppressor>,
    },
}

/// A state, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Status {
    pub(super) value: AlarmState,
    pub(super) reason: String,
    /// JSON.
    pub(super) data: Option<String>,
    pub(super) at: Time,
}

/// What both types have beside their definitions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Actions {
    pub(super) description: Option<String>,
    pub(super) enabled: bool,
    pub(super) ok: Vec<String>,
    pub(super) alarm: Vec<String>,
    pub(super) insufficient_data: Vec<String>,
}

impl Actions {
    /// Those of a state.
    pub(super) fn of(&self, state: AlarmState) -> &[String] {
        match state {
            AlarmState::Ok => &self.ok,
            AlarmState::Alarm => &self.alarm,
            AlarmState::InsufficientData => &self.insufficient_data,
        }
    }
}

/// A metric alarm, as it was put.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct MetricAlarm {
    pub(super) source: Source,
    pub(super) evaluation_periods: u32,
    pub(super) datapoints_to_alarm: Option<u32>,
    pub(super) threshold: f64,
    pub(super) comparison: Comparison,
    pub(super) missing: Option<Missing>,
    /// The query that is an anomaly detector's band, in the threshold's place. Such an alarm is
    /// not evaluated.
    #[serde(default)]
    pub(super) band: Option<String>,
}

/// Where its values come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Source {
    /// One metric, named by the alarm's own members.
    Metric { metric: Metric, period: u32, statistic: Statistic, unit: Option<String> },
    /// `Metrics`
    Queries(Vec<MetricQuery>),
}

/// `Statistic` or `ExtendedStatistic`: the wire has a member for each.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Statistic {
    Plain(String),
    Extended(String),
}

impl Comparison {
    /// Whether a value breaches the threshold.
    pub(super) fn breaches(self, value: f64, threshold: f64) -> bool {
        match self {
            Self::GreaterThanOrEqualToThreshold => value >= threshold,
            Self::GreaterThanThreshold => value > threshold,
            Self::LessThanThreshold => value < threshold,
            Self::LessThanOrEqualToThreshold => value <= threshold,
            // There are no bands here to be outside of.
            Self::LessThanLowerOrGreaterThanUpperThreshold
            | Self::LessThanLowerThreshold
            | Self::GreaterThanUpperThreshold => false,
        }
    }

    /// As a reason says it.
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::GreaterThanOrEqualToThreshold => "greater than or equal to",
            Self::GreaterThanThreshold => "greater than",
            Self::LessThanThreshold => "less than",
            Self::LessThanOrEqualToThreshold => "less than or equal to",
            Self::LessThanLowerOrGreaterThanUpperThreshold => "less than the lower or greater than the upper",
            Self::LessThanLowerThreshold => "less than the lower",
            Self::GreaterThanUpperThreshold => "greater than the upper",
        }
    }
}

impl Statistic {
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Plain(name) | Self::Extended(name) => name,
        }
    }
}

/// When a value breaches the threshold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::enum_variant_names, reason = "CloudWatch's names")]
pub(super) enum Comparison {
    GreaterThanOrEqualToThreshold,
    GreaterThanThreshold,
    LessThanThreshold,
    LessThanOrEqualToThreshold,
    LessThanLowerOrGreaterThanUpperThreshold,
    LessThanLowerThreshold,
    GreaterThanUpperThreshold,
}

impl Comparison {
    /// Whether it is with a band.
    pub(super) fn is_of_band(self) -> bool {
        use Comparison::{
            GreaterThanUpperThreshold, LessThanLowerOrGreaterThanUpperThreshold, LessThanLowerThreshold,
        };
        matches!(
            self,
            LessThanLowerOrGreaterThanUpperThreshold | LessThanLowerThreshold | GreaterThanUpperThreshold
        )
    }
}

/// `TreatMissingData`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::enum_variant_names, reason = "CloudWatch's names")]
pub(super) enum Missing {
    #[default]
    Missing,
    Ignore,
    Breaching,
    NotBreaching,
}

impl MetricAlarm {
    /// Its queries: of a plain one, the one that its members stand for.
    pub(super) fn queries(&self, name: &str) -> Vec<MetricQuery> {
        match &self.source {
            Source::Queries(queries) => queries.clone(),
            Source::Metric { metric, period, statistic, unit } => vec![MetricQuery {
                id: query_id(name),
                metric_stat: Some(MetricStat {
                    metric: metric.clone(),
                    period: *period,
                    stat: statistic.name().to_owned(),
                    unit: unit.clone(),
                }),
                expression: None,
                label: None,
                return_data: Some(true),
                period: None,
            }],
        }
    }

    /// The period of its values: of several, the longest.
    pub(super) fn period(&self) -> u32 {
        match &self.source {
            Source::Metric { period, .. } => *period,
            Source::Queries(queries) => {
                let periods = queries.iter().filter_map(|query| Some(query.metric_stat.as_ref()?.period));
                periods.max().unwrap_or(60)
            }
        }
    }

    /// As `DescribeAlarms` tells it.
    pub(super) fn told(&self) -> Value {
        let mut told = json!({
            "EvaluationPeriods": self.evaluation_periods,
            "ComparisonOperator": self.comparison,
            "Dimensions": [],
        });
        match &self.band {
            Some(band) => told["ThresholdMetricId"] = json!(band),
            None => told["Threshold"] = json!(self.threshold),
        }
        match &self.source {
            Source::Queries(queries) => told["Metrics"] = json!(queries),
            Source::Metric {
                metric: Metric { namespace, metric_name, dimensions },
                period,
                statistic,
                unit,
            } => {
                told["Namespace"] = json!(namespace);
                told["MetricName"] = json!(metric_name);
                told["Dimensions"] = json!(dimensions);
                told["Period"] = json!(period);
                match statistic {
                    Statistic::Plain(name) => told["Statistic"] = json!(name),
                    Statistic::Extended(name) => told["ExtendedStatistic"] = json!(name),
                }
                if let Some(unit) = unit {
                    told["Unit"] = json!(unit);
                }
            }
        }
        if let Some(needed) = self.datapoints_to_alarm {
            told["DatapointsToAlarm"] = json!(needed);
        }
        if let Some(missing) = self.missing {
            told["TreatMissingData"] = json!(missing);
        }
        told
    }
}

/// CloudWatch invents a UUID for a plain alarm's one query; here it follows from the name.
fn query_id(name: &str) -> String {
    let digest = crate::ecr::digest_of(name.as_bytes());
    let hex = digest.trim_start_matches("sha256:");
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..32])
}

impl Alarm {
    /// `configuration` of its events.
    pub(super) fn configuration(&self, name: &str) -> Value {
        let mut told = match &self.definition {
            Definition::Metric(alarm) => {
                let queries: Vec<Value> = alarm.queries(name).iter().map(MetricQuery::told).collect();
                json!({ "metrics": queries })
            }
            Definition::Composite { text, suppressor, .. } => {
                let mut told = json!({ "alarmRule": text });
                if let Some(it) = suppressor {
                    told["actionsSuppressor"] = json!(it.alarm);
                    told["actionsSuppressorWaitPeriod"] = json!(it.wait_secs);
                    told["actionsSuppressorExtensionPeriod"] = json!(it.extension_secs);
                }
                told
            }
        };
        if let Some(description) = &self.actions.description {
            told["description"] = json!(description);
        }
        told
    }
}

impl Status {
    /// As an event tells it.
    pub(super) fn told(&self) -> Value {
        let mut told = json!({ "value": self.value, "reason": self.reason, "timestamp": stamp(self.at) });
        if let Some(data) = &self.data {
            told["reasonData"] = json!(data);
        }
        told
    }
}

/// `2022-07-22T15:57:45.394+0000`: the timestamps of alarms' events.
pub(super) fn stamp(at: Time) -> String {
    format!("{}+0000", at.iso().trim_end_matches('Z'))
}

pub(super) fn arn(world: &World, name: &str) -> String {
    world.arn("cloudwatch", &format!("alarm:{name}"))
}
