//! Reading inputs that came by Query/XML (every scalar a string) or straight from a test, and the
//! errors that many operations share.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::model::{Group, Tag};
use crate::call::{ApiError, Reply};
use crate::world::World;

/// Auto Scaling's error for nearly every mistake of a caller.
pub(super) fn invalid(message: impl Into<String>) -> ApiError {
    ApiError::client("ValidationError", message)
}

/// An optional text.
pub(super) fn text<'a>(input: &'a Value, member: &str) -> Option<&'a str> {
    input[member].as_str().filter(|text| !text.is_empty())
}

/// A required text.
pub(super) fn required<'a>(input: &'a Value, member: &str) -> Result<&'a str, ApiError> {
    text(input, member).ok_or_else(|| {
        invalid(format!(
            "1 validation error detected: Value null at '{}' failed to satisfy constraint: Member must not be null",
            lower(member)
        ))
    })
}

fn lower(member: &str) -> String {
    let mut letters = member.chars();
    letters.next().map(|first| first.to_lowercase().chain(letters).collect()).unwrap_or_default()
}

/// An optional whole number that is not negative.
pub(super) fn number(input: &Value, member: &str) -> Result<Option<u32>, ApiError> {
    let read = match &input[member] {
        Value::Null => return Ok(None),
        Value::String(text) => text.parse().ok(),
        other => other.as_u64().and_then(|number| u32::try_from(number).ok()),
    };
    read.map(Some).ok_or_else(|| invalid(format!("{member} must be a whole number that is not negative")))
}

/// An optional flag.
pub(super) fn flag(input: &Value, member: &str) -> Result<Option<bool>, ApiError> {
    match &input[member] {
        Value::Null => Ok(None),
        Value::Bool(flag) => Ok(Some(*flag)),
        Value::String(text) if text.eq_ignore_ascii_case("true") => Ok(Some(true)),
        Value::String(text) if text.eq_ignore_ascii_case("false") => Ok(Some(false)),
        other => Err(invalid(format!("{member} must be true or false, not {other}"))),
    }
}

/// An optional list; absent is empty. An empty list of a form came as an empty text.
pub(super) fn list<'a>(input: &'a Value, member: &str) -> &'a [Value] {
    input[member].as_array().map(Vec::as_slice).unwrap_or_default()
}

/// An optional list of texts.
pub(super) fn texts(input: &Value, member: &str) -> Vec<String> {
    list(input, member).iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// `Tags[]` of a group.
pub(super) fn tags(input: &Value) -> Result<BTreeMap<String, Tag>, ApiError> {
    let mut tags = BTreeMap::new();
    for tag in list(input, "Tags") {
        let key = required(tag, "Key")?;
        if key.starts_with("aws:") {
            return Err(invalid("Tag keys cannot start with the reserved prefix aws:"));
        }
        let value = text(tag, "Value").unwrap_or_default().to_owned();
        let propagates = flag(tag, "PropagateAtLaunch")?.unwrap_or(false);
        tags.insert(key.to_owned(), Tag { value, propagates });
    }
    Ok(tags)
}

/// The name of the group that a call is for, and that it is there.
pub(super) fn group_name(world: &World, input: &Value) -> Result<String, ApiError> {
    let name = required(input, "AutoScalingGroupName")?;
    let known = world.autoscaling.groups.contains_key(name);
    known.then(|| name.to_owned()).ok_or_else(|| no_group(name))
}

pub(super) fn no_group(name: &str) -> ApiError {
    invalid(format!("AutoScalingGroup name not found - AutoScalingGroup {name} not found"))
}

/// The group of a call.
pub(super) fn group_mut<'a>(world: &'a mut World, input: &Value) -> Result<&'a mut Group, ApiError> {
    let name = required(input, "AutoScalingGroupName")?;
    world.autoscaling.groups.get_mut(name).ok_or_else(|| no_group(name))
}

/// One page of items; a token is the number of items before it.
pub(super) fn page(input: &Value, member: &str, items: Vec<Value>, default: u32, most: u32) -> Reply {
    let size = number(input, "MaxRecords")?.unwrap_or(default);
    if !(1..=most).contains(&size) {
        return Err(invalid(format!("MaxRecords must be between 1 and {most}")));
    }
    let from = match text(input, "NextToken") {
        None => 0,
        Some(token) => token.parse::<usize>().ok().filter(|from| *from <= items.len()).ok_or_else(|| {
            ApiError::client("InvalidNextToken", format!("The token '{token}' is invalid."))
        })?,
    };
    let end = from + size as usize;
    let next = (items.len() > end).then(|| end.to_string());
    let page: Vec<Value> = items.into_iter().skip(from).take(size as usize).collect();
    Ok(json!({ member: page, "NextToken": next }))
}
