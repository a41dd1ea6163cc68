//! The one port for everything: every AWS API, the OCI registry and its layers, and the
//! door's own pages below `/_windlass/`.
//!
//! | path | answers |
//! |---|---|
//! | `/v2/…`, `/_layers/…` | ECR's registry |
//! | `/_windlass/health` | who this is, its clock, its ports |
//! | `/_windlass/state` | the whole world as JSON |
//! | `/_windlass/events` | the bus's latest events |
//! | `/_windlass/functions/<name>/log` | what a function wrote |
//! | anything else | the AWS API that the request is signed or targeted for |

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use serde_json::json;

use super::http::{Body, Cut, full, json, text};
use super::hub::Hub;
use crate::{ecr, wire};

/// The largest body: a layer of an image. AWS allows 10 GiB; here it is held in memory.
const LARGEST: usize = 1 << 30;

/// What the pages tell of the door.
pub(super) struct Endpoint {
    pub(super) hub: Arc<Hub>,
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
        let outcome = self.hub.with(|world| {
            wire::serve(world, request.method(), request.uri(), request.headers(), request.body())
        });
        tokio::time::sleep(outcome.delay.div_f64(self.hub.clock.speed())).await;
        let reply = outcome.reply.ok_or(Cut)?;
        Ok(Response::<Bytes>::from(reply).map(full))
    }

    fn page(&self, method: &Method, page: &str) -> Response<Body> {
        if method != Method::GET {
            return text(StatusCode::METHOD_NOT_ALLOWED, "GET only\n");
        }
        let parts: Vec<&str> = page.split('/').collect();
        match parts.as_slice() {
            ["health"] => self.health(),
            ["functions", name, "log"] => text(StatusCode::OK, self.hub.functions.log(name).join("\n")),
            _ => text(
                StatusCode::NOT_FOUND,
                "there are /_windlass/health, /state, /events and /functions/<name>/log\n",
            ),
        }
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
            "containers": hub.containers.addresses(),
        });
        json(StatusCode::OK, &page)
    }
}

fn is_registry(path: &str) -> bool {
    path == "/v2" || path.starts_with("/v2/") || path.starts_with("/_layers/")
}
