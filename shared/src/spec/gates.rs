//! What must be well before, during and after a rollout: checks of the new revision, the
//! image's scan, a task beforehand, another service.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::check::{DAY_MINUTES, check_alarms, check_variables, is_ecs_name, within};
use super::number::Percent;
use super::problem::Checks;
use super::rollout::{OnTimeout, RolloutSpec, Strategy};
use super::route::{RouteSpec, check_statuses};
use crate::id::{ContainerName, ServiceKey};
use crate::image::Policy;

/// What a new revision must show before it gets all requests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct VerifySpec {
    /// Requests to it, and the answers wanted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub http: Vec<HttpCheck>,
    /// Alarms that must be quiet.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub alarms: Vec<String>,
    /// The new revision's requests against the old one's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compare: Option<CompareSpec>,
    /// Minutes for which an undecided verdict (too few requests, something that could not be
    /// read) is asked for again, at each stage.
    pub timeout_minutes: u32,
    /// What becomes of it then.
    pub on_timeout: OnTimeout,
}

impl Default for VerifySpec {
    fn default() -> Self {
        Self {
            http: Vec::new(),
            alarms: Vec::new(),
            compare: None,
            timeout_minutes: 30,
            on_timeout: OnTimeout::Rollback,
        }
    }
}

/// A request, and the answer wanted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HttpCheck {
    /// The path, with its query.
    pub path: String,
    /// The `Host` header; left out, the route's first host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// Further headers.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// Statuses wanted: `200`, `200,302`, `200-399`.
    #[serde(default = "default_status")]
    pub status: String,
    /// A regex that the body must match somewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// Milliseconds that the answer may take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_latency_ms: Option<u32>,
    /// How often it is asked; every answer must be good.
    #[serde(default = "default_tries")]
    pub tries: u32,
}

fn default_status() -> String {
    "200-399".into()
}

fn default_tries() -> u32 {
    1
}

/// The new revision's requests against the old one's, from CloudWatch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CompareSpec {
    /// By how much the share of 5xx may be higher.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_error_increase: Option<Percent>,
    /// By how much the mean latency may be higher, in percent of the old one's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_latency_increase_percent: Option<u32>,
    /// With fewer requests than this there is no verdict.
    pub min_requests: u32,
}

/// A task that runs once for each digest before its rollout: a migration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PreDeploySpec {
    /// Its command, in the new revision's task definition.
    pub command: Vec<String>,
    /// In which container; left out, the first tracked one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container: Option<ContainerName>,
    /// Further environment variables.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// If it has not ended by then, it has failed.
    #[serde(default = "default_pre_deploy_minutes")]
    pub timeout_minutes: u32,
}

fn default_pre_deploy_minutes() -> u32 {
    15
}

/// The worst vulnerability that an image may have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ScanGate {
    /// Findings above it stop the rollout.
    pub max_severity: Severity,
    /// Minutes to wait for a scan that has not ended.
    #[serde(default = "default_scan_minutes")]
    pub timeout_minutes: u32,
    /// What becomes of an image whose scan failed, did not end in time, or that cannot be
    /// scanned; left out, it is refused.
    #[serde(default)]
    pub if_unscanned: Unscanned,
}

/// What becomes of an image without a scan's result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Default)]
#[serde(rename_all = "snake_case")]
pub enum Unscanned {
    /// It waits until there is one.
    #[default]
    Refuse,
    /// It goes on, and the release says so.
    Warn,
}

fn default_scan_minutes() -> u32 {
    15
}

/// ECR's `FindingSeverity`, mildest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// No finding at all is let through.
    None,
    /// `INFORMATIONAL`.
    Informational,
    /// `UNDEFINED`, `UNTRIAGED`: nobody has judged it.
    Undefined,
    /// `LOW`.
    Low,
    /// `MEDIUM`.
    Medium,
    /// `HIGH`.
    High,
    /// `CRITICAL`: everything is let through.
    Critical,
}

