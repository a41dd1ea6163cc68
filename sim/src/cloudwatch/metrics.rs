//! What was measured: for each metric and minute the sum, the count, the extremes and a
//! sketch of the values, which tells percentiles to half a percent.
//!
//! AWS keeps minutes for 15 days; here they are kept for three hours, and older ones are
//! dropped. A minute can be read once it is over.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::query::Metric;
use crate::time::Time;

/// How many minutes are kept.
pub(super) const KEPT_MINUTES: u64 = 180;

pub(super) const MINUTE_MS: u64 = 60_000;

/// Every metric's minutes.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Metrics {
    #[serde(with = "entries")]
    series: BTreeMap<Metric, Series>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Series {
    /// The unit of what came last: values of two units are not kept apart here.
    pub(super) unit: Option<String>,
    /// By minutes since the epoch.
    minutes: BTreeMap<u64, Sample>,
}

/// What a period holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Sample {
    pub(super) sum: f64,
    pub(super) count: f64,
    pub(super) min: f64,
    pub(super) max: f64,
    /// Counts by [`bucket`]. Statistic sets leave no values, and so are not in it.
    sketch: BTreeMap<i32, f64>,
}

impl Sample {
    /// `count` times the same value.
    pub(super) fn of(value: f64, count: f64) -> Self {
        let sketch = [(bucket(value), count)].into();
        Self { sum: value * count, count, min: value, max: value, sketch }
    }

    /// A statistic set.
    pub(super) fn set(sum: f64, count: f64, min: f64, max: f64) -> Self {
        Self { sum, count, min, max, sketch: BTreeMap::new() }
    }

    fn merge(&mut self, other: &Self) {
        self.sum += other.sum;
        self.count += other.count;
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
        for (bucket, count) in &other.sketch {
            *self.sketch.entry(*bucket).or_default() += count;
        }
    }

    /// The value that `share` (0 to 1) of all values do not exceed. `None` where statistic
    /// sets took part, which have no values.
    fn percentile(&self, share: f64) -> Option<f64> {
        let known: f64 = self.sketch.values().sum();
        if known < self.count {
            return None;
        }
        if share >= 1.0 {
            return Some(self.max);
        }
        let mut below = 0.0;
        for (bucket, count) in &self.sketch {
            below += count;
            if below >= share * self.count {
                return Some(middle(*bucket).clamp(self.min, self.max));
            }
        }
        Some(self.max)
    }
}

/// Each bucket is one percent wide; zero has its own, and the negative mirror the positive.
const WIDTH: f64 = 1.01;
const OFFSET: i32 = 1_000_000;

#[expect(clippy::cast_possible_truncation, reason = "the logarithm of a double is below 100,000")]
fn bucket(value: f64) -> i32 {
    if value == 0.0 {
        return 0;
    }
    let power = OFFSET + value.abs().log(WIDTH).round() as i32;
    if value > 0.0 { power } else { -power }
}

fn middle(bucket: i32) -> f64 {
    if bucket == 0 {
        return 0.0;
    }
    let value = WIDTH.powi(bucket.abs() - OFFSET);
    if bucket > 0 { value } else { -value }
}

/// A statistic of a period.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Stat {
    Sum,
    Average,
    Minimum,
    Maximum,
    SampleCount,
    /// A share of 1.
    Percentile(f64),
}

impl Stat {
    /// `Sum`, `p99`, `p99.9`; `None` for what is not known here (trimmed means and the like).
    pub(super) fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "Sum" => Self::Sum,
            "Average" => Self::Average,
            "Minimum" => Self::Minimum,
            "Maximum" => Self::Maximum,
            "SampleCount" => Self::SampleCount,
            other => {
                let percent: f64 = other.strip_prefix('p')?.parse().ok()?;
                (0.0..=100.0).contains(&percent).then_some(Self::Percentile(percent / 100.0))?
            }
        })
    }

    pub(super) fn of(self, sample: &Sample) -> Option<f64> {
        match self {
            Self::Sum => Some(sample.sum),
            Self::Average => Some(sample.sum / sample.count),
            Self::Minimum => Some(sample.min),
            Self::Maximum => Some(sample.max),
            Self::SampleCount => Some(sample.count),
            Self::Percentile(share) => sample.percentile(share),
        }
    }
}

