//! Rules and their targets.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::pattern::Pattern;
use super::{Due, ticks};
use crate::call::{ApiError, Reply, parse};
use crate::world::{self, World};

/// A rule of the default bus.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Rule {
    /// Its name.
    pub name: String,
    pub(super) pattern: Option<(String, Pattern)>,
    pub(super) schedule: Option<Schedule>,
    pub(super) enabled: bool,
    pub(super) description: Option<String>,
    pub(super) targets: BTreeMap<String, Target>,
    /// Counts changes of the schedule, so that a timer set for an older one is ignored.
    pub(super) generation: u64,
}

/// `rate(5 minutes)`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Schedule {
    pub(super) expression: String,
    pub(super) every: Duration,
}

/// Where a rule sends events.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Target {
    pub(super) id: String,
    pub(super) arn: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) role_arn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) input: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) input_path: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) input_transformer: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) dead_letter_config: Option<DeadLetterConfig>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) retry_policy: Option<Value>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DeadLetterConfig {
    pub(super) arn: String,
}

impl Schedule {
    pub(super) fn parse(expression: &str) -> Result<Self, ApiError> {
        let inner = expression.strip_prefix("rate(").and_then(|rest| rest.strip_suffix(')'));
        let parsed = inner.and_then(|inner| {
            let (count, unit) = inner.split_once(' ')?;
            let count: u64 = count.parse().ok().filter(|count| *count > 0)?;
            let secs = match (unit, count == 1) {
                ("minute", true) | ("minutes", false) => 60,
                ("hour", true) | ("hours", false) => 3600,
                ("day", true) | ("days", false) => 86_400,
                _ => return None,
            };
            Some(Duration::from_secs(count * secs))
        });
        let every = parsed.ok_or_else(|| invalid("Parameter ScheduleExpression is not valid."))?;
        Ok(Self { expression: expression.to_owned(), every })
    }
}

pub(super) fn invalid(message: &str) -> ApiError {
    ApiError::client("ValidationException", message)
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PutRule {
    name: String,
    event_pattern: Option<String>,
    schedule_expression: Option<String>,
    state: Option<String>,
    description: Option<String>,
    event_bus_name: Option<String>,
}

pub(super) fn put(world: &mut World, input: &Value) -> Reply {
    let put: PutRule = parse(input)?;
    default_bus(put.event_bus_name.as_deref())?;
    if put.event_pattern.is_none() && put.schedule_expression.is_none() {
        return Err(invalid("Parameter(s) EventPattern or ScheduleExpression must be specified."));
    }
    let pattern = match put.event_pattern {
        None => None,
        Some(text) if text.len() > 4096 => {
            return Err(invalid("Event pattern is longer than 4096 characters."));
        }
        Some(text) => {
            let pattern = Pattern::parse(&text).map_err(|reason| bad_pattern(&reason))?;
            Some((text, pattern))
        }
    };
    let schedule = put.schedule_expression.as_deref().map(Schedule::parse).transpose()?;
    let old = world.bus.rules.remove(&put.name);
    let rule = Rule {
        name: put.name.clone(),
        pattern,
        schedule,
        enabled: put.state.as_deref() != Some("DISABLED"),
        description: put.description,
        generation: old.as_ref().map_or(1, |old| old.generation + 1),
        targets: old.map(|old| old.targets).unwrap_or_default(),
    };
    world.bus.rules.insert(put.name.clone(), rule);
    ticks(world, &put.name);
    Ok(json!({ "RuleArn": arn(world, &put.name) }))
}

pub(super) fn bad_pattern(reason: &str) -> ApiError {
    ApiError::client("InvalidEventPatternException", format!("Event pattern is not valid. Reason: {reason}"))
}

/// There is the default bus and no other.
pub(super) fn default_bus(name: Option<&str>) -> Result<(), ApiError> {
    match name {
        Some(name) if name != "default" && !name.ends_with(":event-bus/default") => {
            Err(ApiError::client("ResourceNotFoundException", format!("Event bus {name} does not exist.")))
        }
        _ => Ok(()),
    }
}

pub(super) fn arn(world: &World, name: &str) -> String {
    world.arn("events", &format!("rule/{name}"))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Named {
    #[serde(alias = "Rule")]
    name: String,
    event_bus_name: Option<String>,
}

fn named<'w>(world: &'w mut World, input: &Value) -> Result<&'w mut Rule, ApiError> {
    let named: Named = parse(input)?;
    default_bus(named.event_bus_name.as_deref())?;
    world.bus.rules.get_mut(&named.name).ok_or_else(|| {
        let message = format!("Rule {} does not exist on EventBus default.", named.name);
        ApiError::client("ResourceNotFoundException", message)
    })
}

pub(super) fn describe(world: &mut World, input: &Value) -> Reply {
    let rule = named(world, input)?.clone();
    Ok(shape(world, &rule))
}

