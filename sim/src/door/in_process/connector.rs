//! The SDK's HTTP connector: a request to the world, its reply back. What is addressed to a
//! load balancer's DNS name goes to its listener, all else to the AWS APIs and the registry.

use std::fmt;
use std::sync::{Arc, Weak};
use std::time::Duration;

use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use http::{Request, Response};

use super::{Core, balancer, functions};
use crate::gate::Outcome;
use crate::{ecr, wire};

/// One connector per read timeout. It holds the world weakly: a client that outlives its
/// world gets connection errors.
struct Connector {
    core: Weak<Core>,
    read_timeout: Option<Duration>,
}

pub(super) fn client(core: &Arc<Core>) -> SharedHttpClient {
    let core = Arc::downgrade(core);
    http_client_fn(move |settings, _| {
        SharedHttpConnector::new(Connector { core: core.clone(), read_timeout: settings.read_timeout() })
    })
}

/// One connector without a timeout of its own: the SDK's attempt timeout cuts it.
pub(super) fn connector(core: &Arc<Core>) -> SharedHttpConnector {
    SharedHttpConnector::new(Connector { core: Arc::downgrade(core), read_timeout: None })
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector").field("read_timeout", &self.read_timeout).finish_non_exhaustive()
    }
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let Some(core) = self.core.upgrade() else {
            return HttpConnectorFuture::ready(Err(io("the embedded AWS has ended")));
        };
        let read_timeout = self.read_timeout;
        HttpConnectorFuture::new(async move {
            let request = read(request)?;
            let exchange = exchange(&core, request);
            match read_timeout {
                None => exchange.await,
                Some(limit) => tokio::time::timeout(limit, exchange).await.unwrap_or_else(|_| {
                    Err(ConnectorError::timeout("no reply within the read timeout".into()))
                }),
            }
        })
    }
}

/// There, the effect, and back. A function that is to be killed at this call never gets
/// beyond its point.
async fn exchange(core: &Core, request: Request<Bytes>) -> Result<HttpResponse, ConnectorError> {
    tokio::time::sleep(core.latency()).await;
    let kill = functions::next_call();
    kill.before().await;
    let begun = begin(core, &request);
    core.touched();
    kill.after().await;
    let response = match begun? {
        Begun::Called(outcome) => {
            tokio::time::sleep(core.latency() + outcome.delay).await;
            outcome.reply.ok_or_else(|| io("connection reset by peer"))?
        }
        Begun::Balanced(taken) => {
            tokio::time::sleep(taken.takes()).await;
            let response = taken.end(core).map_err(|error| ConnectorError::user(error.into()))?;
            tokio::time::sleep(core.latency()).await;
            response
        }
    };
    let response = response.map(SdkBody::from);
    HttpResponse::try_from(response).map_err(|error| ConnectorError::user(error.into()))
}

/// What a request has become once it has arrived.
enum Begun {
    /// An AWS call, or the registry's: done.
    Called(Outcome<Response<Bytes>>),
    /// A load balancer's: its target takes its time.
    Balanced(balancer::Taken),
}

fn begin(core: &Core, request: &Request<Bytes>) -> Result<Begun, ConnectorError> {
    let taken = balancer::take(&mut core.world_now(), request);
    taken.map_or_else(|| Ok(Begun::Called(effect(core, request))), |taken| taken.map(Begun::Balanced))
}

fn effect(core: &Core, request: &Request<Bytes>) -> Outcome<Response<Bytes>> {
    let mut world = core.world_now();
    if is_registry(request.uri().path()) {
        return Outcome::at_once(ecr::http(&mut world, request));
    }
    wire::serve(&mut world, request.method(), request.uri(), request.headers(), request.body())
        .map(Response::from)
}

/// The registry's paths: the distribution protocol, and the downloads that
/// GetDownloadUrlForLayer hands out.
fn is_registry(path: &str) -> bool {
    path == "/v2" || path.starts_with("/v2/") || path.starts_with("/_layers/")
}

fn read(request: HttpRequest) -> Result<Request<Bytes>, ConnectorError> {
    let request = request.try_into_http1x().map_err(|error| ConnectorError::user(error.into()))?;
    let (parts, body) = request.into_parts();
    let body = body.bytes().map(Bytes::copy_from_slice);
    let body =
        body.ok_or_else(|| ConnectorError::user("a streamed body cannot be sent in process".into()))?;
    Ok(Request::from_parts(parts, body))
}

pub(super) fn io(words: &'static str) -> ConnectorError {
    ConnectorError::io(words.into())
}

#[cfg(test)]
mod tests {
    use super::super::InProcess;
    use super::*;
    use crate::world::{Config, World};

    #[tokio::test(start_paused = true)]
    async fn the_registry_answers_under_its_own_paths() {
        let door = InProcess::start(World::new(Config::default()));
        let get = |path: &str| {
            let request = Request::get(format!("http://registry{path}")).body(Bytes::new()).unwrap();
            effect(&door.core, &request).reply.unwrap()
        };
        assert_eq!(get("/v2/").status(), 200);
        assert_eq!(get("/_layers/none").status(), 403, "no URL of ours");
        let api = get("/");
        assert!(String::from_utf8_lossy(api.body()).contains("MissingAction"), "{api:?}");
    }
}
