//! The bound against published numbers, and what it does to good and bad releases.

use proptest::prelude::*;

use crate::verify::Counts;
use crate::verify::stats::{Z, least_increase, wilson};

/// Two-sided 95 %, as in Newcombe's tables.
const Z_95: f64 = 1.959_963_985;

fn counts(errors: u32, requests: u32) -> Counts {
    Counts { requests, errors, latency_us: None }
}

fn near(found: f64, expected: f64) -> bool {
    (found - expected).abs() < 0.00006
}

/// R. G. Newcombe, Statistics in Medicine 17 (1998), table II, method 10: lower limits.
#[test]
fn the_bound_is_the_published_one() {
    for ((a, m), (b, n), lower) in [
        ((56, 70), (48, 80), 0.0524),
        ((9, 10), (3, 10), 0.1705),
        ((6, 7), (2, 7), 0.0582),
        ((5, 56), (0, 29), -0.0381),
        ((0, 10), (0, 20), -0.1611),
        ((0, 10), (0, 10), -0.2775),
        ((10, 10), (0, 20), 0.6791),
        ((10, 10), (0, 10), 0.6075),
    ] {
        let found = least_increase(counts(a, m), counts(b, n), Z_95);
        assert!(near(found, lower), "{a}/{m} - {b}/{n}: {found} and not {lower}");
    }
}

/// Newcombe, Statistics in Medicine 17 (1998) 857–872, table I, method 3 (Wilson).
#[test]
fn the_interval_of_one_rate_is_the_published_one() {
    for (errors, requests, low, high) in
        [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)]
    {
        let (found_low, found_high) = wilson(errors, requests, Z_95);
        assert!(
            near(found_low, low) && near(found_high, high),
            "{errors}/{requests}: {found_low} {found_high}"
        );
    }
    assert_eq!(wilson(0, 0, Z), (0.0, 1.0), "of nothing nothing is known");
}

/// Few requests: what Fisher's exact test would say too.
#[test]
fn one_error_among_few_is_no_proof_and_many_are() {
    let worse = |new: (u32, u32), old: (u32, u32)| {
        least_increase(counts(new.0, new.1), counts(old.0, old.1), Z) > 0.0
    };
    assert!(!worse((1, 1), (0, 1)));
    assert!(!worse((1, 100), (0, 1000)));
    assert!(!worse((2, 10), (0, 10)), "Fisher: p = 0.24");
    assert!(worse((8, 10), (0, 10)), "Fisher: p = 0.0004");
    assert!(worse((4, 100), (0, 1000)), "Fisher: p = 0.00007");
    assert!(!worse((50, 1000), (50, 1000)));
}

/// What `docs/strategies.md` promises of `max_error_increase: 1`.
#[test]
fn so_many_errors_it_takes_beside_ten_times_the_requests_without_any() {
    for (requests, takes) in [(100, 4), (500, 11), (1000, 18)] {
        let old = counts(0, requests * 10);
        let least = (0..=requests).find(|errors| least_increase(counts(*errors, requests), old, Z) > 0.01);
        assert_eq!(least, Some(takes), "of {requests}");
    }
}

/// Splitmix64: a seeded stream, the same each time.
struct Stream(u64);

impl Stream {
    fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let bits = u32::try_from((z ^ (z >> 31)) >> 32).unwrap();
        f64::from(bits) / 4_294_967_296.0
    }

    fn sample(&mut self, requests: u32, rate: f64) -> Counts {
        let errors = (0..requests).filter(|_| self.unit() < rate).count();
        counts(u32::try_from(errors).unwrap(), requests)
    }
}

/// In how many of 2,000 releases the new one is found worse by more than `margin`.
fn found_worse(new: (u32, f64), old: (u32, f64), margin: f64) -> u32 {
    let mut stream = Stream(17);
    let mut once = || {
        let (new, old) = (stream.sample(new.0, new.1), stream.sample(old.0, old.1));
        u32::from(least_increase(new, old, Z) > margin)
    };
    (0..2000).map(|_| once()).sum()
}

#[test]
fn equal_rates_rarely_fail() {
    for rate in [0.0, 0.001, 0.01, 0.05, 0.3, 1.0] {
        for (new, old) in [(20, 20), (50, 500), (200, 200), (1000, 4000)] {
            let worse = found_worse((new, rate), (old, rate), 0.0);
            // 1 % is 20; twice that is beyond chance.
            assert!(worse <= 40, "{rate} with {new} and {old}: {worse} of 2000");
            let worse = found_worse((new, rate), (old, rate), 0.01);
            assert!(worse <= 40, "{rate} with {new} and {old} and a margin: {worse} of 2000");
        }
    }
}

#[test]
fn a_clear_difference_nearly_always_fails() {
    for ((new, high), (old, low), margin) in [
        ((100, 0.5), (100, 0.01), 0.01),
        ((200, 0.1), (2000, 0.005), 0.01),
        ((50, 1.0), (50, 0.0), 0.05),
        ((2000, 0.03), (2000, 0.005), 0.005),
    ] {
        let worse = found_worse((new, high), (old, low), margin);
        assert!(worse >= 1960, "{high} of {new} against {low} of {old}: {worse} of 2000");
    }
}

proptest! {
    #[test]
    fn the_bound_lies_below_what_was_seen_and_more_errors_raise_it(
        new in 1u32..5000, old in 1u32..5000, a in 0.0f64..1.0, b in 0.0f64..1.0,
    ) {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a u32")]
        let share = |of: u32, part: f64| (f64::from(of) * part) as u32;
        let (errors, old) = (share(new, a), counts(share(old, b), old));
        let bound = |errors| least_increase(counts(errors, new), old, Z);
        let seen = counts(errors, new).rate() - old.rate();
        prop_assert!(bound(errors) <= seen);
        prop_assert!((-1.0..=1.0).contains(&bound(errors)));
        prop_assert!(bound(errors) <= bound((errors + 1).min(new)) + 1e-12);
    }

    #[test]
    fn the_interval_holds_the_rate(requests in 1u32..100_000, part in 0.0f64..=1.0) {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a u32")]
        let errors = (f64::from(requests) * part) as u32;
        let (low, high) = wilson(errors, requests, Z);
        let rate = f64::from(errors) / f64::from(requests);
        prop_assert!(0.0 <= low && low <= rate + 1e-12 && rate <= high + 1e-12 && high <= 1.0);
    }
}
