//! How much of the traffic a canary carried, and what it did with it.

use std::fmt;

use serde::Serialize;
use windlass_shared::id::ImageDigest;
use windlass_sim::door::tcp::traffic::Summary;

/// Requests among which chance may add nothing that matters: below, a share says little.
const ENOUGH: u64 = 100;

/// A canary's part of the requests between its push and its end.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Share {
    /// What its weight gives it, 0 to 1.
    weight: f64,
    /// Requests to the application meanwhile.
    requests: u64,
    /// Those that its tasks answered.
    answered: u64,
    /// Those that they answered with a 5xx: the version's own errors.
    pub(super) errors: u64,
}

impl Share {
    /// What `digest` answered between two counts.
    pub(super) fn between(before: &Summary, after: &Summary, digest: &ImageDigest, weight: f64) -> Self {
        let digest = digest.as_str();
        let since = |count: fn(&Summary, &str) -> u64| count(after, digest) - count(before, digest);
        Self {
            weight,
            requests: after.sent - before.sent,
            answered: since(|summary, digest| summary.digests.get(digest).copied().unwrap_or(0)),
            errors: since(|summary, digest| summary.task_errors.get(digest).copied().unwrap_or(0)),
        }
    }

    /// Why a version that was rejected got more requests than its weight allows, if it did:
    /// the whole window counts, in most of which it had less.
    pub(super) fn excess(&self) -> Option<String> {
        let allowed = self.weight + 0.05;
        let share = ratio(self.answered, self.requests);
        (self.requests >= ENOUGH && share > allowed).then(|| {
            format!(
                "a rejected version got {:.0} % of the requests, {:.0} % is its weight",
                share * 100.0,
                self.weight * 100.0
            )
        })
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of a demo are far below 2^52")]
fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { weight, requests, answered, errors } = self;
        write!(
            f,
            "it answered {answered} of {requests} requests ({:.0} % was its weight), {errors} of them with its own 5xx",
            weight * 100.0
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_than_its_weight_is_told() {
        let digest: ImageDigest = format!("sha256:{:a<64}", "").parse().unwrap();
        let counted = |sent, answered, errors| Summary {
            sent,
            digests: [(digest.to_string(), answered)].into(),
            task_errors: [(digest.to_string(), errors)].into(),
            ..Summary::default()
        };
        let before = Summary { sent: 100, ..Summary::default() };
        let share = Share::between(&before, &counted(1100, 200, 60), &digest, 0.2);
        assert_eq!((share.requests, share.answered, share.errors), (1000, 200, 60));
        assert_eq!(share.excess(), None);
        let share = Share::between(&before, &counted(1100, 400, 60), &digest, 0.2);
        assert_eq!(
            share.excess().unwrap(),
            "a rejected version got 40 % of the requests, 20 % is its weight"
        );
    }
}
