//! Target groups: their settings and attributes.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::actions::LONGEST_BOND;
use super::input::{
    Paging, Pair, check_name, group_not_found, invalid, load_balancer_not_found, read, scalar, tag_map,
};
use super::model::{HealthCheck, Settings, TargetGroup};
use super::quotas::keep;
use super::{attributes, health, usage};
use crate::call::{ApiError, Reply};
use crate::world::World;

/// By ARN or by name, in one call.
const MOST_DESCRIBED: usize = 20;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Create {
    name: String,
    protocol: Option<String>,
    protocol_version: Option<String>,
    #[serde(default, deserialize_with = "scalar")]
    port: Option<u16>,
    vpc_id: Option<String>,
    target_type: Option<String>,
    #[serde(flatten)]
    health: HealthInput,
    #[serde(default)]
    tags: Vec<Pair>,
}

/// The members that creating and modifying share; absent ones keep what was.
#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct HealthInput {
    health_check_protocol: Option<String>,
    health_check_port: Option<String>,
    health_check_path: Option<String>,
    #[serde(default, deserialize_with = "scalar")]
    health_check_enabled: Option<bool>,
    #[serde(default, deserialize_with = "scalar")]
    health_check_interval_seconds: Option<u32>,
    #[serde(default, deserialize_with = "scalar")]
    health_check_timeout_seconds: Option<u32>,
    #[serde(default, deserialize_with = "scalar")]
    healthy_threshold_count: Option<u32>,
    #[serde(default, deserialize_with = "scalar")]
    unhealthy_threshold_count: Option<u32>,
    matcher: Option<Matcher>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Matcher {
    http_code: Option<String>,
}

impl HealthInput {
    fn onto(self, old: HealthCheck) -> Result<HealthCheck, ApiError> {
        if self.health_check_enabled == Some(false) {
            return Err(invalid(
                "Health check enabled must be true for groups with target type 'instance' or 'ip'",
            ));
        }
        let port = match self.health_check_port.as_deref() {
            None => old.port,
            Some("traffic-port") => None,
            Some(port) => {
                Some(port.parse().map_err(|_| invalid(format!("Health check port '{port}' is not a port")))?)
            }
        };
        let new = HealthCheck {
            protocol: self.health_check_protocol.unwrap_or(old.protocol),
            port,
            path: self.health_check_path.unwrap_or(old.path),
            interval_secs: self.health_check_interval_seconds.unwrap_or(old.interval_secs),
            timeout_secs: self.health_check_timeout_seconds.unwrap_or(old.timeout_secs),
            healthy_threshold: self.healthy_threshold_count.unwrap_or(old.healthy_threshold),
            unhealthy_threshold: self.unhealthy_threshold_count.unwrap_or(old.unhealthy_threshold),
            matcher: self.matcher.and_then(|matcher| matcher.http_code).unwrap_or(old.matcher),
        };
        check(&new)?;
        Ok(new)
    }
}

fn check(health: &HealthCheck) -> Result<(), ApiError> {
    let ranges = [
        ("interval", health.interval_secs, 5..=300),
        ("timeout", health.timeout_secs, 2..=120),
        ("healthy threshold count", health.healthy_threshold, 2..=10),
        ("unhealthy threshold count", health.unhealthy_threshold, 2..=10),
    ];
    for (name, value, range) in ranges {
        if !range.contains(&value) {
            let (from, to) = range.into_inner();
            return Err(invalid(format!(
                "Health check {name} '{value}' must be between '{from}' and '{to}'"
            )));
        }
    }
    if health.interval_secs <= health.timeout_secs {
        return Err(invalid("Health check interval must be greater than the timeout."));
    }
    if !health.path.starts_with('/') || health.path.len() > 1024 {
        return Err(invalid(format!(
            "Health check path '{}' must begin with '/' and be at most 1024 long",
            health.path
        )));
    }
    if health::codes(&health.matcher).is_none() {
        return Err(invalid(format!("Health check matcher HTTP code '{}' is not valid", health.matcher)));
    }
    Ok(())
}

/// The same name with the same settings is the group that there is; with other settings
/// it is refused.
pub(super) fn create(world: &mut World, input: &Value) -> Reply {
    let input: Create = read(input)?;
    let tags = tag_map(&world.elb.quotas, input.tags)?;
    let settings = settings(
        input.name,
        input.protocol,
        input.protocol_version,
        input.port,
        input.vpc_id,
        input.target_type,
    )?;
    let settings = Settings { health: input.health.onto(settings.health.clone())?, ..settings };
    let same_name = world.elb.groups.iter().find(|(_, group)| group.settings.name == settings.name);
    if let Some((arn, group)) = same_name {
        if group.settings == settings {
            return Ok(json!({ "TargetGroups": [describe_one(world, arn, group)] }));
        }
        let message = format!(
            "A target group with the same name '{}' exists, but with different settings",
            settings.name
        );
        return Err(ApiError::client("DuplicateTargetGroupName", message));
    }
    keep(world.elb.groups.len() + 1, world.elb.quotas.target_groups, "TooManyTargetGroups", || {
        "The maximum number of target groups has been reached".into()
    })?;
    let id = super::hex_id(world);
    let arn = world.arn("elasticloadbalancing", &format!("targetgroup/{}/{id}", settings.name));
    let made = TargetGroup {
        settings,
        attributes: attributes::defaults(DEFAULTS),
        targets: BTreeMap::new(),
        in_use: false,
        turn: 0,
    };
    let reply = json!({ "TargetGroups": [describe_one(world, &arn, &made)] });
    world.elb.groups.insert(arn.clone(), made);
    world.elb.tags.insert(arn, tags);
    Ok(reply)
}

