//! Whether it is frozen now, by which window, until when; in bounded time.
//!
//! A window's start that the clocks jump over (02:30 in the night of spring) begins when it
//! would have without the jump: an hour of the clock later, which is the same instant. One
//! that comes twice (02:30 in autumn) begins the first time, once.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, ToSpan as _};

use super::cron::Minutes;
use super::{Cron, FreezeWindow, TimeZoneName};
use crate::id::Timestamp;

/// Windows that follow one another without a gap are one freeze, up to this many of them.
const MOST: usize = 1000;
/// The days of a year, and one of a leap year.
const YEAR: i64 = 366;

/// A freeze that holds now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frozen<'a> {
    /// The window that holds now; of several, the one that began last.
    pub window: &'a FreezeWindow,
    /// When that began.
    pub since: Timestamp,
    /// When nothing is frozen any more, with every window that follows without a gap; where
    /// they never end, how far was looked.
    pub until: Timestamp,
}

/// The freeze that holds at `now`, if one does.
pub fn frozen<'a>(windows: impl IntoIterator<Item = &'a FreezeWindow>, now: Timestamp) -> Option<Frozen<'a>> {
    let windows: Vec<_> = windows.into_iter().filter_map(Ready::of).collect();
    let (first, since) = latest(&windows, now)?;
    let mut until = first.end(since);
    for _ in 0..MOST {
        // The end itself is free, unless another window holds then.
        let Some(next) = windows.iter().filter_map(|w| Some(w.end(w.start_before(until)?))).max() else {
            break;
        };
        if next <= until {
            break;
        }
        until = next;
    }
    Some(Frozen { window: first.window, since, until })
}

fn latest<'w, 'a>(windows: &'w [Ready<'a>], now: Timestamp) -> Option<(&'w Ready<'a>, Timestamp)> {
    let held = windows.iter().filter_map(|window| Some((window, window.start_before(now)?)));
    held.max_by_key(|(_, since)| *since)
}

/// A window that was read. Its spec was checked, so that none is lost here.
struct Ready<'a> {
    window: &'a FreezeWindow,
    minutes: Minutes,
    zone: TimeZone,
    lasts: SignedDuration,
}

impl<'a> Ready<'a> {
    fn of(window: &'a FreezeWindow) -> Option<Self> {
        let minutes = Minutes::read(window.start.as_str()).ok()?;
        let zone = window.timezone.zone()?;
        let lasts = SignedDuration::from_mins(i64::from(window.minutes));
        Some(Self { window, minutes, zone, lasts })
    }

    fn end(&self, since: Timestamp) -> Timestamp {
        since.saturating_add(self.lasts).unwrap_or(Timestamp::MAX)
    }

    /// The latest start whose window holds at `at`.
    fn start_before(&self, at: Timestamp) -> Option<Timestamp> {
        let days = i64::from(self.window.minutes / 1440) + 3;
        latest_start(&self.minutes, &self.zone, at, days).filter(|start| at < self.end(*start))
    }
}

/// The last time up to `at` that a cron expression names; `None` where it names none within a
/// year before.
pub fn last_start(cron: &Cron, zone: &TimeZoneName, at: Timestamp) -> Option<Timestamp> {
    let minutes = Minutes::read(cron.as_str()).ok()?;
    latest_start(&minutes, &zone.zone()?, at, YEAR)
}

/// Day by day back from `at`, for so many days and one ahead, for clocks that were put forward
/// or back.
fn latest_start(minutes: &Minutes, zone: &TimeZone, at: Timestamp, days: i64) -> Option<Timestamp> {
    let today = zone.to_datetime(at).date();
    let dates = (-1..days).filter_map(|back| today.checked_sub(back.days()).ok());
    let starts = dates
        .filter(|date| minutes.has_day(*date))
        .flat_map(|date| minutes.of_day(date).filter_map(|minute| zone.to_timestamp(minute).ok()));
    // Not sorted by instant in the night that the clocks change: of one day, the latest.
    let mut found: Option<Timestamp> = None;
    for start in starts {
        if found.is_some_and(|found| start.duration_until(found) > SignedDuration::from_hours(3)) {
            break;
        }
        if start <= at && found.is_none_or(|found| found < start) {
            found = Some(start);
        }
    }
    found
}
