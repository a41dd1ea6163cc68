//! The actions that a function's role allows. Resources and conditions of statements are
//! not kept: the gate allows by action.

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use super::resolve::Scope;
use super::text;

/// The role's name, and the actions that it allows.
pub(super) struct Allowed {
    pub(super) role: String,
    pub(super) actions: Vec<String>,
}

/// The role of a function: one of the template's, or the one that SAM makes of the
/// function's own policies.
pub(super) fn of_function(scope: &Scope<'_>, logical: &str, properties: &Value) -> Result<Allowed> {
    let Some(role) = properties.get("Role") else {
        let policies = properties.get("Policies").map(|policies| scope.eval(policies)).transpose()?;
        let policies = match policies {
            None => Vec::new(),
            Some(Value::Array(policies)) => policies,
            Some(one) => vec![one],
        };
        return Ok(Allowed { role: scope.name(&format!("{logical}Role")), actions: actions(&policies)? });
    };
    let named = role["Fn::GetAtt"].as_str().and_then(|path| path.strip_suffix(".Arn"));
    let named = named.with_context(|| {
        format!("{role} is not a role of this template: give the function's Role as !GetAtt <Role>.Arn")
    })?;
    let resource = scope.resource(named).with_context(|| format!("the template has no role {named}"))?;
    let policies = scope.eval(&resource["Properties"]["Policies"])?;
    let policies = policies.as_array().map(Vec::as_slice).unwrap_or_default();
    Ok(Allowed { role: scope.physical(named, resource)?, actions: actions(policies)? })
}

fn actions(policies: &[Value]) -> Result<Vec<String>> {
    let mut actions = Vec::new();
    for policy in policies {
        let document = policy.get("PolicyDocument").unwrap_or(policy);
        let statements = document.get("Statement").with_context(|| {
            format!("{policy} has no statements: write policies out, the embedded AWS has no managed ones")
        })?;
        for statement in listed(statements) {
            match statement["Effect"].as_str() {
                Some("Allow") => {}
                other => bail!("only statements that allow are known here, not {other:?}"),
            }
            for action in listed(&statement["Action"]) {
                actions.push(text(action)?);
            }
        }
    }
    actions.sort();
    actions.dedup();
    Ok(actions)
}

/// A list, or the one that stands for it.
fn listed(value: &Value) -> &[Value] {
    value.as_array().map_or_else(|| std::slice::from_ref(value), Vec::as_slice)
}
