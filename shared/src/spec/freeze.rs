//! When nothing is rolled out: windows by cron expression and time zone.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::problem::Checks;

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

impl FreezeWindow {
    pub(super) fn check_into(&self, checks: &mut Checks) {
        let Self { start, minutes, timezone, reason: _ } = self;
        start.check_into("start", checks);
        // A year: a service that is frozen for longer is on hold.
        checks.range("minutes", *minutes, 1..=527_040);
        timezone.check_into(checks);
    }
}

/// A field of a cron expression: its name, its numbers, its words.
struct Field {
    name: &'static str,
    from: u8,
    to: u8,
    words: &'static [&'static str],
}

const MONTHS: &[&str] = &["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const DAYS: &[&str] = &["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

/// In order. Both 0 and 7 are Sunday.
const FIELDS: [Field; 5] = [
    Field { name: "minute", from: 0, to: 59, words: &[] },
    Field { name: "hour", from: 0, to: 23, words: &[] },
    Field { name: "day of month", from: 1, to: 31, words: &[] },
    Field { name: "month", from: 1, to: 12, words: MONTHS },
    Field { name: "day of week", from: 0, to: 7, words: DAYS },
];

impl Cron {
    /// What is wrong with it: the classic five fields of `*`, numbers, words (`MON`, `JAN`),
    /// ranges, steps and lists.
    fn problem(&self) -> Option<String> {
        let fields: Vec<&str> = self.0.split_whitespace().collect();
        if fields.len() != FIELDS.len() {
            let many = fields.len();
            return Some(format!(
                "`{}` has {many} fields, not 5: minute, hour, day of month, month, day of week (`0 22 * * FRI`)",
                self.0
            ));
        }
        FIELDS.iter().zip(fields).find_map(|(field, text)| {
            let bad = text.split(',').find(|part| !field.takes(part))?;
            Some(format!(
                "`{bad}` is no {}: {} to {}, `*`, ranges, steps or lists",
                field.name, field.from, field.to
            ))
        })
    }

    pub(super) fn check_into(&self, key: &str, checks: &mut Checks) {
        if let Some(problem) = self.problem() {
            checks.refuse(key, problem);
        }
    }
}

impl Field {
    /// `*`, `5`, `1-5`, each perhaps with `/step`.
    fn takes(&self, part: &str) -> bool {
        let (range, step) = part.split_once('/').map_or((part, None), |(range, step)| (range, Some(step)));
        let steps = |step: &str| step.parse::<u8>().is_ok_and(|step| (1..=self.to).contains(&step));
        let ranges = range == "*"
            || match range.split_once('-') {
                None => self.value(range).is_some(),
                Some((from, to)) => self.value(from).zip(self.value(to)).is_some_and(|(from, to)| from <= to),
            };
        ranges && step.is_none_or(steps)
    }

    fn value(&self, text: &str) -> Option<u8> {
        let word = self.words.iter().position(|word| word.eq_ignore_ascii_case(text));
        let value = match word {
            Some(index) => self.from + u8::try_from(index).ok()?,
            None if text.bytes().all(|b| b.is_ascii_digit()) => text.parse().ok()?,
            None => return None,
        };
        (self.from..=self.to).contains(&value).then_some(value)
    }
}

impl TimeZoneName {
    /// Syntax alone: whether the zone exists is for whoever has the time zone database.
    fn is_name(&self) -> bool {
        let good = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'+');
        let part = |part: &str| part.starts_with(|c: char| c.is_ascii_alphabetic()) && part.bytes().all(good);
        self.0 == "UTC" || (self.0.contains('/') && self.0.split('/').all(part))
    }

    pub(super) fn check_into(&self, checks: &mut Checks) {
        let detail = format!("`{}` is no time zone's name: `Europe/Berlin`, `UTC`", self.0);
        checks.need(self.is_name(), "timezone", detail);
    }
}
