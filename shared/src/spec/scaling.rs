//! How many tasks, by which alarms and when.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::check::ALARM_NAME_MAX;
use super::freeze::{Cron, TimeZoneName};
use super::number::Finite;
use super::problem::Checks;

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

impl ScalingRule {
    /// The alarm that it goes by.
    pub fn alarm(&self) -> &str {
        match self {
            Self::Step(rule) => &rule.alarm,
            Self::Target(rule) => &rule.alarm,
        }
    }
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

impl ScalingSpec {
    pub(super) fn check_into(&self, checks: &mut Checks) {
        let Self { min, max, rules, schedules } = self;
        check_limits(*min, *max, checks);
        checks.each("rules", rules, |checks, rule| match rule {
            ScalingRule::Step(rule) => checks.within("step", |checks| rule.check_into(checks)),
            ScalingRule::Target(rule) => checks.within("target", |checks| rule.check_into(checks)),
        });
        checks.each("schedules", schedules, |checks, schedule| {
            let ScalingSchedule { at, timezone, min, max } = schedule;
            at.check_into("at", checks);
            timezone.check_into(checks);
            check_limits(*min, *max, checks);
        });
    }
}

fn check_limits(min: u32, max: u32, checks: &mut Checks) {
    checks.need(min <= max, "min", format!("{min} is more than `max`, {max}"));
    // ECS's quota of tasks a service.
    checks.range("max", max, 0..=5000);
}

impl StepRule {
    fn check_into(&self, checks: &mut Checks) {
        let Self { alarm, steps, patience_secs: _ } = self;
        checks.text("alarm", alarm, ALARM_NAME_MAX);
        checks.need(!steps.is_empty(), "steps", "wants at least one: `- {beyond: 0, change: 1}`");
        let mut before: Option<Finite> = None;
        checks.each("steps", steps, |checks, step| {
            checks.need(
                before.is_none_or(|before| before < step.beyond),
                "beyond",
                "wants more than the step before it",
            );
            before = Some(step.beyond);
            checks.need(step.change != 0, "change", "0 changes nothing");
        });
    }
}

impl TargetRule {
    fn check_into(&self, checks: &mut Checks) {
        let Self { alarm, target, patience_out_secs: _, patience_in_secs: _ } = self;
        checks.text("alarm", alarm, ALARM_NAME_MAX);
        checks.need(target.get() > 0.0, "target", "wants more than 0: tasks are divided by it");
    }
}
