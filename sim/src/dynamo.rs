//! DynamoDB, by `dynoxide`: JSON in, JSON out, its errors under their short codes.
//!
//! A table's own timestamps (`CreationDateTime`) are the real clock's: the engine does not
//! ask its clock seam for them. No item is deleted by its time to live.

use std::path::Path;

use anyhow::Context;
use dynoxide::{Database, DynoxideError};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::call::{ApiError, Reply, unknown_operation};

/// An embedded DynamoDB.
pub struct Dynamo {
    store: Store,
}

/// An engine that did not open answers every call with the reason.
enum Store {
    Open(Database),
    Broken(String),
}

impl Dynamo {
    /// Everything in memory.
    pub fn in_memory() -> Self {
        let store = match Database::memory() {
            Ok(database) => Store::Open(database),
            Err(error) => Store::Broken(format!("opening DynamoDB in memory: {error}")),
        };
        Self { store }
    }

    /// In a file, which is made if it is not there. Every write is kept at once.
    pub fn at_path(path: &Path) -> anyhow::Result<Self> {
        let text = path.to_str().ok_or_else(|| anyhow::anyhow!("{} is not UTF-8", path.display()))?;
        let database = Database::new(text)
            .map_err(|error| anyhow::anyhow!("opening DynamoDB's file {}: {error}", path.display()))?;
        Ok(Self { store: Store::Open(database) })
    }

    /// Copies every table into a new file at `path`, as they are at this moment.
    pub(crate) fn save(&self, path: &Path) -> anyhow::Result<()> {
        self.copy(path, Database::vacuum_into)
            .with_context(|| format!("writing the tables to {}", path.display()))
    }

    /// Replaces every table by those of a file that [`Dynamo::save`] wrote.
    pub(crate) fn restore(&mut self, path: &Path) -> anyhow::Result<()> {
        self.copy(path, Database::restore_from)
            .with_context(|| format!("reading the tables of {}", path.display()))
    }

    fn copy(&self, path: &Path, copy: fn(&Database, &str) -> dynoxide::Result<()>) -> anyhow::Result<()> {
        let text = path.to_str().context("the path is not UTF-8")?;
        match &self.store {
            Store::Open(database) => copy(database, text).map_err(|error| anyhow::anyhow!("{error}")),
            Store::Broken(reason) => anyhow::bail!("{reason}"),
        }
    }

    pub(crate) fn handle(&mut self, operation: &str, input: &Value) -> Reply {
        match &self.store {
            Store::Open(database) => dispatch(database, operation, input),
            Store::Broken(reason) => Err(ApiError::server("InternalServerError", reason.clone())),
        }
    }
}

fn dispatch(db: &Database, operation: &str, input: &Value) -> Reply {
    match operation {
        "CreateTable" => run(operation, input, |request| db.create_table(request)),
        "DeleteTable" => run(operation, input, |request| db.delete_table(request)),
        "DescribeTable" => run(operation, input, |request| db.describe_table(request)),
        "UpdateTable" => run(operation, input, |request| db.update_table(request)),
        "ListTables" => run(operation, input, |request| db.list_tables(request)),
        "PutItem" => run(operation, input, |request| db.put_item(request)),
        "GetItem" => run(operation, input, |request| db.get_item(request)),
        "DeleteItem" => run(operation, input, |request| db.delete_item(request)),
        "UpdateItem" => run(operation, input, |request| db.update_item(request)),
        "Query" => run(operation, input, |request| db.query(request)),
        "Scan" => run(operation, input, |request| db.scan(request)),
        "BatchGetItem" => run(operation, input, |request| db.batch_get_item(request)),
        "BatchWriteItem" => run(operation, input, |request| db.batch_write_item(request)),
        "TransactWriteItems" => run(operation, input, |request| db.transact_write_items(request)),
        "TransactGetItems" => run(operation, input, |request| db.transact_get_items(request)),
        "UpdateTimeToLive" => run(operation, input, |request| db.update_time_to_live(request)),
        "DescribeTimeToLive" => run(operation, input, |request| db.describe_time_to_live(request)),
        "TagResource" => run(operation, input, |request| db.tag_resource(request)),
        "UntagResource" => run(operation, input, |request| db.untag_resource(request)),
        "ListTagsOfResource" => run(operation, input, |request| db.list_tags_of_resource(request)),
        other => Err(unknown_operation(other)),
    }
}

fn run<Request: DeserializeOwned, Output: Serialize>(
    operation: &str,
    input: &Value,
    act: impl FnOnce(Request) -> Result<Output, DynoxideError>,
) -> Reply {
    let request = Request::deserialize(input).map_err(|error| unreadable(&error.to_string()))?;
    let output = act(request).map_err(|error| refusal(operation, &error))?;
    serde_json::to_value(output).map_err(|error| ApiError::server("InternalServerError", error.to_string()))
}

/// The engine marks in its parse errors what DynamoDB calls an invalid value.
fn unreadable(message: &str) -> ApiError {
    for marker in ["VALIDATION:", "VALIDATION_AS_READ:", "VALIDATION_REQUEST:"] {
        if let Some((_, rest)) = message.split_once(marker) {
            return ApiError::client("ValidationException", rest);
        }
    }
    ApiError::client("SerializationException", message)
}

