//! Rules: conditions, an action, a priority that no other rule of the listener has.

use serde::Deserialize;
use serde_json::{Value, json};

use super::input::{Paging, Pair, invalid, listener_not_found, read, rule_not_found, scalar, tag_map};
use super::model::{Priority, Rule};
use super::quotas::keep;
use super::{actions, conditions, transforms, usage};
use crate::call::{ApiError, Reply};
use crate::world::World;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Create {
    listener_arn: String,
    #[serde(default)]
    conditions: Vec<conditions::Input>,
    #[serde(default, deserialize_with = "scalar")]
    priority: Option<u32>,
    #[serde(default)]
    actions: Vec<actions::Input>,
    #[serde(default)]
    tags: Vec<Pair>,
    #[serde(default)]
    transforms: Vec<transforms::Input>,
}

pub(super) fn create(world: &mut World, input: &Value) -> Reply {
    let input: Create = read(input)?;
    let listener_arn = input.listener_arn;
    let listener = world.elb.listeners.get(&listener_arn).ok_or_else(|| listener_not_found(&listener_arn))?;
    let (lb, path) = (listener.load_balancer.clone(), listener.path.clone());
    let transforms = transforms::read(input.transforms)?;
    let priority = check_priority(input.priority)?;
    let conditions = conditions::read(&world.elb.quotas, input.conditions)?;
    let action = actions::read(world, input.actions)?;
    let tags = tag_map(&world.elb.quotas, input.tags)?;
    if world
        .elb
        .rules
        .values()
        .any(|rule| rule.listener == listener_arn && rule.priority == Priority::Number(priority))
    {
        return Err(in_use(priority));
    }
    let of_lb =
        |rule: &&Rule| world.elb.listeners.get(&rule.listener).is_some_and(|of| of.load_balancer == lb);
    let count =
        world.elb.rules.values().filter(|rule| rule.priority != Priority::Default).filter(of_lb).count();
    keep(count + 1, world.elb.quotas.rules, "TooManyRules", || {
        format!("The maximum number of rules has been reached on load balancer '{lb}'")
    })?;
    usage::check(world, &lb, None, &action)?;
    let id = super::hex_id(world);
    let arn = world.arn("elasticloadbalancing", &format!("listener-rule/{path}/{id}"));
    let made =
        Rule { listener: listener_arn, priority: Priority::Number(priority), conditions, action, transforms };
    world.elb.rules.insert(arn.clone(), made);
    world.elb.tags.insert(arn.clone(), tags);
    usage::refresh(world);
    Ok(json!({ "Rules": [describe_one(world, &arn)] }))
}

fn check_priority(priority: Option<u32>) -> Result<u32, ApiError> {
    let priority = priority.ok_or_else(|| invalid("A priority must be specified"))?;
    if (1..=50_000).contains(&priority) {
        return Ok(priority);
    }
    Err(invalid(format!("Rule priority '{priority}' must be between '1' and '50000'")))
}

fn in_use(priority: u32) -> ApiError {
    ApiError::client("PriorityInUse", format!("Priority '{priority}' is currently in use"))
}

fn describe_one(world: &World, arn: &str) -> Value {
    world.elb.rules.get(arn).map_or(Value::Null, |rule| rule_json(arn, rule))
}

