//! When nothing is rolled out: windows by cron expression and time zone.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

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
