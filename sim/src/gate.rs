//! The one place through which every call passes: faults, permissions, throttling, the
//! log of calls. It knows no service's meaning.
//!
//! In order: a fault that comes before the effect, the caller's permission, AWS's API
//! rate, the service itself, a fault that comes after the effect, the log.

use std::time::Duration;

use crate::call::{ApiError, Call, Reply};
use crate::time::Time;
use crate::world::World;

pub mod faults;
pub mod log;
pub mod permissions;
mod throttle;

pub use faults::{Fault, Faults, Seen};
pub use log::{CallLog, CallRecord, Counts};
pub use permissions::Permissions;

/// The gate's state. Its fields are a test's handles.
pub struct Gate {
    /// Whether AWS's API rates are kept.
    pub throttling: bool,
    /// What goes wrong, asked at every call.
    pub faults: Faults,
    /// Who may do what.
    pub permissions: Permissions,
    /// What was called.
    pub log: CallLog,
    buckets: throttle::Buckets,
    calls: u64,
}

impl Gate {
    pub(crate) fn new(throttling: bool) -> Self {
        Self {
            throttling,
            faults: faults::none(),
            permissions: Permissions::default(),
            log: CallLog::default(),
            buckets: throttle::Buckets::default(),
            calls: 0,
        }
    }

    fn fault(&mut self, call: &Call, now: Time) -> Fault {
        self.calls += 1;
        (self.faults)(call, &Seen { index: self.calls, now })
    }
}

/// What a door does about a call.
#[derive(Debug, Clone, PartialEq)]
#[must_use = "the door replies, or cuts the connection"]
pub struct Outcome<T> {
    /// The reply; `None` where a fault cuts the connection without one.
    pub reply: Option<T>,
    /// How much later than usual the reply comes.
    pub delay: Duration,
}

impl<T> Outcome<T> {
    /// A reply without delay.
    pub fn at_once(reply: T) -> Self {
        Self { reply: Some(reply), delay: Duration::ZERO }
    }

    fn cut() -> Self {
        Self { reply: None, delay: Duration::ZERO }
    }

    /// The same outcome with its reply turned into something else.
    pub fn map<U>(self, turn: impl FnOnce(T) -> U) -> Outcome<U> {
        Outcome { reply: self.reply.map(turn), delay: self.delay }
    }
}

pub(crate) fn pass(
    world: &mut World,
    call: &Call,
    service: fn(&mut World, &Call) -> Reply,
) -> Outcome<Reply> {
    let fault = world.gate.fault(call, world.now);
    let outcome = match fault {
        Fault::RefuseBefore(error) => Outcome::at_once(Err(error)),
        Fault::DropBefore => Outcome::cut(),
        Fault::None => Outcome::at_once(admitted(world, call, service)),
        Fault::Delay(delay) => Outcome { delay, ..Outcome::at_once(admitted(world, call, service)) },
        Fault::FailAfter(error) => Outcome::at_once(admitted(world, call, service).and(Err(error))),
        Fault::DropAfter => {
            // The effect stays; nobody hears of it.
            drop(admitted(world, call, service));
            Outcome::cut()
        }
    };
    world.gate.log.note(call, world.now, outcome.reply.as_ref());
    outcome
}

/// Permission and rate, then the service.
fn admitted(world: &mut World, call: &Call, service: fn(&mut World, &Call) -> Reply) -> Reply {
    let hidden = permissions::check(world, call)?;
    if world.gate.throttling && !world.gate.buckets.admit(call.service, &call.operation, world.now) {
        return Err(throttle::error(call.service));
    }
    let mut reply = service(world, call)?;
    if let Some(what) = hidden {
        permissions::hide(&mut reply, what);
    }
    Ok(reply)
}

/// What [`World::call`] says where a door would cut the connection.
pub(crate) fn dropped() -> ApiError {
    ApiError::server("ConnectionDropped", "a fault cut the connection before the reply")
}

#[cfg(test)]
mod tests;
