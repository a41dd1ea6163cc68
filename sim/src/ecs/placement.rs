//! Which instance a task goes to.
//!
//! 1. Only ACTIVE instances that fulfil every binding rule: architecture, placement
//!    constraints, CPU, memory, host ports.
//! 2. Of those, the strategy's first in order. Without a strategy ECS spreads a service
//!    over availability zones, then over instances; ties go to the fullest instance.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::args::{self, invalid};
use super::blueprint::{Blueprint, Network};
use super::instances::{Instance, InstanceStatus};
use super::providers;
use crate::call::ApiError;
use crate::world::World;

/// What binds and what orders the choice.
pub(crate) struct Rules<'a> {
    pub(crate) cluster: &'a str,
    /// Tasks of this group are spread and kept distinct.
    pub(crate) group: &'a str,
    pub(crate) constraints: &'a [Value],
    pub(crate) strategy: &'a [Value],
    /// Only instances of this capacity provider.
    pub(crate) provider: Option<&'a str>,
}

/// Why no instance takes a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// The container instance that came closest.
    pub(crate) closest: Option<String>,
    pub(crate) obstacle: Obstacle,
}

/// What stands in the way, in the order of the checks: the later, the closer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Obstacle {
    NoInstances,
    Attribute,
    Constraint,
    Cpu,
    Memory,
    Ports,
}

impl Obstacle {
    /// As in `RunTask`'s `failures[].reason` and in the placement failure event.
    pub(crate) fn reason(self) -> &'static str {
        match self {
            Self::NoInstances => "No Container Instances were found in your cluster.",
            Self::Attribute => "ATTRIBUTE",
            Self::Constraint => "MemberOf placement constraint unsatisfied.",
            Self::Cpu => "RESOURCE:CPU",
            Self::Memory => "RESOURCE:MEMORY",
            Self::Ports => "RESOURCE:PORTS",
        }
    }

    /// The service event's words for the closest instance.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::NoInstances => "is missing",
            Self::Attribute => "is missing an attribute required by your task",
            Self::Constraint => "encountered error \"MemberOf placement constraint unsatisfied.\"",
            Self::Cpu => "has insufficient CPU units available",
            Self::Memory => "has insufficient memory available",
            Self::Ports => "is already using a port required by your task",
        }
    }
}

/// The container instance for one more task, or why there is none.
pub(crate) fn choose(world: &World, plan: &Blueprint, rules: &Rules<'_>) -> Result<String, Refusal> {
    let tasks = GroupTasks::of(world, rules);
    let mut closest: Option<(Obstacle, &Instance)> = None;
    let mut best: Option<(Vec<u64>, &Instance)> = None;
    for instance in world.ecs.instances.values() {
        let usable = instance.status == InstanceStatus::Active && instance.agent_connected;
        if instance.cluster != rules.cluster || !usable || !is_of(world, instance, rules.provider) {
            continue;
        }
        if let Some(obstacle) = obstacle(instance, plan, rules, &tasks) {
            if closest.is_none_or(|(known, _)| obstacle > known) {
                closest = Some((obstacle, instance));
            }
            continue;
        }
        let rank = rank(world, instance, rules, &tasks);
        if best.as_ref().is_none_or(|(known, _)| rank < *known) {
            best = Some((rank, instance));
        }
    }
    match (best, closest) {
        (Some((_, instance)), _) => Ok(instance.id.clone()),
        (None, Some((obstacle, instance))) => Err(Refusal { closest: Some(instance.id.clone()), obstacle }),
        (None, None) => Err(Refusal { closest: None, obstacle: Obstacle::NoInstances }),
    }
}

/// Whether an instance belongs to a capacity provider, where one is asked for.
fn is_of(world: &World, instance: &Instance, provider: Option<&str>) -> bool {
    provider.is_none_or(|name| providers::of_instance(world, instance).is_some_and(|it| it.name == name))
}

/// How many live tasks of the group each instance has.
struct GroupTasks(BTreeMap<String, u64>);

impl GroupTasks {
    fn of(world: &World, rules: &Rules<'_>) -> Self {
        let mut counts = BTreeMap::new();
        for instance in world.ecs.instances.values().filter(|it| it.cluster == rules.cluster) {
            let tasks = instance.reserved.keys().filter_map(|id| world.ecs.tasks.get(id));
            let count = tasks.filter(|task| task.wanted && task.group == rules.group).count();
            counts.insert(instance.id.clone(), count as u64);
        }
        Self(counts)
    }

    fn on(&self, instance: &Instance) -> u64 {
        self.0.get(&instance.id).copied().unwrap_or(0)
    }

    /// Tasks on all instances that have the same value of an attribute.
    fn sharing(&self, world: &World, instance: &Instance, attribute: &str) -> u64 {
        let value = instance.attributes.get(attribute);
        let same = |it: &&Instance| it.attributes.get(attribute) == value;
        world.ecs.instances.values().filter(same).map(|it| self.on(it)).sum()
    }
}

