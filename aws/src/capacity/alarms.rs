//! The alarms that specs scale by: their states, and the newest value of what they watch.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_cloudwatch::types::{
    AlarmType, ComparisonOperator, CompositeAlarm, Metric, MetricAlarm, MetricDataQuery, MetricStat, ScanBy,
};
use aws_smithy_types::DateTime;
use futures::future::join_all;
use windlass_shared::event::AlarmValue;
use windlass_shared::facts::Fact;
use windlass_shared::id::{AlarmName, ServiceName, Timestamp};
use windlass_shared::scale::facts::{AlarmKind, LiveAlarm};
use windlass_shared::spec::ServiceSpec;

use crate::Clients;
use crate::error::Failure;
use crate::observe::convert::{fact, instant, sdk_instant};

/// DescribeAlarms' limit of names a call.
const NAMES: usize = 100;
/// How far back a value is looked for; older ones say nothing.
const WINDOW_SECS: i64 = 600;

/// The alarms that these specs scale by.
pub(super) fn named(specs: &BTreeMap<ServiceName, ServiceSpec>) -> BTreeSet<String> {
    let rules = specs.values().filter_map(|spec| spec.scaling.as_ref()).flat_map(|it| &it.rules);
    rules.map(|rule| rule.alarm().to_owned()).collect()
}

/// Each alarm, with the newest value of what it watches. One that CloudWatch does not have is absent.
pub(super) async fn alarms(
    clients: &Clients,
    names: &BTreeSet<String>,
    now: Timestamp,
) -> BTreeMap<AlarmName, Fact<LiveAlarm>> {
    let names: Vec<String> = names.iter().cloned().collect();
    let batches = join_all(names.chunks(NAMES).map(|batch| batch_of(clients, batch, now))).await;
    batches.into_iter().flatten().collect()
}

async fn batch_of(clients: &Clients, names: &[String], now: Timestamp) -> Vec<(AlarmName, Fact<LiveAlarm>)> {
    let doing = || "describing the alarms that specs scale by".to_owned();
    let sent = clients
        .cloudwatch
        .describe_alarms()
        .set_alarm_names(Some(names.to_vec()))
        // Left out, composite alarms are not told.
        .alarm_types(AlarmType::MetricAlarm)
        .alarm_types(AlarmType::CompositeAlarm)
        .max_records(100)
        .send()
        .await;
    let described = match sent.map_err(|error| Failure::new("cloudwatch:DescribeAlarms", &error)) {
        Ok(described) => described,
        Err(failure) => {
            let why = failure.into_unreadable(doing());
            return names
                .iter()
                .map(|it| (AlarmName::new(it.as_str()), Fact::Unreadable(why.clone())))
                .collect();
        }
    };
    let metric = described.metric_alarms().iter().map(|alarm| metric_alarm(clients, alarm, now));
    let mut found: BTreeMap<AlarmName, Fact<LiveAlarm>> =
        join_all(metric).await.into_iter().flatten().collect();
    found.extend(described.composite_alarms().iter().filter_map(composite));
    names
        .iter()
        .map(|name| {
            let name = AlarmName::new(name.as_str());
            let alarm = found.remove(&name).unwrap_or(Fact::Absent);
            (name, alarm)
        })
        .collect()
}

fn composite(alarm: &CompositeAlarm) -> Option<(AlarmName, Fact<LiveAlarm>)> {
    let is_suppressed = alarm.actions_suppressed_by().is_some();
    let live = LiveAlarm {
        state: AlarmValue::from(alarm.state_value().map_or("", |it| it.as_str())),
        since: alarm.state_updated_timestamp().map(|at| instant(Some(at))),
        kind: AlarmKind::Composite,
        threshold: None,
        rings_below: false,
        actions_enabled: alarm.actions_enabled().unwrap_or(true) && !is_suppressed,
        value: Fact::Absent,
    };
    Some((AlarmName::new(alarm.alarm_name()?), Fact::Known(live)))
}

async fn metric_alarm(
    clients: &Clients,
    alarm: &MetricAlarm,
    now: Timestamp,
) -> Option<(AlarmName, Fact<LiveAlarm>)> {
    let name = AlarmName::new(alarm.alarm_name()?);
    let kind = match (alarm.threshold_metric_id(), alarm.metrics().is_empty()) {
        (Some(_), _) => AlarmKind::Anomaly,
        (None, false) => AlarmKind::Math,
        (None, true) => AlarmKind::Single,
    };
    let rings_below = matches!(
        alarm.comparison_operator(),
        Some(
            ComparisonOperator::LessThanThreshold
                | ComparisonOperator::LessThanOrEqualToThreshold
                | ComparisonOperator::LessThanLowerThreshold
        )
    );
    let live = LiveAlarm {
        state: AlarmValue::from(alarm.state_value().map_or("", |it| it.as_str())),
        since: alarm.state_updated_timestamp().map(|at| instant(Some(at))),
        kind,
        threshold: alarm.threshold().filter(|_| kind != AlarmKind::Anomaly),
        rings_below,
        actions_enabled: alarm.actions_enabled().unwrap_or(true),
        value: value(clients, alarm, now).await,
    };
    Some((name, Fact::Known(live)))
}

/// The newest value of what the alarm watches, by the alarm's own query.
async fn value(clients: &Clients, alarm: &MetricAlarm, now: Timestamp) -> Fact<(Timestamp, f64)> {
    let name = alarm.alarm_name().unwrap_or_default();
    let doing = || format!("reading what the alarm {name} watches");
    let queries = queries(alarm);
    if queries.is_empty() {
        return Fact::Absent;
    }
    let period = i64::from(alarm.period().unwrap_or(60));
    let sent = clients
        .cloudwatch
        .get_metric_data()
        .set_metric_data_queries(Some(queries))
        .start_time(DateTime::from_secs(now.as_second() - WINDOW_SECS.max(3 * period)))
        .end_time(sdk_instant(now))
        .scan_by(ScanBy::TimestampDescending)
        .send()
        .await;
    let found = sent.map_err(|error| Failure::new("cloudwatch:GetMetricData", &error)).map(|data| {
        let series = data.metric_data_results().first()?;
        let (at, value) = (series.timestamps().first()?, series.values().first()?);
        // A point is stamped with its period's begin, and is whole at its end.
        let end = DateTime::from_secs(at.secs() + period);
        Some((instant(Some(&end)), *value))
    });
    fact(found, doing)
}

fn queries(alarm: &MetricAlarm) -> Vec<MetricDataQuery> {
    if !alarm.metrics().is_empty() {
        // An anomaly's band is no value: the metric beside it is.
        let band = alarm.threshold_metric_id();
        let own = alarm.metrics().iter().filter(|it| Some(it.id().unwrap_or_default()) != band);
        return own.cloned().collect();
    }
    let (Some(metric), Some(period)) = (alarm.metric_name(), alarm.period()) else { return Vec::new() };
    let metric = Metric::builder()
        .set_namespace(alarm.namespace().map(str::to_owned))
        .metric_name(metric)
        .set_dimensions(Some(alarm.dimensions().to_vec()))
        .build();
    let stat =
        alarm.statistic().map(|it| it.as_str()).or_else(|| alarm.extended_statistic()).unwrap_or("Average");
    let stat = MetricStat::builder()
        .metric(metric)
        .period(period)
        .stat(stat)
        .set_unit(alarm.unit().cloned())
        .build();
    vec![MetricDataQuery::builder().id("value").metric_stat(stat).build()]
}
