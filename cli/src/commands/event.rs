//! `windlass event`: reads events as the functions would.

use std::path::{Path, PathBuf};

use serde::Serialize;
use windlass_shared::event::{self, Malformed, Rings, UnknownPart};

use super::files;
use crate::exit::Exit;
use crate::failure::Result;
use crate::output::{BAD, FAINT, GOOD, Output, WAITS, paint};

/// What came of one file.
#[derive(Debug, Serialize)]
struct Told {
    file: String,
    #[serde(flatten)]
    end: End,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum End {
    /// It was read.
    Read {
        read: bool,
        /// What it is, in a sentence.
        event: String,
        /// Where the deploy function would look.
        rings: Rings,
        /// The same in words.
        rings_words: String,
        /// What was tolerated without being understood.
        unknown_parts: Vec<UnknownPart>,
    },
    /// It is not what it says it is.
    Refused { read: bool, malformed: Malformed, message: String, next_step: &'static str },
}

/// Reads each file.
pub(super) fn event(paths: &[PathBuf], output: Output) -> Result<Exit> {
    let told = paths.iter().map(|path| read(path)).collect::<Result<Vec<_>>>()?;
    output.data(&serde_json::json!({ "events": told }), || {
        told.iter().map(text).collect::<Vec<_>>().join("\n")
    })?;
    let all_read = told.iter().all(|one| matches!(one.end, End::Read { .. }));
    Ok(if all_read { Exit::Ok } else { Exit::No })
}

fn read(path: &Path) -> Result<Told> {
    let bytes = files::read(path)?;
    let end = match event::read(&bytes) {
        Ok(incoming) => {
            let rings = event::doorbells(&incoming);
            End::Read {
                read: true,
                event: incoming.describe(),
                rings_words: rings_words(&rings),
                rings,
                unknown_parts: incoming.unknown_parts(),
            }
        }
        Err(malformed) => End::Refused {
            read: false,
            message: malformed.to_string(),
            next_step: malformed.next_step(),
            malformed,
        },
    };
    Ok(Told { file: files::name(path), end })
}

fn rings_words(rings: &Rings) -> String {
    match rings {
        Rings::Repository { repository, tag, .. } => {
            let tag = tag.as_ref().map(|tag| format!(" (news: tag {tag})")).unwrap_or_default();
            format!("rings every service that follows {repository}{tag}")
        }
        Rings::Cluster(cluster) => format!("rings the services of cluster {cluster} that wait"),
        Rings::Service(key) => format!("rings {key}"),
        Rings::Sweep => "rings every service".to_owned(),
        Rings::Nothing(silence) => format!("rings nothing: {silence}"),
    }
}

fn text(told: &Told) -> String {
    match &told.end {
        End::Read { event, rings, rings_words, unknown_parts, .. } => {
            let style = if matches!(rings, Rings::Nothing(_)) { WAITS } else { GOOD };
            let mut lines =
                vec![format!("{}: {event}", told.file), format!("  {}", paint(style, rings_words))];
            let tolerated = unknown_parts.iter().map(unknown);
            lines.extend(tolerated.map(|part| paint(FAINT, format!("  tolerated: {part}"))));
            lines.join(
                "
",
            )
        }
        End::Refused { message, next_step, .. } => {
            let what = message.split(". Next: ").next().unwrap_or(message);
            format!("{}: {} {what}\n  next: {next_step}", told.file, paint(BAD, "refused:"))
        }
    }
}

fn unknown(part: &UnknownPart) -> String {
    match part {
        UnknownPart::Kind { source, detail_type } => format!("an event `{detail_type}` of {source}"),
        UnknownPart::Field { path } => format!("field `{path}`, which is not known"),
        UnknownPart::Word { path, word } => format!("`{path}` says `{word}`, which is not known"),
    }
}
