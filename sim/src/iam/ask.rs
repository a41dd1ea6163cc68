//! One question to IAM: may this action be done on this resource, in this context?

use std::collections::BTreeMap;

/// The question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ask {
    /// `ecs:UpdateService`
    pub(crate) action: String,
    /// An ARN; `*` where the action has no resource.
    pub(crate) resource: String,
    /// Condition keys in lower case, each with its values.
    keys: BTreeMap<String, Vec<String>>,
    /// Denied, the call goes on and leaves something out.
    pub(crate) hides: Option<Hides>,
}

/// What a call leaves out instead of being refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hides {
    /// `DescribeAlarms`: "You can't return information about composite alarms if your permission has a
    /// narrower scope" than `*`.
    CompositeAlarms,
}

impl Ask {
    pub(crate) fn new(action: impl Into<String>, resource: impl Into<String>) -> Self {
        Self { action: action.into(), resource: resource.into(), keys: BTreeMap::new(), hides: None }
    }

    /// The same with a condition key.
    #[must_use]
    pub(crate) fn key(mut self, key: &str, value: impl Into<String>) -> Self {
        self.keys.entry(key.to_ascii_lowercase()).or_default().push(value.into());
        self
    }

    /// The same with a key for each tag: `aws:ResourceTag` and `windlass:service` make
    /// `aws:ResourceTag/windlass:service`.
    #[must_use]
    pub(crate) fn tags<'t>(self, prefix: &str, tags: impl IntoIterator<Item = (&'t str, &'t str)>) -> Self {
        tags.into_iter().fold(self, |ask, (key, value)| ask.key(&format!("{prefix}/{key}"), value))
    }

    /// The same, where a no hides something instead of refusing the call.
    #[must_use]
    pub(crate) fn hiding(mut self, what: Hides) -> Self {
        self.hides = Some(what);
        self
    }

    /// The names of the condition keys, in lower case.
    #[cfg(test)]
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.keys.keys().map(String::as_str)
    }

    pub(super) fn values(&self, key: &str) -> &[String] {
        self.keys.get(key).map(Vec::as_slice).unwrap_or_default()
    }
}
