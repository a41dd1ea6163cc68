//! The scale pass: a cluster's services get the tasks that their load needs, and the cluster the
//! instances that these tasks need, in one step.
//!
//! | room | holds |
//! |---|---|
//! | [`facts`] | what was observed of the cluster |
//! | [`planner`] | facts + row + now → the plan |
//! | `services` | how many tasks each service gets |
//! | [`shapes`], [`supply`], [`demand`] | the facts as the packer takes them: what there is, what is wanted |
//! | `instances`, `consolidation` | what is missing, what is spare, what is removed |
//! | `bells` | whose rollout has the room now that it waited for |
//! | `machines` | what an instance type has, where none was seen |
//! | [`plan`] | the steps, and the row's next state |
//! | [`report`] | what was not done, and why |
//! | [`picture`] | the cluster as people see it |
//! | [`check`] | the plan against the invariants, by code that does not know how it was made |
//! | [`record`] | what is left in the ledger |
//! | [`room`] | whether a rollout's tasks have room, asked by the deploy pass |
//! | [`rings`] | which event asks to look at which cluster |
//! | [`settings`] | the stack's: prices |

mod bells;
pub mod check;
mod consolidation;
pub mod demand;
pub mod facts;
mod instances;
mod machines;
pub mod picture;
pub mod plan;
pub mod planner;
pub mod record;
pub mod report;
pub mod rings;
pub mod room;
mod services;
pub mod settings;
pub mod shapes;
pub mod supply;
#[cfg(test)]
mod tests;

pub use check::check;
pub use facts::CapacityFacts;
pub use picture::{Picture, picture};
pub use plan::{CapacityPlan, Step};
pub use planner::plan;
pub use report::{InstanceNote, Note, ServiceNote};
pub use settings::Settings;