impl Severity {
    /// ECR's or Inspector's word; one of tomorrow is of a severity that nobody has judged.
    pub fn from_word(word: &str) -> Self {
        match word {
            "INFORMATIONAL" => Self::Informational,
            "LOW" => Self::Low,
            "MEDIUM" => Self::Medium,
            "HIGH" => Self::High,
            "CRITICAL" => Self::Critical,
            _ => Self::Undefined,
        }
    }
}

impl std::fmt::Display for Severity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::None => "none",
            Self::Informational => "informational",
            Self::Undefined => "undefined",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        })
    }
}

/// Another service whose releases this one follows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct After {
    /// `cluster/service`, of the same stack.
    pub service: String,
    /// What must be live there.
    #[serde(default)]
    pub by: FollowBy,
    /// Minutes that it must have been live there: 0 to 43200.
    #[serde(default)]
    pub healthy_minutes: u32,
}

/// What of a release must be live in the service that another one follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Default)]
#[serde(rename_all = "snake_case")]
pub enum FollowBy {
    /// The very image: promotion.
    #[default]
    Digest,
    /// The release of the same tag, of whichever image: order between services of one release.
    Tag,
}

/// A month: who waits longer wants a person's yes.
const LONGEST_SOAK: u32 = 30 * DAY_MINUTES;

impl After {
    /// The service that is followed. `None` of a spec that was not checked alone.
    pub fn upstream(&self) -> Option<ServiceKey> {
        self.service.parse().ok()
    }

    /// What can be told without the others' specs.
    ///
    /// Where the policy is one tag, every image has that tag: by tag alone nothing would be
    /// waited for.
    pub(super) fn check_into(&self, policy: &Policy, checks: &mut Checks) {
        let Self { service: _, by, healthy_minutes } = self;
        checks.need(
            self.upstream().is_some(),
            "service",
            "wants `cluster/service`: both short names, one slash",
        );
        checks.need(
            *by == FollowBy::Digest || !matches!(policy, Policy::Tag(_)),
            "by",
            "every release has the tag that `image.policy` names: choose among tags (`semver`, `glob`, `regex`), or \
             follow `by: digest`",
        );
        checks.range("healthy_minutes", *healthy_minutes, 0..=LONGEST_SOAK);
    }
}

impl VerifySpec {
    pub(super) fn check_into(&self, checks: &mut Checks) {
        let Self { http, alarms, compare, timeout_minutes, on_timeout: _ } = self;
        let has_any = !http.is_empty() || !alarms.is_empty() || compare.is_some();
        checks.need(has_any, "", "verifies nothing: give it `http`, `alarms` or `compare`");
        checks.each("http", http, |checks, check| check.check_into(checks));
        check_alarms(alarms, checks);
        within(checks, "compare", compare.as_ref(), |compare, checks| {
            let CompareSpec { max_error_increase, max_latency_increase_percent, min_requests } = compare;
            let compares = max_error_increase.is_some() || max_latency_increase_percent.is_some();
            checks.need(
                compares,
                "",
                "compares nothing: give it `max_error_increase` or `max_latency_increase_percent`",
            );
            checks.need(*min_requests > 0, "min_requests", "wants at least 1");
        });
        checks.range("timeout_minutes", *timeout_minutes, 1..=DAY_MINUTES);
    }
}

