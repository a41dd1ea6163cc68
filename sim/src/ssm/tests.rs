use serde_json::{Value, json};

use crate::call::{Call, Caller, Reply, ServiceId};
use crate::world::{Config, World};

fn world() -> World {
    World::new(Config { throttling: false, ..Config::default() })
}

fn call(world: &mut World, operation: &str, input: Value) -> Reply {
    let caller = Caller { access_key: "AKIDEXAMPLE".into() };
    world.call(&Call { service: ServiceId::Ssm, operation: operation.into(), input, caller })
}

fn put(world: &mut World, name: &str, value: &str) -> Reply {
    call(world, "PutParameter", json!({"Name": name, "Value": value, "Type": "String", "Overwrite": true}))
}

fn code(reply: Reply) -> String {
    reply.unwrap_err().code
}

#[test]
fn versions_count_up_and_can_be_asked_for() {
    let mut world = world();
    assert_eq!(put(&mut world, "/a/b", "one").unwrap(), json!({"Version": 1, "Tier": "Standard"}));
    assert_eq!(put(&mut world, "/a/b", "two").unwrap()["Version"], 2);
    let latest = call(&mut world, "GetParameter", json!({"Name": "/a/b"})).unwrap();
    assert_eq!(
        latest["Parameter"],
        json!({
            "ARN": "arn:aws:ssm:eu-central-1:123456789012:parameter/a/b",
            "DataType": "text",
            "LastModifiedDate": 1_767_225_600.0,
            "Name": "/a/b",
            "Type": "String",
            "Value": "two",
            "Version": 2,
        })
    );
    let first = call(&mut world, "GetParameter", json!({"Name": "/a/b:1"})).unwrap();
    assert_eq!(
        (&first["Parameter"]["Value"], &first["Parameter"]["Selector"]),
        (&json!("one"), &json!(":1"))
    );
    assert_eq!(code(call(&mut world, "GetParameter", json!({"Name": "/a/b:7"}))), "ParameterVersionNotFound");
    let arn = latest["Parameter"]["ARN"].clone();
    assert!(call(&mut world, "GetParameter", json!({"Name": arn})).is_ok(), "by ARN");
    let history = call(&mut world, "GetParameterHistory", json!({"Name": "/a/b"})).unwrap();
    assert_eq!(history["Parameters"].as_array().unwrap().len(), 2);
}

#[test]
fn mistakes_have_their_codes() {
    let mut world = world();
    put(&mut world, "/a", "1").unwrap();
    let long = "x".repeat(4097);
    for (operation, input, expected) in [
        ("PutParameter", json!({"Name": "/a", "Value": "2", "Type": "String"}), "ParameterAlreadyExists"),
        ("PutParameter", json!({"Name": "/b", "Value": "2"}), "ValidationException"),
        ("PutParameter", json!({"Name": "/b", "Value": "2", "Type": "Text"}), "ValidationException"),
        ("PutParameter", json!({"Name": "b/c", "Value": "2", "Type": "String"}), "ValidationException"),
        ("PutParameter", json!({"Name": "/aws/c", "Value": "2", "Type": "String"}), "ValidationException"),
        ("PutParameter", json!({"Name": "/b c", "Value": "2", "Type": "String"}), "ValidationException"),
        ("PutParameter", json!({"Name": "/b", "Value": long, "Type": "String"}), "ValidationException"),
        ("PutParameter", json!({"Name": "/b"}), "SerializationException"),
        (
            "PutParameter",
            json!({"Name": "/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a", "Value": "2", "Type": "String"}),
            "HierarchyLevelLimitExceededException",
        ),
        ("GetParameter", json!({"Name": "/none"}), "ParameterNotFound"),
        ("DeleteParameter", json!({"Name": "/none"}), "ParameterNotFound"),
        ("GetParametersByPath", json!({"Path": "a"}), "ValidationException"),
        ("GetParametersByPath", json!({"Path": "/", "MaxResults": 11}), "ValidationException"),
        ("GetParametersByPath", json!({"Path": "/", "NextToken": "x"}), "InvalidNextToken"),
        ("GetParameters", json!({"Names": vec!["/n"; 11]}), "ValidationException"),
        ("DescribeParameters", json!({"ParameterFilters": [{"Key": "Colour"}]}), "InvalidFilterKey"),
        (
            "ListTagsForResource",
            json!({"ResourceType": "Parameter", "ResourceId": "/n"}),
            "InvalidResourceId",
        ),
        ("Fly", json!({}), "UnknownOperationException"),
    ] {
        assert_eq!(code(call(&mut world, operation, input.clone())), expected, "{operation} {input}");
    }
}

