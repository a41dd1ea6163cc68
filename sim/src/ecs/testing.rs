//! A world in three lines, for this module's tests.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::instances::{InstanceSpec, add_instance};
use crate::call::ApiError;
use crate::world::{Config, World};

/// A world with the cluster `main`.
pub(crate) fn world() -> World {
    let mut world = World::new(Config::default());
    call(&mut world, "CreateCluster", json!({"clusterName": "main"}));
    world
}

/// A call that must succeed.
pub(crate) fn call(world: &mut World, operation: &str, input: Value) -> Value {
    super::handle(world, operation, &input).unwrap_or_else(|error| panic!("{operation}: {error:?}"))
}

/// A call that must be refused.
pub(crate) fn refused(world: &mut World, operation: &str, input: Value) -> ApiError {
    match super::handle(world, operation, &input) {
        Ok(output) => panic!("{operation} was not refused: {output}"),
        Err(error) => error,
    }
}

/// An instance `i-<n>` in zone a (odd) or b (even) with 2 vCPU and `memory` MiB.
pub(crate) fn instance(world: &mut World, n: u32, memory: u32) -> String {
    let spec = InstanceSpec {
        cluster: "main".into(),
        instance_id: format!("i-{n}"),
        az: format!("eu-central-1{}", if n % 2 == 1 { 'a' } else { 'b' }),
        architecture: "amd64".into(),
        cpu: 2048,
        memory,
        attributes: BTreeMap::new(),
    };
    add_instance(world, spec).unwrap()
}

/// Registers `family` with one container `web` on port 80 that takes `memory` MiB.
pub(crate) fn register(world: &mut World, family: &str, image: &str, memory: u32) -> String {
    let input = json!({"family": family, "containerDefinitions": [{
        "name": "web", "image": image, "memory": memory, "cpu": 128, "portMappings": [{"containerPort": 80}]}]});
    let output = call(world, "RegisterTaskDefinition", input);
    output["taskDefinition"]["taskDefinitionArn"].as_str().unwrap().to_owned()
}

/// DescribeServices of one.
pub(crate) fn service(world: &mut World, name: &str) -> Value {
    call(world, "DescribeServices", json!({"cluster": "main", "services": [name]}))["services"][0].clone()
}

/// Lets seconds pass.
pub(crate) fn pass(world: &mut World, secs: u64) {
    let to = world.now() + Duration::from_secs(secs);
    world.advance(to);
}
