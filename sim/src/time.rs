//! Instants of the virtual clock.

use std::fmt;
use std::ops::{Add, Sub};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Milliseconds since the Unix epoch, on the virtual clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default)]
#[serde(transparent)]
pub struct Time(pub u64);

impl Time {
    /// Seconds since the epoch with milliseconds as the fraction: awsJson's timestamps.
    #[expect(
        clippy::cast_precision_loss,
        reason = "milliseconds since 1970 fit f64's 53 bits until the year 287396"
    )]
    pub fn epoch_secs(self) -> f64 {
        self.0 as f64 / 1000.0
    }

    /// `2026-11-23T01:02:03.004Z`: EventBridge's and Query/XML's timestamps.
    pub fn iso(self) -> String {
        let (days, ms) = (self.0 / 86_400_000, self.0 % 86_400_000);
        let (year, month, day) = civil(days);
        let (hour, minute, second) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60);
        format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:03}Z", ms % 1000)
    }

    /// The same without the fraction: an event envelope's `time`.
    pub fn iso_secs(self) -> String {
        let iso = self.iso();
        format!("{}Z", &iso[..19])
    }

    /// `Mon, 23 Nov 2026 01:02:03 GMT`: HTTP's `Date`.
    pub fn http_date(self) -> String {
        const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
        const MONTHS: [&str; 12] =
            ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
        let days = self.0 / 86_400_000;
        let (year, month, day) = civil(days);
        let (weekday, month) = (DAYS[index(days % 7)], MONTHS[index(month - 1)]);
        format!("{weekday}, {day:02} {month} {year:04} {} GMT", &self.iso()[11..19])
    }

    /// The begin of a day; nothing where there is no such day from 1970 on.
    pub(crate) fn of_day(year: u16, month: u16, day: u16) -> Option<Self> {
        let (year, month, day) = (u64::from(year), u64::from(month), u64::from(day));
        // The days of years before this one, then within the year: `civil` says which one it is.
        let first = year.checked_sub(1970)? * 365;
        let days = (first..=first + 1000).find(|days| civil(*days) == (year, month, day))?;
        Some(Self(days * 86_400_000))
    }

    /// How long since `earlier`; zero if it is later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

/// Days since 1970-01-01 to a civil date (Howard Hinnant's algorithm, for dates from 1970 on).
fn civil(days: u64) -> (u64, u64, u64) {
    let z = days + 719_468;
    let era = z / 146_097;
    let doe = z % 146_097;
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let day = doy - (153 * mp + 2) / 5 + 1;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    (yoe + era * 400 + u64::from(month <= 2), month, day)
}

/// A small number as an index.
fn index(n: u64) -> usize {
    usize::try_from(n).unwrap_or(0)
}

impl Add<Duration> for Time {
    type Output = Self;

    fn add(self, rhs: Duration) -> Self {
        Self(self.0 + u64::try_from(rhs.as_millis()).unwrap_or(u64::MAX / 2))
    }
}

impl Sub<Time> for Time {
    type Output = Duration;

    fn sub(self, rhs: Time) -> Duration {
        self.since(rhs)
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.iso())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_is_written_as_aws_writes_it() {
        assert_eq!(Time(0).iso(), "1970-01-01T00:00:00.000Z");
        assert_eq!(Time(1_709_210_096_789).iso(), "2024-02-29T12:34:56.789Z");
        assert_eq!(Time(1_709_210_096_789).iso_secs(), "2024-02-29T12:34:56Z");
        assert_eq!(Time(784_111_777_000).http_date(), "Sun, 06 Nov 1994 08:49:37 GMT");
    }
}
