//! What a metric is, and a query of one: the same shapes in alarms and in `GetMetricData`.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

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
