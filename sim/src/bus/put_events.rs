//! `PutEvents`: a user's own events. Each entry succeeds or fails by itself.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{envelope, publish, rules};
use crate::call::{Reply, parse};
use crate::world::World;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PutEvents {
    entries: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Entry {
    source: Option<String>,
    detail_type: Option<String>,
    detail: Option<String>,
    #[serde(default)]
    resources: Vec<String>,
    event_bus_name: Option<String>,
}

pub(super) fn handle(world: &mut World, input: &Value) -> Reply {
    let put: PutEvents = parse(input)?;
    if put.entries.is_empty() || put.entries.len() > 10 {
        return Err(rules::invalid(
            "1 validation error detected: Value at 'entries' failed to satisfy constraint: Member must have \
             length less than or equal to 10, and greater than or equal to 1",
        ));
    }
    let results: Vec<Result<String, Refusal>> =
        put.entries.into_iter().map(|entry| accept(world, entry)).collect();
    let failed = results.iter().filter(|result| result.is_err()).count();
    let entries = results.into_iter().map(|result| match result {
        Ok(id) => json!({ "EventId": id }),
        Err(Refusal { code, message }) => json!({ "ErrorCode": code, "ErrorMessage": message }),
    });
    Ok(json!({ "FailedEntryCount": failed, "Entries": entries.collect::<Vec<_>>() }))
}

struct Refusal {
    code: &'static str,
    message: String,
}

fn refusal(code: &'static str, message: impl Into<String>) -> Refusal {
    Refusal { code, message: message.into() }
}

fn accept(world: &mut World, entry: Entry) -> Result<String, Refusal> {
    rules::default_bus(entry.event_bus_name.as_deref())
        .map_err(|error| refusal("ResourceNotFoundException", error.message))?;
    let source = required("Source", entry.source)?;
    let detail_type = required("DetailType", entry.detail_type)?;
    let detail = required("Detail", entry.detail)?;
    if source.starts_with("aws.") {
        return Err(refusal("NotAuthorizedForSourceException", "Not authorized for the source."));
    }
    let Ok(detail @ Value::Object(_)) = serde_json::from_str(&detail) else {
        return Err(refusal("MalformedDetail", "Detail is malformed."));
    };
    let event = envelope(world, &source, &detail_type, &entry.resources, detail);
    let id = event.id().to_owned();
    publish(world, event);
    Ok(id)
}

fn required(name: &str, value: Option<String>) -> Result<String, Refusal> {
    value.filter(|value| !value.is_empty()).ok_or_else(|| {
        let message = format!("Parameter {name} is not valid. Reason: {name} is a required argument.");
        refusal("InvalidArgument", message)
    })
}
