//! What a metric alarm's state is, by its last values. Asked at the end of each of its
//! periods.
//!
//! As CloudWatch documents it: a little more than the evaluation periods is looked at, so that
//! a late value is no missing one; of that the newest values count, and only where they are
//! fewer than the evaluation periods is missing data treated as the alarm says.

use std::time::Duration;

use serde_json::json;

use super::alarm::{Definition, MetricAlarm, Missing, Source, stamp};
use super::math::Values;
use super::metrics::{KEPT_MINUTES, MINUTE_MS};
use super::{AlarmState, query, state};
use crate::time::Time;
use crate::world::World;

/// The longest that an alarm may look back: what is kept, less the additional periods.
pub(super) const LONGEST_SECS: u64 = KEPT_MINUTES * 60 / 2;

/// Periods that are looked at beyond the evaluation periods.
const MORE: u32 = 2;

/// Evaluates the alarms whose period ends now.
pub(super) fn all(world: &mut World) {
    let now = world.now();
    let due: Vec<(String, MetricAlarm)> = world
        .cloudwatch
        .alarms
        .iter()
        .filter_map(|(name, alarm)| match &alarm.definition {
            Definition::Metric(metric) if metric.band.is_none() => Some((name.clone(), (**metric).clone())),
            Definition::Metric(_) | Definition::Composite { .. } => None,
        })
        .filter(|(_, alarm)| now.0.is_multiple_of(u64::from(alarm.period()) * 1000))
        .collect();
    for (name, alarm) in due {
        one(world, &name, &alarm);
    }
}

fn one(world: &mut World, name: &str, alarm: &MetricAlarm) {
    // CloudWatch finds INSUFFICIENT_DATA. Here an alarm on what nobody ever measured is left as
    // it is, so that a state set by hand lasts.
    let missing = alarm.missing.unwrap_or_default();
    if missing == Missing::Missing && !is_measured(world, alarm, name) {
        return;
    }
    let window = window(world, alarm, name);
    let before = super::alarm_state(world, name);
    match judge(alarm, &window) {
        Some(value) if Some(value) != before => {
            let (reason, data) = told(alarm, &window, value, before, world.now());
            state::become_now(world, name, value, reason, Some(data));
        }
        _ => {}
    }
}

fn is_measured(world: &World, alarm: &MetricAlarm, name: &str) -> bool {
    let queries = alarm.queries(name);
    let mut stats = queries.iter().filter_map(|query| query.metric_stat.as_ref());
    stats.any(|stat| world.cloudwatch.metrics.series(&stat.metric.clone().sorted()).is_some())
}

/// The values that count, newest first, each with how many periods ago its period ended (the
/// last one is 1).
fn window(world: &World, alarm: &MetricAlarm, name: &str) -> Vec<Point> {
    let now = world.now();
    let queries = alarm.queries(name);
    let period = Duration::from_secs(alarm.period().into());
    let range = period * (alarm.evaluation_periods + MORE);
    let start = Time(now.0.saturating_sub(u64::try_from(range.as_millis()).unwrap_or(u64::MAX)));
    let asked = queries.iter().find(|query| query.returns_data()).map(|query| query.id.clone());
    let mut results = query::run(world, &queries, start, now);
    let values: Values = asked.and_then(|id| results.remove(&id)).unwrap_or_default();
    let newest =
        values.into_iter().rev().take(usize::try_from(alarm.evaluation_periods).unwrap_or(usize::MAX));
    newest
        .map(|(at, value)| Point {
            at,
            value,
            age: u32::try_from(now.since(at).as_secs() / period.as_secs().max(1)).unwrap_or(u32::MAX),
            breaching: alarm.comparison.breaches(value, alarm.threshold),
        })
        .collect()
}

#[derive(Debug, Clone, PartialEq)]
struct Point {
    at: Time,
    value: f64,
    /// 1 is the last period that is over.
    age: u32,
    breaching: bool,
}

/// `None`: the state stays as it is.
///
/// 1. Enough breaching values ring it, and where no data is missing fewer do not.
/// 2. Missing values count as breaching or not, if it says so.
/// 3. Otherwise any value that is within the threshold makes it OK.
/// 4. Only breaching values, but too few: `ignore` keeps the state; `missing` rings if the
///    oldest of them is as old as the count that rings it.
/// 5. No value at all: `ignore` keeps the state, `missing` says so.
fn judge(alarm: &MetricAlarm, window: &[Point]) -> Option<AlarmState> {
    let count = |wanted: usize| u32::try_from(wanted).unwrap_or(u32::MAX);
    let needed = alarm.datapoints_to_alarm.unwrap_or(alarm.evaluation_periods);
    let breaching = count(window.iter().filter(|point| point.breaching).count());
    let filled = alarm.evaluation_periods.saturating_sub(count(window.len()));
    let rings = |yes: bool| Some(if yes { AlarmState::Alarm } else { AlarmState::Ok });
    let missing = alarm.missing.unwrap_or_default();
    if breaching >= needed || filled == 0 {
        return rings(breaching >= needed);
    }
    match missing {
        Missing::Breaching => rings(breaching + filled >= needed),
        Missing::NotBreaching => rings(false),
        Missing::Missing | Missing::Ignore if window.iter().any(|point| !point.breaching) => rings(false),
        Missing::Ignore => None,
        Missing::Missing => match window.last() {
            None => Some(AlarmState::InsufficientData),
            Some(oldest) if oldest.age >= needed => rings(true),
            Some(_) => None,
        },
    }
}

