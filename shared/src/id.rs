//! A newtype for every id, so that a cluster's name is never passed for a
//! service's. They hold what AWS gave, unchanged; the few that people type are
//! checked where they are parsed (see [`ImageDigest`]).

use std::fmt;

use serde::{Deserialize, Serialize};

/// The one timestamp type of the project: an instant in UTC. Read by callers,
/// never in this crate.
pub use jiff::Timestamp;

macro_rules! text_id {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
        #[serde(transparent)]
        #[schemars(transparent)]
        pub struct $name(String);

        impl $name {
            /// Takes the text as it is.
            pub fn new(text: impl Into<String>) -> Self {
                Self(text.into())
            }

            /// The text, as AWS writes it.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self::new(text)
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self::new(text)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }
    )*};
}

text_id! {
    /// An ECS cluster's short name, never its ARN.
    ClusterName;
    /// An ECS service's short name, never its ARN.
    ServiceName;
    /// An ECR repository's name, with its slashes: `team/shop`; another account's with its registry before it.
    RepositoryName;
    /// An image's tag: `latest`, `v1.2.3`.
    ImageTag;
    /// A task definition's family.
    Family;
    /// A task definition's ARN, with its revision.
    TaskDefinitionArn;
    /// An ECS service's ARN.
    ServiceArn;
    /// A target group's ARN.
    TargetGroupArn;
    /// A listener rule's ARN.
    RuleArn;
    /// A listener's ARN.
    ListenerArn;
    /// An ECS deployment's id: `ecs-svc/<number>`.
    DeploymentId;
    /// A task's ARN.
    TaskArn;
    /// A container instance's ARN: ECS's name for an EC2 instance of a cluster.
    ContainerInstanceArn;
    /// A capacity provider's ARN.
    CapacityProviderArn;
    /// A service deployment's ARN: the newer API's name for one rollout.
    ServiceDeploymentArn;
    /// A service revision's ARN.
    ServiceRevisionArn;
    /// A deployment lifecycle hook's id: `ecs-pause-…`.
    HookId;
    /// An EC2 instance's id: `i-0123…`.
    InstanceId;
    /// An Auto Scaling group's name.
    AutoScalingGroupName;
    /// An Availability Zone: `eu-central-1a`.
    AvailabilityZone;
    /// An EC2 instance type: `t3.medium`.
    InstanceType;
    /// A task's group: `service:web`, `family:job`. What `distinctInstance`, the spread over zones and
    /// `task:group` look at.
    TaskGroup;
    /// A CloudWatch alarm's name.
    AlarmName;
    /// A twelve-digit AWS account.
    AccountId;
    /// An AWS Region: `eu-central-1`.
    Region;
    /// A container's name within its task definition.
    ContainerName;
    /// The name of a CloudFormation stack of Windlass.
    StackName;
    /// Who did something: a function, or a person at the CLI.
    Actor;
}

impl TaskDefinitionArn {
    /// `family:revision`, the part that people say.
    pub fn short(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or(&self.0)
    }

    /// The family within `…/family:revision`.
    pub fn family(&self) -> Family {
        let short = self.short();
        Family::new(short.rsplit_once(':').map_or(short, |(family, _)| family))
    }

    /// The number within `…/family:revision`.
    pub fn number(&self) -> Option<u32> {
        self.short().rsplit_once(':')?.1.parse().ok()
    }
}

/// A service within its cluster: the unit that Windlass decides about, leases,
/// and remembers. Written `cluster/service`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ServiceKey {
    /// The cluster's short name.
    pub cluster: ClusterName,
    /// The service's short name.
    pub service: ServiceName,
}

impl ServiceKey {
    /// `cluster` and `service`, both short names.
    pub fn new(cluster: impl Into<ClusterName>, service: impl Into<ServiceName>) -> Self {
        Self { cluster: cluster.into(), service: service.into() }
    }

    /// Reads a service's ARN, long form (`service/<cluster>/<name>`); `None` for
    /// anything else, the short pre-2018 form included, which names no cluster.
    pub fn from_service_arn(arn: &str) -> Option<Self> {
        let rest = arn.split(':').nth(5)?.strip_prefix("service/")?;
        let (cluster, service) = rest.split_once('/')?;
        (!cluster.is_empty() && !service.is_empty() && !service.contains('/'))
            .then(|| Self::new(cluster, service))
    }
}

impl fmt::Display for ServiceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.cluster, self.service)
    }
}

/// `cluster/service` was expected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not `cluster/service`: both short names, one slash")]
pub struct NotAServiceKey(String);

impl std::str::FromStr for ServiceKey {
    type Err = NotAServiceKey;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once('/') {
            Some((cluster, service))
                if !cluster.is_empty() && !service.is_empty() && !service.contains('/') =>
            {
                Ok(Self::new(cluster, service))
            }
            _ => Err(NotAServiceKey(text.to_owned())),
        }
    }
}

/// The sha256 digest of an image's manifest, or of its index: what a release is.
/// Always `sha256:` and 64 lower-case hex digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct ImageDigest(String);

/// A digest was expected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an image digest: `sha256:` and 64 hex digits")]
pub struct NotADigest(String);

impl ImageDigest {
    /// The digest as registries write it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first twelve hex digits, as people read them.
    pub fn short(&self) -> &str {
        &self.0["sha256:".len()..][..12]
    }
}

impl std::str::FromStr for ImageDigest {
    type Err = NotADigest;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let hex = text.strip_prefix("sha256:").ok_or_else(|| NotADigest(text.to_owned()))?;
        let is_hex = hex.len() == 64 && hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if is_hex { Ok(Self(text.to_owned())) } else { Err(NotADigest(text.to_owned())) }
    }
}

impl<'de> Deserialize<'de> for ImageDigest {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl fmt::Display for ImageDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A CPU architecture, in the words of images (`amd64`, `arm64`); ECS says
/// `x86_64` for the first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Architecture {
    /// x86-64.
    Amd64,
    /// 64-bit ARM (Graviton).
    Arm64,
    /// Any other, by its own name.
    #[serde(untagged)]
    Other(String),
}

impl Architecture {
    /// Reads an image's word (`amd64`) or ECS's (`x86_64`, `X86_64`, `ARM64`).
    pub fn from_word(word: &str) -> Self {
        match word.to_ascii_lowercase().as_str() {
            "amd64" | "x86_64" | "x86-64" => Self::Amd64,
            "arm64" | "aarch64" => Self::Arm64,
            other => Self::Other(other.to_owned()),
        }
    }
}

impl fmt::Display for Architecture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Amd64 => "amd64",
            Self::Arm64 => "arm64",
            Self::Other(word) => word,
        })
    }
}

/// A fencing token: only grows; a write made under an older one is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default)]
#[serde(transparent)]
pub struct FencingToken(pub u64);

impl fmt::Display for FencingToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}
