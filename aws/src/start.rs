//! What every function does first: once a sandbox, and with each event. It does not know which function
//! that is.

use windlass_shared::event::{self, Incoming, Malformed};
use windlass_shared::metrics::Metric;

use crate::clients::{Clients, ClientsError};
use crate::clock::{Clock, NotAClock};
use crate::meter::Meter;

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

/// Reads an event, as Lambda was given it.
///
/// # Errors
///
/// [`Malformed`]: it is not what it says it is; that is counted, and logged with its reason.
pub fn read(meter: &Meter, payload: &[u8]) -> Result<Incoming, Malformed> {
    event::read(payload).inspect_err(|malformed| {
        meter.count(Metric::MalformedEvents, 1);
        tracing::error!(malformed = 1, reason = %malformed, "refused a malformed event");
    })
}
