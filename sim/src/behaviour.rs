//! What a container of the embedded AWS does: read from its image's labels, so
//! that a test or a demo says by the image how the application behaves.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::ecr::Found;

/// How a container behaves. Labels are `sim.<field>`, e.g. `sim.start_secs=5`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Behaviour {
    /// Seconds from start until it answers HTTP (`sim.start_secs`, default 1).
    pub start_secs: f64,
    /// Exits with `crash_code` this many seconds after its start (`sim.crash_secs`).
    pub crash_secs: Option<f64>,
    /// The exit code of a crash (`sim.crash_code`, default 1).
    pub crash_code: i32,
    /// The HTTP status it answers requests with (`sim.status`, default 200).
    pub status: u16,
    /// The HTTP status it answers health checks with (`sim.health_status`, default `status`).
    pub health_status: u16,
    /// Share of requests (0 to 1) answered with 500 (`sim.error_share`, default 0).
    pub error_share: f64,
    /// Milliseconds a request takes (`sim.latency_ms`, default 5).
    pub latency_ms: u64,
    /// Seconds it takes to end after SIGTERM (`sim.stop_secs`, default 0.5); past the
    /// task's stop timeout it is killed.
    pub stop_secs: f64,
    /// What it says beside the standard fields (`sim.body`).
    pub body: String,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            start_secs: 1.0,
            crash_secs: None,
            crash_code: 1,
            status: 200,
            health_status: 200,
            error_share: 0.0,
            latency_ms: 5,
            stop_secs: 0.5,
            body: String::new(),
        }
    }
}

impl Behaviour {
    /// Reads the labels; a label that does not parse is the image maker's mistake and
    /// is named.
    pub fn from_labels(labels: &BTreeMap<String, String>) -> Result<Self, String> {
        let mut behaviour = Self::default();
        let mut health = None;
        for (name, value) in labels {
            let Some(field) = name.strip_prefix("sim.") else { continue };
            let bad = || format!("label {name}={value} does not parse");
            match field {
                "start_secs" => behaviour.start_secs = value.parse().map_err(|_| bad())?,
                "crash_secs" => behaviour.crash_secs = Some(value.parse().map_err(|_| bad())?),
                "crash_code" => behaviour.crash_code = value.parse().map_err(|_| bad())?,
                "status" => behaviour.status = value.parse().map_err(|_| bad())?,
                "health_status" => health = Some(value.parse().map_err(|_| bad())?),
                "error_share" => behaviour.error_share = value.parse().map_err(|_| bad())?,
                "latency_ms" => behaviour.latency_ms = value.parse().map_err(|_| bad())?,
                "stop_secs" => behaviour.stop_secs = value.parse().map_err(|_| bad())?,
                // The registry's: see `ecr`.
                "findings" => drop(Found::parse(value).ok_or_else(bad)?),
                "scan_secs" => drop(value.parse::<f64>().map_err(|_| bad())?),
                "body" => behaviour.body.clone_from(value),
                _ => return Err(format!("label {name} is not one that the simulator knows")),
            }
        }
        behaviour.health_status = health.unwrap_or(behaviour.status);
        Ok(behaviour)
    }
}
