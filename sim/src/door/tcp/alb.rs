//! The load balancer's listeners on loopback ports.
//!
//! One port is bound from the start: it stands for port 80, or for the lowest port while
//! nothing listens on 80, so that a client knows where to go before the listener is made.
//! Every other listener gets a port of its own as it appears: the next one free above the
//! first, and any free one where the first was free too.
//!
//! Who gets a request is `elb`'s decision; this module only carries it out, and never
//! holds the world's lock while it does.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::header::{self, HeaderValue};
use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::http::{Body, Cut, bind, full, serve, text};
use super::hub::Hub;
use super::lock;
use super::proxy::{Hop, Proxy};
use crate::elb::{
    Ended, OwnAnswer, RequestHead, Rewritten, RouteDecision, listener_on, listener_ports, record, route,
};

/// How soon a new listener's port is opened, in real time.
const LOOK: Duration = Duration::from_millis(100);

/// How many ports above the first are tried before any free one is taken.
const NEAR: u16 = 20;

/// The data plane.
pub(super) struct Alb {
    hub: Arc<Hub>,
    proxy: Proxy,
    first: SocketAddr,
    /// Whether the first port was chosen by the user, so that its neighbours mean something.
    chosen: bool,
    /// The other listeners: AWS's port → the loopback address.
    others: Mutex<BTreeMap<u16, SocketAddr>>,
}

/// Which listener a loopback port stands for.
#[derive(Debug, Clone, Copy)]
enum Stands {
    /// Port 80, or the lowest.
    First,
    /// This one.
    Port(u16),
}

impl Alb {
    pub(super) fn new(hub: Arc<Hub>, first: SocketAddr, chosen: bool) -> Self {
        Self { hub, proxy: Proxy::new(), first, chosen, others: Mutex::default() }
    }

    /// Each listener's port in AWS and where it really is.
    pub(super) fn addresses(&self) -> BTreeMap<u16, SocketAddr> {
        let mut addresses = lock(&self.others).clone();
        if let Some(port) = lowest(&lock(&self.hub.world)) {
            addresses.insert(port, self.first);
        }
        addresses
    }

    /// Serves the first port, and every other listener's while it exists.
    pub(super) async fn run(self: Arc<Self>, listener: TcpListener, mut closing: watch::Receiver<bool>) {
        let mut ports = JoinSet::new();
        ports.spawn(Arc::clone(&self).listen(listener, Stands::First, closing.clone()));
        let mut others: BTreeMap<u16, watch::Sender<bool>> = BTreeMap::new();
        loop {
            self.follow(&mut others, &mut ports);
            tokio::select! {
                () = tokio::time::sleep(LOOK) => {}
                _ = closing.wait_for(|closing| *closing) => break,
            }
        }
        for close in others.values() {
            close.send_replace(true);
        }
        while ports.join_next().await.is_some() {}
    }

    /// Opens what has appeared, closes what is gone.
    fn follow(self: &Arc<Self>, open: &mut BTreeMap<u16, watch::Sender<bool>>, ports: &mut JoinSet<()>) {
        let wanted: Vec<u16> = {
            let world = lock(&self.hub.world);
            let first = lowest(&world);
            listener_ports(&world).into_iter().filter(|port| Some(*port) != first).collect()
        };
        open.retain(|port, close| {
            let stays = wanted.contains(port);
            if !stays {
                close.send_replace(true);
                lock(&self.others).remove(port);
            }
            stays
        });
        for port in wanted {
            if open.contains_key(&port) {
                continue;
            }
            let Some((listener, address)) = self.near() else { continue };
            let (close, closed) = watch::channel(false);
            open.insert(port, close);
            lock(&self.others).insert(port, address);
            ports.spawn(Arc::clone(self).listen(listener, Stands::Port(port), closed));
        }
    }

    fn near(&self) -> Option<(TcpListener, SocketAddr)> {
        let neighbours = (1..=NEAR).filter(|_| self.chosen).map(|n| self.first.port().saturating_add(n));
        let listener = neighbours.chain([0]).find_map(|port| bind(port).ok())?;
        let address = listener.local_addr().ok()?;
        Some((listener, address))
    }

    async fn listen(self: Arc<Self>, listener: TcpListener, stands: Stands, closing: watch::Receiver<bool>) {
        serve(listener, closing, move |request, client| {
            let alb = Arc::clone(&self);
            async move { Ok::<_, Cut>(alb.answer(request, client, stands).await) }
        })
        .await;
    }

