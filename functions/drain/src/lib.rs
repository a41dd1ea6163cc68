//! The drain function: which event wakes a pass over which instance, and what a pass is. It decides
//! nothing: decisions are `windlass_shared::drain`'s, calls are `windlass_aws::draining`'s.
//!
//! | file | holds |
//! |---|---|
//! | [`app`] | the clients and the ledger, one set a sandbox |
//! | `handle` | event → instances → passes |
//! | `pass` | observe, plan, check, apply, record, under the instance's lease |
//! | [`log`] | one JSON line a pass |

pub mod app;
mod handle;
pub mod log;
mod pass;

pub use app::App;
pub use handle::{HandleError, handle};
pub use pass::{PassEnd, PassError};
