//! What must be well before, during and after a rollout: checks of the new revision, the
//! image's scan, a task beforehand, another service.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::check::{DAY_MINUTES, check_alarms, check_variables, is_ecs_name, within};
use super::number::Percent;
use super::problem::Checks;
use super::route::check_statuses;
use crate::id::ContainerName;

/// What a new revision must show before it gets all requests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Default)]
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

/// Another service whose digests this one follows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct After {
    /// `cluster/service`.
    pub service: String,
    /// Minutes that a digest must have been live and healthy there.
    #[serde(default)]
    pub healthy_minutes: u32,
}

impl VerifySpec {
    pub(super) fn check_into(&self, checks: &mut Checks) {
        let Self { http, alarms, compare } = self;
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
    }
}

impl HttpCheck {
    fn check_into(&self, checks: &mut Checks) {
        let Self { path, host: _, headers: _, status, body, max_latency_ms, tries } = self;
        checks.text("path", path, 2048);
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
