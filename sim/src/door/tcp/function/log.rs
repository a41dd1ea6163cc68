//! What a function's processes wrote to stdout and stderr, bounded.

use std::collections::VecDeque;
use std::sync::Mutex;

use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};

use super::super::lock;

/// Enough for the passes of a long demo; a function logs some ten lines per pass.
const LINES: usize = 5_000;

/// The last lines.
#[derive(Default)]
pub(super) struct Log(Mutex<VecDeque<String>>);

impl Log {
    pub(super) fn push(&self, line: String) {
        let mut lines = lock(&self.0);
        if lines.len() == LINES {
            lines.pop_front();
        }
        lines.push_back(line);
    }

    pub(super) fn lines(&self) -> Vec<String> {
        lock(&self.0).iter().cloned().collect()
    }

    /// The last `count` lines, for an error message.
    pub(super) fn tail(&self, count: usize) -> String {
        let lines = lock(&self.0);
        let from = lines.len().saturating_sub(count);
        lines.iter().skip(from).cloned().collect::<Vec<_>>().join("\n")
    }

    /// Reads lines until the process closes its end. Bytes that are no UTF-8 are replaced.
    pub(super) async fn follow(&self, output: impl AsyncRead + Unpin) {
        let mut output = BufReader::new(output);
        let mut line = Vec::new();
        while matches!(output.read_until(b'\n', &mut line).await, Ok(read) if read > 0) {
            self.push(String::from_utf8_lossy(&line).trim_end().to_owned());
            line.clear();
        }
    }
}
