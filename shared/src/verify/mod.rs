//! The verdict on a new revision: who asks, what must be observed for it, and what the
//! observed comes to. `functions/verify` reads the world in between; nothing here knows how.
//!
//! | file | holds |
//! |---|---|
//! | [`call`] | ECS's call of the hook, typed: the way back, nothing to see yet, or a check |
//! | [`wanted`] | the spec's checks at this reach: requests, alarms, a comparison |
//! | [`observed`] | what came of them, each readable or not |
//! | [`http`] | an answer against what was wanted |
//! | [`compare`] | the new revision's requests against the old one's |
//! | [`stats`] | the bound that the comparison of two error rates rests on |
//! | [`judge`] | findings → a verdict; what becomes of an undecided one at its deadline |
//!
//! # The three answers
//!
//! `Failed` wants evidence against the revision; `Passed` wants every check answered and good.
//! All else is `Undecided`: too few requests, an alarm that could not be read, a load balancer
//! that could not be reached. It is asked again until [`VerifySpec::timeout_minutes`], and then
//! becomes what [`VerifySpec::on_timeout`] says: by default a rollback, for what was never seen
//! to be well has not passed.
//!
//! [`VerifySpec::timeout_minutes`]: crate::spec::VerifySpec::timeout_minutes
//! [`VerifySpec::on_timeout`]: crate::spec::VerifySpec::on_timeout

pub mod call;
pub mod compare;
pub mod http;
pub mod judge;
pub mod observed;
pub mod stats;
pub mod wanted;

#[cfg(test)]
mod tests;

pub use call::{HookCall, HookCheck, Reach};
pub use judge::{Finding, Judged, Patience, judge};
pub use observed::{Answer, Counts, Observed, Rollout, RolloutImage, Sides};
pub use wanted::{Baseline, HttpAsk, Wanted, wanted};
