//! Plain HTTP to a load balancer's DNS name, in process: decided by `elb` as over TCP, and
//! answered by the container that it chose, in that container's time.
//!
//! It is a load balancer and no AWS API: no permission, no throttling, no injected fault.

use std::time::Duration;

use aws_smithy_runtime_api::client::result::ConnectorError;
use bytes::Bytes;
use http::{HeaderValue, Request, Response, Uri, header};

use super::Core;
use super::connector::io;
use crate::door::said;
use crate::ecs;
use crate::elb::{Ended, Front, OwnAnswer, RequestHead, RouteDecision, front, record, route};
use crate::world::{RunningContainer, World};

/// An ALB's idle timeout (default 60 s): a target that says nothing for so long is a 504.
const IDLE_TIMEOUT: Duration = Duration::from_mins(1);

/// A request that the load balancer has taken.
pub(super) struct Taken {
    by: By,
    /// The listener and its decision; `None` where no rule was asked.
    routed: Option<(String, RouteDecision)>,
}

/// Who answers.
enum By {
    /// The load balancer.
    Own(OwnAnswer),
    /// A container has it.
    Asked(Box<Asked>),
}

/// A request at a container.
pub(super) struct Asked {
    container: RunningContainer,
    host_port: u16,
    status: u16,
    path: String,
    cookies: Vec<String>,
    takes: Duration,
}

/// Whether the URL names a load balancer, and what becomes of the request there. `None`: it
/// is for somebody else.
pub(super) fn take(world: &mut World, request: &Request<Bytes>) -> Option<Result<Taken, ConnectorError>> {
    let uri = request.uri();
    let is_https = uri.scheme_str() == Some("https");
    let port = uri.port_u16().unwrap_or(if is_https { 443 } else { 80 });
    let listener = match front(world, uri.host()?, port) {
        Front::Elsewhere => return None,
        Front::Unresolved => return Some(Err(io("dns error: the load balancer's name does not resolve"))),
        Front::Refused => return Some(Err(io("connection refused: no listener on this port"))),
        Front::Listener { tls: false, .. } if is_https => {
            return Some(Err(io("TLS handshake failed: the listener speaks plain HTTP")));
        }
        Front::Listener { tls: true, .. } if !is_https => {
            let words = "400 The plain HTTP request was sent to HTTPS port";
            return Some(Ok(Taken { by: By::Own(OwnAnswer::text(400, words)), routed: None }));
        }
        Front::Listener { arn, .. } => arn,
    };
    let Some(decision) = route(world, &listener, &head(request)) else {
        return Some(Err(io("connection refused")));
    };
    Some(Ok(Taken { by: ask(world, &decision, uri), routed: Some((listener, decision)) }))
}

fn head(request: &Request<Bytes>) -> RequestHead {
    let uri = request.uri();
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let host = request.headers().get(header::HOST).map(text);
    RequestHead {
        method: request.method().to_string(),
        host: host.or_else(|| uri.authority().map(ToString::to_string)).unwrap_or_default(),
        path: uri.path().to_owned(),
        query: uri.query().unwrap_or_default().to_owned(),
        headers: request.headers().iter().map(|(name, value)| (name.to_string(), text(value))).collect(),
        source_ip: None,
    }
}

/// A target that does not listen refuses the connection: 502.
fn ask(world: &World, decision: &RouteDecision, uri: &Uri) -> By {
    if let Some(own) = decision.own_answer() {
        return By::Own(own);
    }
    let asked = || {
        let RouteDecision::Forward { target_id, port, rewritten, cookies, .. } = decision else {
            return None;
        };
        let answer = ecs::answer(world, target_id, *port, false)?;
        let path = rewritten.path_and_query.as_deref().unwrap_or(uri.path());
        Some(Asked {
            container: ecs::container_at(world, target_id, *port)?,
            host_port: *port,
            status: answer.status,
            path: path.split('?').next().unwrap_or_default().to_owned(),
            cookies: cookies.clone(),
            takes: Duration::from_millis(answer.latency_ms),
        })
    };
    asked().map_or_else(bad_gateway, |asked| By::Asked(Box::new(asked)))
}

fn bad_gateway() -> By {
    By::Own(OwnAnswer::text(502, "502 Bad Gateway"))
}

impl Taken {
    /// How long the client waits, the way there and back not counted.
    pub(super) fn takes(&self) -> Duration {
        match &self.by {
            By::Own(_) => Duration::ZERO,
            By::Asked(asked) => asked.takes.min(IDLE_TIMEOUT),
        }
    }

    /// The answer, once that time is over; it is counted in CloudWatch's metrics. A container
    /// that has ended meanwhile has cut it.
    pub(super) fn end(self, core: &Core) -> Result<Response<Bytes>, http::Error> {
        let mut world = core.world_now();
        let by = match self.by {
            By::Asked(asked) if asked.takes > IDLE_TIMEOUT => {
                By::Own(OwnAnswer::text(504, "504 Gateway Time-out"))
            }
            By::Asked(asked) if !asked.still_runs(&world) => bad_gateway(),
            by => by,
        };
        let ended = match &by {
            By::Own(answer) => Ended::Own { status: answer.status },
            By::Asked(asked) => Ended::Target { status: asked.status, took: asked.takes },
        };
        if let Some((listener, decision)) = &self.routed {
            record(&mut world, listener, decision, ended);
        }
        match by {
            By::Own(answer) => own(answer),
            By::Asked(asked) => asked.answer(),
        }
    }
}

impl Asked {
    fn still_runs(&self, world: &World) -> bool {
        let here = ecs::answer(world, &self.container.instance_id, self.host_port, false);
        here.is_some_and(|here| here.task_arn == self.container.task_arn)
    }

    fn answer(&self) -> Result<Response<Bytes>, http::Error> {
        let mut response = Response::builder().status(self.status);
        for (name, value) in said::headers(&self.container) {
            response = response.header(name, value);
        }
        for cookie in &self.cookies {
            response = response.header(header::SET_COOKIE, cookie);
        }
        let body = said::body(&self.container, &self.path).to_string();
        response.header(header::CONTENT_TYPE, "application/json").body(body.into())
    }
}

fn own(answer: OwnAnswer) -> Result<Response<Bytes>, http::Error> {
    let builder = answer
        .headers
        .into_iter()
        .fold(Response::builder().status(answer.status), |builder, (name, value)| {
            builder.header(name, value)
        });
    builder.body(answer.body.into())
}
