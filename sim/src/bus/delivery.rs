//! How events reach their targets, and the seam by which a test loses, doubles, delays
//! or reorders them.

use std::fmt;
use std::time::Duration;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::Event;

/// What becomes of one event on its way to one target.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Delivery {
    /// One copy, after 200 ms to a second.
    #[default]
    Usual,
    /// It never arrives.
    Lost,
    /// A copy after each of these.
    Copies(Vec<Duration>),
}

/// Asked for every event and target.
pub struct DeliveryFaults(Box<dyn FnMut(&Event) -> Delivery + Send>);

impl DeliveryFaults {
    /// A function of the event.
    pub fn new(faults: impl FnMut(&Event) -> Delivery + Send + 'static) -> Self {
        Self(Box::new(faults))
    }

    /// Every event whose detail-type is `detail_type` is lost.
    pub fn lose(detail_type: &str) -> Self {
        let detail_type = detail_type.to_owned();
        Self::new(
            move |event| {
                if event.detail_type() == detail_type { Delivery::Lost } else { Delivery::Usual }
            },
        )
    }

    /// Loses, doubles and delays on a seed. What is delayed is overtaken, so this reorders.
    pub fn chaos(seed: u64, chaos: Chaos) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        Self::new(move |_| {
            let most = u64::try_from(chaos.latest.as_millis()).unwrap_or(u64::MAX).max(1);
            let mut when = || Duration::from_millis(rng.random_range(0..=most));
            let times = [when(), when()];
            if rng.random_bool(chaos.lost) {
                Delivery::Lost
            } else if rng.random_bool(chaos.doubled) {
                Delivery::Copies(times.to_vec())
            } else {
                Delivery::Copies(vec![times[0]])
            }
        })
    }

    pub(super) fn ask(&mut self, event: &Event) -> Delivery {
        (self.0)(event)
    }
}

/// How wild [`DeliveryFaults::chaos`] is. The shares are of 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Chaos {
    /// The share of deliveries that is lost.
    pub lost: f64,
    /// The share of the rest that comes twice.
    pub doubled: f64,
    /// The latest that a copy comes.
    pub latest: Duration,
}

impl Default for DeliveryFaults {
    fn default() -> Self {
        Self::new(|_| Delivery::Usual)
    }
}

impl fmt::Debug for DeliveryFaults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DeliveryFaults(..)")
    }
}
