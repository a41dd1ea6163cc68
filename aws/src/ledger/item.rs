//! Keys, attribute values, and rows out of items.

use std::collections::{BTreeMap, HashMap};
use std::str::FromStr;

use aws_sdk_dynamodb::types::AttributeValue;
use serde::Serialize;
use serde::de::DeserializeOwned;
use windlass_shared::id::{FencingToken, ImageDigest, RepositoryName, ServiceKey, Timestamp};
use windlass_shared::ledger::{Orders, Quarantine, ServiceRow};

use super::LedgerError;

/// The table's partition key, a string.
pub const PARTITION_KEY: &str = "pk";
/// The table's sort key, a string.
pub const SORT_KEY: &str = "sk";
/// The table's time-to-live attribute: of passes' records, and of the rows of instances that are gone.
pub const TTL_ATTRIBUTE: &str = "ttl";
/// How long those are kept.
const HISTORY_DAYS: i64 = 90;

/// The partition of the list of all services.
pub(super) const SERVICES: &str = "services";
/// The sort key of a service's row.
pub(super) const ROW: &str = "state";
/// The sort key of a pass begins with this.
pub(super) const PASS: &str = "pass#";
const SERVICE: &str = "service#";

pub(super) type Item = HashMap<String, AttributeValue>;

/// When what ended then is no longer kept, as DynamoDB takes it: in seconds since the epoch.
pub(super) fn ttl(ended: Timestamp) -> i64 {
    ended.as_second() + HISTORY_DAYS * 86_400
}

pub(super) fn string(text: impl Into<String>) -> AttributeValue {
    AttributeValue::S(text.into())
}

pub(super) fn number(value: impl std::fmt::Display) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

/// The value as JSON text.
pub(super) fn json<T: Serialize>(what: &str, value: &T) -> Result<AttributeValue, LedgerError> {
    serde_json::to_string(value).map(AttributeValue::S).map_err(|error| LedgerError::Corrupt {
        item: "(about to be written)".to_owned(),
        attribute: what.to_owned(),
        detail: error.to_string(),
    })
}

/// `service#<cluster>/<service>`
pub(super) fn service(key: &ServiceKey) -> AttributeValue {
    string(service_partition(key))
}

pub(super) fn service_partition(key: &ServiceKey) -> String {
    format!("{SERVICE}{key}")
}

/// `repository#<name>`
pub(super) fn repository(name: &RepositoryName) -> AttributeValue {
    string(format!("repository#{name}"))
}

/// `after#<cluster>/<service>`
pub(super) fn followers(of: &ServiceKey) -> AttributeValue {
    string(format!("after#{of}"))
}

pub(super) fn keys(pk: AttributeValue, sk: AttributeValue) -> Item {
    HashMap::from([(PARTITION_KEY.to_owned(), pk), (SORT_KEY.to_owned(), sk)])
}

/// The service that an index item's sort key names.
pub(super) fn service_of_sort_key(item: &Item) -> Result<ServiceKey, LedgerError> {
    service_of(item, SORT_KEY)
}

/// The service whose row an item is.
pub(super) fn service_of_row(item: &Item) -> Result<ServiceKey, LedgerError> {
    service_of(item, PARTITION_KEY)
}

fn service_of(item: &Item, attribute: &str) -> Result<ServiceKey, LedgerError> {
    let text = item.get(attribute).and_then(|value| value.as_s().ok()).map_or("", String::as_str);
    let key = text.strip_prefix(SERVICE).unwrap_or(text);
    key.parse().map_err(|error| corrupt(item, attribute, error))
}

/// A row out of its item. Attributes that are not there have their beginning's value: a hold
/// may come before the first ring.
pub(super) fn row(key: ServiceKey, item: &Item) -> Result<ServiceRow, LedgerError> {
    let mut row = ServiceRow::new(key);
    row.rung = int(item, "rung")?.unwrap_or_default();
    row.answered = int(item, "answered")?.unwrap_or_default();
    row.token = token(item)?;
    row.hold = from_json(item, "hold")?;
    row.quarantine = quarantine(item)?;
    row.orders = Orders {
        bypass: from_json(item, "bypass")?,
        answer: from_json(item, "answer")?,
        rollback: from_json(item, "rollback")?,
    };
    row.verdict = from_json(item, "verdict")?;
    if let Some(state) = from_json(item, "state")? {
        row.state = state;
    }
    Ok(row)
}

pub(super) fn token(item: &Item) -> Result<FencingToken, LedgerError> {
    Ok(FencingToken(int(item, "token")?.unwrap_or_default()))
}

/// Who holds the lease and until when, whether that has passed or not.
pub(super) fn holder(item: &Item) -> Result<Option<(String, Timestamp)>, LedgerError> {
    let Some(ms) = int::<i64>(item, "lease_until")? else { return Ok(None) };
    let until = Timestamp::from_millisecond(ms).map_err(|error| corrupt(item, "lease_until", error))?;
    let attempt = item.get("lease_holder").and_then(|value| value.as_s().ok()).map_or("", String::as_str);
    let holder = attempt.rsplit_once('@').map_or(attempt, |(holder, _)| holder);
    Ok(Some((holder.to_owned(), until)))
}

/// One attempt of a holder's to get the lease: `<holder>@<epoch ms>`.
pub(super) fn attempt(holder: &str, now: Timestamp) -> String {
    format!("{holder}@{}", now.as_millisecond())
}

fn quarantine(item: &Item) -> Result<BTreeMap<ImageDigest, Quarantine>, LedgerError> {
    let Some(AttributeValue::M(map)) = item.get("quarantine") else { return Ok(BTreeMap::new()) };
    map.iter()
        .map(|(digest, value)| {
            let text = value.as_s().map_or("", String::as_str);
            let why = serde_json::from_str(text).map_err(|error| corrupt(item, "quarantine", error))?;
            let digest = digest.parse().map_err(|error| corrupt(item, "quarantine", error))?;
            Ok((digest, why))
        })
        .collect()
}

pub(super) fn int<N: FromStr>(item: &Item, attribute: &str) -> Result<Option<N>, LedgerError>
where
    N::Err: std::fmt::Display,
{
    match item.get(attribute) {
        None => Ok(None),
        Some(AttributeValue::N(text)) => {
            text.parse().map(Some).map_err(|error| corrupt(item, attribute, error))
        }
        Some(_) => Err(corrupt(item, attribute, "not a number")),
    }
}

pub(super) fn from_json<T: DeserializeOwned>(item: &Item, attribute: &str) -> Result<Option<T>, LedgerError> {
    match item.get(attribute) {
        None => Ok(None),
        Some(AttributeValue::S(text)) => {
            serde_json::from_str(text).map(Some).map_err(|error| corrupt(item, attribute, error))
        }
        Some(_) => Err(corrupt(item, attribute, "not a string")),
    }
}

pub(super) fn corrupt(item: &Item, attribute: &str, detail: impl std::fmt::Display) -> LedgerError {
    let part = |name| item.get(name).and_then(|value| value.as_s().ok()).map_or("?", String::as_str);
    LedgerError::Corrupt {
        item: format!("{} · {}", part(PARTITION_KEY), part(SORT_KEY)),
        attribute: attribute.to_owned(),
        detail: detail.to_string(),
    }
}
