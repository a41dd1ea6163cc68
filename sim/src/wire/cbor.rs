//! Smithy's RPC v2 over CBOR: `POST /service/<service>/operation/<operation>`, input and
//! output as one map. Timestamps are tagged; JSON has no tags, so what is one is told by its
//! member's name.

use ciborium::Value as Cbor;
use http::{HeaderMap, Uri};
use serde_json::{Map, Number, Value, json};

use super::{Decoded, HttpReply};
use crate::call::{ApiError, Reply, ServiceId};

const SERVICES: [(&str, ServiceId); 1] = [("GraniteServiceVersion20100801", ServiceId::CloudWatch)];

/// RFC 8949: seconds since the epoch.
const TIMESTAMP: u64 = 1;

/// Whether a request speaks it.
pub(super) fn claims(headers: &HeaderMap) -> bool {
    headers.get("smithy-protocol").is_some_and(|value| value == "rpc-v2-cbor")
}

pub(super) fn decode(uri: &Uri, body: &[u8]) -> Decoded {
    let parts: Vec<&str> = uri.path().trim_start_matches('/').split('/').collect();
    let ["service", prefix, "operation", operation] = parts.as_slice() else {
        return Err(unknown(uri));
    };
    let Some((_, service)) = SERVICES.iter().find(|(name, _)| name == prefix) else {
        return Err(unknown(uri));
    };
    let input =
        input(body).map_err(|reason| (*service, ApiError::client("SerializationException", reason)))?;
    Ok((*service, (*operation).to_owned(), input))
}

fn unknown(uri: &Uri) -> (ServiceId, ApiError) {
    let message = format!("no service here has the path {}", uri.path());
    (ServiceId::CloudWatch, ApiError::client("UnknownOperationException", message).with_status(404))
}

fn input(body: &[u8]) -> Result<Value, String> {
    if body.is_empty() {
        return Ok(json!({}));
    }
    let read: Cbor = ciborium::from_reader(body).map_err(|error| error.to_string())?;
    match to_json(read)? {
        value @ Value::Object(_) => Ok(value),
        _ => Err("the input is not a map".into()),
    }
}

fn to_json(value: Cbor) -> Result<Value, String> {
    Ok(match value {
        Cbor::Null => Value::Null,
        Cbor::Bool(flag) => Value::Bool(flag),
        Cbor::Integer(number) => {
            let number = i128::from(number);
            Value::Number(Number::from_i128(number).ok_or("an integer beyond 64 bits")?)
        }
        Cbor::Float(number) => Value::Number(Number::from_f64(number).ok_or("a number that is not finite")?),
        Cbor::Text(text) => Value::String(text),
        Cbor::Tag(TIMESTAMP, inner) => to_json(*inner)?,
        Cbor::Array(items) => Value::Array(items.into_iter().map(to_json).collect::<Result<_, _>>()?),
        Cbor::Map(members) => {
            let member = |(name, value): (Cbor, Cbor)| {
                let name = name.into_text().map_err(|_| "a member whose name is not text")?;
                Ok::<_, String>((name, to_json(value)?))
            };
            Value::Object(members.into_iter().map(member).collect::<Result<Map<_, _>, _>>()?)
        }
        other => return Err(format!("a value that no member has: {other:?}")),
    })
}

pub(super) fn encode(reply: Reply) -> HttpReply {
    let mut headers = vec![("smithy-protocol", "rpc-v2-cbor".to_owned())];
    let (status, output) = match reply {
        // An operation without output answers with no body at all.
        Ok(Value::Null) => return HttpReply { status: 200, headers, body: Vec::new().into() },
        Ok(output) => (200, output),
        Err(error) => {
            headers.push(("x-amzn-query-error", super::json::query_error(&error)));
            (error.status, super::json::error(error))
        }
    };
    headers.push(("content-type", "application/cbor".to_owned()));
    let mut body = Vec::new();
    if let Err(error) = ciborium::into_writer(&from_json("", output), &mut body) {
        // Writing into memory cannot fail; if it does, the client sees it.
        return HttpReply { status: 500, headers, body: error.to_string().into() };
    }
    HttpReply { status, headers, body: body.into() }
}

/// `name` is the member's, which a list's items inherit.
fn from_json(name: &str, value: Value) -> Cbor {
    let is_timestamp = name.ends_with("Timestamp") || name.ends_with("Timestamps");
    match value {
        Value::Null => Cbor::Null,
        Value::Bool(flag) => Cbor::Bool(flag),
        Value::Number(number) => {
            let plain = match (number.as_i64(), number.as_f64()) {
                (Some(whole), _) => Cbor::from(whole),
                (None, float) => Cbor::Float(float.unwrap_or(f64::MAX)),
            };
            if is_timestamp { Cbor::Tag(TIMESTAMP, Box::new(plain)) } else { plain }
        }
        Value::String(text) => Cbor::Text(text),
        Value::Array(items) => Cbor::Array(items.into_iter().map(|item| from_json(name, item)).collect()),
        // What is null is left out.
        Value::Object(members) => Cbor::Map(
            members
                .into_iter()
                .filter(|(_, value)| !value.is_null())
                .map(|(name, value)| {
                    let value = from_json(&name, value);
                    (Cbor::Text(name), value)
                })
                .collect(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_read_and_timestamps_lose_their_tag() {
        let sent = Cbor::Map(vec![
            (Cbor::Text("AlarmNames".into()), Cbor::Array(vec![Cbor::Text("a".into())])),
            (Cbor::Text("StartTime".into()), Cbor::Tag(1, Box::new(Cbor::Float(1.5)))),
            (Cbor::Text("Period".into()), Cbor::from(60)),
        ]);
        let mut body = Vec::new();
        ciborium::into_writer(&sent, &mut body).unwrap();
        let uri = "/service/GraniteServiceVersion20100801/operation/DescribeAlarms".parse().unwrap();
        let (service, operation, input) = decode(&uri, &body).unwrap();
        assert_eq!((service, operation.as_str()), (ServiceId::CloudWatch, "DescribeAlarms"));
        assert_eq!(input, json!({"AlarmNames": ["a"], "StartTime": 1.5, "Period": 60}));
    }

    #[test]
    fn what_is_no_request_is_refused() {
        let path = "/service/GraniteServiceVersion20100801/operation/X".parse().unwrap();
        assert_eq!(decode(&path, &[0xff]).unwrap_err().1.code, "SerializationException");
        assert_eq!(decode(&path, &[0x01]).unwrap_err().1.code, "SerializationException");
        let other = "/service/Other/operation/X".parse().unwrap();
        assert_eq!(decode(&other, &[]).unwrap_err().1.status, 404);
    }

    #[test]
    fn timestamps_are_tagged_by_their_names_and_null_is_left_out() {
        let reply = encode(Ok(json!({"StateUpdatedTimestamp": 2.5, "Timestamps": [1.0], "Gone": null})));
        let read: Cbor = ciborium::from_reader(reply.body.as_ref()).unwrap();
        let tag = |secs| Cbor::Tag(1, Box::new(Cbor::Float(secs)));
        assert_eq!(
            read,
            Cbor::Map(vec![
                (Cbor::Text("StateUpdatedTimestamp".into()), tag(2.5)),
                (Cbor::Text("Timestamps".into()), Cbor::Array(vec![tag(1.0)])),
            ])
        );
        let refused = encode(Err(ApiError::client("ResourceNotFound", "none").with_status(404)));
        assert_eq!(refused.status, 404);
        assert!(refused.headers.contains(&("x-amzn-query-error", "ResourceNotFound;Sender".into())));
    }
}
