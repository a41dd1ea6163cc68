//! CloudWatch: alarms, and what rings them.
//!
//! | room | holds |
//! |---|---|
//! | `alarm` | what an alarm is, and how the wire spells it |
//! | `put` | `PutMetricAlarm`, `PutCompositeAlarm`, `DeleteAlarms` |
//! | `describe` | `DescribeAlarms`, `ListTagsForResource` |
//! | `state` | a state's change: the event, the functions that it calls, the composites above |
//! | `rule` | a composite alarm's expression |
//! | `query` | what a metric and a query are |
//!
//! It has no anomaly bands, no Metrics Insights, no suppressors, no mute rules, no log alarms:
//! each is refused. Actions other than functions are kept and nothing comes of them. A
//! composite alarm follows its children at once, where AWS takes seconds; one that is part of
//! a cycle is not evaluated, as in AWS. `CloudWatch Alarm Configuration Change` is not emitted.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

mod alarm;
mod describe;
mod put;
mod query;
mod rule;
mod state;

pub use alarm::AlarmState;

use crate::call::{ApiError, Reply};
use crate::world::World;

/// CloudWatch's state.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct CloudWatch {
    alarms: BTreeMap<String, alarm::Alarm>,
}

pub(crate) fn handle(world: &mut World, operation: &str, input: &Value) -> Reply {
    match operation {
        "PutMetricAlarm" => put::metric(world, input),
        "PutCompositeAlarm" => put::composite(world, input),
        "DeleteAlarms" => put::delete(world, input),
        "DescribeAlarms" => describe::alarms(world, input),
        "ListTagsForResource" => describe::tags(world, input),
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
