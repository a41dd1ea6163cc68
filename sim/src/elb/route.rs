//! The data plane's decisions: which rule, which group, which target.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use super::choice::Forward;
use super::model::{Action, Priority, Redirect, Rule};
use super::transforms::Rewritten;
use super::{Ended, conditions, transforms};
use crate::world::World;

/// What a decision needs of a request.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RequestHead {
    /// `GET`.
    pub method: String,
    /// The Host header, with or without a port.
    pub host: String,
    /// `/admin/users`.
    pub path: String,
    /// Without the `?`.
    pub query: String,
    /// All headers, as they came.
    pub headers: Vec<(String, String)>,
    /// Who asks, where that is known.
    pub source_ip: Option<IpAddr>,
}

impl RequestHead {
    /// A GET of a path.
    pub fn get(host: &str, path: &str) -> Self {
        Self { method: "GET".into(), host: host.into(), path: path.into(), ..Self::default() }
    }

    /// `/admin/users?page=2`.
    pub(super) fn path_and_query(&self) -> String {
        if self.query.is_empty() { self.path.clone() } else { format!("{}?{}", self.path, self.query) }
    }

    /// The port that the Host header names.
    pub fn port(&self) -> Option<u16> {
        self.host.rsplit_once(':')?.1.parse().ok()
    }

    /// The host without its port.
    pub(super) fn host_name(&self) -> &str {
        let (name, port) = self.host.rsplit_once(':').unwrap_or((&self.host, ""));
        if !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) { name } else { &self.host }
    }
}

/// What the load balancer does with a request.
#[derive(Debug, Clone, PartialEq)]
pub enum RouteDecision {
    /// Sends it to a target.
    Forward {
        /// The group that was chosen by weight.
        target_group: String,
        /// The instance, or the address.
        target_id: String,
        /// The target's port.
        port: u16,
        /// The rule that decided.
        rule_arn: String,
        /// What the rule's transforms made of the request.
        rewritten: Rewritten,
        /// The `Set-Cookie` headers that the answer gets: the client is bound from then on.
        cookies: Vec<String>,
    },
    /// A transform's pattern matched, and what came of it is no host or path: 500.
    TransformFailed {
        /// The rule whose transform it is.
        rule_arn: String,
    },
    /// Answers by itself.
    Fixed {
        /// The status.
        status: u16,
        /// `text/plain`, …
        content_type: Option<String>,
        /// The body.
        body: Option<String>,
    },
    /// Sends the client elsewhere.
    Redirect {
        /// 301 or 302.
        status: u16,
        /// Where to.
        location: String,
    },
    /// The chosen group has no target to send it to: 503. The load balancer does not turn to
    /// another group of the same action, however healthy that is.
    NoHealthyTarget {
        /// The rule that decided.
        rule_arn: String,
        /// The group, if a weight above zero chose one.
        target_group: Option<String>,
    },
}

/// The listener on a port; the first by ARN where several load balancers have one.
pub fn listener_on(world: &World, port: u16) -> Option<&str> {
    world.elb.listeners.iter().find(|(_, listener)| listener.port == port).map(|(arn, _)| arn.as_str())
}

/// Every port that a listener listens on, lowest first.
pub fn listener_ports(world: &World) -> BTreeSet<u16> {
    world.elb.listeners.values().map(|listener| listener.port).collect()
}

/// Decides on a request that came to a listener. `None`: there is no such listener, so the
/// connection would have been refused.
pub fn route(world: &mut World, listener_arn: &str, head: &RequestHead) -> Option<RouteDecision> {
    let listener = world.elb.listeners.get(listener_arn)?;
    let (protocol, port) = (listener.protocol.clone(), listener.port);
    world.elb.requests += 1;
    let holds = |(_, rule): &(&str, &Rule)| {
        rule.conditions.iter().all(|condition| conditions::holds(condition, head))
    };
    // The default rule is the last and has no conditions, so one always holds.
    let (rule_arn, rule) = world.elb.rules_of(listener_arn).into_iter().find(holds)?;
    let rule_arn = rule_arn.to_owned();
    match rule.action.clone() {
        Action::Fixed { status, content_type, body } => {
            Some(RouteDecision::Fixed { status, content_type, body })
        }
        Action::Redirect(to) => Some(RouteDecision::Redirect {
            status: to.status,
            location: location(&to, &protocol, port, head),
        }),
        Action::Forward { groups, sticky_secs } => match transforms::carry_out(&rule.transforms, head) {
            Ok(rewritten) => {
                Some(Forward { rule_arn, groups: &groups, sticky_secs, rewritten }.decide(world, head))
            }
            Err(transforms::Failed) => Some(RouteDecision::TransformFailed { rule_arn }),
        },
    }
}

fn location(to: &Redirect, protocol: &str, port: u16, head: &RequestHead) -> String {
    let port = port.to_string();
    let fill = |template: &str| {
        template
            .replace("#{protocol}", protocol)
            .replace("#{host}", head.host_name())
            .replace("#{port}", &port)
            .replace("#{path}", head.path.trim_start_matches('/'))
            .replace("#{query}", &head.query)
    };
    let query = fill(&to.query);
    let query = if query.is_empty() { query } else { format!("?{query}") };
    let protocol = fill(&to.protocol).to_lowercase();
    format!("{protocol}://{}:{}{}{query}", fill(&to.host), fill(&to.port), fill(&to.path))
}

/// How a request through the load balancer ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Served {
    /// The client's status: the target's own, or 502, 503, 504 of the load balancer.
    pub status: u16,
    /// The task that answered.
    pub task_arn: Option<String>,
    /// What was decided.
    pub decision: RouteDecision,
}

/// Sends a request through a listener to the container behind it: in-process traffic for
/// tests. It is counted in CloudWatch's metrics, as if it had taken the target's time. `None`
/// as in [`route`].
pub fn request(world: &mut World, listener_arn: &str, head: &RequestHead) -> Option<Served> {
    let decision = route(world, listener_arn, head)?;
    let answer = match &decision {
        RouteDecision::Forward { target_id, port, .. } => super::ask(world, target_id, *port, false),
        _ => None,
    };
    let own = match &decision {
        RouteDecision::Forward { .. } => 502,
        RouteDecision::Fixed { status, .. } | RouteDecision::Redirect { status, .. } => *status,
        RouteDecision::NoHealthyTarget { .. } => 503,
        RouteDecision::TransformFailed { .. } => 500,
    };
    let ended = match &answer {
        Some(answer) => {
            Ended::Target { status: answer.status, took: Duration::from_millis(answer.latency_ms) }
        }
        None => Ended::Own { status: own },
    };
    super::record(world, listener_arn, &decision, ended);
    let status = answer.as_ref().map_or(own, |answer| answer.status);
    Some(Served { status, task_arn: answer.map(|answer| answer.task_arn), decision })
}

impl super::Elb {
    /// A listener's rules in the order in which they are tried.
    pub(super) fn rules_of(&self, listener: &str) -> Vec<(&str, &Rule)> {
        let of = self.rules.iter().filter(|(_, rule)| rule.listener == listener);
        let mut rules: Vec<_> = of.map(|(arn, rule)| (arn.as_str(), rule)).collect();
        rules.sort_by_key(|(_, rule): &(&str, &Rule)| rule.priority);
        debug_assert!(rules.last().is_none_or(|(_, rule)| rule.priority == Priority::Default));
        rules
    }
}
