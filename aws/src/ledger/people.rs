//! What people set, without the lease: hold, resume, and a digest's way out of quarantine.
//!
//! Each is one attribute that no pass writes, so a person never waits for one. The callers
//! ring afterwards, so that a pass acts on it.

use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use windlass_shared::id::{ImageDigest, ServiceKey};
use windlass_shared::ledger::Hold;

use super::item::json;
use super::{Ledger, LedgerError};
use crate::error::Failure;

impl Ledger {
    /// Holds the service: nothing is rolled out until [`Ledger::resume`]. A hold that is
    /// there already is replaced.
    pub async fn hold(&self, key: &ServiceKey, hold: &Hold) -> Result<(), LedgerError> {
        let update = self
            .update(key)
            .update_expression("SET #hold = :hold")
            .expression_attribute_names("#hold", "hold")
            .expression_attribute_values(":hold", json("hold", hold)?);
        if_so(update, || format!("holding {key}")).await.map(drop)
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
async fn if_so(update: UpdateItemFluentBuilder, doing: impl Fn() -> String) -> Result<bool, LedgerError> {
    match update.send().await {
        Ok(_) => Ok(true),
        Err(error) => match error.as_service_error() {
            Some(UpdateItemError::ConditionalCheckFailedException(_)) => Ok(false),
            _ => Err(LedgerError::call(doing(), Failure::new("dynamodb:UpdateItem", &error))),
        },
    }
}
