//! The deploy function: which event wakes a pass over which service, and the loop of a
//! pass. It decides nothing: decisions are `windlass_shared::deploy`'s, calls are
//! `windlass_aws`'s.
//!
//! | file | holds |
//! |---|---|
//! | [`app`] | the clients and the ledger, one set a sandbox |
//! | `handle` | event → doorbells → passes |
//! | `pass` | ring, lease, observe, plan, check, apply, record |
//! | `sweep` | the timer: which services need a pass |
//! | [`log`] | one JSON line a pass |

pub mod app;
mod handle;
pub mod log;
mod pass;
mod sweep;

pub use app::App;
pub use handle::{HandleError, handle};
pub use pass::{PassEnd, PassError};
pub use windlass_aws::Invocation;
