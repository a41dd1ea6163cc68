//! Findings, the verdict that they come to, and the hook's answer.

use std::fmt;

use serde_json::Value;

use super::observed::Observed;
use super::wanted::Wanted;
use super::{compare, http};
use crate::event::HookReply;
use crate::facts::{AlarmState, Fact};
use crate::id::{ImageDigest, Timestamp};
use crate::ledger::{Judgement, Verdict};
use crate::spec::{OnTimeout, VerifySpec};

/// ECS calls again after so many seconds. CloudWatch's numbers are a minute's.
const AGAIN_SECS: u32 = 30;

/// One check, and what was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Which: `GET /health`, `alarm shop-5xx`, `errors`.
    pub check: String,
    /// What it came to.
    pub judgement: Judgement,
    /// What was found.
    pub found: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.check, self.judgement, self.found)
    }
}

/// How long an undecided verdict is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// When it was first asked for.
    pub since: Timestamp,
    /// Minutes until silence is an answer.
    pub timeout_minutes: u32,
    /// Which answer.
    pub on_timeout: OnTimeout,
}

impl Patience {
    /// What the spec says. A spec that cannot be read has the defaults.
    pub fn of(spec: Option<&VerifySpec>, since: Timestamp) -> Self {
        let usual = VerifySpec::default();
        let spec = spec.unwrap_or(&usual);
        Self { since, timeout_minutes: spec.timeout_minutes, on_timeout: spec.on_timeout }
    }

    fn is_over(&self, now: Timestamp) -> bool {
        now.as_second() - self.since.as_second() >= i64::from(self.timeout_minutes) * 60
    }
}

/// What a look came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    /// The whole.
    pub judgement: Judgement,
    /// Its parts.
    pub findings: Vec<Finding>,
}

/// Every check with what was found of it.
///
/// 1. A bad answer, a ringing alarm, an alarm that does not exist, a side that is worse: failed.
/// 2. What could not be asked or read, and too few requests: undecided.
/// 3. Else passed. Where nothing is wanted at this reach, nothing stands against it.
pub fn judge(spec: &VerifySpec, wanted: &Wanted, observed: &Observed) -> Judged {
    let mut findings = Vec::new();
    for (at, check) in spec.http.iter().enumerate().take(wanted.http.len()) {
        let answers = observed.http.get(at).map(Vec::as_slice).unwrap_or_default();
        let (judgement, found) = http::judge(check, answers);
        findings.push(Finding { check: format!("GET {}", check.path), judgement, found });
    }
    for name in &wanted.alarms {
        let (judgement, found) = alarm(observed.alarms.get(name));
        findings.push(Finding { check: format!("alarm {name}"), judgement, found });
    }
    if let (Some(compare), Some(_)) = (&spec.compare, wanted.compare) {
        findings.extend(sides(compare, observed));
    }
    Judged { judgement: worst(&findings), findings }
}

/// As ECS's own alarms have it: only ALARM is a ringing one.
fn alarm(state: Option<&Fact<AlarmState>>) -> (Judgement, String) {
    match state {
        Some(Fact::Known(AlarmState::Ok)) => (Judgement::Passed, "quiet".into()),
        Some(Fact::Known(AlarmState::InsufficientData)) => {
            (Judgement::Passed, "quiet: it has no data".into())
        }
        Some(Fact::Known(AlarmState::Alarm)) => (Judgement::Failed, "it rings".into()),
        Some(Fact::Absent) => (
            Judgement::Failed,
            "there is no such alarm in this Region: create it, or correct `verify.alarms`".into(),
        ),
        Some(Fact::Unreadable(why)) => (Judgement::Undecided, why.to_string()),
        Some(Fact::NotAsked) | None => (Judgement::Undecided, "nobody looked at it".into()),
    }
}

fn sides(spec: &crate::spec::CompareSpec, observed: &Observed) -> Vec<Finding> {
    let open =
        |found: String| vec![Finding { check: "compare".into(), judgement: Judgement::Undecided, found }];
    match &observed.sides {
        Some(Fact::Known(sides)) => compare::judge(spec, *sides)
            .into_iter()
            .map(|(check, judgement, found)| Finding { check: check.into(), judgement, found })
            .collect(),
        Some(Fact::Unreadable(why)) => open(why.to_string()),
        Some(Fact::Absent | Fact::NotAsked) | None => {
            open("the two revisions' target groups could not be told apart".into())
        }
    }
}

fn worst(findings: &[Finding]) -> Judgement {
    let has = |wanted| findings.iter().any(|finding| finding.judgement == wanted);
    if has(Judgement::Failed) {
        Judgement::Failed
    } else if has(Judgement::Undecided) {
        Judgement::Undecided
    } else {
        Judgement::Passed
    }
}

impl Judged {
    /// It could not be looked at all.
    pub fn undecided(check: &str, found: impl Into<String>) -> Self {
        let finding =
            Finding { check: check.to_owned(), judgement: Judgement::Undecided, found: found.into() };
        Self { judgement: Judgement::Undecided, findings: vec![finding] }
    }

    /// Nobody wants anything looked at.
    pub fn nothing_wanted() -> Self {
        let found = "the spec wants nothing verified".to_owned();
        let finding = Finding { check: "spec".to_owned(), judgement: Judgement::Passed, found };
        Self { judgement: Judgement::Passed, findings: vec![finding] }
    }

    /// The verdict: as it was judged, and once patience is over what the spec makes of an
    /// undecided one.
    pub fn verdict(self, stage: &str, digest: &ImageDigest, patience: &Patience, now: Timestamp) -> Verdict {
        let Self { mut judgement, findings } = self;
        let mut findings: Vec<String> = findings.iter().map(ToString::to_string).collect();
        if judgement == Judgement::Undecided && patience.is_over(now) {
            let minutes = patience.timeout_minutes;
            let (becomes, words) = match patience.on_timeout {
                OnTimeout::Rollback => (Judgement::Failed, "that is a no"),
                OnTimeout::Continue => (Judgement::Passed, "that is a yes"),
            };
            judgement = becomes;
            findings.push(format!("undecided for {minutes} min: {words}, by `verify.on_timeout`"));
        }
        Verdict {
            stage: stage.to_owned(),
            digest: digest.clone(),
            judgement,
            findings,
            at: now,
            since: Some(patience.since),
        }
    }
}

/// The hook's answer to a verdict. What the hook was configured with, or handed on, goes
/// along unchanged: ECS gives the next call what the last one returned.
pub fn reply(judgement: Judgement, details: Option<Value>) -> HookReply {
    match judgement {
        Judgement::Passed => HookReply::succeeded(),
        Judgement::Failed => HookReply::failed(),
        Judgement::Undecided => HookReply::ask_again(AGAIN_SECS, details),
    }
}

/// A verdict that was given on this stage already: asked again, it is the same.
pub fn given<'a>(last: Option<&'a Verdict>, stage: &str) -> Option<&'a Verdict> {
    last.filter(|verdict| verdict.stage == stage && verdict.judgement != Judgement::Undecided)
}

/// Since when a verdict on this stage is being asked for.
pub fn first_asked(last: Option<&Verdict>, stage: &str, now: Timestamp) -> Timestamp {
    let same = last.filter(|verdict| verdict.stage == stage);
    same.map_or(now, |verdict| verdict.since.unwrap_or(verdict.at))
}
