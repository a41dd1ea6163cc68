//! What all invocations of a sandbox share.

use windlass_aws::{Clients, ClientsError, Clock, Ledger, NotAClock, Verifier};
use windlass_shared::deploy::Stack;

/// The clients, the ledger and the settings.
#[derive(Debug)]
pub struct App {
    /// AWS.
    pub clients: Clients,
    /// The table.
    pub ledger: Ledger,
    /// Looks.
    pub verifier: Verifier,
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

impl App {
    /// From Lambda's environment.
    pub fn from_lambda_env(stack: Stack) -> Result<Self, StartError> {
        let endpoint = std::env::var("WINDLASS_ALB_ENDPOINT").ok();
        Ok(Self::new(Clients::from_lambda_env()?, Clock::from_env()?, stack, endpoint))
    }

    /// With these clients and this clock; `endpoint` stands for every load balancer's name.
    pub fn new(clients: Clients, clock: Clock, stack: Stack, endpoint: Option<String>) -> Self {
        Self {
            ledger: Ledger::new(clients.dynamo.clone(), stack.table.clone()),
            verifier: Verifier::new(clients.clone(), clock.clone(), endpoint),
            clients,
            clock,
            stack,
        }
    }
}
