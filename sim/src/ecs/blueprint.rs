//! A task definition as the scheduler reads it: what to run, how much of an instance it
//! takes, on which ports. The definition itself stays the JSON that was registered.

use serde_json::Value;

/// What a task definition asks for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Blueprint {
    pub(crate) containers: Vec<ContainerPlan>,
    /// CPU units reserved on the instance.
    pub(crate) cpu: u32,
    /// `MiB` reserved on the instance.
    pub(crate) memory: u32,
    /// The task-level settings as given back by `DescribeTasks`.
    pub(crate) given_cpu: Option<String>,
    pub(crate) given_memory: Option<String>,
    pub(crate) network: Network,
    /// `x86_64` or `arm64`, where `runtimePlatform` says it.
    pub(crate) architecture: Option<String>,
    /// The definition's own placement constraints (`memberOf` expressions).
    pub(crate) constraints: Vec<Value>,
}

/// One container of it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ContainerPlan {
    pub(crate) name: String,
    pub(crate) image: String,
    pub(crate) essential: bool,
    pub(crate) ports: Vec<PortPlan>,
    /// Seconds from SIGTERM to SIGKILL.
    pub(crate) stop_timeout: u32,
    /// Whether ECS pins the tag to a digest for the deployment.
    pub(crate) consistent: bool,
    pub(crate) cpu: u32,
    pub(crate) memory: Option<u32>,
    pub(crate) memory_reservation: Option<u32>,
}

/// A port mapping. Host port 0 is dynamic.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct PortPlan {
    pub(crate) container: u16,
    pub(crate) host: u16,
    pub(crate) protocol: String,
}

/// How containers reach the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Network {
    Bridge,
    Host,
    Awsvpc,
    None,
}

impl Network {
    /// Reads `networkMode`; absent is `bridge`.
    pub(crate) fn parse(mode: Option<&str>) -> Option<Self> {
        match mode {
            None | Some("bridge") => Some(Self::Bridge),
            Some("host") => Some(Self::Host),
            Some("awsvpc") => Some(Self::Awsvpc),
            Some("none") => Some(Self::None),
            Some(_) => None,
        }
    }
}

impl Blueprint {
    /// Reads a registered (so validated) task definition.
    pub(crate) fn read(definition: &Value) -> Self {
        let array = |name: &str| definition[name].as_array().cloned().unwrap_or_default();
        let containers: Vec<ContainerPlan> = array("containerDefinitions").iter().map(container).collect();
        let text = |name: &str| definition[name].as_str().map(str::to_owned);
        let (given_cpu, given_memory) = (text("cpu"), text("memory"));
        let of_task = |value: &Option<String>| value.as_ref().and_then(|text| text.parse().ok());
        let container_memory = |it: &ContainerPlan| it.memory_reservation.or(it.memory).unwrap_or(0);
        Self {
            cpu: of_task(&given_cpu).unwrap_or_else(|| containers.iter().map(|it| it.cpu).sum()),
            memory: of_task(&given_memory).unwrap_or_else(|| containers.iter().map(container_memory).sum()),
            network: Network::parse(definition["networkMode"].as_str()).unwrap_or(Network::Bridge),
            architecture: definition["runtimePlatform"]["cpuArchitecture"]
                .as_str()
                .map(str::to_ascii_lowercase),
            constraints: array("placementConstraints"),
            containers,
            given_cpu,
            given_memory,
        }
    }

    /// Whether `container` maps `port`.
    pub(crate) fn maps(&self, container: &str, port: u16) -> Option<bool> {
        let plan = self.containers.iter().find(|it| it.name == container)?;
        Some(plan.ports.iter().any(|it| it.container == port))
    }
}

fn container(definition: &Value) -> ContainerPlan {
    let number = |name: &str| definition[name].as_u64().and_then(|it| u32::try_from(it).ok());
    ContainerPlan {
        name: definition["name"].as_str().unwrap_or_default().to_owned(),
        image: definition["image"].as_str().unwrap_or_default().to_owned(),
        essential: definition["essential"].as_bool().unwrap_or(true),
        ports: definition["portMappings"].as_array().into_iter().flatten().map(port).collect(),
        // The agent's ECS_CONTAINER_STOP_TIMEOUT default.
        stop_timeout: number("stopTimeout").unwrap_or(30),
        consistent: definition["versionConsistency"].as_str() != Some("disabled"),
        cpu: number("cpu").unwrap_or(0),
        memory: number("memory"),
        memory_reservation: number("memoryReservation"),
    }
}

fn port(mapping: &Value) -> PortPlan {
    let number = |name: &str| mapping[name].as_u64().and_then(|it| u16::try_from(it).ok()).unwrap_or(0);
    PortPlan {
        container: number("containerPort"),
        host: number("hostPort"),
        protocol: mapping["protocol"].as_str().unwrap_or("tcp").to_owned(),
    }
}
