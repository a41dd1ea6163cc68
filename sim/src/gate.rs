//! The one place through which every call passes: faults, throttling, the log of calls.

use crate::call::{Call, Reply};
use crate::world::World;

/// The gate's state.
pub struct Gate {
    /// Whether AWS's API rates are kept.
    pub throttling: bool,
}

impl Gate {
    pub(crate) fn new(throttling: bool) -> Self {
        Self { throttling }
    }
}

pub(crate) fn pass(world: &mut World, call: &Call, service: fn(&mut World, &Call) -> Reply) -> Reply {
    service(world, call)
}
