//! The bound that the comparison of two error rates rests on.
//!
//! Asked is not whether two rates differ but whether the new one is higher *by more than the
//! spec allows*: a one-sided test of a difference of two proportions against a margin. Fisher's
//! exact test has no margin, and the textbook's z-test is wrong just where canaries live, at few
//! requests and rates near zero (at 0 errors its standard error is 0). So: Newcombe's hybrid
//! score interval (method 10 of R. G. Newcombe, *Interval estimation for the difference between
//! independent proportions: comparison of eleven methods*, Statistics in Medicine 17 (1998)
//! 873–890), made of Wilson's score intervals (E. B. Wilson, JASA 22 (1927) 209–212). If even
//! its lower end lies above the margin, the new revision is worse.

use super::observed::Counts;

/// One-sided 1 % (a standard normal's 99th percentile). A canary is judged at each step and, while
/// undecided, each minute: 5 % each time would roll back one good release in a few.
pub const Z: f64 = 2.326_347_874;

/// Wilson's score interval of a proportion.
pub fn wilson(errors: u32, requests: u32, z: f64) -> (f64, f64) {
    if requests == 0 {
        return (0.0, 1.0);
    }
    let n = f64::from(requests);
    let p = f64::from(errors.min(requests)) / n;
    let square = z * z;
    let centre = p + square / (2.0 * n);
    let half = z * (p * (1.0 - p) / n + square / (4.0 * n * n)).sqrt();
    let scale = 1.0 + square / n;
    (((centre - half) / scale).max(0.0), ((centre + half) / scale).min(1.0))
}

/// The least by which the new rate is higher than the old one: the lower end of Newcombe's
/// interval of the difference. Below zero where it may as well be lower.
pub fn least_increase(new: Counts, old: Counts, z: f64) -> f64 {
    let (new_low, _) = wilson(new.errors, new.requests, z);
    let (_, old_high) = wilson(old.errors, old.requests, z);
    let (p_new, p_old) = (new.rate(), old.rate());
    p_new - p_old - (p_new - new_low).hypot(old_high - p_old)
}
