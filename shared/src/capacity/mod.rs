//! The bin packer: ECS tasks on EC2 instances. Pure, deterministic, without a clock.
//!
//! | question | asked with | answered with |
//! |---|---|---|
//! | does it fit, and why not? | [`place`] | [`Placement`]: what goes where; what does not, and the [`Why`] |
//! | which instances are missing? | [`missing`] | [`Order`]: how many more of which [`GroupOffer`], in one step; what no group can help |
//! | which are spare? | [`spare`] | [`Consolidation`]: which can be emptied and where their tasks have room; why each other is [`Kept`]; what it saves |
//! | how few could do? | [`at_least`] | a number that no arrangement is below |
//!
//! How the rooms relate:
//!
//! - [`Resources`], [`HostPorts`]: what is counted; [`TaskShape`]: what a task asks; [`ClusterQuery`]: ECS's
//!   constraints on instances; [`Instance`]: what there is. These are what a caller makes from facts.
//! - `catalogue` turns shapes into numbers and bits, `fleet` instances, once a question; all packing is done
//!   on those. Ten thousand tasks are a few hundred shapes: they are placed shape by shape.
//!
//! What it does not know: where the facts come from, whose the groups are, when anything happens, and how
//! ECS will really place. It says what *could* be; ECS decides, and the next pass looks again.

mod bound;
mod catalogue;
mod fleet;
mod instance;
mod missing;
mod offer;
mod place;
mod query;
mod resources;
mod shape;
mod share;
mod spare;
#[cfg(test)]
mod tests;
mod why;

pub use bound::at_least;
pub use instance::{
    Agent, Attributes, HOURS_A_MONTH, Instance, InstanceState, Owner, Protection, Standing, TaskOn,
    UsdPerHour,
};
pub use missing::{More, NoHelp, Order, Unplaceable, missing};
pub use offer::{GroupOffer, Machine, OnDemand, Supply};
pub use place::{Placed, Placement, Unplaced, place};
pub use query::{Candidate, ClusterQuery, QueryError};
pub use resources::{HostPorts, Protocol, Resource, Resources};
pub use shape::{ContainerNeeds, Demand, Sharing, Spread, TaskShape, reserved};
pub use share::{Share, by_share};
pub use spare::{Consolidation, Emptied, Kept, Move, SparePolicy, Touch, displaced, spare};
pub use why::{Closest, Lack, Obstacle, Proof, Why};
