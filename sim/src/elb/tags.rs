//! Tags of load balancers, listeners, rules and target groups.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::input::{
    Pair, check_tags, group_not_found, invalid, listener_not_found, load_balancer_not_found, read,
    rule_not_found, tag_map,
};
use super::model::pairs;
use crate::call::{ApiError, Reply};
use crate::world::World;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Input {
    #[serde(default)]
    resource_arns: Vec<String>,
    #[serde(default)]
    tags: Vec<Pair>,
    #[serde(default)]
    tag_keys: Vec<String>,
}

/// The tags of what an ARN names.
pub(crate) fn of<'a>(world: &'a World, arn: &str) -> Option<&'a BTreeMap<String, String>> {
    world.elb.tags.get(arn)
}

/// Reads the input; each resource must be there, and there are at most 20 of them.
fn resources(world: &World, input: &Value) -> Result<Input, ApiError> {
    let input: Input = read(input)?;
    if !(1..=20).contains(&input.resource_arns.len()) {
        return Err(invalid("Between '1' and '20' resource ARNs must be specified"));
    }
    let missing = input.resource_arns.iter().find(|arn| !world.elb.tags.contains_key(*arn));
    missing.map_or(Ok(()), |arn| Err(not_found(arn)))?;
    Ok(input)
}

fn not_found(arn: &str) -> ApiError {
    let kind = arn.split(':').next_back().and_then(|resource| resource.split('/').next());
    match kind {
        Some("loadbalancer") => load_balancer_not_found(arn),
        Some("listener") => listener_not_found(arn),
        Some("listener-rule") => rule_not_found(arn),
        Some("targetgroup") => group_not_found(arn),
        _ => invalid(format!("'{arn}' is not a valid ARN of a load balancer's resource")),
    }
}

pub(super) fn describe(world: &World, input: &Value) -> Reply {
    let input = resources(world, input)?;
    let described = input
        .resource_arns
        .iter()
        .map(|arn| json!({ "ResourceArn": arn, "Tags": world.elb.tags.get(arn).map(pairs) }));
    Ok(json!({ "TagDescriptions": described.collect::<Vec<_>>() }))
}

pub(super) fn add(world: &mut World, input: &Value) -> Reply {
    let input = resources(world, input)?;
    let new = tag_map(&world.elb.quotas, input.tags)?;
    for tags in input.resource_arns.iter().filter_map(|arn| world.elb.tags.get(arn)) {
        let added = new.keys().filter(|key| !tags.contains_key(*key)).count();
        check_tags(&world.elb.quotas, tags.len() + added)?;
    }
    for arn in &input.resource_arns {
        let tags = world.elb.tags.entry(arn.clone()).or_default();
        tags.extend(new.clone());
    }
    Ok(json!({}))
}

pub(super) fn remove(world: &mut World, input: &Value) -> Reply {
    let input = resources(world, input)?;
    for arn in &input.resource_arns {
        let tags = world.elb.tags.entry(arn.clone()).or_default();
        tags.retain(|key, _| !input.tag_keys.contains(key));
    }
    Ok(json!({}))
}
