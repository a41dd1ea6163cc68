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
    /// What image labels may ask for.
    pub guard_rails: GuardRails,
    /// Who acts: the function, or a person at the CLI.
    pub actor: Actor,
}
