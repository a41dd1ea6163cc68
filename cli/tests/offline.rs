//! The commands that need no AWS: what they print, and how they end.

use std::io::Write as _;
use std::process::{Command, Stdio};

/// What a run came to: exit code, stdout, stderr.
fn windlass(args: &[&str], stdin: &str) -> String {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let mut child = Command::new(env!("CARGO_BIN_EXE_windlass"))
        .args(args)
        .current_dir(root)
        .env("NO_COLOR", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(stdin.as_bytes()).unwrap();
    let end = child.wait_with_output().unwrap();
    let out = String::from_utf8(end.stdout).unwrap();
    let err = String::from_utf8(end.stderr).unwrap();
    format!("exit {}\n{out}--- stderr\n{err}", end.status.code().unwrap())
}

const GOOD: &str = "cluster: main\nservice: shop\nimage: {repository: shop, policy: {semver: \"1.x\"}}\n";
const BAD: &str = "image: {repository: shop}\nroutes: {}\ndesired: -1\n";

#[test]
fn a_good_spec_is_fine() {
    insta::assert_snapshot!(windlass(&["spec", "check", "-"], GOOD));
}

#[test]
fn a_bad_spec_is_refused_with_everything_that_is_wrong() {
    insta::assert_snapshot!(windlass(&["spec", "check", "-"], BAD));
    insta::assert_snapshot!(windlass(&["spec", "check", "--json", "-"], BAD));
}

#[test]
fn a_file_that_is_not_there_could_not_be_checked() {
    insta::assert_snapshot!(windlass(&["spec", "check", "nowhere.yaml"], ""));
    insta::assert_snapshot!(windlass(&["--json", "spec", "check", "nowhere.yaml"], ""));
}

#[test]
fn a_clusters_spec_is_checked_as_one_and_a_wrong_key_is_told_with_the_nearest() {
    let good = "cluster: main\nfreeze: [{start: \"0 18 * * FRI\", minutes: 60, timezone: UTC}]\n";
    let bad = "cluster: main\nfreez: []\n";
    let worse = "cluster: main\nfreeze: [{start: \"0 18 * * FRI\", minute: 60, timezone: UTC}]\n";
    insta::assert_snapshot!([good, bad, worse].map(|spec| windlass(&["spec", "check", "-"], spec)).concat());
}

#[test]
fn the_schema_of_a_clusters_spec_is_json() {
    let told = windlass(&["spec", "schema", "cluster"], "");
    let json = told.strip_prefix("exit 0\n").unwrap().strip_suffix("--- stderr\n").unwrap();
    let schema: serde_json::Value = serde_json::from_str(json).unwrap();
    assert_eq!(schema["title"], "ClusterSpec");
    assert!(schema["properties"]["freeze"].is_object());
}

#[test]
fn the_schema_is_json() {
    let told = windlass(&["spec", "schema"], "");
    let json = told.strip_prefix("exit 0\n").unwrap().strip_suffix("--- stderr\n").unwrap();
    let schema: serde_json::Value = serde_json::from_str(json).unwrap();
    assert_eq!(schema["title"], "ServiceSpec");
}

#[test]
fn events_are_told_with_what_they_ring() {
    insta::assert_snapshot!(windlass(
        &[
            "event",
            "events/ecr-image-action-push-index-RECONSTRUCTED.json",
            "events/ecr-image-action-push-real-untagged-child.json",
            "events/ecs-deployment-failed.json",
            "events/ssm-parameter-store-change-spec-update-RECONSTRUCTED.json",
            "events/schedule-eventbridge-rule.json",
            "events/cloudwatch-alarm-state-change-single.json",
        ],
        ""
    ));
}

#[test]
fn a_malformed_event_is_refused_with_its_field() {
    let event = r#"{"version":"0","id":"1","source":"aws.ecr","detail-type":"ECR Image Action","time":"2026-01-01T00:00:00Z","region":"eu-central-1","account":"123456789012","resources":[],"detail":{"action-type":"PUSH","result":"SUCCESS","repository-name":7}}"#;
    insta::assert_snapshot!(windlass(&["event", "-"], event));
    insta::assert_snapshot!(windlass(&["event", "--json", "-"], event));
    insta::assert_snapshot!(windlass(&["event", "-"], "not json"));
}

#[test]
fn a_command_line_that_is_not_understood_has_its_own_code() {
    assert!(windlass(&["evnt"], "").starts_with("exit 64\n"));
    assert!(windlass(&["--help"], "").starts_with("exit 0\n"));
}

#[test]
fn what_is_no_trace_is_refused_with_where_the_format_stands() {
    let told = windlass(&["simulate", "template.yaml"], "");
    assert!(told.starts_with("exit 3\n"), "{told}");
    assert!(told.contains("template.yaml is no trace") && told.contains("docs/capacity.md"), "{told}");
    assert!(windlass(&["simulate", "nowhere.yaml"], "").contains("benches/traces"));
}
