//! The drain pass: an instance that leaves is seen out without a cut request, and let go when
//! nothing that counts runs on it any more.
//!
//! | room | holds |
//! |---|---|
//! | [`rings`] | which event asks to look at which instance |
//! | [`facts`] | what was observed of the instance |
//! | [`planner`] | facts + row + now → the plan |
//! | `departure` | why it leaves, by what was seen and what the row remembers |
//! | [`content`] | what on it counts, and whether it is empty |
//! | `policy` | what is done when the time is up |
//! | [`plan`] | the steps, what is waited for, and the row's next state |
//! | [`check`] | the plan against the invariants, by code that does not know how it was made |
//! | [`record`] | what is left in the ledger |
//!
//! Who empties what: [`crate::scale`] marks and drains for consolidation and rotation, and removes what
//! is empty; this room marks and drains for hooks, interruptions and recommendations, watches every
//! instance that has a mark, and completes Auto Scaling's lifecycle actions. The mark
//! ([`crate::ledger::MARK`]) is on the instance, so that both see whose it is in the read that shows
//! the instance. What drains without a mark is nobody's here.

pub mod check;
pub mod content;
mod departure;
pub mod facts;
pub mod plan;
pub mod planner;
mod policy;
pub mod record;
pub mod rings;
#[cfg(test)]
mod tests;

pub use check::check;
pub use facts::InstanceFacts;
pub use plan::{DrainPlan, Note, Step};
pub use planner::plan;
