//! Reads a SAM template and makes of it what the embedded AWS has: its tables, functions,
//! rules, schedules, parameters and dead-letter queues, and the policies of its roles. So a
//! test of what runs here is a test of the stack that users deploy.
//!
//! | room | holds |
//! |---|---|
//! | `yaml` | the text, CloudFormation's short tags written out |
//! | `resolve` | parameters, conditions and the intrinsic functions |
//! | `role` | the policies of roles |
//! | `install` | the resources, made in a world |
//!
//! Resources of types that the world does not have (log groups, permissions, queues'
//! policies) are passed over and named in [`Stack::ignored`].

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::iam::Document;
use crate::world::World;

mod install;
mod resolve;
mod role;
mod yaml;

/// What a stack is made with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StackConfig {
    /// Its name: what its resources' names begin with.
    pub name: String,
    /// Parameters; those left out have their defaults.
    pub parameters: BTreeMap<String, String>,
}

impl StackConfig {
    /// A stack with its parameters' defaults.
    pub fn named(name: &str) -> Self {
        Self { name: name.to_owned(), parameters: BTreeMap::new() }
    }

    /// The same with a parameter set.
    #[must_use]
    pub fn with(mut self, parameter: &str, value: &str) -> Self {
        self.parameters.insert(parameter.to_owned(), value.to_owned());
        self
    }
}

/// What was made.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Stack {
    /// The functions' names, by their logical ids.
    pub functions: BTreeMap<String, String>,
    /// The tables' names, by their logical ids.
    pub tables: BTreeMap<String, String>,
    /// The rules' names, by the logical ids that they have after SAM's transform.
    pub rules: BTreeMap<String, String>,
    /// The policies that its roles have of their own, by their logical ids.
    pub roles: BTreeMap<String, Vec<Document>>,
    /// The outputs.
    pub outputs: BTreeMap<String, String>,
    /// The types of resources that were passed over.
    pub ignored: Vec<String>,
}

/// Reads `template` and makes its resources. Made again in a world that has them, it
/// replaces functions and rules and keeps tables.
pub fn install(world: &mut World, template: &str, config: &StackConfig) -> Result<Stack> {
    let template = yaml::read(template).context("reading the template")?;
    let scope = resolve::Scope::new(world, &template, config)?;
    let mut stack = Stack::default();
    // Permissions last: they are of functions that must be there.
    let is_permission = |resource: &Value| resource["Type"] == "AWS::Lambda::Permission";
    let (permissions, others): (Vec<_>, Vec<_>) =
        scope.resources().partition(|(_, resource)| is_permission(resource));
    for (logical, resource) in others.into_iter().chain(permissions) {
        install::resource(world, &scope, logical, resource, &mut stack)
            .with_context(|| format!("making the template's resource {logical}"))?;
    }
    for (name, output) in members(&template["Outputs"]) {
        let value = scope.eval(&output["Value"]).with_context(|| format!("the output {name}"))?;
        stack.outputs.insert(name.clone(), text(&value)?);
    }
    Ok(stack)
}

/// An object's members; none where there is no object.
fn members(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

/// A scalar as CloudFormation writes it into strings.
fn text(value: &Value) -> Result<String> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(number) => Ok(number.to_string()),
        Value::Bool(flag) => Ok(flag.to_string()),
        other => bail!("a string is wanted, not {other}"),
    }
}

#[cfg(test)]
mod tests;
