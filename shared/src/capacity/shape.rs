//! What a task asks of an instance. Two tasks of one shape are the same to the packer, so that ten
//! thousand tasks are as many shapes as there are services.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::query::ClusterQuery;
use super::resources::{HostPorts, Resources};
use crate::id::TaskGroup;

/// What a task asks of an instance. Compared by all of it; the group comes first, so that comparing is quick.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct TaskShape {
    /// Whose it is: `service:web`.
    pub group: TaskGroup,
    /// What it reserves; see [`reserved`].
    pub needs: Resources,
    /// Host ports that it binds: none in `awsvpc` mode, none that are dynamic.
    pub ports: HostPorts,
    /// Whether tasks of the group may share an instance.
    pub sharing: Sharing,
    /// `memberOf` constraints, of the task definition and of the service: all must hold. An architecture is
    /// one more: `attribute:ecs.cpu-architecture == arm64`.
    pub member_of: Vec<ClusterQuery>,
    /// How the group's tasks are laid over zones. Best effort, as with ECS.
    pub spread: Spread,
}

/// ECS's `distinctInstance`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sharing {
    /// Any number of the group's tasks on an instance.
    #[default]
    Shared,
    /// `distinctInstance`: at most one.
    Distinct,
}

/// A placement strategy, as far as it matters for where there is room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Spread {
    /// `spread attribute:ecs.availability-zone`: ECS's default for services.
    #[default]
    Zones,
    /// `binpack`, `random`: zones do not count.
    Anywhere,
}

impl TaskShape {
    /// Resources only: no ports, no constraints, spread over zones.
    pub fn new(group: impl Into<TaskGroup>, needs: Resources) -> Self {
        Self {
            group: group.into(),
            needs,
            ports: HostPorts::default(),
            sharing: Sharing::default(),
            member_of: Vec::new(),
            spread: Spread::default(),
        }
    }
}

/// So many tasks of one shape, each without a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Demand {
    /// What each asks.
    pub shape: Arc<TaskShape>,
    /// How many.
    pub count: u32,
}

impl Demand {
    /// So many of one shape.
    pub fn new(shape: impl Into<Arc<TaskShape>>, count: u32) -> Self {
        Self { shape: shape.into(), count }
    }
}

/// What a container of a task definition says of memory and CPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ContainerNeeds {
    /// `cpu`; absent counts as 0.
    pub cpu: u32,
    /// `memory`: the hard limit, MiB.
    pub memory_mib: Option<u32>,
    /// `memoryReservation`: the soft limit, MiB.
    pub memory_reservation_mib: Option<u32>,
    /// `resourceRequirements` of type `GPU`.
    pub gpus: u32,
}

/// What ECS reserves on an instance for a task: the task's own `cpu` and `memory` where they are given, else
/// the sum over its containers, of memory the soft limit before the hard one. In `awsvpc` mode one interface.
pub fn reserved(
    task_cpu: Option<u32>,
    task_memory_mib: Option<u32>,
    containers: &[ContainerNeeds],
    awsvpc: bool,
) -> Resources {
    let sum = |each: fn(&ContainerNeeds) -> u32| containers.iter().map(each).sum::<u32>();
    let memory = |it: &ContainerNeeds| it.memory_reservation_mib.or(it.memory_mib).unwrap_or(0);
    Resources {
        cpu: task_cpu.unwrap_or_else(|| sum(|it| it.cpu)),
        memory_mib: task_memory_mib.unwrap_or_else(|| sum(memory)),
        gpus: sum(|it| it.gpus),
        enis: u32::from(awsvpc),
    }
}
