//! The account as a team has it before Windlass comes, and the stack in it. All of it is
//! made by AWS's own calls, but for what stands for EC2.

use std::time::Duration;

use anyhow::{Context as _, anyhow};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use windlass_sim::call::Caller;
use windlass_sim::door::tcp::Origin;
use windlass_sim::elb::listener_on;
use windlass_sim::template::{StackConfig, install};
use windlass_sim::{Call, Config, ServiceId, World};

/// The stack that users deploy.
const TEMPLATE: &str = include_str!("../../../template.yaml");
/// The functions' names within it.
pub(super) const DEPLOY: &str = "DeployFunction";
pub(super) const VERIFY: &str = "VerifyFunction";
pub(super) const SCALE: &str = "ScaleFunction";
pub(super) const DRAIN: &str = "DrainFunction";
/// The cluster's name.
pub(crate) const CLUSTER: &str = "main";
/// Of the load balancer and of the instances, a zone each.
const SUBNETS: [&str; 2] = ["subnet-0a1a1a1a", "subnet-0b2b2b2b"];
/// The load balancer's name.
const LOAD_BALANCER: &str = "main";
/// The Auto Scaling group that it runs on.
pub(crate) const GROUP: &str = "nodes";
/// What comes of it, and how many at least and at most: the least on demand, the rest as spot instances.
const TYPE: &str = "t3.medium";
const SIZES: (u32, u32) = (2, 6);
/// What an hour of one costs on demand in eu-central-1, and about what as a spot instance, as the parameter
/// InstancePrices takes it.
const PRICES: &str = "t3.medium=0.048/0.0144";
/// Longer than an instance takes from its launch to its first task.
pub(super) const BEFORE: Duration = Duration::from_mins(5);

/// The name that the stack gives one of its functions.
pub(super) fn function_name(config: &Config, logical: &str) -> anyhow::Result<String> {
    let mut world = World::new(config.clone());
    let stack = install(&mut world, TEMPLATE, &stack("")).context("reading template.yaml")?;
    stack.functions.get(logical).cloned().with_context(|| format!("template.yaml has no {logical}"))
}

/// Makes the account where it is new, and installs this version's stack either way.
pub(super) fn prepare(world: &mut World, origin: Origin) -> anyhow::Result<()> {
    if origin == Origin::New {
        make_cluster(world)?;
        make_load_balancer(world)?;
    }
    world.ecr.create_on_push = true;
    let listener = listener_on(world, 80).map(str::to_owned);
    install(world, TEMPLATE, &stack(&listener.unwrap_or_default())).context("installing template.yaml")?;
    Ok(())
}

fn stack(listener: &str) -> StackConfig {
    StackConfig::named("windlass")
        .with("ClusterNames", CLUSTER)
        .with("ListenerArn", listener)
        .with("LabelClusters", CLUSTER)
        .with("LabelPathPrefixes", "/")
        .with("LabelHosts", "*")
        .with("InstancePrices", PRICES)
        // Nobody has made roles here: a spec may name any.
        .with("PassRoleArns", "arn:aws:iam::123456789012:role/*")
}

/// The cluster on its Auto Scaling group, and the time that its first instances take to come.
fn make_cluster(world: &mut World) -> anyhow::Result<()> {
    call(world, ServiceId::Ecs, "CreateCluster", json!({ "clusterName": CLUSTER }))?;
    let script = format!("#!/bin/bash\necho ECS_CLUSTER={CLUSTER} >> /etc/ecs/ecs.config\n");
    let data = json!({ "InstanceType": TYPE, "ImageId": "ami-ecs", "UserData": STANDARD.encode(script) });
    let template = json!({ "LaunchTemplateName": GROUP, "LaunchTemplateData": data });
    call(world, ServiceId::Ec2, "CreateLaunchTemplate", template)?;
    let tag = |key: &str, value: &str| {
        json!({ "Key": key, "Value": value, "PropagateAtLaunch": false,
            "ResourceId": GROUP, "ResourceType": "auto-scaling-group" })
    };
    let (min, max) = SIZES;
    let group = json!({
        "AutoScalingGroupName": GROUP, "MinSize": min, "MaxSize": max, "DesiredCapacity": min,
        "VPCZoneIdentifier": SUBNETS.join(","),
        "Tags": [tag("windlass:cluster", CLUSTER), tag("windlass:instance-type", TYPE)],
        "MixedInstancesPolicy": {
            "LaunchTemplate": {
                "LaunchTemplateSpecification": { "LaunchTemplateName": GROUP, "Version": "$Latest" },
            },
            "InstancesDistribution": {
                "OnDemandBaseCapacity": min, "OnDemandPercentageAboveBaseCapacity": 0,
            },
        },
    });
    call(world, ServiceId::AutoScaling, "CreateAutoScalingGroup", group)?;
    world.advance(world.now() + BEFORE);
    Ok(())
}

fn make_load_balancer(world: &mut World) -> anyhow::Result<()> {
    let input = json!({ "Name": LOAD_BALANCER, "Subnets": SUBNETS });
    let made = call(world, ServiceId::ElasticLoadBalancing, "CreateLoadBalancer", input)?;
    let nothing =
        json!({ "StatusCode": "404", "ContentType": "text/plain", "MessageBody": "nothing is here yet\n" });
    let input = json!({
        "LoadBalancerArn": made["LoadBalancers"][0]["LoadBalancerArn"],
        "Protocol": "HTTP",
        "Port": "80",
        "DefaultActions": [{ "Type": "fixed-response", "FixedResponseConfig": nothing }],
    });
    call(world, ServiceId::ElasticLoadBalancing, "CreateListener", input).map(drop)
}

/// A call by whoever has the account.
pub(crate) fn call(
    world: &mut World,
    service: ServiceId,
    operation: &str,
    input: Value,
) -> anyhow::Result<Value> {
    let caller = Caller { access_key: "windlass-local".to_owned() };
    let call = Call { service, operation: operation.to_owned(), input, caller };
    world.call(&call).map_err(|error| anyhow!("{operation}: {}: {}", error.code, error.message))
}
