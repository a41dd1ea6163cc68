//! Ringing, leasing, writing under a lease, and letting go.

use std::collections::HashMap;

use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue, ReturnValuesOnConditionCheckFailure};
use windlass_shared::id::Timestamp;
use windlass_shared::ledger::ServiceState;

use super::item::{self, Item, TTL_ATTRIBUTE, json, number, string};
use super::row::{Expiry, Quarantined, RowKey, row_key};
use super::{Lease, Ledger, LedgerError, RingResult};
use crate::error::Failure;

const UPDATE: &str = "dynamodb:UpdateItem";

/// What a pass writes into its row.
#[derive(Debug)]
pub struct StateWrite<'a, S = ServiceState> {
    /// The row's state, whole.
    pub state: &'a S,
    /// Digests to add to the quarantine. Those that are in it stay: only people take out.
    pub quarantine: &'a Quarantined,
}

// Derived, it would ask the same of `S`.
impl<S> Clone for StateWrite<'_, S> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<S> Copy for StateWrite<'_, S> {}

/// What came of letting go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Released {
    /// The lease is free.
    Released,
    /// It rang again: the lease is still the caller's, who goes round once more.
    RungAgain {
        /// What `rung` is now.
        rung: u64,
    },
}

/// The clauses of a state write, without `SET` and `REMOVE`.
#[derive(Default)]
struct Clauses {
    set: String,
    remove: String,
}

/// What came of a conditional update.
enum Updated {
    /// The item as it is now.
    Done(Item),
    /// The condition did not hold; the item as it was, where it exists.
    Refused(Item),
}

impl Ledger {
    /// Rings the service's doorbell, and takes its lease if that is free: one round trip
    /// then, two where somebody holds it.
    ///
    /// `holder` and `now` together name this attempt: by them a call whose first answer was
    /// lost, and that the SDK makes again, knows its own lease instead of waiting it out. An
    /// event that Lambda delivers twice comes at another `now`, and so is another attempt.
    ///
    /// # Flow, and what could race
    ///
    /// 1. Ring and lease in one conditional write. If the lease is free, that is all.
    /// 2. Otherwise ring alone. This comes *before* the next look at the lease: the holder's
    ///    release is conditional on `rung` being what it has answered. Either our ring is
    ///    before its release, then that is refused and the holder goes round again; or it is
    ///    after, then the lease is free in what our ring returned, and
    /// 3. we take it, unless a third one has; and whoever that is took it after our ring, so
    ///    its row counts it.
    ///
    /// Trying first and ringing after would lose the ring that falls between the holder's
    /// last look and its release.
    pub async fn ring_and_lease<K: RowKey>(
        &self,
        key: &K,
        now: Timestamp,
        until: Timestamp,
        holder: &str,
    ) -> Result<RingResult<K>, LedgerError> {
        let doing = || format!("ringing {key}");
        let both = self.take(key, now, until, holder, "ADD rung :one, #token :one");
        if let Updated::Done(item) = send(both).await.map_err(|error| LedgerError::call(doing(), error))? {
            return leased(key, until, &item);
        }
        let ring = self
            .update(key)
            .update_expression("ADD rung :one")
            .expression_attribute_values(":one", number(1));
        match send(ring).await.map_err(|error| LedgerError::call(doing(), error))? {
            Updated::Done(item) if item::holder(&item)?.is_some_and(|(_, until)| until > now) => {
                busy(key, now, &item)
            }
            _ => self.lease_only(key, now, until, holder).await,
        }
    }

    /// Takes the lease without ringing: for a sweep, and for the second try.
    pub async fn lease_only<K: RowKey>(
        &self,
        key: &K,
        now: Timestamp,
        until: Timestamp,
        holder: &str,
    ) -> Result<RingResult<K>, LedgerError> {
        let taken = send(self.take(key, now, until, holder, "ADD #token :one"))
            .await
            .map_err(|error| LedgerError::call(format!("leasing {key}"), error))?;
        match taken {
            Updated::Done(item) => leased(key, until, &item),
            Updated::Refused(item) => busy(key, now, &item),
        }
    }

