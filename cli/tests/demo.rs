//! The README's main command, as it is: real binaries, real sockets, real requests.

mod common;

use std::process::Command;

use serde_json::{Value, json};

#[test]
fn the_demo_ends_as_it_must_without_a_failed_request() {
    let end = Command::new(env!("CARGO_BIN_EXE_windlass"))
        .args(["demo", "--json"])
        .env("WINDLASS_DEPLOY_BINARY", common::deploy_binary())
        .env("NO_COLOR", "1")
        .output()
        .unwrap();
    let talk = String::from_utf8_lossy(&end.stderr).into_owned();
    assert_eq!(end.status.code(), Some(0), "{talk}\n{}", String::from_utf8_lossy(&end.stdout));
    let told: Value = serde_json::from_slice(&end.stdout).unwrap();

    assert_eq!(told["requests"]["failed"], 0);
    assert!(told["requests"]["sent"].as_u64().unwrap() > 200, "{told}");
    let ends: Vec<_> = told["releases"]
        .as_array()
        .unwrap()
        .iter()
        .map(|release| {
            let live_secs = release["push_to_live_secs"].as_f64();
            json!([release["service"], release["tag"], release["outcome"], live_secs.is_some()])
        })
        .collect();
    let expected = json!([
        ["main/shop", "1.0.0", "live", true],
        ["main/admin", "1.0.0", "live", true],
        ["main/shop", "1.1.0", "live", true],
        ["main/shop", "1.2.0", "rolled_back", false],
        ["main/shop", "1.3.0", "live", true],
        ["main/shop", "1.4.0", "rolled_back", false],
        ["main/shop", "1.1.0", "live", true],
    ]);
    assert_eq!(Value::Array(ends), expected, "{talk}");
    let reason = told["releases"][3]["reason"].as_str().unwrap();
    assert!(reason.contains("web exit 78"), "the reason names the exit code: {reason}");
    // The broken canary's own errors are its own, and no more than its weight allows.
    let rejected = &told["releases"][5];
    assert!(rejected["reason"].as_str().unwrap().contains("its verification failed"), "{rejected}");
    assert!(rejected["share"]["errors"].as_u64().unwrap() > 0, "{rejected}");
    assert_eq!(told["requests"]["own_errors"], rejected["share"]["errors"]);
    assert_eq!(told["releases"][6]["by_hand"], true);
    for stage in ["event", "pass", "plan", "rollout", "live", "rolled back"] {
        assert!(talk.lines().any(|line| line.contains(&format!("  {stage}"))), "no {stage} in\n{talk}");
    }
}
