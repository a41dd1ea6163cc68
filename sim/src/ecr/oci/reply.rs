//! Responses, and the specification's error body.

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode};
use serde_json::{Value, json};

/// A refusal: `{"errors": [{"code", "message"}]}`.
#[derive(Debug, PartialEq)]
pub(super) struct Failure {
    status: u16,
    code: &'static str,
    message: String,
}

impl Failure {
    pub(super) fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into() }
    }

    pub(super) fn not_found(request: &Request<Bytes>) -> Self {
        let message = format!("{} {} is no request of the registry", request.method(), request.uri().path());
        Self::new(404, "UNSUPPORTED", message)
    }

    pub(super) fn into_response(self) -> Response<Bytes> {
        json_reply(self.status, &[], &json!({ "errors": [{ "code": self.code, "message": self.message }] }))
    }
}

pub(super) fn reply(status: u16, headers: &[(&'static str, &str)], body: Bytes) -> Response<Bytes> {
    let length = body.len();
    let mut response = Response::new(body);
    // Every status here is a constant of ours.
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let map = response.headers_mut();
    map.insert("docker-distribution-api-version", HeaderValue::from_static("registry/2.0"));
    map.insert(http::header::CONTENT_LENGTH, HeaderValue::from(length));
    for (name, value) in headers {
        // Values are made of digests, tags and ids that were checked, so none is dropped.
        if let Ok(value) = HeaderValue::from_str(value) {
            map.insert(*name, value);
        }
    }
    response
}

pub(super) fn json_reply(status: u16, headers: &[(&'static str, &str)], body: &Value) -> Response<Bytes> {
    let mut response = reply(status, headers, body.to_string().into());
    let kind = response.headers_mut().entry(http::header::CONTENT_TYPE);
    kind.or_insert(HeaderValue::from_static("application/json"));
    response
}
