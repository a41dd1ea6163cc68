//! `windlass explain`: why a service deployed, waits, or failed.

use serde_json::json;
use windlass_shared::deploy;
use windlass_shared::facts::Fact;

use super::history::ended;
use super::look::Look;
use super::plan;
use crate::account::Account;
use crate::exit::Exit;
use crate::failure::Result;
use crate::output::{BAD, Output, STRONG, WAITS, paint};
use crate::words;

/// Explains one service.
pub(super) async fn explain(account: &Account, service: &str, output: Output) -> Result<Exit> {
    let key = account.key(service)?;
    let look = Look::at(account, &key).await?;
    let wanted = wanted(&look, account);
    let value = json!({
        "service": key.to_string(),
        "wanted": wanted,
        "runs": runs(&look),
        "row": look.row,
        "report": look.plan.report.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "needs_a_person": look.plan.report.iter().any(deploy::Note::needs_a_person),
        "plan": look.plan,
    });
    output.data(&value, || text(&look, &wanted))?;
    Ok(Exit::Ok)
}

fn text(look: &Look, wanted: &str) -> String {
    let state = &look.row.state;
    let mut lines = vec![paint(STRONG, &look.plan.key)];
    let mut say = |what: &str, words: String| lines.push(format!("  {what:<13}{words}"));
    say("wanted", wanted.to_owned());
    say("runs", runs(look));
    if let Some(settled) = &state.settled {
        let since = words::between(settled.at, look.now);
        let image = words::image(&settled.digest, settled.tag.as_ref());
        say("settled", format!("{image} as {}, {since} ago", settled.task_definition.short()));
    }
    if let Some(begun) = &state.in_flight {
        let image = words::image(&begun.digest, begun.tag.as_ref());
        let since = words::between(begun.started_at, look.now);
        let step = begun.canary.as_ref().map(|at| format!(", step {}", at.step + 1)).unwrap_or_default();
        say("in flight", paint(WAITS, format!("{image}, {}{step}, begun {since} ago", begun.manner)));
        if let Some(reason) = &begun.given_up {
            say("given up", paint(BAD, reason));
        }
        for line in super::history::said(&begun.approvals, &begun.verdicts) {
            say("", line);
        }
    }
    if let Some(pin) = &state.marks.pin {
        let to = words::image(&pin.to.digest, pin.to.tag.as_ref());
        let (by, why) = (&pin.order.by, &pin.order.reason);
        say("rolled back", paint(WAITS, format!("to {to} by {by} since {}: {why}", words::at(pin.order.at))));
    }
    for before in state.marks.before.iter().take(3) {
        let image = words::image(&before.digest, before.tag.as_ref());
        say("before", format!("{image} as {}, {}", before.task_definition.short(), words::at(before.at)));
    }
    if let Some(question) = &state.marks.question {
        let until = question.expires.map(|at| format!(", until {}", words::at(at))).unwrap_or_default();
        say("asks", paint(WAITS, format!("{} ({}){until}", question.what, question.digest.short())));
    }
    if let Some(release) = &state.last_release {
        say("last", ended(release));
    }
    for (digest, why) in &look.row.quarantine {
        // The last release has told its reason already.
        let told = state.last_release.as_ref().is_some_and(|release| release.digest == *digest);
        let reason = if told { String::new() } else { format!(": {}", why.reason) };
        say("quarantine", paint(BAD, format!("{} since {}{reason}", digest.short(), words::at(why.at))));
    }
    if let Some(hold) = &look.row.hold {
        say("hold", paint(WAITS, format!("by {} since {}: {}", hold.by, words::at(hold.at), hold.reason)));
    }
    if let Some(looked) = state.looked_at {
        let after = if look.row.rung > look.row.answered { ", and it rang since" } else { "" };
        say("last pass", format!("{} ago{after}", words::between(looked, look.now)));
    }
    lines.push(format!("{} {}", paint(STRONG, "a pass now would say, of"), plan::text(look)));
    lines.join("\n")
}

/// Who wants what of it.
fn wanted(look: &Look, account: &Account) -> String {
    match deploy::wanted(&look.facts, &account.stack.settings) {
        Ok(wanted) => {
            format!("{}:{}, by {}", wanted.spec.image.repository, wanted.spec.image.policy, wanted.origin)
        }
        Err(note) => note.to_string(),
    }
}

fn runs(look: &Look) -> String {
    match &look.facts.service {
        Fact::Known(live) => {
            let tasks = format!("{} of {} tasks", live.running, live.desired);
            format!("{}, {tasks}, {}", live.task_definition.short(), live.status)
        }
        Fact::Absent => "nothing: the service does not exist".to_owned(),
        Fact::Unreadable(why) => format!("could not be read: {why}"),
        Fact::NotAsked => "was not looked at".to_owned(),
    }
}
