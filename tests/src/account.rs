//! What is in the account before Windlass: made by hand, as Terraform or a person would.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use windlass_shared::id::RepositoryName;
use windlass_sim::call::{Call, Caller};
use windlass_sim::ecs::{InstanceSpec, add_instance};
use windlass_sim::elb::VPC_ID;
use windlass_sim::{ServiceId, World};

use crate::CLUSTER;

/// The access key of whoever made the account's things.
const TERRAFORM: &str = "AKIATERRAFORM";

/// An API call by hand that must succeed. It takes nothing from AWS's rates: a test's
/// scenery must not throttle what it tests.
pub fn by_hand(world: &mut World, service: ServiceId, operation: &str, input: &Value) -> Value {
    let throttling = std::mem::replace(&mut world.gate.throttling, false);
    let caller = Caller { access_key: TERRAFORM.into() };
    let reply = world.call(&Call { service, operation: operation.to_owned(), input: input.clone(), caller });
    world.gate.throttling = throttling;
    reply.unwrap_or_else(|error| panic!("{operation} {input}: {error:?}"))
}

/// An x86 instance with 4 vCPU and 16 GiB.
pub fn instance(world: &mut World, n: u32) {
    let zone = if n % 2 == 1 { 'a' } else { 'b' };
    let spec = InstanceSpec {
        cluster: CLUSTER.into(),
        instance_id: format!("i-{n:017x}"),
        az: format!("{}{zone}", world.config.region),
        architecture: "amd64".into(),
        cpu: 4096,
        memory: 16_384,
        attributes: BTreeMap::new(),
    };
    add_instance(world, spec).unwrap_or_else(|error| panic!("adding instance {n}: {error:?}"));
}

/// The cluster `main` with two instances in two zones.
pub fn cluster(world: &mut World) {
    by_hand(world, ServiceId::Ecs, "CreateCluster", &json!({ "clusterName": CLUSTER }));
    instance(world, 1);
    instance(world, 2);
}

/// The cluster `main` on the Auto Scaling group `nodes` of m5.large (2 vCPU, 8 GiB) in two zones, which
/// carries the tag that gives its capacity to Windlass.
pub fn cluster_on_a_group(world: &mut World, desired: u32, max: u32) {
    by_hand(world, ServiceId::Ecs, "CreateCluster", &json!({ "clusterName": CLUSTER }));
    let script = format!("#!/bin/bash\necho ECS_CLUSTER={CLUSTER} >> /etc/ecs/ecs.config\n");
    let data = json!({"InstanceType": "m5.large", "ImageId": "ami-1", "UserData": STANDARD.encode(script)});
    let template = json!({"LaunchTemplateName": "nodes", "LaunchTemplateData": data});
    by_hand(world, ServiceId::Ec2, "CreateLaunchTemplate", &template);
    let tags = [("windlass:cluster", CLUSTER), ("windlass:instance-type", "m5.large")];
    let tags: Vec<Value> = tags
        .iter()
        .map(|(key, value)| {
            json!({"Key": key, "Value": value, "PropagateAtLaunch": false,
                "ResourceId": "nodes", "ResourceType": "auto-scaling-group"})
        })
        .collect();
    let group = json!({
        "AutoScalingGroupName": "nodes", "MinSize": 0, "MaxSize": max, "DesiredCapacity": desired,
        "VPCZoneIdentifier": "subnet-a,subnet-b", "Tags": tags,
        "LaunchTemplate": {"LaunchTemplateName": "nodes", "Version": "$Latest"},
    });
    by_hand(world, ServiceId::AutoScaling, "CreateAutoScalingGroup", &group);
}

/// A load balancer whose listener answers 404 where no rule does; the listener's ARN.
pub fn listener(world: &mut World) -> String {
    let elb = ServiceId::ElasticLoadBalancing;
    let made = by_hand(
        world,
        elb,
        "CreateLoadBalancer",
        &json!({"Name": "shared", "Subnets": ["subnet-a", "subnet-b"]}),
    );
    let made = by_hand(
        world,
        elb,
        "CreateListener",
        &json!({
            "LoadBalancerArn": made["LoadBalancers"][0]["LoadBalancerArn"],
            "Protocol": "HTTP",
            "Port": 80,
            "DefaultActions": [{"Type": "fixed-response",
                "FixedResponseConfig": {"StatusCode": "404", "ContentType": "text/plain", "MessageBody": "no such route"}}],
        }),
    );
    text(&made["Listeners"][0]["ListenerArn"])
}

