//! Task definitions, kept losslessly: the JSON that AWS gave, edited in place.
//!
//! A field newer than the SDK survives, because nothing here goes through typed
//! structs. What is edited: the tracked containers' `image`, and what a spec names.
//! What is stripped before a registration: [`READ_ONLY`].

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::id::{ContainerName, Family, ImageDigest, TaskDefinitionArn};

/// The members of DescribeTaskDefinition's output that RegisterTaskDefinition refuses:
/// exactly the output's members less the input's, over the service model of
/// aws-sdk-ecs 1.157.
pub const READ_ONLY: [&str; 9] = [
    "taskDefinitionArn",
    "revision",
    "status",
    "requiresAttributes",
    "compatibilities",
    "registeredAt",
    "deregisteredAt",
    "deleteRequestedAt",
    "registeredBy",
];

/// A task definition's content: what RegisterTaskDefinition takes, `tags` included;
/// and, where it was read, the ARN of the revision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskDefinition {
    /// The revision it was read from.
    pub arn: Option<TaskDefinitionArn>,
    /// RegisterTaskDefinition's input, losslessly.
    pub content: Map<String, Value>,
}

impl TaskDefinition {
    /// Takes DescribeTaskDefinition's whole response body: `taskDefinition` without the
    /// read-only members, and the top-level `tags` back beside it. `None` if the body
    /// has no such object.
    pub fn from_described(body: &Value) -> Option<Self> {
        let described = body.get("taskDefinition")?.as_object()?;
        let arn = described.get("taskDefinitionArn").and_then(Value::as_str).map(TaskDefinitionArn::new);
        let mut content: Map<String, Value> = described
            .iter()
            .filter(|(name, _)| !READ_ONLY.contains(&name.as_str()))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        let tags = body.get("tags").and_then(Value::as_array).into_iter().flatten();
        let tags: Vec<Value> = tags.filter(|tag| !is_reserved(tag)).cloned().collect();
        if !tags.is_empty() {
            content.insert("tags".into(), Value::Array(tags));
        }
        Some(Self { arn, content })
    }

    /// The family, from the content.
    pub fn family(&self) -> Option<Family> {
        self.content.get("family").and_then(Value::as_str).map(Family::new)
    }

    /// Each container's name and image, in order; containers without an image have `None`.
    pub fn images(&self) -> Vec<(ContainerName, Option<&str>)> {
        self.containers()
            .filter_map(|container| {
                let name = container.get("name")?.as_str()?;
                Some((ContainerName::new(name), container.get("image").and_then(Value::as_str)))
            })
            .collect()
    }

    /// The same content with these containers' images replaced. Containers that the map
    /// names and the content lacks are left to the caller, who chose them from [`Self::images`].
    #[must_use]
    pub fn with_images(&self, images: &BTreeMap<ContainerName, String>) -> Self {
        let mut edited = self.clone();
        let containers = edited.content.get_mut("containerDefinitions").and_then(Value::as_array_mut);
        for container in containers.into_iter().flatten().filter_map(Value::as_object_mut) {
            let image = container
                .get("name")
                .and_then(Value::as_str)
                .and_then(|name| images.get(&ContainerName::new(name)));
            if let Some(image) = image {
                container.insert("image".into(), Value::String(image.clone()));
            }
        }
        edited
    }

    /// Whether any container's image is pinned to this digest.
    pub fn carries(&self, digest: &ImageDigest) -> bool {
        self.images().iter().any(|(_, image)| image.is_some_and(|image| image.ends_with(digest.as_str())))
    }

    /// Whether the end of this container ends its task; `None`: there is no such container.
    pub fn is_essential(&self, name: &ContainerName) -> Option<bool> {
        let named = |container: &&Value| container.get("name").and_then(Value::as_str) == Some(name.as_str());
        let container = self.containers().find(named)?;
        Some(container.get("essential").and_then(Value::as_bool).unwrap_or(true))
    }

    /// Whether a registration of `self` would say nothing that `other` does not: the
    /// same content, whichever revision each was read from. Tags compare as a set.
    pub fn same_content(&self, other: &Self) -> bool {
        normal(&self.content) == normal(&other.content)
    }

    fn containers(&self) -> impl Iterator<Item = &Value> {
        self.content.get("containerDefinitions").and_then(Value::as_array).into_iter().flatten()
    }
}

/// CloudFormation's own tags (`aws:…`), which AWS shows and takes from nobody.
fn is_reserved(tag: &Value) -> bool {
    let key = tag.get("key").and_then(Value::as_str).and_then(|key| key.get(..4));
    key.is_some_and(|start| start.eq_ignore_ascii_case("aws:"))
}

/// Tags sorted by key: AWS promises no order.
fn normal(content: &Map<String, Value>) -> Map<String, Value> {
    let mut content = content.clone();
    if let Some(Value::Array(tags)) = content.get_mut("tags") {
        tags.sort_by_key(|tag| tag.get("key").and_then(Value::as_str).map(str::to_owned));
    }
    content
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn described() -> Value {
        json!({
            "taskDefinition": {
                "taskDefinitionArn": "arn:aws:ecs:eu-central-1:123456789012:task-definition/shop:7",
                "family": "shop", "revision": 7, "status": "ACTIVE",
                "requiresAttributes": [], "compatibilities": ["EC2"],
                "registeredAt": 1_767_225_600.5, "registeredBy": "arn:aws:iam::123456789012:user/ann",
                "deregisteredAt": null, "deleteRequestedAt": null,
                "containerDefinitions": [
                    {"name": "web", "image": "r/shop:v1", "fieldFrom2027": {"a": [1, 2.5, "x"]}},
                    {"name": "log", "image": "r/log:v3"},
                    {"name": "agent"},
                ],
                "anotherNewField": true,
            },
            "tags": [{"key": "team", "value": "a"}, {"key": "cost", "value": "b"}],
        })
    }

    #[test]
    fn exactly_the_nine_read_only_members_are_stripped_and_tags_come_back() {
        let read = TaskDefinition::from_described(&described()).unwrap();
        let names: Vec<_> = read.content.keys().map(String::as_str).collect();
        assert_eq!(names, ["anotherNewField", "containerDefinitions", "family", "tags"]);
        assert_eq!(read.arn.unwrap().short(), "shop:7");
    }

    #[test]
    fn tags_that_aws_reserves_are_not_sent_back() {
        let mut body = described();
        body["tags"] =
            json!([{"key": "aws:cloudformation:stack-name", "value": "x"}, {"key": "team", "value": "a"}]);
        let read = TaskDefinition::from_described(&body).unwrap();
        assert_eq!(read.content["tags"], json!([{"key": "team", "value": "a"}]));
    }

    #[test]
    fn only_the_named_containers_image_changes_and_unknown_fields_survive() {
        let read = TaskDefinition::from_described(&described()).unwrap();
        let edited = read.with_images(&BTreeMap::from([("web".into(), "r/shop@sha256:1".to_owned())]));
        let mut expected = read.clone();
        expected.content["containerDefinitions"][0]["image"] = json!("r/shop@sha256:1");
        assert_eq!(edited, expected);
        assert_eq!(edited.content["containerDefinitions"][0]["fieldFrom2027"], json!({"a": [1, 2.5, "x"]}));
        assert!(!edited.same_content(&read));
    }

    #[test]
    fn the_order_of_tags_makes_no_new_revision() {
        let read = TaskDefinition::from_described(&described()).unwrap();
        let mut turned = described();
        turned["tags"].as_array_mut().unwrap().reverse();
        assert!(read.same_content(&TaskDefinition::from_described(&turned).unwrap()));
    }
}
