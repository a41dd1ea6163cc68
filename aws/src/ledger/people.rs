//! What people set, without the lease: hold, resume, a digest's way out of quarantine, and
//! orders; and the verdict, which `functions/verify` sets in the same way.
//!
//! Each is one attribute that no pass writes, so a person never waits for one. The callers
//! ring afterwards, so that a pass acts on it.

use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use serde::Serialize;
use windlass_shared::id::{ClusterName, ImageDigest, ServiceKey};
use windlass_shared::ledger::{Answer, Hold, Order, RollbackOrder, Verdict};

use super::item::json;
use super::{Ledger, LedgerError, RowKey};
use crate::error::Failure;

impl Ledger {
    /// Holds the service: nothing is rolled out until [`Ledger::resume`]. A hold that is
    /// there already is replaced.
    pub async fn hold(&self, key: &ServiceKey, hold: &Hold) -> Result<(), LedgerError> {
        self.set(key, "hold", hold, "holding").await
    }

    /// Lets the next rollout pass freeze windows and stops by.
    pub async fn order_bypass(&self, key: &ServiceKey, order: &Order) -> Result<(), LedgerError> {
        self.set(key, "bypass", order, "ordering a bypass for").await
    }

    /// Answers what waits for a person.
    pub async fn answer(&self, key: &ServiceKey, answer: &Answer) -> Result<(), LedgerError> {
        self.set(key, "answer", answer, "answering for").await
    }

    /// Orders a rollback.
    pub async fn order_rollback(&self, key: &ServiceKey, order: &RollbackOrder) -> Result<(), LedgerError> {
        self.set(key, "rollback", order, "ordering a rollback of").await
    }

    /// Sets the newest verdict on a service's new revision.
    pub async fn set_verdict(&self, key: &ServiceKey, verdict: &Verdict) -> Result<(), LedgerError> {
        self.set(key, "verdict", verdict, "writing the verdict on").await
    }

    /// Orders that every instance of the cluster is replaced, a few at a time.
    pub async fn order_rotation(&self, cluster: &ClusterName, order: &Order) -> Result<(), LedgerError> {
        self.set(cluster, "rotate", order, "ordering the rotation of").await
    }

    async fn set<K: RowKey, T: Serialize>(
        &self,
        key: &K,
        attribute: &str,
        value: &T,
        doing: &str,
    ) -> Result<(), LedgerError> {
        let update = self
            .update(key)
            .update_expression("SET #attribute = :value")
            .expression_attribute_names("#attribute", attribute)
            .expression_attribute_values(":value", json(attribute, value)?);
        if_so(update, || format!("{doing} {key}")).await.map(drop)
    }

    /// Takes the hold away. `false`: there was none.
    pub async fn resume(&self, key: &ServiceKey) -> Result<bool, LedgerError> {
        let update = self
            .update(key)
            .update_expression("REMOVE #hold")
            .condition_expression("attribute_exists(#hold)")
            .expression_attribute_names("#hold", "hold");
        if_so(update, || format!("resuming {key}")).await
    }

    /// Lets a quarantined digest be deployed again. `false`: it was not in quarantine.
    pub async fn release_digest(&self, key: &ServiceKey, digest: &ImageDigest) -> Result<bool, LedgerError> {
        let update = self
            .update(key)
            .update_expression("REMOVE quarantine.#digest")
            .condition_expression("attribute_exists(quarantine.#digest)")
            .expression_attribute_names("#digest", digest.as_str());
        if_so(update, || format!("releasing {} of {key} from quarantine", digest.short())).await
    }
}

/// Whether the update's condition held.
pub(super) async fn if_so(
    update: UpdateItemFluentBuilder,
    doing: impl Fn() -> String,
) -> Result<bool, LedgerError> {
    match update.send().await {
        Ok(_) => Ok(true),
        Err(error) => match error.as_service_error() {
            Some(UpdateItemError::ConditionalCheckFailedException(_)) => Ok(false),
            _ => Err(LedgerError::call(doing(), Failure::new("dynamodb:UpdateItem", &error))),
        },
    }
}