impl VerifySpec {
    /// What the strategy and the route make possible.
    ///
    /// 1. In a rolling update old and new tasks stand in one target group: no request and no
    ///    number tells which of them answered. ECS's own alarms see as much.
    /// 2. A request reaches the new revision, and only it, by the test route's header.
    /// 3. What is sent must be literal: a pattern is no header's value and no host.
    pub(super) fn check_with(
        &self,
        rollout: Option<&RolloutSpec>,
        route: Option<&RouteSpec>,
        checks: &mut Checks,
    ) {
        let rolling = rollout.is_none_or(|rollout| rollout.strategy == Strategy::Rolling);
        checks.need(
            !rolling,
            "",
            "a rolling update mixes old and new tasks behind one target group, so that nothing can be verified of \
             the new ones alone: use `rollout.strategy: blue_green`, `canary` or `linear`, or let ECS watch alarms \
             with `rollout.alarms`",
        );
        if rolling || self.http.is_empty() {
            return;
        }
        let test = rollout.and_then(|rollout| rollout.test_route.as_ref());
        checks.need(
            route.is_some() && test.is_some(),
            "http",
            "requests reach the new revision by the test route alone: add \
             `rollout.test_route: {header: x-canary, values: [\"yes\"]}` (and a `route`)",
        );
        let literal = |values: &[String]| values.iter().any(|value| !value.contains(['*', '?']));
        checks.need(
            test.is_none_or(|test| literal(&test.values)),
            "http",
            "wants a value without wildcards in `rollout.test_route.values`: it is sent",
        );
        let Some(route) = route else { return };
        checks.each("http", &self.http, |checks, check| {
            let has_host = check.host.is_some() || route.hosts.is_empty() || literal(&route.hosts);
            checks.need(
                has_host,
                "host",
                "all of the route's hosts are patterns: say which one is asked for",
            );
            let path = check.path.split('?').next().unwrap_or_default();
            let reaches = |paths: &[String]| paths.is_empty() || paths.iter().any(|it| matches(it, path));
            let rules = route.rules.iter().map(|rule| rule.paths.as_slice());
            let leads_there = std::iter::once(route.paths.as_slice()).chain(rules).any(reaches);
            checks.need(
                leads_there,
                "path",
                "none of the route's paths matches it: the request would not reach the service",
            );
        });
    }
}

/// The load balancer's `*` and `?`, case-sensitive as paths are.
fn matches(pattern: &str, text: &str) -> bool {
    let glob = globset::GlobBuilder::new(&pattern.replace(['[', ']', '{', '}', '\\', '!'], "?"))
        .literal_separator(false)
        .build();
    glob.is_ok_and(|glob| glob.compile_matcher().is_match(text))
}

fn is_header(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}

impl HttpCheck {
    fn check_into(&self, checks: &mut Checks) {
        let Self { path, host: _, headers, status, body, max_latency_ms, tries } = self;
        checks.text("path", path, 2048);
        let is_uri = path.bytes().all(|b| b.is_ascii_graphic());
        checks.need(is_uri, "path", "wants a path as it is sent: no spaces, other letters as `%C3%A4`");
        for (name, value) in headers {
            let is_one =
                !name.eq_ignore_ascii_case("host") && is_header(name) && !value.contains(char::is_control);
            checks.need(
                is_one,
                "headers",
                format!(
                    "`{name}` wants a header's name and a value in one line; `host` is a key of the check"
                ),
            );
        }
        checks.need(path.starts_with('/'), "path", "wants a path that begins with `/`");
        if let Err(detail) = check_statuses(status, 100..=599) {
            checks.refuse("status", detail);
        }
        if let Some(Err(error)) = body.as_deref().map(regex::Regex::new) {
            checks.refuse("body", format!("cannot be read: {}", crate::image::policy::last_line(&error)));
        }
        checks.need(*max_latency_ms != Some(0), "max_latency_ms", "wants at least 1 ms");
        checks.range("tries", *tries, 1..=100);
    }
}

impl PreDeploySpec {
    pub(super) fn check_into(&self, checks: &mut Checks) {
        let Self { command, container, env, timeout_minutes } = self;
        checks.need(!command.is_empty(), "command", "wants a command: `[\"./migrate\", \"up\"]`");
        let named = container.as_ref().is_none_or(|name| is_ecs_name(name.as_str()));
        checks.need(named, "container", "wants a container's name");
        check_variables(env, "env", checks);
        checks.range("timeout_minutes", *timeout_minutes, 1..=DAY_MINUTES);
    }
}