fn refusal(operation: &str, error: &DynoxideError) -> ApiError {
    let code = error.error_type().rsplit('#').next().unwrap_or_default();
    let enveloped = matches!(error, DynoxideError::EnvelopedValidation(_))
        && matches!(operation, "PutItem" | "UpdateItem" | "DeleteItem");
    let message = if enveloped { format!("1 validation error detected: {error}") } else { error.to_string() };
    let refusal = ApiError::client(code, message).with_status(error.status_code());
    match extra(error) {
        Some(extra) => refusal.with_extra(extra),
        None => refusal,
    }
}

/// What the engine says beside type and message: `CancellationReasons`, `Item`.
fn extra(error: &DynoxideError) -> Option<serde_json::Map<String, Value>> {
    let Ok(Value::Object(mut members)) = serde_json::from_str(&error.to_json()) else { return None };
    members.retain(|name, _| !matches!(name.as_str(), "__type" | "message" | "Message"));
    (!members.is_empty()).then_some(members)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::call::{Call, Caller, ServiceId};
    use crate::world::{Config, World};

    fn table(dynamo: &mut Dynamo) {
        let input = json!({
            "TableName": "ledger",
            "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
            "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
        });
        dynamo.handle("CreateTable", &input).unwrap();
    }

    fn item(dynamo: &mut Dynamo) -> Value {
        let key = json!({"TableName": "ledger", "Key": {"pk": {"S": "a"}}, "ConsistentRead": true});
        dynamo.handle("GetItem", &key).unwrap()["Item"].clone()
    }

    #[test]
    fn a_conditional_write_holds_or_says_what_is_there() {
        let mut dynamo = Dynamo::in_memory();
        table(&mut dynamo);
        let put = json!({
            "TableName": "ledger",
            "Item": {"pk": {"S": "a"}, "n": {"N": "1"}},
            "ConditionExpression": "attribute_not_exists(pk)",
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        });
        dynamo.handle("PutItem", &put).unwrap();
        let error = dynamo.handle("PutItem", &put).unwrap_err();
        assert_eq!((error.code.as_str(), error.status), ("ConditionalCheckFailedException", 400));
        assert_eq!(error.message, "The conditional request failed");
        assert_eq!(error.extra.unwrap()["Item"]["n"], json!({"N": "1"}));
        assert_eq!(item(&mut dynamo)["n"], json!({"N": "1"}));
    }

    #[test]
    fn a_cancelled_transaction_tells_its_reasons() {
        let mut dynamo = Dynamo::in_memory();
        table(&mut dynamo);
        let input = json!({"TransactItems": [
            {"Put": {"TableName": "ledger", "Item": {"pk": {"S": "a"}}}},
            {"ConditionCheck": {
                "TableName": "ledger",
                "Key": {"pk": {"S": "b"}},
                "ConditionExpression": "attribute_exists(pk)",
            }},
        ]});
        let error = dynamo.handle("TransactWriteItems", &input).unwrap_err();
        assert_eq!(error.code, "TransactionCanceledException");
        let reasons = &error.extra.unwrap()["CancellationReasons"];
        assert_eq!(
            (&reasons[0]["Code"], &reasons[1]["Code"]),
            (&json!("None"), &json!("ConditionalCheckFailed"))
        );
        assert_eq!(item(&mut dynamo), Value::Null);
    }

    #[test]
    fn mistakes_have_their_codes() {
        let mut dynamo = Dynamo::in_memory();
        table(&mut dynamo);
        for (operation, input, expected) in [
            ("GetItem", json!({"TableName": "none", "Key": {"pk": {"S": "a"}}}), "ResourceNotFoundException"),
            ("GetItem", json!({"TableName": "ledger", "Key": {"id": {"S": "a"}}}), "ValidationException"),
            ("PutItem", json!({"TableName": "ledger", "Item": 1}), "SerializationException"),
            ("Fly", json!({}), "UnknownOperationException"),
        ] {
            let error = dynamo.handle(operation, &input).unwrap_err();
            assert_eq!(error.code, expected, "{operation} {}", error.message);
        }
    }

    #[test]
    fn a_file_keeps_its_tables() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ledger.sqlite");
        let mut dynamo = Dynamo::at_path(&path).unwrap();
        table(&mut dynamo);
        let put = json!({"TableName": "ledger", "Item": {"pk": {"S": "a"}}});
        dynamo.handle("PutItem", &put).unwrap();
        drop(dynamo);
        assert_eq!(item(&mut Dynamo::at_path(&path).unwrap()), json!({"pk": {"S": "a"}}));
    }

    #[test]
    fn the_world_passes_calls_on() {
        let mut world = World::new(Config::default());
        let caller = Caller { access_key: "AKIDEXAMPLE".into() };
        let call =
            Call { service: ServiceId::DynamoDb, operation: "ListTables".into(), input: json!({}), caller };
        assert_eq!(world.call(&call).unwrap(), json!({"TableNames": []}));
    }
}
