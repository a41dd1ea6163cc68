//! `PutMetricData`, `GetMetricData`, `GetMetricStatistics`, `ListMetrics`.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::metrics::{Sample, Stat};
use super::query::{self, Dimension, Metric, MetricQuery};
use super::{invalid, wake};
use crate::call::{ApiError, Reply, parse};
use crate::time::Time;
use crate::world::World;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct PutMetricData {
    namespace: String,
    #[serde(default)]
    metric_data: Vec<Datum>,
    /// Only about entities, of which there are none here.
    #[serde(rename = "StrictEntityValidation")]
    _strict: Option<bool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Datum {
    metric_name: String,
    #[serde(default)]
    dimensions: Vec<Dimension>,
    timestamp: Option<f64>,
    value: Option<f64>,
    statistic_values: Option<StatisticSet>,
    #[serde(default)]
    values: Vec<f64>,
    #[serde(default)]
    counts: Vec<f64>,
    unit: Option<String>,
    /// Kept by the minute all the same.
    #[serde(rename = "StorageResolution")]
    _resolution: Option<u32>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct StatisticSet {
    sample_count: f64,
    sum: f64,
    minimum: f64,
    maximum: f64,
}

fn bad_value(message: impl Into<String>) -> ApiError {
    ApiError::client("InvalidParameterValue", message)
}

pub(super) fn put(world: &mut World, input: &Value) -> Reply {
    let put: PutMetricData = parse(input)?;
    if put.namespace.is_empty() || put.namespace.starts_with("AWS/") {
        return Err(bad_value("The value AWS/ for parameter Namespace is invalid."));
    }
    if put.metric_data.len() > 1000 {
        return Err(bad_value("The collection MetricData must not have a size greater than 1000."));
    }
    let read: Result<Vec<_>, ApiError> =
        put.metric_data.into_iter().map(|datum| datum.read(&put.namespace)).collect();
    let now = world.now();
    for (metric, unit, at, samples) in read? {
        let at = at.unwrap_or(now);
        for sample in samples {
            world.cloudwatch.metrics.record(metric.clone(), unit.as_deref(), at, now, &sample);
        }
    }
    wake(world);
    Ok(Value::Null)
}

type Read = (Metric, Option<String>, Option<Time>, Vec<Sample>);

impl Datum {
    fn read(self, namespace: &str) -> Result<Read, ApiError> {
        if self.dimensions.len() > 30 {
            return Err(bad_value("The collection Dimensions must not have a size greater than 30."));
        }
        let samples = match (self.value, self.statistic_values, self.values.is_empty()) {
            (Some(value), None, true) => vec![Sample::of(value, 1.0)],
            (None, Some(set), true) => {
                vec![Sample::set(set.sum, set.sample_count, set.minimum, set.maximum)]
            }
            (None, None, false) if self.counts.is_empty() || self.counts.len() == self.values.len() => {
                let counts = self.counts.iter().copied().chain(std::iter::repeat(1.0));
                self.values.iter().zip(counts).map(|(value, count)| Sample::of(*value, count)).collect()
            }
            (None, None, false) => return Err(bad_value("Values and Counts must be of the same size.")),
            (None, None, true) => {
                let message = format!("The parameter Value is required for the metric {}.", self.metric_name);
                return Err(ApiError::client("MissingParameter", message));
            }
            _ => {
                let message = "Value, StatisticValues and Values must not be used together.";
                return Err(ApiError::client("InvalidParameterCombination", message));
            }
        };
        let metric = Metric {
            namespace: namespace.to_owned(),
            metric_name: self.metric_name,
            dimensions: self.dimensions,
        };
        Ok((metric.sorted(), self.unit, self.timestamp.map(query::time), samples))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct GetMetricData {
    metric_data_queries: Vec<MetricQuery>,
    start_time: f64,
    end_time: f64,
    next_token: Option<String>,
    #[serde(default)]
    scan_by: ScanBy,
    max_datapoints: Option<usize>,
}

#[derive(Deserialize, Default, Clone, Copy, PartialEq)]
enum ScanBy {
    #[default]
    TimestampDescending,
    TimestampAscending,
}

/// The most data points of a page.
const PAGE: usize = 100_800;

pub(super) fn get(world: &World, input: &Value) -> Reply {
    let ask: GetMetricData = parse(input)?;
    if ask.metric_data_queries.len() > 500 {
        return Err(invalid("The collection MetricDataQueries must not have a size greater than 500."));
    }
    query::check(&ask.metric_data_queries)?;
    let (start, end) = (query::time(ask.start_time), query::time(ask.end_time));
    if start >= end {
        return Err(invalid("The parameter StartTime must be less than the parameter EndTime."));
    }
    let mut results = query::run(world, &ask.metric_data_queries, start, end);
    let from = offset(ask.next_token.as_deref())?;
    let to = from + ask.max_datapoints.unwrap_or(PAGE).clamp(1, PAGE);
    let (mut told, mut at) = (Vec::new(), 0);
    for query in ask.metric_data_queries.iter().filter(|query| query.returns_data()) {
        let mut values: Vec<(Time, f64)> =
            results.remove(&query.id).unwrap_or_default().into_iter().collect();
        if ask.scan_by == ScanBy::TimestampDescending {
            values.reverse();
        }
        let (begins, ends) = (at, at + values.len());
        at = ends;
        let page = from.clamp(begins, ends) - begins..to.clamp(begins, ends) - begins;
        // What has no values at all is told of once.
        if !page.is_empty() || (values.is_empty() && from == 0) {
            told.push(result(query, &values[page], ends > to));
        }
    }
    let mut reply = json!({ "MetricDataResults": told, "Messages": [] });
    if at > to {
        reply["NextToken"] = json!(format!("{TOKEN}{to}"));
    }
    Ok(reply)
}

fn result(query: &MetricQuery, values: &[(Time, f64)], goes_on: bool) -> Value {
    let named = query.metric_stat.as_ref().map_or(&query.id, |stat| &stat.metric.metric_name);
    json!({
        "Id": query.id,
        "Label": query.label.as_ref().unwrap_or(named),
        "Timestamps": values.iter().map(|(at, _)| at.epoch_secs()).collect::<Vec<_>>(),
        "Values": values.iter().map(|(_, value)| *value).collect::<Vec<_>>(),
        "StatusCode": if goes_on { "PartialData" } else { "Complete" },
    })
}

const TOKEN: &str = "from:";

fn offset(token: Option<&str>) -> Result<usize, ApiError> {
    let invalid = || ApiError::client("InvalidNextToken", "The next token specified is invalid.");
    let read = |token: &str| token.strip_prefix(TOKEN)?.parse().ok();
    token.map_or(Ok(0), |token| read(token).ok_or_else(invalid))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct GetMetricStatistics {
    namespace: String,
    metric_name: String,
    #[serde(default)]
    dimensions: Vec<Dimension>,
    start_time: f64,
    end_time: f64,
    period: u32,
    #[serde(default)]
    statistics: Vec<String>,
    #[serde(default)]
    extended_statistics: Vec<String>,
    unit: Option<String>,
}

pub(super) fn statistics(world: &World, input: &Value) -> Reply {
    let ask: GetMetricStatistics = parse(input)?;
    query::check_period(ask.period)?;
    if ask.statistics.is_empty() == ask.extended_statistics.is_empty() {
        let message = "Must specify either Statistics or ExtendedStatistics.";
        return Err(ApiError::client("InvalidParameterCombination", message));
    }
    let (start, end) = (query::time(ask.start_time), query::time(ask.end_time));
    if start >= end {
        let message = "The parameter StartTime must be less than the parameter EndTime.";
        return Err(ApiError::client("InvalidParameterCombination", message));
    }
    if end.since(start).as_secs() / u64::from(ask.period) > 1440 {
        let message = "You have requested more datapoints than the limit of 1,440.";
        return Err(ApiError::client("InvalidParameterCombination", message));
    }
    let named = |names: &[String]| {
        names
            .iter()
            .map(|name| Ok((name.clone(), query::check_stat(name)?)))
            .collect::<Result<Vec<_>, ApiError>>()
    };
    let (plain, extended) = (named(&ask.statistics)?, named(&ask.extended_statistics)?);
    let metric =
        Metric { namespace: ask.namespace, metric_name: ask.metric_name.clone(), dimensions: ask.dimensions };
    let series = world.cloudwatch.metrics.series(&metric.sorted());
    let series = series.filter(|series| ask.unit.is_none() || series.unit == ask.unit);
    let periods =
        series.map(|series| series.periods(ask.period, start, end, world.now())).unwrap_or_default();
    let unit = series.and_then(|series| series.unit.as_deref()).unwrap_or("None");
    let point = |(at, sample): (&Time, &Sample)| {
        let mut told = json!({ "Timestamp": at.epoch_secs(), "Unit": unit });
        for (name, stat) in &plain {
            told[name] = json!(stat.of(sample));
        }
        if !extended.is_empty() {
            told["ExtendedStatistics"] = Value::Object(extended_of(&extended, sample));
        }
        told
    };
    Ok(json!({ "Label": ask.metric_name, "Datapoints": periods.iter().map(point).collect::<Vec<_>>() }))
}

fn extended_of(stats: &[(String, Stat)], sample: &Sample) -> Map<String, Value> {
    stats.iter().filter_map(|(name, stat)| Some((name.clone(), json!(stat.of(sample)?)))).collect()
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct ListMetrics {
    namespace: Option<String>,
    metric_name: Option<String>,
    #[serde(default)]
    dimensions: Vec<DimensionFilter>,
    next_token: Option<String>,
    /// `PT3H`: just what is kept here.
    #[serde(rename = "RecentlyActive")]
    _recently: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct DimensionFilter {
    name: String,
    value: Option<String>,
}

impl DimensionFilter {
    fn admits(&self, metric: &Metric) -> bool {
        metric.dimensions.iter().any(|dimension| {
            dimension.name == self.name && self.value.as_ref().is_none_or(|value| *value == dimension.value)
        })
    }
}

/// CloudWatch's page.
const METRICS: usize = 500;

pub(super) fn list(world: &World, input: &Value) -> Reply {
    let ask: ListMetrics = parse(input)?;
    let from = offset(ask.next_token.as_deref())?;
    let admits = |metric: &&Metric| {
        ask.namespace.as_ref().is_none_or(|namespace| *namespace == metric.namespace)
            && ask.metric_name.as_ref().is_none_or(|name| *name == metric.metric_name)
            && ask.dimensions.iter().all(|filter| filter.admits(metric))
    };
    let rest: Vec<&Metric> = world.cloudwatch.metrics.names().filter(admits).skip(from).collect();
    let mut reply = json!({ "Metrics": rest.iter().take(METRICS).collect::<Vec<_>>() });
    if rest.len() > METRICS {
        reply["NextToken"] = json!(format!("{TOKEN}{}", from + METRICS));
    }
    Ok(reply)
}
