//! Reading a call's input: members by name, references by name or ARN, pages.
//!
//! A member that the model does not know is never looked at, which is how AWS's JSON
//! protocol ignores it; a known one of the wrong type is a `SerializationException`.

use serde_json::{Map, Value, json};

use crate::call::{ApiError, Reply};

/// A client's mistake in a parameter.
pub(crate) fn invalid(message: impl Into<String>) -> ApiError {
    ApiError::client("InvalidParameterException", message)
}

/// A client's mistake that ECS reports as its generic one.
pub(crate) fn client(message: impl Into<String>) -> ApiError {
    ApiError::client("ClientException", message)
}

fn wrong_type(name: &str, wanted: &str) -> ApiError {
    ApiError::client("SerializationException", format!("{name} is not {wanted}"))
}

fn member<'a>(input: &'a Value, name: &str) -> Option<&'a Value> {
    input.get(name).filter(|value| !value.is_null())
}

/// An optional string.
pub(crate) fn text<'a>(input: &'a Value, name: &str) -> Result<Option<&'a str>, ApiError> {
    member(input, name).map(|value| value.as_str().ok_or_else(|| wrong_type(name, "a string"))).transpose()
}

/// A required string.
pub(crate) fn required<'a>(input: &'a Value, name: &str) -> Result<&'a str, ApiError> {
    text(input, name)?
        .filter(|value| !value.is_empty())
        .ok_or_else(|| invalid(format!("{name} can not be blank.")))
}

/// An optional whole number that is not negative.
pub(crate) fn count(input: &Value, name: &str) -> Result<Option<u32>, ApiError> {
    let Some(value) = member(input, name) else { return Ok(None) };
    let number = value.as_i64().ok_or_else(|| wrong_type(name, "an integer"))?;
    u32::try_from(number).map(Some).map_err(|_| invalid(format!("{name} must not be negative.")))
}

/// An optional flag.
pub(crate) fn flag(input: &Value, name: &str) -> Result<Option<bool>, ApiError> {
    member(input, name).map(|value| value.as_bool().ok_or_else(|| wrong_type(name, "a boolean"))).transpose()
}

/// An optional list; absent is empty.
pub(crate) fn list<'a>(input: &'a Value, name: &str) -> Result<&'a [Value], ApiError> {
    match member(input, name) {
        None => Ok(&[]),
        Some(value) => value.as_array().map(Vec::as_slice).ok_or_else(|| wrong_type(name, "a list")),
    }
}

/// An optional list of strings; absent is empty.
pub(crate) fn texts<'a>(input: &'a Value, name: &str) -> Result<Vec<&'a str>, ApiError> {
    list(input, name)?
        .iter()
        .map(|value| value.as_str().ok_or_else(|| wrong_type(name, "a list of strings")))
        .collect()
}

/// Whether `include` names `field`.
pub(crate) fn includes(input: &Value, field: &str) -> Result<bool, ApiError> {
    Ok(texts(input, "include")?.contains(&field))
}

/// What follows the last `/`: the name or id in a short or long ARN, or the text itself.
pub(crate) fn last_part(reference: &str) -> &str {
    reference.rsplit('/').next().unwrap_or(reference)
}

/// The cluster that a call is for: `default` where none is named.
pub(crate) fn cluster_name(input: &Value) -> Result<String, ApiError> {
    Ok(last_part(text(input, "cluster")?.unwrap_or("default")).to_owned())
}

/// The members of `input` that are there and not null, out of `names`.
pub(crate) fn pick(input: &Value, names: &[&str]) -> Map<String, Value> {
    names
        .iter()
        .filter_map(|name| member(input, name).map(|value| ((*name).to_owned(), value.clone())))
        .collect()
}

/// One page of `all` under `key`, with a `nextToken` when more is left. The token is the
/// offset: AWS's are opaque, and so is this one to an honest client.
pub(crate) fn page(input: &Value, key: &str, all: Vec<String>, default: usize, most: usize) -> Reply {
    let size = match count(input, "maxResults")? {
        None => default,
        Some(size) if size >= 1 && size as usize <= most => size as usize,
        Some(_) => return Err(invalid(format!("maxResults must be between 1 and {most}."))),
    };
    let from = match text(input, "nextToken")? {
        None => 0,
        Some(token) => token
            .parse::<usize>()
            .ok()
            .filter(|from| *from <= all.len())
            .ok_or_else(|| invalid("Invalid token."))?,
    };
    let rest = all.len().saturating_sub(from + size);
    let items: Vec<String> = all.into_iter().skip(from).take(size).collect();
    let mut output = json!({ key: items });
    if rest > 0 {
        output["nextToken"] = json!((from + size).to_string());
    }
    Ok(output)
}

/// An entry of `failures[]`.
pub(crate) fn failure(arn: &str, reason: &str) -> Value {
    json!({ "arn": arn, "reason": reason })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_follow_each_other_and_end() {
        let all: Vec<String> = (0..5).map(|n| n.to_string()).collect();
        let first = page(&json!({"maxResults": 3}), "arns", all.clone(), 10, 100).unwrap();
        assert_eq!(first, json!({"arns": ["0", "1", "2"], "nextToken": "3"}));
        let input = json!({"maxResults": 3, "nextToken": "3"});
        assert_eq!(page(&input, "arns", all.clone(), 10, 100).unwrap(), json!({"arns": ["3", "4"]}));
        let bad = page(&json!({"nextToken": "x"}), "arns", all, 10, 100).unwrap_err();
        assert_eq!(bad.code, "InvalidParameterException");
    }

    #[test]
    fn a_member_of_the_wrong_type_is_named() {
        let error = count(&json!({"desiredCount": "2"}), "desiredCount").unwrap_err();
        assert_eq!(
            (error.code.as_str(), error.message.as_str()),
            ("SerializationException", "desiredCount is not an integer")
        );
        assert_eq!(count(&json!({"desiredCount": null}), "desiredCount").unwrap(), None);
    }
}
