//! What a service runs, published in a parameter of its own: for Terraform and whoever else writes task
//! definitions, so that theirs name the image that is live. Only where the stack says so.
//!
//! The text follows from what is settled and from nothing else: it changes with a release, and is written
//! once for each. It does not know who reads it.

use serde_json::json;

use super::settings::{Published as Wish, Settings};
use crate::id::ServiceKey;
use crate::ledger::{Marks, Published, Settled};

/// The path under which each service has its parameter.
pub const PATH: &str = "/windlass/deployed";

/// The name of the service's parameter.
pub fn parameter_name(key: &ServiceKey) -> String {
    format!("{PATH}/{key}")
}

/// What it says: a JSON object, its members in the order of their names.
pub fn text(settled: &Settled) -> String {
    let Settled {
        digest,
        tag,
        task_definition,
        repository,
        pushed_at: _,
        spec: _,
        policy: _,
        rules: _,
        at: _,
    } = settled;
    json!({
        "digest": digest,
        "repository": repository,
        "tag": tag,
        "task_definition": task_definition,
    })
    .to_string()
}

/// What is to be published: `None` where the stack wants none of it, or it is done, or was refused.
pub fn due(settled: &Settled, marks: &Marks, settings: &Settings) -> Option<String> {
    let text = text(settled);
    let tried = match &marks.published {
        Some(Published::Done { text } | Published::Refused { text, .. }) => Some(text),
        None => None,
    };
    (settings.published == Wish::Yes && tried != Some(&text)).then_some(text)
}

/// Why what is settled is not published, where AWS refused it.
pub fn refused<'m>(settled: &Settled, marks: &'m Marks, settings: &Settings) -> Option<&'m str> {
    match &marks.published {
        Some(Published::Refused { text: of, reason })
            if settings.published == Wish::Yes && *of == text(settled) =>
        {
            Some(reason)
        }
        Some(_) | None => None,
    }
}
