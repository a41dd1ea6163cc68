//! What a container of the embedded AWS does: read from its image's labels, so
//! that a test or a demo says by the image how the application behaves.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::ecr::Found;

/// How a container behaves. Labels are `sim.<field>`, e.g. `sim.start_secs=5`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
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
    /// What a request costs it.
    pub cost: Box<Cost>,
}

/// What requests cost a container's task: see [`crate::load`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Cost {
    /// Milliseconds of a whole vCPU that a request takes (`sim.cpu_per_request_ms`, default 0: none).
    pub cpu_per_request_ms: f64,
    /// Requests a second at which its cpu is full (`sim.capacity_rps`); over `cpu_per_request_ms`.
    pub capacity_rps: Option<f64>,
    /// Percent of its cpu that it uses at rest (`sim.base_cpu`, default 1).
    pub base_cpu: f64,
    /// Percent of its memory that it uses at rest (`sim.base_memory`, default 10).
    pub base_memory: f64,
    /// `MiB` that each request a second takes (`sim.memory_per_rps_mib`, default 0).
    pub memory_per_rps_mib: f64,
    /// Seconds of work that wait in it before it refuses more with 503 (`sim.queue_secs`, default 5).
    pub queue_secs: f64,
}

impl Default for Cost {
    fn default() -> Self {
        Self {
            cpu_per_request_ms: 0.0,
            capacity_rps: None,
            base_cpu: 1.0,
            base_memory: 10.0,
            memory_per_rps_mib: 0.0,
            queue_secs: 5.0,
        }
    }
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
            cost: Box::default(),
        }
    }
}

impl Behaviour {
    /// As it behaves under a command that `RunTask` gave it: a job, which ends by itself after
    /// `sim.job_secs` (default 2) with the exit code `sim.job_code` (default 0).
    #[must_use]
    pub fn as_job(self, labels: &BTreeMap<String, String>) -> Self {
        let secs = labels.get("sim.job_secs").and_then(|secs| secs.parse().ok());
        let code = labels.get("sim.job_code").and_then(|code| code.parse().ok());
        Self { crash_secs: Some(secs.unwrap_or(2.0)), crash_code: code.unwrap_or(0), ..self }
    }

    /// Reads the labels; a label that does not parse is the image maker's mistake and
    /// is named.
    pub fn from_labels(labels: &BTreeMap<String, String>) -> Result<Self, String> {
        let mut behaviour = Self::default();
        let mut health = None;
        for (name, value) in labels {
            let Some(field) = name.strip_prefix("sim.") else { continue };
            let bad = || format!("label {name}={value} does not parse");
            let number = || value.parse::<f64>().ok().filter(|it| *it >= 0.0).ok_or_else(bad);
            match field {
                "cpu_per_request_ms" => behaviour.cost.cpu_per_request_ms = number()?,
                "capacity_rps" => behaviour.cost.capacity_rps = Some(number()?).filter(|rps| *rps > 0.0),
                "base_cpu" => behaviour.cost.base_cpu = number()?.min(100.0),
                "base_memory" => behaviour.cost.base_memory = number()?.min(100.0),
                "memory_per_rps_mib" => behaviour.cost.memory_per_rps_mib = number()?,
                "queue_secs" => behaviour.cost.queue_secs = number()?,
                "start_secs" => behaviour.start_secs = value.parse().map_err(|_| bad())?,
                "crash_secs" => behaviour.crash_secs = Some(value.parse().map_err(|_| bad())?),
                "crash_code" => behaviour.crash_code = value.parse().map_err(|_| bad())?,
                "status" => behaviour.status = value.parse().map_err(|_| bad())?,
                "health_status" => health = Some(value.parse().map_err(|_| bad())?),
                "error_share" => behaviour.error_share = value.parse().map_err(|_| bad())?,
                "latency_ms" => behaviour.latency_ms = value.parse().map_err(|_| bad())?,
                "stop_secs" => behaviour.stop_secs = value.parse().map_err(|_| bad())?,
                // Of a job alone: see `as_job`.
                "job_secs" => drop(value.parse::<f64>().map_err(|_| bad())?),
                "job_code" => drop(value.parse::<i32>().map_err(|_| bad())?),
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
