//! Both sides' requests, as CloudWatch counted them.
//!
//! `RequestCount`, `HTTPCode_Target_5XX_Count` and `TargetResponseTime` of each target group,
//! minute by minute. What the load balancer answers by itself (502 to 504: no healthy target, a
//! refused or broken connection) it counts for itself and for no group: alarms and the target
//! group's health see that.
//!
//! CloudWatch's minutes are whole ones, and come with a delay: the minute in which the new
//! revision began counts for both sides, and the newest one may still grow.

use aws_sdk_cloudwatch::types::{Dimension, Metric, MetricDataQuery, MetricStat};
use aws_smithy_types::DateTime;
use futures::join;
use windlass_shared::facts::{Fact, FailureKind};
use windlass_shared::id::{TargetGroupArn, Timestamp};
use windlass_shared::verify::{Baseline, Counts, Sides};

use crate::Clients;
use crate::error::Failure;
use crate::observe::convert::fact;

const ACTION: &str = "cloudwatch:GetMetricData";
const NAMESPACE: &str = "AWS/ApplicationELB";
/// A load balancer's metrics are one point a minute.
const PERIOD_SECS: i32 = 60;
/// Longer than this nothing is compared: an older hour says nothing of this one, and the
/// answer stays one page (4 series of 1440 points).
const LONGEST_SECS: i64 = 86_400;

/// Over which time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Window {
    pub(super) since: Timestamp,
    pub(super) now: Timestamp,
    pub(super) baseline: Baseline,
}

impl Window {
    /// From and to, in seconds: the new side's and the old side's. Whole minutes.
    fn spans(&self) -> ((i64, i64), (i64, i64)) {
        let minute = i64::from(PERIOD_SECS);
        let to = self.now.as_second().div_euclid(minute) * minute + minute;
        let from = self.since.as_second().div_euclid(minute) * minute;
        let from = from.max(to - LONGEST_SECS).min(to - minute);
        match self.baseline {
            Baseline::Beside => ((from, to), (from, to)),
            Baseline::Before => ((from, to), (from - (to - from), from)),
        }
    }
}

pub(super) async fn sides(
    clients: &Clients,
    new: &TargetGroupArn,
    old: &TargetGroupArn,
    window: Window,
) -> Fact<Sides> {
    let (of_new, of_old) = window.spans();
    let found = join!(counts(clients, new, of_new), counts(clients, old, of_old));
    let found = match found {
        (Ok(new), Ok(old)) => Ok(Some(Sides { new, old })),
        (Err(failure), _) | (_, Err(failure)) => Err(failure),
    };
    fact(found, || "reading the requests of both revisions".to_owned())
}

async fn counts(clients: &Clients, group: &TargetGroupArn, span: (i64, i64)) -> Result<Counts, Failure> {
    let dimensions = dimensions(clients, group).await?;
    let query = |id: &str, metric: &str, stat: &str| {
        let metric = Metric::builder()
            .namespace(NAMESPACE)
            .metric_name(metric)
            .set_dimensions(Some(dimensions.clone()));
        let stat = MetricStat::builder().metric(metric.build()).period(PERIOD_SECS).stat(stat).build();
        MetricDataQuery::builder().id(id).metric_stat(stat).build()
    };
    let queries = vec![
        query("requests", "RequestCount", "Sum"),
        query("errors", "HTTPCode_Target_5XX_Count", "Sum"),
        query("took", "TargetResponseTime", "Sum"),
        query("timed", "TargetResponseTime", "SampleCount"),
    ];
    let mut pages = clients
        .cloudwatch
        .get_metric_data()
        .set_metric_data_queries(Some(queries))
        .start_time(DateTime::from_secs(span.0))
        .end_time(DateTime::from_secs(span.1))
        .into_paginator()
        .send();
    let mut sums = Sums::default();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| Failure::new(ACTION, &error))?;
        for series in page.metric_data_results() {
            sums.add(series.id().unwrap_or_default(), series.values().iter().sum());
        }
    }
    Ok(sums.counts())
}

/// A target group's metrics carry its load balancer too: ECS's groups stand behind one.
async fn dimensions(clients: &Clients, group: &TargetGroupArn) -> Result<Vec<Dimension>, Failure> {
    const DESCRIBE: &str = "elasticloadbalancing:DescribeTargetGroups";
    let sent = clients.elb.describe_target_groups().target_group_arns(group.as_str()).send().await;
    let described = sent.map_err(|error| Failure::new(DESCRIBE, &error))?;
    let balancer = described.target_groups().first().and_then(|it| it.load_balancer_arns().first());
    let balancer = balancer.and_then(|arn| arn.split_once(":loadbalancer/")).map(|(_, id)| id);
    let id = group.as_str().rsplit(':').next().unwrap_or_default();
    let Some(balancer) = balancer else {
        let message = format!("{id} stands behind no load balancer");
        return Err(Failure { action: DESCRIBE, kind: FailureKind::Invalid, code: None, message });
    };
    let dimension = |name: &str, value: &str| Dimension::builder().name(name).value(value).build();
    Ok(vec![dimension("LoadBalancer", balancer), dimension("TargetGroup", id)])
}

#[derive(Debug, Default)]
struct Sums {
    requests: f64,
    errors: f64,
    took_secs: f64,
    timed: f64,
}

impl Sums {
    fn add(&mut self, id: &str, sum: f64) {
        match id {
            "requests" => self.requests += sum,
            "errors" => self.errors += sum,
            "took" => self.took_secs += sum,
            "timed" => self.timed += sum,
            _ => {}
        }
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "`as` saturates; counts are no less than 0"
    )]
    fn counts(&self) -> Counts {
        let latency = (self.timed > 0.0).then(|| (self.took_secs / self.timed * 1_000_000.0).round() as u64);
        Counts { requests: self.requests as u32, errors: self.errors as u32, latency_us: latency }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_whole_minutes_beside_or_before_each_other() {
        let at = |secs: i64| Timestamp::from_second(secs).unwrap();
        let window = |baseline| Window { since: at(605), now: at(905), baseline };
        assert_eq!(window(Baseline::Beside).spans(), ((600, 960), (600, 960)));
        assert_eq!(window(Baseline::Before).spans(), ((600, 960), (240, 600)));
        let long = Window { since: at(0), now: at(1_000_000), baseline: Baseline::Beside };
        let ((from, to), _) = long.spans();
        assert_eq!(to - from, LONGEST_SECS);
    }

    #[test]
    fn latency_is_the_mean_over_all_requests_and_none_without_any() {
        let sums = Sums { requests: 3.0, errors: 1.0, took_secs: 0.6, timed: 3.0 };
        assert_eq!(sums.counts(), Counts { requests: 3, errors: 1, latency_us: Some(200_000) });
        assert_eq!(Sums::default().counts(), Counts::default());
    }
}
