//! A door for this crate's own tests: SDK calls of the JSON protocols, answered in process.
#![allow(dead_code, reason = "each test binary uses its part")]

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use aws_credential_types::Credentials;
use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorFuture, SharedHttpConnector};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::body::SdkBody;
use dynoxide::{Database, DynoxideError};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use windlass_aws::Clients;
use windlass_aws::clients::{Endpoints, Retries, Settings};
use windlass_aws::ledger::Ledger;
use windlass_shared::id::Region;

/// What answers: operation and body in, status and body out.
type Answer = dyn Fn(&str, &str) -> (u16, String) + Send + Sync;

/// Clients whose every call is answered by `answer`.
pub(crate) fn clients(
    answer: impl Fn(&str, &str) -> (u16, String) + Send + Sync + 'static,
    seed: u64,
) -> Clients {
    let door = Door { answer: Arc::new(answer), turns: Arc::new(AtomicU64::new(seed)) };
    let settings = Settings {
        region: Region::new("eu-central-1"),
        credentials: Credentials::new("AKIDEXAMPLE", "secret", None, None, "test"),
        endpoints: Endpoints { all: Some("http://aws.invalid".into()), ..Endpoints::default() },
        retries: Retries::Off,
    };
    Clients::new(SharedHttpConnector::new(door), &settings)
}

/// A ledger in an embedded DynamoDB. Calls that are under way at once take turns in an order
/// that `seed` chooses.
pub(crate) async fn ledger(seed: u64) -> Ledger {
    table(seed).await.1
}

/// The same, beside the client for whoever edits it by hand.
pub(crate) async fn table(seed: u64) -> (aws_sdk_dynamodb::Client, Ledger) {
    let database = Database::memory().unwrap();
    let clients = clients(move |operation, body| dynamo(&database, operation, body), seed);
    create_table(&clients.dynamo, "ledger").await;
    let ledger = Ledger::new(clients.dynamo.clone(), "ledger");
    (clients.dynamo, ledger)
}

async fn create_table(dynamo: &aws_sdk_dynamodb::Client, table: &str) {
    use aws_sdk_dynamodb::types::{
        AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
    };
    let mut create = dynamo.create_table().table_name(table).billing_mode(BillingMode::PayPerRequest);
    for (name, kind) in [("pk", KeyType::Hash), ("sk", KeyType::Range)] {
        let kind = KeySchemaElement::builder().attribute_name(name).key_type(kind).build().unwrap();
        let definition = AttributeDefinition::builder()
            .attribute_name(name)
            .attribute_type(ScalarAttributeType::S)
            .build()
            .unwrap();
        create = create.key_schema(kind).attribute_definitions(definition);
    }
    create.send().await.unwrap();
}

fn dynamo(database: &Database, operation: &str, body: &str) -> (u16, String) {
    fn run<I: DeserializeOwned, O: Serialize>(
        body: &str,
        act: impl FnOnce(I) -> Result<O, DynoxideError>,
    ) -> Result<String, DynoxideError> {
        act(serde_json::from_str(body).unwrap()).map(|output| serde_json::to_string(&output).unwrap())
    }
    let answered = match operation {
        "CreateTable" => run(body, |input| database.create_table(input)),
        "PutItem" => run(body, |input| database.put_item(input)),
        "GetItem" => run(body, |input| database.get_item(input)),
        "UpdateItem" => run(body, |input| database.update_item(input)),
        "Query" => run(body, |input| database.query(input)),
        "BatchGetItem" => run(body, |input| database.batch_get_item(input)),
        "BatchWriteItem" => run(body, |input| database.batch_write_item(input)),
        other => panic!("the ledger has no use for {other}"),
    };
    answered.map_or_else(|error| (error.status_code(), error.to_json()), |output| (200, output))
}

#[derive(Clone)]
struct Door {
    answer: Arc<Answer>,
    turns: Arc<AtomicU64>,
}

impl fmt::Debug for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Door")
    }
}

impl HttpConnector for Door {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let door = self.clone();
        HttpConnectorFuture::new(async move {
            // Before and after the effect, as a network would.
            door.turn().await;
            let target = request.headers().get("x-amz-target").unwrap_or_default();
            let operation = target.rsplit('.').next().unwrap_or_default();
            let body = String::from_utf8(request.body().bytes().unwrap_or_default().to_vec()).unwrap();
            let declared = request.headers().get("content-length").map(|n| n.parse::<usize>().unwrap());
            assert!(declared.is_none_or(|n| n == body.len()), "{operation}: content-length");
            let (status, answer) = (door.answer)(operation, &body);
            door.turn().await;
            Ok(HttpResponse::new(status.try_into().unwrap(), SdkBody::from(answer)))
        })
    }
}

impl Door {
    /// Lets zero to three others go first.
    async fn turn(&self) {
        let random = self
            .turns
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| {
                Some(n.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407))
            })
            .unwrap();
        for _ in 0..(random >> 33) % 4 {
            tokio::task::yield_now().await;
        }
    }
}

/// Reads a JSON body.
pub(crate) fn json(body: &str) -> Value {
    serde_json::from_str(body).unwrap()
}
