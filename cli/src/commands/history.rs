//! `windlass history`: what passes did, newest first.

use anyhow::Context as _;
use windlass_aws::RowKey;
use windlass_shared::id::{Actor, ClusterName, InstanceId, Timestamp};
use windlass_shared::ledger::{
    Approval, ClusterRecord, InstanceKey, Manner, Outcome, PassRecord, Release, StepRecord, Verdict,
};

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

/// Prints what was done to a cluster's capacity.
pub(super) async fn of_cluster(
    account: &Account,
    cluster: &ClusterName,
    limit: u32,
    output: Output,
) -> Result<Exit> {
    of_capacity(account, "cluster", cluster, limit, output).await
}

/// Prints what was done to an instance that left.
pub(super) async fn of_instance(
    account: &Account,
    cluster: &ClusterName,
    instance: &str,
    limit: u32,
    output: Output,
) -> Result<Exit> {
    let key = InstanceKey::new(cluster.clone(), InstanceId::new(instance));
    of_capacity(account, "instance", &key, limit, output).await
}

async fn of_capacity<K: RowKey>(
    account: &Account,
    kind: &str,
    key: &K,
    limit: u32,
    output: Output,
) -> Result<Exit> {
    let read = account.ledger.cluster_history(key, limit).await;
    let records: Vec<ClusterRecord> = read.context("reading what passes did")?;
    output.data(&serde_json::json!({ kind: key.to_string(), "passes": records }), || {
        records.iter().map(of_record).collect::<Vec<_>>().join("\n")
    })?;
    if records.is_empty() {
        talk(format!("no pass has done anything to the {kind} {key} in the last 90 days"));
    }
    Ok(Exit::Ok)
}

fn of_record(record: &ClusterRecord) -> String {
    let ClusterRecord { at, generation, cause, by, steps, report, .. } = record;
    lines((*at, cause, *generation, by), steps, report).join("\n")
}

fn lines(
    (at, cause, generation, by): (Timestamp, &str, u64, &Actor),
    steps: &[StepRecord],
    report: &[String],
) -> Vec<String> {
    let head = paint(STRONG, format!("{}  {cause}", words::at(at)));
    let mut lines = vec![format!("{head}{}", paint(FAINT, format!("  #{generation} by {by}")))];
    lines.extend(steps.iter().map(|step| format!("  {}: {}", step.step, step.outcome)));
    lines.extend(report.iter().map(|note| paint(FAINT, format!("  {note}"))));
    lines
}

fn text(record: &PassRecord) -> String {
    let head = (record.at, record.cause.as_str(), record.generation, &record.by);
    let mut lines = lines(head, &record.steps, &record.report);
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
