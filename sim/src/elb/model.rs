//! What ELBv2 keeps: load balancers, listeners, rules, target groups, targets.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::TargetState;
use super::health::Reason;
use crate::time::Time;

/// An application load balancer.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct LoadBalancer {
    pub(super) name: String,
    /// What its listeners' and rules' ARNs begin with: `app/<name>/<id>`.
    pub(super) path: String,
    pub(super) scheme: String,
    pub(super) created: Time,
    pub(super) subnets: Vec<String>,
    pub(super) security_groups: Vec<String>,
    pub(super) attributes: BTreeMap<String, String>,
}

/// A port that it listens on. Its default actions are those of its default rule.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Listener {
    pub(super) load_balancer: String,
    pub(super) path: String,
    pub(super) protocol: String,
    pub(super) port: u16,
    pub(super) certificates: Vec<String>,
    pub(super) ssl_policy: Option<String>,
}

/// A listener's rule.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Rule {
    pub(super) listener: String,
    pub(super) priority: Priority,
    /// All must hold; a default rule has none.
    pub(super) conditions: Vec<Condition>,
    pub(super) action: Action,
    /// What is rewritten before a request goes to a target; at most one of each kind.
    #[serde(default)]
    pub(super) transforms: Vec<Transform>,
}

/// A rewriting of a request that a rule matched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Transform {
    /// The Host header.
    Host(Rewrite),
    /// The path with its query.
    Url(Rewrite),
}

/// What is replaced by what: `$1` stands for the expression's first group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Rewrite {
    pub(super) regex: String,
    pub(super) replace: String,
}

/// Rules are tried in this order: by number, the default last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) enum Priority {
    Number(u32),
    Default,
}

/// One condition: any of its values may hold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) enum Condition {
    Host { values: Vec<String>, regex: Vec<String> },
    Path { values: Vec<String>, regex: Vec<String> },
    Header { name: String, values: Vec<String>, regex: Vec<String> },
    Method { values: Vec<String> },
    Query { values: Vec<(Option<String>, String)> },
    SourceIp { values: Vec<String> },
}

/// What a rule does with a request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) enum Action {
    Forward {
        groups: Vec<WeightedGroup>,
        /// For how long a client stays with the group that it came to.
        sticky_secs: Option<u32>,
    },
    Fixed {
        status: u16,
        content_type: Option<String>,
        body: Option<String>,
    },
    Redirect(Redirect),
}

/// One of a forward action's groups.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct WeightedGroup {
    pub(super) arn: String,
    /// 0 to 999.
    pub(super) weight: u32,
}

/// A redirect's template: `#{host}`, `#{path}`, … stand for the request's own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Redirect {
    pub(super) protocol: String,
    pub(super) host: String,
    pub(super) port: String,
    pub(super) path: String,
    pub(super) query: String,
    pub(super) status: u16,
}

/// A target group.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct TargetGroup {
    pub(super) settings: Settings,
    pub(super) attributes: BTreeMap<String, String>,
    /// By (id, port): many tasks share an instance.
    #[serde(with = "entries")]
    pub(super) targets: BTreeMap<(String, u16), Target>,
    /// Whether a listener or a rule forwards to it.
    pub(super) in_use: bool,
    /// Round robin's place.
    pub(super) turn: usize,
}

/// What a target group is made with. Two creations with equal settings are one group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Settings {
    pub(super) name: String,
    pub(super) protocol: String,
    pub(super) protocol_version: String,
    pub(super) port: u16,
    pub(super) vpc_id: String,
    pub(super) target_type: String,
    pub(super) health: HealthCheck,
}

/// How its targets are checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct HealthCheck {
    pub(super) protocol: String,
    /// `None`: the target's own port (`traffic-port`).
    pub(super) port: Option<u16>,
    pub(super) path: String,
    pub(super) interval_secs: u32,
    pub(super) timeout_secs: u32,
    pub(super) healthy_threshold: u32,
    pub(super) unhealthy_threshold: u32,
    /// `200`, `200-399`, `200,302`.
    pub(super) matcher: String,
}

/// One registered target.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Target {
    pub(super) state: TargetState,
    pub(super) reason: Option<Reason>,
    /// Checks passed, or failed, in a row.
    pub(super) passed: u32,
    pub(super) failed: u32,
    /// Timers that were set for an earlier life of this target do not match it.
    pub(super) life: u64,
}

impl TargetGroup {
    /// `deregistration_delay.timeout_seconds`; what is stored was checked on its way in.
    pub(super) fn delay_secs(&self) -> u64 {
        self.attributes
            .get("deregistration_delay.timeout_seconds")
            .and_then(|secs| secs.parse().ok())
            .unwrap_or(300)
    }
}

impl Action {
    /// The groups that it forwards to.
    pub(super) fn groups(&self) -> &[WeightedGroup] {
        match self {
            Self::Forward { groups, .. } => groups,
            Self::Fixed { .. } | Self::Redirect(_) => &[],
        }
    }
}

/// Pairs of key and value as Query/XML lists them.
pub(super) fn pairs(map: &BTreeMap<String, String>) -> Value {
    map.iter().map(|(key, value)| serde_json::json!({ "Key": key, "Value": value })).collect()
}

/// JSON's keys are strings, so a map by pairs is kept as a list.
mod entries {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Deserializer, Serializer};

    use super::Target;

    type Targets = BTreeMap<(String, u16), Target>;

    pub(super) fn serialize<S: Serializer>(targets: &Targets, to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(targets)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Targets, D::Error> {
        Ok(Vec::<((String, u16), Target)>::deserialize(from)?.into_iter().collect())
    }
}
