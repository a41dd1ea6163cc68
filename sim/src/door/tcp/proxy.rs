//! The ALB's data plane: one request forwarded to one target, as an ALB does it.
//!
//! It knows no rules: `alb` has decided where the request goes.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Request, Response, StatusCode, Uri, Version};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};

use super::http::{Body, text};

/// Headers of one hop, which a proxy keeps to itself (RFC 9110, 7.6.1).
const HOP_BY_HOP: [HeaderName; 6] = [
    header::CONNECTION,
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// An ALB's idle timeout (default 60 s): a target that says nothing for so long is a 504.
const IDLE_TIMEOUT: Duration = Duration::from_mins(1);

/// What the request came by, for the `X-Forwarded-*` headers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Hop {
    pub(super) client: SocketAddr,
    /// The listener's port in AWS, not the loopback port that stands for it.
    pub(super) port: u16,
}

/// Forwards, with a pool of kept-alive connections per target.
#[derive(Clone)]
pub(super) struct Proxy {
    client: Client<HttpConnector, Body>,
}

impl Proxy {
    pub(super) fn new() -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(Duration::from_secs(2)));
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(Duration::from_secs(20))
            .build(connector);
        Self { client }
    }

    /// Sends the request to `target`: 502 where it refuses or cuts, 504 where it is silent. The
    /// flag says whether the answer is the target's own.
    pub(super) async fn forward(
        &self,
        request: Request<Incoming>,
        target: SocketAddr,
        hop: Hop,
    ) -> (Response<Body>, bool) {
        let Some(outgoing) = outgoing(request, target, hop) else {
            return (text(StatusCode::BAD_REQUEST, "400 Bad Request"), false);
        };
        match tokio::time::timeout(IDLE_TIMEOUT, self.client.request(outgoing)).await {
            Ok(Ok(response)) => (incoming(response), true),
            Ok(Err(error)) => {
                tracing::debug!(%target, "502: {error}");
                (text(StatusCode::BAD_GATEWAY, "502 Bad Gateway"), false)
            }
            Err(_) => (text(StatusCode::GATEWAY_TIMEOUT, "504 Gateway Time-out"), false),
        }
    }
}

fn outgoing(request: Request<Incoming>, target: SocketAddr, hop: Hop) -> Option<Request<Body>> {
    let (mut parts, body) = request.into_parts();
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    parts.uri =
        Uri::builder().scheme("http").authority(target.to_string()).path_and_query(path).build().ok()?;
    parts.version = Version::HTTP_11;
    strip(&mut parts.headers);
    forwarded(&mut parts.headers, hop);
    Some(Request::from_parts(parts, body.boxed()))
}

/// ALB appends the client to what is there, and sets the other two.
fn forwarded(headers: &mut HeaderMap, hop: Hop) {
    let before = headers.get("x-forwarded-for").and_then(|value| value.to_str().ok());
    let client = hop.client.ip();
    let chain = before.map_or_else(|| client.to_string(), |before| format!("{before}, {client}"));
    for (name, value) in [
        ("x-forwarded-for", chain),
        ("x-forwarded-proto", "http".to_owned()),
        ("x-forwarded-port", hop.port.to_string()),
    ] {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(name, value);
        }
    }
}

fn incoming(response: Response<Incoming>) -> Response<Body> {
    let (mut parts, body) = response.into_parts();
    strip(&mut parts.headers);
    Response::from_parts(parts, body.boxed())
}

fn strip(headers: &mut HeaderMap) {
    for name in HOP_BY_HOP {
        headers.remove(name);
    }
    headers.remove("keep-alive");
}

/// A client for plain requests with a buffered body: the traffic generator's, the tests'.
pub(super) fn client() -> Client<HttpConnector, http_body_util::Full<Bytes>> {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    Client::builder(TokioExecutor::new()).pool_timer(TokioTimer::new()).build(connector)
}