    /// Rings without asking for the lease: for a doorbell that only passes on.
    pub async fn ring<K: RowKey>(&self, key: &K) -> Result<u64, LedgerError> {
        let ring = self
            .update(key)
            .update_expression("ADD rung :one")
            .expression_attribute_values(":one", number(1));
        let (Updated::Done(item) | Updated::Refused(item)) =
            send(ring).await.map_err(|error| LedgerError::call(format!("ringing {key}"), error))?;
        Ok(item::int(&item, "rung")?.unwrap_or_default())
    }

    /// Lengthens the lease. [`LedgerError::LeaseLost`] if somebody took it since.
    pub async fn renew<K: RowKey>(&self, lease: &mut Lease<K>, until: Timestamp) -> Result<(), LedgerError> {
        let update = self
            .update(&lease.key)
            .update_expression("SET lease_until = :until")
            .condition_expression("#token = :token")
            .expression_attribute_names("#token", "token")
            .expression_attribute_values(":until", number(until.as_millisecond()))
            .expression_attribute_values(":token", number(lease.token));
        fenced(lease, "renewing the lease of", send(update).await)?;
        lease.until = until;
        Ok(())
    }

    /// Writes the row's state. Refused with [`LedgerError::LeaseLost`] if somebody else got
    /// the lease since; a lease that only ran out still writes, for nobody else has acted.
    pub async fn write_state<K: RowKey>(
        &self,
        lease: &Lease<K>,
        write: StateWrite<'_, K::State>,
    ) -> Result<(), LedgerError> {
        let (update, Clauses { set, remove }) = self.with_state(lease, write)?;
        let remove = if remove.is_empty() { String::new() } else { format!(" REMOVE {remove}") };
        let update = update
            .update_expression(format!("SET {set}{remove}"))
            .condition_expression("#token = :token")
            .expression_attribute_names("#token", "token")
            .expression_attribute_values(":token", number(lease.token));
        fenced(lease, "writing the state of", send(update).await).map(drop)
    }

    /// Lets the lease go, unless it rang since `answered`, the `rung` that the pass's row
    /// had. `write`, if given, goes with it in the same write, and is not made when it rang.
    pub async fn release<K: RowKey>(
        &self,
        lease: &Lease<K>,
        answered: u64,
        write: Option<StateWrite<'_, K::State>>,
    ) -> Result<Released, LedgerError> {
        let (update, Clauses { set, remove }) = match write {
            Some(write) => self.with_state(lease, write)?,
            None => (self.update(&lease.key), Clauses::default()),
        };
        let after = |clause: String| if clause.is_empty() { clause } else { format!(", {clause}") };
        let (set, remove) = (after(set), after(remove));
        let update = update
            .update_expression(format!(
                "SET answered = :answered{set} REMOVE lease_until, lease_holder{remove}"
            ))
            .condition_expression("#token = :token AND rung = :answered")
            .expression_attribute_names("#token", "token")
            .expression_attribute_values(":token", number(lease.token))
            .expression_attribute_values(":answered", number(answered));
        let doing = || format!("releasing {}", lease.key);
        match send(update).await.map_err(|error| LedgerError::call(doing(), error))? {
            Updated::Done(_) => Ok(Released::Released),
            Updated::Refused(item) => {
                still_ours(lease, &item)?;
                Ok(Released::RungAgain { rung: item::int(&item, "rung")?.unwrap_or_default() })
            }
        }
    }

    /// Lets the lease go without having answered: what rang stays unanswered, for the next
    /// sweep. For a pass that failed, or that has no time left.
    pub async fn let_go<K: RowKey>(&self, lease: &Lease<K>) -> Result<(), LedgerError> {
        let update = self
            .update(&lease.key)
            .update_expression("REMOVE lease_until, lease_holder")
            .condition_expression("#token = :token")
            .expression_attribute_names("#token", "token")
            .expression_attribute_values(":token", number(lease.token));
        fenced(lease, "letting go of", send(update).await).map(drop)
    }