fn shape(world: &World, rule: &Rule) -> Value {
    let mut shape = Map::new();
    shape.insert("Name".into(), json!(rule.name));
    shape.insert("Arn".into(), json!(arn(world, &rule.name)));
    shape.insert("State".into(), json!(if rule.enabled { "ENABLED" } else { "DISABLED" }));
    shape.insert("EventBusName".into(), json!("default"));
    let optional = [
        ("EventPattern", rule.pattern.as_ref().map(|(text, _)| text)),
        ("ScheduleExpression", rule.schedule.as_ref().map(|schedule| &schedule.expression)),
        ("Description", rule.description.as_ref()),
    ];
    for (member, value) in optional {
        if let Some(value) = value {
            shape.insert(member.into(), json!(value));
        }
    }
    Value::Object(shape)
}

pub(super) fn enable(world: &mut World, input: &Value, enabled: bool) -> Reply {
    let rule = named(world, input)?;
    rule.enabled = enabled;
    rule.generation += 1;
    let name = rule.name.clone();
    ticks(world, &name);
    Ok(Value::Null)
}

/// Deleting a rule that is not there succeeds, as in AWS.
pub(super) fn delete(world: &mut World, input: &Value) -> Reply {
    let name = match named(world, input) {
        Ok(rule) if !rule.targets.is_empty() => {
            return Err(invalid("Rule can't be deleted since it has targets."));
        }
        Ok(rule) => rule.name.clone(),
        Err(error) if error.code == "ResourceNotFoundException" => return Ok(Value::Null),
        Err(error) => return Err(error),
    };
    world.bus.rules.remove(&name);
    Ok(Value::Null)
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ListRules {
    #[serde(default)]
    name_prefix: String,
    event_bus_name: Option<String>,
}

/// One page: an account has 300 rules at most.
pub(super) fn list(world: &World, input: &Value) -> Reply {
    let ask: ListRules = parse(input)?;
    default_bus(ask.event_bus_name.as_deref())?;
    let found = world.bus.rules.values().filter(|rule| rule.name.starts_with(&ask.name_prefix));
    Ok(json!({ "Rules": found.map(|rule| shape(world, rule)).collect::<Vec<_>>() }))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PutTargets {
    targets: Vec<Target>,
}

/// AWS's limit of targets of one rule.
const TARGETS: usize = 5;

pub(super) fn put_targets(world: &mut World, input: &Value) -> Reply {
    let is_visited = world.visited().is_some();
    let rule = named(world, input)?;
    let put: PutTargets = parse(input)?;
    let added = put.targets.iter().filter(|target| !rule.targets.contains_key(&target.id)).count();
    if rule.targets.len() + added > TARGETS {
        let message = "The requested resource exceeds the maximum number allowed.";
        return Err(ApiError::client("LimitExceededException", message));
    }
    let mut failed = Vec::new();
    for target in put.targets {
        match refuses(&target, is_visited) {
            Some(reason) => failed.push(json!({
                "TargetId": target.id, "ErrorCode": "ValidationException", "ErrorMessage": reason,
            })),
            None => drop(rule.targets.insert(target.id.clone(), target)),
        }
    }
    Ok(json!({ "FailedEntryCount": failed.len(), "FailedEntries": failed }))
}

fn refuses(target: &Target, is_visited: bool) -> Option<String> {
    let is_bus = target.arn.contains(":event-bus/");
    if is_bus && target.role_arn.is_none() {
        return Some("The embedded AWS forwards to a bus in a role only: give the target a RoleArn.".into());
    }
    if is_visited && !is_bus {
        return Some(
            "The embedded AWS has no functions in another account: only a bus can be a target.".into(),
        );
    }
    if target.input_transformer.is_some() {
        return Some("The embedded AWS has no input transformers.".into());
    }
    if target.input.is_some() && target.input_path.is_some() {
        return Some("Only one of Input, InputPath, or InputTransformer must be provided.".into());
    }
    let bad = |input: &String| serde_json::from_str::<Value>(input).is_err();
    if target.input.as_ref().is_some_and(bad) {
        return Some("The Input for the target is not valid JSON text.".into());
    }
    (!target.arn.starts_with("arn:")).then(|| {
        format!("Parameter {} is not valid. Reason: Provided Arn is not in correct format.", target.arn)
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RemoveTargets {
    ids: Vec<String>,
}

pub(super) fn remove_targets(world: &mut World, input: &Value) -> Reply {
    let rule = named(world, input)?;
    let remove: RemoveTargets = parse(input)?;
    let mut failed = Vec::new();
    for id in remove.ids {
        if rule.targets.remove(&id).is_none() {
            failed.push(json!({
                "TargetId": id,
                "ErrorCode": "ResourceNotFoundException",
                "ErrorMessage": format!("Rule {} does not have a target {id}.", rule.name),
            }));
        }
    }
    Ok(json!({ "FailedEntryCount": failed.len(), "FailedEntries": failed }))
}

pub(super) fn list_targets(world: &mut World, input: &Value) -> Reply {
    let rule = named(world, input)?;
    Ok(json!({ "Targets": rule.targets.values().collect::<Vec<_>>() }))
}

/// A schedule's next tick.
pub(super) fn next_tick(rule: &Rule) -> Option<(Duration, world::Due)> {
    let schedule = rule.schedule.as_ref().filter(|_| rule.enabled)?;
    let due = Due::Tick { rule: rule.name.clone(), generation: rule.generation };
    Some((schedule.every, world::Due::Bus(due)))
}