/// A service as Terraform makes one.
#[derive(Debug, Clone)]
pub struct ByHand {
    /// Its name, its family's and its target group's.
    pub name: String,
    /// The image's repository; another account's with its registry.
    pub repository: String,
    /// The image's tag in the first revision.
    pub tag: String,
    /// The value of `windlass:track`; `None`: nobody asked Windlass.
    pub track: Option<String>,
    /// The path of its rule.
    pub path: String,
    /// Tasks.
    pub desired: u32,
    /// ECS's circuit breaker, with rollback.
    pub breaker: bool,
    /// Members of the task definition beside the usual ones.
    pub extra: Value,
    /// Containers beside `web`.
    pub sidecars: Vec<Value>,
}

impl ByHand {
    /// Two tasks of `<repository>:<tag>` behind `/<name>*`, tracked by `track`.
    pub fn tracking(name: &str, track: &str) -> Self {
        let repository = track.split(':').next().unwrap_or(track);
        Self {
            name: name.to_owned(),
            repository: repository.to_owned(),
            tag: "latest".into(),
            track: Some(track.to_owned()),
            path: format!("/{name}*"),
            desired: 2,
            breaker: true,
            extra: json!({}),
            sidecars: Vec::new(),
        }
    }
}

/// Makes the service.
pub fn service(world: &mut World, listener: &str, what: &ByHand) {
    let group = target_group(world, &what.name);
    rule(world, listener, &group, &what.path);
    let revision = register(world, what, &what.tag);
    let tags: Vec<Value> =
        what.track.iter().map(|track| json!({"key": "windlass:track", "value": track})).collect();
    by_hand(
        world,
        ServiceId::Ecs,
        "CreateService",
        &json!({
            "cluster": CLUSTER,
            "serviceName": what.name,
            "taskDefinition": revision,
            "desiredCount": what.desired,
            "loadBalancers": [{"targetGroupArn": group, "containerName": "web", "containerPort": 80}],
            "deploymentConfiguration": {
                "minimumHealthyPercent": 100, "maximumPercent": 200,
                "deploymentCircuitBreaker": {"enable": what.breaker, "rollback": what.breaker}},
            "tags": tags,
        }),
    );
}

/// Registers a revision that runs `<repository>:<tag>`; its ARN.
pub fn register(world: &mut World, what: &ByHand, tag: &str) -> String {
    let image = match RepositoryName::new(&what.repository).registry() {
        Some(_) => format!("{}:{tag}", what.repository),
        None => format!("{}/{}:{tag}", world.config.registry, what.repository),
    };
    let mut containers = vec![json!({
        "name": "web", "image": image, "cpu": 64, "memory": 128, "essential": true,
        "portMappings": [{"containerPort": 80}]})];
    containers.extend(what.sidecars.iter().cloned());
    let mut input = json!({
        "family": what.name, "containerDefinitions": containers,
        "tags": [{"key": "team", "value": "shop"}]});
    for (member, value) in what.extra.as_object().into_iter().flatten() {
        input[member] = value.clone();
    }
    let made = by_hand(world, ServiceId::Ecs, "RegisterTaskDefinition", &input);
    text(&made["taskDefinition"]["taskDefinitionArn"])
}

/// A target group with quick health checks and a short drain.
fn target_group(world: &mut World, name: &str) -> String {
    let elb = ServiceId::ElasticLoadBalancing;
    let made = by_hand(
        world,
        elb,
        "CreateTargetGroup",
        &json!({
            "Name": name, "Protocol": "HTTP", "Port": 80, "VpcId": VPC_ID, "HealthCheckPath": "/",
            "HealthCheckIntervalSeconds": 5, "HealthCheckTimeoutSeconds": 2,
            "HealthyThresholdCount": 2, "UnhealthyThresholdCount": 2}),
    );
    let arn = text(&made["TargetGroups"][0]["TargetGroupArn"]);
    by_hand(
        world,
        elb,
        "ModifyTargetGroupAttributes",
        &json!({
            "TargetGroupArn": arn,
            "Attributes": [{"Key": "deregistration_delay.timeout_seconds", "Value": "10"}]}),
    );
    arn
}

fn rule(world: &mut World, listener: &str, group: &str, path: &str) {
    let elb = ServiceId::ElasticLoadBalancing;
    let there = by_hand(world, elb, "DescribeRules", &json!({ "ListenerArn": listener }));
    let count = there["Rules"].as_array().map_or(0, Vec::len);
    by_hand(
        world,
        elb,
        "CreateRule",
        &json!({
            "ListenerArn": listener, "Priority": count, "Conditions": [{"Field": "path-pattern", "Values": [path]}],
            "Actions": [{"Type": "forward", "TargetGroupArn": group}]}),
    );
}

/// A member that must be a string.
pub fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("a string is wanted, not {value}")).to_owned()
}
