//! Rows and history, as people and sweeps read them; and the writing of history.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes};
use futures::future::try_join_all;
use serde::Serialize;
use serde::de::DeserializeOwned;
use windlass_shared::id::{ServiceKey, Timestamp};
use windlass_shared::ledger::{ClusterRecord, InstanceKey, PassRecord, ServiceRow};

use super::item::{self, Item, PASS, TTL_ATTRIBUTE, from_json, json, keys, number, string};
use super::row::{RowKey, partition, row_key};
use super::{Ledger, LedgerError};
use crate::error::Failure;

/// BatchGetItem's limit.
const BATCH: usize = 100;
/// How often a batch's left-over keys are asked for again.
const ROUNDS: usize = 4;

impl Ledger {
    /// A row; a new one where no pass has seen what it is of.
    pub async fn row<K: RowKey>(&self, key: &K) -> Result<K::Row, LedgerError> {
        let got = self
            .dynamo
            .get_item()
            .table_name(&self.table)
            .set_key(Some(row_key(key)))
            .consistent_read(true)
            .send()
            .await
            .map_err(|error| {
                LedgerError::call(
                    format!("reading the row of {key}"),
                    Failure::new("dynamodb:GetItem", &error),
                )
            })?;
        key.row(&got.item.unwrap_or_default())
    }

    /// The rows of many services, side by side by the hundred. Services without a row are
    /// not in it; nor is a row that does not read, which must not hide the others: whoever
    /// asks for that one alone is told.
    pub async fn rows(&self, keys: &[ServiceKey]) -> Result<BTreeMap<ServiceKey, ServiceRow>, LedgerError> {
        // BatchGetItem refuses a key that comes twice.
        let keys: Vec<_> = keys.iter().collect::<std::collections::BTreeSet<_>>().into_iter().collect();
        let batches = try_join_all(keys.chunks(BATCH).map(|batch| self.batch(batch))).await?;
        let read = |item: Item| {
            let key = item::service_of_row(&item).ok()?;
            item::row(key.clone(), &item).ok().map(|row| (key, row))
        };
        Ok(batches.into_iter().flatten().filter_map(read).collect())
    }

    /// Writes down a pass over a service that did something. Written again, it replaces itself.
    pub async fn record(&self, record: &PassRecord) -> Result<(), LedgerError> {
        self.put_record(&record.key, record.at, record.generation, record).await
    }

    /// The newest passes over a service that did something, newest first, at most `limit`.
    pub async fn history(&self, key: &ServiceKey, limit: u32) -> Result<Vec<PassRecord>, LedgerError> {
        self.query_records(key, limit).await
    }

    /// Writes down a pass over a cluster, or over one instance of it, that did something.
    pub async fn record_of_cluster(&self, record: &ClusterRecord) -> Result<(), LedgerError> {
        let (at, generation) = (record.at, record.generation);
        match &record.instance {
            None => self.put_record(&record.cluster, at, generation, record).await,
            Some(instance) => {
                let key = InstanceKey::new(record.cluster.clone(), instance.clone());
                self.put_record(&key, at, generation, record).await
            }
        }
    }

    /// The newest passes over a cluster (or an instance) that did something, newest first.
    pub async fn cluster_history<K: RowKey>(
        &self,
        key: &K,
        limit: u32,
    ) -> Result<Vec<ClusterRecord>, LedgerError> {
        self.query_records(key, limit).await
    }

    async fn put_record<K: RowKey, R: Serialize + Sync>(
        &self,
        key: &K,
        at: Timestamp,
        generation: u64,
        record: &R,
    ) -> Result<(), LedgerError> {
        let mut item = keys(partition(key), string(pass_key(at, generation)));
        item.insert("record".to_owned(), json("record", record)?);
        item.insert(TTL_ATTRIBUTE.to_owned(), number(item::ttl(at)));
        let put = self.dynamo.put_item().table_name(&self.table).set_item(Some(item)).send().await;
        put.map(drop).map_err(|error| {
            let doing = format!("recording a pass over {key}");
            LedgerError::call(doing, Failure::new("dynamodb:PutItem", &error))
        })
    }

    async fn query_records<K: RowKey, R: DeserializeOwned>(
        &self,
        key: &K,
        limit: u32,
    ) -> Result<Vec<R>, LedgerError> {
        let pages = self
            .dynamo
            .query()
            .table_name(&self.table)
            .key_condition_expression("pk = :pk AND begins_with(sk, :pass)")
            .expression_attribute_values(":pk", partition(key))
            .expression_attribute_values(":pass", string(PASS))
            .scan_index_forward(false)
            .limit(i32::try_from(limit).unwrap_or(i32::MAX).max(1))
            .send()
            .await
            .map_err(|error| {
                let doing = format!("reading the history of {key}");
                LedgerError::call(doing, Failure::new("dynamodb:Query", &error))
            })?;
        let records = pages.items().iter().map(|item| {
            from_json(item, "record")?.ok_or_else(|| item::corrupt(item, "record", "it has none"))
        });
        records.collect()
    }

    /// Every item of a partition.
    pub(super) async fn query_all(
        &self,
        pk: AttributeValue,
        doing: String,
    ) -> Result<Vec<Item>, LedgerError> {
        let mut pages = self
            .dynamo
            .query()
            .table_name(&self.table)
            .key_condition_expression("pk = :pk")
            .expression_attribute_values(":pk", pk)
            .consistent_read(true)
            .into_paginator()
            .items()
            .send();
        let mut items = Vec::new();
        while let Some(item) = pages.next().await {
            items.push(
                item.map_err(|error| LedgerError::call(&doing, Failure::new("dynamodb:Query", &error)))?,
            );
        }
        Ok(items)
    }

    async fn batch(&self, keys: &[&ServiceKey]) -> Result<Vec<Item>, LedgerError> {
        const ACTION: &str = "dynamodb:BatchGetItem";
        let doing = || format!("reading {} rows", keys.len());
        let mut wanted: Vec<Item> = keys.iter().map(|key| row_key(*key)).collect();
        let mut found = Vec::new();
        for _ in 0..ROUNDS {
            let request = KeysAndAttributes::builder().set_keys(Some(wanted)).consistent_read(true).build();
            let sent = self
                .dynamo
                .batch_get_item()
                .set_request_items(request.ok().map(|request| [(self.table.clone(), request)].into()))
                .send()
                .await
                .map_err(|error| LedgerError::call(doing(), Failure::new(ACTION, &error)))?;
            found.extend(
                sent.responses.and_then(|mut tables| tables.remove(&self.table)).into_iter().flatten(),
            );
            let left = sent.unprocessed_keys.and_then(|mut tables| tables.remove(&self.table));
            wanted = left.map(|left| left.keys).unwrap_or_default();
            if wanted.is_empty() {
                return Ok(found);
            }
        }
        let code = Some("ProvisionedThroughputExceededException");
        Err(LedgerError::call(doing(), Failure::of_code(ACTION, code, "rows were left unread")))
    }
}

/// `pass#<rfc3339, always with milliseconds>#<generation>`: sorts by time, then by generation.
/// What a pass saw end is written first, and again with what it then did: one item.
fn pass_key(at: Timestamp, generation: u64) -> String {
    let at = Timestamp::from_millisecond(at.as_millisecond()).unwrap_or(at);
    format!("{PASS}{at:.3}#{generation:010}")
}
