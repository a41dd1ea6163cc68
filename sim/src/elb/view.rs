//! What tests and the demo look at.

use std::collections::BTreeMap;

use super::TargetState;
use super::model::{Condition, Priority};
use crate::world::World;

/// One rule, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleView {
    /// Its ARN.
    pub arn: String,
    /// `None` for the default rule.
    pub priority: Option<u32>,
    /// `path /admin/*`, `host shop.example.com`, …
    pub conditions: Vec<String>,
    /// The groups that it forwards to, with their weights.
    pub groups: Vec<GroupView>,
}

/// One group of a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupView {
    /// Its ARN.
    pub arn: String,
    /// Its name.
    pub name: String,
    /// Its weight in the rule.
    pub weight: u32,
    /// How many targets are in each state.
    pub targets: BTreeMap<TargetState, usize>,
}

/// A listener's rules in the order in which they are tried.
pub fn rules(world: &World, listener_arn: &str) -> Vec<RuleView> {
    let view = |(arn, rule): (&str, &super::model::Rule)| RuleView {
        arn: arn.to_owned(),
        priority: match rule.priority {
            Priority::Number(number) => Some(number),
            Priority::Default => None,
        },
        conditions: rule.conditions.iter().map(words).collect(),
        groups: rule
            .action
            .groups()
            .iter()
            .map(|group| GroupView {
                arn: group.arn.clone(),
                name: world
                    .elb
                    .groups
                    .get(&group.arn)
                    .map(|group| group.settings.name.clone())
                    .unwrap_or_default(),
                weight: group.weight,
                targets: target_counts(world, &group.arn),
            })
            .collect(),
    };
    world.elb.rules_of(listener_arn).into_iter().map(view).collect()
}

/// How many targets of a group are in each state.
pub fn target_counts(world: &World, group_arn: &str) -> BTreeMap<TargetState, usize> {
    let mut counts = BTreeMap::new();
    for target in world.elb.groups.get(group_arn).iter().flat_map(|group| group.targets.values()) {
        *counts.entry(target.state).or_default() += 1;
    }
    counts
}

/// A group's ARN by its name.
pub fn group_arn<'a>(world: &'a World, name: &str) -> Option<&'a str> {
    world.elb.groups.iter().find(|(_, group)| group.settings.name == name).map(|(arn, _)| arn.as_str())
}

fn words(condition: &Condition) -> String {
    let list = |values: &[String], regex: &[String]| {
        let all: Vec<_> =
            values.iter().cloned().chain(regex.iter().map(|regex| format!("~{regex}"))).collect();
        all.join(" or ")
    };
    match condition {
        Condition::Host { values, regex } => format!("host {}", list(values, regex)),
        Condition::Path { values, regex } => format!("path {}", list(values, regex)),
        Condition::Header { name, values, regex } => format!("header {name} {}", list(values, regex)),
        Condition::Method { values } => format!("method {}", list(values, &[])),
        Condition::SourceIp { values } => format!("source {}", list(values, &[])),
        Condition::Query { values } => {
            let pairs =
                values.iter().map(|(key, value)| format!("{}={value}", key.as_deref().unwrap_or("*")));
            format!("query {}", pairs.collect::<Vec<_>>().join(" or "))
        }
    }
}
