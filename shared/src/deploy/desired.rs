//! The task definition that is wanted: the base edited in place, so that whatever the
//! spec has no word for survives.
//!
//! With a `task` section the fields that the spec *could* name are its own: set where it
//! names them, emptied where it does not. Without one only images change.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::id::{ContainerName, Family, Region, ServiceKey};
use crate::spec::{LogSpec, NetworkMode, TaskSpec};
use crate::task_definition::TaskDefinition;

/// ECS's limit of a family's name.
const FAMILY_MAX: usize = 255;

/// The family of a service that Windlass makes: `<cluster>-<service>`, told apart by a hash
/// where that would be too long or could be read in two ways (`a-b` + `c`, `a` + `b-c`).
pub fn family(key: &ServiceKey) -> Family {
    let plain = format!("{}-{}", key.cluster, key.service);
    let ambiguous = key.cluster.as_str().contains('-') || plain.len() > FAMILY_MAX;
    if !ambiguous {
        return Family::new(plain);
    }
    let hash = crate::names::short_hash(&key.to_string());
    let stem: String = plain.chars().take(FAMILY_MAX - hash.len() - 1).collect();
    Family::new(format!("{stem}-{hash}"))
}

/// The container that a `task` section describes.
pub fn container(key: &ServiceKey, task: &TaskSpec) -> ContainerName {
    task.container.clone().unwrap_or_else(|| ContainerName::new(key.service.as_str()))
}

/// The tags of everything that Windlass makes for a service.
pub fn tags(key: &ServiceKey) -> BTreeMap<String, String> {
    BTreeMap::from([("windlass:service".to_owned(), key.to_string())])
}

/// A revision of ours, edited to what the `task` section and the image say. `base` is the
/// live revision or the family's newest; `None` for the very first.
pub fn from_spec(
    base: Option<&TaskDefinition>,
    key: &ServiceKey,
    task: &TaskSpec,
    image: &str,
    region: &Region,
) -> TaskDefinition {
    let mut content = base.map(|base| base.content.clone()).unwrap_or_default();
    let name = container(key, task);
    if base.is_none() {
        content.insert("family".into(), json!(family(key)));
        content.insert("requiresCompatibilities".into(), json!(["EC2"]));
        content.insert("tags".into(), tag_list(&tags(key)));
    }
    content.insert("networkMode".into(), json!(task.network_mode.as_str()));
    set(&mut content, "taskRoleArn", task.task_role.as_ref().map(|role| json!(role)));
    set(&mut content, "executionRoleArn", task.execution_role.as_ref().map(|role| json!(role)));
    let platform = task.architecture.map(
        |architecture| json!({"cpuArchitecture": architecture.as_ecs(), "operatingSystemFamily": "LINUX"}),
    );
    set(&mut content, "runtimePlatform", platform);

    let containers = content.entry("containerDefinitions").or_insert_with(|| json!([]));
    if let Value::Array(containers) = containers {
        let at = containers.iter().position(|c| c.get("name").and_then(Value::as_str) == Some(name.as_str()));
        let at = at.unwrap_or_else(|| {
            containers.push(json!({"name": name}));
            containers.len() - 1
        });
        if let Some(Value::Object(container)) = containers.get_mut(at) {
            edit_container(container, key, task, image, region);
        }
    }
    TaskDefinition { arn: None, content }
}

fn edit_container(
    container: &mut Map<String, Value>,
    key: &ServiceKey,
    task: &TaskSpec,
    image: &str,
    region: &Region,
) {
    container.insert("image".into(), json!(image));
    container.insert("cpu".into(), json!(task.cpu));
    container.insert("memory".into(), json!(task.memory));
    container.insert("essential".into(), json!(true));
    set_list(container, "portMappings", task.port.map(|port| port_mapping(task, port)).into_iter().collect());
    set_list(container, "environment", named("value", &task.env));
    set_list(container, "secrets", named("valueFrom", &task.secrets));
    set_list(container, "command", task.command.iter().map(|word| json!(word)).collect());
    set(container, "stopTimeout", task.stop_timeout_secs.map(|secs| json!(secs)));
    set_log(container, task.log.as_ref().map(|log| log_configuration(log, key, region)));
}

/// All of AWS's defaults are said, so that what comes back is what was sent.
fn port_mapping(task: &TaskSpec, port: u16) -> Value {
    let host_port = if task.network_mode == NetworkMode::Bridge { 0 } else { port };
    json!({"containerPort": port, "hostPort": host_port, "protocol": "tcp"})
}

fn log_configuration(log: &LogSpec, key: &ServiceKey, region: &Region) -> Value {
    json!({"logDriver": "awslogs", "options": {
        "awslogs-group": log.group,
        "awslogs-region": log.region.as_deref().unwrap_or(region.as_str()),
        "awslogs-stream-prefix": log.prefix.as_deref().unwrap_or(key.service.as_str()),
    }})
}

