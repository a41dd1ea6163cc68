//! A world in three lines, for this module's tests.

#![expect(clippy::needless_pass_by_value, reason = "a call reads best with its input in place")]

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::events::EMITTED;
use super::instances::{InstanceSpec, add_instance};
use crate::call::ApiError;
use crate::ecr::{PushSpec, ensure_repository, push_image};
use crate::world::{Config, Effect, World};

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

/// An instance `i-<n>` in zone a (odd) or b (even) with 2 vCPU and `memory` `MiB`.
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

/// Registers `family` with one container `web` on port 80 that takes `memory` `MiB`.
pub(crate) fn register(world: &mut World, family: &str, image: &str, memory: u32) -> String {
    let input = json!({"family": family, "containerDefinitions": [{
        "name": "web", "image": image, "memory": memory, "cpu": 128, "portMappings": [{"containerPort": 80}]}]});
    let output = call(world, "RegisterTaskDefinition", input);
    output["taskDefinition"]["taskDefinitionArn"].as_str().unwrap().to_owned()
}

/// `DescribeServices` of one.
pub(crate) fn service(world: &mut World, name: &str) -> Value {
    call(world, "DescribeServices", json!({"cluster": "main", "services": [name]}))["services"][0].clone()
}

/// Lets seconds pass.
pub(crate) fn pass(world: &mut World, secs: u64) {
    let to = world.now() + Duration::from_secs(secs);
    world.advance(to);
}

/// Pushes `shop:<tag>` with these labels; returns its digest.
pub(crate) fn push<const N: usize>(world: &mut World, tag: &str, labels: [(&str, &str); N]) -> String {
    ensure_repository(world, "shop");
    let spec = PushSpec { content: tag.to_owned(), ..PushSpec::labelled(labels) };
    push_image(world, "shop", &[tag], &spec).unwrap()
}

/// `shop:<tag>` as a task definition names it.
pub(crate) fn shop(tag: &str) -> String {
    format!("123456789012.dkr.ecr.eu-central-1.amazonaws.com/shop:{tag}")
}

/// A world with two instances, and `shop` (2 tasks, no load balancer) steady on `shop:v1`.
/// The breaker is on, with rollback.
pub(crate) fn steady_shop() -> World {
    let mut world = world();
    instance(&mut world, 1, 4000);
    instance(&mut world, 2, 4000);
    push(&mut world, "v1", []);
    let definition = register(&mut world, "shop", &shop("v1"), 256);
    let input = json!({"cluster": "main", "serviceName": "shop", "taskDefinition": definition, "desiredCount": 2,
        "deploymentConfiguration": {"deploymentCircuitBreaker": {"enable": true, "rollback": true}}});
    call(&mut world, "CreateService", input);
    pass(&mut world, 20);
    world
}

/// `UpdateService` of `shop` to a new revision that runs `shop:<tag>`.
pub(crate) fn release(world: &mut World, tag: &str) -> Value {
    let definition = register(world, "shop", &shop(tag), 256);
    let input = json!({"cluster": "main", "service": "shop", "taskDefinition": definition});
    call(world, "UpdateService", input)["service"].clone()
}

/// The events so far, as (detail-type, detail); forgotten by this.
pub(crate) fn emitted(kind: &str) -> Vec<Value> {
    let events = EMITTED.take();
    events.into_iter().filter(|event| event.0 == kind).map(|event| event.2).collect()
}

/// The effects so far, forgotten by this.
pub(crate) fn effects(world: &mut World) -> Vec<Effect> {
    world.effects.drain(..).collect()
}

/// Whether no timer but those that forget stopped tasks is set: the world is quiet.
pub(crate) fn is_quiet(world: &World) -> bool {
    world.next_due().is_none_or(|due| due > world.now() + Duration::from_mins(10))
}

/// How many tasks of `shop` run.
pub(crate) fn running(world: &World) -> usize {
    super::view::service(world, "main", "shop").unwrap().running
}

/// Whether one of `shop`'s service events contains `text`.
pub(crate) fn said(world: &World, text: &str) -> bool {
    super::view::service(world, "main", "shop").unwrap().events.iter().any(|event| event.contains(text))
}

/// The deployment events so far, as (`eventName`, `deploymentId`); all events forgotten by this.
pub(crate) fn deployment_events() -> Vec<(String, String)> {
    let events = emitted("ECS Deployment State Change");
    let word = |event: &Value, member: &str| event[member].as_str().unwrap().to_owned();
    events.iter().map(|event| (word(event, "eventName"), word(event, "deploymentId"))).collect()
}
