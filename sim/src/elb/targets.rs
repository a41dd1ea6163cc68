//! Targets: registered by (id, port), checked, drained.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use super::health::{self, Reason};
use super::input::{group_not_found, invalid, read, scalar};
use super::model::{Target, TargetGroup};
use super::quotas::keep;
use super::{Due, TargetState};
use crate::call::{ApiError, Reply};
use crate::time::Time;
use crate::world::{self, World};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Input {
    target_group_arn: String,
    #[serde(default)]
    targets: Vec<Description>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Description {
    id: String,
    #[serde(default, deserialize_with = "scalar")]
    port: Option<u16>,
}

/// The targets as keys: without a port, the group's own is meant.
fn keys(world: &World, input: Input) -> Result<(String, Vec<(String, u16)>), ApiError> {
    let group = group(world, &input.target_group_arn)?;
    let keys =
        input.targets.into_iter().map(|target| (target.id, target.port.unwrap_or(group.settings.port)));
    let keys = keys.collect();
    Ok((input.target_group_arn, keys))
}

fn group<'a>(world: &'a World, arn: &str) -> Result<&'a TargetGroup, ApiError> {
    world.elb.groups.get(arn).ok_or_else(|| group_not_found(arn))
}

pub(super) fn register_call(world: &mut World, input: &Value) -> Reply {
    let (arn, keys) = keys(world, read(input)?)?;
    if keys.is_empty() {
        return Err(invalid("Targets must be specified"));
    }
    for (id, port) in &keys {
        check(group(world, &arn)?, id, *port)?;
    }
    let here = &group(world, &arn)?.targets;
    let fresh: BTreeSet<_> = keys.iter().filter(|key| !here.contains_key(*key)).collect();
    check_count(world, &arn, here.len() + fresh.len())?;
    for (id, port) in keys {
        register(world, &arn, &id, port)?;
    }
    Ok(json!({}))
}

fn check_count(world: &World, arn: &str, count: usize) -> Result<(), ApiError> {
    keep(count, world.elb.quotas.targets, "TooManyTargets", || {
        format!("The maximum number of targets has been reached on target group '{arn}'")
    })
}

fn check(group: &TargetGroup, id: &str, port: u16) -> Result<(), ApiError> {
    if port == 0 {
        return Err(invalid(format!("Target '{id}' must have a port between '1' and '65535'")));
    }
    match group.settings.target_type.as_str() {
        "ip" if id.parse::<std::net::IpAddr>().is_err() => {
            Err(invalid(format!("The IP address '{id}' is not a valid IPv4 address")))
        }
        "instance" if !id.starts_with("i-") => Err(ApiError::client(
            "InvalidTarget",
            format!("The following targets are not valid instances: '{id}'"),
        )),
        _ => Ok(()),
    }
}

/// A target that is here already stays as it is; one that drains begins anew.
pub(super) fn register(world: &mut World, arn: &str, id: &str, port: u16) -> Result<(), ApiError> {
    let group = group(world, arn)?;
    check(group, id, port)?;
    let key = (id.to_owned(), port);
    match group.targets.get(&key) {
        Some(target) if target.state != TargetState::Draining => return Ok(()),
        None => check_count(world, arn, group.targets.len() + 1)?,
        Some(_) => {}
    }
    health::begin(world, arn, key);
    Ok(())
}

pub(super) fn deregister_call(world: &mut World, input: &Value) -> Reply {
    let (arn, keys) = keys(world, read(input)?)?;
    for (id, port) in keys {
        deregister(world, &arn, &id, port);
    }
    Ok(json!({}))
}

/// Stops new requests at once; the target shows as draining for the whole delay. Requests
/// may have ended long before, but AWS says: "even though target deregistration is complete,
/// the status of the target is displayed as draining until the deregistration delay timeout
/// expires". A group that is not in use has nothing to drain. An unknown target is no error.
pub(super) fn deregister(world: &mut World, arn: &str, id: &str, port: u16) -> Time {
    let now = world.now();
    let life = world.next_id();
    let Some(group) = world.elb.groups.get_mut(arn) else { return now };
    let key = (id.to_owned(), port);
    let until = now + Duration::from_secs(group.delay_secs());
    let Some(target) = group.targets.get_mut(&key) else { return now };
    if let (TargetState::Draining, Some(Reason::Deregistering { until })) = (target.state, &target.reason) {
        return *until;
    }
    if !group.in_use || until == now {
        group.targets.remove(&key);
        return now;
    }
    *target = Target {
        state: TargetState::Draining,
        reason: Some(Reason::Deregistering { until }),
        passed: 0,
        failed: 0,
        life,
    };
    let due = Due::Gone { group: arn.to_owned(), id: id.to_owned(), port, life };
    world.at(until, world::Due::Elb(due));
    until
}

/// The delay is over.
pub(super) fn gone(world: &mut World, arn: &str, id: String, port: u16, life: u64) {
    let Some(group) = world.elb.groups.get_mut(arn) else { return };
    let key = (id, port);
    if group.targets.get(&key).is_some_and(|target| target.life == life) {
        group.targets.remove(&key);
    }
}

/// All targets, or those asked for; one that is not registered is `unused`, not an error.
pub(super) fn describe_health(world: &World, input: &Value) -> Reply {
    let (arn, asked) = keys(world, read(input)?)?;
    let group = group(world, &arn)?;
    let asked: Vec<_> = if asked.is_empty() { group.targets.keys().cloned().collect() } else { asked };
    let described = asked.iter().map(|key| {
        let (state, reason) = match group.targets.get(key) {
            Some(target) => (target.state, target.reason.clone()),
            None => (TargetState::Unused, Some(Reason::NotRegistered)),
        };
        let mut health = json!({ "State": state });
        if let Some(reason) = reason {
            let (code, description) = reason.words();
            health["Reason"] = json!(code);
            health["Description"] = json!(description);
        }
        let check_port = group.settings.health.port.unwrap_or(key.1);
        json!({
            "Target": { "Id": key.0, "Port": key.1 },
            "HealthCheckPort": check_port.to_string(),
            "TargetHealth": health,
        })
    });
    Ok(json!({ "TargetHealthDescriptions": described.collect::<Vec<_>>() }))
}