fn obstacle(
    instance: &Instance,
    plan: &Blueprint,
    rules: &Rules<'_>,
    tasks: &GroupTasks,
) -> Option<Obstacle> {
    let architecture = instance.attributes.get("ecs.cpu-architecture");
    if plan.architecture.is_some() && plan.architecture.as_ref() != architecture {
        return Some(Obstacle::Attribute);
    }
    let constraints = rules.constraints.iter().chain(&plan.constraints);
    for constraint in constraints {
        let fits = match constraint["type"].as_str() {
            Some("distinctInstance") => tasks.on(instance) == 0,
            // Checked when it was given: an expression that does not parse matches nothing.
            _ => matches(instance, constraint["expression"].as_str().unwrap_or_default()).unwrap_or(false),
        };
        if !fits {
            return Some(Obstacle::Constraint);
        }
    }
    if instance.free_cpu() < plan.cpu {
        return Some(Obstacle::Cpu);
    }
    if instance.free_memory() < plan.memory {
        return Some(Obstacle::Memory);
    }
    let binds = matches!(plan.network, Network::Bridge | Network::Host);
    let mut fixed = plan.containers.iter().flat_map(|it| &it.ports).filter(|port| binds && port.host != 0);
    fixed.any(|port| !instance.has_free(port.host, &port.protocol)).then_some(Obstacle::Ports)
}

/// Smaller is better; compared member by member.
fn rank(world: &World, instance: &Instance, rules: &Rules<'_>, tasks: &GroupTasks) -> Vec<u64> {
    let default = [
        json!({ "type": "spread", "field": "attribute:ecs.availability-zone" }),
        json!({ "type": "spread", "field": "instanceId" }),
    ];
    let strategy = if rules.strategy.is_empty() { &default } else { rules.strategy };
    let mut rank: Vec<u64> = strategy
        .iter()
        .map(|step| {
            let field = step["field"].as_str().unwrap_or_default();
            match (step["type"].as_str(), field) {
                (Some("spread"), "instanceId" | "host") => tasks.on(instance),
                (Some("spread"), field) => {
                    tasks.sharing(world, instance, field.strip_prefix("attribute:").unwrap_or(field))
                }
                (Some("binpack"), field) if field.eq_ignore_ascii_case("cpu") => {
                    u64::from(instance.free_cpu())
                }
                (Some("binpack"), _) => u64::from(instance.free_memory()),
                // `random` leaves it to what follows.
                _ => 0,
            }
        })
        .collect();
    rank.push(u64::from(instance.free_memory()));
    rank.push(u64::from(instance.free_cpu()));
    rank
}

/// Refuses a placement constraint that ECS, or this ECS, does not know.
pub(crate) fn check_constraint(constraint: &Value) -> Result<(), ApiError> {
    match args::text(constraint, "type")? {
        Some("distinctInstance") => Ok(()),
        Some("memberOf") => terms(args::required(constraint, "expression")?).map(|_| ()),
        other => Err(invalid(format!("Invalid placement constraint type: {}", other.unwrap_or("none")))),
    }
}

/// Whether an instance matches an expression of the cluster query language: of it,
/// `attribute:<name>` and `ec2InstanceId` with `==`, `!=`, `in [a, b]`, `not_in [a, b]` or
/// `exists`, joined by `and`.
pub(crate) fn matches(instance: &Instance, expression: &str) -> Result<bool, ApiError> {
    Ok(terms(expression)?.iter().all(|term| term.matches(instance)))
}

struct Term<'a> {
    subject: &'a str,
    values: Vec<&'a str>,
    test: Test,
}

#[derive(Clone, Copy)]
enum Test {
    Among,
    NotAmong,
    Exists,
}

impl Term<'_> {
    fn matches(&self, instance: &Instance) -> bool {
        let actual = match self.subject {
            "ec2InstanceId" => Some(instance.ec2_id.as_str()),
            name => instance.attributes.get(name).map(String::as_str),
        };
        match self.test {
            Test::Exists => actual.is_some(),
            Test::Among => actual.is_some_and(|it| self.values.contains(&it)),
            Test::NotAmong => actual.is_none_or(|it| !self.values.contains(&it)),
        }
    }
}

fn terms(expression: &str) -> Result<Vec<Term<'_>>, ApiError> {
    expression.split(" and ").flat_map(|it| it.split("&&")).map(|it| term(it.trim(), expression)).collect()
}

fn term<'a>(part: &'a str, expression: &str) -> Result<Term<'a>, ApiError> {
    let bad = || invalid(format!("Invalid expression, or one the embedded ECS does not know: {expression}"));
    let (left, rest) = part.split_once(char::is_whitespace).ok_or_else(bad)?;
    let subject = match left {
        "ec2InstanceId" => left,
        _ => left.strip_prefix("attribute:").ok_or_else(bad)?,
    };
    let rest = rest.trim();
    if rest == "exists" {
        return Ok(Term { subject, values: Vec::new(), test: Test::Exists });
    }
    let (operator, operand) = rest.split_once(char::is_whitespace).ok_or_else(bad)?;
    let list = operand.trim().trim_start_matches('[').trim_end_matches(']');
    let values = list.split(',').map(|it| it.trim().trim_matches(['"', '\''])).collect();
    let test = match operator {
        "==" | "equals" | "in" => Test::Among,
        "!=" | "not_equals" | "not_in" | "!in" => Test::NotAmong,
        _ => return Err(bad()),
    };
    Ok(Term { subject, values, test })
}
