//! The policies of the template's roles, resolved.

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::resolve::Scope;
use super::text;
use crate::iam::{Document, Policy};

/// The role's name, and its policies.
pub(super) struct Allowed {
    pub(super) role: String,
    pub(super) policies: Vec<Document>,
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
        let role = scope.name(&format!("{logical}Role"));
        return Ok(Allowed { role, policies: read(&policies)? });
    };
    let named = role["Fn::GetAtt"].as_str().and_then(|path| path.strip_suffix(".Arn"));
    let named = named.with_context(|| {
        format!("{role} is not a role of this template: give the function's Role as !GetAtt <Role>.Arn")
    })?;
    let resource = scope.resource(named).with_context(|| format!("the template has no role {named}"))?;
    Ok(Allowed { role: scope.physical(named, resource)?, policies: of_role(scope, resource)? })
}

/// A role's own policies. Managed ones are not here.
pub(super) fn of_role(scope: &Scope<'_>, resource: &Value) -> Result<Vec<Document>> {
    let policies = scope.eval(&resource["Properties"]["Policies"])?;
    read(policies.as_array().map(Vec::as_slice).unwrap_or_default())
}

/// The policies with their names. They are compiled too, so that what the embedded IAM does not carry
/// out is said while the stack is made.
fn read(policies: &[Value]) -> Result<Vec<Document>> {
    let documents = policies.iter().enumerate().map(|(nth, policy)| {
        let name = policy.get("PolicyName").map_or_else(|| Ok(format!("policy-{}", nth + 1)), text)?;
        let document = policy.get("PolicyDocument").unwrap_or(policy).clone();
        Ok(Document { name, document })
    });
    let documents = documents.collect::<Result<Vec<_>>>()?;
    Policy::read(&documents)?;
    Ok(documents)
}
