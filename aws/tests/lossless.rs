//! A field that the SDK does not know comes back and goes out unchanged.

mod support;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use windlass_aws::lossless::{describe_task_definition, register_task_definition};
use windlass_shared::facts::FailureKind;

const ARN: &str = "arn:aws:ecs:eu-central-1:123456789012:task-definition/shop";

fn described() -> Value {
    json!({
        "taskDefinition": {
            "taskDefinitionArn": format!("{ARN}:7"), "family": "shop", "revision": 7, "status": "ACTIVE",
            "registeredAt": 1_767_225_600.5, "requiresAttributes": [], "compatibilities": ["EC2"],
            "containerDefinitions": [
                {"name": "web", "image": "r/shop:v1", "memory": 256, "gpuSharing": {"slices": [1, 2.5]}},
            ],
            "fieldFrom2027": {"deep": [{"a": null}]},
        },
        "tags": [{"key": "team", "value": "a"}],
        "failures": [],
    })
}

#[tokio::test]
async fn unknown_fields_survive_the_round_trip_and_only_the_image_changes() {
    let sent = Arc::new(Mutex::new(None));
    let seen = Arc::clone(&sent);
    let clients = support::clients(
        move |operation, body| match operation {
            "DescribeTaskDefinition" => {
                assert_eq!(support::json(body), json!({"taskDefinition": "shop", "include": ["TAGS"]}));
                (200, described().to_string())
            }
            "RegisterTaskDefinition" => {
                *seen.lock().unwrap() = Some(support::json(body));
                (200, json!({"taskDefinition": {"taskDefinitionArn": format!("{ARN}:8")}}).to_string())
            }
            other => panic!("{other}"),
        },
        0,
    );

    let read = describe_task_definition(&clients.ecs, "shop").await.unwrap();
    let edited = read.with_images(&BTreeMap::from([("web".into(), "r/shop@sha256:1".to_owned())]));
    let arn = register_task_definition(&clients.ecs, &edited).await.unwrap();

    assert_eq!(arn.short(), "shop:8");
    let mut expected = described()["taskDefinition"].clone();
    for stripped in windlass_shared::task_definition::READ_ONLY {
        expected.as_object_mut().unwrap().remove(stripped);
    }
    expected["containerDefinitions"][0]["image"] = json!("r/shop@sha256:1");
    expected["tags"] = described()["tags"].clone();
    assert_eq!(sent.lock().unwrap().take().unwrap(), expected);
}

#[tokio::test]
async fn a_family_that_is_not_there_is_not_found_and_not_an_invalid_input() {
    let error = json!({"__type": "ClientException", "message": "Unable to describe task definition."});
    let clients = support::clients(move |_, _| (400, error.to_string()), 0);
    let failure = describe_task_definition(&clients.ecs, "shop").await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::NotFound);
}
