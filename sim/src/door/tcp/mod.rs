//! The TCP door: the embedded AWS on loopback ports, for real clients and real binaries.
//!
//! | room | holds |
//! |---|---|
//! | `clock` | virtual time from real time, at a chosen speed |
//! | `hub` | the world behind its lock, its timers, its effects |
//! | `endpoint` | the one port of every AWS API, the registry, and `/_windlass/…` |
//! | `function` | Lambda functions as processes under the Runtime API |
//! | `containers` | a small HTTP server for each task |
//! | `alb` `proxy` | the load balancer's listeners, which really forward |
//! | `state` | the world on disk |
//! | [`traffic`] | a steady stream of requests, counted |
//!
//! Everything listens on 127.0.0.1 alone. It decides nothing about AWS: that is the
//! state machine's.

mod alb;
mod clock;
mod containers;
mod endpoint;
mod function;
mod http;
mod hub;
mod local;
mod proxy;
mod state;
pub mod traffic;

pub use clock::Clock;
pub use function::FunctionProcess;
pub use local::{Local, LocalConfig, told_to_end};
pub use state::Origin;

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks. A panic elsewhere leaves the state as it was between two calls at worst, which
/// is what a crash leaves too, so the door goes on.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
pub(in crate::door) mod tests;
