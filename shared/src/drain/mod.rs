//! The drain pass: an instance that leaves is seen out without a cut request, and let go when
//! nothing that counts runs on it any more.
//!
//! | room | holds |
//! |---|---|
//! | [`facts`] | what was observed of the instance |
//! | [`plan`] | the steps, what is waited for, and the row's next state |
//!
//! Who empties what: [`crate::scale`] marks and drains for consolidation and rotation, and removes what
//! is empty; this room marks and drains for hooks, interruptions and recommendations, watches every
//! instance that has a mark, and completes Auto Scaling's lifecycle actions. The mark
//! ([`crate::ledger::MARK`]) is on the instance, so that both see whose it is in the read that shows
//! the instance. What drains without a mark is nobody's here.

pub mod facts;
pub mod plan;

pub use facts::InstanceFacts;
pub use plan::{DrainPlan, Note, Step};
