//! An EC2 instance, as it is kept.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::user_data::AgentConfig;
use crate::time::Time;

/// How an instance is bought.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Market {
    /// Kept until it is given back.
    OnDemand,
    /// Taken back by EC2 when it needs it.
    Spot,
}

/// An instance's state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum State {
    Pending,
    Running,
    ShuttingDown,
    Terminated,
}

impl State {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::ShuttingDown => "shutting-down",
            Self::Terminated => "terminated",
        }
    }

    pub(crate) fn code(self) -> u32 {
        match self {
            Self::Pending => 0,
            Self::Running => 16,
            Self::ShuttingDown => 32,
            Self::Terminated => 48,
        }
    }
}

/// The version of a launch template that an instance was made from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TemplateRef {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) version: u64,
}

/// What is to be launched.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Order {
    pub(crate) instance_type: String,
    pub(crate) az: String,
    pub(crate) subnet: String,
    pub(crate) image: String,
    pub(crate) template: TemplateRef,
    pub(crate) market: Market,
    /// As the template has it: base64.
    pub(crate) user_data: String,
    pub(crate) tags: BTreeMap<String, String>,
}

/// An instance.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Instance {
    pub(crate) id: String,
    /// Its instance type.
    pub(crate) kind: String,
    pub(crate) az: String,
    pub(crate) subnet: String,
    pub(crate) image: String,
    pub(crate) template: TemplateRef,
    pub(crate) market: Market,
    pub(crate) state: State,
    pub(crate) launched: Time,
    pub(crate) ended: Option<Time>,
    pub(crate) agent: AgentConfig,
    pub(crate) tags: BTreeMap<String, String>,
    /// `Client.UserInitiatedShutdown`, `Server.SpotInstanceTermination`: why it ends.
    pub(crate) reason: Option<String>,
    /// When it was told that it will be interrupted.
    pub(crate) warned: Option<Time>,
}

impl Instance {
    /// The Auto Scaling group that launched it.
    pub(crate) fn group(&self) -> Option<&str> {
        self.tags.get("aws:autoscaling:groupName").map(String::as_str)
    }
}
