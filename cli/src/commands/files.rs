//! Files that are named on the command line; `-` is stdin.

use std::io::Read as _;
use std::path::Path;

use anyhow::Context as _;

use crate::failure::{HintExt as _, Result};

/// The bytes of a file, or of stdin.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>> {
    if path.as_os_str() == "-" {
        let mut bytes = Vec::new();
        std::io::stdin().read_to_end(&mut bytes).context("reading stdin")?;
        return Ok(bytes);
    }
    std::fs::read(path)
        .with_context(|| format!("reading {}", path.display()))
        .hint("name a file that is there, or `-` for stdin")
}

/// How a file is called in what is printed.
pub(crate) fn name(path: &Path) -> String {
    if path.as_os_str() == "-" { "stdin".to_owned() } else { path.display().to_string() }
}
