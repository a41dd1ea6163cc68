//! The one place where `now` is read. Everything that decides is given it.
//!
//! Under the embedded AWS time runs on a virtual clock, and a lease or a bake time must be
//! measured on the same one: `WINDLASS_CLOCK=<real_ms>,<virtual_ms>,<speed>` says that at the
//! real instant `real_ms` it was `virtual_ms`, and that it runs `speed` times as fast since.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use windlass_shared::id::Timestamp;

/// The variable that puts a process on the embedded AWS's clock.
pub const CLOCK_VARIABLE: &str = "WINDLASS_CLOCK";

/// Says what time it is.
#[derive(Clone)]
pub struct Clock(Kind);

#[derive(Clone)]
enum Kind {
    System,
    Affine(Affine),
    Given(Arc<dyn Fn() -> Timestamp + Send + Sync>),
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Affine {
    real_ms: i64,
    virtual_ms: i64,
    speed: f64,
}

/// `WINDLASS_CLOCK` cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{CLOCK_VARIABLE}=`{0}` is not `<real_ms>,<virtual_ms>,<speed>`; unset it to use the system's clock")]
pub struct NotAClock(String);

impl Clock {
    /// The system's clock.
    pub fn system() -> Self {
        Self(Kind::System)
    }

    /// The system's clock, or the embedded AWS's where `WINDLASS_CLOCK` says so.
    pub fn from_env() -> Result<Self, NotAClock> {
        match std::env::var(CLOCK_VARIABLE) {
            Ok(text) if !text.is_empty() => Self::from_text(&text),
            _ => Ok(Self::system()),
        }
    }

    /// Reads `<real_ms>,<virtual_ms>,<speed>`.
    pub fn from_text(text: &str) -> Result<Self, NotAClock> {
        Affine::parse(text).map(|affine| Self(Kind::Affine(affine))).ok_or_else(|| NotAClock(text.to_owned()))
    }

    /// A clock of the caller's own: a simulation's.
    pub fn given(now: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self(Kind::Given(Arc::new(now)))
    }

    /// Now.
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            Kind::System => at_ms(real_ms()),
            Kind::Affine(affine) => at_ms(affine.at(real_ms())),
            Kind::Given(now) => now(),
        }
    }
}

impl std::fmt::Debug for Clock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.0 {
            Kind::System => f.write_str("Clock(system)"),
            Kind::Affine(affine) => write!(f, "Clock({affine:?})"),
            Kind::Given(_) => f.write_str("Clock(given)"),
        }
    }
}

impl Affine {
    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split(',').map(str::trim);
        let parsed = Self {
            real_ms: parts.next()?.parse().ok()?,
            virtual_ms: parts.next()?.parse().ok()?,
            speed: parts.next()?.parse().ok()?,
        };
        (parts.next().is_none() && parsed.speed.is_finite() && parsed.speed >= 0.0).then_some(parsed)
    }

    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        reason = "a demo's span in milliseconds is far below 2^53"
    )]
    fn at(self, real_ms: i64) -> i64 {
        self.virtual_ms + ((real_ms - self.real_ms) as f64 * self.speed) as i64
    }
}

fn real_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// Out of jiff's range (the year 9999) is clamped: a wrong lease then expires never, and a
/// person sees the year.
fn at_ms(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(ms).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn virtual_time_runs_speed_times_as_fast_from_its_anchor() {
        let affine = Affine::parse("1000, 500000, 60").unwrap();
        assert_eq!(affine.at(1000), 500_000);
        assert_eq!(affine.at(2000), 560_000);
        assert_eq!(affine.at(500), 470_000);
    }

    #[test]
    fn nonsense_is_refused_by_name() {
        for text in ["", "1,2", "1,2,3,4", "1,2,-1", "1,2,NaN", "a,2,3"] {
            let error = Clock::from_text(text).unwrap_err();
            assert!(error.to_string().contains(CLOCK_VARIABLE), "{text}: {error}");
        }
    }

    #[test]
    fn a_given_clock_is_asked_each_time() {
        let ticks = std::sync::atomic::AtomicI64::new(0);
        let clock = Clock::given(move || at_ms(ticks.fetch_add(1, std::sync::atomic::Ordering::Relaxed)));
        assert!(clock.now() < clock.now());
    }
}
