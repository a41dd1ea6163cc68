//! The way through the load balancer: the listener's rule and the target group.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::problem::Checks;
use crate::facts::RuleConditions;
use crate::id::{ListenerArn, ServiceName};

/// AWS's limit of a condition's value (host-header, path-pattern, http-header, query-string).
const VALUE_MAX: usize = 128;
/// AWS's limit of a header's name and of a method.
const WORD_MAX: usize = 40;
/// The load balancer's quotas for one rule.
const VALUES_PER_RULE: usize = 5;
const WILDCARDS_PER_RULE: usize = 6;
/// Target groups of one forward action, our own among them.
const GROUPS_PER_ACTION: usize = 5;
/// AWS's limit of a rewrite's regex and of its replacement.
const REWRITE_MAX: usize = 1024;

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
    /// An experiment: other services of the cluster that share these requests, by weight
    /// (0 to 999). The service itself has weight 100: `{next: 25}` gives `next` a fifth.
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
    /// These paths on these hosts, everything else by default.
    pub fn new(paths: Vec<String>, hosts: Vec<String>) -> Self {
        Self {
            listener: None,
            paths,
            hosts,
            headers: BTreeMap::new(),
            methods: Vec::new(),
            query: Vec::new(),
            health: HealthSpec::default(),
            deregistration_delay_secs: default_deregistration_delay_secs(),
            priority: Priority::Auto,
            rules: Vec::new(),
            rewrites: Vec::new(),
            weights: BTreeMap::new(),
            stickiness: None,
        }
    }

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

/// A target group's health check. AWS's ranges (`CreateTargetGroup`): interval 5 to 300 s,
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

impl RouteSpec {
    pub(super) fn check_into(&self, checks: &mut Checks) {
        let Self {
            listener,
            paths: _,
            hosts: _,
            headers: _,
            methods: _,
            query: _,
            health,
            deregistration_delay_secs,
            priority,
            rules,
            rewrites,
            weights,
            stickiness,
        } = self;
        let is_listener =
            |arn: &ListenerArn| arn.as_str().starts_with("arn:") && arn.as_str().contains(":listener/app/");
        checks.need(
            listener.as_ref().is_none_or(is_listener),
            "listener",
            "wants the ARN of an Application Load Balancer's listener: `arn:aws:elasticloadbalancing:…:listener/app/…`",
        );
        check_conditions(&self.conditions(), checks);
        check_priority(*priority, checks);
        checks.within("health", |checks| health.check_into(checks));
        // The target group's attribute deregistration_delay.timeout_seconds.
        checks.range("deregistration_delay_secs", *deregistration_delay_secs, 0..=3600);
        checks.each("rules", rules, |checks, rule| rule.check_into(checks));
        check_rewrites(rewrites, checks);
        for (service, weight) in weights {
            checks.need(*weight <= 999, "weights", format!("`{service}`: {weight} is not in 0 to 999"));
        }
        let room = GROUPS_PER_ACTION - 1;
        checks.need(
            weights.len() <= room,
            "weights",
            format!("wants at most {room}: a rule forwards to 5 groups"),
        );
        if let Some(stickiness) = stickiness {
            checks.within("stickiness", |checks| {
                checks.range("duration_secs", stickiness.duration_secs, 1..=604_800);
            });
        }
    }
}

impl RouteRule {
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

    fn check_into(&self, checks: &mut Checks) {
        let Self { paths: _, hosts: _, headers: _, methods: _, query: _, priority, rewrites } = self;
        check_conditions(&self.conditions(), checks);
        check_priority(*priority, checks);
        check_rewrites(rewrites, checks);
    }
}

impl HealthSpec {
    fn check_into(&self, checks: &mut Checks) {
        let Self { path, matcher, interval_secs, timeout_secs, healthy_threshold, unhealthy_threshold } =
            self;
        checks.text("path", path, 1024);
        checks.need(path.starts_with('/'), "path", "wants a path that begins with `/`");
        // Matcher of CreateTargetGroup, for HTTP on an Application Load Balancer.
        if let Err(detail) = check_statuses(matcher, 200..=499) {
            checks.refuse("matcher", detail);
        }
        checks.range("interval_secs", *interval_secs, 5..=300);
        checks.range("timeout_secs", *timeout_secs, 2..=120);
        checks.need(timeout_secs < interval_secs, "timeout_secs", "wants less than `interval_secs`");
        checks.range("healthy_threshold", *healthy_threshold, 2..=10);
        checks.range("unhealthy_threshold", *unhealthy_threshold, 2..=10);
    }
}

