//! Where a load balancer is met, and what it says by itself.
//!
//! A load balancer has a DNS name and its listeners' ports. A client that comes by any other
//! name (a user's own domain) is not found here: there is no DNS in the embedded AWS.

use super::model::{Listener, LoadBalancer};
use super::{Elb, RouteDecision};
use crate::world::World;

/// What stands at a host and a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Front {
    /// No load balancer has this name.
    Elsewhere,
    /// The name ends as load balancers' do, but none has it (any more): it does not resolve.
    Unresolved,
    /// It has no listener on this port: the connection is refused.
    Refused,
    /// The listener's ARN, and whether it speaks TLS.
    Listener {
        /// Its ARN.
        arn: String,
        /// Whether its protocol is HTTPS.
        tls: bool,
    },
}

/// Looks up a URL's host and port.
pub fn front(world: &World, host: &str, port: u16) -> Front {
    let region = &world.config.region;
    let named = |(_, lb): &(&String, &LoadBalancer)| lb.dns_name(region).eq_ignore_ascii_case(host);
    let Some((arn, _)) = world.elb.load_balancers.iter().find(named) else {
        let is_ours = host.to_ascii_lowercase().ends_with(&format!(".{region}.elb.amazonaws.com"));
        return if is_ours { Front::Unresolved } else { Front::Elsewhere };
    };
    match world.elb.listener_at(arn, port) {
        Some((arn, listener)) => Front::Listener { arn: arn.to_owned(), tls: listener.protocol == "HTTPS" },
        None => Front::Refused,
    }
}

/// A load balancer's DNS name, as `DescribeLoadBalancers` gives it; by its ARN.
pub fn dns_name(world: &World, load_balancer_arn: &str) -> Option<String> {
    world.elb.load_balancers.get(load_balancer_arn).map(|lb| lb.dns_name(&world.config.region))
}

impl LoadBalancer {
    /// `<name>-<id>.<region>.elb.amazonaws.com`
    pub(super) fn dns_name(&self, region: &str) -> String {
        let id = self.path.rsplit('/').next().unwrap_or_default();
        format!("{}-{id}.{region}.elb.amazonaws.com", self.name)
    }
}

impl Elb {
    fn listener_at(&self, load_balancer: &str, port: u16) -> Option<(&str, &Listener)> {
        let mut all = self.listeners.iter().map(|(arn, listener)| (arn.as_str(), listener));
        all.find(|(_, listener)| listener.load_balancer == load_balancer && listener.port == port)
    }
}

/// What the load balancer answers without asking a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnAnswer {
    /// The status.
    pub status: u16,
    /// `content-type`, `location`.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: String,
}

impl OwnAnswer {
    /// A plain text, such as `502 Bad Gateway`.
    pub fn text(status: u16, body: impl Into<String>) -> Self {
        let kind = "text/plain; charset=utf-8".to_owned();
        Self { status, headers: vec![("content-type", kind)], body: body.into() }
    }
}

impl RouteDecision {
    /// The answer, where the decision is one; `None` where a target is to be asked.
    pub fn own_answer(&self) -> Option<OwnAnswer> {
        match self {
            Self::Forward { .. } => None,
            Self::TransformFailed { .. } => Some(OwnAnswer::text(500, "500 Internal Server Error")),
            Self::NoHealthyTarget { .. } => Some(OwnAnswer::text(503, "503 Service Temporarily Unavailable")),
            Self::Redirect { status, location } => Some(OwnAnswer {
                status: *status,
                headers: vec![("location", location.clone())],
                body: String::new(),
            }),
            Self::Fixed { status, content_type, body } => {
                let mut answer = OwnAnswer::text(*status, body.clone().unwrap_or_default());
                if let Some(kind) = content_type {
                    answer.headers = vec![("content-type", kind.clone())];
                }
                Some(answer)
            }
        }
    }
}