/// The reason in CloudWatch's words, and its data.
fn told(
    alarm: &MetricAlarm,
    window: &[Point],
    value: AlarmState,
    before: Option<AlarmState>,
    now: Time,
) -> (String, String) {
    let mut data = json!({
        "version": "1.0",
        "queryDate": stamp(now),
        "period": alarm.period(),
        "recentDatapoints": window.iter().rev().map(|point| point.value).collect::<Vec<_>>(),
        "threshold": alarm.threshold,
    });
    if let Some(oldest) = window.last() {
        data["startDate"] = json!(stamp(oldest.at));
    }
    if let Source::Metric { statistic, .. } = &alarm.source {
        data["statistic"] = json!(statistic.name());
    }
    (reason(alarm, window, value, before), data.to_string())
}

fn reason(alarm: &MetricAlarm, window: &[Point], value: AlarmState, before: Option<AlarmState>) -> String {
    let plural = |count: u32| if count == 1 { "datapoint" } else { "datapoints" };
    let periods = alarm.evaluation_periods;
    if value == AlarmState::InsufficientData {
        let are = if periods == 1 { "was" } else { "were" };
        return format!("Insufficient Data: {periods} {} {are} unknown.", plural(periods));
    }
    let rings = value == AlarmState::Alarm;
    let chosen: Vec<&Point> = window.iter().filter(|point| point.breaching == rings).collect();
    if chosen.is_empty() {
        let missing = alarm.missing.unwrap_or_default();
        let as_what = if missing == Missing::Breaching { "Breaching" } else { "NonBreaching" };
        return format!(
            "Threshold Crossed: no datapoints were received for {periods} period{} and {periods} missing {} {} \
             treated as [{as_what}].",
            if periods == 1 { "" } else { "s" },
            plural(periods),
            if periods == 1 { "was" } else { "were" },
        );
    }
    let shown: Vec<String> =
        chosen.iter().map(|point| format!("{:?} ({})", point.value, short(point.at))).collect();
    let needed = alarm.datapoints_to_alarm.unwrap_or(periods);
    let least = if rings { needed } else { periods + 1 - needed };
    format!(
        "Threshold Crossed: {} out of the last {periods} datapoints [{}] {} {}{} the threshold ({:?}) \
         (minimum {least} {} for {} -> {} transition).",
        chosen.len(),
        shown.join(", "),
        if chosen.len() == 1 { "was" } else { "were" },
        if rings { "" } else { "not " },
        alarm.comparison.words(),
        alarm.threshold,
        plural(least),
        before.map_or("OK", AlarmState::name),
        value.name(),
    )
}

/// `02/10/19 16:59:00`
fn short(at: Time) -> String {
    let iso = at.iso();
    format!("{}/{}/{} {}", &iso[8..10], &iso[5..7], &iso[2..4], &iso[11..19])
}

/// The end of the minute that `at` is in.
pub(super) fn next_minute(at: Time) -> Time {
    Time((at.0 / MINUTE_MS + 1) * MINUTE_MS)
}

#[cfg(test)]
mod tests {
    use super::super::alarm::{Comparison, Statistic};
    use super::super::query::Metric;
    use super::*;

    /// `0 - X`: oldest first, as CloudWatch's page shows them.
    fn judged(values: &str, needed: u32, missing: Missing) -> Option<AlarmState> {
        let metric = Metric { namespace: "n".into(), metric_name: "m".into(), dimensions: Vec::new() };
        let alarm = MetricAlarm {
            source: Source::Metric {
                metric,
                period: 60,
                statistic: Statistic::Plain("Sum".into()),
                unit: None,
            },
            evaluation_periods: 3,
            datapoints_to_alarm: Some(needed),
            threshold: 0.5,
            comparison: Comparison::GreaterThanThreshold,
            missing: Some(missing),
            band: None,
        };
        let newest = values.split(' ').rev().zip(1..).filter(|(value, _)| *value != "-");
        let point = |(value, age): (&str, u32)| Point {
            at: Time(0),
            value: f64::from(u8::from(value == "X")),
            age,
            breaching: value == "X",
        };
        judge(&alarm, &newest.map(point).take(3).collect::<Vec<_>>())
    }

    #[test]
    fn missing_data_is_treated_as_awss_tables_say() {
        use AlarmState::{Alarm, InsufficientData, Ok};
        // (values, datapoints to alarm of 3; missing, ignore, breaching, notBreaching)
        for (values, needed, expected) in [
            ("0 - X - X", 3, [Some(Ok); 4]),
            ("0 - - - -", 3, [Some(Ok); 4]),
            ("- - - - -", 3, [Some(InsufficientData), None, Some(Alarm), Some(Ok)]),
            ("0 X X - X", 3, [Some(Alarm); 4]),
            ("- - X - -", 3, [Some(Alarm), None, Some(Alarm), Some(Ok)]),
            ("0 - X - X", 2, [Some(Alarm); 4]),
            ("0 0 X 0 X", 2, [Some(Alarm); 4]),
            ("0 - X - -", 2, [Some(Ok), Some(Ok), Some(Alarm), Some(Ok)]),
            ("- - - - 0", 2, [Some(Ok), Some(Ok), Some(Alarm), Some(Ok)]),
            ("- - - X -", 2, [Some(Alarm), None, Some(Alarm), Some(Ok)]),
        ] {
            let treatments = [Missing::Missing, Missing::Ignore, Missing::Breaching, Missing::NotBreaching];
            let found = treatments.map(|missing| judged(values, needed, missing));
            assert_eq!(found, expected, "{values}, {needed} of 3");
        }
    }
}
