//! The doorbell index: which services follow a repository, which another service; and the list of
//! all services.

use aws_sdk_dynamodb::types::{DeleteRequest, PutRequest, WriteRequest};
use windlass_shared::id::{RepositoryName, ServiceKey};

use super::item::{self, Item, keys, service_of_sort_key, string};
use super::{Ledger, LedgerError};
use crate::error::Failure;

const BATCH_WRITE: &str = "dynamodb:BatchWriteItem";

impl Ledger {
    /// Notes that the service follows the repository from now on, and no more the one that
    /// it followed before. One round trip; each of its items can be written again.
    pub async fn index_put(
        &self,
        key: &ServiceKey,
        repository: &RepositoryName,
        before: Option<&RepositoryName>,
    ) -> Result<(), LedgerError> {
        let mut writes = vec![
            put(keys(item::repository(repository), item::service(key))),
            put(keys(string(item::SERVICES), item::service(key))),
        ];
        if let Some(before) = before.filter(|before| *before != repository) {
            writes.push(delete(keys(item::repository(before), item::service(key))));
        }
        self.batch_write(writes, format!("noting that {key} follows {repository}")).await
    }

    /// Forgets that the service follows the repository, and takes it from the list of all
    /// services. Its row and its history stay.
    pub async fn index_remove(
        &self,
        key: &ServiceKey,
        repository: &RepositoryName,
    ) -> Result<(), LedgerError> {
        let writes = vec![
            delete(keys(item::repository(repository), item::service(key))),
            delete(keys(string(item::SERVICES), item::service(key))),
        ];
        self.batch_write(writes, format!("forgetting that {key} follows {repository}")).await
    }

    /// Notes whose releases the service's follow from now on (`None`: nobody's), and no more those
    /// of whom they followed before.
    pub async fn index_follow(
        &self,
        key: &ServiceKey,
        upstream: Option<&ServiceKey>,
        before: Option<&ServiceKey>,
    ) -> Result<(), LedgerError> {
        let entry = |of: &ServiceKey| keys(item::followers(of), item::service(key));
        let old = before.filter(|before| Some(*before) != upstream).map(|before| delete(entry(before)));
        let writes: Vec<WriteRequest> = upstream.map(|of| put(entry(of))).into_iter().chain(old).collect();
        if writes.is_empty() {
            return Ok(());
        }
        self.batch_write(writes, format!("noting whose releases {key} follows")).await
    }

    /// The services whose releases follow those of this one, sorted.
    pub async fn index_followers(&self, key: &ServiceKey) -> Result<Vec<ServiceKey>, LedgerError> {
        let doing = format!("finding the services that follow {key}");
        let items = self.query_all(item::followers(key), doing).await?;
        items.iter().map(service_of_sort_key).collect()
    }

    /// The services that follow the repository, sorted.
    pub async fn index_query(&self, repository: &RepositoryName) -> Result<Vec<ServiceKey>, LedgerError> {
        let doing = format!("finding the services that follow {repository}");
        let items = self.query_all(item::repository(repository), doing).await?;
        items.iter().map(service_of_sort_key).collect()
    }

    /// Every service that follows, or followed and was not removed, sorted.
    pub async fn services(&self) -> Result<Vec<ServiceKey>, LedgerError> {
        let items = self.query_all(string(item::SERVICES), "listing all services".to_owned()).await?;
        items.iter().map(service_of_sort_key).collect()
    }

    async fn batch_write(&self, writes: Vec<WriteRequest>, doing: String) -> Result<(), LedgerError> {
        let sent = self.dynamo.batch_write_item().request_items(&self.table, writes).send().await;
        let output = sent.map_err(|error| LedgerError::call(&doing, Failure::new(BATCH_WRITE, &error)))?;
        // Partly done counts as not done: the caller's next pass writes all of it again.
        if output.unprocessed_items.is_none_or(|left| left.is_empty()) {
            return Ok(());
        }
        let code = Some("ProvisionedThroughputExceededException");
        Err(LedgerError::call(doing, Failure::of_code(BATCH_WRITE, code, "items were left unwritten")))
    }
}

fn put(item: Item) -> WriteRequest {
    let request = PutRequest::builder().set_item(Some(item)).build();
    WriteRequest::builder().set_put_request(request.ok()).build()
}

fn delete(key: Item) -> WriteRequest {
    let request = DeleteRequest::builder().set_key(Some(key)).build();
    WriteRequest::builder().set_delete_request(request.ok()).build()
}
