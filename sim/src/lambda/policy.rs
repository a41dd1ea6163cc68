//! A function's resource policy: which AWS service may invoke it, for which of its resources.
//!
//! Asked where an alarm invokes a function by itself. EventBridge's rules and ECS's hooks are not
//! held to it here: SAM writes the rules' permissions, and a hook has a role.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{function_arn, plain_name};
use crate::call::{ApiError, Reply, parse};
use crate::wildcard;
use crate::world::World;

/// A statement that allows `lambda:InvokeFunction`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Permission {
    /// `lambda.alarms.cloudwatch.amazonaws.com`
    pub principal: String,
    /// For this resource of it; `*` is any number of characters.
    pub source_arn: Option<String>,
    /// For resources of this account.
    pub source_account: Option<String>,
}

/// Whether a service may invoke a function for one of its resources.
pub(crate) fn allows(world: &World, function: &str, principal: &str, source_arn: &str) -> bool {
    let Some(function) = world.lambda.functions.get(plain_name(function)) else { return false };
    function.permissions.values().any(|permission| {
        permission.principal == principal
            && permission.source_arn.as_deref().is_none_or(|pattern| wildcard::matches(pattern, source_arn))
            && permission.source_account.as_ref().is_none_or(|account| *account == world.config.account)
    })
}

/// Adds a statement, or replaces the one of its id. Returns whether there is such a function.
pub fn permit(world: &mut World, function: &str, id: &str, permission: Permission) -> bool {
    let function = world.lambda.functions.get_mut(plain_name(function));
    function.map(|function| function.permissions.insert(id.to_owned(), permission)).is_some()
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Add {
    function_name: String,
    statement_id: String,
    action: String,
    principal: String,
    source_arn: Option<String>,
    source_account: Option<String>,
}

pub(super) fn add(world: &mut World, input: &Value) -> Reply {
    let add: Add = parse(input)?;
    let name = plain_name(&add.function_name).to_owned();
    let Some(function) = world.lambda.functions.get(&name) else {
        return Err(super::api::not_found(world, &name));
    };
    if add.action != "lambda:InvokeFunction" {
        let message = format!("the embedded AWS permits lambda:InvokeFunction alone, not {}", add.action);
        return Err(ApiError::client("InvalidParameterValueException", message));
    }
    if function.permissions.contains_key(&add.statement_id) {
        let message = format!("The statement id ({}) provided already exists.", add.statement_id);
        return Err(ApiError::client("ResourceConflictException", message).with_status(409));
    }
    let permission = Permission {
        principal: add.principal,
        source_arn: add.source_arn,
        source_account: add.source_account,
    };
    let told = statement(world, &name, &add.statement_id, &permission).to_string();
    permit(world, &name, &add.statement_id, permission);
    Ok(json!({ "Statement": told }))
}

/// As a policy writes it.
fn statement(world: &World, function: &str, id: &str, permission: &Permission) -> Value {
    let mut statement = json!({
        "Sid": id,
        "Effect": "Allow",
        "Principal": { "Service": permission.principal },
        "Action": "lambda:InvokeFunction",
        "Resource": function_arn(world, function),
    });
    if let Some(arn) = &permission.source_arn {
        statement["Condition"]["ArnLike"]["AWS:SourceArn"] = json!(arn);
    }
    if let Some(account) = &permission.source_account {
        statement["Condition"]["StringEquals"]["AWS:SourceAccount"] = json!(account);
    }
    statement
}
