//! The deploy pass: facts + row + now → [`Plan`]; [`check`] judges it; `aws` applies it.

pub mod explain;
pub mod plan;
pub mod report;
pub mod rollout;
pub mod route;

pub use plan::{Plan, Step, StepOutcome};
