//! Tests of the whole room: the samples, the traps that AWS sets, and fuzz.

mod fuzz;
mod samples;
mod traps;

use std::path::PathBuf;
use std::sync::LazyLock;

use serde_json::Value;

use super::{Incoming, Malformed, read};

/// Every sample event of `events/`, by file name.
fn samples() -> &'static [(String, Vec<u8>)] {
    static SAMPLES: LazyLock<Vec<(String, Vec<u8>)>> = LazyLock::new(read_folder);
    &SAMPLES
}

fn read_folder() -> Vec<(String, Vec<u8>)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../events");
    let mut samples: Vec<_> = std::fs::read_dir(folder)
        .expect("events/ is in the repository")
        .map(|entry| entry.expect("readable").path())
        .filter(|path| path.extension().is_some_and(|kind| kind == "json"))
        .map(|path| {
            let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
            (name, std::fs::read(path).expect("readable"))
        })
        .collect();
    samples.sort();
    samples
}

/// One sample as JSON, to change a field of.
fn sample(name: &str) -> Value {
    let (_, bytes) = samples().iter().find(|(known, _)| known == name).expect("a sample of this name");
    serde_json::from_slice(bytes).expect("JSON")
}

fn read_json(event: &Value) -> Result<Incoming, Malformed> {
    read(event.to_string().as_bytes())
}

/// A sample, with one field set.
fn with(name: &str, pointer: &str, value: Value) -> Value {
    let mut event = sample(name);
    let (parent, key) = pointer.rsplit_once('/').expect("a pointer");
    event.pointer_mut(parent).expect("the parent")[key] = value;
    event
}

/// A sample, with one field taken out.
fn without(name: &str, pointer: &str) -> Value {
    let mut event = sample(name);
    let (parent, key) = pointer.rsplit_once('/').expect("a pointer");
    let parent = event.pointer_mut(parent).and_then(Value::as_object_mut).expect("an object");
    parent.remove(key).expect("the field is there");
    event
}
