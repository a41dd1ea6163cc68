//! The log of calls: the latest, and counts of all.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

use crate::call::{Call, Caller, Reply, ServiceId};
use crate::time::Time;

/// How many calls are kept by themselves: a demo's worth; counts go on for ever.
const KEPT: usize = 20_000;

/// What was called, by whom, and how it ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallRecord {
    /// When.
    pub at: Time,
    /// By whom.
    pub caller: Caller,
    /// The service.
    pub service: ServiceId,
    /// The operation.
    pub operation: String,
    /// The error's code; `None` if it succeeded.
    pub error: Option<String>,
}

/// How often an operation was called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Counts {
    /// Calls that succeeded, as far as the caller heard.
    pub ok: u64,
    /// Calls that failed, throttled and cut ones included.
    pub failed: u64,
}

/// The log.
#[derive(Debug, Clone, Default)]
pub struct CallLog {
    records: VecDeque<CallRecord>,
    counts: BTreeMap<(ServiceId, String), Counts>,
}

impl CallLog {
    /// The latest calls, oldest first.
    pub fn records(&self) -> impl DoubleEndedIterator<Item = &CallRecord> + ExactSizeIterator {
        self.records.iter()
    }

    /// How often an operation was called.
    pub fn count(&self, service: ServiceId, operation: &str) -> Counts {
        self.counts.get(&(service, operation.to_owned())).copied().unwrap_or_default()
    }

    /// Every operation that was called, with its counts.
    pub fn counts(&self) -> impl Iterator<Item = (ServiceId, &str, Counts)> {
        self.counts.iter().map(|((service, operation), counts)| (*service, operation.as_str(), *counts))
    }

    /// Forgets everything so far.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    pub(super) fn note(&mut self, call: &Call, at: Time, reply: Option<&Reply>) {
        let error = match reply {
            Some(Ok(_)) => None,
            Some(Err(error)) => Some(error.code.clone()),
            None => Some(super::dropped().code),
        };
        let counts = self.counts.entry((call.service, call.operation.clone())).or_default();
        if error.is_none() {
            counts.ok += 1;
        } else {
            counts.failed += 1;
        }
        if self.records.len() == KEPT {
            self.records.pop_front();
        }
        self.records.push_back(CallRecord {
            at,
            caller: call.caller.clone(),
            service: call.service,
            operation: call.operation.clone(),
            error,
        });
    }
}
