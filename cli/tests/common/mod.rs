//! What the tests with processes share.

use std::path::PathBuf;
use std::process::Command;

/// The deploy function's binary; the others are beside it. `cargo test --workspace` builds it for its own tests; where only
/// this package is tested and it is not there yet, cargo is asked for it, together with
/// this package so that both are built from the same features.
pub(crate) fn deploy_binary() -> PathBuf {
    let dir = PathBuf::from(env!("CARGO_BIN_EXE_windlass")).parent().unwrap().to_owned();
    let binary = dir.join("deploy");
    if binary.is_file()
        && dir.join("verify").is_file()
        && dir.join("scale").is_file()
        && dir.join("drain").is_file()
    {
        return binary;
    }
    let status = Command::new(env!("CARGO"))
        .args([
            "build",
            "--quiet",
            "--package",
            "windlass",
            "--package",
            "windlass-deploy",
            "--package",
            "windlass-verify",
            "--package",
            "windlass-scale",
            "--package",
            "windlass-drain",
        ])
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .env("CARGO_TARGET_DIR", dir.parent().unwrap())
        .status()
        .unwrap();
    assert!(
        status.success(),
        "cargo build -p windlass -p windlass-deploy -p windlass-verify -p windlass-scale -p windlass-drain"
    );
    binary
}
