//! CloudWatch: alarms, and what rings them.
//!
//! | room | holds |
//! |---|---|
//! | `alarm` | what an alarm is, and how the wire spells it |
//! | `hold` | mute rules and suppressors: what holds actions back, and when they are made up for |
//! | `put` | `PutMetricAlarm`, `PutCompositeAlarm`, `DeleteAlarms` |
//! | `describe` | `DescribeAlarms`, `ListTagsForResource` |
//! | `state` | a state's change: the event, the functions that it calls, the composites above |
//! | `rule` | a composite alarm's expression |
//! | `metrics` | what was measured, by the minute |
//! | `query` `math` | what a metric is, queries and expressions over them |
//! | `data` | `PutMetricData`, `GetMetricData`, `GetMetricStatistics`, `ListMetrics` |
//! | `evaluate` | what a metric alarm's state is, at the end of each of its periods |
//!
//! An alarm on an anomaly detector's band is kept and told, and its state is only ever set: there
//! are no bands here. It has no Metrics Insights, no log alarms, no mute rules that recur:
//! each is refused. Actions other than functions are kept and nothing comes of them. A
//! composite alarm follows its children at once, where AWS takes seconds; one that is part of
//! a cycle is not evaluated, as in AWS. `CloudWatch Alarm Configuration Change` is not emitted.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

mod alarm;
mod data;
mod describe;
mod evaluate;
mod hold;
mod math;
mod metrics;
mod put;
mod query;
mod rule;
mod state;

pub use alarm::AlarmState;

use crate::call::{ApiError, Reply};
use crate::time::Time;
use crate::world::{self, World};
use crate::{ecs, elb, load};

/// CloudWatch's state.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct CloudWatch {
    alarms: BTreeMap<String, alarm::Alarm>,
    metrics: metrics::Metrics,
    mutes: hold::MuteRules,
    /// Functions that alarms could not call: there is none, or its policy does not let them.
    pub failed_actions: Vec<FailedAction>,
    /// Whether the timer of the next minute's end is set.
    awake: bool,
}

/// An action of an alarm that came to nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedAction {
    /// When.
    pub at: Time,
    /// The alarm's name.
    pub alarm: String,
    /// The function's ARN.
    pub action: String,
}

/// What this service's timers are for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Due {
    /// A minute is over: its values can be read, and alarms look at them.
    Minute,
    /// Something that held an alarm's actions back ends.
    LetGo {
        /// The alarm's name.
        alarm: String,
    },
}

pub(crate) fn due(world: &mut World, due: &Due) {
    match due {
        Due::Minute => minute(world),
        Due::LetGo { alarm } => hold::let_go(world, alarm),
    }
}

/// Whatever is due at the same instant has happened: this timer is the instant's last.
fn minute(world: &mut World) {
    world.cloudwatch.awake = false;
    load::measure(world);
    ecs::measure(world);
    elb::measure_hosts(world);
    evaluate::all(world);
    let now = world.now();
    world.cloudwatch.metrics.sweep(now);
    if !world.cloudwatch.alarms.is_empty() || !world.cloudwatch.metrics.is_empty() {
        wake(world);
    }
}

/// There is something to do at the end of this minute.
pub(crate) fn wake(world: &mut World) {
    if !std::mem::replace(&mut world.cloudwatch.awake, true) {
        let at = evaluate::next_minute(world.now());
        world.at_the_end_of(at, world::Due::CloudWatch(Due::Minute));
    }
}

/// A value of a metric that an AWS service publishes of its own.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Measured<'a> {
    pub(crate) namespace: &'a str,
    pub(crate) name: &'a str,
    pub(crate) dimensions: &'a [(&'a str, &'a str)],
    pub(crate) unit: &'a str,
    pub(crate) value: f64,
    /// How often it was measured so: 1, but for what is counted by the many.
    pub(crate) times: f64,
}

impl Measured<'_> {
    fn metric(&self) -> query::Metric {
        let dimension = |(name, value): &(&str, &str)| query::Dimension {
            name: (*name).to_owned(),
            value: (*value).to_owned(),
        };
        let metric = query::Metric {
            namespace: self.namespace.to_owned(),
            metric_name: self.name.to_owned(),
            dimensions: self.dimensions.iter().map(dimension).collect(),
        };
        metric.sorted()
    }
}

pub(crate) fn publish(world: &mut World, measured: &Measured<'_>, at: Time) {
    let now = world.now();
    let sample = metrics::Sample::of(measured.value, measured.times);
    world.cloudwatch.metrics.record(measured.metric(), Some(measured.unit), at, now, &sample);
    wake(world);
}

/// The sum of what an AWS service published of this metric in the minute of `at`, be that over
/// or not.
pub(crate) fn sum_of_minute(world: &World, measured: &Measured<'_>, at: Time) -> f64 {
    world.cloudwatch.metrics.series(&measured.metric()).map_or(0.0, |series| series.sum_at(at))
}

pub(crate) fn handle(world: &mut World, operation: &str, input: &Value) -> Reply {
    match operation {
        "PutMetricAlarm" => put::metric(world, input),
        "PutCompositeAlarm" => put::composite(world, input),
        "DeleteAlarms" => put::delete(world, input),
        "DescribeAlarms" => describe::alarms(world, input),
        "ListTagsForResource" => describe::tags(world, input),
        "PutMetricData" => data::put(world, input),
        "GetMetricData" => data::get(world, input),
        "GetMetricStatistics" => data::statistics(world, input),
        "ListMetrics" => data::list(world, input),
        "PutAlarmMuteRule" => hold::put(world, input),
        "DeleteAlarmMuteRule" => hold::delete(world, input),
        "GetAlarmMuteRule" => hold::get(world, input),
        "ListAlarmMuteRules" => hold::list(world, input),
        "SetAlarmState" => state::set_call(world, input),
        other => {
            let message = format!("the embedded CloudWatch does not have the operation {other}");
            Err(ApiError::client("UnknownOperationException", message))
        }
    }
}

/// The state of an alarm of either type; `None` if there is no such alarm.
pub(crate) fn alarm_state(world: &World, name: &str) -> Option<AlarmState> {
    world.cloudwatch.alarms.get(name).map(|alarm| alarm.status.value)
}

impl CloudWatch {
    /// The state of an alarm of either type: for tests and for a dump.
    pub fn state(&self, name: &str) -> Option<AlarmState> {
        self.alarms.get(name).map(|alarm| alarm.status.value)
    }
}

/// A test's handle: brings an alarm into a state, as `SetAlarmState` does. Where there is no
/// such alarm it is made, on a metric `Test/<name>` that nobody publishes.
///
/// # Errors
///
/// What `PutMetricAlarm` and `SetAlarmState` refuse: an empty or overlong name.
pub fn set_alarm(world: &mut World, name: &str, state: AlarmState) -> Result<(), ApiError> {
    if alarm_state(world, name).is_none() {
        let definition = json!({
            "AlarmName": name,
            "Namespace": "Test",
            "MetricName": name,
            "Statistic": "Sum",
            "Period": 60,
            "EvaluationPeriods": 1,
            "Threshold": 0.0,
            "ComparisonOperator": "GreaterThanThreshold",
            "TreatMissingData": "ignore",
        });
        put::metric(world, &definition)?;
    }
    let input = json!({ "AlarmName": name, "StateValue": state.name(), "StateReason": "set by a test" });
    state::set_call(world, &input).map(drop)
}

/// What CloudWatch answers to a parameter that it does not take.
fn invalid(message: impl Into<String>) -> ApiError {
    ApiError::client("ValidationError", message)
}

#[cfg(test)]
mod tests;
