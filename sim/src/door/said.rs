//! What a task's container says about itself, whichever door asks: so that a check can see
//! which revision answered.

use serde_json::{Value, json};

use crate::world::RunningContainer;

/// The headers of its answers.
pub(super) fn headers(container: &RunningContainer) -> [(&'static str, String); 2] {
    [("x-task", container.task_arn.clone()), ("x-digest", container.digest.clone())]
}

/// The body of its answers to requests for `path`: JSON.
pub(super) fn body(container: &RunningContainer, path: &str) -> Value {
    json!({
        "service": container.service,
        "digest": container.digest,
        "tags": container.tags,
        "task": container.task_arn,
        "instance": container.instance_id,
        "path": path,
        "body": container.behaviour.body,
    })
}
