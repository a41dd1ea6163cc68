//! `windlass history`: what passes did, newest first.

use anyhow::Context as _;
use windlass_shared::ledger::{Approval, Manner, Outcome, PassRecord, Release, Verdict};

use crate::account::Account;
use crate::exit::Exit;
use crate::failure::Result;
use crate::output::{BAD, FAINT, GOOD, Output, STRONG, WAITS, paint, talk};
use crate::words;

/// Prints a service's history.
pub(super) async fn history(account: &Account, service: &str, limit: u32, output: Output) -> Result<Exit> {
    let key = account.key(service)?;
    let records = account.ledger.history(&key, limit).await.context("reading what passes did")?;
    output.data(&serde_json::json!({ "service": key.to_string(), "passes": records }), || {
        records.iter().map(text).collect::<Vec<_>>().join("\n")
    })?;
    if records.is_empty() {
        talk(format!("no pass has done anything to {key} in the last 90 days"));
    }
    Ok(Exit::Ok)
}

fn text(record: &PassRecord) -> String {
    let head = format!("{}  {}", words::at(record.at), record.cause);
    let by = paint(FAINT, format!("  #{} by {}", record.generation, record.by));
    let mut lines = vec![format!("{}{by}", paint(STRONG, head))];
    lines.extend(record.steps.iter().map(|step| format!("  {}: {}", step.step, step.outcome)));
    lines.extend(record.report.iter().map(|note| paint(FAINT, format!("  {note}"))));
    for release in &record.ended {
        lines.push(format!("  {}", ended(release)));
        lines.extend(said(&release.approvals, &release.verdicts).map(|line| format!("    {line}")));
    }
    lines.join("\n")
}

/// Who said yes to what, and what verifications found.
pub(super) fn said(approvals: &[Approval], verdicts: &[Verdict]) -> impl Iterator<Item = String> {
    let yes = approvals
        .iter()
        .map(|given| format!("approved by {} ({}): {}", given.order.by, given.order.reason, given.what));
    let found = verdicts.iter().map(|verdict| {
        format!("verified at {}: {}; {}", verdict.stage, verdict.judgement, verdict.findings.join("; "))
    });
    yes.chain(found)
}

/// A release's end in a line.
pub(super) fn ended(release: &Release) -> String {
    let image = words::image(&release.digest, release.tag.as_ref());
    let style = match release.outcome {
        Outcome::Live => GOOD,
        Outcome::RolledBack | Outcome::Failed => BAD,
        Outcome::Superseded => WAITS,
    };
    let took = words::between(release.started_at, release.ended_at);
    let manner = match release.manner {
        Manner::Rolling => String::new(),
        other => format!(" ({other})"),
    };
    let why = release.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
    format!("release {image} {}{manner} after {took}{why}", paint(style, release.outcome))
}
