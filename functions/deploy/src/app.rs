//! What all invocations of a sandbox share.

use jiff::SignedDuration;
use windlass_aws::{Clients, ClientsError, Clock, Ledger, NotAClock, Observer};
use windlass_shared::id::Timestamp;

use windlass_shared::deploy::Stack;

/// A lease outlives the function's deadline by this much: whatever the function had under
/// way has been answered or cut by then.
const LEASE_MARGIN: SignedDuration = SignedDuration::from_secs(5);

/// The clients, the ledger and the settings.
#[derive(Debug)]
pub struct App {
    /// AWS.
    pub clients: Clients,
    /// The table.
    pub ledger: Ledger,
    /// Observes; caches what cannot change.
    pub observer: Observer,
    /// Tells the time.
    pub clock: Clock,
    /// The settings.
    pub stack: Stack,
}

/// The function cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The clients.
    #[error("making the AWS clients")]
    Clients(#[from] ClientsError),
    /// The clock.
    #[error("reading WINDLASS_CLOCK")]
    Clock(#[from] NotAClock),
}

/// One invocation: whose leases these are, and until when they last.
#[derive(Debug, Clone)]
pub struct Invocation {
    /// Lambda's request id.
    pub request_id: String,
    /// When Lambda ends it.
    pub deadline: Timestamp,
}

impl Invocation {
    /// Until when a lease that is taken now must last.
    pub fn lease_until(&self) -> Timestamp {
        self.deadline.saturating_add(LEASE_MARGIN).unwrap_or(Timestamp::MAX)
    }
}

impl App {
    /// From Lambda's environment.
    pub fn from_lambda_env(stack: Stack) -> Result<Self, StartError> {
        Ok(Self::new(Clients::from_lambda_env()?, Clock::from_env()?, stack))
    }

    /// With these clients and this clock.
    pub fn new(clients: Clients, clock: Clock, stack: Stack) -> Self {
        let ledger = Ledger::new(clients.dynamo.clone(), stack.table.clone());
        Self {
            observer: Observer::new(clients.clone(), clock.clone(), ledger.clone()),
            ledger,
            clients,
            clock,
            stack,
        }
    }

    /// The invocation whose deadline Lambda gave, in milliseconds since the epoch.
    pub fn invocation(&self, request_id: &str, deadline_ms: u64) -> Invocation {
        let deadline = i64::try_from(deadline_ms).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok());
        let timeout = SignedDuration::try_from(self.stack.timeout).unwrap_or(LEASE_MARGIN);
        let deadline =
            deadline.or_else(|| self.clock.now().saturating_add(timeout).ok()).unwrap_or(Timestamp::MAX);
        Invocation { request_id: request_id.to_owned(), deadline }
    }
}