fn rule_json(arn: &str, rule: &Rule) -> Value {
    let priority = match rule.priority {
        Priority::Number(number) => number.to_string(),
        Priority::Default => "default".into(),
    };
    json!({
        "RuleArn": arn,
        "Priority": priority,
        "Conditions": rule.conditions.iter().map(conditions::json).collect::<Vec<_>>(),
        "Actions": [actions::json(&rule.action)],
        "Transforms": rule.transforms.iter().map(transforms::json).collect::<Vec<_>>(),
        "IsDefault": rule.priority == Priority::Default,
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Describe {
    listener_arn: Option<String>,
    #[serde(default)]
    rule_arns: Vec<String>,
    #[serde(flatten)]
    paging: Paging,
}

pub(super) fn describe(world: &World, input: &Value) -> Reply {
    let input: Describe = read(input)?;
    let found: Vec<(&str, &Rule)> = match (&input.listener_arn, input.rule_arns.as_slice()) {
        (Some(_), [_, ..]) | (None, []) => {
            return Err(invalid("You must specify either listener rule ARNs or a listener ARN"));
        }
        (Some(listener), []) => {
            if !world.elb.listeners.contains_key(listener) {
                return Err(listener_not_found(listener));
            }
            world.elb.rules_of(listener)
        }
        (None, arns) => {
            let find = |arn: &String| world.elb.rules.get_key_value(arn).ok_or_else(|| rule_not_found(arn));
            let found = arns.iter().map(find).collect::<Result<Vec<_>, _>>()?;
            found.into_iter().map(|(arn, rule)| (arn.as_str(), rule)).collect()
        }
    };
    let items = found.into_iter().map(|(arn, rule)| (arn.to_owned(), rule_json(arn, rule))).collect();
    input.paging.reply("Rules", items)
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Modify {
    rule_arn: String,
    #[serde(default)]
    conditions: Vec<conditions::Input>,
    #[serde(default)]
    actions: Vec<actions::Input>,
    #[serde(default)]
    transforms: Vec<transforms::Input>,
    #[serde(default, deserialize_with = "scalar")]
    reset_transforms: Option<bool>,
}

/// What is not given stays; a list that is given replaces the old one whole.
pub(super) fn modify(world: &mut World, input: &Value) -> Reply {
    let input: Modify = read(input)?;
    let arn = input.rule_arn;
    let rule = world.elb.rules.get(&arn).ok_or_else(|| rule_not_found(&arn))?;
    if rule.priority == Priority::Default {
        let message = format!("Default rule '{arn}' cannot be modified");
        return Err(ApiError::client("OperationNotPermitted", message));
    }
    let resets = input.reset_transforms == Some(true);
    if resets && !input.transforms.is_empty() {
        return Err(invalid("You cannot specify both 'Transforms' and 'ResetTransforms'"));
    }
    let transforms = transforms::read(input.transforms)?;
    if input.conditions.is_empty() && input.actions.is_empty() && transforms.is_empty() && !resets {
        return Err(invalid("Either conditions, actions or transforms must be specified"));
    }
    let mut changed = rule.clone();
    if resets || !transforms.is_empty() {
        changed.transforms = transforms;
    }
    if !input.conditions.is_empty() {
        changed.conditions = conditions::read(&world.elb.quotas, input.conditions)?;
    }
    if !input.actions.is_empty() {
        changed.action = actions::read(world, input.actions)?;
        let lb = world.elb.listeners.get(&changed.listener).map(|listener| listener.load_balancer.clone());
        usage::check(world, &lb.unwrap_or_default(), Some(&arn), &changed.action)?;
    }
    world.elb.rules.insert(arn.clone(), changed);
    usage::refresh(world);
    Ok(json!({ "Rules": [describe_one(world, &arn)] }))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct One {
    rule_arn: String,
}

pub(super) fn delete(world: &mut World, input: &Value) -> Reply {
    let arn = read::<One>(input)?.rule_arn;
    let rule = world.elb.rules.get(&arn).ok_or_else(|| rule_not_found(&arn))?;
    if rule.priority == Priority::Default {
        let message = format!("Default rule '{arn}' cannot be deleted");
        return Err(ApiError::client("OperationNotPermitted", message));
    }
    world.elb.rules.remove(&arn);
    world.elb.tags.remove(&arn);
    usage::refresh(world);
    Ok(json!({}))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SetPriorities {
    rule_priorities: Vec<NewPriority>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct NewPriority {
    rule_arn: String,
    #[serde(default, deserialize_with = "scalar")]
    priority: Option<u32>,
}

/// All or nothing: two rules may swap priorities in one call, and rules that are not named
/// keep theirs.
pub(super) fn set_priorities(world: &mut World, input: &Value) -> Reply {
    let input: SetPriorities = read(input)?;
    let mut rules = world.elb.rules.clone();
    for new in &input.rule_priorities {
        let rule = rules.get_mut(&new.rule_arn).ok_or_else(|| rule_not_found(&new.rule_arn))?;
        if rule.priority == Priority::Default {
            let message = format!("Default rule '{}' cannot be given a priority", new.rule_arn);
            return Err(ApiError::client("OperationNotPermitted", message));
        }
        rule.priority = Priority::Number(check_priority(new.priority)?);
    }
    let mut taken = std::collections::BTreeSet::new();
    for rule in rules.values() {
        match rule.priority {
            Priority::Number(number) if !taken.insert((&rule.listener, number)) => {
                return Err(in_use(number));
            }
            _ => {}
        }
    }
    world.elb.rules = rules;
    let out: Vec<_> = input.rule_priorities.iter().map(|new| describe_one(world, &new.rule_arn)).collect();
    Ok(json!({ "Rules": out }))
}
