//! The end of the demo: the table, the JSON, and whether all was as it must be.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::Serialize;
use serde_json::json;
use windlass_shared::ledger::Outcome;
use windlass_sim::door::tcp::traffic::Summary;

use super::capacity::Followed;
use super::follow::Release;
use crate::exit::Exit;
use crate::failure::Result;
use crate::output::{BAD, GOOD, Output, STRONG, paint};
use crate::table::table;
use crate::words;

/// The traffic on one application.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Stream {
    service: String,
    #[serde(flatten)]
    summary: Summary,
}

impl Stream {
    pub(crate) fn new(service: String, summary: Summary) -> Self {
        Self { service, summary }
    }

    /// Requests that were answered by no task: the load balancer's own 404 is a failure too
    /// where an application was.
    fn astray(&self) -> u64 {
        let answered: u64 = self.summary.digests.values().sum();
        let counted: u64 =
            self.summary.balancer_errors.values().chain(self.summary.unanswered.values()).sum();
        self.summary.sent.saturating_sub(answered + counted)
    }

    /// Failed requests, but for those that a version answered badly whose canary showed it.
    fn failed(&self, releases: &[Release]) -> u64 {
        (self.summary.failed + self.astray()).saturating_sub(self.own_errors(releases))
    }

    /// Answers 5xx of versions that their canary's verification rejected.
    fn own_errors(&self, releases: &[Release]) -> u64 {
        let rejected =
            releases.iter().filter(|release| release.service == self.service && is_rejected(release));
        rejected.filter_map(|release| release.share).map(|share| share.errors).sum()
    }
}

/// Its canary carried requests, and was rejected.
fn is_rejected(release: &Release) -> bool {
    release.share.is_some() && release.expected == Outcome::RolledBack
}

/// How it all ended.
pub(crate) struct Ending {
    releases: Vec<Release>,
    streams: Vec<Stream>,
    followed: Followed,
    problems: Vec<String>,
}

impl Ending {
    pub(crate) fn new(releases: Vec<Release>, streams: Vec<Stream>, followed: Followed) -> Self {
        let mut problems = problems(&releases, &streams);
        problems.extend(followed.problems());
        Self { releases, streams, followed, problems }
    }

    /// 1 if a request failed or a rollout ended otherwise than it must.
    pub(crate) fn exit(&self) -> Exit {
        if self.problems.is_empty() { Exit::Ok } else { Exit::No }
    }

    /// The table, or one JSON object.
    pub(crate) fn print(&self, output: Output, speed: f64, real: Duration) -> Result<()> {
        let value = json!({
            "ok": self.problems.is_empty(),
            "requests": { "sent": self.sent(), "failed": self.failed(), "own_errors": self.own_errors() },
            "releases": self.releases,
            "traffic": self.streams,
            "problems": self.problems,
            "capacity": self.followed,
            "speed": speed,
            "real_secs": real.as_secs_f64(),
        });
        output.data(&value, || self.text(real))
    }

    fn sent(&self) -> u64 {
        self.streams.iter().map(|stream| stream.summary.sent).sum()
    }

    fn failed(&self) -> u64 {
        self.streams.iter().map(|stream| stream.failed(&self.releases)).sum()
    }

    fn own_errors(&self) -> u64 {
        self.streams.iter().map(|stream| stream.own_errors(&self.releases)).sum()
    }

    fn text(&self, real: Duration) -> String {
        let rows: Vec<_> = self.releases.iter().map(row).collect();
        let releases = table(&["RELEASE", "ENDED", "PUSH → LIVE", "REAL", "WHY"], &rows);
        let streams = self.streams.iter().map(|stream| {
            let failed = stream.failed(&self.releases);
            let style = if failed == 0 { GOOD } else { BAD };
            vec![
                paint(STRONG, &stream.service),
                words::count(stream.summary.sent),
                paint(style, words::count(failed)),
                words::count(stream.own_errors(&self.releases)),
                format!("{} ms", stream.summary.slowest_ms),
            ]
        });
        let streams = table(
            &["REQUESTS TO", "SENT", "FAILED", "OF REJECTED CANARIES", "SLOWEST"],
            &streams.collect::<Vec<_>>(),
        );
        let real = real.as_secs_f64();
        let verdict = match self.problems.as_slice() {
            [] => paint(
                GOOD,
                format!(
                    "All as it must be: {} requests, none failed but {} of a canary that was rejected ({real:.0} s).",
                    words::count(self.sent()),
                    words::count(self.own_errors())
                ),
            ),
            problems => problems.iter().map(|problem| paint(BAD, problem)).collect::<Vec<_>>().join("\n"),
        };
        let followed = self.followed.words();
        format!("\n{releases}\n\n{streams}\n\n{followed}\n\n{verdict}")
    }
}

