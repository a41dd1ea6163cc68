//! What a task takes and an instance has, in ECS's units: quantities that add up, and host ports,
//! which either are free or are not.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

/// Quantities: needed by a task, had by an instance, or left of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Resources {
    /// CPU units, 1024 to a vCPU.
    pub cpu: u32,
    /// Memory in MiB.
    pub memory_mib: u32,
    /// GPUs. ECS hands out whole ones by id; which is all the same to the packer.
    pub gpus: u32,
    /// Network interfaces for tasks in `awsvpc` mode: one a task. ECS does not tell how many an
    /// instance has: its type and whether its interface is trunked do.
    pub enis: u32,
}

/// One quantity of [`Resources`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Resource {
    /// CPU units.
    Cpu,
    /// MiB.
    Memory,
    /// GPUs.
    Gpu,
    /// Network interfaces.
    Eni,
}

impl Resource {
    /// All, in the order of [`Resources::to_array`].
    pub const ALL: [Self; 4] = [Self::Cpu, Self::Memory, Self::Gpu, Self::Eni];
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cpu => "CPU units",
            Self::Memory => "MiB",
            Self::Gpu => "GPUs",
            Self::Eni => "network interfaces",
        })
    }
}

impl Resources {
    /// CPU units and MiB; neither GPUs nor interfaces.
    pub const fn new(cpu: u32, memory_mib: u32) -> Self {
        Self { cpu, memory_mib, gpus: 0, enis: 0 }
    }

    /// With so many GPUs.
    #[must_use]
    pub const fn gpus(mut self, gpus: u32) -> Self {
        self.gpus = gpus;
        self
    }

    /// With so many network interfaces.
    #[must_use]
    pub const fn enis(mut self, enis: u32) -> Self {
        self.enis = enis;
        self
    }

    /// In the order of [`Resource::ALL`].
    pub const fn to_array(self) -> [u32; 4] {
        [self.cpu, self.memory_mib, self.gpus, self.enis]
    }

    /// The inverse of [`Resources::to_array`].
    pub const fn from_array([cpu, memory_mib, gpus, enis]: [u32; 4]) -> Self {
        Self { cpu, memory_mib, gpus, enis }
    }

    /// How much of one.
    pub const fn of(self, resource: Resource) -> u32 {
        match resource {
            Resource::Cpu => self.cpu,
            Resource::Memory => self.memory_mib,
            Resource::Gpu => self.gpus,
            Resource::Eni => self.enis,
        }
    }

    /// Both together.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        self.zip(other, u32::saturating_add)
    }

    /// What is left; nothing where `other` is more.
    #[must_use]
    pub fn minus(self, other: Self) -> Self {
        self.zip(other, u32::saturating_sub)
    }

    /// The smaller of each.
    #[must_use]
    pub fn least(self, other: Self) -> Self {
        self.zip(other, u32::min)
    }

    /// Whether each quantity is at most the other's.
    pub fn within(self, other: Self) -> bool {
        self.to_array().iter().zip(other.to_array()).all(|(need, have)| *need <= have)
    }

    fn zip(self, other: Self, with: impl Fn(u32, u32) -> u32) -> Self {
        let (left, right) = (self.to_array(), other.to_array());
        Self::from_array(std::array::from_fn(|at| with(left[at], right[at])))
    }
}

/// A port's protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// TCP: ECS's resource `PORTS`.
    Tcp,
    /// UDP: ECS's resource `PORTS_UDP`.
    Udp,
}

/// Host ports by number. A dynamic port (0) takes none and is never in here.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct HostPorts {
    ports: BTreeSet<(Protocol, u16)>,
}

impl HostPorts {
    /// Adds a port; 0 is dynamic and adds nothing.
    pub fn take(&mut self, protocol: Protocol, port: u16) {
        if port != 0 {
            self.ports.insert((protocol, port));
        }
    }

    /// TCP ports by number; 0 is dynamic and left out.
    pub fn tcp(ports: impl IntoIterator<Item = u16>) -> Self {
        let mut these = Self::default();
        ports.into_iter().for_each(|port| these.take(Protocol::Tcp, port));
        these
    }

    /// Each, in order.
    pub fn iter(&self) -> impl Iterator<Item = (Protocol, u16)> + '_ {
        self.ports.iter().copied()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.ports.is_empty()
    }

    /// Adds the other's.
    pub fn extend(&mut self, other: &Self) {
        self.ports.extend(&other.ports);
    }

    /// Those that both have.
    #[must_use]
    pub fn both(&self, other: &Self) -> Self {
        Self { ports: self.ports.intersection(&other.ports).copied().collect() }
    }
}

impl fmt::Display for HostPorts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (protocol, port)) in self.ports.iter().enumerate() {
            let comma = if at == 0 { "" } else { ", " };
            let suffix = if *protocol == Protocol::Udp { "/udp" } else { "" };
            write!(f, "{comma}{port}{suffix}")?;
        }
        Ok(())
    }
}
