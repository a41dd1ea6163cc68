//! When nothing is rolled out: windows by cron expression and time zone.
//!
//! | question | where |
//! |---|---|
//! | which minutes an expression names | `cron` |
//! | whether it is frozen now, by which window, until when | `frozen` |

mod cron;
mod frozen;
#[cfg(test)]
mod tests;

use jiff::tz::TimeZone;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::frozen::{Frozen, frozen, last_start};
use super::problem::{Checks, nearest};

/// A time in which nothing is rolled out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FreezeWindow {
    /// When it begins.
    pub start: Cron,
    /// How long it lasts.
    pub minutes: u32,
    /// In which time zone `start` is meant.
    #[serde(default)]
    pub timezone: TimeZoneName,
    /// Why, for the report.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A cron expression of five fields: minute, hour, day of month, month, day of week.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Cron(String);

impl Cron {
    /// Takes the text as it is; [`super::ServiceSpec`]'s checks read it.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A time zone by its IANA name: `Europe/Berlin`, `UTC`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct TimeZoneName(String);

impl TimeZoneName {
    /// Takes the text as it is; [`super::ServiceSpec`]'s checks read it.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for TimeZoneName {
    fn default() -> Self {
        Self("UTC".into())
    }
}

impl std::fmt::Display for FreezeWindow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "`{}` for {} min, {}", self.start.as_str(), self.minutes, self.timezone.as_str())
    }
}

impl FreezeWindow {
    pub(super) fn check_into(&self, checks: &mut Checks) {
        let Self { start, minutes, timezone, reason: _ } = self;
        start.check_into("start", checks);
        // A year: a service that is frozen for longer is on hold.
        checks.range("minutes", *minutes, 1..=527_040);
        timezone.check_into(checks);
    }
}

impl Cron {
    pub(super) fn check_into(&self, key: &str, checks: &mut Checks) {
        if let Err(problem) = cron::Minutes::read(&self.0) {
            checks.refuse(key, problem);
        }
    }
}

impl TimeZoneName {
    /// The zone, if the database that comes with the program has it.
    fn zone(&self) -> Option<TimeZone> {
        let zone = TimeZone::get(&self.0).ok()?;
        // POSIX strings and the like read too, and are no names.
        (zone.iana_name() == Some(self.0.as_str())).then_some(zone)
    }

    pub(super) fn check_into(&self, checks: &mut Checks) {
        if self.zone().is_some() {
            return;
        }
        let known: Vec<String> = jiff::tz::db().available().map(|name| name.to_string()).collect();
        let detail = match nearest(&self.0, known.iter().map(String::as_str)) {
            Some(nearest) => format!("`{}` is no time zone: did you mean `{nearest}`?", self.0),
            None => format!("`{}` is no time zone: names are such as `Europe/Berlin`, `UTC`", self.0),
        };
        checks.refuse("timezone", detail);
    }
}
