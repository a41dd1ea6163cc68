//! Calls that change parameters.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::{Parameter, Version, changed, check, plain_name};
use crate::call::{ApiError, Reply, parse};
use crate::world::World;

/// How many versions AWS keeps of a parameter.
const VERSIONS: usize = 100;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Put {
    name: String,
    value: String,
    description: Option<String>,
    r#type: Option<String>,
    #[serde(default)]
    overwrite: bool,
    #[serde(default)]
    tags: Vec<Tag>,
    tier: Option<String>,
    data_type: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Tag {
    key: String,
    value: String,
}

pub(super) fn put(world: &mut World, input: &Value) -> Reply {
    let put: Put = parse(input)?;
    check::name(&put.name)?;
    if put.value.is_empty() {
        let least = "Member must have length greater than or equal to 1";
        return Err(check::constraint("", "value", least));
    }
    let (operation, parameter) = match world.ssm.parameters.get(&put.name) {
        Some(_) if !put.overwrite => return Err(exists()),
        Some(found) => ("Update", updated(found.clone(), &put, world)?),
        None => ("Create", created(&put, world)?),
    };
    let version = parameter.latest().clone();
    let reply = json!({ "Version": version.number, "Tier": parameter.tier.name() });
    world.ssm.parameters.insert(put.name.clone(), parameter);
    changed(world, operation, &put.name, &version);
    Ok(reply)
}

fn exists() -> ApiError {
    ApiError::client(
        "ParameterAlreadyExists",
        "The parameter already exists. To overwrite this value, set the overwrite option in the request to true.",
    )
}

fn created(put: &Put, world: &World) -> Result<Parameter, ApiError> {
    let kind = put
        .r#type
        .as_deref()
        .ok_or_else(|| check::invalid("A parameter type is required when you create a parameter."))?;
    let version = Version {
        number: 1,
        kind: check::kind(kind)?,
        value: put.value.clone(),
        description: put.description.clone(),
        at: world.now,
        by: format!("arn:aws:iam::{}:root", world.config.account),
    };
    Ok(Parameter {
        tier: check::tier(put.tier.as_deref(), None, &put.value)?,
        data_type: put.data_type.clone().unwrap_or_else(|| "text".into()),
        tags: put.tags.iter().map(|tag| (tag.key.clone(), tag.value.clone())).collect(),
        versions: vec![version],
    })
}

fn updated(mut parameter: Parameter, put: &Put, world: &World) -> Result<Parameter, ApiError> {
    if !put.tags.is_empty() {
        return Err(check::invalid(
            "Invalid request: tags and overwrite can't be used together. To create a parameter with tags, \
             please remove overwrite flag. To update tags for an existing parameter, please use \
             AddTagsToResource or RemoveTagsFromResource.",
        ));
    }
    let latest = parameter.latest();
    let version = Version {
        number: latest.number + 1,
        kind: put.r#type.as_deref().map_or(Ok(latest.kind), check::kind)?,
        value: put.value.clone(),
        description: put.description.clone().or_else(|| latest.description.clone()),
        at: world.now,
        by: latest.by.clone(),
    };
    parameter.tier = check::tier(put.tier.as_deref(), Some(parameter.tier), &put.value)?;
    parameter.versions.push(version);
    if parameter.versions.len() > VERSIONS {
        parameter.versions.remove(0);
    }
    Ok(parameter)
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Delete {
    name: String,
}

pub(super) fn delete(world: &mut World, input: &Value) -> Reply {
    let delete: Delete = parse(input)?;
    let name = world.ssm.find(&delete.name)?.0.to_owned();
    remove(world, &name);
    Ok(json!({}))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DeleteAll {
    names: Vec<String>,
}

pub(super) fn delete_all(world: &mut World, input: &Value) -> Reply {
    let delete: DeleteAll = parse(input)?;
    super::read::at_most_ten(&delete.names)?;
    let (there, gone): (Vec<_>, Vec<_>) =
        delete.names.into_iter().partition(|name| world.ssm.parameters.contains_key(&plain_name(name)));
    for name in &there {
        remove(world, &plain_name(name));
    }
    Ok(json!({ "DeletedParameters": there, "InvalidParameters": gone }))
}

fn remove(world: &mut World, name: &str) {
    if let Some(parameter) = world.ssm.parameters.remove(name) {
        changed(world, "Delete", name, parameter.latest());
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Tagging {
    resource_type: String,
    resource_id: String,
    #[serde(default)]
    tags: Vec<Tag>,
    #[serde(default)]
    tag_keys: Vec<String>,
}

pub(super) fn tag(world: &mut World, input: &Value) -> Reply {
    let tagging: Tagging = parse(input)?;
    let tags = tags_of(world, &tagging)?;
    tags.extend(tagging.tags.into_iter().map(|tag| (tag.key, tag.value)));
    Ok(json!({}))
}

pub(super) fn untag(world: &mut World, input: &Value) -> Reply {
    let tagging: Tagging = parse(input)?;
    let tags = tags_of(world, &tagging)?;
    for key in &tagging.tag_keys {
        tags.remove(key);
    }
    Ok(json!({}))
}

fn tags_of<'w>(
    world: &'w mut World,
    tagging: &Tagging,
) -> Result<&'w mut BTreeMap<String, String>, ApiError> {
    if tagging.resource_type != "Parameter" {
        let message = format!("{} is not a type that the embedded AWS can tag", tagging.resource_type);
        return Err(ApiError::client("InvalidResourceType", message));
    }
    let parameter = world.ssm.parameters.get_mut(&tagging.resource_id);
    parameter.map(|parameter| &mut parameter.tags).ok_or_else(|| unknown(&tagging.resource_id))
}

pub(super) fn unknown(id: &str) -> ApiError {
    ApiError::client("InvalidResourceId", format!("The resource ID {id} is not valid."))
}
