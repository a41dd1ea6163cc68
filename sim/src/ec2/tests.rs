//! Launch templates.

#![expect(clippy::needless_pass_by_value, reason = "a call reads best with its input in place")]

use serde_json::{Value, json};

use super::{handle, resolve};
use crate::world::{Config, World};

fn call(world: &mut World, operation: &str, input: Value) -> Value {
    handle(world, operation, &input).unwrap_or_else(|error| panic!("{operation}: {error:?}"))
}

fn world() -> World {
    let mut world = World::new(Config::default());
    let data = json!({"InstanceType": "m5.large", "ImageId": "resolve:ssm:/aws/service/ecs/x"});
    call(
        &mut world,
        "CreateLaunchTemplate",
        json!({"LaunchTemplateName": "nodes", "LaunchTemplateData": data}),
    );
    world
}

#[test]
fn a_version_is_laid_over_its_source_and_becomes_the_latest() {
    let mut world = world();
    let input = json!({"LaunchTemplateName": "nodes", "SourceVersion": "1", "LaunchTemplateData": {"ImageId": "ami-2"}});
    call(&mut world, "CreateLaunchTemplateVersion", input);
    let of = |world: &World, version: &str| {
        let it = resolve(world, &json!({"LaunchTemplateName": "nodes", "Version": version})).unwrap();
        (it.template.version, it.image, it.instance_type.unwrap())
    };
    assert_eq!(of(&world, "$Latest"), (2, "ami-2".into(), "m5.large".into()));
    assert_eq!(of(&world, "$Default").0, 1);
    call(
        &mut world,
        "ModifyLaunchTemplate",
        json!({"LaunchTemplateName": "nodes", "SetDefaultVersion": "2"}),
    );
    assert_eq!(of(&world, "$Default").0, 2);
    let input = json!({"LaunchTemplateName": "nodes", "Versions": ["$Latest"]});
    let versions = call(&mut world, "DescribeLaunchTemplateVersions", input);
    assert_eq!(versions["LaunchTemplateVersions"][0]["LaunchTemplateData"]["ImageId"], "ami-2");
    assert_eq!(versions["LaunchTemplateVersions"].as_array().unwrap().len(), 1);
}

#[test]
fn a_public_parameter_is_looked_up_at_the_launch() {
    let mut world = world();
    let image = |world: &World| resolve(world, &json!({"LaunchTemplateName": "nodes"})).unwrap().image;
    let first = image(&world);
    assert!(first.starts_with("ami-0"), "{first}");
    world.ec2.images.insert("/aws/service/ecs/x".into(), "ami-new".into());
    assert_eq!(image(&world), "ami-new");
}

#[test]
fn what_is_not_there_is_told_by_its_real_code() {
    let mut world = world();
    let code =
        |world: &mut World, operation: &str, input: Value| handle(world, operation, &input).unwrap_err().code;
    let versions = |input: Value| ("DescribeLaunchTemplateVersions", input);
    for ((operation, input), expected) in [
        (versions(json!({"LaunchTemplateName": "no"})), "InvalidLaunchTemplateName.NotFoundException"),
        (versions(json!({"LaunchTemplateId": "lt-no"})), "InvalidLaunchTemplateId.NotFound"),
        (
            versions(json!({"LaunchTemplateName": "nodes", "Versions": ["7"]})),
            "InvalidLaunchTemplateId.VersionNotFound",
        ),
        (("DescribeInstances", json!({"InstanceIds": ["i-no"]})), "InvalidInstanceID.NotFound"),
        (
            ("DescribeInstances", json!({"Filters": [{"Name": "no", "Values": ["x"]}]})),
            "InvalidParameterValue",
        ),
        (("RunInstances", json!({})), "InvalidAction"),
    ] {
        assert_eq!(code(&mut world, operation, input), expected, "{operation}");
    }
}
