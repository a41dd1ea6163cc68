//! The traps that AWS sets (aws-facts.md, 1.1 to 1.5), one test each.

mod cloudwatch;
mod ecr;
mod ecs;
mod instances;
mod refusals;
mod specs_and_timers;

use serde_json::{Value, json};

use super::super::{
    AlarmShape, Event, InstanceFate, Problem, ReasonData, Rings, Silence, UnknownPart, doorbells, read,
};
use super::{read_json, sample, with, without};
use crate::id::ServiceKey;

const DIGEST: &str = "sha256:3c949327e32569aff0c532905dcb9626892e4c9b109be08027bb1e44f7f96518";

fn event(json: &Value) -> Event {
    read_json(json).unwrap_or_else(|error| panic!("{error}")).event
}

fn rings(json: &Value) -> Rings {
    doorbells(&read_json(json).unwrap_or_else(|error| panic!("{error}")))
}

fn shop() -> Rings {
    Rings::Service(ServiceKey::new("main", "shop"))
}

/// A push of `shop:v2` whose digest is whole.
fn push() -> Value {
    let mut push = with("ecr-image-action-push-doc", "/detail/image-digest", json!(DIGEST));
    push["detail"]["repository-name"] = json!("shop");
    push["detail"]["image-tag"] = json!("v2");
    push
}

fn push_with(field: &str, value: Value) -> Value {
    let mut push = push();
    push["detail"][field] = value;
    push
}
