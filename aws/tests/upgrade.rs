//! An update of the stack: for some minutes old and new code read and write the same rows, and later code
//! reads what earlier code wrote. The fixtures are tables that a release's demo left; each release adds its
//! own and keeps the others.

mod support;

use std::collections::{BTreeMap, HashMap};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::Value;
use windlass_aws::ledger::{Ledger, RowKey};
use windlass_shared::id::{ClusterName, InstanceId, ServiceKey, Timestamp};
use windlass_shared::ledger::{InstanceKey, Outcome};

const WRITTEN_BY_0_1_0: &str = include_str!("fixtures/ledger-0.1.0.json");

type Item = HashMap<String, AttributeValue>;

/// DynamoDB's own JSON.
fn attribute(value: &Value) -> AttributeValue {
    let (kind, inner) = value.as_object().unwrap().iter().next().unwrap();
    match kind.as_str() {
        "S" => AttributeValue::S(inner.as_str().unwrap().to_owned()),
        "N" => AttributeValue::N(inner.as_str().unwrap().to_owned()),
        "BOOL" => AttributeValue::Bool(inner.as_bool().unwrap()),
        "M" => AttributeValue::M(
            inner.as_object().unwrap().iter().map(|(key, value)| (key.clone(), attribute(value))).collect(),
        ),
        other => panic!("a row has an attribute of the kind {other}: say here how it is read"),
    }
}

fn items(fixture: &str) -> Vec<Item> {
    let items: Vec<BTreeMap<String, Value>> = serde_json::from_str(fixture).unwrap();
    items
        .iter()
        .map(|item| item.iter().map(|(key, value)| (key.clone(), attribute(value))).collect())
        .collect()
}

async fn table_of(items: Vec<Item>) -> (Client, Ledger) {
    let (dynamo, ledger) = support::table(0).await;
    for item in items {
        dynamo.put_item().table_name("ledger").set_item(Some(item)).send().await.unwrap();
    }
    (dynamo, ledger)
}

fn text<'a>(item: &'a Item, key: &str) -> &'a str {
    item.get(key).and_then(|value| value.as_s().ok()).map_or("", String::as_str)
}

/// The instances whose rows there are.
fn instances(items: &[Item]) -> Vec<InstanceKey> {
    let rows = items.iter().filter(|item| text(item, "sk") == "state");
    let named = rows.filter_map(|item| text(item, "pk").strip_prefix("instance#")?.split_once('/'));
    named
        .map(|(cluster, id)| InstanceKey {
            cluster: ClusterName::new(cluster),
            instance: InstanceId::new(id),
        })
        .collect()
}

async fn row<K: RowKey>(ledger: &Ledger, key: &K) -> K::Row {
    let row = ledger.row(key).await.unwrap_or_else(|error| panic!("{key}: {error}"));
    assert!(K::rung(&row) > 0, "{key}: the fixture has its row");
    row
}

#[tokio::test]
async fn rows_of_0_1_0_are_read() {
    let items = items(WRITTEN_BY_0_1_0);
    let instances = instances(&items);
    let (_, ledger) = table_of(items).await;
    let services = ledger.services().await.unwrap();
    assert_eq!(services, [ServiceKey::new("main", "admin"), ServiceKey::new("main", "shop")]);
    for key in &services {
        let row = row(&ledger, key).await;
        assert!(row.state.settled.is_some(), "{key} has a release that is live");
        let history = ledger.history(key, 100).await.unwrap();
        assert!(!history.is_empty(), "{key} has a history");
    }
    let shop = row(&ledger, &services[1]).await;
    assert!(!shop.quarantine.is_empty(), "what verification rejected stays so");
    assert!(shop.state.marks.pin.is_some(), "a rollback by hand goes on holding");
    assert!(shop.state.last_release.as_ref().is_some_and(|it| it.outcome == Outcome::Live));
    let cluster = ClusterName::new("main");
    row(&ledger, &cluster).await;
    assert!(!ledger.cluster_history(&cluster, 100).await.unwrap().is_empty());
    assert!(!instances.is_empty());
    for key in &instances {
        let row = row(&ledger, key).await;
        assert!(row.state.ended.is_some(), "{key} has left");
        assert!(!ledger.cluster_history(key, 100).await.unwrap().is_empty());
    }
}

