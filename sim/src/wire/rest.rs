//! Lambda's REST calls: `Invoke`, `AddPermission`, and the two reads that show what is there.

use http::{HeaderMap, Method, Uri};
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use super::{Decoded, HttpReply};
use crate::call::{ApiError, Reply, ServiceId};

const FUNCTIONS: &str = "/2015-03-31/functions";

/// Whether the path is Lambda's.
pub(super) fn claims(uri: &Uri) -> bool {
    uri.path().starts_with(FUNCTIONS)
}

pub(super) fn decode(method: &Method, uri: &Uri, headers: &HeaderMap, body: &[u8]) -> Decoded {
    let rest = uri.path().strip_prefix(FUNCTIONS).unwrap_or_default();
    let parts: Vec<&str> = rest.split('/').filter(|part| !part.is_empty()).collect();
    let (operation, input) = match (method, parts.as_slice()) {
        (&Method::POST, [name, "invocations"]) => ("Invoke", invoke(name, headers, body)?),
        (&Method::POST, [name, "policy"]) => ("AddPermission", permission(name, body)?),
        (&Method::GET, []) => ("ListFunctions", json!({})),
        (&Method::GET, [name]) => ("GetFunction", json!({ "FunctionName": unescape(name) })),
        _ => return Err((ServiceId::Lambda, unknown(method, uri))),
    };
    Ok((ServiceId::Lambda, operation.to_owned(), input))
}

fn invoke(name: &str, headers: &HeaderMap, body: &[u8]) -> Result<Value, (ServiceId, ApiError)> {
    let payload = if body.is_empty() { Ok(Value::Null) } else { serde_json::from_slice(body) };
    let payload: Value = payload.map_err(|error| {
        let message = format!("Could not parse request body into json: {error}");
        (ServiceId::Lambda, ApiError::client("InvalidRequestContentException", message))
    })?;
    let kind = headers.get("x-amz-invocation-type").and_then(|value| value.to_str().ok());
    Ok(json!({
        "FunctionName": unescape(name),
        "InvocationType": kind.unwrap_or("RequestResponse"),
        "Payload": payload,
    }))
}

fn permission(name: &str, body: &[u8]) -> Result<Value, (ServiceId, ApiError)> {
    let input: Result<Value, _> = serde_json::from_slice(body);
    let mut input = input.ok().filter(Value::is_object).ok_or_else(|| {
        let message = "Could not parse request body into json";
        (ServiceId::Lambda, ApiError::client("InvalidRequestContentException", message))
    })?;
    input["FunctionName"] = json!(unescape(name));
    Ok(input)
}

fn unescape(part: &str) -> String {
    percent_decode_str(part).decode_utf8_lossy().into_owned()
}

fn unknown(method: &Method, uri: &Uri) -> ApiError {
    let message = format!("no operation of Lambda here is {method} {}", uri.path());
    ApiError::client("UnknownOperationException", message).with_status(404)
}

/// `Invoke` answers with the payload as body and the rest in headers; the other calls
/// with their output.
pub(super) fn encode(reply: Reply) -> HttpReply {
    let mut headers = vec![("content-type", "application/json".to_owned())];
    let (status, body) = match reply {
        Ok(mut output) => match output.get("StatusCode").and_then(Value::as_u64) {
            Some(status) => {
                if let Some(error) = output["FunctionError"].as_str() {
                    headers.push(("x-amz-function-error", error.to_owned()));
                }
                (u16::try_from(status).unwrap_or(200), output["Payload"].take())
            }
            None => (200, output),
        },
        Err(error) => {
            headers.push(("x-amzn-errortype", error.code.clone()));
            let kind = if error.status < 500 { "User" } else { "Service" };
            (error.status, json!({ "Type": kind, "Message": error.message, "message": error.message }))
        }
    };
    let body = if body.is_null() { String::new() } else { body.to_string() };
    HttpReply { status, headers, body: body.into() }
}
