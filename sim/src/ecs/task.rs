//! A task and its containers, as ECS keeps them.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::service::ServiceKey;
use super::tags::Tags;
use crate::behaviour::Behaviour;
use crate::time::Time;

/// A task.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Task {
    pub(crate) id: String,
    pub(crate) arn: String,
    pub(crate) cluster: String,
    /// What started it, where a service did.
    pub(crate) owner: Option<Owner>,
    /// The service deployment's id, or what `RunTask` said.
    pub(crate) started_by: Option<String>,
    /// `service:<name>` or `family:<name>`.
    pub(crate) group: String,
    pub(crate) definition: String,
    pub(crate) instance: String,
    pub(crate) az: String,
    pub(crate) status: TaskStatus,
    /// Whether ECS wants it to run; false once it is to be stopped.
    pub(crate) wanted: bool,
    pub(crate) containers: Vec<Container>,
    pub(crate) given_cpu: Option<String>,
    pub(crate) given_memory: Option<String>,
    /// Its targets in load balancers.
    pub(crate) targets: Vec<Target>,
    pub(crate) times: Times,
    pub(crate) stop: Option<Stop>,
    pub(crate) version: u64,
    pub(crate) tags: Tags,
    pub(crate) overrides: Value,
    pub(crate) execute_command: bool,
    /// Whether the scheduler has ever found it healthy.
    pub(crate) was_healthy: bool,
    /// Until when no scale-in and no deployment stops it.
    #[serde(default)]
    pub(crate) protected_until: Option<Time>,
}

/// The service, deployment and revision that a task belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Owner {
    pub(crate) service: ServiceKey,
    pub(crate) deployment: String,
    /// The service revision's ARN: which tasks are "new" in a rollout is decided by it.
    pub(crate) revision: String,
}

/// When what happened to a task.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Times {
    pub(crate) created: Time,
    pub(crate) updated: Time,
    pub(crate) pull_started: Option<Time>,
    pub(crate) pull_stopped: Option<Time>,
    pub(crate) started: Option<Time>,
    pub(crate) stopping: Option<Time>,
    pub(crate) execution_stopped: Option<Time>,
    pub(crate) stopped: Option<Time>,
}

/// Why a task stops.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Stop {
    pub(crate) code: StopCode,
    pub(crate) reason: String,
}

/// `DescribeTasks`' `stopCode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum StopCode {
    EssentialContainerExited,
    ServiceSchedulerInitiated,
    TaskFailedToStart,
    TerminationNotice,
    UserInitiated,
}

/// `DescribeTasks`' `lastStatus`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum TaskStatus {
    /// Placed; its images are being pulled. (PROVISIONING is for network interfaces and
    /// capacity providers, which this ECS does not have.)
    Pending,
    Running,
    /// Its targets drain.
    Deactivating,
    /// Its containers have got SIGTERM.
    Stopping,
    Stopped,
}

impl TaskStatus {
    /// Placed, and not running yet.
    pub(crate) fn is_pending(self) -> bool {
        self == Self::Pending
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Running => "RUNNING",
            Self::Deactivating => "DEACTIVATING",
            Self::Stopping => "STOPPING",
            Self::Stopped => "STOPPED",
        }
    }
}

/// A container of a task.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Container {
    pub(crate) name: String,
    pub(crate) arn: String,
    /// As the task definition names it.
    pub(crate) image: String,
    pub(crate) digest: Option<String>,
    pub(crate) tags: Vec<String>,
    pub(crate) behaviour: Behaviour,
    pub(crate) essential: bool,
    /// Whether the image is for another architecture than the instance's.
    pub(crate) foreign: bool,
    pub(crate) ports: Vec<PortBinding>,
    pub(crate) stop_timeout: u32,
    pub(crate) cpu: u32,
    pub(crate) memory: Option<u32>,
    pub(crate) memory_reservation: Option<u32>,
    pub(crate) started: Option<Time>,
    pub(crate) ended: Option<Time>,
    pub(crate) exit_code: Option<i32>,
    pub(crate) reason: Option<String>,
}

impl Container {
    /// Seconds after its start at which it ends by itself.
    pub(crate) fn own_end(&self) -> Option<f64> {
        if self.foreign { Some(0.0) } else { self.behaviour.crash_secs }
    }

    /// Whether it accepts connections at this instant.
    pub(crate) fn answers(&self, now: Time) -> bool {
        let Some(started) = self.started else { return false };
        self.ended.is_none() && !self.foreign && now >= started + secs(self.behaviour.start_secs)
    }
}

/// A duration in seconds; what is negative or not a number is none.
pub(crate) fn secs(secs: f64) -> std::time::Duration {
    std::time::Duration::try_from_secs_f64(secs).unwrap_or_default()
}

/// A bound port.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PortBinding {
    pub(crate) container: u16,
    pub(crate) host: u16,
    pub(crate) protocol: String,
}

/// A task's place in a target group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Target {
    pub(crate) group: String,
    pub(crate) port: u16,
}
