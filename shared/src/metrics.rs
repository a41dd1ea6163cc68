//! What the functions count, and how CloudWatch reads it: its embedded metric format, one line of JSON
//! among a function's logs, of which CloudWatch makes metrics without a call.
//!
//! The format: <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>.
//! Each metric has the dimension `FunctionName`, and those of a cluster `Cluster` beside it: few enough
//! that a month of them costs less than a dollar for each cluster.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::id::{ClusterName, Timestamp};

/// The namespace.
pub const NAMESPACE: &str = "Windlass";
/// CloudWatch takes so many values of one metric in one line.
const MOST_VALUES: usize = 100;

/// A metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Metric {
    /// Passes that ended.
    Passes,
    /// Passes that failed: each is tried again.
    PassesFailed,
    /// Rollouts that were begun.
    RolloutsBegun,
    /// Releases that became live.
    ReleasesLive,
    /// Releases that failed, or were rolled back.
    ReleasesRolledBack,
    /// From an image's push to the end of its rollout.
    PushToLive,
    /// Events that are not what they say they are.
    MalformedEvents,
    /// Requests to AWS.
    Calls,
    /// Requests that AWS refused as too many.
    Throttles,
    /// Container instances of a cluster.
    Instances,
    /// Tasks of a cluster without a place.
    TasksWithoutPlace,
}

impl Metric {
    /// Every one.
    pub const ALL: [Self; 11] = [
        Self::Passes,
        Self::PassesFailed,
        Self::RolloutsBegun,
        Self::ReleasesLive,
        Self::ReleasesRolledBack,
        Self::PushToLive,
        Self::MalformedEvents,
        Self::Calls,
        Self::Throttles,
        Self::Instances,
        Self::TasksWithoutPlace,
    ];

    /// Its name in CloudWatch.
    pub fn name(self) -> &'static str {
        match self {
            Self::Passes => "Passes",
            Self::PassesFailed => "PassesFailed",
            Self::RolloutsBegun => "RolloutsBegun",
            Self::ReleasesLive => "ReleasesLive",
            Self::ReleasesRolledBack => "ReleasesRolledBack",
            Self::PushToLive => "PushToLive",
            Self::MalformedEvents => "MalformedEvents",
            Self::Calls => "Calls",
            Self::Throttles => "Throttles",
            Self::Instances => "Instances",
            Self::TasksWithoutPlace => "TasksWithoutPlace",
        }
    }

    fn unit(self) -> &'static str {
        match self {
            Self::PushToLive => "Seconds",
            _ => "Count",
        }
    }
}

/// What was counted since the last line.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Tally {
    of: BTreeMap<Option<ClusterName>, BTreeMap<Metric, Vec<f64>>>,
}

impl Tally {
    /// So many more.
    pub fn count(&mut self, metric: Metric, more: u32) {
        if more == 0 {
            return;
        }
        let values = self.of.entry(None).or_default().entry(metric).or_default();
        match values.first_mut() {
            Some(sum) => *sum += f64::from(more),
            None => values.push(f64::from(more)),
        }
    }

    /// A value beside those that there are.
    pub fn value(&mut self, metric: Metric, value: f64) {
        self.of.entry(None).or_default().entry(metric).or_default().push(value);
    }

    /// How it stands with a cluster: the last one counts.
    pub fn of_cluster(&mut self, cluster: &ClusterName, metric: Metric, value: f64) {
        self.of.entry(Some(cluster.clone())).or_default().insert(metric, vec![value]);
    }

    /// The sum of what was counted of a metric.
    pub fn sum(&self, metric: Metric) -> f64 {
        self.of.values().filter_map(|metrics| metrics.get(&metric)).flatten().sum()
    }

    /// The lines for the log: one for the function, and one for each cluster.
    pub fn lines(&self, function: &str, at: Timestamp) -> Vec<String> {
        self.of.iter().map(|(cluster, metrics)| line(function, cluster.as_ref(), metrics, at)).collect()
    }
}

