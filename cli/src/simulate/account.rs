//! The account that a trace is replayed in: a cluster on one Auto Scaling group, and the trace's services.
//! Either policy gets the same, but for who looks after the group.

use anyhow::{Context as _, anyhow};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use windlass_sim::ecr::{PushSpec, ensure_repository, push_image};
use windlass_sim::template::{Stack, StackConfig, install};
use windlass_sim::{ServiceId, World};

use super::Policy;
use super::trace::{Placement, Service, Trace};
use crate::ready::call;

/// The stack that users deploy.
const TEMPLATE: &str = include_str!("../../../template.yaml");
pub(super) const CLUSTER: &str = "main";
/// The group, and its capacity provider where ECS looks after it.
pub(super) const GROUP: &str = "nodes";
const IMAGE: &str = "app";

/// Makes the account; the stack is in it where Windlass looks after the group.
pub(super) fn make(world: &mut World, trace: &Trace, policy: Policy) -> anyhow::Result<Option<Stack>> {
    // What stands before the trace begins takes nothing from AWS's rates.
    let throttling = std::mem::replace(&mut world.gate.throttling, false);
    world.ec2.pace.boot = trace.group.boot_secs;
    call(world, ServiceId::Ecs, "CreateCluster", json!({ "clusterName": CLUSTER }))?;
    group(world, trace, policy)?;
    let stack = match policy {
        Policy::Ecs => capacity_provider(world).map(|()| None)?,
        Policy::Windlass => Some(windlass(world)?),
    };
    ensure_repository(world, IMAGE);
    push_image(world, IMAGE, &["v1"], &PushSpec::labelled([("sim.start_secs", "2"), ("sim.stop_secs", "2")]))
        .map_err(|error| anyhow!("pushing the image: {error}"))?;
    for (name, wanted) in &trace.services {
        service(world, name, wanted)?;
    }
    world.gate.throttling = throttling;
    Ok(stack)
}

/// The group, from nothing to the trace's most. Windlass is given it by its tag.
fn group(world: &mut World, trace: &Trace, policy: Policy) -> anyhow::Result<()> {
    let script = format!("#!/bin/bash\necho ECS_CLUSTER={CLUSTER} >> /etc/ecs/ecs.config\n");
    let data = json!({
        "InstanceType": trace.group.kind, "ImageId": "ami-1", "UserData": STANDARD.encode(script),
    });
    let template = json!({ "LaunchTemplateName": GROUP, "LaunchTemplateData": data });
    call(world, ServiceId::Ec2, "CreateLaunchTemplate", template)?;
    let tags = [("windlass:cluster", CLUSTER), ("windlass:instance-type", trace.group.kind.as_str())];
    let tag = |(key, value): &(&str, &str)| {
        json!({ "Key": key, "Value": value, "PropagateAtLaunch": false,
            "ResourceId": GROUP, "ResourceType": "auto-scaling-group" })
    };
    let tags: Vec<Value> = tags.iter().filter(|_| policy == Policy::Windlass).map(tag).collect();
    let group = json!({
        "AutoScalingGroupName": GROUP, "MinSize": 0, "MaxSize": trace.group.max, "DesiredCapacity": 0,
        "VPCZoneIdentifier": "subnet-a,subnet-b", "Tags": tags,
        "NewInstancesProtectedFromScaleIn": policy == Policy::Ecs,
        "LaunchTemplate": { "LaunchTemplateName": GROUP, "Version": "$Latest" },
    });
    call(world, ServiceId::AutoScaling, "CreateAutoScalingGroup", group).map(drop)
}

/// Managed scaling as AWS's console makes it: target 100, managed termination protection, managed draining.
fn capacity_provider(world: &mut World) -> anyhow::Result<()> {
    let found = call(world, ServiceId::AutoScaling, "DescribeAutoScalingGroups", json!({}))?;
    let provider = json!({
        "autoScalingGroupArn": found["AutoScalingGroups"][0]["AutoScalingGroupARN"],
        "managedScaling": { "status": "ENABLED", "targetCapacity": 100 },
        "managedTerminationProtection": "ENABLED",
        "managedDraining": "ENABLED",
    });
    let input = json!({ "name": GROUP, "autoScalingGroupProvider": provider });
    call(world, ServiceId::Ecs, "CreateCapacityProvider", input)?;
    let strategy = json!([{ "capacityProvider": GROUP, "weight": 1 }]);
    let input = json!({
        "cluster": CLUSTER, "capacityProviders": [GROUP], "defaultCapacityProviderStrategy": strategy,
    });
    call(world, ServiceId::Ecs, "PutClusterCapacityProviders", input).map(drop)
}

fn windlass(world: &mut World) -> anyhow::Result<Stack> {
    let config = StackConfig::named("windlass").with("ClusterNames", CLUSTER).with("ListenerArn", "");
    install(world, TEMPLATE, &config).context("installing template.yaml")
}

fn service(world: &mut World, name: &str, wanted: &Service) -> anyhow::Result<()> {
    let strategy = match wanted.placement {
        Placement::Pack => json!([{ "type": "binpack", "field": "cpu" }]),
        Placement::Spread => json!([]),
    };
    let revision = register(world, name, wanted)?;
    let input = json!({
        "cluster": CLUSTER, "serviceName": name, "taskDefinition": revision,
        "desiredCount": wanted.tasks_at_first(), "placementStrategy": strategy,
        "deploymentConfiguration": { "minimumHealthyPercent": 100, "maximumPercent": 200 },
    });
    call(world, ServiceId::Ecs, "CreateService", input).map(drop)
}

/// Registers a revision; its ARN.
pub(super) fn register(world: &mut World, name: &str, wanted: &Service) -> anyhow::Result<Value> {
    let container = json!({
        "name": "web", "image": format!("{}/{IMAGE}:v1", world.config.registry),
        "cpu": wanted.cpu, "memory": wanted.memory, "essential": true,
    });
    let input = json!({ "family": name, "containerDefinitions": [container] });
    let made = call(world, ServiceId::Ecs, "RegisterTaskDefinition", input)?;
    Ok(made["taskDefinition"]["taskDefinitionArn"].clone())
}
