//! Who may do what, by action: a role allows only its list, and a test may deny more.
//! Resources and conditions of policies are not looked at.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::call::{ApiError, Call, Caller, ServiceId};
use crate::world::World;

/// Roles by the access key that their holders sign with, and denials.
#[derive(Debug, Clone, Default)]
pub struct Permissions {
    roles: BTreeMap<String, Role>,
    denied: Vec<Denial>,
}

/// A role that a function runs with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Role {
    /// The role's name.
    pub name: String,
    /// The session's name: the function's.
    pub session: String,
    /// The actions that its policies allow, `ecs:Describe*`; `None` allows everything.
    pub actions: Option<Vec<String>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Denial {
    access_key: Option<String>,
    action: String,
}

impl Permissions {
    /// Whoever signs with `access_key` has this role.
    pub fn assume(&mut self, access_key: &str, role: Role) {
        self.roles.insert(access_key.to_owned(), role);
    }

    /// Denies an action, `ecs:UpdateService` or `ecs:*`, to everybody.
    pub fn deny(&mut self, action: &str) {
        self.denied.push(Denial { access_key: None, action: action.to_owned() });
    }

    /// Denies an action to the holder of one access key.
    pub fn deny_caller(&mut self, access_key: &str, action: &str) {
        self.denied.push(Denial { access_key: Some(access_key.to_owned()), action: action.to_owned() });
    }

    /// Takes back every denial.
    pub fn clear_denials(&mut self) {
        self.denied.clear();
    }

    /// The ARN that IAM knows a caller by.
    pub fn arn(&self, account: &str, caller: &Caller) -> String {
        match self.roles.get(&caller.access_key) {
            Some(role) => {
                format!("arn:aws:sts::{account}:assumed-role/{}/{}", role.name, role.session)
            }
            None => format!("arn:aws:iam::{account}:user/{}", user(caller)),
        }
    }

    /// What forbids `action` to `caller`, in IAM's words.
    fn forbids(&self, caller: &Caller, action: &str) -> Option<&'static str> {
        let denied = self.denied.iter().any(|denial| {
            denial.access_key.as_ref().is_none_or(|key| *key == caller.access_key)
                && matches(&denial.action, action)
        });
        if denied {
            return Some("with an explicit deny in an identity-based policy");
        }
        let allowed = self.roles.get(&caller.access_key).and_then(|role| role.actions.as_ref());
        allowed
            .is_some_and(|actions| !actions.iter().any(|pattern| matches(pattern, action)))
            .then_some("because no identity-based policy allows the action")
    }
}

fn user(caller: &Caller) -> &str {
    if caller.access_key.is_empty() { "anonymous" } else { &caller.access_key }
}

pub(super) fn check(world: &World, call: &Call) -> Result<(), ApiError> {
    // AWS lets everybody ask who they are.
    if call.service == ServiceId::Sts {
        return Ok(());
    }
    for action in actions(call) {
        if let Some(why) = world.gate.permissions.forbids(&call.caller, &action) {
            return Err(denied(world, call, &action, why));
        }
    }
    Ok(())
}

fn denied(world: &World, call: &Call, action: &str, why: &str) -> ApiError {
    let who = world.gate.permissions.arn(&world.config.account, &call.caller);
    let on = resource(&call.input).unwrap_or("*");
    let message = format!("User: {who} is not authorized to perform: {action} on resource: {on} {why}");
    match call.service {
        ServiceId::ElasticLoadBalancing | ServiceId::AutoScaling | ServiceId::CloudWatch => {
            ApiError::client("AccessDenied", message).with_status(403)
        }
        ServiceId::Ec2 => ApiError::client(
            "UnauthorizedOperation",
            format!("You are not authorized to perform this operation. {message}"),
        )
        .with_status(403),
        ServiceId::Lambda => ApiError::client("AccessDeniedException", message).with_status(403),
        _ => ApiError::client("AccessDeniedException", message),
    }
}

/// The IAM actions that a call needs.
fn actions(call: &Call) -> Vec<String> {
    match (call.service, call.operation.as_str()) {
        (ServiceId::Lambda, "Invoke") => vec!["lambda:InvokeFunction".into()],
        (ServiceId::DynamoDb, "TransactWriteItems") => transaction(&call.input),
        (ServiceId::DynamoDb, "TransactGetItems") => vec!["dynamodb:GetItem".into()],
        (service, operation) => vec![format!("{}:{operation}", service.name())],
    }
}

/// A transaction needs what its members need: `{"Put": …}` needs `dynamodb:PutItem`.
fn transaction(input: &Value) -> Vec<String> {
    let items = input["TransactItems"].as_array().into_iter().flatten();
    let kinds = items.filter_map(|item| item.as_object()?.keys().next());
    let mut actions: Vec<String> = kinds
        .map(|kind| match kind.as_str() {
            "ConditionCheck" => "dynamodb:ConditionCheckItem".to_owned(),
            kind => format!("dynamodb:{kind}Item"),
        })
        .collect();
    actions.sort();
    actions.dedup();
    actions
}

/// The first ARN among the input's members: near enough to name what was touched.
fn resource(input: &Value) -> Option<&str> {
    let members = input.as_object()?.values();
    members.filter_map(Value::as_str).find(|text| text.starts_with("arn:"))
}

/// IAM's wildcard, `*`, in an action's name; letter case does not matter.
fn matches(pattern: &str, action: &str) -> bool {
    let (pattern, action) = (pattern.to_ascii_lowercase(), action.to_ascii_lowercase());
    let mut parts = pattern.split('*');
    let Some(mut rest) = action.strip_prefix(parts.next().unwrap_or_default()) else { return false };
    if !pattern.contains('*') {
        return rest.is_empty();
    }
    let parts: Vec<&str> = parts.collect();
    let (last, middle) = parts.split_last().map_or(("", [].as_slice()), |(last, middle)| (*last, middle));
    for part in middle {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_action_matches_its_pattern() {
        for (pattern, action, expected) in [
            ("ecs:UpdateService", "ecs:UpdateService", true),
            ("ecs:updateservice", "ecs:UpdateService", true),
            ("ecs:UpdateService", "ecs:UpdateServicePrimaryTaskSet", false),
            ("ecs:Describe*", "ecs:DescribeTasks", true),
            ("ecs:Describe*", "ecr:DescribeImages", false),
            ("*", "ecr:DescribeImages", true),
            ("ec*:*Image*", "ecr:DescribeImages", true),
            ("ec*:*Image", "ecr:DescribeImages", false),
        ] {
            assert_eq!(matches(pattern, action), expected, "{pattern} {action}");
        }
    }
}
