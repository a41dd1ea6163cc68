//! What the task before a rollout has to do with it.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::id::{ContainerName, ImageDigest, Timestamp};

/// What the task before a rollout has to do with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "note")]
pub enum PreDeployNote {
    /// It is started in this pass.
    Starts {
        /// What would be rolled out.
        would: ImageDigest,
    },
    /// It runs, or one of another image does.
    Runs {
        /// Of which image.
        of: ImageDigest,
        /// What would be rolled out.
        would: ImageDigest,
        /// Its ARN, where that is known.
        task: Option<String>,
        /// Since when.
        since: Timestamp,
    },
    /// It ended well.
    Succeeded {
        /// Of which image.
        of: ImageDigest,
    },
    /// The task definition has no such container.
    NoContainer {
        /// Which.
        container: ContainerName,
    },
    /// The container's end would not end the task.
    NotEssential {
        /// Which.
        container: ContainerName,
    },
    /// Its tasks are in awsvpc mode, and nothing says in which subnets.
    NoNetwork,
}

impl PreDeployNote {
    /// Whether a person has to do something before this service goes on.
    pub fn needs_a_person(&self) -> bool {
        match self {
            Self::NoContainer { .. } | Self::NotEssential { .. } | Self::NoNetwork => true,
            Self::Starts { .. } | Self::Runs { .. } | Self::Succeeded { .. } => false,
        }
    }

    /// Whether a rollout would begin but for this.
    pub fn holds_back(&self) -> bool {
        !matches!(self, Self::Succeeded { .. })
    }

    /// Whether the sweep should look again although nothing rings.
    pub fn leaves_open(&self) -> bool {
        !matches!(self, Self::Succeeded { .. })
    }
}

impl fmt::Display for PreDeployNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Starts { would } => {
                write!(f, "waiting: the task before the rollout of {} is started", would.short())
            }
            Self::Runs { of, would, task, since } => {
                let task = task.as_deref().map_or("its ARN is not known yet", |arn| arn);
                write!(f, "waiting: the task before the rollout of {} runs since {since} ({task})", of.short())?;
                if of == would { Ok(()) } else { write!(f, "; {} comes after it", would.short()) }
            }
            Self::Succeeded { of } => write!(f, "done: the task before the rollout of {} ended well", of.short()),
            Self::NoContainer { container } => write!(
                f,
                "refused: the task definition has no container {container}; correct pre_deploy.container"
            ),
            Self::NotEssential { container } => write!(
                f,
                "refused: container {container} is not essential, so that its end would not end the task; make it essential, or name another one in pre_deploy.container"
            ),
            Self::NoNetwork => f.write_str(
                "refused: its tasks are in awsvpc mode, and the spec has no `network` section to run the task before the rollout in",
            ),
        }
    }
}
