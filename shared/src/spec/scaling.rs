//! How many tasks, by which alarms and when.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::freeze::{Cron, TimeZoneName};
use super::number::Finite;

/// How many tasks, by which alarms and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ScalingSpec {
    /// Never fewer.
    pub min: u32,
    /// Never more.
    pub max: u32,
    /// What changes the number; the largest answer wins.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<ScalingRule>,
    /// Other limits at other times.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub schedules: Vec<ScalingSchedule>,
}

/// What changes the number of tasks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ScalingRule {
    /// By how far the alarm's metric is beyond its threshold.
    Step(StepRule),
    /// So that the alarm's metric comes to a value: desired = current × metric / target.
    Target(TargetRule),
}

/// By how far the alarm's metric is beyond its threshold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StepRule {
    /// The alarm's name.
    pub alarm: String,
    /// The last one whose `beyond` is reached acts.
    pub steps: Vec<ScalingStep>,
    /// Seconds between two actions of this rule.
    #[serde(default = "default_patience_secs")]
    pub patience_secs: u32,
}

/// One step of a rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ScalingStep {
    /// How far the metric is beyond the threshold, in the metric's unit, at least.
    pub beyond: Finite,
    /// Tasks more, or fewer where negative.
    pub change: i32,
}

fn default_patience_secs() -> u32 {
    60
}

/// So that the alarm's metric comes to a value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TargetRule {
    /// The alarm whose metric is followed.
    pub alarm: String,
    /// The value wanted; above 0.
    pub target: Finite,
    /// Seconds between two steps up.
    #[serde(default = "default_patience_secs")]
    pub patience_out_secs: u32,
    /// Seconds between two steps down.
    #[serde(default = "default_patience_in_secs")]
    pub patience_in_secs: u32,
}

/// Longer than out: tasks too many cost little, tasks too few cost requests.
fn default_patience_in_secs() -> u32 {
    300
}

/// Other limits from a time on, until the next schedule's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ScalingSchedule {
    /// From when.
    pub at: Cron,
    /// In which time zone.
    #[serde(default)]
    pub timezone: TimeZoneName,
    /// Never fewer.
    pub min: u32,
    /// Never more.
    pub max: u32,
}
