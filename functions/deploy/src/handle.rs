//! Event → doorbells → passes.

use futures::StreamExt as _;
use serde_json::{Value, json};
use windlass_aws::ledger::LedgerError;
use windlass_aws::stacks::stacks;
use windlass_aws::{Hints, SweepFailure, start};
use windlass_shared::deploy::installed::Installed;
use windlass_shared::event::{self, Malformed, Rings};
use windlass_shared::facts::Unreadable;
use windlass_shared::id::{ClusterName, ImageDigest, ImageTag, RepositoryName, ServiceKey, StackName};
use windlass_shared::names;

use windlass_aws::Invocation;

use crate::app::App;
use crate::pass::{self, PassEnd, PassError, Ring, Task};
use crate::sweep;

/// Passes side by side: enough to hide their round trips, few enough that 500 services on
/// one repository do not trip AWS's read rates (20 a second, sustained) by themselves.
const SIDE_BY_SIDE: usize = 8;

/// What an invocation ends in that Lambda shall try again, and then keep as a dead letter.
#[derive(Debug, thiserror::Error)]
pub enum HandleError {
    /// The event is not what it says it is.
    #[error("malformed event: {0}")]
    Malformed(#[from] Malformed),
    /// The doorbell index could not be read.
    #[error("looking up who follows {repository}: {source}")]
    Index {
        /// The repository.
        repository: RepositoryName,
        /// Why.
        source: LedgerError,
    },
    /// The labels of a repository's image that nobody follows yet could not be read.
    #[error("reading the labels of what was pushed to {repository}: {what}")]
    Labels {
        /// The repository.
        repository: RepositoryName,
        /// Why.
        what: Unreadable,
    },
    /// The sweep could not list what there is.
    #[error("sweeping: {0}")]
    Sweep(#[from] SweepFailure),
    /// Passes failed; the others went through.
    #[error("{} of {total} passes failed; the first: {}: {}", .failed.len(), .failed[0].0, .failed[0].1)]
    Passes {
        /// How many were tried.
        total: usize,
        /// Those that failed.
        failed: Vec<(ServiceKey, PassError)>,
    },
}

/// Reads the event, as Lambda was given it; rings the doorbells it means, and makes their passes.
pub async fn handle(app: &App, payload: &[u8], invocation: &Invocation) -> Result<Value, HandleError> {
    let incoming = start::read(&app.clients.meter, payload)?;
    let unknown = incoming.unknown_parts().len();
    let cause = incoming.describe();
    tracing::info!(event = %cause, unknown_parts = unknown, "read an event");
    let doorbells = event::doorbells_at(&incoming, &app.stack.settings.home());
    let cause = told(cause, &doorbells);
    let is_sweep = doorbells == Rings::Sweep;
    let tasks = match doorbells {
        Rings::Nothing(silence) => {
            tracing::info!(event = %cause, reason = %silence, "rings nothing");
            return Ok(json!({"event": cause, "rings": [], "reason": silence.to_string()}));
        }
        Rings::Service(key) => {
            // ECS tells of every service in the account; a spec or a person means this one.
            let only_known = incoming.envelope.as_ref().is_some_and(|envelope| envelope.source == "aws.ecs");
            if !only_known && let Some(other) = stack_of(app, &key.cluster).await {
                let reason = format!("cluster {} is of the stack {other}", key.cluster);
                tracing::info!(event = %cause, %reason, "rings nothing");
                return Ok(json!({"event": cause, "rings": [], "reason": reason}));
            }
            let ring = if only_known { Ring::OnlyKnown } else { Ring::Always };
            let task = |key| Task { key, cause: cause.clone(), hints: Hints::default(), ring };
            // What happens to a canary's tasks is of interest to the service that it is of.
            let of = if only_known { names::canary_of(&key) } else { None };
            std::iter::once(key).chain(of).map(task).collect()
        }
        Rings::Repository { repository, digest, tag } => {
            of_repository(app, repository, digest, tag, &cause).await?
        }
        Rings::Cluster(cluster) => sweep::waiting(app, &cluster, &cause).await?,
        Rings::Sweep => sweep::tasks(app, &cause).await?,
    };
    run(app, tasks, invocation, &cause, is_sweep).await
}

/// The cause, with whose repository it is where that is another account's.
fn told(cause: String, rings: &Rings) -> String {
    let registry = match rings {
        Rings::Repository { repository, .. } => repository.registry(),
        _ => None,
    };
    registry.map(|registry| format!("{cause}, {registry}")).unwrap_or(cause)
}

/// The other stack whose cluster this is: every stack of an account gets each spec's event, and a person's
/// doorbells. A cluster that no stack has is misspelled, and refused by its name.
async fn stack_of(app: &App, cluster: &ClusterName) -> Option<StackName> {
    if app.stack.clusters.contains(cluster) {
        return None;
    }
    let stacks = stacks(&app.clients.ssm).await.unwrap_or_else(|failure| {
        tracing::warn!(%cluster, %failure, "cannot tell whether another stack has this cluster");
        Vec::new()
    });
    let mut read = stacks.iter().filter_map(|parameter| Installed::of_parameter(parameter).ok());
    read.find(|stack| stack.clusters().any(|of| of == *cluster)).map(|stack| stack.name)
}

/// The services that follow the repository; where none does, the one that its labels ask for.
async fn of_repository(
    app: &App,
    repository: RepositoryName,
    digest: Option<ImageDigest>,
    tag: Option<ImageTag>,
    cause: &str,
) -> Result<Vec<Task>, HandleError> {
    let hints = Hints { repository: Some(repository.clone()), digest: digest.clone(), tag };
    // Of another account all pushes may be forwarded: what nobody follows is not looked into.
    let is_foreign = repository.registry().is_some();
    let early = if is_foreign { Hints::default() } else { hints.clone() };
    let followers = app.observer.prefetch(&early, app.ledger.index_query(&repository)).await;
    let followers =
        followers.map_err(|source| HandleError::Index { repository: repository.clone(), source })?;
    let task = |key| Task { key, cause: cause.to_owned(), hints: hints.clone(), ring: Ring::Always };
    if !followers.is_empty() {
        return Ok(followers.into_iter().map(task).collect());
    }
    if is_foreign {
        tracing::info!(%repository, "nobody follows this repository of another account");
        return Ok(Vec::new());
    }
    let labelled = sweep::labelled(app, &repository, digest.as_ref())
        .await
        .map_err(|what| HandleError::Labels { repository: repository.clone(), what })?;
    if labelled.is_none() {
        tracing::info!(%repository, "nobody follows this repository");
    }
    Ok(labelled.into_iter().map(task).collect())
}

async fn run(
    app: &App,
    tasks: Vec<Task>,
    invocation: &Invocation,
    cause: &str,
    is_sweep: bool,
) -> Result<Value, HandleError> {
    let total = tasks.len();
    let ends: Vec<(ServiceKey, Result<PassEnd, PassError>)> = futures::stream::iter(tasks)
        .map(|task| async move { (task.key.clone(), pass::pass(app, &task, invocation).await) })
        .buffer_unordered(SIDE_BY_SIDE)
        .collect()
        .await;
    let mut rings = Vec::new();
    let mut failed = Vec::new();
    for (key, end) in ends {
        match end {
            Ok(end) => rings.push(json!({"service": key.to_string(), "end": end.to_string()})),
            // It stands in the row and the history, and was a dead letter when its own event
            // rang. Each minute's sweep tries again; it need not be one each minute.
            Err(PassError::Refused(reason)) if is_sweep => {
                rings.push(json!({"service": key.to_string(), "end": format!("refused: {reason}")}));
            }
            Err(error) => failed.push((key, error)),
        }
    }
    if failed.is_empty() {
        Ok(json!({"event": cause, "rings": rings}))
    } else {
        Err(HandleError::Passes { total, failed })
    }
}
