//! Task definitions: families, revisions, and the calls that read and retire them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::args::{self, client, invalid};
use super::blueprint::Blueprint;
use super::tags::Tags;
use crate::call::{ApiError, Reply};
use crate::world::World;

/// A family of task definitions. Revisions are never given twice.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Family {
    pub(crate) last_revision: u32,
    pub(crate) revisions: BTreeMap<u32, Definition>,
}

/// One revision. `record` is `DescribeTaskDefinition`'s `taskDefinition`, whole.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Definition {
    pub(crate) arn: String,
    pub(crate) revision: u32,
    pub(crate) status: Status,
    pub(crate) record: Value,
    pub(crate) tags: Tags,
}

impl Definition {
    /// As the scheduler reads it.
    pub(crate) fn blueprint(&self) -> Blueprint {
        Blueprint::read(&self.record)
    }

    fn retire(&mut self, status: Status, stamp: &str, now: f64) {
        self.status = status;
        self.record["status"] = json!(status);
        self.record[stamp] = json!(now);
    }
}

/// A revision's status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum Status {
    Active,
    Inactive,
    DeleteInProgress,
}

/// The revision that `family`, `family:revision` or an ARN names; a bare family is its
/// latest ACTIVE revision.
pub(crate) fn find<'a>(world: &'a World, reference: &str) -> Option<&'a Definition> {
    let (family, revision) = split(reference)?;
    let family = world.ecs.families.get(family)?;
    match revision {
        Some(revision) => family.revisions.get(&revision),
        None => family.revisions.values().rev().find(|it| it.status == Status::Active),
    }
}

/// `…/family:7` as (family, 7).
pub(crate) fn split(reference: &str) -> Option<(&str, Option<u32>)> {
    let name = args::last_part(reference);
    match name.split_once(':') {
        None => Some((name, None)),
        Some((family, revision)) => Some((family, Some(revision.parse().ok()?))),
    }
}

/// The ACTIVE revision that a service or a task may use.
pub(crate) fn usable<'a>(world: &'a World, reference: &str) -> Result<&'a Definition, ApiError> {
    let definition = find(world, reference).ok_or_else(|| client("TaskDefinition not found."))?;
    match definition.status {
        Status::Active => Ok(definition),
        _ => Err(client("TaskDefinition is inactive")),
    }
}

pub(crate) fn describe(world: &World, input: &Value) -> Reply {
    let reference = args::required(input, "taskDefinition")?;
    let definition = find(world, reference).ok_or_else(|| client("Unable to describe task definition."))?;
    let mut output = json!({ "taskDefinition": definition.record });
    if args::includes(input, "TAGS")? {
        output["tags"] = definition.tags.to_json();
    }
    Ok(output)
}

pub(crate) fn list(world: &World, input: &Value) -> Reply {
    let family = args::text(input, "familyPrefix")?;
    let wanted = match args::text(input, "status")? {
        None | Some("ACTIVE") => Status::Active,
        Some("INACTIVE") => Status::Inactive,
        Some("DELETE_IN_PROGRESS") => Status::DeleteInProgress,
        Some(other) => return Err(invalid(format!("Invalid status: {other}"))),
    };
    // `familyPrefix` is the full family name, whatever it is called.
    let families = world.ecs.families.iter().filter(|(name, _)| family.is_none_or(|family| family == *name));
    let mut arns: Vec<String> = families
        .flat_map(|(_, family)| family.revisions.values())
        .filter(|it| it.status == wanted)
        .map(|it| it.arn.clone())
        .collect();
    match args::text(input, "sort")? {
        None | Some("ASC") => {}
        Some("DESC") => arns.reverse(),
        Some(other) => return Err(invalid(format!("Invalid sort: {other}"))),
    }
    args::page(input, "taskDefinitionArns", arns, 100, 100)
}

