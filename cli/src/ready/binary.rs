//! Where the function's binary is: beside this one, where cargo puts both.

use std::path::PathBuf;

use anyhow::{Context as _, anyhow};

use crate::failure::{HintExt as _, Result};

/// Says that it is elsewhere.
const VARIABLE: &str = "WINDLASS_DEPLOY_BINARY";

/// The deploy function's binary.
pub(super) fn deploy() -> Result<PathBuf> {
    let me = std::env::current_exe().context("finding this program's own path")?;
    let beside = me.parent().map(|dir| dir.join(format!("deploy{}", std::env::consts::EXE_SUFFIX)));
    let path = std::env::var_os(VARIABLE).map(PathBuf::from).or(beside).unwrap_or_default();
    if path.is_file() {
        return Ok(path);
    }
    Err(anyhow!("the deploy function's binary is not at {}", path.display()))
        .hint(format!("build it with `cargo build -p windlass-deploy`, or set {VARIABLE} to where it is"))
}
