//! What every function makes first, once a sandbox. It does not know which function that is.

use crate::clients::{Clients, ClientsError};
use crate::clock::{Clock, NotAClock};

/// A function cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The clients.
    #[error("making the AWS clients")]
    Clients(#[from] ClientsError),
    /// The clock.
    #[error("reading WINDLASS_CLOCK")]
    Clock(#[from] NotAClock),
}

/// The clients and the clock, from Lambda's environment.
///
/// # Errors
///
/// [`StartError`]: the environment does not say what they need.
pub fn from_lambda_env() -> Result<(Clients, Clock), StartError> {
    Ok((Clients::from_lambda_env()?, Clock::from_env()?))
}
