//! The service `shop` of `windlass local`, as a person has it: its images are pushed, and it is looked at.

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sha2::Digest as _;

use crate::local::Local;

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
pub(crate) fn push(local: &Local, content: &str) {
    push_labelled(local, content, &json!({}));
}

/// The same with labels, which tell the embedded AWS how it behaves.
pub(crate) fn push_labelled(local: &Local, content: &str, labels: &Value) {
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
    let config = json!({"architecture": "amd64", "os": "linux", "config": {"Labels": labels},
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
pub(crate) fn until(local: &Local, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
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

pub(crate) fn asserts(told: &str, words: &[&str]) {
    for wanted in words {
        assert!(told.contains(wanted), "no `{wanted}` in\n{told}");
    }
}