/// Fields of a row whose keys are names of things: there an unknown key is one thing more, of a known kind.
const MAPS: [&str; 7] = ["services", "groups", "shapes", "out_at", "in_at", "on_it", "registered"];

/// The JSON of an attribute with a field that this code does not know, in every object.
fn of_later_code(text: &str) -> String {
    fn grow(value: &mut Value, is_map: bool) {
        match value {
            Value::Object(fields) => {
                for (key, value) in fields.iter_mut() {
                    grow(value, MAPS.contains(&key.as_str()));
                }
                if !is_map {
                    fields.insert("of_a_later_release".to_owned(), serde_json::json!({"nested": [1, 2]}));
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|value| grow(value, false)),
            _ => {}
        }
    }
    let mut value: Value = serde_json::from_str(text).unwrap();
    grow(&mut value, false);
    value.to_string()
}

/// Rewrites what an item holds as JSON: a row's state, or a record of the history.
fn rewrite(item: &mut Item, with: impl Fn(&str) -> String) {
    let held = ["state", "record"].into_iter().filter(|name| item.contains_key(*name));
    for name in held.collect::<Vec<_>>() {
        let text = with(text(item, name));
        item.insert(name.to_owned(), AttributeValue::S(text));
    }
}

#[tokio::test]
async fn rows_of_later_code_are_read_by_this() {
    let before = items(WRITTEN_BY_0_1_0);
    let instances = instances(&before);
    let mut later = before.clone();
    for item in &mut later {
        item.insert("of_a_later_release".to_owned(), AttributeValue::S("?".to_owned()));
        rewrite(item, of_later_code);
    }
    let (_, old) = table_of(before).await;
    let (_, new) = table_of(later).await;
    for key in old.services().await.unwrap() {
        assert_eq!(row(&old, &key).await, row(&new, &key).await);
        assert_eq!(old.history(&key, 100).await.unwrap(), new.history(&key, 100).await.unwrap());
    }
    for key in &instances {
        assert_eq!(row(&old, key).await, row(&new, key).await);
    }
    let cluster = ClusterName::new("main");
    assert_eq!(row(&old, &cluster).await, row(&new, &cluster).await);
    let histories = (old.cluster_history(&cluster, 100).await, new.cluster_history(&cluster, 100).await);
    assert_eq!(histories.0.unwrap(), histories.1.unwrap());
}

/// A word that only later code knows cannot be passed by: the pass ends with the row's name and what it
/// does not know, nothing is written over it, and Lambda's next try may find the later code.
#[tokio::test]
async fn a_row_with_a_word_of_later_code_is_left_as_it_is() {
    let mut later = items(WRITTEN_BY_0_1_0);
    for item in &mut later {
        rewrite(item, |text| text.replace(r#""outcome":"live""#, r#""outcome":"of_a_later_release""#));
    }
    let (dynamo, ledger) = table_of(later).await;
    let shop = ServiceKey::new("main", "shop");
    let before = state_of(&dynamo, &shop).await;
    assert!(before.contains("of_a_later_release"));
    let now = Timestamp::from_second(1_800_000_000).unwrap();
    let until = Timestamp::from_second(1_800_000_060).unwrap();
    for error in [
        ledger.row(&shop).await.unwrap_err(),
        ledger.ring_and_lease(&shop, now, until, "old-code").await.unwrap_err(),
    ] {
        let said = error.to_string();
        assert!(said.contains("main/shop") && said.contains("of_a_later_release"), "{said}");
        assert!(said.contains("newer Windlass"), "{said}");
    }
    assert_eq!(state_of(&dynamo, &shop).await, before);
}

async fn state_of(dynamo: &Client, key: &ServiceKey) -> String {
    let get = dynamo.get_item().table_name("ledger").key("pk", AttributeValue::S(format!("service#{key}")));
    let found = get.key("sk", AttributeValue::S("state".to_owned())).send().await.unwrap();
    text(&found.item.unwrap(), "state").to_owned()
}