fn settings(
    name: String,
    protocol: Option<String>,
    version: Option<String>,
    port: Option<u16>,
    vpc_id: Option<String>,
    target_type: Option<String>,
) -> Result<Settings, ApiError> {
    check_name("Target group", &name)?;
    let protocol = protocol.ok_or_else(|| invalid("A protocol must be specified"))?;
    if !matches!(protocol.as_str(), "HTTP" | "HTTPS") {
        return Err(invalid(format!("Target group protocol '{protocol}' must be one of 'HTTP, HTTPS'")));
    }
    let target_type = target_type.unwrap_or_else(|| "instance".into());
    if !matches!(target_type.as_str(), "instance" | "ip") {
        return Err(invalid(format!("the embedded ELBv2 has no target groups of type '{target_type}'")));
    }
    let health = HealthCheck {
        protocol: "HTTP".into(),
        port: None,
        path: "/".into(),
        interval_secs: 30,
        timeout_secs: 5,
        healthy_threshold: 5,
        unhealthy_threshold: 2,
        matcher: "200".into(),
    };
    Ok(Settings {
        name,
        protocol,
        protocol_version: version.unwrap_or_else(|| "HTTP1".into()),
        port: port.filter(|port| *port > 0).ok_or_else(|| invalid("A port must be specified"))?,
        vpc_id: vpc_id.ok_or_else(|| invalid("A VPC ID must be specified"))?,
        target_type,
        health,
    })
}

