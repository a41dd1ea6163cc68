//! awsJson 1.0 and 1.1.

use http::HeaderMap;
use serde_json::{Map, Value, json};

use super::{Decoded, HttpReply};
use crate::call::{ApiError, Reply, ServiceId};

/// `X-Amz-Target` is `<prefix>.<operation>`.
const PREFIXES: [(&str, ServiceId); 7] = [
    ("AmazonEC2ContainerServiceV20141113", ServiceId::Ecs),
    ("AmazonEC2ContainerRegistry_V20150921", ServiceId::Ecr),
    ("AmazonSSM", ServiceId::Ssm),
    ("AWSEvents", ServiceId::Events),
    ("DynamoDB_20120810", ServiceId::DynamoDb),
    ("GraniteServiceVersion20100801", ServiceId::CloudWatch),
    ("AnyScaleFrontendService", ServiceId::ApplicationAutoScaling),
];

pub(super) fn decode(headers: &HeaderMap, body: &[u8]) -> Decoded {
    let target = headers.get("x-amz-target").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (prefix, operation) = target.rsplit_once('.').unwrap_or((target, ""));
    let known = PREFIXES.iter().find(|(name, _)| *name == prefix);
    let Some((_, service)) = known.filter(|_| !operation.is_empty()) else {
        let message = format!("no service here has the target {target}");
        return Err((ServiceId::Ecs, ApiError::client("UnknownOperationException", message)));
    };
    let input = input(body).map_err(|message| {
        let error = ApiError::client("SerializationException", message);
        (*service, error)
    })?;
    Ok((*service, operation.to_owned(), input))
}

/// An empty body is an empty input, as AWS reads it.
fn input(body: &[u8]) -> Result<Value, String> {
    if body.is_empty() {
        return Ok(json!({}));
    }
    match serde_json::from_slice(body) {
        Ok(value @ Value::Object(_)) => Ok(value),
        Ok(_) => Err("Start of structure or map found where not expected.".into()),
        Err(error) => Err(error.to_string()),
    }
}

pub(super) fn encode(content_type: &'static str, reply: Reply) -> HttpReply {
    let mut headers = vec![("content-type", content_type.to_owned())];
    let (status, body) = match reply {
        // An operation without output answers with an empty object.
        Ok(Value::Null) => (200, json!({})),
        Ok(output) => (200, output),
        Err(error) => {
            headers.push(("x-amzn-errortype", error.code.clone()));
            (error.status, self::error(error))
        }
    };
    HttpReply { status, headers, body: body.to_string().into() }
}

/// A service that once spoke Query: the code that clients go by is in a header of its own.
pub(super) fn encode_query_compatible(reply: Reply) -> HttpReply {
    let header = reply.as_ref().err().map(query_error);
    let mut http = encode("application/x-amz-json-1.0", reply);
    http.headers.extend(header.map(|value| ("x-amzn-query-error", value)));
    http
}

/// `<code>;Sender`
pub(super) fn query_error(error: &ApiError) -> String {
    let kind = if error.status < 500 { "Sender" } else { "Receiver" };
    format!("{};{kind}", error.code)
}

/// An error's members, its code among them.
pub(super) fn error(error: ApiError) -> Value {
    let mut members: Map<String, Value> = error.extra.map(|extra| *extra).unwrap_or_default();
    members.insert("__type".into(), error.code.into());
    members.insert("message".into(), error.message.into());
    Value::Object(members)
}
