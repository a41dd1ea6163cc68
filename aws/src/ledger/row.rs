//! Whose rows there are, and how each is read.

use std::collections::BTreeMap;
use std::fmt::{Debug, Display};

use aws_sdk_dynamodb::types::AttributeValue;
use serde::Serialize;
use windlass_shared::id::{ClusterName, ImageDigest, ServiceKey, Timestamp};
use windlass_shared::ledger::{
    ClusterRow, ClusterState, InstanceKey, InstanceRow, InstanceState, Quarantine, ServiceRow, ServiceState,
};

use super::LedgerError;
use super::item::{self, Item, ROW, keys, string};

/// Digests with the reason why each is in quarantine.
pub type Quarantined = BTreeMap<ImageDigest, Quarantine>;

/// What has a row, and so a doorbell and a lease.
pub trait RowKey: Clone + Debug + Display + PartialEq + Eq + Send + Sync {
    /// The row.
    type Row: Debug + PartialEq + Eq + Send + Sync;
    /// The part of it that only the lease's holder writes.
    type State: Serialize + Send + Sync;
    /// Whether its row has a quarantine, whose map must be there before a member can be set.
    const HAS_QUARANTINE: bool = false;

    /// The partition that its row and its history are in: `service#main/shop`.
    fn partition(&self) -> String;

    /// The row out of its item, attributes that are not there at their beginning's value.
    fn row(&self, item: &Item) -> Result<Self::Row, LedgerError>;

    /// How often the row's doorbell had rung.
    fn rung(row: &Self::Row) -> u64;

    /// How long a row with this state is kept.
    fn expiry(_: &Self::State) -> Expiry {
        Expiry::Never
    }

    /// It rang again.
    fn ring(row: &mut Self::Row, rung: u64);

    /// What a pass came to: the row's state from now on, and what it adds to its quarantine, where it has one.
    fn add(row: &mut Self::Row, state: Self::State, quarantine: Quarantined);
}

/// How long a row is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expiry {
    /// As long as there is a Windlass.
    Never,
    /// It is in use, again or still.
    NotYet,
    /// As long as history is, from then on.
    After(Timestamp),
}

/// What is the same of every row.
macro_rules! of_row {
    () => {
        fn rung(row: &Self::Row) -> u64 {
            row.rung
        }

        fn ring(row: &mut Self::Row, rung: u64) {
            row.rung = rung;
        }
    };
}

/// What is the same of the rows that have no quarantine: their passes give none.
macro_rules! state_alone {
    () => {
        fn add(row: &mut Self::Row, state: Self::State, _: Quarantined) {
            row.state = state;
        }
    };
}

impl RowKey for ServiceKey {
    type Row = ServiceRow;
    type State = ServiceState;
    const HAS_QUARANTINE: bool = true;

    fn partition(&self) -> String {
        item::service_partition(self)
    }

    fn row(&self, item: &Item) -> Result<ServiceRow, LedgerError> {
        item::row(self.clone(), item)
    }

    of_row!();

    fn add(row: &mut ServiceRow, state: ServiceState, quarantine: Quarantined) {
        row.state = state;
        row.quarantine.extend(quarantine);
    }
}

impl RowKey for ClusterName {
    type Row = ClusterRow;
    type State = ClusterState;

    fn partition(&self) -> String {
        format!("cluster#{self}")
    }

    fn row(&self, item: &Item) -> Result<ClusterRow, LedgerError> {
        Ok(ClusterRow {
            rung: item::int(item, "rung")?.unwrap_or_default(),
            answered: item::int(item, "answered")?.unwrap_or_default(),
            token: item::token(item)?,
            rotate: item::from_json(item, "rotate")?,
            state: item::from_json(item, "state")?.unwrap_or_default(),
            ..ClusterRow::new(self.clone())
        })
    }

    of_row!();
    state_alone!();
}

impl RowKey for InstanceKey {
    type Row = InstanceRow;
    type State = InstanceState;

    fn partition(&self) -> String {
        format!("instance#{self}")
    }

    /// An instance's id never comes again: of one that is gone the row is history. One that was taken back
    /// and leaves again has its row anew.
    fn expiry(state: &InstanceState) -> Expiry {
        state.ended.as_ref().map_or(Expiry::NotYet, |end| Expiry::After(end.at))
    }

    fn row(&self, item: &Item) -> Result<InstanceRow, LedgerError> {
        Ok(InstanceRow {
            rung: item::int(item, "rung")?.unwrap_or_default(),
            answered: item::int(item, "answered")?.unwrap_or_default(),
            token: item::token(item)?,
            state: item::from_json(item, "state")?.unwrap_or_default(),
            ..InstanceRow::new(self.clone())
        })
    }

    of_row!();
    state_alone!();
}

/// The partition as DynamoDB takes it.
pub(super) fn partition<K: RowKey>(key: &K) -> AttributeValue {
    string(key.partition())
}

/// The full key of a row.
pub(super) fn row_key<K: RowKey>(key: &K) -> Item {
    keys(partition(key), string(ROW))
}
