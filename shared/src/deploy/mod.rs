//! The deploy pass: facts + row + now → [`Plan`]; [`check()`] judges it; `aws` applies it.
//!
//! | module | holds |
//! |---|---|
//! | [`planner`] | the decision, in five numbered steps |
//! | [`wanted`] | the spec that counts: parameter, tag or labels |
//! | [`rollout`] | what became of the rollout in flight |
//! | [`rollback`] | what can be gone back to, and for how long that holds |
//! | [`keep`] | which revisions may be deregistered, and which never |
//! | [`explain`] | why one failed, in the words that a person needs |
//! | [`desired`] | the task definition that is wanted |
//! | [`promotion`] | what the service that another one follows lets through |
//! | [`route`] | the service's rule, its priority, and how it waits |
//! | [`canary`] | the numbers of Windlass's own canary: tasks and weights |
//! | [`retire`] | what goes, and in which order, once nobody wants it |
//! | [`plan`] | the result: steps, report, what the ledger is to remember |
//! | [`report`] | each "no" with its reason |
//! | [`check()`] | the judge, who does not know how the plan was made |
//! | [`triage`] | the sweep's question: does this service need a pass? |
//! | [`record`] | what a pass leaves behind: the row's next state, the history |
//! | [`render`] | the plan as people read it |

pub mod canary;
mod check;
pub mod desired;
pub mod explain;
pub mod installed;
pub mod keep;
pub mod plan;
pub mod planner;
pub mod promotion;
pub mod publish;
pub mod record;
pub mod render;
pub mod report;
pub mod retire;
pub mod rollback;
pub mod rollout;
pub mod route;
pub mod settings;
pub mod stack;
#[cfg(test)]
mod tests;
pub mod triage;
pub mod wanted;

pub use check::{Violation, check};
pub use plan::{Plan, Step, StepOutcome};
pub use planner::plan;
pub use report::Note;
pub use settings::{Published, Revisions, Settings};
pub use stack::{Stack, StackError};
pub use triage::{Triage, triage};
pub use wanted::wanted;
