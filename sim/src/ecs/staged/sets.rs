//! How many tasks of which revision are wanted now.
//!
//! Outside of a staged deployment there is one set: the PRIMARY deployment's, and every
//! other task is old and replaced by it. Between a staged deployment's scale-up and its
//! clean-up there are two that do not know of each other.

use super::super::deployment::Rollout;
use super::super::service::{Service, ServiceStatus};
use super::super::strategy::{Share, Stage};
use super::progress::{Progress, Retreat, current};

/// Tasks of one revision that are wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Set {
    /// The deployment that its new tasks are of.
    pub(crate) deployment: String,
    pub(crate) revision: String,
    pub(crate) wanted: u32,
    /// Whether it starts what it lacks: a deployment that failed does not.
    pub(crate) starts: bool,
    pub(crate) scope: Scope,
}

/// What a set makes of the tasks of other revisions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// It replaces them.
    Replaces,
    /// They are no business of its.
    Own,
}

/// The sets of a service.
pub(crate) fn of(service: &Service) -> Vec<Set> {
    match current(service) {
        Some((release, progress)) if holds_sets_apart(progress) => {
            apart(service, &release.target, &release.sources, progress)
        }
        _ => whole(service).into_iter().collect(),
    }
}

/// How many tasks of a revision are wanted; `None` where no set says so.
pub(crate) fn wanted(service: &Service, revision: &str) -> Option<usize> {
    of(service).into_iter().find(|set| set.revision == revision).map(|set| set.wanted as usize)
}

/// A rolling deployment replaces one set by another, but for the time before it starts.
fn holds_sets_apart(progress: &Progress) -> bool {
    progress.strategy.has_two_sets() || (progress.stage < Stage::ScaleUp && progress.retreat.is_none())
}

fn whole(service: &Service) -> Option<Set> {
    let primary = service.primary()?;
    Some(Set {
        deployment: primary.id.clone(),
        revision: primary.revision.clone(),
        wanted: service.desired,
        starts: service.status == ServiceStatus::Active && primary.rollout != Rollout::Failed,
        scope: Scope::Replaces,
    })
}

fn apart(service: &Service, target: &str, sources: &[String], progress: &Progress) -> Vec<Set> {
    let mut sets = Vec::new();
    let mut add = |revision: &str, wanted: Option<u32>| {
        let of_revision = service.deployments.iter().find(|it| it.revision == revision);
        let source = progress.source.as_ref().filter(|it| it.revision == revision);
        let deployment = of_revision.map(|it| &it.id).or(source.map(|it| &it.deployment));
        if let (Some(deployment), Some(wanted)) = (deployment, wanted) {
            let (deployment, revision) = (deployment.clone(), revision.to_owned());
            sets.push(Set { deployment, revision, wanted, starts: true, scope: Scope::Own });
        }
    };
    // Where room is short, what serves comes first.
    let source = progress.source.as_ref().map(|it| it.revision.as_str());
    if let Some(source) = source {
        let runs = progress.retreat.is_some() || progress.stage < Stage::CleanUp;
        add(source, Some(if runs { service.desired } else { 0 }));
    }
    add(target, Some(if target_runs(progress) { service.desired } else { 0 }));
    for other in sources.iter().filter(|it| Some(it.as_str()) != source && *it != target) {
        let leaves = progress.reconciled || progress.stage == Stage::CleanUp;
        add(other, leaves.then_some(0));
    }
    if progress.production == Share::ALL && sets.len() > 1 {
        sets.swap(0, 1);
    }
    sets
}

fn target_runs(progress: &Progress) -> bool {
    progress.stage >= Stage::ScaleUp && progress.retreat != Some(Retreat::Clearing)
}
