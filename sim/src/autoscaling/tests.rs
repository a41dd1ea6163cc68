//! Groups on the virtual clock.

#![expect(clippy::needless_pass_by_value, reason = "a call reads best with its input in place")]

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::{GroupView, group};
use crate::call::{ApiError, Call, Caller, Reply, ServiceId};
use crate::world::{Config, World};

mod failures;
mod hooks;
mod providers;
mod sizes;
mod wire;

fn caller() -> Caller {
    Caller { access_key: "AKIDEXAMPLE".into() }
}

fn made(world: &mut World, service: ServiceId, operation: &str, input: Value) -> Reply {
    world.call(&Call { service, operation: operation.to_owned(), input, caller: caller() })
}

/// A call to Auto Scaling that must succeed.
fn call(world: &mut World, operation: &str, input: Value) -> Value {
    made(world, ServiceId::AutoScaling, operation, input)
        .unwrap_or_else(|error| panic!("{operation}: {error:?}"))
}

/// A call to Auto Scaling that must be refused.
fn refused(world: &mut World, operation: &str, input: Value) -> ApiError {
    match made(world, ServiceId::AutoScaling, operation, input) {
        Ok(output) => panic!("{operation} was not refused: {output}"),
        Err(error) => error,
    }
}

fn ec2(world: &mut World, operation: &str, input: Value) -> Value {
    made(world, ServiceId::Ec2, operation, input).unwrap_or_else(|error| panic!("{operation}: {error:?}"))
}

fn ecs(world: &mut World, operation: &str, input: Value) -> Value {
    made(world, ServiceId::Ecs, operation, input).unwrap_or_else(|error| panic!("{operation}: {error:?}"))
}

/// A world with the cluster `main` and the launch template `nodes`, whose user data names it.
fn world() -> World {
    let mut world = World::new(Config { throttling: false, ..Config::default() });
    ecs(&mut world, "CreateCluster", json!({"clusterName": "main"}));
    let script = "#!/bin/bash\necho ECS_CLUSTER=main >> /etc/ecs/ecs.config\n";
    let data = json!({"InstanceType": "m5.large", "ImageId": "ami-1", "UserData": STANDARD.encode(script)});
    ec2(
        &mut world,
        "CreateLaunchTemplate",
        json!({"LaunchTemplateName": "nodes", "LaunchTemplateData": data}),
    );
    world
}

/// The same with the group `nodes` in zones a and b, and its instances in the cluster.
fn settled(min: u32, desired: u32, max: u32) -> World {
    settled_with(min, desired, max, json!({}))
}

/// The same with more members of `CreateAutoScalingGroup`.
fn settled_with(min: u32, desired: u32, max: u32, more: Value) -> World {
    let mut world = world();
    let mut input = json!({
        "AutoScalingGroupName": "nodes", "MinSize": min, "MaxSize": max, "DesiredCapacity": desired,
        "VPCZoneIdentifier": "subnet-a,subnet-b",
        "LaunchTemplate": {"LaunchTemplateName": "nodes", "Version": "$Latest"},
    });
    for (member, value) in more.as_object().into_iter().flatten() {
        input[member] = value.clone();
        if member == "MixedInstancesPolicy" {
            input["LaunchTemplate"] = Value::Null;
        }
    }
    call(&mut world, "CreateAutoScalingGroup", input);
    pass(&mut world, 120);
    world
}

/// Lets seconds pass.
fn pass(world: &mut World, secs: u64) {
    let to = world.now() + Duration::from_secs(secs);
    world.advance(to);
}

fn nodes(world: &World) -> GroupView {
    group(world, "nodes").unwrap()
}

/// `(zone, state)` of every member, in order.
fn states(world: &World) -> Vec<(char, String)> {
    let mut all: Vec<_> =
        nodes(world).members.into_iter().map(|it| (it.az.chars().last().unwrap(), it.state)).collect();
    all.sort();
    all
}

fn desire(world: &mut World, desired: u32) {
    call(world, "SetDesiredCapacity", json!({"AutoScalingGroupName": "nodes", "DesiredCapacity": desired}));
}

/// Has every Auto Scaling and EC2 event of the world go to a function, so that tests see them.
fn watch(world: &mut World) {
    crate::lambda::install(world, crate::lambda::Function::named("watch"));
    let pattern = json!({"source": ["aws.autoscaling", "aws.ec2"]}).to_string();
    let rule = json!({"Name": "watch", "EventPattern": pattern});
    made(world, ServiceId::Events, "PutRule", rule).unwrap();
    let arn = "arn:aws:lambda:eu-central-1:123456789012:function:watch";
    let targets = json!({"Rule": "watch", "Targets": [{"Id": "1", "Arn": arn}]});
    made(world, ServiceId::Events, "PutTargets", targets).unwrap();
}

/// The events since the last look that have this detail-type, whole.
fn events(world: &mut World, kind: &str) -> Vec<Value> {
    let invocations = world.effects.drain(..).filter_map(|effect| match effect {
        // Nobody answers, so that each comes again.
        crate::world::Effect::Invoke(invocation) if invocation.attempt == 1 => Some(invocation.payload),
        _ => None,
    });
    invocations.filter(|event| event["detail-type"] == kind).collect()
}