pub(crate) fn list_families(world: &World, input: &Value) -> Reply {
    let prefix = args::text(input, "familyPrefix")?.unwrap_or_default();
    let status = args::text(input, "status")?.unwrap_or("ACTIVE");
    let fits = |family: &Family| {
        let active = family.revisions.values().any(|it| it.status == Status::Active);
        match status {
            "ALL" => true,
            "INACTIVE" => !active,
            _ => active,
        }
    };
    let names = world.ecs.families.iter().filter(|(name, family)| name.starts_with(prefix) && fits(family));
    args::page(input, "families", names.map(|(name, _)| name.clone()).collect(), 100, 100)
}

pub(crate) fn deregister(world: &mut World, input: &Value) -> Reply {
    let reference = args::required(input, "taskDefinition")?;
    if !matches!(split(reference), Some((_, Some(_)))) {
        return Err(client("Missing revision"));
    }
    let now = world.now().epoch_secs();
    let definition = world
        .ecs
        .task_definition_mut(reference)
        .ok_or_else(|| client("The specified task definition does not exist. Specify a valid task definition ARN and try again."))?;
    if definition.status == Status::Active {
        definition.retire(Status::Inactive, "deregisteredAt", now);
    }
    Ok(json!({ "taskDefinition": definition.record }))
}

