//! Application Auto Scaling, as far as it must be seen to own a service: scalable targets, made,
//! taken away and listed. It scales nothing here: policies and scheduled actions are refused by
//! name, so that nobody relies on them.
//!
//! Only ECS services' desired counts (`ecs:service:DesiredCount`) can be targets.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::call::{ApiError, Reply, parse, unknown_operation};
use crate::ecs;
use crate::time::Time;
use crate::world::World;

const NAMESPACE: &str = "ecs";
const DIMENSION: &str = "ecs:service:DesiredCount";

/// The most of a page, and what it is where the caller says nothing.
const PAGE: usize = 50;

/// Application Auto Scaling's state, by `service/<cluster>/<service>`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Scalable {
    targets: BTreeMap<String, Target>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Target {
    arn: String,
    min: u32,
    max: u32,
    role: Option<String>,
    suspended: Suspended,
    created: Time,
}

/// What is not carried out for now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default, deny_unknown_fields)]
#[expect(clippy::struct_field_names, reason = "Application Auto Scaling's names")]
struct Suspended {
    dynamic_scaling_in_suspended: bool,
    dynamic_scaling_out_suspended: bool,
    scheduled_scaling_suspended: bool,
}

pub(crate) fn handle(world: &mut World, operation: &str, input: &Value) -> Reply {
    match operation {
        "RegisterScalableTarget" => register(world, input),
        "DeregisterScalableTarget" => deregister(world, input),
        "DescribeScalableTargets" => describe(world, input),
        other => Err(unknown_operation(other)),
    }
}

fn invalid(message: impl Into<String>) -> ApiError {
    ApiError::client("ValidationException", message)
}

