//! Observe and apply: the only crate that names `aws_sdk_*`.
//!
//! It knows SDK shapes, pages, throttling, and which error means what. It deliberately
//! does not know why anything is done: it gathers facts, stores what it is given, and
//! carries out a plan's steps without a choice of its own.
//!
//! | module | holds |
//! |---|---|
//! | [`clients`] | one SDK client per service over one shared HTTP connector |
//! | [`start`] | what every function makes first |
//! | [`clock`] | the one place where `now` is read |
//! | [`error`] | SDK errors, mapped once into `shared`'s [`FailureKind`](windlass_shared::facts::FailureKind) |
//! | [`meter`] | requests and throttles, counted as they pass the connector |
//! | [`lossless`] | task definitions in and out as the JSON that AWS gave |
//! | [`observe`] | one service's facts, in as few rounds as it takes |
//! | [`stacks`] | the stacks of Windlass that a Region has |
//! | [`sweep`] | every service, at a glance: by the ten and by the hundred |
//! | [`capacity`] | a cluster's facts for the scale pass, and its steps |
//! | [`draining`] | one instance that leaves: its facts for the drain pass, and its steps |
//! | [`apply`] | a plan's steps: precheck → act → verify |
//! | [`pass`] | a pass under a lease, whatever it is over |
//! | [`retire`] | what is left of a service that nobody wants, taken away |
//! | [`by_hand`] | a doorbell rung by a person |
//! | [`verify`] | what a verdict takes: requests, alarms, metrics, ECS's own record of the rollout |
//! | [`ledger`] | the DynamoDB table: rows, leases, history, the doorbell index |

#![allow(
    clippy::redundant_closure_for_method_calls,
    reason = "a generated type's path is longer than the closure, and says less"
)]

pub mod apply;
pub mod by_hand;
pub mod capacity;
pub mod clients;
pub mod clock;
pub mod draining;
pub mod error;
pub mod ledger;
pub mod lossless;
pub mod meter;
pub mod observe;
pub mod pass;
pub mod retire;
pub mod stacks;
pub mod start;
pub mod sweep;
pub mod verify;

pub use apply::apply;
pub use capacity::CapacityObserver;
pub use clients::{Clients, ClientsError};
pub use clock::{Clock, NotAClock};
pub use draining::DrainObserver;
pub use error::Failure;
pub use ledger::{Lease, Ledger, LedgerError, Quarantined, Released, RingResult, RowKey, StateWrite};
pub use meter::Meter;
pub use observe::{Hints, Observer};
pub use pass::Invocation;
pub use sweep::{Glimpse, SweepFailure};
pub use verify::Verifier;
