//! The alarms that a spec names: ringing, quiet, or not there.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_cloudwatch::types::{AlarmType, StateValue};
use futures::future::join_all;
use windlass_shared::facts::{AlarmState, Fact};

use crate::error::Failure;

/// DescribeAlarms' limit of names a call.
const NAMES: usize = 100;

/// Each alarm's state. One that CloudWatch does not have is absent.
pub(crate) async fn alarms(
    cloudwatch: &aws_sdk_cloudwatch::Client,
    names: &BTreeSet<String>,
) -> BTreeMap<String, Fact<AlarmState>> {
    let names: Vec<String> = names.iter().cloned().collect();
    let batches = names.chunks(NAMES).map(|batch| async move {
        match describe(cloudwatch, batch).await {
            Ok(states) => {
                let state =
                    |name: &String| states.get(name).map_or(Fact::Absent, |state| Fact::Known(*state));
                batch.iter().map(|name| (name.clone(), state(name))).collect::<Vec<_>>()
            }
            Err(failure) => {
                let why = failure.into_unreadable("describing the alarms that the spec names".to_owned());
                batch.iter().map(|name| (name.clone(), Fact::Unreadable(why.clone()))).collect()
            }
        }
    });
    join_all(batches).await.into_iter().flatten().collect()
}

async fn describe(
    cloudwatch: &aws_sdk_cloudwatch::Client,
    names: &[String],
) -> Result<BTreeMap<String, AlarmState>, Failure> {
    let described = cloudwatch
        .describe_alarms()
        .set_alarm_names(Some(names.to_vec()))
        // Left out, composite alarms are not told.
        .alarm_types(AlarmType::MetricAlarm)
        .alarm_types(AlarmType::CompositeAlarm)
        .max_records(100)
        .send()
        .await
        .map_err(|error| Failure::new("cloudwatch:DescribeAlarms", &error))?;
    let metric = described.metric_alarms().iter().map(|alarm| (alarm.alarm_name(), alarm.state_value()));
    let composite =
        described.composite_alarms().iter().map(|alarm| (alarm.alarm_name(), alarm.state_value()));
    Ok(metric.chain(composite).filter_map(|(name, value)| Some((name?.to_owned(), state(value?)))).collect())
}

fn state(value: &StateValue) -> AlarmState {
    match value {
        StateValue::Alarm => AlarmState::Alarm,
        StateValue::Ok => AlarmState::Ok,
        _ => AlarmState::InsufficientData,
    }
}
