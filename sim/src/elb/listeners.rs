//! Listeners and their default rules.

use serde::Deserialize;
use serde_json::{Value, json};

use super::input::{
    Paging, Pair, invalid, listener_not_found, load_balancer_not_found, read, scalar, tag_map,
};
use super::model::{Action, Listener, Priority, Rule};
use super::quotas::keep;
use super::{actions, usage};
use crate::call::{ApiError, Reply};
use crate::world::World;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Create {
    load_balancer_arn: String,
    protocol: Option<String>,
    #[serde(default, deserialize_with = "scalar")]
    port: Option<u16>,
    default_actions: Vec<actions::Input>,
    #[serde(default)]
    certificates: Vec<Certificate>,
    ssl_policy: Option<String>,
    #[serde(default)]
    tags: Vec<Pair>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Certificate {
    certificate_arn: String,
}

pub(super) fn create(world: &mut World, input: &Value) -> Reply {
    let input: Create = read(input)?;
    let lb_arn = input.load_balancer_arn;
    let lb = world.elb.load_balancers.get(&lb_arn).ok_or_else(|| load_balancer_not_found(&lb_arn))?;
    let lb_path = lb.path.clone();
    let protocol = check_protocol(input.protocol, !input.certificates.is_empty())?;
    let port = input.port.filter(|port| *port > 0).ok_or_else(|| invalid("A port must be specified"))?;
    let here = world.elb.listeners.values().filter(|listener| listener.load_balancer == lb_arn);
    if here.clone().any(|listener| listener.port == port) {
        let message = format!("A listener already exists on this port for this load balancer '{lb_arn}'");
        return Err(ApiError::client("DuplicateListener", message));
    }
    keep(here.count() + 1, world.elb.quotas.listeners, "TooManyListeners", || {
        "The maximum number of listeners on this load balancer has been reached".into()
    })?;
    let action = actions::read(world, input.default_actions)?;
    usage::check(world, &lb_arn, None, &action)?;
    let tags = tag_map(&world.elb.quotas, input.tags)?;
    let path = format!("{lb_path}/{}", super::hex_id(world));
    let arn = world.arn("elasticloadbalancing", &format!("listener/{path}"));
    let certificates =
        input.certificates.into_iter().map(|certificate| certificate.certificate_arn).collect();
    let made =
        Listener { load_balancer: lb_arn, path, protocol, port, certificates, ssl_policy: input.ssl_policy };
    insert(world, &arn, made, action);
    world.elb.tags.insert(arn.clone(), tags);
    Ok(json!({ "Listeners": [describe_one(world, &arn)] }))
}

fn check_protocol(protocol: Option<String>, has_certificate: bool) -> Result<String, ApiError> {
    let protocol = protocol.ok_or_else(|| invalid("A protocol must be specified"))?;
    match protocol.as_str() {
        "HTTP" => Ok(protocol),
        "HTTPS" if has_certificate => Ok(protocol),
        "HTTPS" => {
            Err(ApiError::client("ValidationError", "A certificate must be specified for HTTPS listeners"))
        }
        other => Err(invalid(format!("Listener protocol '{other}' must be one of 'HTTP, HTTPS'"))),
    }
}

/// The listener and its default rule, which is a rule like the others but the last.
fn insert(world: &mut World, arn: &str, listener: Listener, action: Action) {
    let rule = format!("listener-rule/{}/{}", listener.path, super::hex_id(world));
    let rule_arn = world.arn("elasticloadbalancing", &rule);
    world.elb.listeners.insert(arn.to_owned(), listener);
    let rule = Rule {
        listener: arn.to_owned(),
        priority: Priority::Default,
        conditions: Vec::new(),
        action,
        transforms: Vec::new(),
    };
    world.elb.rules.insert(rule_arn, rule);
    usage::refresh(world);
}

fn default_rule<'a>(world: &'a mut World, listener: &str) -> Option<&'a mut Rule> {
    let mut rules = world.elb.rules.values_mut();
    rules.find(|rule| rule.listener == listener && rule.priority == Priority::Default)
}

