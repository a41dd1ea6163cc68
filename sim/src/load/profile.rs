//! How much comes when.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::time::Time;

/// A rate (requests, messages a second) or a value as a function of time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Profile {
    /// Always the same.
    Steady(f64),
    /// From each instant on its value; before the first, none. In order of time.
    Steps(Vec<(Time, f64)>),
    /// Straight from point to point; before the first as there, after the last as there.
    Line(Vec<(Time, f64)>),
    /// Up and down as a cosine: a day, for one.
    Wave {
        /// The lowest value.
        low: f64,
        /// The highest.
        high: f64,
        /// From one peak to the next.
        period: Duration,
        /// A peak.
        peak: Time,
    },
    /// The sum of several.
    Sum(Vec<Profile>),
}

impl Profile {
    /// The value at an instant, never below zero.
    pub fn at(&self, at: Time) -> f64 {
        self.value(at).max(0.0)
    }

    fn value(&self, at: Time) -> f64 {
        match self {
            Self::Steady(value) => *value,
            Self::Steps(steps) => {
                steps.iter().rev().find(|(from, _)| *from <= at).map_or(0.0, |(_, value)| *value)
            }
            Self::Line(points) => line(points, at),
            Self::Wave { low, high, period, peak } => {
                let whole = period.as_secs_f64().max(1.0);
                let turns = (at.epoch_secs() - peak.epoch_secs()) / whole;
                low + (high - low) * (1.0 + (turns * std::f64::consts::TAU).cos()) / 2.0
            }
            Self::Sum(parts) => parts.iter().map(|part| part.value(at)).sum(),
        }
    }
}

fn line(points: &[(Time, f64)], at: Time) -> f64 {
    let after = points.partition_point(|(instant, _)| *instant <= at);
    match (points[..after].last(), points.get(after)) {
        (Some((from, low)), Some((to, high))) => {
            let part = at.since(*from).as_secs_f64() / to.since(*from).as_secs_f64();
            low + (high - low) * part
        }
        (Some((_, value)), None) | (None, Some((_, value))) => *value,
        (None, None) => 0.0,
    }
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "the values are exact")]
mod tests {
    use super::*;

    #[test]
    fn profiles_have_their_values() {
        let at = |secs: u64| Time(secs * 1000);
        let steps = Profile::Steps(vec![(at(10), 5.0), (at(20), 1.0)]);
        assert_eq!([0, 10, 19, 20, 99].map(|secs| steps.at(at(secs))), [0.0, 5.0, 5.0, 1.0, 1.0]);
        let line = Profile::Line(vec![(at(10), 0.0), (at(20), 10.0)]);
        assert_eq!([0, 15, 20, 30].map(|secs| line.at(at(secs))), [0.0, 5.0, 10.0, 10.0]);
        let wave = Profile::Wave { low: 10.0, high: 30.0, period: Duration::from_mins(2), peak: at(30) };
        let found = [30, 60, 90, 150].map(|secs| wave.at(at(secs)).round());
        assert_eq!(found, [30.0, 20.0, 10.0, 30.0]);
        let sum = Profile::Sum(vec![steps, Profile::Steady(-3.0)]);
        assert_eq!([0, 10].map(|secs| sum.at(at(secs))), [0.0, 2.0], "never below zero");
        assert_eq!(Profile::Line(Vec::new()).at(at(1)), 0.0);
    }
}
