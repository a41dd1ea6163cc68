//! What a metric is, a query of one, and what it comes to: the same in alarms and in
//! `GetMetricData`.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::invalid;
use super::math::{Expression, Values};
use super::metrics::Stat;
use crate::call::ApiError;
use crate::time::Time;
use crate::world::World;

/// A dimension.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct Dimension {
    pub(super) name: String,
    pub(super) value: String,
}

/// A metric: two with other dimensions are two.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
#[expect(clippy::struct_field_names, reason = "CloudWatch's names")]
pub(super) struct Metric {
    pub(super) namespace: String,
    pub(super) metric_name: String,
    #[serde(default)]
    pub(super) dimensions: Vec<Dimension>,
}

/// A statistic of a metric.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct MetricStat {
    pub(super) metric: Metric,
    pub(super) period: u32,
    pub(super) stat: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) unit: Option<String>,
}

/// One line of a query: a statistic, or an expression over the others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct MetricQuery {
    pub(super) id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) metric_stat: Option<MetricStat>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) expression: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) label: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) return_data: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) period: Option<u32>,
}

impl MetricQuery {
    /// Whether its values are asked for; they are unless it says otherwise.
    pub(super) fn returns_data(&self) -> bool {
        self.return_data.unwrap_or(true)
    }

    /// As an alarm's event tells it.
    pub(super) fn told(&self) -> Value {
        let mut told = json!({ "id": self.id, "returnData": self.returns_data() });
        if let Some(stat) = &self.metric_stat {
            told["metricStat"] = stat.told();
        }
        for (name, value) in [("expression", &self.expression), ("label", &self.label)] {
            if let Some(value) = value {
                told[name] = json!(value);
            }
        }
        if let Some(period) = self.period {
            told["period"] = json!(period);
        }
        told
    }
}

impl MetricStat {
    fn told(&self) -> Value {
        let dimensions: Map<String, Value> = self
            .metric
            .dimensions
            .iter()
            .map(|dimension| (dimension.name.clone(), json!(dimension.value)))
            .collect();
        let mut told = json!({
            "metric": {
                "namespace": self.metric.namespace,
                "name": self.metric.metric_name,
                "dimensions": dimensions,
            },
            "period": self.period,
            "stat": self.stat,
        });
        if let Some(unit) = &self.unit {
            told["unit"] = json!(unit);
        }
        told
    }
}

/// Checks queries as a whole: ids, statistics, periods, expressions.
pub(super) fn check(queries: &[MetricQuery]) -> Result<(), ApiError> {
    let mut ids = BTreeSet::new();
    for query in queries {
        let id = &query.id;
        let is_word = id.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if !id.starts_with(|c: char| c.is_ascii_lowercase()) || !is_word {
            return Err(invalid(format!("The value {id} for Id must begin with a lower case letter")));
        }
        if !ids.insert(id.as_str()) {
            return Err(invalid(format!("The values for Id must be unique: {id} is there twice")));
        }
    }
    for query in queries {
        match (&query.metric_stat, &query.expression) {
            (Some(stat), None) => {
                check_stat(&stat.stat)?;
                check_period(stat.period)?;
            }
            (None, Some(text)) => check_expression(&query.id, text, queries)?,
            _ => return Err(invalid(format!("{} needs either MetricStat or Expression", query.id))),
        }
    }
    Ok(())
}

pub(super) fn check_stat(text: &str) -> Result<Stat, ApiError> {
    Stat::parse(text).ok_or_else(|| {
        invalid(format!(
            "the embedded CloudWatch does not have the statistic {text}: use Sum, Average, Minimum, Maximum, \
             SampleCount or a percentile such as p99"
        ))
    })
}

/// Whole minutes: values of a finer resolution are not kept here.
pub(super) fn check_period(period: u32) -> Result<(), ApiError> {
    if period == 0 || !period.is_multiple_of(60) {
        return Err(invalid(format!("Period must be a multiple of 60 here, and is {period}")));
    }
    Ok(())
}

fn check_expression(id: &str, text: &str, queries: &[MetricQuery]) -> Result<(), ApiError> {
    let wrong = |reason: String| invalid(format!("Error in expression '{id}': {reason}"));
    let expression = Expression::parse(text).map_err(wrong)?;
    for named in expression.ids() {
        // Expressions over expressions would need an order; metrics are enough.
        if !queries.iter().any(|query| query.id == named && query.metric_stat.is_some()) {
            return Err(wrong(format!("{named} is no MetricStat of this request")));
        }
    }
    expression.values(&|_| Values::new()).map_err(wrong).map(drop)
}

/// What checked queries come to, by id.
pub(super) fn run(
    world: &World,
    queries: &[MetricQuery],
    start: Time,
    end: Time,
) -> BTreeMap<String, Values> {
    let mut results: BTreeMap<String, Values> = BTreeMap::new();
    for query in queries {
        if let Some(stat) = &query.metric_stat {
            results.insert(query.id.clone(), stat.values(world, start, end));
        }
    }
    for query in queries {
        let Some(Ok(expression)) = query.expression.as_deref().map(Expression::parse) else { continue };
        let of = |id: &str| results.get(id).cloned().unwrap_or_default();
        let values = expression.values(&of).unwrap_or_default();
        results.insert(query.id.clone(), values);
    }
    results
}

impl MetricStat {
    fn values(&self, world: &World, start: Time, end: Time) -> Values {
        let series = world.cloudwatch.metrics.series(&self.metric.clone().sorted());
        let (Some(series), Some(wanted)) = (series, Stat::parse(&self.stat)) else { return Values::new() };
        if self.unit.is_some() && self.unit != series.unit {
            return Values::new();
        }
        let periods = series.periods(self.period, start, end, world.now());
        periods.iter().filter_map(|(at, sample)| Some((*at, wanted.of(sample)?))).collect()
    }
}

impl Metric {
    /// The order of dimensions does not matter.
    pub(super) fn sorted(mut self) -> Self {
        self.dimensions.sort();
        self
    }
}

/// A timestamp of an input: seconds since the epoch.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped, and a second's part is kept"
)]
pub(super) fn time(secs: f64) -> Time {
    Time((secs.clamp(0.0, 4e9) * 1000.0).round() as u64)
}