fn describe_one(world: &World, arn: &str, group: &TargetGroup) -> Value {
    let Settings { name, protocol, protocol_version, port, vpc_id, target_type, health } = &group.settings;
    json!({
        "TargetGroupArn": arn,
        "TargetGroupName": name,
        "Protocol": protocol,
        "ProtocolVersion": protocol_version,
        "Port": port,
        "VpcId": vpc_id,
        "TargetType": target_type,
        "IpAddressType": "ipv4",
        "HealthCheckEnabled": true,
        "HealthCheckProtocol": health.protocol,
        "HealthCheckPort": health.port.map_or_else(|| "traffic-port".into(), |port| port.to_string()),
        "HealthCheckPath": health.path,
        "HealthCheckIntervalSeconds": health.interval_secs,
        "HealthCheckTimeoutSeconds": health.timeout_secs,
        "HealthyThresholdCount": health.healthy_threshold,
        "UnhealthyThresholdCount": health.unhealthy_threshold,
        "Matcher": { "HttpCode": health.matcher },
        "LoadBalancerArns": usage::load_balancers_of(world, arn),
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Describe {
    load_balancer_arn: Option<String>,
    #[serde(default)]
    target_group_arns: Vec<String>,
    #[serde(default)]
    names: Vec<String>,
    #[serde(flatten)]
    paging: Paging,
}

pub(super) fn describe(world: &World, input: &Value) -> Reply {
    let input: Describe = read(input)?;
    let all = &world.elb.groups;
    if let Some(arn) =
        input.load_balancer_arn.as_ref().filter(|arn| !world.elb.load_balancers.contains_key(*arn))
    {
        return Err(load_balancer_not_found(arn));
    }
    let (arns, names) = (&input.target_group_arns, &input.names);
    if arns.len() > MOST_DESCRIBED || names.len() > MOST_DESCRIBED {
        return Err(invalid(format!(
            "You cannot describe more than '{MOST_DESCRIBED}' target groups at a time"
        )));
    }
    if attributes::missing(all, arns, names, |group| &group.settings.name).is_some() {
        return Err(ApiError::client("TargetGroupNotFound", "One or more target groups not found"));
    }
    let any =
        input.load_balancer_arn.is_none() && input.target_group_arns.is_empty() && input.names.is_empty();
    let wanted = all.iter().filter(|(arn, group)| {
        let of_lb = |lb: &String| usage::load_balancers_of(world, arn).contains(&lb.as_str());
        any || input.target_group_arns.contains(arn)
            || input.names.contains(&group.settings.name)
            || input.load_balancer_arn.as_ref().is_some_and(of_lb)
    });
    let items = wanted.map(|(arn, group)| (arn.clone(), describe_one(world, arn, group))).collect();
    input.paging.reply("TargetGroups", items)
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Modify {
    target_group_arn: String,
    #[serde(flatten)]
    health: HealthInput,
}

pub(super) fn modify(world: &mut World, input: &Value) -> Reply {
    let Modify { target_group_arn: arn, health } = read(input)?;
    let group = world.elb.groups.get_mut(&arn).ok_or_else(|| group_not_found(&arn))?;
    group.settings.health = health.onto(group.settings.health.clone())?;
    let group = group.clone();
    Ok(json!({ "TargetGroups": [describe_one(world, &arn, &group)] }))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct One {
    target_group_arn: String,
    #[serde(default)]
    attributes: Vec<Pair>,
}

/// A group that nobody knows is deleted without an error, as in AWS; one with targets too;
/// one that a rule forwards to is not.
pub(super) fn delete(world: &mut World, input: &Value) -> Reply {
    let arn = read::<One>(input)?.target_group_arn;
    if world.elb.groups.get(&arn).is_some_and(|group| group.in_use) {
        let message = format!("Target group '{arn}' is currently in use by a listener or a rule");
        return Err(ApiError::client("ResourceInUse", message));
    }
    world.elb.groups.remove(&arn);
    world.elb.tags.remove(&arn);
    Ok(json!({}))
}

const DEFAULTS: [(&str, &str); 14] = [
    ("deregistration_delay.timeout_seconds", "300"),
    ("load_balancing.algorithm.anomaly_mitigation", "off"),
    ("load_balancing.algorithm.type", "round_robin"),
    ("load_balancing.cross_zone.enabled", "use_load_balancer_configuration"),
    ("slow_start.duration_seconds", "0"),
    ("stickiness.app_cookie.cookie_name", ""),
    ("stickiness.app_cookie.duration_seconds", "86400"),
    ("stickiness.enabled", "false"),
    ("stickiness.lb_cookie.duration_seconds", "86400"),
    ("stickiness.type", "lb_cookie"),
    ("target_group_health.dns_failover.minimum_healthy_targets.count", "1"),
    ("target_group_health.dns_failover.minimum_healthy_targets.percentage", "off"),
    ("target_group_health.unhealthy_state_routing.minimum_healthy_targets.count", "1"),
    ("target_group_health.unhealthy_state_routing.minimum_healthy_targets.percentage", "off"),
];

pub(super) fn describe_attributes(world: &World, input: &Value) -> Reply {
    let arn = read::<One>(input)?.target_group_arn;
    let group = world.elb.groups.get(&arn).ok_or_else(|| group_not_found(&arn))?;
    Ok(attributes::reply(&group.attributes))
}

pub(super) fn modify_attributes(world: &mut World, input: &Value) -> Reply {
    let One { target_group_arn: arn, attributes } = read(input)?;
    let group = world.elb.groups.get(&arn).ok_or_else(|| group_not_found(&arn))?;
    for Pair { key, value } in &attributes {
        if !group.attributes.contains_key(key) {
            return Err(invalid(format!("Target group attribute key '{key}' is not recognized")));
        }
        check_attribute(key, value)?;
        if key == "stickiness.enabled" && value == "true" {
            usage::check_sticky(world, &arn)?;
        }
    }
    let group = world.elb.groups.get_mut(&arn).ok_or_else(|| group_not_found(&arn))?;
    attributes::set(&mut group.attributes, attributes);
    Ok(attributes::reply(&group.attributes))
}

fn check_attribute(key: &str, value: &str) -> Result<(), ApiError> {
    let number = value.parse::<u32>();
    let fits = match key {
        "deregistration_delay.timeout_seconds" => number.is_ok_and(|secs| secs <= 3600),
        "slow_start.duration_seconds" => number.is_ok_and(|secs| secs == 0 || (30..=900).contains(&secs)),
        "stickiness.enabled" => matches!(value, "true" | "false"),
        "stickiness.type" if value == "app_cookie" => {
            let message = "the embedded load balancer has no cookies of the application's own";
            return Err(ApiError::client("InvalidConfigurationRequest", message));
        }
        "stickiness.type" => value == "lb_cookie",
        "target_group_health.unhealthy_state_routing.minimum_healthy_targets.count" => {
            number.is_ok_and(|count| count > 0)
        }
        "target_group_health.unhealthy_state_routing.minimum_healthy_targets.percentage" => {
            value == "off" || number.is_ok_and(|percent| (1..=100).contains(&percent))
        }
        "stickiness.lb_cookie.duration_seconds" | "stickiness.app_cookie.duration_seconds" => {
            number.is_ok_and(|secs| (1..=LONGEST_BOND).contains(&secs))
        }
        _ => true,
    };
    if fits {
        return Ok(());
    }
    Err(invalid(format!("Target group attribute '{key}' has the invalid value '{value}'")))
}