/// What AWS (or a person) has beside driver and options survives as long as the driver does.
fn set_log(container: &mut Map<String, Value>, wanted: Option<Value>) {
    match (container.get_mut("logConfiguration"), wanted) {
        (Some(Value::Object(there)), Some(Value::Object(wanted)))
            if there.get("logDriver") == wanted.get("logDriver") =>
        {
            there.extend(wanted);
        }
        (_, wanted) => set(container, "logConfiguration", wanted),
    }
}

fn named(value_name: &str, pairs: &BTreeMap<String, String>) -> Vec<Value> {
    pairs.iter().map(|(name, value)| json!({"name": name, value_name: value})).collect()
}

fn tag_list(tags: &BTreeMap<String, String>) -> Value {
    tags.iter().map(|(key, value)| json!({"key": key, "value": value})).collect()
}

fn set(object: &mut Map<String, Value>, name: &str, value: Option<Value>) {
    match value {
        Some(value) => object.insert(name.into(), value),
        None => object.remove(name),
    };
}

/// AWS gives an empty list back where none was sent: absent and empty are the same. A
/// list that says the same in another order (AWS promises none), or with members that the
/// spec has no word for, is left as it stands.
fn set_list(object: &mut Map<String, Value>, name: &str, list: Vec<Value>) {
    let there = object.get(name).and_then(Value::as_array);
    let is_same = match there {
        None => list.is_empty(),
        Some(there) if name == "command" => *there == list,
        Some(there) => {
            there.len() == list.len() && list.iter().all(|value| there.iter().any(|there| says(there, value)))
        }
    };
    if !is_same {
        object.insert(name.into(), Value::Array(list));
    }
}

/// Whether `there` has every member that `wanted` has.
fn says(there: &Value, wanted: &Value) -> bool {
    match (there, wanted) {
        (Value::Object(there), Value::Object(wanted)) => {
            wanted.iter().all(|(name, value)| there.get(name) == Some(value))
        }
        _ => there == wanted,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task() -> TaskSpec {
        serde_json::from_value(json!({
            "cpu": 256, "memory": 512, "port": 8080, "env": {"B": "2", "A": "1"},
        }))
        .unwrap()
    }

    fn first() -> TaskDefinition {
        from_spec(None, &ServiceKey::new("main", "shop"), &task(), "r/shop@sha256:1", &"eu-central-1".into())
    }

    #[test]
    fn the_first_revision_says_everything_that_the_spec_says() {
        insta::assert_json_snapshot!(first().content, @r#"
        {
          "containerDefinitions": [
            {
              "cpu": 256,
              "environment": [
                {
                  "name": "A",
                  "value": "1"
                },
                {
                  "name": "B",
                  "value": "2"
                }
              ],
              "essential": true,
              "image": "r/shop@sha256:1",
              "memory": 512,
              "name": "shop",
              "portMappings": [
                {
                  "containerPort": 8080,
                  "hostPort": 0,
                  "protocol": "tcp"
                }
              ]
            }
          ],
          "family": "main-shop",
          "networkMode": "bridge",
          "requiresCompatibilities": [
            "EC2"
          ],
          "tags": [
            {
              "key": "windlass:service",
              "value": "main/shop"
            }
          ]
        }
        "#);
    }

    #[test]
    fn what_aws_adds_and_what_the_spec_has_no_word_for_makes_no_new_revision() {
        let log = LogSpec { group: "shop".into(), region: None, prefix: None };
        let task = TaskSpec { log: Some(log), ..task() };
        let key = ServiceKey::new("main", "shop");
        let mut there = from_spec(None, &key, &task, "r/shop@sha256:1", &"eu-central-1".into());
        there.content["containerDefinitions"][0]["mountPoints"] = json!([]);
        there.content["containerDefinitions"][0]["secrets"] = json!([]);
        there.content["containerDefinitions"][0]["portMappings"][0]["newIn2027"] = json!(true);
        there.content["containerDefinitions"][0]["logConfiguration"]["secretOptions"] = json!([]);
        there.content["containerDefinitions"][0]["environment"].as_array_mut().unwrap().reverse();
        there.content.insert("volumes".into(), json!([]));
        there.content.insert("newIn2027".into(), json!({"deep": [1]}));
        let again = from_spec(Some(&there), &key, &task, "r/shop@sha256:1", &"eu-central-1".into());
        assert!(again.same_content(&there));
    }

    #[test]
    fn what_the_spec_no_longer_says_is_taken_out() {
        let key = ServiceKey::new("main", "shop");
        let less = TaskSpec { port: None, env: BTreeMap::new(), ..task() };
        let edited = from_spec(Some(&first()), &key, &less, "r/shop@sha256:1", &"eu-central-1".into());
        assert_eq!(edited.content["containerDefinitions"][0]["environment"], json!([]));
        assert_eq!(edited.content["containerDefinitions"][0]["portMappings"], json!([]));
    }

    #[test]
    fn two_services_never_share_a_family() {
        assert_ne!(family(&ServiceKey::new("a-b", "c")), family(&ServiceKey::new("a", "b-c")));
        assert!(family(&ServiceKey::new("main", "x".repeat(255))).as_str().len() <= FAMILY_MAX);
    }
}
