//! Tags of groups.

use serde_json::{Value, json};

use super::args::{self, invalid};
use super::model::{Group, Tag};
use crate::call::{ApiError, Reply};
use crate::world::World;

/// Each tag names its group.
fn each(world: &World, input: &Value) -> Result<Vec<(String, String, Tag)>, ApiError> {
    let mut tags = Vec::new();
    for tag in args::list(input, "Tags") {
        if args::text(tag, "ResourceType").is_some_and(|it| it != "auto-scaling-group") {
            return Err(invalid("Resource type must be auto-scaling-group"));
        }
        let group = args::required(tag, "ResourceId")?;
        if !world.autoscaling.groups.contains_key(group) {
            return Err(args::no_group(group));
        }
        for (key, tag) in args::tags(&json!({ "Tags": [tag] }))? {
            tags.push((group.to_owned(), key, tag));
        }
    }
    Ok(tags)
}

pub(super) fn put(world: &mut World, input: &Value) -> Reply {
    for (group, key, tag) in each(world, input)? {
        if let Some(group) = world.autoscaling.groups.get_mut(&group) {
            group.tags.insert(key, tag);
        }
    }
    Ok(json!({}))
}

pub(super) fn delete(world: &mut World, input: &Value) -> Reply {
    for (group, key, _) in each(world, input)? {
        if let Some(group) = world.autoscaling.groups.get_mut(&group) {
            group.tags.remove(&key);
        }
    }
    Ok(json!({}))
}

/// A group's ARN, and its tags.
pub(crate) fn of<'a>(world: &'a World, group: &str) -> Option<(&'a str, Vec<(&'a str, &'a str)>)> {
    let group = world.autoscaling.groups.get(group)?;
    let tags = group.tags.iter().map(|(key, tag)| (key.as_str(), tag.value.as_str()));
    Some((&group.arn, tags.collect()))
}

/// A group's tags, as every call tells them.
pub(super) fn view(group: &Group) -> Vec<Value> {
    let tag = |(key, tag): (&String, &Tag)| {
        json!({
            "ResourceId": group.name,
            "ResourceType": "auto-scaling-group",
            "Key": key,
            "Value": tag.value,
            "PropagateAtLaunch": tag.propagates,
        })
    };
    group.tags.iter().map(tag).collect()
}

pub(super) fn describe(world: &World, input: &Value) -> Reply {
    let filters = args::list(input, "Filters");
    let mut tags: Vec<Value> = world.autoscaling.groups.values().flat_map(view).collect();
    for filter in filters {
        let values = args::texts(filter, "Values");
        let member = match args::required(filter, "Name")? {
            "auto-scaling-group" => "ResourceId",
            "key" => "Key",
            "value" => "Value",
            other => {
                return Err(invalid(format!("The embedded Auto Scaling does not filter tags by {other}")));
            }
        };
        tags.retain(|tag| values.iter().any(|value| tag[member] == value.as_str()));
    }
    args::page(input, "Tags", tags, 50, 100)
}
