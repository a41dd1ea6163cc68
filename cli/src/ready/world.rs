//! The account as a team has it before Windlass comes, and the stack in it. All of it is
//! made by AWS's own calls, but for what stands for EC2.

use std::collections::BTreeMap;

use anyhow::{Context as _, anyhow};
use serde_json::{Value, json};
use windlass_sim::call::Caller;
use windlass_sim::door::tcp::Origin;
use windlass_sim::ecs::{InstanceSpec, add_instance};
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
/// The load balancer's name.
const LOAD_BALANCER: &str = "main";
/// The instances: id and availability zone. A t3.medium each.
const INSTANCES: [(&str, &str); 2] =
    [("i-0a10000000000001a", "eu-central-1a"), ("i-0b20000000000002b", "eu-central-1b")];
const CPU: u32 = 2048;
const MEMORY: u32 = 3884;

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
}

fn make_cluster(world: &mut World) -> anyhow::Result<()> {
    call(world, ServiceId::Ecs, "CreateCluster", json!({ "clusterName": CLUSTER }))?;
    for (id, az) in INSTANCES {
        let instance = InstanceSpec {
            cluster: CLUSTER.to_owned(),
            instance_id: id.to_owned(),
            az: az.to_owned(),
            architecture: "amd64".to_owned(),
            cpu: CPU,
            memory: MEMORY,
            attributes: BTreeMap::new(),
        };
        add_instance(world, instance).map_err(|error| anyhow!("adding {id}: {}", error.message))?;
    }
    Ok(())
}

fn make_load_balancer(world: &mut World) -> anyhow::Result<()> {
    let input = json!({ "Name": LOAD_BALANCER, "Subnets": ["subnet-0a1a1a1a", "subnet-0b2b2b2b"] });
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

pub(super) fn call(
    world: &mut World,
    service: ServiceId,
    operation: &str,
    input: Value,
) -> anyhow::Result<Value> {
    let caller = Caller { access_key: "windlass-local".to_owned() };
    let call = Call { service, operation: operation.to_owned(), input, caller };
    world.call(&call).map_err(|error| anyhow!("{operation}: {}: {}", error.code, error.message))
}
