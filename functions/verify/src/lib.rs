//! The verify function: verdicts on new revisions. It decides nothing: what must be looked at
//! and what it comes to is `windlass_shared::verify`'s, the looking is `windlass_aws::verify`'s.
//!
//! | file | holds |
//! |---|---|
//! | [`app`] | the clients and the ledger, one set a sandbox |
//! | `handle` | who asks: ECS's lifecycle hook, or a pass whose canary waits |
//! | `look` | a question → a verdict |
//! | [`log`] | one JSON line a verdict |
//!
//! # What ECS is told when something goes wrong here
//!
//! ECS takes any end of this function but an answer as *roll back*. So: what cannot be read,
//! reached or told yet is `IN_PROGRESS`, asked again after half a minute, until
//! `verify.timeout_minutes` (for what not even the spec could be read: until the hook's own
//! timeout). A call that cannot be read at all is an error, and so a rollback: the function does
//! not know what it would let through, and waiting would hold up a way back as well. A verdict
//! that could not be written down is given all the same: the release matters more than its record.

pub mod app;
mod handle;
pub mod log;
mod look;

pub use app::App;
pub use handle::{HandleError, handle};
