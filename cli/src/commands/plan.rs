//! `windlass plan`: the very plan that the function would apply. No lease, no write.

use anyhow::anyhow;
use serde::Serialize;
use windlass_shared::deploy::Plan;

use super::look::Look;
use crate::account::Account;
use crate::exit::Exit;
use crate::failure::{HintExt as _, Result};
use crate::output::{BAD, FAINT, GOOD, Output, STRONG, WAITS, paint, talk};

#[derive(Serialize)]
struct Told<'a> {
    service: String,
    pending: bool,
    /// The report in words.
    report: Vec<String>,
    /// The steps in words.
    steps: Vec<String>,
    /// What the new revision changes.
    differences: Vec<String>,
    /// Why the function would not apply it.
    violations: Vec<String>,
    plan: &'a Plan,
}

/// Looks at each service and prints its plan.
pub(super) async fn plan(
    account: &Account,
    services: &[String],
    check: bool,
    output: Output,
) -> Result<Exit> {
    let keys = account.keys(services).await?;
    let mut looks = Vec::new();
    for key in &keys {
        looks.push(Look::at(account, key).await?);
    }
    let told: Vec<_> = looks.iter().map(told).collect();
    output.data(&serde_json::json!({ "plans": told }), || {
        looks.iter().map(text).collect::<Vec<_>>().join("\n")
    })?;
    if keys.is_empty() {
        talk("Windlass knows no service: `windlass apply FILE`, or tag one with windlass:track");
    }
    if check { judge(&looks) } else { Ok(Exit::Ok) }
}

/// `--check`: what could not be read is neither pending nor settled.
fn judge(looks: &[Look]) -> Result<Exit> {
    if let Some(note) = looks.iter().find_map(Look::unreadable) {
        return Err(anyhow!("{note}")).hint("whether something is pending is open until it can be read");
    }
    Ok(if looks.iter().any(Look::is_pending) { Exit::Pending } else { Exit::Ok })
}

fn told(look: &Look) -> Told<'_> {
    Told {
        service: look.plan.key.to_string(),
        pending: look.is_pending(),
        report: look.plan.report.iter().map(ToString::to_string).collect(),
        steps: look.plan.steps.iter().map(ToString::to_string).collect(),
        differences: look.differences(),
        violations: look.violations.iter().map(ToString::to_string).collect(),
        plan: &look.plan,
    }
}

/// The plan's own words, coloured, with the difference below.
pub(super) fn text(look: &Look) -> String {
    let rendered = look.plan.to_string();
    let mut lines = rendered.lines();
    let mut text = vec![paint(STRONG, lines.next().unwrap_or_default())];
    text.extend(lines.map(coloured));
    text.extend(look.differences().iter().map(|line| paint(FAINT, format!("     {line}"))));
    for violation in &look.violations {
        text.push(paint(BAD, format!("  the check refuses this plan: {violation}")));
    }
    text.join("\n")
}

/// A line of the plan by its first word.
fn coloured(line: &str) -> String {
    let word = line.trim_start().split([':', '.']).next().unwrap_or_default();
    match word {
        "quiet" => paint(GOOD, line),
        "refused" | "quarantined" | "overdue" | "quarantine" => paint(BAD, line),
        "waiting" | "held" | "rolling out" | "rolling back" => paint(WAITS, line),
        "release" => paint(STRONG, line),
        _ => line.to_owned(),
    }
}
