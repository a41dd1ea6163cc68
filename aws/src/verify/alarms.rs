//! The alarms' states.

use std::collections::BTreeMap;

use aws_sdk_cloudwatch::types::{AlarmType, StateValue};
use futures::future::join_all;
use windlass_shared::facts::{AlarmState, Fact};

use crate::error::Failure;

const ACTION: &str = "cloudwatch:DescribeAlarms";
/// DescribeAlarms' limit of names.
const BATCH: usize = 100;

type Cloudwatch = aws_sdk_cloudwatch::Client;

/// Each alarm's state, metric alarms and composite ones. Without the types named, CloudWatch
/// leaves composite alarms out.
pub(super) async fn states(cloudwatch: &Cloudwatch, names: &[String]) -> BTreeMap<String, Fact<AlarmState>> {
    let batches = names.chunks(BATCH).map(|batch| async move {
        let found = describe(cloudwatch, batch).await;
        batch.iter().map(|name| (name.clone(), of(name, &found))).collect::<Vec<_>>()
    });
    join_all(batches).await.into_iter().flatten().collect()
}

async fn describe(
    cloudwatch: &Cloudwatch,
    names: &[String],
) -> Result<BTreeMap<String, Option<AlarmState>>, Failure> {
    let types = vec![AlarmType::MetricAlarm, AlarmType::CompositeAlarm];
    let sent = cloudwatch
        .describe_alarms()
        .set_alarm_names(Some(names.to_vec()))
        .set_alarm_types(Some(types))
        .max_records(100)
        .send()
        .await;
    let told = sent.map_err(|error| Failure::new(ACTION, &error))?;
    let metric = told.metric_alarms().iter().map(|it| (it.alarm_name(), it.state_value()));
    let composite = told.composite_alarms().iter().map(|it| (it.alarm_name(), it.state_value()));
    let states =
        metric.chain(composite).filter_map(|(name, state)| Some((name?.to_owned(), state.and_then(read))));
    Ok(states.collect())
}

fn of(name: &str, found: &Result<BTreeMap<String, Option<AlarmState>>, Failure>) -> Fact<AlarmState> {
    let unreadable =
        |failure: Failure| Fact::Unreadable(failure.into_unreadable(format!("reading alarm {name}")));
    match found {
        Err(failure) => unreadable(failure.clone()),
        Ok(states) => match states.get(name) {
            None => Fact::Absent,
            Some(Some(state)) => Fact::Known(*state),
            Some(None) => {
                unreadable(Failure::of_code(ACTION, None, "the alarm's state is none that is known"))
            }
        },
    }
}

fn read(state: &StateValue) -> Option<AlarmState> {
    match state {
        StateValue::Ok => Some(AlarmState::Ok),
        StateValue::Alarm => Some(AlarmState::Alarm),
        StateValue::InsufficientData => Some(AlarmState::InsufficientData),
        _ => None,
    }
}
