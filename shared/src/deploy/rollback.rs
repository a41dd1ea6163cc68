//! What a rollback by hand goes back to, and for how long it holds: read from the row and
//! the repository's images alone, so that planner, sweep and command agree.

use std::collections::{BTreeMap, BTreeSet};

use super::wanted::Wanted;
use crate::facts::ImageFact;
use crate::id::{ImageDigest, RepositoryName, TaskDefinitionArn, Timestamp};
use crate::image::select;
use crate::ledger::{Pin, Quarantine, RollbackTo, ServiceRow, ServiceState, Settled, in_force};
use crate::registry::Home;
use crate::spec::ServiceSpec;
use crate::task_definition::TaskDefinition;

/// What an order goes back to, as far as the row says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A release that was settled, with its revision.
    Recorded(Box<Settled>),
    /// An image that was never settled here: its revision is to be made.
    Image(ImageDigest),
    /// A revision that was never settled here.
    Revision(TaskDefinitionArn),
    /// Nothing was settled before.
    Nothing,
}

impl Target {
    /// The image, where it is known without looking at a revision.
    pub fn digest(&self) -> Option<&ImageDigest> {
        match self {
            Self::Recorded(settled) => Some(&settled.digest),
            Self::Image(digest) => Some(digest),
            Self::Revision(_) | Self::Nothing => None,
        }
    }

    /// The revision, where it was recorded or named.
    pub fn revision(&self) -> Option<&TaskDefinitionArn> {
        match self {
            Self::Recorded(settled) => Some(&settled.task_definition),
            Self::Revision(arn) => Some(arn),
            Self::Image(_) | Self::Nothing => None,
        }
    }
}

/// What can be gone back to, newest first. While a rollout goes on, what runs is the first.
///
/// What is in quarantine is not gone back to by itself: a rollback's `left` is, so that a
/// second rollback goes one further.
pub fn candidates(
    settled: Option<&Settled>,
    before: &[Settled],
    quarantine: &BTreeMap<ImageDigest, Quarantine>,
    is_rolling_out: bool,
    now: Timestamp,
) -> Vec<Settled> {
    let current = settled.filter(|_| is_rolling_out);
    let is_good = |it: &&Settled| quarantine.get(&it.digest).is_none_or(|why| !why.is_of_the_image(now));
    let runs = settled.filter(|_| !is_rolling_out).map(|settled| &settled.task_definition);
    current
        .into_iter()
        .chain(before)
        .filter(is_good)
        .filter(|it| Some(&it.task_definition) != runs)
        .cloned()
        .collect()
}

/// Finds what is meant among the `candidates`.
pub fn target(to: &RollbackTo, candidates: &[Settled]) -> Target {
    let recorded = |found: Option<&Settled>| found.map(|found| Target::Recorded(Box::new(found.clone())));
    match to {
        RollbackTo::Previous => recorded(candidates.first()).unwrap_or(Target::Nothing),
        RollbackTo::Digest(digest) => recorded(candidates.iter().find(|it| it.digest == *digest))
            .unwrap_or_else(|| Target::Image(digest.clone())),
        RollbackTo::Revision(arn) => recorded(candidates.iter().find(|it| it.task_definition == *arn))
            .unwrap_or_else(|| Target::Revision(arn.clone())),
    }
}

/// What a pass must look at before it goes back, by the row: the target of an order that
/// waits, or of a pin that the service does not follow yet. `None`: there is no rollback.
pub fn to_look_at(row: &ServiceRow, runs: Option<&TaskDefinitionArn>, now: Timestamp) -> Option<Target> {
    let state = &row.state;
    if let Some(order) = row.pending_rollback() {
        return Some(target(&order.to, &of_row(row, now)));
    }
    let pin = state.marks.pin.as_ref()?;
    (runs != Some(&pin.to.task_definition)).then(|| Target::Recorded(Box::new(pin.to.clone())))
}

/// The row's [`candidates`].
pub fn of_row(row: &ServiceRow, now: Timestamp) -> Vec<Settled> {
    let state = &row.state;
    let is_rolling_out = state.in_flight.is_some();
    candidates(state.settled.as_ref(), &state.marks.before, &row.quarantine, is_rolling_out, now)
}

/// Every image that a registry must keep for this service to run, and to go back.
pub fn needed(state: &ServiceState) -> BTreeSet<ImageDigest> {
    let begun = state.in_flight.iter().map(|begun| &begun.digest);
    let pinned = state.marks.pin.iter().map(|pin| &pin.to.digest);
    let settled = state.settled.iter().chain(&state.marks.before).map(|settled| &settled.digest);
    begun.chain(pinned).chain(settled).cloned().collect()
}

/// Why a rollback by hand holds no more.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PinEnd {
    /// The policy chooses something newer than what was left.
    Newer(ImageDigest),
    /// A person let what was left be deployed again.
    Released,
    /// It went back from what a spec made of the image, and the spec has changed since.
    OtherSpec,
}

/// Whether the pin holds no more.
///
/// 1. What was left is out of quarantine: a person wants it after all.
/// 2. Image and revision are two things: where only the spec was gone back from, a changed
///    spec ends it.
/// 3. The policy chooses an image that comes after the one that was left. An older one that
///    gets a tag does not: going back further is another order.
pub fn pin_ended(
    pin: &Pin,
    wanted: &Wanted,
    images: Option<&[ImageFact]>,
    quarantine: &BTreeMap<ImageDigest, Quarantine>,
    now: Timestamp,
) -> Option<PinEnd> {
    let spec: &ServiceSpec = &wanted.spec;
    let fingerprint = spec.fingerprint();
    if pin.to.digest == pin.left {
        if pin.to.spec != fingerprint {
            return Some(PinEnd::OtherSpec);
        }
    } else if !quarantine.contains_key(&pin.left) {
        return Some(PinEnd::Released);
    }
    let policy = &spec.image.policy;
    let chosen = select(policy, images?, &in_force(quarantine, &fingerprint, now)).chosen?;
    let is_other = chosen.digest != pin.left && chosen.digest != pin.to.digest;
    (is_other && policy.newer(pin, &chosen)).then_some(PinEnd::Newer(chosen.digest))
}

/// The image of this repository that a revision is pinned to.
pub fn pinned_digest(
    revision: &TaskDefinition,
    repository: &RepositoryName,
    home: &Home,
) -> Option<ImageDigest> {
    let images = revision.images();
    let mut pinned = images.iter().filter_map(|(_, image)| image.as_ref()?.split_once('@'));
    let (_, digest) = pinned.find(|(name, _)| home.before(name, repository).is_some())?;
    digest.parse().ok()
}

/// What was settled takes its place among what can be gone back to: newest first, each
/// revision once, without what runs now. A rollback's `left` does not: a second rollback goes
/// one further, and not back to it.
pub fn remember(before: &mut Vec<Settled>, old: &Settled, new: &Settled, pin: Option<&Pin>) {
    let went_back = pin.is_some_and(|pin| pin.to.digest == new.digest);
    before.retain(|it| ![&old.task_definition, &new.task_definition].contains(&&it.task_definition));
    if !went_back {
        before.insert(0, old.clone());
        before.truncate(crate::ledger::KEPT_SETTLED);
    }
}
