//! The virtual clock of the TCP door: `v0 + real time gone by × speed`.
//!
//! This is the one place of `sim` that reads the wall clock; the state machine is told.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::time::Time;

/// A clock that runs `speed` times as fast as the real one.
#[derive(Debug, Clone)]
pub struct Clock {
    real_start: Instant,
    real_start_epoch_ms: u128,
    virtual_start: Time,
    speed: f64,
}

impl Clock {
    /// Starts now, at `virtual_start`.
    pub(super) fn start(virtual_start: Time, speed: f64) -> Self {
        let epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { real_start: Instant::now(), real_start_epoch_ms: epoch.as_millis(), virtual_start, speed }
    }

    /// The virtual instant.
    pub fn now(&self) -> Time {
        self.virtual_start + self.real_start.elapsed().mul_f64(self.speed)
    }

    /// Virtual seconds in a real one.
    pub fn speed(&self) -> f64 {
        self.speed
    }

    /// How long, in real time, until the virtual instant `at`; zero if it is past.
    pub(super) fn real_until(&self, at: Time) -> Duration {
        at.since(self.now()).div_f64(self.speed)
    }

    /// `<real_epoch_ms>,<virtual_epoch_ms>,<speed>`: the value of `WINDLASS_CLOCK`, by
    /// which functions and the command compute the virtual instant.
    pub fn env(&self) -> String {
        format!("{},{},{}", self.real_start_epoch_ms, self.virtual_start.0, self.speed)
    }
}
