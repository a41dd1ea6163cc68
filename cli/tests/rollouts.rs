//! What `status`, `plan`, `explain` and `history` show of a rollout in the midst of its way,
//! asked as a person asks, of `windlass local`.

mod common;
#[path = "common/local.rs"]
mod local;

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use local::Local;
use serde_json::{Value, json};
use sha2::Digest as _;

const SPEC: &str = "cluster: main
service: shop
image: {repository: shop}
task: {cpu: 128, memory: 256, port: 8080}
desired: 2
route: {paths: [/shop*], health: {interval_secs: 5, timeout_secs: 2}, deregistration_delay_secs: 10}
";

/// Sends a request to the registry; it must be answered 201.
fn send(local: &Local, method: &str, path: &str, kind: &str, body: &str) {
    let host = local.variables["AWS_ENDPOINT_URL"].trim_start_matches("http://");
    let mut stream = TcpStream::connect(host).unwrap();
    let length = body.len();
    write!(
        stream,
        "{method} /v2/shop{path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\ncontent-type: {kind}\r\n\
         content-length: {length}\r\n\r\n{body}"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 201"), "{method} {path}: {answer}");
}

/// `docker push` of `shop:latest`, an image of its own for each `content`.
fn push(local: &Local, content: &str) {
    let digest = |text: &str| {
        sha2::Sha256::digest(text.as_bytes()).iter().fold("sha256:".to_owned(), |mut text, byte| {
            write!(text, "{byte:02x}").unwrap();
            text
        })
    };
    let blob = |kind: &str, text: &str| {
        let digest = digest(text);
        send(local, "POST", &format!("/blobs/uploads/?digest={digest}"), "application/octet-stream", text);
        json!({"mediaType": kind, "digest": digest, "size": text.len()})
    };
    let config = json!({"architecture": "amd64", "os": "linux", "config": {},
        "rootfs": {"type": "layers", "diff_ids": [digest(content)]}});
    let config = blob("application/vnd.oci.image.config.v1+json", &config.to_string());
    let layer = blob("application/vnd.oci.image.layer.v1.tar+gzip", content);
    let kind = "application/vnd.oci.image.manifest.v1+json";
    let manifest = json!({"schemaVersion": 2, "mediaType": kind, "config": config, "layers": [layer]});
    send(local, "PUT", "/manifests/latest", kind, &manifest.to_string());
}

/// The service as `windlass status --json` gives it.
fn status(local: &Local) -> Value {
    let told = local.run(&["--json", "status", "shop"], "");
    let json = told.split_once('\n').unwrap().1.rsplit_once("(exit").unwrap().0;
    let told: Value = serde_json::from_str(json).unwrap_or_else(|error| panic!("{error}: {told}"));
    told["services"][0].clone()
}

/// Asks until the answer is as wanted.
fn until(local: &Local, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    let begun = Instant::now();
    loop {
        let told = status(local);
        if is_so(&told) {
            return told;
        }
        assert!(begun.elapsed() < Duration::from_secs(100), "no {what}: {told:#}");
        std::thread::sleep(Duration::from_millis(300));
    }
}

/// `shop` live on its first image, its spec asking for this rollout; the second one is pushed.
fn second_release(local: &Local, rollout: &str) {
    let spec = format!("{SPEC}rollout: {{{rollout}}}\n");
    assert!(local.run(&["apply", "-"], &spec).ends_with("(exit 0)\n"));
    push(local, "one");
    until(local, "first release", |told| told["state"] == "live");
    push(local, "two");
}

fn asserts(told: &str, words: &[&str]) {
    for wanted in words {
        assert!(told.contains(wanted), "no `{wanted}` in\n{told}");
    }
}

#[test]
fn a_canary_that_waits_for_a_person_is_shown_with_step_weights_and_question() {
    let dir = tempfile::tempdir().unwrap();
    let local = Local::start(dir.path());
    second_release(&local, "strategy: {canary: {steps: [{percent: 50, approval: true}]}}");
    let asked = until(&local, "question", |told| !told["question"].is_null());
    let weights: Vec<_> =
        asked["progress"]["weights"].as_array().unwrap().iter().map(|share| &share["weight"]).collect();
    assert_eq!(weights, [&json!(500), &json!(500)], "{asked:#}");
    let told = local.run(&["status", "shop"], "");
    asserts(&told, &["canary step 1", "weights shop-", " 500, shop-", "asks: "]);
    asserts(&local.run(&["explain", "shop"], ""), &["asks", "windlass approve"]);
    let plan = local.run(&["plan", "shop"], "");
    asserts(&plan, &["windlass approve"]);
    local.run(&["approve", "shop", "--reason", "looks fine"], "");
    until(&local, "promotion", |told| told["state"] == "live" && told["in_flight"].is_null());
    asserts(&local.run(&["history", "shop"], ""), &["approved by ada (looks fine)", "500", "(canary)"]);
    assert_eq!(local.end(), 0);
}

#[test]
fn a_blue_green_at_its_pause_is_shown_with_stage_weights_and_question() {
    let dir = tempfile::tempdir().unwrap();
    let local = Local::start(dir.path());
    second_release(&local, "strategy: blue_green, approval: {before: traffic}");
    let asked = until(&local, "question", |told| !told["question"].is_null());
    assert_eq!(asked["progress"]["weights"].as_array().unwrap().len(), 2, "{asked:#}");
    asserts(asked["progress"]["stage"].as_str().unwrap_or_default(), &["PRE_PRODUCTION_TRAFFIC_SHIFT"]);
    asserts(&local.run(&["status", "shop"], ""), &["blue/green", "ECS at", "weights shop-", "asks: "]);
    local.run(&["approve", "shop", "--reason", "looks fine"], "");
    until(&local, "end", |told| told["state"] == "live" && told["in_flight"].is_null());
    asserts(&local.run(&["history", "shop"], ""), &["approved by ada (looks fine)"]);
    assert_eq!(local.end(), 0);
}
