//! Lines as they happen, on stderr; on a terminal a live line below them.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anstream::adapter::strip_str;
use anstream::{AutoStream, ColorChoice};
use anstyle::Style;
use indicatif::{ProgressBar, ProgressStyle};
use windlass_sim::door::tcp::traffic::Traffic;

use crate::output::{BAD, FAINT, GOOD, STRONG, paint, talk};
use crate::words;

/// Requests sent and failed, so far.
type Count = Arc<dyn Fn() -> (u64, u64) + Send + Sync>;

/// Shows.
pub(crate) struct Show {
    bar: ProgressBar,
    colours: bool,
    counts: Mutex<Vec<Count>>,
}

impl Show {
    /// On this terminal, or in plain lines where there is none.
    pub(crate) fn new() -> Self {
        let bar = ProgressBar::new_spinner();
        let style = ProgressStyle::with_template("{spinner} {msg}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
        bar.enable_steady_tick(Duration::from_millis(100));
        let colours = AutoStream::choice(&std::io::stderr()) != ColorChoice::Never;
        Self { bar, colours, counts: Mutex::default() }
    }

    /// A chapter.
    pub(crate) fn heading(&self, words: &str) {
        self.print("");
        self.print(&paint(STRONG, words));
    }

    /// Something that happened, `secs` simulated seconds after its beginning.
    pub(crate) fn line(&self, what: &str, words: &str, secs: Option<f64>) {
        self.entry(FAINT, what, words, secs);
    }

    /// A good end.
    pub(crate) fn good(&self, what: &str, words: &str, secs: Option<f64>) {
        self.entry(GOOD, what, words, secs);
    }

    /// A bad end.
    pub(crate) fn bad(&self, what: &str, words: &str, secs: Option<f64>) {
        self.entry(BAD, what, words, secs);
    }

    /// Lines as they are, apart from the others.
    pub(crate) fn block(&self, lines: &[String]) {
        self.print("");
        for line in lines.iter().flat_map(|lines| lines.split('\n')) {
            self.print(line);
        }
    }

    /// How far something is: the live line.
    pub(crate) fn progress(&self, what: &str, words: &str, secs: f64) {
        let counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let (sent, failed) = counts.iter().map(|count| count()).fold((0, 0), |a, b| (a.0 + b.0, a.1 + b.1));
        let requests = match sent {
            0 => String::new(),
            _ => format!(" · {} requests, {} failed", words::count(sent), words::count(failed)),
        };
        self.bar.set_message(format!("{what} +{secs:.0} s: {words}{requests}"));
    }

    /// Counts this traffic in the live line from now on.
    pub(crate) fn watch(&self, traffic: &Traffic) {
        let count = traffic.counter();
        self.counts.lock().unwrap_or_else(PoisonError::into_inner).push(count);
    }

    /// Takes the live line away.
    pub(crate) fn clear(&self) {
        self.bar.finish_and_clear();
    }

    fn entry(&self, style: Style, what: &str, words: &str, secs: Option<f64>) {
        let when = secs.map(|secs| format!("+{secs:.1} s")).unwrap_or_default();
        self.print(&format!(
            "  {when:>9}  {}  {}",
            paint(style, format!("{what:<11}")),
            short_digests(words)
        ));
    }

    fn print(&self, line: &str) {
        if self.bar.is_hidden() {
            return talk(line);
        }
        // The bar leaves out a line of nothing.
        let line = if line.is_empty() { " " } else { line };
        let line = if self.colours { line.to_owned() } else { strip_str(line).to_string() };
        self.bar.println(line);
    }
}

/// Whole digests as people read them.
fn short_digests(words: &str) -> String {
    let mut parts = words.split("sha256:");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let hex = part.bytes().take_while(u8::is_ascii_hexdigit).count();
        if hex == 64 {
            text.push_str(&part[..12]);
            text.push_str(&part[64..]);
        } else {
            text.push_str("sha256:");
            text.push_str(part);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_digests_are_shortened_and_others_stay() {
        let whole = format!("shop@sha256:{}: done", "a".repeat(64));
        assert_eq!(short_digests(&whole), "shop@aaaaaaaaaaaa: done");
        assert_eq!(short_digests("shop (sha256:3c94…)"), "shop (sha256:3c94…)");
    }
}
