//! Event → clusters → passes.

use futures::future::join_all;
use serde_json::{Value, json};
use windlass_aws::{Invocation, start};
use windlass_shared::event::Malformed;
use windlass_shared::id::ClusterName;
use windlass_shared::scale::rings::{self, Naming, Rings, Silence, doorbells};

use crate::app::App;
use crate::pass::{self, Cause, PassError};

/// What an invocation ends in that Lambda shall try again, and then keep as a dead letter.
#[derive(Debug, thiserror::Error)]
pub enum HandleError {
    /// The event is not what it says it is.
    #[error("malformed event: {0}")]
    Malformed(#[from] Malformed),
    /// Passes failed; the others went through.
    #[error("{} of {total} passes failed; the first: {}: {}", .failed.len(), .failed[0].0, .failed[0].1)]
    Passes {
        /// How many were tried.
        total: usize,
        /// Those that failed.
        failed: Vec<(ClusterName, PassError)>,
    },
}

/// Reads the event, rings the clusters that it means, and makes their passes.
pub async fn handle(app: &App, payload: &[u8], invocation: &Invocation) -> Result<Value, HandleError> {
    let incoming = start::read(&app.clients.meter, payload)?;
    let cause = incoming.describe();
    let clusters = match doorbells(&incoming) {
        Rings::Nothing(silence) => {
            tracing::info!(event = %cause, reason = %silence, "rings nothing");
            return Ok(json!({"event": cause, "rings": [], "reason": silence.to_string()}));
        }
        // Another cluster is another stack's, or nobody's.
        Rings::Cluster(cluster) | Rings::Awaited(cluster) if !app.stack.clusters.contains(&cluster) => {
            tracing::info!(event = %cause, %cluster, "not a cluster of this stack");
            return Ok(
                json!({"event": cause, "rings": [], "reason": format!("{cluster} is not a cluster of this stack")}),
            );
        }
        Rings::Awaited(cluster) if !is_awaited(app, &cluster).await => {
            let silence = Silence::NobodyWaits(cluster);
            return Ok(json!({"event": cause, "rings": [], "reason": silence.to_string()}));
        }
        Rings::Cluster(cluster) | Rings::Awaited(cluster) => vec![cluster],
        Rings::Every => app.stack.clusters.clone(),
    };
    let cause = Cause { words: &cause, alarm: rings::alarm(&incoming) };
    run(app, clusters, invocation, cause).await
}

/// Whether a rollout waits for room there. What could not be read is for the pass to say.
async fn is_awaited(app: &App, cluster: &ClusterName) -> bool {
    app.ledger.row(cluster).await.map_or(true, |row| row.awaits_room())
}

/// A stack has few clusters: their passes go side by side.
async fn run(
    app: &App,
    clusters: Vec<ClusterName>,
    invocation: &Invocation,
    cause: Cause<'_>,
) -> Result<Value, HandleError> {
    let total = clusters.len();
    let passes = clusters.into_iter().map(|cluster| async {
        let end = pass::over(app, &cluster, cause, invocation).await;
        (cluster, end)
    });
    let mut rings = Vec::new();
    let mut failed = Vec::new();
    let mut is_named = false;
    for (cluster, end) in join_all(passes).await {
        match end {
            Ok(over) => {
                is_named |= over.naming != Naming::Nobody;
                rings.push(json!({"cluster": cluster, "end": over.end.to_string()}));
            }
            Err(error) => {
                tracing::error!(%cluster, %error, "pass failed");
                failed.push((cluster, error));
            }
        }
    }
    if !failed.is_empty() {
        return Err(HandleError::Passes { total, failed });
    }
    let mut answer = json!({"event": cause.words, "rings": rings});
    if let (Some(alarm), false) = (cause.alarm, is_named) {
        let reason = Silence::NamedByNone(alarm.clone());
        tracing::info!(event = %cause.words, %alarm, %reason, "an alarm that no rule names");
        answer["reason"] = json!(reason.to_string());
    }
    Ok(answer)
}
