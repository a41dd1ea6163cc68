//! The timer: every service that might need a pass, found by reads alone.

use std::collections::{BTreeMap, BTreeSet};

use windlass_aws::{Hints, LedgerError, SweepFailure};
use windlass_shared::deploy::{Triage, triage};
use windlass_shared::facts::{Fact, ImageFact, ServiceFacts};
use windlass_shared::id::{ImageDigest, RepositoryName, ServiceKey};
use windlass_shared::ledger::ServiceRow;
use windlass_shared::spec;

use crate::app::App;
use crate::pass::Task;

/// The sweep could not look; the next one is a minute away.
#[derive(Debug, thiserror::Error)]
pub enum SweepError {
    /// The ledger.
    #[error("sweeping: {0}")]
    Ledger(#[from] LedgerError),
    /// AWS.
    #[error("sweeping: {0}")]
    Aws(#[from] SweepFailure),
}

/// A task for each service that is not known to be quiet.
pub(crate) async fn tasks(app: &App, cause: &str) -> Result<Vec<Task>, SweepError> {
    let swept = app.observer.sweep(&app.stack.clusters, &app.ledger, &app.stack.settings).await?;
    let mut tasks = Vec::new();
    for glimpse in swept {
        match triage(&glimpse.facts, glimpse.row.as_ref(), &app.stack.settings) {
            Triage::Quiet | Triage::NotOurs => {}
            Triage::Pass(reason) => tasks.push(Task {
                key: glimpse.facts.key.clone(),
                cause: format!("{cause}: {reason}"),
                hints: Hints::default(),
                only_known: false,
            }),
        }
    }
    Ok(tasks)
}