    async fn answer(&self, request: Request<Incoming>, client: SocketAddr, stands: Stands) -> Response<Body> {
        let head = head(&request, client);
        let decided = self.hub.with(|world| {
            let port = match stands {
                Stands::First => named(world, &head, self.first).or_else(|| lowest(world))?,
                Stands::Port(port) => port,
            };
            let listener = listener_on(world, port)?.to_owned();
            Some((route(world, &listener, &head)?, listener, port))
        });
        match decided {
            Some((decision, listener, port)) => {
                let hop = Hop { client, port };
                self.carry_out(&decision, &listener, request, hop).await
            }
            None => text(StatusCode::SERVICE_UNAVAILABLE, "no load balancer has a listener yet\n"),
        }
    }

    /// How long a target takes is measured in real time: what a client sees, however fast the
    /// virtual clock runs.
    async fn carry_out(
        &self,
        decision: &RouteDecision,
        listener: &str,
        request: Request<Incoming>,
        hop: Hop,
    ) -> Response<Body> {
        let began = tokio::time::Instant::now();
        let (response, is_targets) = match decision.own_answer() {
            Some(answer) => (own(answer), false),
            None => self.ask(decision, request, hop).await,
        };
        let status = response.status().as_u16();
        let ended =
            if is_targets { Ended::Target { status, took: began.elapsed() } } else { Ended::Own { status } };
        self.hub.with(|world| record(world, listener, decision, ended));
        response
    }

    /// The response, and whether it is the target's own.
    async fn ask(
        &self,
        decision: &RouteDecision,
        request: Request<Incoming>,
        hop: Hop,
    ) -> (Response<Body>, bool) {
        let bad_gateway = || (text(StatusCode::BAD_GATEWAY, "502 Bad Gateway"), false);
        let RouteDecision::Forward { target_id, port, rewritten, cookies, .. } = decision else {
            return bad_gateway(); // it has answered by itself
        };
        match self.hub.containers.address(target_id, *port) {
            Some(target) => {
                let request = rewrite(request, rewritten);
                let (response, is_targets) = self.proxy.forward(request, target, hop).await;
                (bind_client(response, cookies), is_targets)
            }
            None => bad_gateway(),
        }
    }
}

/// What the rule's transforms made of the request. They were checked to be a path and a host.
fn rewrite<B>(mut request: Request<B>, rewritten: &Rewritten) -> Request<B> {
    if let Some(Ok(uri)) = rewritten.path_and_query.as_deref().map(str::parse) {
        *request.uri_mut() = uri;
    }
    if let Some(Ok(host)) = rewritten.host.as_deref().map(HeaderValue::from_str) {
        request.headers_mut().insert(header::HOST, host);
    }
    request
}

/// Puts the load balancer's cookies beside the target's own.
fn bind_client(mut response: Response<Body>, cookies: &[String]) -> Response<Body> {
    for cookie in cookies.iter().filter_map(|cookie| HeaderValue::from_str(cookie).ok()) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

/// The listener that the Host header's port names. The first port stands for the load
/// balancer's DNS name too (`WINDLASS_ALB_ENDPOINT`), and who puts it in that name's place
/// keeps the port that was meant in the Host header.
fn named(world: &crate::World, head: &RequestHead, first: SocketAddr) -> Option<u16> {
    head.port().filter(|port| *port != first.port() && listener_ports(world).contains(port))
}

/// 80, or the lowest of the listeners' ports.
fn lowest(world: &crate::World) -> Option<u16> {
    let ports = listener_ports(world);
    ports.iter().find(|port| **port == 80).or_else(|| ports.first()).copied()
}

fn head(request: &Request<Incoming>, client: SocketAddr) -> RequestHead {
    let headers = request.headers().iter().map(|(name, value)| {
        (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
    });
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    RequestHead {
        method: request.method().as_str().to_owned(),
        host: host.or_else(|| request.uri().host()).unwrap_or_default().to_owned(),
        path: request.uri().path().to_owned(),
        query: request.uri().query().unwrap_or_default().to_owned(),
        headers: headers.collect(),
        source_ip: Some(client.ip()),
    }
}

/// What the load balancer says by itself.
fn own(answer: OwnAnswer) -> Response<Body> {
    let mut response = Response::new(full(answer.body));
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
    for (name, value) in answer.headers {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rewritten_request_has_the_new_path_and_host_and_keeps_the_rest() {
        let request = Request::get("/a?x=1").header("host", "old").header("x-a", "1").body(()).unwrap();
        let rewritten = Rewritten { host: Some("new".into()), path_and_query: Some("/b?y=2".into()) };
        let request = rewrite(request, &rewritten);
        assert_eq!(request.uri(), "/b?y=2");
        assert_eq!(
            (&request.headers()["host"], &request.headers()["x-a"]),
            (&"new".parse().unwrap(), &"1".parse().unwrap())
        );
        let same = rewrite(request, &Rewritten::default());
        assert_eq!((same.uri().path(), &same.headers()["host"]), ("/b", &"new".parse().unwrap()));
    }
}