fn row(release: &Release) -> Vec<String> {
    let as_it_must = release.outcome == Some(release.expected);
    let outcome = release.outcome.map_or_else(|| "did not end".to_owned(), |outcome| outcome.to_string());
    let style = if as_it_must { GOOD } else { BAD };
    let took = match (release.push_to_live_secs, release.push_to_end_secs) {
        (Some(secs), _) => format!("{secs:.1} s"),
        (None, Some(secs)) => format!("never ({secs:.1} s)"),
        (None, None) => "-".to_owned(),
    };
    let why = match &release.reason {
        Some(reason) => most_telling(reason),
        None => release.digest.short().to_owned(),
    };
    vec![
        paint(
            STRONG,
            format!("{}:{}{}", release.service, release.tag, if release.by_hand { " again" } else { "" }),
        ),
        paint(style, outcome),
        took,
        format!("{:.1} s", release.real_secs),
        why,
    ]
}

/// The part of a reason that tells most: what became of the tasks, behind ECS's own verdict.
/// The whole of it is in `windlass explain`.
fn most_telling(reason: &str) -> String {
    let mut parts = reason.split("; ");
    let verdict = parts.next().unwrap_or_default();
    parts.next().unwrap_or(verdict).to_owned()
}

/// Everything that is not as it must be.
fn problems(releases: &[Release], streams: &[Stream]) -> Vec<String> {
    let mut problems = Vec::new();
    for release in releases.iter().filter(|release| release.outcome != Some(release.expected)) {
        let ended =
            release.outcome.map_or_else(|| "did not end".to_owned(), |outcome| format!("ended as {outcome}"));
        let reason = release.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
        problems.push(format!(
            "{}:{} {ended}, and must be {}{reason}",
            release.service, release.tag, release.expected
        ));
    }
    let shares = releases.iter().filter(|release| is_rejected(release)).filter_map(|release| release.share);
    problems.extend(shares.filter_map(|share| share.excess()));
    for stream in streams {
        if stream.summary.sent == 0 {
            problems.push(format!("no request was sent to {}", stream.service));
        }
        if stream.failed(releases) > 0 {
            let samples = stream.summary.samples.join("; ");
            let astray = match stream.astray() {
                0 => String::new(),
                astray => format!(", {astray} of them answered by no task"),
            };
            problems.push(format!(
                "{} requests to {} failed{astray}: {samples}",
                stream.failed(releases),
                stream.service
            ));
        }
        problems.extend(strangers(stream, releases));
    }
    problems
}

/// Answers from another application's image, or from one that was never live.
fn strangers(stream: &Stream, releases: &[Release]) -> Vec<String> {
    let own: BTreeSet<&str> = releases
        .iter()
        .filter(|release| release.service == stream.service)
        .filter(|release| release.expected == Outcome::Live || is_rejected(release))
        .map(|release| release.digest.as_str())
        .collect();
    let others = stream.summary.digests.iter().filter(|(digest, _)| !own.contains(digest.as_str()));
    others
        .map(|(digest, count)| format!("{count} requests to {} were answered by {digest}", stream.service))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn release(outcome: Option<Outcome>) -> Release {
        Release {
            service: "main/shop".into(),
            tag: "1.0.0".into(),
            digest: format!("sha256:{:a<64}", "").parse().unwrap(),
            expected: Outcome::Live,
            outcome,
            push_to_live_secs: None,
            push_to_end_secs: None,
            real_secs: 1.0,
            reason: None,
            share: None,
            by_hand: false,
        }
    }

    fn stream(summary: Summary) -> Stream {
        Stream::new("main/shop".into(), summary)
    }

    #[test]
    fn only_the_expected_end_without_a_lost_request_is_well() {
        let own = format!("sha256:{:a<64}", "");
        let well = Summary { sent: 5, digests: [(own.clone(), 5)].into(), ..Summary::default() };
        let live = || vec![release(Some(Outcome::Live))];
        assert_eq!(problems(&live(), &[stream(well.clone())]), Vec::<String>::new());

        let late = problems(&[release(None)], &[stream(well.clone())]);
        assert_eq!(late, ["main/shop:1.0.0 did not end, and must be live"]);
        let astray = Summary { sent: 6, ..well.clone() };
        let told = problems(&live(), &[stream(astray)]);
        assert_eq!(told, ["1 requests to main/shop failed, 1 of them answered by no task: "]);
        let stranger = Summary { sent: 6, digests: [(own, 5), ("sha256:b".into(), 1)].into(), ..well };
        assert_eq!(
            problems(&live(), &[stream(stranger)]),
            ["1 requests to main/shop were answered by sha256:b"]
        );
        assert_eq!(problems(&[], &[stream(Summary::default())]), ["no request was sent to main/shop"]);
    }
}
