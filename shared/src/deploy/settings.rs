//! What the stack's parameters say to the deploy pass.

use serde::{Deserialize, Serialize};

use crate::id::{AccountId, Actor, ListenerArn, Region};
use crate::registry::Home;
use crate::spec::GuardRails;

/// The stack's settings, read by the binaries from their environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// The Region that the stack is in.
    pub region: Region,
    /// Its account; `None` where nobody said.
    #[serde(default)]
    pub account: Option<AccountId>,
    /// The listener of routes that name none.
    pub listener: Option<ListenerArn>,
    /// The role in which ECS moves requests between target groups.
    pub infrastructure_role: Option<String>,
    /// What ECS asks of new revisions.
    pub verify: Option<VerifyHook>,
    /// What image labels may ask for.
    pub guard_rails: GuardRails,
    /// Whether revisions that nothing needs may be deregistered where a spec asks for it.
    #[serde(default)]
    pub revisions: Revisions,
    /// Whether what a service runs is written into a parameter, for others to read.
    #[serde(default)]
    pub published: Published,
    /// Who acts: the function, or a person at the CLI.
    pub actor: Actor,
}

impl Settings {
    /// Where the stack is.
    pub fn home(&self) -> Home {
        Home { account: self.account.clone(), region: self.region.clone() }
    }
}

/// What the stack lets its function do with revisions that nothing needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "snake_case")]
pub enum Revisions {
    /// Deregister them, by `keep_revisions`.
    #[default]
    MayGo,
    /// Nothing: its role has no right to.
    Stay,
}

/// Whether what a service runs is published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "snake_case")]
pub enum Published {
    /// It is: [`super::publish`].
    Yes,
    /// It is not: the function has no right to.
    #[default]
    No,
}

/// `functions/verify`, as ECS's lifecycle hooks need it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerifyHook {
    /// The function's ARN.
    pub function: String,
    /// The role in which ECS invokes it.
    pub role: String,
}