#[test]
fn a_large_value_needs_the_advanced_tier_and_stays_there() {
    let mut world = world();
    let mut put = |value: &str, tier: &str| {
        let input = json!({"Name": "/a", "Value": value, "Type": "String", "Overwrite": true, "Tier": tier});
        call(&mut world, "PutParameter", input)
    };
    assert_eq!(put(&"x".repeat(4097), "Intelligent-Tiering").unwrap()["Tier"], "Advanced");
    assert_eq!(code(put("x", "Standard")), "ValidationException");
    assert_eq!(code(put(&"x".repeat(8193), "Advanced")), "ValidationException");
    assert_eq!(put("x", "Advanced").unwrap(), json!({"Version": 2, "Tier": "Advanced"}));
}

#[test]
fn a_path_is_read_page_by_page() {
    let mut world = world();
    for n in 0..23 {
        put(&mut world, &format!("/windlass/services/main/s{n:02}"), "x").unwrap();
    }
    put(&mut world, "/windlass/services2/main/other", "x").unwrap();
    let (mut names, mut sizes, mut token) = (Vec::new(), Vec::new(), Value::Null);
    loop {
        let mut input = json!({"Path": "/windlass/services/", "Recursive": true});
        if !token.is_null() {
            input["NextToken"] = token;
        }
        let page = call(&mut world, "GetParametersByPath", input).unwrap();
        let found = page["Parameters"].as_array().unwrap();
        sizes.push(found.len());
        names.extend(found.iter().map(|one| one["Name"].as_str().unwrap().to_owned()));
        token = page["NextToken"].clone();
        if token.is_null() {
            break;
        }
    }
    assert_eq!(sizes, [10, 10, 3]);
    assert!(names.iter().all(|name| name.starts_with("/windlass/services/main/")));
    let direct = call(&mut world, "GetParametersByPath", json!({"Path": "/windlass/services"})).unwrap();
    assert_eq!(direct, json!({"Parameters": []}));
}

#[test]
fn several_at_once_and_those_that_are_not_there() {
    let mut world = world();
    put(&mut world, "/a", "1").unwrap();
    let both = call(&mut world, "GetParameters", json!({"Names": ["/a", "/none"]})).unwrap();
    assert_eq!(both["Parameters"][0]["Value"], "1");
    assert_eq!(both["InvalidParameters"], json!(["/none"]));
    let gone = call(&mut world, "DeleteParameters", json!({"Names": ["/a", "/none"]})).unwrap();
    assert_eq!(gone, json!({"DeletedParameters": ["/a"], "InvalidParameters": ["/none"]}));
    assert_eq!(world.ssm.value("/a"), None);
}

#[test]
fn tags_and_filters() {
    let mut world = world();
    put(&mut world, "/a", "1").unwrap();
    put(&mut world, "/b", "1").unwrap();
    let id = json!({"ResourceType": "Parameter", "ResourceId": "/a", "Tags": [{"Key": "k", "Value": "v"}]});
    call(&mut world, "AddTagsToResource", id.clone()).unwrap();
    let tags = call(&mut world, "ListTagsForResource", id).unwrap();
    assert_eq!(tags["TagList"], json!([{"Key": "k", "Value": "v"}]));
    let filter = json!({"ParameterFilters": [{"Key": "Name", "Option": "BeginsWith", "Values": ["/b"]}]});
    let found = call(&mut world, "DescribeParameters", filter).unwrap();
    assert_eq!(found["Parameters"].as_array().unwrap().len(), 1);
    assert_eq!(found["Parameters"][0]["Name"], "/b");
}

#[test]
fn a_secure_string_is_shown_only_when_asked_to_decrypt() {
    let mut world = world();
    call(&mut world, "PutParameter", json!({"Name": "/s", "Value": "secret", "Type": "SecureString"}))
        .unwrap();
    let hidden = call(&mut world, "GetParameter", json!({"Name": "/s"})).unwrap();
    assert!(!hidden.to_string().contains("secret"));
    let shown = call(&mut world, "GetParameter", json!({"Name": "/s", "WithDecryption": true})).unwrap();
    assert_eq!(shown["Parameter"]["Value"], "secret");
}
