//! A task's containers on loopback: one small HTTP server each, which behaves as its
//! image's labels say.
//!
//! Each is found by what a target group knows of it, (instance, host port). It listens
//! from the start of the container and cuts every connection until it is ready, as
//! nothing would listen there in AWS; readiness is judged by the very clock that drives
//! the world, so what the world holds healthy does answer.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::Context;
use http::{HeaderValue, Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::task::{AbortHandle, JoinSet};

use super::clock::Clock;
use super::http::{Body, bind, json};
use super::lock;
use crate::door::said;
use crate::time::Time;
use crate::world::RunningContainer;

/// Every container that serves.
#[derive(Default)]
pub(super) struct Containers {
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    addresses: BTreeMap<(String, u16), SocketAddr>,
    tasks: BTreeMap<String, Vec<Served>>,
}

struct Served {
    key: (String, u16),
    server: AbortHandle,
}

impl Containers {
    /// Opens a server for each of its ports.
    pub(super) fn start(&self, container: &RunningContainer, clock: &Clock) -> anyhow::Result<()> {
        let app = Arc::new(App {
            ready: container.started + secs(container.behaviour.start_secs),
            clock: clock.clone(),
            requests: AtomicU64::new(0),
            container: container.clone(),
        });
        let mut open = lock(&self.open);
        for &(_, host_port) in &container.ports {
            let key = (container.instance_id.clone(), host_port);
            let listener = bind(0).with_context(|| format!("serving task {}", container.task_arn))?;
            open.addresses.insert(key.clone(), listener.local_addr()?);
            let server = tokio::spawn(accept(listener, Arc::clone(&app))).abort_handle();
            open.tasks.entry(container.task_arn.clone()).or_default().push(Served { key, server });
        }
        Ok(())
    }

    /// Closes a task's servers and cuts its open connections.
    pub(super) fn stop(&self, task_arn: &str) {
        let mut open = lock(&self.open);
        for served in open.tasks.remove(task_arn).unwrap_or_default() {
            open.addresses.remove(&served.key);
            served.server.abort();
        }
    }

    /// Closes all.
    pub(super) fn stop_all(&self) {
        let tasks: Vec<String> = lock(&self.open).tasks.keys().cloned().collect();
        for task in tasks {
            self.stop(&task);
        }
    }

    /// Where (instance, host port) really listens.
    pub(super) fn address(&self, instance_id: &str, host_port: u16) -> Option<SocketAddr> {
        lock(&self.open).addresses.get(&(instance_id.to_owned(), host_port)).copied()
    }

    /// Every container's (instance, host port) and loopback address.
    pub(super) fn addresses(&self) -> BTreeMap<String, SocketAddr> {
        let open = lock(&self.open);
        open.addresses.iter().map(|((instance, port), at)| (format!("{instance}:{port}"), *at)).collect()
    }
}

/// What is negative or no number is no time at all, as the world holds it too.
fn secs(secs: f64) -> Duration {
    Duration::try_from_secs_f64(secs).unwrap_or_default()
}

/// The application in a container.
struct App {
    container: RunningContainer,
    clock: Clock,
    ready: Time,
    requests: AtomicU64,
}

/// Dropping this future (by aborting its task) drops the connections with it.
async fn accept(listener: TcpListener, app: Arc<App>) {
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = connections.join_next() => continue,
        };
        let Ok((stream, _)) = accepted else {
            tokio::time::sleep(Duration::from_millis(5)).await;
            continue;
        };
        if app.clock.now() < app.ready {
            continue; // dropped: cut
        }
        let _ = stream.set_nodelay(true);
        let app = Arc::clone(&app);
        let service = service_fn(move |request: Request<Incoming>| {
            let app = Arc::clone(&app);
            async move { Ok::<_, std::convert::Infallible>(app.answer(&request).await) }
        });
        connections.spawn(
            hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service),
        );
    }
}

impl App {
    async fn answer(&self, request: &Request<Incoming>) -> Response<Body> {
        let container = &self.container;
        tokio::time::sleep(Duration::from_millis(container.behaviour.latency_ms)).await;
        let mut response = json(self.status(), &said::body(container, request.uri().path()));
        for (name, value) in said::headers(container) {
            if let Ok(value) = HeaderValue::from_str(&value) {
                response.headers_mut().insert(name, value);
            }
        }
        response
    }

    /// The behaviour's status; of n requests, `n × error_share` get 500, spread evenly.
    fn status(&self) -> StatusCode {
        let behaviour = &self.container.behaviour;
        let n = self.requests.fetch_add(1, Ordering::Relaxed);
        if fails(n, behaviour.error_share) {
            return StatusCode::INTERNAL_SERVER_ERROR;
        }
        StatusCode::from_u16(behaviour.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

/// Whether the n-th request (from 0) is one of the failing share.
#[expect(clippy::cast_precision_loss, reason = "a container does not serve 2^53 requests")]
fn fails(n: u64, share: f64) -> bool {
    ((n + 1) as f64 * share).floor() > (n as f64 * share).floor()
}

#[cfg(test)]
mod tests {
    use super::fails;

    #[test]
    fn the_error_share_is_spread_evenly() {
        let failed = |share| (0..100).filter(|n| fails(*n, share)).count();
        assert_eq!((failed(0.0), failed(0.25), failed(1.0)), (0, 25, 100));
        assert_eq!((0..8).map(|n| fails(n, 0.5)).filter(|fails| *fails).count(), 4);
    }
}