impl Metrics {
    /// Adds to a metric's minute at `at`. What is older than is kept is dropped.
    pub(super) fn record(
        &mut self,
        metric: Metric,
        unit: Option<&str>,
        at: Time,
        now: Time,
        sample: &Sample,
    ) {
        let minute = at.0 / MINUTE_MS;
        let oldest = oldest(now);
        if minute < oldest || sample.count <= 0.0 {
            return;
        }
        let series = self.series.entry(metric).or_default();
        if series.unit.as_deref() != unit {
            series.unit = unit.map(str::to_owned);
        }
        if series.minutes.keys().next().is_some_and(|first| *first < oldest) {
            series.minutes = series.minutes.split_off(&oldest);
        }
        match series.minutes.get_mut(&minute) {
            Some(found) => found.merge(sample),
            None => drop(series.minutes.insert(minute, sample.clone())),
        }
    }

    /// Drops what is too old, and metrics of which nothing is left.
    pub(super) fn sweep(&mut self, now: Time) {
        let oldest = oldest(now);
        self.series.retain(|_, series| series.minutes.keys().next_back().is_some_and(|last| *last >= oldest));
    }

    /// The metrics that have data.
    pub(super) fn names(&self) -> impl Iterator<Item = &Metric> {
        self.series.keys()
    }

    pub(super) fn series(&self, metric: &Metric) -> Option<&Series> {
        self.series.get(metric)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.series.is_empty()
    }
}

impl Series {
    /// The sum of the minute that `at` is in.
    pub(super) fn sum_at(&self, at: Time) -> f64 {
        self.minutes.get(&(at.0 / MINUTE_MS)).map_or(0.0, |sample| sample.sum)
    }

    /// Periods from `start` on that begin before `end`, by their beginning, of minutes that
    /// are over.
    pub(super) fn periods(
        &self,
        period_secs: u32,
        start: Time,
        end: Time,
        now: Time,
    ) -> BTreeMap<Time, Sample> {
        let period_ms = u64::from(period_secs.max(60)) * 1000;
        let first = start.0 / period_ms * period_ms;
        let mut periods: BTreeMap<Time, Sample> = BTreeMap::new();
        for (minute, sample) in self.minutes.range(first / MINUTE_MS..now.0 / MINUTE_MS) {
            let begins = Time(minute * MINUTE_MS / period_ms * period_ms);
            if begins >= end {
                break;
            }
            match periods.get_mut(&begins) {
                Some(found) => found.merge(sample),
                None => drop(periods.insert(begins, sample.clone())),
            }
        }
        periods
    }
}

fn oldest(now: Time) -> u64 {
    (now.0 / MINUTE_MS).saturating_sub(KEPT_MINUTES)
}

/// JSON's keys are strings, so a map by metrics is kept as a list.
mod entries {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Deserializer, Serializer};

    use super::{Metric, Series};

    pub(super) fn serialize<S: Serializer>(map: &BTreeMap<Metric, Series>, to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(map)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<BTreeMap<Metric, Series>, D::Error> {
        Ok(Vec::<(Metric, Series)>::deserialize(from)?.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn many(values: impl IntoIterator<Item = f64>) -> Sample {
        let mut samples = values.into_iter().map(|value| Sample::of(value, 1.0));
        let mut all = samples.next().unwrap();
        samples.for_each(|sample| all.merge(&sample));
        all
    }

    #[test]
    fn percentiles_are_within_half_a_percent() {
        let sample = many((1..=1000).map(|ms| f64::from(ms) / 1000.0));
        for (stat, expected) in [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999), ("p100", 1.0)] {
            let found = Stat::parse(stat).unwrap().of(&sample).unwrap();
            assert!((found - expected).abs() <= expected * 0.0051, "{stat}: {found}");
        }
        assert_eq!(
            Stat::parse("p99").unwrap().of(&Sample::of(0.005, 40.0)),
            Some(0.005),
            "one value is exact"
        );
        assert_eq!(Stat::parse("p50").unwrap().of(&many([-1.0, 0.0, 1.0])), Some(0.0));
        assert_eq!(Stat::parse("p50").unwrap().of(&Sample::set(6.0, 3.0, 1.0, 3.0)), None);
    }

    #[test]
    fn what_is_no_statistic_here() {
        for text in ["", "p", "p101", "tm99", "IQM", "sum"] {
            assert_eq!(Stat::parse(text), None, "{text}");
        }
    }
}
