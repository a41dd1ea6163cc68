//! Data to stdout, talk to stderr; colours where a terminal wants them (`NO_COLOR` and
//! `CLICOLOR_FORCE` are heard by anstream).

use std::fmt::Display;
use std::io::Write as _;

use anstyle::{AnsiColor, Style};
use serde::Serialize;

use crate::failure::{Failure, Result};

/// What is well.
pub(crate) const GOOD: Style = AnsiColor::Green.on_default();
/// What is not.
pub(crate) const BAD: Style = AnsiColor::Red.on_default().bold();
/// What waits.
pub(crate) const WAITS: Style = AnsiColor::Yellow.on_default();
/// Names and headings.
pub(crate) const STRONG: Style = Style::new().bold();
/// What matters less.
pub(crate) const FAINT: Style = Style::new().dimmed();

/// The words in a style.
pub(crate) fn paint(style: Style, words: impl Display) -> String {
    format!("{style}{words}{style:#}")
}

/// How the command speaks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    /// One JSON document on stdout instead of text.
    pub(crate) json: bool,
}

impl Output {
    /// A command's data: `value` where JSON is asked for, else the text.
    pub(crate) fn data(self, value: &impl Serialize, text: impl FnOnce() -> String) -> Result<()> {
        if self.json {
            return json(value);
        }
        let text = text();
        let line_end = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
        write_out(&format!("{text}{line_end}"))
    }

    /// An error: the chain and the hint as talk, and as data where JSON is asked for.
    pub(crate) fn failure(self, failure: &Failure) {
        let chain = failure.chain();
        for (depth, words) in chain.iter().enumerate() {
            let label = if depth == 0 { paint(BAD, "error:") } else { "  caused by:".to_owned() };
            talk(format!("{label} {words}"));
        }
        let hint = failure.hint();
        if let Some(hint) = &hint {
            talk(format!("{} {hint}", paint(GOOD, "hint:")));
        }
        if self.json {
            let value = serde_json::json!({
                "error": { "message": chain.first(), "causes": chain.get(1..), "hint": hint }
            });
            let _ = json(&value); // stdout is closed: stderr has said it
        }
    }
}

/// One JSON document on stdout.
pub(crate) fn json(value: &impl Serialize) -> Result<()> {
    write_out(&format!("{}\n", serde_json::to_string_pretty(value)?))
}

/// A line of talk on stderr.
pub(crate) fn talk(words: impl Display) {
    anstream::eprintln!("{words}");
}

/// A reader that has seen enough (`| head`) is no failure.
fn write_out(text: &str) -> Result<()> {
    let mut out = anstream::stdout();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error.into()),
        Ok(()) | Err(_) => Ok(()),
    }
}
