//! The task definition of a service that Windlass makes: one container. Services with
//! more are made elsewhere and adopted.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::id::{Architecture, ContainerName};

/// The task of a service that Windlass makes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TaskSpec {
    /// The container's name; left out, the service's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container: Option<ContainerName>,
    /// CPU units, 1024 to a vCPU.
    pub cpu: u32,
    /// MiB; the container is killed beyond it.
    pub memory: u32,
    /// The port that the container listens on. On an instance its host port is dynamic.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// Environment variables.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// Environment variables from Secrets Manager or Parameter Store: name → ARN
    /// (`valueFrom`), or a parameter's name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub secrets: BTreeMap<String, String>,
    /// Instead of the image's command.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
    /// The role that the application has: an ARN, or a role's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_role: Option<String>,
    /// The role that pulls the image, reads secrets and writes logs: an ARN, or a role's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub execution_role: Option<String>,
    /// How the container is on the network.
    #[serde(default)]
    pub network_mode: NetworkMode,
    /// Seconds from SIGTERM to SIGKILL; left out, the agent's 30.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_timeout_secs: Option<u32>,
    /// CloudWatch Logs; left out, the instance's default log driver.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log: Option<LogSpec>,
    /// Only instances of this architecture; left out, whatever the cluster has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub architecture: Option<TaskArchitecture>,
}

/// ECS's `networkMode`, as far as Windlass makes tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Default)]
#[serde(rename_all = "snake_case")]
pub enum NetworkMode {
    /// Docker's bridge: many tasks on an instance, dynamic host ports.
    #[default]
    Bridge,
    /// An elastic network interface for each task; needs `network`.
    Awsvpc,
    /// The instance's own network: one task of a port on an instance.
    Host,
}

impl NetworkMode {
    /// As ECS writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Bridge => "bridge",
            Self::Awsvpc => "awsvpc",
            Self::Host => "host",
        }
    }
}

/// The architectures that ECS runs Linux tasks on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TaskArchitecture {
    /// x86-64.
    #[serde(alias = "x86_64", alias = "X86_64")]
    Amd64,
    /// 64-bit ARM (Graviton).
    #[serde(alias = "ARM64", alias = "aarch64")]
    Arm64,
}

impl TaskArchitecture {
    /// As ECS's `runtimePlatform.cpuArchitecture` writes it.
    pub fn as_ecs(self) -> &'static str {
        match self {
            Self::Amd64 => "X86_64",
            Self::Arm64 => "ARM64",
        }
    }
}

impl From<TaskArchitecture> for Architecture {
    fn from(architecture: TaskArchitecture) -> Self {
        match architecture {
            TaskArchitecture::Amd64 => Self::Amd64,
            TaskArchitecture::Arm64 => Self::Arm64,
        }
    }
}

/// The `awslogs` log driver's options.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LogSpec {
    /// The log group; it must exist.
    pub group: String,
    /// Its Region; left out, the stack's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// The streams' prefix; left out, the service's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
}
