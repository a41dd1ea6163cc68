//! The scale pass: a cluster's services get the tasks that their load needs, and the cluster the
//! instances that these tasks need, in one step.
//!
//! | room | holds |
//! |---|---|
//! | [`facts`] | what was observed of the cluster |
//! | [`plan`] | the steps, and the row's next state |
//! | [`report`] | what was not done, and why |

pub mod facts;
pub mod plan;
pub mod report;

pub use facts::CapacityFacts;
pub use plan::{CapacityPlan, Step};
pub use report::{InstanceNote, Note, ServiceNote};
