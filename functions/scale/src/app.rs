//! What all invocations of a sandbox share.

use windlass_aws::start::StartError;
use windlass_aws::{CapacityObserver, Clients, Clock, Ledger};
use windlass_shared::deploy::Stack;

/// The clients, the ledger and the settings.
#[derive(Debug)]
pub struct App {
    /// AWS.
    pub clients: Clients,
    /// The table.
    pub ledger: Ledger,
    /// Observes; keeps revisions, which never change.
    pub observer: CapacityObserver,
    /// Tells the time.
    pub clock: Clock,
    /// The settings.
    pub stack: Stack,
}

impl App {
    /// From Lambda's environment.
    pub fn from_lambda_env(stack: Stack) -> Result<Self, StartError> {
        let (clients, clock) = windlass_aws::start::from_lambda_env()?;
        Ok(Self::new(clients, clock, stack))
    }

    /// With these clients and this clock.
    pub fn new(clients: Clients, clock: Clock, stack: Stack) -> Self {
        let ledger = Ledger::new(clients.dynamo.clone(), stack.table.clone());
        Self {
            observer: CapacityObserver::new(clients.clone(), clock.clone(), ledger.clone()),
            ledger,
            clients,
            clock,
            stack,
        }
    }
}
