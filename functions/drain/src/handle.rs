//! Event → instances → passes.

use futures::stream::{self, StreamExt as _};
use serde_json::{Value, json};
use windlass_aws::draining::FindError;
use windlass_aws::{Invocation, start};
use windlass_shared::drain::facts::Warning;
use windlass_shared::drain::rings::{Rings, doorbells};
use windlass_shared::event::Malformed;
use windlass_shared::id::ClusterName;
use windlass_shared::ledger::InstanceKey;

use crate::app::App;
use crate::pass::{self, PassError};

/// Passes under way at once: within every read bucket's burst.
const SIDE_BY_SIDE: usize = 8;

/// What an invocation ends in that Lambda shall try again, and then keep as a dead letter.
#[derive(Debug, thiserror::Error)]
pub enum HandleError {
    /// The event is not what it says it is.
    #[error("malformed event: {0}")]
    Malformed(#[from] Malformed),
    /// Which instances it means could not be told.
    #[error("finding the instances that {cause} means: {source}")]
    Find {
        /// What rang.
        cause: String,
        /// Why not.
        source: FindError,
    },
    /// Passes failed; the others went through.
    #[error("{} of {total} passes failed; the first: {}: {}", .failed.len(), .failed[0].0, .failed[0].1)]
    Passes {
        /// How many were tried.
        total: usize,
        /// Those that failed.
        failed: Vec<(InstanceKey, PassError)>,
    },
}

/// Reads the event, rings the instances that it means, and makes their passes.
pub async fn handle(app: &App, payload: &[u8], invocation: &Invocation) -> Result<Value, HandleError> {
    let incoming = start::read(&app.clients.meter, payload)?;
    let cause = incoming.describe();
    let rings = doorbells(&incoming, app.clock.now());
    let warning = match &rings {
        Rings::Ec2 { warning, .. } => *warning,
        _ => None,
    };
    let found = Box::pin(instances(app, rings))
        .await
        .map_err(|source| HandleError::Find { cause: cause.clone(), source })?;
    match found {
        Ok(instances) => Box::pin(run(app, instances, warning, invocation, &cause)).await,
        Err(reason) => {
            tracing::info!(event = %cause, %reason, "rings nothing");
            Ok(json!({"event": cause, "rings": [], "reason": reason}))
        }
    }
}

/// The instances that are meant; why none, in words.
async fn instances(app: &App, rings: Rings) -> Result<Result<Vec<InstanceKey>, String>, FindError> {
    let ours = |cluster: &ClusterName| app.stack.clusters.contains(cluster);
    match rings {
        Rings::Nothing(silence) => Ok(Err(silence.to_string())),
        Rings::Ec2 { instance, .. } => {
            let found = app.observer.of_ec2(&instance, &app.stack.clusters).await?;
            Ok(found.map(|key| vec![key]).ok_or_else(|| format!("{instance} is of no cluster of this stack")))
        }
        Rings::Instance(key) if ours(&key.cluster) => Ok(Ok(vec![key])),
        Rings::ContainerInstance { cluster, instance } if ours(&cluster) => {
            let found = app.observer.of_arn(&cluster, &instance).await?;
            Ok(found.map(|key| vec![key]).ok_or_else(|| format!("{} does not leave", instance.as_str())))
        }
        // Another cluster is another stack's, or nobody's.
        Rings::Instance(InstanceKey { cluster, .. }) | Rings::ContainerInstance { cluster, .. } => {
            Ok(Err(format!("{cluster} is not a cluster of this stack")))
        }
        Rings::Every => {
            let mut all = Vec::new();
            for cluster in &app.stack.clusters {
                all.extend(app.observer.leaving(cluster).await?);
            }
            Ok(Ok(all))
        }
    }
}

async fn run(
    app: &App,
    instances: Vec<InstanceKey>,
    warning: Option<Warning>,
    invocation: &Invocation,
    cause: &str,
) -> Result<Value, HandleError> {
    let total = instances.len();
    let mut ends = stream::iter(instances)
        .map(|key| async move {
            let end = Box::pin(pass::over(app, &key, warning, cause, invocation)).await;
            (key, end)
        })
        .buffer_unordered(SIDE_BY_SIDE);
    let mut rings = Vec::new();
    let mut failed = Vec::new();
    while let Some((key, end)) = ends.next().await {
        match end {
            Ok(end) => rings.push(json!({"instance": key.to_string(), "end": end.to_string()})),
            Err(error) => {
                tracing::error!(instance = %key, %error, "pass failed");
                failed.push((key, error));
            }
        }
    }
    if failed.is_empty() {
        Ok(json!({"event": cause, "rings": rings}))
    } else {
        Err(HandleError::Passes { total, failed })
    }
}
