//! Where the functions' binaries are: beside this one, where cargo puts them.

use std::path::PathBuf;

use anyhow::{Context as _, anyhow};

use crate::failure::{HintExt as _, Result};

/// The binary of the function `name`; `WINDLASS_<NAME>_BINARY` says that it is elsewhere.
pub(super) fn of(name: &str) -> Result<PathBuf> {
    let variable = format!("WINDLASS_{}_BINARY", name.to_uppercase());
    let me = std::env::current_exe().context("finding this program's own path")?;
    let beside = me.parent().map(|dir| dir.join(format!("{name}{}", std::env::consts::EXE_SUFFIX)));
    let path = std::env::var_os(&variable).map(PathBuf::from).or(beside).unwrap_or_default();
    if path.is_file() {
        return Ok(path);
    }
    Err(anyhow!("the {name} function's binary is not at {}", path.display()))
        .hint(format!("build it with `cargo build -p windlass-{name}`, or set {variable} to where it is"))
}
