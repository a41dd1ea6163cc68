//! The way through the load balancer: the listener's rule and the target group.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::facts::RuleConditions;
use crate::id::{ListenerArn, ServiceName};

/// A service's route. Its conditions must all hold; of each one's values any.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RouteSpec {
    /// The listener; left out, the stack's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listener: Option<ListenerArn>,
    /// `path-pattern` values: `/admin/*`. `/*` takes every path.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub paths: Vec<String>,
    /// `host-header` values: `shop.example.com`, `*.example.com`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hosts: Vec<String>,
    /// `http-header` conditions: name → values.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, Vec<String>>,
    /// `http-request-method` values.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub methods: Vec<String>,
    /// `query-string` values: `key=value`, or `value`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub query: Vec<String>,
    /// The target group's health check.
    #[serde(default)]
    pub health: HealthSpec,
    /// Seconds that a leaving target goes on answering open requests: 0 to 3600.
    #[serde(default = "default_deregistration_delay_secs")]
    pub deregistration_delay_secs: u32,
    /// The rule's priority.
    #[serde(default)]
    pub priority: Priority,
    /// Further rules that lead to the same service.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<RouteRule>,
    /// Rewrites before the request is forwarded; at most one of each kind.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rewrites: Vec<Rewrite>,
    /// An experiment: other services that share these requests, by weight (0 to 999).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub weights: BTreeMap<ServiceName, u32>,
    /// Whether a client stays with the target group it first got.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stickiness: Option<Stickiness>,
}

/// 30 s, not AWS's 300: a rollout waits this long for every task that leaves, and a
/// request that takes longer is rare enough to be said in the spec.
fn default_deregistration_delay_secs() -> u32 {
    30
}

impl RouteSpec {
    /// The rule's conditions as facts have them.
    pub fn conditions(&self) -> RuleConditions {
        RuleConditions {
            hosts: self.hosts.clone(),
            paths: self.paths.clone(),
            headers: self.headers.clone(),
            methods: self.methods.clone(),
            query: self.query.clone(),
            other: Vec::new(),
        }
    }
}

/// A target group's health check. AWS's ranges (CreateTargetGroup): interval 5 to 300 s,
/// timeout 2 to 120 s, thresholds 2 to 10. The defaults are quicker than AWS's (30 s,
/// 5 of them): 20 s to the first request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct HealthSpec {
    /// The path that is asked.
    pub path: String,
    /// Statuses taken for healthy, 200 to 499: `200`, `200,302`, `200-399`.
    pub matcher: String,
    /// Seconds between two checks: 5 to 300.
    pub interval_secs: u32,
    /// Seconds that an answer may take: 2 to 120, less than the interval.
    pub timeout_secs: u32,
    /// Good answers in a row until a target is healthy: 2 to 10.
    pub healthy_threshold: u32,
    /// Bad answers in a row until it is not: 2 to 10.
    pub unhealthy_threshold: u32,
}

impl Default for HealthSpec {
    fn default() -> Self {
        Self {
            path: "/".into(),
            matcher: "200-399".into(),
            interval_secs: 10,
            timeout_secs: 5,
            healthy_threshold: 2,
            unhealthy_threshold: 2,
        }
    }
}

/// Where a rule stands among its listener's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Priority {
    /// By how specific it is, in a free place.
    #[default]
    Auto,
    /// Exactly here: 1 to 50000, lowest first, one rule each.
    Fixed(u32),
}

impl Serialize for Priority {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Auto => serializer.serialize_str("auto"),
            Self::Fixed(priority) => serializer.serialize_u32(*priority),
        }
    }
}

impl<'de> Deserialize<'de> for Priority {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PriorityVisitor)
    }
}

struct PriorityVisitor;

impl Visitor<'_> for PriorityVisitor {
    type Value = Priority;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("`auto`, or a number from 1 to 50000")
    }

    fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<Priority, E> {
        let priority =
            u32::try_from(number).map_err(|_| E::invalid_value(Unexpected::Unsigned(number), &self))?;
        Ok(Priority::Fixed(priority))
    }

    fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<Priority, E> {
        let priority =
            u32::try_from(number).map_err(|_| E::invalid_value(Unexpected::Signed(number), &self))?;
        Ok(Priority::Fixed(priority))
    }

    fn visit_str<E: serde::de::Error>(self, word: &str) -> Result<Priority, E> {
        if word == "auto" { Ok(Priority::Auto) } else { Err(E::invalid_value(Unexpected::Str(word), &self)) }
    }
}

impl JsonSchema for Priority {
    fn schema_name() -> Cow<'static, str> {
        "Priority".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "Where the rule stands among its listener's: `auto`, or 1 to 50000.",
            "anyOf": [{"const": "auto"}, {"type": "integer", "minimum": 1, "maximum": 50000}],
        })
    }
}

/// A further rule of the same service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Default)]
#[serde(deny_unknown_fields, default)]
pub struct RouteRule {
    /// `path-pattern` values.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub paths: Vec<String>,
    /// `host-header` values.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hosts: Vec<String>,
    /// `http-header` conditions: name → values.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, Vec<String>>,
    /// `http-request-method` values.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub methods: Vec<String>,
    /// `query-string` values.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub query: Vec<String>,
    /// The rule's priority.
    pub priority: Priority,
    /// Rewrites before the request is forwarded.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rewrites: Vec<Rewrite>,
}

/// A rule's transform (`url-rewrite`, `host-header-rewrite`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rewrite {
    /// What is rewritten.
    pub of: RewriteOf,
    /// What is looked for; at most 1,024 characters.
    pub regex: String,
    /// What takes its place; `$1` is the first group. At most 1,024 characters.
    pub replace: String,
}

/// What a rewrite changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RewriteOf {
    /// Path and query.
    Url,
    /// The `Host` header.
    Host,
}

/// A client stays with the target group it first got.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Stickiness {
    /// For how long: 1 to 604800 s (7 days).
    pub duration_secs: u32,
}
