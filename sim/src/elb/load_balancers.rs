//! Load balancers: enough of them for listeners to stand on.

use serde::Deserialize;
use serde_json::{Value, json};

use super::input::{Paging, Pair, check_name, invalid, load_balancer_not_found, read, tag_map};
use super::model::LoadBalancer;
use super::quotas::keep;
use super::{VPC_ID, attributes, usage};
use crate::call::{ApiError, Reply};
use crate::world::World;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Create {
    name: String,
    #[serde(default)]
    subnets: Vec<String>,
    #[serde(default)]
    subnet_mappings: Vec<Mapping>,
    #[serde(default)]
    security_groups: Vec<String>,
    scheme: Option<String>,
    r#type: Option<String>,
    #[serde(default)]
    tags: Vec<Pair>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Mapping {
    subnet_id: String,
}

pub(super) fn create(world: &mut World, input: &Value) -> Reply {
    let input: Create = read(input)?;
    check_name("Load balancer", &input.name)?;
    let kind = input.r#type.unwrap_or_else(|| "application".into());
    if kind != "application" {
        return Err(invalid(format!("the embedded ELBv2 has application load balancers only, not '{kind}'")));
    }
    let subnets: Vec<_> = input
        .subnets
        .into_iter()
        .chain(input.subnet_mappings.into_iter().map(|mapping| mapping.subnet_id))
        .collect();
    if subnets.len() < 2 {
        return Err(invalid("At least two subnets in two different Availability Zones must be specified"));
    }
    let scheme = input.scheme.unwrap_or_else(|| "internet-facing".into());
    let tags = tag_map(&world.elb.quotas, input.tags)?;
    let same_name = world.elb.load_balancers.iter().find(|(_, lb)| lb.name == input.name);
    if let Some((arn, lb)) = same_name {
        if lb.scheme == scheme && lb.subnets == subnets && lb.security_groups == input.security_groups {
            return Ok(json!({ "LoadBalancers": [describe_one(world, arn, lb)] }));
        }
        let message = format!(
            "A load balancer with the same name '{}' exists, but with different settings",
            input.name
        );
        return Err(ApiError::client("DuplicateLoadBalancerName", message));
    }
    keep(
        world.elb.load_balancers.len() + 1,
        world.elb.quotas.load_balancers,
        "TooManyLoadBalancers",
        || "The maximum number of load balancers has been reached".into(),
    )?;
    let path = format!("app/{}/{}", input.name, super::hex_id(world));
    let arn = world.arn("elasticloadbalancing", &format!("loadbalancer/{path}"));
    let made = LoadBalancer {
        name: input.name,
        path,
        scheme,
        created: world.now(),
        subnets,
        security_groups: input.security_groups,
        attributes: attributes::defaults(DEFAULTS),
    };
    let reply = json!({ "LoadBalancers": [describe_one(world, &arn, &made)] });
    world.elb.load_balancers.insert(arn.clone(), made);
    world.elb.tags.insert(arn, tags);
    Ok(reply)
}

const DEFAULTS: [(&str, &str); 5] = [
    ("access_logs.s3.enabled", "false"),
    ("deletion_protection.enabled", "false"),
    ("idle_timeout.timeout_seconds", "60"),
    ("routing.http.drop_invalid_header_fields.enabled", "false"),
    ("routing.http2.enabled", "true"),
];

fn describe_one(world: &World, arn: &str, lb: &LoadBalancer) -> Value {
    let region = &world.config.region;
    let zones = lb.subnets.iter().zip('a'..).map(|(subnet, letter)| {
        json!({ "ZoneName": format!("{region}{letter}"), "SubnetId": subnet, "LoadBalancerAddresses": [] })
    });
    json!({
        "LoadBalancerArn": arn,
        "LoadBalancerName": lb.name,
        "DNSName": lb.dns_name(region),
        "CanonicalHostedZoneId": "Z215JYRZR1TBD5",
        "CreatedTime": lb.created.iso(),
        "Scheme": lb.scheme,
        "VpcId": VPC_ID,
        "State": { "Code": "active" },
        "Type": "application",
        "AvailabilityZones": zones.collect::<Vec<_>>(),
        "SecurityGroups": lb.security_groups,
        "IpAddressType": "ipv4",
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Describe {
    #[serde(default)]
    load_balancer_arns: Vec<String>,
    #[serde(default)]
    names: Vec<String>,
    #[serde(flatten)]
    paging: Paging,
}

pub(super) fn describe(world: &World, input: &Value) -> Reply {
    let input: Describe = read(input)?;
    let all = &world.elb.load_balancers;
    let missing = attributes::missing(all, &input.load_balancer_arns, &input.names, |lb| &lb.name);
    missing.map_or(Ok(()), |missing| Err(load_balancer_not_found(missing)))?;
    let any = input.load_balancer_arns.is_empty() && input.names.is_empty();
    let wanted = all
        .iter()
        .filter(|(arn, lb)| any || input.load_balancer_arns.contains(arn) || input.names.contains(&lb.name));
    let items = wanted.map(|(arn, lb)| (arn.clone(), describe_one(world, arn, lb))).collect();
    input.paging.reply("LoadBalancers", items)
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct One {
    load_balancer_arn: String,
    #[serde(default)]
    attributes: Vec<Pair>,
}

/// Takes its listeners and their rules along; an unknown ARN is no error, as in AWS.
pub(super) fn delete(world: &mut World, input: &Value) -> Reply {
    let arn = read::<One>(input)?.load_balancer_arn;
    let listeners = world.elb.listeners.iter().filter(|(_, listener)| listener.load_balancer == arn);
    let listeners: Vec<_> = listeners.map(|(arn, _)| arn.clone()).collect();
    for listener in &listeners {
        super::listeners::remove(world, listener);
    }
    world.elb.load_balancers.remove(&arn);
    world.elb.tags.remove(&arn);
    usage::refresh(world);
    Ok(json!({}))
}

pub(super) fn describe_attributes(world: &World, input: &Value) -> Reply {
    let arn = read::<One>(input)?.load_balancer_arn;
    let lb = world.elb.load_balancers.get(&arn).ok_or_else(|| load_balancer_not_found(&arn))?;
    Ok(attributes::reply(&lb.attributes))
}

pub(super) fn modify_attributes(world: &mut World, input: &Value) -> Reply {
    let One { load_balancer_arn: arn, attributes } = read(input)?;
    let lb = world.elb.load_balancers.get_mut(&arn).ok_or_else(|| load_balancer_not_found(&arn))?;
    attributes::set(&mut lb.attributes, attributes);
    Ok(attributes::reply(&lb.attributes))
}
