//! What the stack's parameters say to the deploy pass.

use serde::{Deserialize, Serialize};

use crate::id::{Actor, ListenerArn, Region};
use crate::spec::GuardRails;

/// The stack's settings, read by the binaries from their environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// The Region that the stack is in.
    pub region: Region,
    /// The listener of routes that name none.
    pub listener: Option<ListenerArn>,
    /// The role in which ECS moves requests between target groups.
    pub infrastructure_role: Option<String>,
    /// What ECS asks of new revisions.
    pub verify: Option<VerifyHook>,
    /// What image labels may ask for.
    pub guard_rails: GuardRails,
    /// Who acts: the function, or a person at the CLI.
    pub actor: Actor,
}

/// `functions/verify`, as ECS's lifecycle hooks need it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerifyHook {
    /// The function's ARN.
    pub function: String,
    /// The role in which ECS invokes it.
    pub role: String,
}
