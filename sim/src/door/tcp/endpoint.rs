//! The one port for everything: every AWS API, the OCI registry and its layers, and the
//! door's own pages below `/_windlass/`.
//!
//! | path | answers |
//! |---|---|
//! | `/v2/…`, `/_layers/…` | ECR's registry |
//! | `/_windlass/health` | who this is, its clock, its ports |
//! | `/_windlass/state` | the whole world as JSON |
//! | `/_windlass/events` | the bus's latest events |
//! | `/_windlass/invocations` | the functions' latest invocations and how they ended |
//! | `/_windlass/functions/<name>/log` | what a function wrote |
//! | anything else | the AWS API that the request is signed or targeted for |

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use serde_json::json;

use super::alb::Alb;
use super::http::{Body, Cut, full, json, text};
use super::hub::Hub;
use crate::call::{ApiError, Call, Reply, ServiceId};
use crate::ecr;
use crate::lambda::{Ended, Invocation};
use crate::wire::{self, Stamp};

/// The largest body: a layer of an image. AWS allows 10 GiB; here it is held in memory.
const LARGEST: usize = 1 << 30;

/// How much of a log a page shows.
const LATEST: usize = 500;

/// What the pages tell of the door.
pub(super) struct Endpoint {
    pub(super) hub: Arc<Hub>,
    pub(super) alb: Arc<Alb>,
    pub(super) address: SocketAddr,
}

impl Endpoint {
    pub(super) async fn answer(self: Arc<Self>, request: Request<Incoming>) -> Result<Response<Body>, Cut> {
        let (parts, body) = request.into_parts();
        if let Some(page) = parts.uri.path().strip_prefix("/_windlass/") {
            return Ok(self.page(&parts.method, page));
        }
        // The server sends `100 Continue` by itself once the body is asked for.
        let body = match Limited::new(body, LARGEST).collect().await {
            Ok(body) => body.to_bytes(),
            Err(error) => {
                return Ok(text(StatusCode::PAYLOAD_TOO_LARGE, format!("reading the body: {error}")));
            }
        };
        let request = Request::from_parts(parts, body);
        if is_registry(request.uri().path()) {
            let hub = Arc::clone(&self.hub);
            // Hashing a layer takes a while: not on the threads that serve the others.
            let answer = tokio::task::spawn_blocking(move || hub.with(|world| ecr::http(world, &request)));
            return answer.await.map(|response| response.map(full)).map_err(|_| Cut);
        }
        self.api(&request).await
    }

    async fn api(&self, request: &Request<Bytes>) -> Result<Response<Body>, Cut> {
        let decoded = self.hub.with(|world| {
            let stamp = world.stamp();
            let (method, uri, headers) = (request.method(), request.uri(), request.headers());
            wire::decode(method, uri, headers, request.body(), &stamp).map(|call| (call, stamp))
        });
        let (call, stamp) = match decoded {
            Ok(decoded) => decoded,
            Err(refusal) => return Ok(Response::<Bytes>::from(refusal).map(full)),
        };
        let dialect = wire::Dialect::of(request.headers());
        let outcome = self.hub.with(|world| world.serve(&at_the_gate(&call)));
        tokio::time::sleep(outcome.delay.div_f64(self.hub.clock.speed())).await;
        let mut reply = outcome.reply.ok_or(Cut)?;
        if is_invoke_and_wait(&call) && reply.is_ok() {
            reply = self.invoke(&call, &stamp).await;
        }
        Ok(Response::<Bytes>::from(wire::encode(&call, dialect, reply, &stamp)).map(full))
    }

    /// Invoke with `RequestResponse`: the caller waits, nothing is tried again.
    async fn invoke(&self, call: &Call, stamp: &Stamp) -> Reply {
        let name = call.input["FunctionName"].as_str().unwrap_or_default();
        let name = name.rsplit(":function:").next().unwrap_or_default();
        let invoked = self.hub.with(|world| {
            let timeout = world.lambda.function(name).map_or(Duration::ZERO, |function| function.timeout);
            let invocation = Invocation {
                request_id: stamp.request_id.clone(),
                function: name.to_owned(),
                payload: call.input["Payload"].clone(),
                attempt: 1,
                deadline: world.now() + timeout.mul_f64(world.lambda.stretch.0),
            };
            self.hub.functions.invoke(world, invocation)
        });
        let gone = || ApiError::server("ServiceException", format!("function {name} has no process here"));
        match invoked.ok_or_else(gone)?.await.map_err(|_| gone())? {
            Ended::Ok(payload) => Ok(json!({ "StatusCode": 200, "Payload": payload })),
            Ended::Error(words) => Ok(json!({
                "StatusCode": 200,
                "FunctionError": "Unhandled",
                "Payload": serde_json::from_str(&words).unwrap_or_else(|_| json!({ "errorMessage": words })),
            })),
        }
    }

    fn page(&self, method: &Method, page: &str) -> Response<Body> {
        if method != Method::GET {
            return text(StatusCode::METHOD_NOT_ALLOWED, "GET only\n");
        }
        let parts: Vec<&str> = page.split('/').collect();
        match parts.as_slice() {
            ["health"] => self.health(),
            ["state"] => self.state(),
            ["events"] => page_of(self.hub.with(|world| serde_json::to_value(latest(&world.bus.log)))),
            ["invocations"] => {
                page_of(self.hub.with(|world| serde_json::to_value(latest(&world.lambda.log))))
            }
            ["functions", name, "log"] => text(StatusCode::OK, self.hub.functions.log(name).join("\n")),
            _ => text(
                StatusCode::NOT_FOUND,
                "there are /_windlass/health, /state, /events, /invocations and /functions/<name>/log\n",
            ),
        }
    }

    fn state(&self) -> Response<Body> {
        page_of(self.hub.with(|world| world.dump()))
    }

    fn health(&self) -> Response<Body> {
        let hub = &self.hub;
        let functions: Vec<_> = hub
            .functions
            .names()
            .into_iter()
            .map(|name| json!({ "pids": hub.functions.pids(&name), "name": name }))
            .collect();
        let page = json!({
            "status": "ok",
            "endpoint": format!("http://{}", self.address),
            "clock": hub.clock.env(),
            "now": hub.clock.now().iso(),
            "speed": hub.clock.speed(),
            "functions": functions,
            "load_balancer": self.alb.addresses(),
            "containers": hub.containers.addresses(),
        });
        json(StatusCode::OK, &page)
    }
}

fn is_registry(path: &str) -> bool {
    path == "/v2" || path.starts_with("/v2/") || path.starts_with("/_layers/")
}

/// An Invoke that waits is the door's work, but permissions, rates and faults are the
/// gate's: it sees the call as a dry run.
fn at_the_gate(call: &Call) -> Call {
    let mut call = call.clone();
    if is_invoke_and_wait(&call) {
        call.input["InvocationType"] = json!("DryRun");
    }
    call
}

fn is_invoke_and_wait(call: &Call) -> bool {
    call.service == ServiceId::Lambda
        && call.operation == "Invoke"
        && call.input["InvocationType"] == "RequestResponse"
}

/// The newest of a log, oldest first.
fn latest<T>(log: &VecDeque<T>) -> Vec<&T> {
    log.iter().skip(log.len().saturating_sub(LATEST)).collect()
}

fn page_of(page: serde_json::Result<serde_json::Value>) -> Response<Body> {
    match page {
        Ok(page) => json(StatusCode::OK, &page),
        Err(error) => text(StatusCode::INTERNAL_SERVER_ERROR, format!("this state is no JSON: {error}\n")),
    }
}
