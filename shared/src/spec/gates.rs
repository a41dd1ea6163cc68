//! What must be well before, during and after a rollout: checks of the new revision, the
//! image's scan, a task beforehand, another service.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::number::Percent;
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