fn describe_one(world: &World, arn: &str) -> Value {
    let Some(listener) = world.elb.listeners.get(arn) else { return Value::Null };
    let default = world.elb.rules_of(arn).into_iter().find(|(_, rule)| rule.priority == Priority::Default);
    let actions: Vec<_> = default.iter().map(|(_, rule)| actions::json(&rule.action)).collect();
    let mut out = json!({
        "ListenerArn": arn,
        "LoadBalancerArn": listener.load_balancer,
        "Port": listener.port,
        "Protocol": listener.protocol,
        "DefaultActions": actions,
    });
    if !listener.certificates.is_empty() {
        let list = listener.certificates.iter().map(|arn| json!({ "CertificateArn": arn }));
        out["Certificates"] = list.collect();
        out["SslPolicy"] = json!(listener.ssl_policy.as_deref().unwrap_or("ELBSecurityPolicy-2016-08"));
    }
    out
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Describe {
    load_balancer_arn: Option<String>,
    #[serde(default)]
    listener_arns: Vec<String>,
    #[serde(flatten)]
    paging: Paging,
}

pub(super) fn describe(world: &World, input: &Value) -> Reply {
    let input: Describe = read(input)?;
    if input.load_balancer_arn.is_none() && input.listener_arns.is_empty() {
        return Err(invalid("You must specify either listener ARNs or a load balancer ARN"));
    }
    if let Some(arn) =
        input.load_balancer_arn.as_ref().filter(|arn| !world.elb.load_balancers.contains_key(*arn))
    {
        return Err(load_balancer_not_found(arn));
    }
    if let Some(arn) = input.listener_arns.iter().find(|arn| !world.elb.listeners.contains_key(*arn)) {
        return Err(listener_not_found(arn));
    }
    let wanted = world.elb.listeners.iter().filter(|(arn, listener)| {
        input.listener_arns.contains(arn) || input.load_balancer_arn.as_ref() == Some(&listener.load_balancer)
    });
    let items = wanted.map(|(arn, _)| (arn.clone(), describe_one(world, arn))).collect();
    input.paging.reply("Listeners", items)
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Modify {
    listener_arn: String,
    protocol: Option<String>,
    #[serde(default, deserialize_with = "scalar")]
    port: Option<u16>,
    default_actions: Option<Vec<actions::Input>>,
    #[serde(default)]
    certificates: Vec<Certificate>,
    ssl_policy: Option<String>,
}

pub(super) fn modify(world: &mut World, input: &Value) -> Reply {
    let input: Modify = read(input)?;
    let arn = input.listener_arn;
    let listener = world.elb.listeners.get(&arn).ok_or_else(|| listener_not_found(&arn))?;
    let lb = listener.load_balancer.clone();
    let clashes = |port| {
        let mut others = world.elb.listeners.iter().filter(|(other, _)| **other != arn);
        others.any(|(_, other)| other.load_balancer == lb && other.port == port)
    };
    if input.port.is_some_and(clashes) {
        let message = format!("A listener already exists on this port for this load balancer '{lb}'");
        return Err(ApiError::client("DuplicateListener", message));
    }
    let has_certificate = !input.certificates.is_empty() || !listener.certificates.is_empty();
    let protocol =
        check_protocol(input.protocol.or_else(|| Some(listener.protocol.clone())), has_certificate)?;
    let action = input.default_actions.map(|actions| actions::read(world, actions)).transpose()?;
    if let Some(action) = action {
        let rule = world.elb.rules_of(&arn).pop().map(|(rule, _)| rule.to_owned());
        usage::check(world, &lb, rule.as_deref(), &action)?;
        if let Some(rule) = default_rule(world, &arn) {
            rule.action = action;
        }
    }
    if let Some(listener) = world.elb.listeners.get_mut(&arn) {
        listener.protocol = protocol;
        listener.port = input.port.unwrap_or(listener.port);
        listener.ssl_policy = input.ssl_policy.or(listener.ssl_policy.take());
        if !input.certificates.is_empty() {
            listener.certificates = input.certificates.into_iter().map(|c| c.certificate_arn).collect();
        }
    }
    usage::refresh(world);
    Ok(json!({ "Listeners": [describe_one(world, &arn)] }))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct One {
    listener_arn: String,
}

pub(super) fn delete(world: &mut World, input: &Value) -> Reply {
    let arn = read::<One>(input)?.listener_arn;
    if !world.elb.listeners.contains_key(&arn) {
        return Err(listener_not_found(&arn));
    }
    remove(world, &arn);
    usage::refresh(world);
    Ok(json!({}))
}

/// Removes a listener with its rules.
pub(super) fn remove(world: &mut World, arn: &str) {
    world.elb.listeners.remove(arn);
    world.elb.tags.remove(arn);
    let gone: Vec<_> = world.elb.rules_of(arn).into_iter().map(|(rule, _)| rule.to_owned()).collect();
    for rule in gone {
        world.elb.rules.remove(&rule);
        world.elb.tags.remove(&rule);
    }
}