pub(crate) fn delete(world: &mut World, input: &Value) -> Reply {
    let references = args::texts(input, "taskDefinitions")?;
    if references.is_empty() || references.len() > 10 {
        return Err(invalid("taskDefinitions must have from 1 to 10 items."));
    }
    let now = world.now().epoch_secs();
    let (mut deleted, mut failures) = (Vec::new(), Vec::new());
    for reference in references {
        match world.ecs.task_definition_mut(reference) {
            None => failures.push(args::failure(reference, "The specified task definition does not exist.")),
            Some(it) if it.status == Status::Active => failures.push(args::failure(
                &it.arn,
                "The specified task definition is still in ACTIVE status. Please deregister the target and try again.",
            )),
            Some(it) => {
                it.retire(Status::DeleteInProgress, "deleteRequestedAt", now);
                deleted.push(it.record.clone());
            }
        }
    }
    Ok(json!({ "taskDefinitions": deleted, "failures": failures }))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{call, refused, world};
    use super::*;

    fn minimal(family: &str) -> Value {
        json!({"family": family, "containerDefinitions": [{"name": "web", "image": "shop:1", "memory": 128}]})
    }

    #[test]
    fn unknown_members_survive_and_defaults_are_written() {
        let mut world = world();
        let mut input = minimal("shop");
        input["futureSetting"] = json!({"nested": [1, {"deep": true}]});
        input["containerDefinitions"][0]["futureContainerSetting"] = json!("x");
        input["containerDefinitions"][0]["portMappings"] = json!([{"containerPort": 80, "newer": 1}]);
        input["tags"] = json!([{"key": "team", "value": "a"}]);
        let output = call(&mut world, "RegisterTaskDefinition", input);
        let definition = &output["taskDefinition"];
        assert_eq!(definition["futureSetting"], json!({"nested": [1, {"deep": true}]}));
        let container = &definition["containerDefinitions"][0];
        assert_eq!(container["futureContainerSetting"], "x");
        assert_eq!(
            container["portMappings"],
            json!([{"containerPort": 80, "hostPort": 0, "protocol": "tcp", "newer": 1}])
        );
        assert_eq!(container["environment"], json!([]));
        assert_eq!((&container["cpu"], &container["essential"]), (&json!(0), &json!(true)));
        assert_eq!(definition["revision"], 1);
        assert!(definition.get("tags").is_none());
        assert_eq!(output["tags"][0]["key"], "team");
    }

    #[test]
    fn describing_and_registering_again_changes_nothing_but_the_revision() {
        let mut world = world();
        call(&mut world, "RegisterTaskDefinition", minimal("shop"));
        let first = call(&mut world, "DescribeTaskDefinition", json!({"taskDefinition": "shop"}));
        let again = call(&mut world, "RegisterTaskDefinition", first["taskDefinition"].clone());
        let mut expected = first["taskDefinition"].clone();
        expected["revision"] = json!(2);
        expected["taskDefinitionArn"] = json!("arn:aws:ecs:eu-central-1:123456789012:task-definition/shop:2");
        assert_eq!(again["taskDefinition"], expected);
    }

    #[test]
    fn a_bare_family_is_its_latest_active_revision() {
        let mut world = world();
        for _ in 0..3 {
            call(&mut world, "RegisterTaskDefinition", minimal("shop"));
        }
        call(&mut world, "DeregisterTaskDefinition", json!({"taskDefinition": "shop:3"}));
        let latest = call(&mut world, "DescribeTaskDefinition", json!({"taskDefinition": "shop"}));
        assert_eq!(latest["taskDefinition"]["revision"], 2);
        let third = call(&mut world, "DescribeTaskDefinition", json!({"taskDefinition": "shop:3"}));
        assert_eq!(third["taskDefinition"]["status"], "INACTIVE");
        let listed = call(
            &mut world,
            "ListTaskDefinitions",
            json!({"familyPrefix": "shop", "sort": "DESC", "maxResults": 1}),
        );
        assert_eq!(
            listed["taskDefinitionArns"][0],
            "arn:aws:ecs:eu-central-1:123456789012:task-definition/shop:2"
        );
        assert!(listed["nextToken"].is_string());
    }

    #[test]
    fn what_aws_refuses_is_refused_in_its_words() {
        let mut world = world();
        let error = refused(&mut world, "DescribeTaskDefinition", json!({"taskDefinition": "none"}));
        assert_eq!(
            (error.code.as_str(), error.message.as_str()),
            ("ClientException", "Unable to describe task definition.")
        );
        let mut no_memory = minimal("shop");
        no_memory["containerDefinitions"][0].as_object_mut().unwrap().remove("memory");
        let error = refused(&mut world, "RegisterTaskDefinition", no_memory);
        assert!(error.message.contains("At least one of 'memory' or 'memoryReservation'"), "{error:?}");
        let mut twice = minimal("shop");
        let container = twice["containerDefinitions"][0].clone();
        twice["containerDefinitions"].as_array_mut().unwrap().push(container);
        assert!(refused(&mut world, "RegisterTaskDefinition", twice).message.contains("unique"));
        let empty = json!({"family": "shop", "containerDefinitions": []});
        assert_eq!(
            refused(&mut world, "RegisterTaskDefinition", empty).message,
            "Container list cannot be empty."
        );
    }

    #[test]
    fn deleting_needs_a_deregistered_revision() {
        let mut world = world();
        call(&mut world, "RegisterTaskDefinition", minimal("shop"));
        let active = call(&mut world, "DeleteTaskDefinitions", json!({"taskDefinitions": ["shop:1"]}));
        assert_eq!(active["failures"].as_array().unwrap().len(), 1);
        call(&mut world, "DeregisterTaskDefinition", json!({"taskDefinition": "shop:1"}));
        let gone = call(&mut world, "DeleteTaskDefinitions", json!({"taskDefinitions": ["shop:1"]}));
        assert_eq!(gone["taskDefinitions"][0]["status"], "DELETE_IN_PROGRESS");
        // The number is not given again.
        let next = call(&mut world, "RegisterTaskDefinition", minimal("shop"));
        assert_eq!(next["taskDefinition"]["revision"], 2);
    }

    #[test]
    fn task_level_amounts_are_written_as_numbers() {
        let mut world = world();
        let mut input = minimal("shop");
        input["cpu"] = json!("1 vCPU");
        input["memory"] = json!("0.5GB");
        let output = call(&mut world, "RegisterTaskDefinition", input);
        assert_eq!(output["taskDefinition"]["cpu"], "1024");
        assert_eq!(output["taskDefinition"]["memory"], "512");
    }
}
