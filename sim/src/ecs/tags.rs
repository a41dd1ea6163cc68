//! Tags of resources: kept in order of key, given back as AWS's list of pairs.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::args;
use super::service::ServiceKey;
use crate::call::{ApiError, Reply};
use crate::world::World;

/// A resource's tags.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Tags(pub(crate) BTreeMap<String, String>);

impl Tags {
    /// Reads a call's `tags`.
    pub(crate) fn from_input(input: &Value) -> Result<Self, ApiError> {
        let mut tags = BTreeMap::new();
        for tag in args::list(input, "tags")? {
            let key = args::required(tag, "key")?;
            let value = args::text(tag, "value")?.unwrap_or_default();
            check(key, value)?;
            if tags.insert(key.to_owned(), value.to_owned()).is_some() {
                return Err(args::invalid(format!("Duplicate tag keys found: {key}")));
            }
        }
        if tags.len() > 50 {
            return Err(args::invalid("Too many tags: a resource has at most 50."));
        }
        Ok(Self(tags))
    }

    /// `[{key, value}]`.
    pub(crate) fn to_json(&self) -> Value {
        self.0.iter().map(|(key, value)| json!({ "key": key, "value": value })).collect()
    }
}

/// AWS's rule for tags: letters, digits, spaces and `+ - = . _ : / @`; no reserved prefix.
fn check(key: &str, value: &str) -> Result<(), ApiError> {
    let allowed = |c: char| c.is_alphanumeric() || c.is_whitespace() || "+-=._:/@".contains(c);
    if key.len() > 128 || value.len() > 256 {
        return Err(args::invalid(format!("Tag {key} is too long: keys have 128 characters, values 256.")));
    }
    if !key.chars().chain(value.chars()).all(allowed) {
        return Err(args::invalid(format!("Tag {key}={value} contains invalid characters.")));
    }
    if key.to_ascii_lowercase().starts_with("aws:") {
        return Err(args::invalid("Tag keys cannot start with the reserved prefix aws:"));
    }
    Ok(())
}

/// The tags of the resource that an ARN names, for reading; none where there is no such resource.
pub(crate) fn of<'a>(world: &'a World, arn: &str) -> Option<&'a BTreeMap<String, String>> {
    let (kind, path) = arn.splitn(6, ':').nth(5)?.split_once('/')?;
    let ecs = &world.ecs;
    let tags = match kind {
        "cluster" => &ecs.clusters.get(path)?.tags,
        "service" => &ecs.service(&ServiceKey::from_path(path)?)?.tags,
        "task" => &ecs.tasks.get(args::last_part(path))?.tags,
        "task-definition" => &super::task_definitions::find(world, path)?.tags,
        "container-instance" => &ecs.instances.get(args::last_part(path))?.tags,
        _ => return None,
    };
    Some(&tags.0)
}

/// The tags of the resource that an ARN names.
fn of_arn<'a>(world: &'a mut World, arn: &str) -> Result<&'a mut Tags, ApiError> {
    let missing = || args::invalid(format!("The specified resource {arn} was not found."));
    let resource = arn.splitn(6, ':').nth(5).ok_or_else(|| args::invalid(format!("Invalid arn: {arn}")))?;
    let (kind, path) = resource.split_once('/').ok_or_else(missing)?;
    let ecs = &mut world.ecs;
    let tags = match kind {
        "cluster" => ecs.clusters.get_mut(path).map(|cluster| &mut cluster.tags),
        "service" => ServiceKey::from_path(path).and_then(|key| ecs.service_mut(&key)).map(|it| &mut it.tags),
        "task" => ecs.tasks.get_mut(args::last_part(path)).map(|task| &mut task.tags),
        "task-definition" => ecs.task_definition_mut(path).map(|it| &mut it.tags),
        "container-instance" => ecs.instances.get_mut(args::last_part(path)).map(|it| &mut it.tags),
        _ => None,
    };
    tags.ok_or_else(missing)
}

pub(crate) fn tag(world: &mut World, input: &Value) -> Reply {
    let new = Tags::from_input(input)?;
    let tags = of_arn(world, args::required(input, "resourceArn")?)?;
    let mut merged = tags.0.clone();
    merged.extend(new.0);
    if merged.len() > 50 {
        return Err(args::invalid("Too many tags: a resource has at most 50."));
    }
    tags.0 = merged;
    Ok(json!({}))
}

pub(crate) fn untag(world: &mut World, input: &Value) -> Reply {
    let keys = args::texts(input, "tagKeys")?;
    let tags = of_arn(world, args::required(input, "resourceArn")?)?;
    tags.0.retain(|key, _| !keys.contains(&key.as_str()));
    Ok(json!({}))
}

pub(crate) fn list(world: &mut World, input: &Value) -> Reply {
    let tags = of_arn(world, args::required(input, "resourceArn")?)?;
    Ok(json!({ "tags": tags.to_json() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_with_a_caret_does_not_fit_a_tag() {
        let good = json!({"tags": [{"key": "windlass:track", "value": "shop:semver=1.x"}]});
        assert!(Tags::from_input(&good).is_ok());
        let bad = json!({"tags": [{"key": "windlass:track", "value": "shop:^1"}]});
        assert_eq!(Tags::from_input(&bad).unwrap_err().code, "InvalidParameterException");
    }
}