fn line(
    function: &str,
    cluster: Option<&ClusterName>,
    metrics: &BTreeMap<Metric, Vec<f64>>,
    at: Timestamp,
) -> String {
    let mut dimensions = vec!["FunctionName"];
    let mut members = serde_json::Map::new();
    members.insert("FunctionName".to_owned(), function.into());
    if let Some(cluster) = cluster {
        dimensions.push("Cluster");
        members.insert("Cluster".to_owned(), cluster.as_str().into());
    }
    let mut directives = Vec::new();
    for (metric, values) in metrics {
        directives.push(json!({"Name": metric.name(), "Unit": metric.unit()}));
        let values = &values[..values.len().min(MOST_VALUES)];
        let said = if let [value] = values { json!(value) } else { json!(values) };
        members.insert(metric.name().to_owned(), said);
    }
    let directive = json!({"Namespace": NAMESPACE, "Dimensions": [dimensions], "Metrics": directives});
    members.insert(
        "_aws".to_owned(),
        json!({"Timestamp": at.as_millisecond(), "CloudWatchMetrics": [directive]}),
    );
    Value::Object(members).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at() -> Timestamp {
        "2026-11-23T14:30:00Z".parse().unwrap()
    }

    #[test]
    fn a_line_is_what_cloudwatch_reads() {
        let mut tally = Tally::default();
        tally.count(Metric::Passes, 2);
        tally.count(Metric::Passes, 1);
        tally.count(Metric::PassesFailed, 0);
        tally.value(Metric::PushToLive, 61.5);
        tally.value(Metric::PushToLive, 90.0);
        let lines = tally.lines("windlass-DeployFunction", at());
        insta::assert_snapshot!(lines.join("\n"), @r#"{"FunctionName":"windlass-DeployFunction","Passes":3.0,"PushToLive":[61.5,90.0],"_aws":{"CloudWatchMetrics":[{"Dimensions":[["FunctionName"]],"Metrics":[{"Name":"Passes","Unit":"Count"},{"Name":"PushToLive","Unit":"Seconds"}],"Namespace":"Windlass"}],"Timestamp":1795444200000}}"#);
    }

    #[test]
    fn a_cluster_has_a_line_of_its_own_and_its_last_value() {
        let mut tally = Tally::default();
        tally.of_cluster(&ClusterName::new("main"), Metric::Instances, 3.0);
        tally.of_cluster(&ClusterName::new("main"), Metric::Instances, 2.0);
        tally.of_cluster(&ClusterName::new("batch"), Metric::Instances, 7.0);
        insta::assert_snapshot!(tally.lines("windlass-ScaleFunction", at()).join("\n"), @r#"
        {"Cluster":"batch","FunctionName":"windlass-ScaleFunction","Instances":7.0,"_aws":{"CloudWatchMetrics":[{"Dimensions":[["FunctionName","Cluster"]],"Metrics":[{"Name":"Instances","Unit":"Count"}],"Namespace":"Windlass"}],"Timestamp":1795444200000}}
        {"Cluster":"main","FunctionName":"windlass-ScaleFunction","Instances":2.0,"_aws":{"CloudWatchMetrics":[{"Dimensions":[["FunctionName","Cluster"]],"Metrics":[{"Name":"Instances","Unit":"Count"}],"Namespace":"Windlass"}],"Timestamp":1795444200000}}
        "#);
    }

    #[test]
    fn nothing_counted_is_no_line() {
        assert_eq!(Tally::default().lines("f", at()), Vec::<String>::new());
    }

    #[test]
    fn every_metric_has_a_name_of_its_own() {
        let names: std::collections::BTreeSet<_> = Metric::ALL.iter().map(|metric| metric.name()).collect();
        assert_eq!(names.len(), Metric::ALL.len());
    }

    #[test]
    fn one_line_takes_no_more_values_than_cloudwatch() {
        let mut tally = Tally::default();
        (0..500).for_each(|value| tally.value(Metric::PushToLive, f64::from(value)));
        let line: Value = serde_json::from_str(&tally.lines("f", at())[0]).unwrap();
        assert_eq!(line["PushToLive"].as_array().unwrap().len(), 100);
    }
}
