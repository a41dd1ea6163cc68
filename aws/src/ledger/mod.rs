//! The ledger: one DynamoDB table, keyed by `pk` and `sk`.
//!
//! | item | `pk` | `sk` | other attributes |
//! |---|---|---|---|
//! | a service's row | `service#<cluster>/<service>` | `state` | `rung` `answered` `token` `lease_until` (epoch ms) N, `lease_holder` `hold` `state` S (JSON), `quarantine` M of digest → S (JSON) |
//! | a cluster's row | `cluster#<cluster>` | `state` | as a service's, without `quarantine` and people's orders but `rotate` S (JSON) |
//! | an instance's that leaves | `instance#<cluster>/<instance>` | `state` | the same, and `ttl` N once it has ended |
//! | a pass | the same as its row | `pass#<rfc3339, ms>#<generation>#<ends or steps>` | `record` S (JSON), `ttl` N (epoch s) |
//! | who follows a repository | `repository#<name>` | `service#<cluster>/<service>` | |
//! | who follows a service | `after#<cluster>/<service>` | `service#<cluster>/<service>` | |
//! | what people stopped | `stops` | `stops` | `everywhere` and `cluster#<cluster>` S (JSON) |
//! | every service with a row's worth of history | `services` | `service#<cluster>/<service>` | |
//!
//! A row's attributes have three kinds of writers, and so are apart: doorbells add to `rung`,
//! people set `hold` and take from `quarantine`, and the lease's holder alone writes the rest.
//! Every write is one round trip, and conditional where two could meet.
//!
//! # Guarantees
//!
//! - At most one holder's writes are taken: `token` grows with every lease given, and
//!   [`Ledger::write_state`] and [`Ledger::release`] are refused under an older one.
//! - No ring is lost: see [`Ledger::ring_and_lease`].
//!
//! # Assumptions
//!
//! Leases are judged by the callers' clocks. A skew shortens or lengthens a lease; it cannot
//! break the first guarantee, which rests on the token and not on time.

mod index;
mod item;
mod lease;
mod people;
mod read;
mod row;
mod stops;

use windlass_shared::facts::{FailureKind, Unreadable};
use windlass_shared::id::{FencingToken, ServiceKey, Timestamp};

use crate::error::Failure;

pub use item::{PARTITION_KEY, SORT_KEY, TTL_ATTRIBUTE};
pub use lease::{Released, StateWrite};
pub use row::{Expiry, Quarantined, RowKey};

/// The table and the client for it.
#[derive(Debug, Clone)]
pub struct Ledger {
    dynamo: aws_sdk_dynamodb::Client,
    table: String,
}

/// The permission to write one row, and to change the service, cluster or instance that it is of.
///
/// It has no `Clone`: there is one, and who has it holds the lease, or held it until
/// somebody's newer token said otherwise.
#[derive(Debug, PartialEq, Eq)]
pub struct Lease<K = ServiceKey> {
    /// Whose row: a service, a cluster, an instance.
    pub key: K,
    /// What every write under this lease carries.
    pub token: FencingToken,
    /// Until when nobody else takes it.
    pub until: Timestamp,
}

/// What came of ringing, or of asking for the lease.
#[derive(Debug, PartialEq, Eq)]
pub enum RingResult<K: RowKey = ServiceKey> {
    /// The lease is the caller's, and this is the row as it was then.
    Leased {
        /// The permission.
        lease: Lease<K>,
        /// The row.
        row: K::Row,
    },
    /// Somebody else has it and will see the ring before letting go.
    Busy {
        /// The row.
        row: K::Row,
        /// Who.
        holder: String,
        /// Until when, at the latest.
        until: Timestamp,
    },
}

/// What went wrong with the ledger.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// Somebody else got the lease since; nothing was written.
    #[error("the lease of {key} under token {held} was lost to token {newest}; nothing was written")]
    LeaseLost {
        /// Whose row.
        key: String,
        /// The token that the write carried.
        held: FencingToken,
        /// The newest one.
        newest: FencingToken,
    },
    /// DynamoDB did not do it.
    #[error("{doing}")]
    Call {
        /// What was being done: `ringing main/shop`.
        doing: String,
        /// Why not.
        #[source]
        source: Failure,
    },
    /// An item is not what this code, or an older one, wrote. During an update of the stack later code may
    /// have; nothing is written over it.
    #[error(
        "the ledger's item {item} has no readable `{attribute}`: {detail}; a newer Windlass wrote it, or it was edited by hand"
    )]
    Corrupt {
        /// Its keys.
        item: String,
        /// Which attribute.
        attribute: String,
        /// What is wrong with it.
        detail: String,
    },
}

impl Ledger {
    /// The ledger in `table`.
    pub fn new(dynamo: aws_sdk_dynamodb::Client, table: impl Into<String>) -> Self {
        Self { dynamo, table: table.into() }
    }

    /// The table's name.
    pub fn table(&self) -> &str {
        &self.table
    }
}

impl LedgerError {
    fn call(doing: impl Into<String>, source: Failure) -> Self {
        Self::Call { doing: doing.into(), source }
    }

    /// As the reason why a fact could not be read.
    pub fn into_unreadable(self) -> Unreadable {
        match self {
            Self::Call { doing, source } => source.into_unreadable(doing),
            other => Unreadable {
                doing: "reading the ledger".to_owned(),
                kind: FailureKind::Invalid,
                detail: other.to_string(),
            },
        }
    }
}
