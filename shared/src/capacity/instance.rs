//! An ECS container instance as the packer sees it, with the tasks on it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::resources::{HostPorts, Resources};
use super::shape::TaskShape;
use crate::id::{
    AutoScalingGroupName, AvailabilityZone, ContainerInstanceArn, InstanceId, ServiceName, TaskArn,
};

/// An instance's attributes: `ecs.instance-type` → `t3.medium`; capabilities have no value.
pub type Attributes = BTreeMap<String, Option<String>>;

/// A container instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instance {
    /// ECS's name for it.
    pub arn: ContainerInstanceArn,
    /// EC2's.
    pub ec2: Option<InstanceId>,
    /// The Auto Scaling group that it is of; none for one that was registered by hand.
    pub group: Option<AutoScalingGroupName>,
    /// Where it is.
    pub zone: AvailabilityZone,
    /// Whether it takes tasks.
    pub state: InstanceState,
    /// Whether its agent is connected: without, nothing can start there.
    pub agent: Agent,
    /// The agent's version, for queries that ask.
    pub agent_version: Option<String>,
    /// What it has.
    pub registered: Resources,
    /// What is left beside [`Instance::tasks`] (ECS's `remainingResources`).
    pub remaining: Resources,
    /// Host ports that are not free: reserved ones and its tasks'.
    pub used_ports: HostPorts,
    /// What it can do.
    pub attributes: Attributes,
    /// What it costs, where the price table knows it.
    pub price: Option<UsdPerHour>,
    /// What is on it.
    pub tasks: Vec<TaskOn>,
}

/// ECS's `status`, as far as it matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InstanceState {
    /// Takes tasks.
    Active,
    /// Gives its tasks away.
    Draining,
    /// Comes or goes: `REGISTERING`, `DEREGISTERING`, ….
    Other,
}

/// The ECS agent's connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Agent {
    /// Connected.
    Connected,
    /// Not: a moment (it reconnects several times an hour), or for good.
    Disconnected,
}

/// A task on an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskOn {
    /// Which.
    pub arn: TaskArn,
    /// What it takes.
    pub shape: Arc<TaskShape>,
    /// Whose it is: who starts it elsewhere when the instance is emptied.
    pub owner: Owner,
    /// Whether it may be stopped.
    pub protection: Protection,
    /// How it is.
    pub standing: Standing,
}

/// Who starts a task again.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Owner {
    /// A replica service: ECS starts it elsewhere.
    Service(ServiceName),
    /// A daemon service: it comes and goes with its instance and counts for nothing.
    Daemon(ServiceName),
    /// Nobody: what is stopped is lost.
    Standalone,
}

/// ECS's task scale-in protection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Protection {
    /// None.
    #[default]
    Unprotected,
    /// Asked for by the task itself or a person.
    Protected,
}

/// How a task is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Serves.
    Healthy,
    /// Starts, or its checks fail.
    Unhealthy,
    /// Is being stopped: holds its room, needs no other.
    Leaving,
}

impl Instance {
    /// Whether a task could start there at all.
    pub fn is_usable(&self) -> bool {
        self.state == InstanceState::Active && self.agent == Agent::Connected
    }

    /// The instance with a task more.
    pub(super) fn take(&mut self, task: &TaskOn) {
        self.remaining = self.remaining.minus(task.shape.needs);
        self.used_ports.extend(&task.shape.ports);
        self.tasks.push(task.clone());
    }

    /// The name that people know: EC2's, else ECS's.
    pub fn name(&self) -> &str {
        self.ec2.as_ref().map_or_else(|| self.arn.as_str(), InstanceId::as_str)
    }
}

/// Hours in a month, as AWS's price pages have them.
pub const HOURS_A_MONTH: u64 = 730;

/// Money by the hour, in millionths of a US dollar: sums are exact and the same on every machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UsdPerHour {
    /// Millionths of a dollar.
    pub micros: u64,
}

impl UsdPerHour {
    /// So many millionths of a dollar an hour: `$0.0416` is 41,600.
    pub const fn micros(micros: u64) -> Self {
        Self { micros }
    }

    /// In a month of 730 hours, rounded to whole cents.
    pub const fn cents_a_month(self) -> u64 {
        (self.micros.saturating_mul(HOURS_A_MONTH) + 5_000) / 10_000
    }

    /// Both together.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self { micros: self.micros.saturating_add(other.micros) }
    }

    /// So many of it.
    #[must_use]
    pub const fn times(self, count: u64) -> Self {
        Self { micros: self.micros.saturating_mul(count) }
    }
}

/// `$30.37 a month`.
impl fmt::Display for UsdPerHour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cents = self.cents_a_month();
        write!(f, "${}.{:02} a month", cents / 100, cents % 100)
    }
}
