//! The new revision's requests against the old one's.
//!
//! Error rates are compared as samples are: see [`stats`]. Latencies are not: of
//! `TargetResponseTime` CloudWatch keeps each minute's sum and count (and percentiles), no
//! samples, so that there is a mean and no variance, and no test to be had. The means are held
//! against each other as they are. A few slow requests can move a mean, so that the margin
//! should be generous and `min_requests` not small.

use super::observed::{Counts, Sides};
use super::stats;
use crate::ledger::Judgement;
use crate::spec::CompareSpec;

/// Errors, then latency; without enough requests on both sides, neither.
pub(super) fn judge(spec: &CompareSpec, sides: Sides) -> Vec<(&'static str, Judgement, String)> {
    let Sides { new, old } = sides;
    let least = spec.min_requests;
    if new.requests < least || old.requests < least {
        let words = format!(
            "not enough requests: {} of the new revision, {} of the old one, wanted {least} of each",
            new.requests, old.requests
        );
        return vec![("requests", Judgement::Undecided, words)];
    }
    [errors(spec, new, old), latency(spec, new, old)].into_iter().flatten().collect()
}

fn errors(spec: &CompareSpec, new: Counts, old: Counts) -> Option<(&'static str, Judgement, String)> {
    let allowed = spec.max_error_increase?;
    let surely = stats::least_increase(new, old, stats::Z);
    let is_worse = surely > f64::from(allowed.tenths()) / 1000.0;
    let rates = format!("{} against {}", share(new), share(old));
    Some(if is_worse {
        let words = format!("{rates}: higher by {} at least, {allowed} is allowed", percent(surely));
        ("errors", Judgement::Failed, words)
    } else {
        ("errors", Judgement::Passed, format!("{rates}; {allowed} more is allowed"))
    })
}

fn latency(spec: &CompareSpec, new: Counts, old: Counts) -> Option<(&'static str, Judgement, String)> {
    let allowed = spec.max_latency_increase_percent?;
    let (Some(new), Some(old)) = (new.latency_us, old.latency_us) else {
        return Some(("latency", Judgement::Undecided, "CloudWatch has no latency of one side yet".into()));
    };
    let most = u128::from(old) * u128::from(100 + allowed);
    let is_worse = u128::from(new) * 100 > most;
    let words = format!("{} ms against {} ms on average; {allowed} % more is allowed", ms(new), ms(old));
    Some(("latency", if is_worse { Judgement::Failed } else { Judgement::Passed }, words))
}

fn share(counts: Counts) -> String {
    format!("{} of {} requests failed ({})", counts.errors, counts.requests, percent(counts.rate()))
}

fn percent(rate: f64) -> String {
    format!("{:.2} %", rate * 100.0)
}

fn ms(us: u64) -> String {
    format!("{}.{}", us / 1000, us % 1000 / 100)
}
