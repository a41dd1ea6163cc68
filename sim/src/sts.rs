//! Security Token Service: who is calling.

use serde_json::json;

use crate::call::{ApiError, Call, Reply};
use crate::world::World;

pub(crate) fn handle(world: &World, call: &Call) -> Reply {
    match call.operation.as_str() {
        "GetCallerIdentity" => Ok(json!({
            "UserId": call.caller.access_key,
            "Account": world.config.account,
            "Arn": world.gate.permissions.arn(&world.config.account, &call.caller),
        })),
        other => {
            let message = format!("Could not find operation {other} for version 2011-06-15");
            Err(ApiError::client("InvalidAction", message))
        }
    }
}
