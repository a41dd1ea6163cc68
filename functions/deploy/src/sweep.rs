//! The timer: every service that might need a pass, found by reads alone.

use futures::FutureExt as _;
use windlass_aws::{Hints, SweepFailure};
use windlass_shared::deploy::{Triage, triage};
use windlass_shared::facts::{Fact, Unreadable};
use windlass_shared::id::{ClusterName, ImageDigest, RepositoryName, ServiceKey};
use windlass_shared::spec;

use crate::app::App;
use crate::pass::{Ring, Task};

/// A task for each service that is not known to be quiet.
pub(crate) async fn tasks(app: &App, cause: &str) -> Result<Vec<Task>, SweepFailure> {
    // Boxed as a trait object: its type is deeper than the compiler follows.
    let sweep = app.observer.sweep(&app.stack.clusters, &app.ledger, &app.stack.settings).boxed();
    let swept = sweep.await?;
    let now = app.clock.now();
    let mut tasks = Vec::new();
    for glimpse in swept {
        match triage(&glimpse.facts, glimpse.row.as_ref(), &app.stack.settings, now) {
            Triage::Quiet | Triage::NotOurs => {}
            Triage::Pass(reason) => tasks.push(Task {
                key: glimpse.facts.key.clone(),
                cause: format!("{cause}: {reason}"),
                hints: Hints::default(),
                ring: Ring::WhereNeeded,
            }),
        }
    }
    Ok(tasks)
}

/// The services of a cluster whose rollouts wait for something: its spec changed, and may have
/// had to do with it.
pub(crate) async fn waiting(
    app: &App,
    cluster: &ClusterName,
    cause: &str,
) -> Result<Vec<Task>, SweepFailure> {
    let keys = app.ledger.services().await?;
    let keys: Vec<_> = keys.into_iter().filter(|key| key.cluster == *cluster).collect();
    let rows = app.ledger.rows(&keys).await?;
    let waiting = rows.into_iter().filter(|(_, row)| row.state.marks.waiting.is_some());
    let task = |key| Task { key, cause: cause.to_owned(), hints: Hints::default(), ring: Ring::OnlyKnown };
    Ok(waiting.map(|(key, _)| task(key)).collect())
}

/// The service that the image's labels ask for, where they may: the first push of an
/// application that nobody wrote a spec for.
pub(crate) async fn labelled(
    app: &App,
    repository: &RepositoryName,
    digest: Option<&ImageDigest>,
) -> Result<Option<ServiceKey>, Unreadable> {
    let rails = &app.stack.settings.guard_rails;
    let (Some(digest), Some(cluster), true) = (digest, app.stack.clusters.first(), rails.enabled) else {
        return Ok(None);
    };
    let content = match app.observer.image_content(repository, digest).await {
        Fact::Known(content) => content,
        // Nothing else knows of this application: only the event's retry looks again.
        Fact::Unreadable(what) => return Err(what),
        Fact::Absent | Fact::NotAsked => return Ok(None),
    };
    match spec::from_labels(repository, &content.labels, rails, cluster) {
        Ok(labelled) => Ok(labelled.map(|(key, _)| key)),
        Err(refusal) => {
            tracing::warn!(%repository, %digest, reason = %refusal, "the image's labels were refused");
            Ok(None)
        }
    }
}
