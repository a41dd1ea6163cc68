//! `windlass status`: every service in a line.

use anyhow::Context as _;
use serde::Serialize;
use windlass_shared::deploy::Note;
use windlass_shared::deploy::report::{RollbackNote, RouteNote};
use windlass_shared::facts::Fact;

use super::look::Look;
use super::progress::Progress;
use crate::account::Account;
use crate::exit::Exit;
use crate::failure::Result;
use crate::output::{BAD, GOOD, Output, STRONG, WAITS, paint, talk};
use crate::table::table;
use crate::words;

/// A service at a glance.
#[derive(Debug, Serialize)]
struct Line {
    service: String,
    image: Option<String>,
    tag: Option<String>,
    digest: Option<String>,
    /// `live`, `rolling out`, `pending`, `held`, `waiting`, `refused`, `quarantined`, ….
    state: String,
    running: Option<u32>,
    desired: Option<u32>,
    in_flight: Option<String>,
    /// How far that is; of a service at rest, where its requests go.
    progress: Progress,
    hold: Option<String>,
    /// A person's rollback that holds.
    rolled_back: Option<String>,
    /// What waits for a person.
    question: Option<String>,
    last_release: Option<String>,
}

/// Prints the table.
pub(super) async fn status(account: &Account, services: &[String], output: Output) -> Result<Exit> {
    let keys = account.keys(services).await?;
    let mut lines = Vec::new();
    for key in &keys {
        lines.push(line(&Look::at(account, key).await?));
    }
    let stops = account.ledger.stops().await.context("reading what is stopped")?;
    output.data(&serde_json::json!({ "stops": stops, "services": lines }), || {
        let rows: Vec<_> = lines.iter().map(row).collect();
        super::stop::told(&stops)
            + &table(&["SERVICE", "IMAGE", "STATE", "TASKS", "IN FLIGHT", "HOLD", "LAST RELEASE"], &rows)
    })?;
    if lines.is_empty() {
        talk("Windlass knows no service: `windlass apply FILE`, or tag one with windlass:track");
    }
    Ok(Exit::Ok)
}

fn line(look: &Look) -> Line {
    let state = &look.row.state;
    let service = look.facts.service.known();
    let settled = state.settled.as_ref();
    let progress = Progress::of(look);
    Line {
        service: look.plan.key.to_string(),
        image: settled.map(|settled| words::image(&settled.digest, settled.tag.as_ref())),
        tag: settled.and_then(|settled| settled.tag.as_ref()).map(ToString::to_string),
        digest: settled.map(|settled| settled.digest.to_string()),
        state: word(look),
        running: service.map(|service| service.running),
        desired: service.map(|service| service.desired),
        in_flight: state.in_flight.as_ref().map(|begun| {
            let image = words::image(&begun.digest, begun.tag.as_ref());
            let manner = begun.manner;
            let step = begun.canary.as_ref().map(|at| format!(" step {}", at.step + 1)).unwrap_or_default();
            let age = words::between(begun.started_at, look.now);
            format!("{image}, {manner}{step}, {age}{}", progress.words())
        }),
        progress,
        hold: look.row.hold.as_ref().map(|hold| format!("{}: {}", hold.by, hold.reason)),
        rolled_back: state
            .marks
            .pin
            .as_ref()
            .map(|pin| format!("from {} by {}: {}", pin.left.short(), pin.order.by, pin.order.reason)),
        question: state.marks.question.as_ref().map(|question| question.what.clone()),
        last_release: state.last_release.as_ref().map(|release| {
            let image =
                release.tag.as_ref().map_or_else(|| release.digest.short().to_owned(), ToString::to_string);
            format!("{image} {}, {} ago", release.outcome, words::between(release.ended_at, look.now))
        }),
    }
}

/// The state in a word: what is to be done comes first, then what stands in the way.
fn word(look: &Look) -> String {
    let quiet = |note: &Note| matches!(note, Note::Quiet { .. });
    let telling = look.plan.report.iter().find(|note| {
        !matches!(
            note,
            Note::Quiet { .. }
                | Note::LeftoverFound { .. }
                | Note::TookOver { .. }
                | Note::NotPublished { .. }
        ) && !matches!(note, Note::Route(RouteNote::OthersGroup))
            && !matches!(note, Note::Rollback(RollbackNote::RevisionsStay { .. }))
    });
    if !look.plan.steps.is_empty() {
        return "pending".to_owned();
    }
    let is_live = look.plan.report.iter().any(quiet);
    match telling {
        None | Some(Note::Quarantined { .. }) if is_live => "live".to_owned(),
        Some(note) => note.to_string().split(':').next().unwrap_or_default().to_owned(),
        None if matches!(look.facts.service, Fact::Absent) => "absent".to_owned(),
        None => "settling".to_owned(),
    }
}

/// What people said, or are asked.
fn waits(line: &Line) -> Option<String> {
    let hold = line.hold.clone();
    let back = line.rolled_back.as_ref().map(|back| format!("rolled back {back}"));
    let asks = line.question.as_ref().map(|question| format!("asks: {question}"));
    let all: Vec<String> = hold.into_iter().chain(back).chain(asks).collect();
    (!all.is_empty()).then(|| all.join("; "))
}

fn row(line: &Line) -> Vec<String> {
    let style = match line.state.as_str() {
        "live" => GOOD,
        "refused" | "quarantined" | "overdue" => BAD,
        _ => WAITS,
    };
    let dash = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
    let tasks = line.running.zip(line.desired).map(|(running, desired)| format!("{running}/{desired}"));
    vec![
        paint(STRONG, &line.service),
        dash(&line.image),
        paint(style, &line.state),
        dash(&tasks),
        dash(&line.in_flight),
        dash(&waits(line)),
        dash(&line.last_release),
    ]
}
