//! The binary as Lambda starts it. That there is such a test also makes
//! `cargo test --workspace` build the binary, which the command's tests run.

use std::process::Command;

#[test]
fn without_its_settings_it_ends_and_names_the_first_that_is_missing() {
    let end = Command::new(env!("CARGO_BIN_EXE_verify")).env_clear().output().unwrap();
    assert!(!end.status.success());
    let said = String::from_utf8_lossy(&end.stderr);
    assert!(said.contains("WINDLASS_TABLE"), "{said}");
}
