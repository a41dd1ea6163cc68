//! Reading inputs that came by Query/XML (every scalar a string) or straight from a test
//! (numbers are numbers), and the errors that many operations share.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::str::FromStr;

use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};

use super::quotas::{Quotas, keep};
use crate::call::ApiError;

/// Reads an operation's input.
pub(super) fn read<T: DeserializeOwned>(input: &Value) -> Result<T, ApiError> {
    T::deserialize(input).map_err(|error| invalid(error.to_string()))
}

/// ELBv2's error for an input that no resource needs to be looked at to refuse.
pub(super) fn invalid(message: impl Into<String>) -> ApiError {
    ApiError::client("ValidationError", message)
}

/// A number or a boolean that may have come as a string. With `#[serde(default)]`.
pub(super) fn scalar<'de, D: Deserializer<'de>, T: FromStr<Err: Display>>(
    from: D,
) -> Result<Option<T>, D::Error> {
    let text = match Value::deserialize(from)? {
        Value::Null => return Ok(None),
        Value::String(text) => text,
        other => other.to_string(),
    };
    text.parse().map(Some).map_err(|error| D::Error::custom(format!("'{text}': {error}")))
}

/// `Tags[]`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Pair {
    pub(super) key: String,
    #[serde(default)]
    pub(super) value: String,
}

/// Tags as a map; a key given twice is refused.
pub(super) fn tag_map(quotas: &Quotas, pairs: Vec<Pair>) -> Result<BTreeMap<String, String>, ApiError> {
    let mut tags = BTreeMap::new();
    for pair in pairs {
        let key = pair.key.clone();
        if tags.insert(pair.key, pair.value).is_some() {
            return Err(ApiError::client(
                "DuplicateTagKeys",
                format!("Tag key was specified more than once: {key}"),
            ));
        }
    }
    check_tags(quotas, tags.len())?;
    Ok(tags)
}

/// Whether a resource may have so many tags.
pub(super) fn check_tags(quotas: &Quotas, count: usize) -> Result<(), ApiError> {
    let most = quotas.tags;
    keep(count, most, "TooManyTags", || format!("The maximum number of tags for this resource is '{most}'"))
}

/// `Marker` and `PageSize`, as every Describe takes them.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Paging {
    marker: Option<String>,
    #[serde(default, deserialize_with = "scalar")]
    page_size: Option<usize>,
}

impl Paging {
    /// `{<member>: one page, NextMarker?}`. Items come with the key that a marker is made of,
    /// in any order: the markers' order is theirs.
    pub(super) fn reply(&self, member: &str, items: Vec<(String, Value)>) -> Result<Value, ApiError> {
        let size = self.page_size.unwrap_or(400);
        if !(1..=400).contains(&size) {
            return Err(invalid("Page size must be between 1 and 400"));
        }
        let start = match &self.marker {
            None => 0,
            Some(marker) => {
                1 + items.iter().position(|(key, _)| key == marker).ok_or_else(|| {
                    invalid(format!(
                        "Marker '{marker}' is not valid: what it pointed at is gone, begin again"
                    ))
                })?
            }
        };
        let more = items.len() > start + size;
        let page: Vec<_> = items.into_iter().skip(start).take(size).collect();
        let next = page.last().filter(|_| more).map(|(key, _)| key.clone());
        let values: Vec<_> = page.into_iter().map(|(_, value)| value).collect();
        let mut reply = json!({ member: values });
        if let Some(next) = next {
            reply["NextMarker"] = json!(next);
        }
        Ok(reply)
    }
}

/// A load balancer's or target group's name.
pub(super) fn check_name(kind: &str, name: &str) -> Result<(), ApiError> {
    if name.is_empty() || name.len() > 32 {
        return Err(invalid(format!(
            "{kind} name '{name}' cannot be longer than '32' characters, nor empty"
        )));
    }
    if !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') {
        return Err(invalid(format!(
            "{kind} name '{name}' can only contain characters that are alphanumeric characters and hyphens(-)"
        )));
    }
    if name.starts_with('-') || name.ends_with('-') {
        return Err(invalid(format!("{kind} name '{name}' cannot begin or end with a hyphen(-)")));
    }
    Ok(())
}

pub(super) fn group_not_found(arn: &str) -> ApiError {
    ApiError::client("TargetGroupNotFound", format!("Target groups '{arn}' not found"))
}

pub(super) fn listener_not_found(arn: &str) -> ApiError {
    ApiError::client("ListenerNotFound", format!("Listener '{arn}' not found"))
}

pub(super) fn rule_not_found(arn: &str) -> ApiError {
    ApiError::client("RuleNotFound", format!("Rule '{arn}' not found"))
}

pub(super) fn load_balancer_not_found(name: &str) -> ApiError {
    ApiError::client("LoadBalancerNotFound", format!("Load balancers '[{name}]' not found"))
}
