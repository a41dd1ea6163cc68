//! What a staged deployment remembers of its way: kept with its release, through restarts.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::super::deployment::{Completed, Release};
use super::super::service::{Service, ServiceStatus};
use super::super::strategy::{HookAction, HookKind, Share, Stage, Strategy};
use crate::time::Time;

/// Where a release stands.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Progress {
    pub(crate) strategy: Strategy,
    pub(crate) stage: Stage,
    /// When the stage began.
    pub(crate) since: Time,
    /// Whether what the stage does at its beginning (weights, hooks) is done.
    pub(crate) begun: bool,
    /// What serves, and what a rollback goes back to.
    pub(crate) source: Option<Completed>,
    /// The shares of production traffic that the target gets, in order…
    pub(crate) steps: Vec<Share>,
    /// …and how many of them it has got.
    pub(crate) step: usize,
    /// The target's share of production traffic now.
    pub(crate) production: Share,
    /// The target's share of test traffic now.
    pub(crate) test: Share,
    /// The same in every invocation of this deployment's hooks.
    pub(crate) execution: String,
    /// The hooks of the stage.
    pub(crate) hooks: Vec<HookRun>,
    /// What each function handed on for its next call, by its place in the configuration.
    pub(crate) details: BTreeMap<usize, Value>,
    /// The rollback, once it has begun.
    pub(crate) retreat: Option<Retreat>,
    /// Whether the tasks of superseded revisions may be stopped.
    pub(crate) reconciled: bool,
}

impl Progress {
    /// Whether the target serves for good, and the source's tasks leave.
    pub(crate) fn is_cleaning_up(&self) -> bool {
        self.stage == Stage::CleanUp && self.retreat.is_none()
    }
}

/// A hook at work.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct HookRun {
    pub(crate) id: String,
    /// Its place in the configuration.
    pub(crate) index: usize,
    pub(crate) kind: HookKind,
    pub(crate) function: Option<String>,
    #[serde(default)] // a state from before it was kept
    pub(crate) role: Option<String>,
    /// The stage that it is told.
    pub(crate) stage: Stage,
    pub(crate) status: HookStatus,
    pub(crate) expires_at: Time,
    pub(crate) timeout_action: HookAction,
    /// When the function is to be called again.
    pub(crate) again_at: Option<Time>,
}

/// `lifecycleHookDetails[].status`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum HookStatus {
    AwaitingAction,
    InProgress,
    Succeeded,
    Failed,
    TimedOut,
}

impl HookStatus {
    /// How the event about a pause in this status is called: its type and its name.
    pub(crate) fn event(self) -> (&'static str, &'static str) {
        match self {
            Self::AwaitingAction => ("INFO", "HOOK_AWAITING_ACTION"),
            Self::InProgress => ("INFO", "HOOK_IN_PROGRESS"),
            Self::Succeeded => ("INFO", "HOOK_SUCCEEDED"),
            Self::Failed => ("ERROR", "HOOK_FAILED"),
            Self::TimedOut => ("ERROR", "HOOK_TIMED_OUT"),
        }
    }

    /// Whether it is still at work.
    pub(crate) fn is_open(self) -> bool {
        matches!(self, Self::AwaitingAction | Self::InProgress)
    }
}

/// How far a rollback is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Retreat {
    /// The source is brought up to its count, then gets its traffic back.
    Restoring,
    /// The functions at the traffic stages hear of it.
    Telling,
    /// The target's tasks leave.
    Clearing,
}

/// The release under way of an active service, where it goes through stages.
pub(crate) fn current(service: &Service) -> Option<(&Release, &Progress)> {
    let release = service.releases.last().filter(|it| !it.status.is_over())?;
    let progress = release.progress.as_ref()?;
    (service.status == ServiceStatus::Active).then_some((release, progress))
}

/// The same, to be changed.
pub(crate) fn current_mut(service: &mut Service) -> Option<&mut Progress> {
    current(service)?;
    service.releases.last_mut()?.progress.as_mut()
}

/// A revision's share of production traffic in percent, while weights move.
pub(crate) fn weight(service: &Service, revision: &str) -> Option<f64> {
    let (release, progress) = current(service).filter(|(_, it)| it.strategy.has_two_sets())?;
    let is_source = progress.source.as_ref().is_some_and(|it| it.revision == revision);
    let share = match (release.target == revision, is_source) {
        (true, _) => progress.production,
        (false, true) => progress.production.rest(),
        (false, false) => Share::NONE,
    };
    Some(share.percent())
}