    /// The conditional write that takes the lease, beside what `add` adds.
    fn take<K: RowKey>(
        &self,
        key: &K,
        now: Timestamp,
        until: Timestamp,
        holder: &str,
        add: &str,
    ) -> UpdateItemFluentBuilder {
        let (map, update) = if K::HAS_QUARANTINE {
            let empty = AttributeValue::M(HashMap::new());
            let update = self.update(key).expression_attribute_values(":empty", empty);
            (", quarantine = if_not_exists(quarantine, :empty)", update)
        } else {
            ("", self.update(key))
        };
        update
            .update_expression(format!("SET lease_until = :until, lease_holder = :holder{map} {add}"))
            .condition_expression(
                "attribute_not_exists(lease_until) OR lease_until <= :now OR lease_holder = :holder",
            )
            .expression_attribute_names("#token", "token")
            .expression_attribute_values(":one", number(1))
            .expression_attribute_values(":now", number(now.as_millisecond()))
            .expression_attribute_values(":until", number(until.as_millisecond()))
            .expression_attribute_values(":holder", string(item::attempt(holder, now)))
    }

    /// What a state write assigns and takes away.
    fn with_state<K: RowKey>(
        &self,
        lease: &Lease<K>,
        write: StateWrite<'_, K::State>,
    ) -> Result<(UpdateItemFluentBuilder, Clauses), LedgerError> {
        let mut set = vec!["#state = :state".to_owned()];
        let mut update = self
            .update(&lease.key)
            .expression_attribute_names("#state", "state")
            .expression_attribute_values(":state", json("state", write.state)?);
        for (n, (digest, why)) in write.quarantine.iter().enumerate() {
            set.push(format!("quarantine.#q{n} = :q{n}"));
            update = update
                .expression_attribute_names(format!("#q{n}"), digest.as_str())
                .expression_attribute_values(format!(":q{n}"), json("quarantine", why)?);
        }
        let mut remove = String::new();
        match K::expiry(write.state) {
            Expiry::Never => {}
            Expiry::NotYet => {
                "#ttl".clone_into(&mut remove);
                update = update.expression_attribute_names("#ttl", TTL_ATTRIBUTE);
            }
            Expiry::After(ended) => {
                set.push("#ttl = :ttl".to_owned());
                update = update
                    .expression_attribute_names("#ttl", TTL_ATTRIBUTE)
                    .expression_attribute_values(":ttl", number(item::ttl(ended)));
            }
        }
        Ok((update, Clauses { set: set.join(", "), remove }))
    }

    /// An update of the row that returns it whole, either way.
    pub(super) fn update<K: RowKey>(&self, key: &K) -> UpdateItemFluentBuilder {
        self.dynamo
            .update_item()
            .table_name(&self.table)
            .set_key(Some(row_key(key)))
            .return_values(ReturnValue::AllNew)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
    }
}

fn leased<K: RowKey>(key: &K, until: Timestamp, item: &Item) -> Result<RingResult<K>, LedgerError> {
    let lease = Lease { key: key.clone(), token: item::token(item)?, until };
    Ok(RingResult::Leased { lease, row: key.row(item)? })
}

fn busy<K: RowKey>(key: &K, now: Timestamp, item: &Item) -> Result<RingResult<K>, LedgerError> {
    let (holder, until) = item::holder(item)?.unwrap_or_else(|| (String::new(), now));
    Ok(RingResult::Busy { row: key.row(item)?, holder, until })
}

fn still_ours<K: RowKey>(lease: &Lease<K>, item: &Item) -> Result<(), LedgerError> {
    let newest = item::token(item)?;
    if newest == lease.token {
        return Ok(());
    }
    Err(LedgerError::LeaseLost { key: lease.key.to_string(), held: lease.token, newest })
}

fn fenced<K: RowKey>(
    lease: &Lease<K>,
    doing: &str,
    sent: Result<Updated, Failure>,
) -> Result<Item, LedgerError> {
    match sent.map_err(|error| LedgerError::call(format!("{doing} {}", lease.key), error))? {
        Updated::Done(item) => Ok(item),
        Updated::Refused(item) => {
            still_ours(lease, &item)?;
            // The condition was the token alone, and it is ours: the item came and went.
            Err(item::corrupt(&item, "token", "the row changed between the refusal and the look"))
        }
    }
}

async fn send(update: UpdateItemFluentBuilder) -> Result<Updated, Failure> {
    match update.send().await {
        Ok(output) => Ok(Updated::Done(output.attributes.unwrap_or_default())),
        Err(error) => match error.as_service_error() {
            Some(UpdateItemError::ConditionalCheckFailedException(refused)) => {
                Ok(Updated::Refused(refused.item.clone().unwrap_or_default()))
            }
            _ => Err(Failure::new(UPDATE, &error)),
        },
    }
}
