//! Parameter Store: parameters with versions, and the event that each change emits.
//! Policies, labels and cross-account shares are left out.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::call::{ApiError, Reply, unknown_operation};
use crate::time::Time;
use crate::world::World;

mod check;
mod read;
mod write;

/// Parameter Store's state.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Ssm {
    parameters: BTreeMap<String, Parameter>,
}

/// One parameter.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Parameter {
    tier: Tier,
    data_type: String,
    tags: BTreeMap<String, String>,
    /// Oldest first, never empty, at most a hundred.
    versions: Vec<Version>,
}

/// One version of a parameter.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Version {
    number: u64,
    kind: Kind,
    value: String,
    description: Option<String>,
    at: Time,
    by: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Kind {
    String,
    StringList,
    SecureString,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::String => "String",
            Self::StringList => "StringList",
            Self::SecureString => "SecureString",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
enum Tier {
    #[default]
    Standard,
    Advanced,
}

impl Tier {
    fn name(self) -> &'static str {
        match self {
            Self::Standard => "Standard",
            Self::Advanced => "Advanced",
        }
    }
}

impl Parameter {
    /// The latest version. A parameter is made with one and keeps at least one.
    fn latest(&self) -> &Version {
        &self.versions[self.versions.len() - 1]
    }
}

impl Ssm {
    /// A parameter's present value: for tests and for a dump.
    pub fn value(&self, name: &str) -> Option<&str> {
        Some(&self.parameters.get(name)?.latest().value)
    }

    /// By name, or by ARN.
    fn find(&self, name: &str) -> Result<(&str, &Parameter), ApiError> {
        let name = plain_name(name);
        self.parameters
            .get_key_value(name.as_str())
            .map(|(name, found)| (name.as_str(), found))
            .ok_or_else(|| ApiError::client("ParameterNotFound", format!("Parameter {name} not found.")))
    }
}

/// `arn:…:parameter/a/b` names `/a/b`; a name without a slash stands for itself.
fn plain_name(name: &str) -> String {
    match name.strip_prefix("arn:").and_then(|arn| arn.split_once(":parameter/")) {
        Some((_, rest)) if rest.contains('/') => format!("/{rest}"),
        Some((_, rest)) => rest.to_owned(),
        None => name.to_owned(),
    }
}

fn arn(world: &World, name: &str) -> String {
    world.arn("ssm", &format!("parameter/{}", name.trim_start_matches('/')))
}

pub(crate) fn handle(world: &mut World, operation: &str, input: &Value) -> Reply {
    match operation {
        "PutParameter" => write::put(world, input),
        "DeleteParameter" => write::delete(world, input),
        "DeleteParameters" => write::delete_all(world, input),
        "AddTagsToResource" => write::tag(world, input),
        "RemoveTagsFromResource" => write::untag(world, input),
        "GetParameter" => read::get(world, input),
        "GetParameters" => read::get_all(world, input),
        "GetParametersByPath" => read::by_path(world, input),
        "DescribeParameters" => read::describe(world, input),
        "GetParameterHistory" => read::history(world, input),
        "ListTagsForResource" => read::tags(world, input),
        other => Err(unknown_operation(other)),
    }
}

/// The event of a change, as Systems Manager documents it.
fn changed(world: &mut World, operation: &str, name: &str, version: &Version) {
    let mut detail = json!({ "operation": operation, "name": name, "type": version.kind.name() });
    if let Some(description) = &version.description {
        detail["description"] = json!(description);
    }
    let arn = arn(world, name);
    world.emit("aws.ssm", "Parameter Store Change", &[arn], detail);
}

#[cfg(test)]
mod tests;