/// `200`, `200,302`, `200-399`: statuses and ranges of them, with commas.
pub(super) fn check_statuses(text: &str, allowed: std::ops::RangeInclusive<u16>) -> Result<(), String> {
    let status = |text: &str| text.parse::<u16>().ok().filter(|status| allowed.contains(status));
    let good = text.split(',').all(|part| match part.split_once('-') {
        None => status(part).is_some(),
        Some((from, to)) => status(from).zip(status(to)).is_some_and(|(from, to)| from <= to),
    });
    if good {
        return Ok(());
    }
    let (from, to) = (allowed.start(), allowed.end());
    Err(format!("`{text}` is no list of statuses from {from} to {to}: `200`, `200,302`, `200-399`"))
}

fn check_priority(priority: Priority, checks: &mut Checks) {
    if let Priority::Fixed(priority) = priority {
        checks.range("priority", priority, 1..=50_000);
    }
}

fn check_conditions(conditions: &RuleConditions, checks: &mut Checks) {
    let RuleConditions { hosts, paths, headers, methods, query, other: _ } = conditions;
    let values = [hosts, paths, methods, query].into_iter().chain(headers.values()).flatten();
    let (mut count, mut wildcards) = (0, 0);
    for value in values {
        count += 1;
        wildcards += value.matches(['*', '?']).count();
    }
    checks.need(
        count > 0,
        "",
        "matches nothing: give it `paths`, `hosts`, `headers`, `methods` or `query` (`paths: [\"/*\"]` takes every request)",
    );
    checks.need(
        count <= VALUES_PER_RULE,
        "",
        format!(
            "has {count} values in its conditions; a rule takes {VALUES_PER_RULE}: spread them over `rules`"
        ),
    );
    checks.need(
        wildcards <= WILDCARDS_PER_RULE,
        "",
        format!("has {wildcards} wildcards in its conditions; a rule takes {WILDCARDS_PER_RULE}"),
    );
    for (key, values) in [("paths", paths), ("hosts", hosts), ("query", query), ("methods", methods)] {
        let longest = if key == "methods" { WORD_MAX } else { VALUE_MAX };
        checks.each(key, values, |checks, value| {
            checks.text("", value, longest);
            if let Some(detail) = bad_value(key, value) {
                checks.refuse("", detail);
            }
        });
        checks.distinct(key, values);
    }
    checks.within("headers", |checks| {
        for (header, values) in headers {
            checks.within(header, |checks| check_header(header, values, checks));
        }
    });
}

fn bad_value(key: &str, value: &str) -> Option<&'static str> {
    match key {
        "paths" if !value.starts_with(['/', '*']) => Some("wants a path that begins with `/`"),
        "hosts" if value.contains(['/', ':']) => Some("wants a host alone: no scheme, port or path"),
        "methods" if !value.bytes().all(|b| b.is_ascii_uppercase() || matches!(b, b'-' | b'_')) => {
            Some("wants a method in capital letters: `GET`")
        }
        "query" if value.starts_with('=') || value.ends_with('=') => Some("wants `key=value`, or `value`"),
        _ => None,
    }
}

/// A header's name and the values that it may have.
pub(super) fn check_header(header: &str, values: &[String], checks: &mut Checks) {
    let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    let named = (1..=WORD_MAX).contains(&header.len()) && header.bytes().all(token);
    checks.need(named, "", format!("`{header}` is no header's name of 1 to {WORD_MAX} characters"));
    checks.need(!header.eq_ignore_ascii_case("host"), "", "the Host header is matched by `hosts`");
    checks.need(!values.is_empty(), "", "wants at least one value");
    for value in values {
        checks.text("", value, VALUE_MAX);
    }
}

fn check_rewrites(rewrites: &[Rewrite], checks: &mut Checks) {
    checks.each("rewrites", rewrites, |checks, rewrite| {
        checks.text("regex", &rewrite.regex, REWRITE_MAX);
        checks.need(
            rewrite.replace.chars().count() <= REWRITE_MAX,
            "replace",
            "wants at most 1024 characters",
        );
        let same = rewrites.iter().filter(|other| other.of == rewrite.of).count();
        checks.need(same == 1, "of", "is there twice: a rule takes one rewrite of each kind");
    });
}
