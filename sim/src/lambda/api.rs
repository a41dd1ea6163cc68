//! Lambda's API calls: an asynchronous `Invoke`, `AddPermission`, and reading what is there.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{configuration, enqueue, function_arn, plain_name};
use crate::call::{ApiError, Reply, parse, unknown_operation};
use crate::world::World;

pub(crate) fn handle(world: &mut World, operation: &str, input: &Value) -> Reply {
    match operation {
        "Invoke" => invoke(world, input),
        "GetFunction" => get(world, input),
        "AddPermission" => super::policy::add(world, input),
        "ListFunctions" => {
            let functions = world.lambda.functions().map(|function| configuration(world, function));
            Ok(json!({ "Functions": functions.collect::<Vec<_>>() }))
        }
        other => Err(unknown_operation(other).with_status(404)),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Invoke {
    function_name: String,
    invocation_type: String,
    #[serde(default)]
    payload: Value,
}

fn invoke(world: &mut World, input: &Value) -> Reply {
    let invoke: Invoke = parse(input)?;
    let name = plain_name(&invoke.function_name).to_owned();
    if world.lambda.function(&name).is_none() {
        return Err(not_found(world, &name));
    }
    match invoke.invocation_type.as_str() {
        "Event" => {
            enqueue(world, &name, invoke.payload);
            Ok(json!({ "StatusCode": 202 }))
        }
        "DryRun" => Ok(json!({ "StatusCode": 204 })),
        other => Err(ApiError::client(
            "InvalidParameterValueException",
            format!("the embedded AWS invokes with the invocation type Event (asynchronously), not {other}"),
        )),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Get {
    function_name: String,
}

fn get(world: &World, input: &Value) -> Reply {
    let get: Get = parse(input)?;
    let name = plain_name(&get.function_name);
    let function = world.lambda.function(name).ok_or_else(|| not_found(world, name))?;
    Ok(json!({ "Configuration": configuration(world, function) }))
}

pub(super) fn not_found(world: &World, name: &str) -> ApiError {
    let arn = function_arn(world, name);
    ApiError::client("ResourceNotFoundException", format!("Function not found: {arn}")).with_status(404)
}