/// Namespace and dimension, of those that are there.
fn check(namespace: &str, dimension: Option<&str>) -> Result<(), ApiError> {
    if namespace != NAMESPACE {
        return Err(invalid(format!("the embedded AWS scales nothing of the namespace {namespace}")));
    }
    match dimension {
        None | Some(DIMENSION) => Ok(()),
        Some(other) => Err(invalid(format!(
            "Unsupported service namespace, resource type or scalable dimension: {other}"
        ))),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Register {
    service_namespace: String,
    resource_id: String,
    scalable_dimension: String,
    min_capacity: Option<u32>,
    max_capacity: Option<u32>,
    #[serde(rename = "RoleARN")]
    role: Option<String>,
    suspended_state: Option<Suspended>,
}

/// Registered again, a target keeps what the call does not say.
fn register(world: &mut World, input: &Value) -> Reply {
    let ask: Register = parse(input)?;
    check(&ask.service_namespace, Some(&ask.scalable_dimension))?;
    let service = ask.resource_id.strip_prefix("service/").and_then(|path| path.split_once('/'));
    let known = service.is_some_and(|(cluster, name)| ecs::view::service(world, cluster, name).is_some());
    if !known {
        return Err(invalid(format!("ECS service doesn't exist: {}", ask.resource_id)));
    }
    let before = world.scalable.targets.get(&ask.resource_id).cloned();
    let of = |asked: Option<u32>, kept: Option<u32>| {
        asked.or(kept).ok_or_else(|| {
            invalid("Both MinCapacity and MaxCapacity must be specified for a new scalable target")
        })
    };
    let min = of(ask.min_capacity, before.as_ref().map(|target| target.min))?;
    let max = of(ask.max_capacity, before.as_ref().map(|target| target.max))?;
    if min > max {
        return Err(invalid("Maximum capacity cannot be less than minimum capacity"));
    }
    let (arn, created) = if let Some(target) = &before {
        (target.arn.clone(), target.created)
    } else {
        let id = format!("0ec5{:032x}", world.next_id());
        (world.arn("application-autoscaling", &format!("scalable-target/{id}")), world.now())
    };
    let (kept_role, kept) = before.map_or((None, Suspended::default()), |it| (it.role, it.suspended));
    let target = Target {
        arn: arn.clone(),
        min,
        max,
        role: ask.role.or(kept_role),
        suspended: ask.suspended_state.unwrap_or(kept),
        created,
    };
    world.scalable.targets.insert(ask.resource_id, target);
    Ok(json!({ "ScalableTargetARN": arn }))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Deregister {
    service_namespace: String,
    resource_id: String,
    scalable_dimension: String,
}

fn deregister(world: &mut World, input: &Value) -> Reply {
    let ask: Deregister = parse(input)?;
    check(&ask.service_namespace, Some(&ask.scalable_dimension))?;
    if world.scalable.targets.remove(&ask.resource_id).is_none() {
        let message = format!(
            "No scalable target found for service namespace: {NAMESPACE}, resource ID: {}, scalable dimension: \
             {DIMENSION}",
            ask.resource_id
        );
        return Err(ApiError::client("ObjectNotFoundException", message));
    }
    Ok(json!({}))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Describe {
    service_namespace: String,
    #[serde(default)]
    resource_ids: Vec<String>,
    scalable_dimension: Option<String>,
    max_results: Option<usize>,
    next_token: Option<String>,
}

/// What is asked for and is no target is left out, without an error. The token names the last
/// one told.
fn describe(world: &World, input: &Value) -> Reply {
    let ask: Describe = parse(input)?;
    check(&ask.service_namespace, ask.scalable_dimension.as_deref())?;
    if ask.resource_ids.len() > 50 {
        return Err(invalid("ResourceIds can have at most 50 items"));
    }
    let most = ask.max_results.unwrap_or(PAGE).clamp(1, PAGE);
    let after = match &ask.next_token {
        Some(token) => Some(token.strip_prefix("after:").ok_or_else(|| {
            ApiError::client("InvalidNextTokenException", "The next token supplied was invalid.")
        })?),
        None => None,
    };
    let wanted = |id: &&String| ask.resource_ids.is_empty() || ask.resource_ids.contains(*id);
    let all = world.scalable.targets.iter().filter(|(id, _)| wanted(id));
    let found: Vec<_> = all.filter(|(id, _)| after.is_none_or(|after| id.as_str() > after)).collect();
    let told: Vec<Value> = found.iter().take(most).map(|(id, target)| target.told(id)).collect();
    let mut reply = json!({ "ScalableTargets": told });
    if found.len() > most {
        reply["NextToken"] = json!(format!("after:{}", found[most - 1].0));
    }
    Ok(reply)
}

impl Target {
    fn told(&self, id: &str) -> Value {
        let mut told = json!({
            "ServiceNamespace": NAMESPACE,
            "ResourceId": id,
            "ScalableDimension": DIMENSION,
            "MinCapacity": self.min,
            "MaxCapacity": self.max,
            "CreationTime": self.created.epoch_secs(),
            "SuspendedState": self.suspended,
            "ScalableTargetARN": self.arn,
        });
        if let Some(role) = &self.role {
            told["RoleARN"] = json!(role);
        }
        told
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ecs::testing::steady_shop;

    fn ask(resource: &str, more: &Value) -> Value {
        let mut ask =
            json!({"ServiceNamespace": "ecs", "ResourceId": resource, "ScalableDimension": DIMENSION});
        for (name, value) in more.as_object().unwrap() {
            ask[name] = value.clone();
        }
        ask
    }

    fn all(world: &mut World, more: &Value) -> Value {
        let mut ask = json!({"ServiceNamespace": "ecs"});
        for (name, value) in more.as_object().unwrap() {
            ask[name] = value.clone();
        }
        handle(world, "DescribeScalableTargets", &ask).unwrap()
    }

    #[test]
    fn a_target_is_registered_changed_and_taken_away() {
        let mut world = steady_shop();
        let shop = "service/main/shop";
        assert_eq!(all(&mut world, &json!({}))["ScalableTargets"], json!([]));
        let first = handle(
            &mut world,
            "RegisterScalableTarget",
            &ask(shop, &json!({"MinCapacity": 1, "MaxCapacity": 4})),
        );
        let suspended = json!({"DynamicScalingInSuspended": true});
        let again = handle(
            &mut world,
            "RegisterScalableTarget",
            &ask(shop, &json!({"MaxCapacity": 9, "SuspendedState": suspended})),
        );
        assert_eq!(first.unwrap()["ScalableTargetARN"], again.unwrap()["ScalableTargetARN"]);
        let told = all(&mut world, &json!({"ResourceIds": [shop, "service/main/other"]}));
        let [target] = told["ScalableTargets"].as_array().unwrap().as_slice() else { panic!("{told}") };
        assert_eq!((&target["MinCapacity"], &target["MaxCapacity"]), (&json!(1), &json!(9)));
        assert_eq!(target["SuspendedState"]["DynamicScalingInSuspended"], true);
        assert_eq!(target["SuspendedState"]["ScheduledScalingSuspended"], false);
        handle(&mut world, "DeregisterScalableTarget", &ask(shop, &json!({}))).unwrap();
        assert_eq!(all(&mut world, &json!({}))["ScalableTargets"], json!([]));
        let gone = handle(&mut world, "DeregisterScalableTarget", &ask(shop, &json!({})));
        assert_eq!(gone.unwrap_err().code, "ObjectNotFoundException");
    }

    #[test]
    fn what_is_not_there_or_not_carried_out_is_refused() {
        let mut world = steady_shop();
        let shop = "service/main/shop";
        let rows = [
            (
                "RegisterScalableTarget",
                ask("service/main/none", &json!({"MinCapacity": 1, "MaxCapacity": 2})),
                "ValidationException",
            ),
            ("RegisterScalableTarget", ask(shop, &json!({"MinCapacity": 1})), "ValidationException"),
            (
                "RegisterScalableTarget",
                ask(shop, &json!({"MinCapacity": 3, "MaxCapacity": 2})),
                "ValidationException",
            ),
            ("DescribeScalableTargets", json!({"ServiceNamespace": "dynamodb"}), "ValidationException"),
            (
                "DescribeScalableTargets",
                json!({"ServiceNamespace": "ecs", "NextToken": "x"}),
                "InvalidNextTokenException",
            ),
            ("PutScalingPolicy", json!({}), "UnknownOperationException"),
        ];
        for (operation, input, code) in rows {
            assert_eq!(handle(&mut world, operation, &input).unwrap_err().code, code, "{operation} {input}");
        }
    }
}
