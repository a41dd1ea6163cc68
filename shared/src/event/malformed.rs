//! An event that was refused, in words for the person who finds it in the dead-letter
//! queue.

use std::fmt;

/// An event that is not what it must be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, serde::Serialize)]
pub struct Malformed {
    /// The field: `detail.image-digest`, `detail.containers[0].cpu`; empty for the event as
    /// a whole.
    pub path: String,
    /// What is the matter with it.
    pub problem: Problem,
    /// The same in words: "missing", "`x` is not an image digest: …".
    pub reason: String,
    /// What the event says it is, where that could be read.
    pub detail_type: Option<String>,
}

/// What can be the matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Problem {
    /// The bytes are not one JSON object.
    NotJson,
    /// JSON, and none of the events that functions get.
    NotAnEvent,
    /// A field that must be there is not.
    Missing,
    /// A field is there, and cannot be what it says.
    Invalid,
}

impl Malformed {
    /// What to do next.
    pub fn next_step(&self) -> &'static str {
        match self.problem {
            Problem::NotJson => "give the event as one JSON object, as EventBridge delivers it",
            Problem::NotAnEvent => {
                "give the whole event as EventBridge delivers it, with `source`, `detail-type` and `detail`; \
                 events/ has one sample of each"
            }
            Problem::Missing | Problem::Invalid => {
                "compare it with the sample of its kind in events/. If it came from AWS, report it as a bug; no \
                 push is lost by it, for the timer looks at every service"
            }
        }
    }

    pub(super) fn not_an_event(reason: impl Into<String>) -> Self {
        Self { path: String::new(), problem: Problem::NotAnEvent, reason: reason.into(), detail_type: None }
    }

    pub(super) fn missing(path: impl Into<String>) -> Self {
        Self { path: path.into(), problem: Problem::Missing, reason: "missing".to_owned(), detail_type: None }
    }

    pub(super) fn invalid(path: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { path: path.into(), problem: Problem::Invalid, reason: reason.into(), detail_type: None }
    }

    pub(super) fn of(self, detail_type: &str) -> Self {
        Self { detail_type: Some(detail_type.to_owned()), ..self }
    }

    /// From serde's error at a tracked path. A missing field is reported by serde at its
    /// parent; people look for the field itself.
    pub(super) fn from_serde(parent: &str, error: &serde_json::Error) -> Self {
        let parent = if parent == "." { "" } else { parent };
        let text = error.to_string();
        let reason = text.rsplit_once(" at line ").map_or(text.as_str(), |(reason, _)| reason);
        if error.is_syntax() || error.is_eof() {
            return Self { problem: Problem::NotJson, ..Self::invalid(parent, text.clone()) };
        }
        let missing = reason.strip_prefix("missing field `").and_then(|rest| rest.strip_suffix('`'));
        match missing {
            Some(field) if parent.is_empty() => Self::missing(field),
            Some(field) => Self::missing(format!("{parent}.{field}")),
            None => Self::invalid(parent, plain(reason)),
        }
    }
}

/// serde's words for types, in people's words.
fn plain(reason: &str) -> String {
    let Some((found, expected)) = reason.rsplit_once(", expected ") else { return reason.to_owned() };
    let expected = match expected {
        "u16" | "u32" | "u64" | "i64" => "a whole number",
        "f64" => "a number",
        "a sequence" => "a list",
        "a map" => "an object",
        other if other.starts_with("struct ") => "an object",
        other => other,
    };
    format!("{found}, expected {expected}")
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.detail_type, self.problem) {
            (_, Problem::NotJson) => f.write_str("not JSON")?,
            (_, Problem::NotAnEvent) => f.write_str("not an event")?,
            (Some(kind), _) => write!(f, "malformed event `{kind}`")?,
            (None, _) => f.write_str("malformed event")?,
        }
        if !self.path.is_empty() {
            write!(f, ", field `{}`", self.path)?;
        }
        write!(f, ": {}. Next: {}", self.reason, self.next_step())
    }
}
