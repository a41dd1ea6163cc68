//! AWS's wire protocols, to and from [`Call`]s: awsJson 1.0 and 1.1, Query/XML, RPC v2 over
//! CBOR, and the one REST call of Lambda. It knows nothing of what an operation does.
//!
//! | service | protocol | told by |
//! |---|---|---|
//! | ECS, ECR, SSM, EventBridge, Application Auto Scaling | awsJson 1.1 | `X-Amz-Target` |
//! | DynamoDB | awsJson 1.0 | `X-Amz-Target` |
//! | ELBv2, Auto Scaling, STS | Query/XML | the form's `Action` and `Version` |
//! | EC2 | EC2's own Query/XML | the same |
//! | CloudWatch | rpc-v2-cbor, awsJson 1.0 | `smithy-protocol`, `X-Amz-Target` |
//! | Lambda | REST-JSON | the path |
//!
//! [`serve`] does all of it; [`decode`] and [`encode`] are its halves, for a door that
//! must let time pass between them.

mod cbor;
mod ec2;
mod json;
mod query;
mod rest;
mod xml;

use bytes::Bytes;
use http::{HeaderMap, Method, Uri};

use crate::call::{ApiError, Call, Caller, Reply, ServiceId};
use crate::gate::Outcome;
use crate::time::Time;
use crate::world::World;

/// An HTTP reply, not yet tied to a server or a client.
#[derive(Debug, Clone, PartialEq)]
pub struct HttpReply {
    /// The status code.
    pub status: u16,
    /// Header names in lower case.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: Bytes,
}

/// What every reply bears: its request id and the virtual time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stamp {
    /// `x-amzn-requestid`.
    pub request_id: String,
    /// `date`.
    pub now: Time,
}

/// Decodes a request. What no protocol claims is refused as AWS refuses it.
pub fn decode(
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
    body: &[u8],
    stamp: &Stamp,
) -> Result<Call, HttpReply> {
    let decoded = if rest::claims(uri) {
        rest::decode(method, uri, headers, body)
    } else if cbor::claims(headers) {
        cbor::decode(uri, body)
    } else if headers.contains_key("x-amz-target") {
        json::decode(headers, body)
    } else {
        query::decode(uri, headers, body)
    };
    let dialect = Dialect::of(headers);
    match decoded {
        Ok((service, operation, input)) => {
            Ok(Call { service, operation, input, caller: caller(uri, headers) })
        }
        Err((service, error)) => Err(encode_for(service, dialect, "", Err(error), stamp)),
    }
}

/// Which of a service's protocols a request speaks: the reply speaks the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// The one of the table above.
    Usual,
    /// RPC v2 over CBOR.
    Cbor,
}

impl Dialect {
    /// The dialect of a request.
    pub fn of(headers: &HeaderMap) -> Self {
        if cbor::claims(headers) { Self::Cbor } else { Self::Usual }
    }
}

/// Encodes the reply to `call`.
pub fn encode(call: &Call, dialect: Dialect, reply: Reply, stamp: &Stamp) -> HttpReply {
    encode_for(call.service, dialect, &call.operation, reply, stamp)
}

fn encode_for(
    service: ServiceId,
    dialect: Dialect,
    operation: &str,
    reply: Reply,
    stamp: &Stamp,
) -> HttpReply {
    let mut http = match service {
        _ if dialect == Dialect::Cbor => cbor::encode(reply),
        ServiceId::ElasticLoadBalancing | ServiceId::AutoScaling | ServiceId::Sts => {
            query::encode(service, operation, reply, stamp)
        }
        ServiceId::Ec2 => ec2::encode(operation, reply, stamp),
        ServiceId::Lambda => rest::encode(reply),
        ServiceId::DynamoDb => json::encode("application/x-amz-json-1.0", reply),
        ServiceId::CloudWatch => json::encode_query_compatible(reply),
        ServiceId::Ecs
        | ServiceId::Ecr
        | ServiceId::Ssm
        | ServiceId::Events
        | ServiceId::ApplicationAutoScaling => json::encode("application/x-amz-json-1.1", reply),
    };
    http.headers.push(("x-amzn-requestid", stamp.request_id.clone()));
    http.headers.push(("date", stamp.now.http_date()));
    http
}

/// Decodes, calls the world and encodes. `reply` is `None` where a fault cuts the
/// connection; `delay` is a fault's, for the door to keep.
pub fn serve(
    world: &mut World,
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
    body: &[u8],
) -> Outcome<HttpReply> {
    let stamp = world.stamp();
    match decode(method, uri, headers, body, &stamp) {
        Ok(call) => {
            let dialect = Dialect::of(headers);
            world.serve(&call).map(|reply| encode(&call, dialect, reply, &stamp))
        }
        Err(refusal) => Outcome::at_once(refusal),
    }
}

/// What a decoder reads: the service, the operation and its input; or whose error it is.
type Decoded = Result<(ServiceId, String, serde_json::Value), (ServiceId, ApiError)>;

/// The access key of the `Authorization` header, or of a presigned URL.
fn caller(uri: &Uri, headers: &HeaderMap) -> Caller {
    let scope = scope(uri, headers).unwrap_or_default();
    Caller { access_key: scope.split('/').next().unwrap_or_default().to_owned() }
}

/// `<access key>/<date>/<region>/<service>/aws4_request`
fn scope(uri: &Uri, headers: &HeaderMap) -> Option<String> {
    let authorization = headers.get("authorization").and_then(|value| value.to_str().ok());
    if let Some((_, rest)) = authorization.and_then(|value| value.split_once("Credential=")) {
        return Some(rest.split(',').next().unwrap_or_default().trim().to_owned());
    }
    let presigned = uri.query()?.split('&').find_map(|pair| pair.strip_prefix("X-Amz-Credential="))?;
    Some(percent_encoding::percent_decode_str(presigned).decode_utf8_lossy().into_owned())
}

impl From<HttpReply> for http::Response<Bytes> {
    fn from(reply: HttpReply) -> Self {
        let mut response = Self::new(reply.body);
        *response.status_mut() =
            http::StatusCode::from_u16(reply.status).unwrap_or(http::StatusCode::INTERNAL_SERVER_ERROR);
        for (name, value) in reply.headers {
            // Error codes and ids are plain text; a value that is none is left out rather
            // than failing the reply.
            if let Ok(value) = http::HeaderValue::from_str(&value) {
                response.headers_mut().insert(name, value);
            }
        }
        response
    }
}

#[cfg(test)]
mod tests;
