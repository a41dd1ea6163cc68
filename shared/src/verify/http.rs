//! Answers against what was wanted.

use regex::Regex;

use super::observed::Answer;
use crate::ledger::Judgement;
use crate::spec::HttpCheck;

/// One bad answer is enough; where none is bad, one that could not be asked for leaves it open.
pub(super) fn judge(check: &HttpCheck, answers: &[Answer]) -> (Judgement, String) {
    let judged: Vec<(Judgement, String)> = answers.iter().map(|answer| one(check, answer)).collect();
    let worst = |wanted: Judgement| {
        judged.iter().enumerate().find(|(_, (found, _))| *found == wanted).map(|(at, (_, why))| (at + 1, why))
    };
    let tries = check.tries;
    if let Some((at, why)) = worst(Judgement::Failed) {
        return (Judgement::Failed, format!("{why} (try {at} of {tries})"));
    }
    if let Some((at, why)) = worst(Judgement::Undecided) {
        return (Judgement::Undecided, format!("{why} (try {at} of {tries})"));
    }
    match (judged.last(), u32::try_from(judged.len())) {
        (Some((_, why)), Ok(made)) if made >= tries => (
            Judgement::Passed,
            if tries == 1 { why.clone() } else { format!("{tries} good answers, the last: {why}") },
        ),
        (_, made) => (Judgement::Undecided, format!("asked {} of {tries} times", made.unwrap_or_default())),
    }
}

fn one(check: &HttpCheck, answer: &Answer) -> (Judgement, String) {
    let (status, body, latency_ms) = match answer {
        Answer::Answered { status, body, latency_ms } => (*status, body, *latency_ms),
        Answer::Silence { after_ms } => {
            return (Judgement::Failed, format!("no answer within {after_ms} ms"));
        }
        Answer::NotAsked { reason } => return (Judgement::Undecided, reason.clone()),
    };
    if !includes(&check.status, status) {
        return (Judgement::Failed, format!("answered {status}, wanted {}", check.status));
    }
    if let Some(pattern) = &check.body {
        // The spec's check has read it; one that does not read matches nothing.
        let matches = Regex::new(pattern).is_ok_and(|pattern| pattern.is_match(body));
        if !matches {
            let begins: String = body.chars().take(80).collect();
            return (
                Judgement::Failed,
                format!("answered {status}, but nothing in `{begins}` matches `{pattern}`"),
            );
        }
    }
    match check.max_latency_ms {
        Some(most) if latency_ms > u64::from(most) => {
            (Judgement::Failed, format!("answered {status} after {latency_ms} ms, wanted {most} ms at most"))
        }
        _ => (Judgement::Passed, format!("answered {status} after {latency_ms} ms")),
    }
}

/// Whether a list of statuses (`200,302`, `200-399`) has this one.
pub(crate) fn includes(statuses: &str, status: u16) -> bool {
    statuses.split(',').any(|part| match part.split_once('-') {
        None => part.parse() == Ok(status),
        Some((from, to)) => {
            from.parse().is_ok_and(|from: u16| from <= status) && to.parse().is_ok_and(|to: u16| status <= to)
        }
    })
}
