//! Before a rollout begins: is there room for the tasks that it starts beside the old ones?
//!
//! 1. At first sight, by the instances as the pass has seen them anyway. Where they have room that is all.
//! 2. Else the plan asks for the cluster's capacity ([`crate::deploy::Plan::asks_for_room`]), and is made
//!    again with it: by the scale pass's own packer, and by what that pass can bring.
//! 3. Short of room it waits, goes slower, or goes all the same: by the spec, never without end and never
//!    without a word.
//!
//! While it waits the row says how much room is wanted ([`RoomWanted`]): the scale pass reads that.

use jiff::SignedDuration;

use super::{Planner, Stop};
use crate::deploy::plan::Made;
use crate::deploy::report::{Note, RoomNote, WhyItGoes};
use crate::deploy::wanted::Wanted;
use crate::facts::{ClusterFacts, Fact, LiveService};
use crate::id::{ImageDigest, TaskDefinitionArn, Timestamp};
use crate::ledger::{RoomWanted, WaitsOn};
use crate::rollout_settings::{Bounds, RolloutSettings};
use crate::scale;
use crate::scale::room::{Room, RoomQuestion, Short, Source};
use crate::spec::rollout::{AfterWait, IfShort, RoomSpec};
use crate::task_definition::TaskDefinition;

/// A rollout that waits for room is looked at again after this: at the next sweep.
const LOOK_AGAIN: SignedDuration = SignedDuration::from_secs(50);

/// Instances that were read longer ago say nothing of room: a rollout may have taken it since.
const FRESH: SignedDuration = SignedDuration::from_secs(5);

/// Whether the cluster's instances were read too long ago to tell of room.
pub fn is_stale(cluster: &Fact<ClusterFacts>, now: Timestamp) -> bool {
    let read_at = cluster.known().and_then(|cluster| cluster.read_at);
    read_at.is_some_and(|at| at.duration_until(now) > FRESH)
}

/// What a rollout starts beside what runs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Surge {
    /// So many tasks.
    pub(super) tasks: u32,
    /// Whether it can go task by task, with room for one.
    pub(super) steps: Steps,
}

/// Whether a rollout can do with less room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Steps {
    /// It goes task by task anyway: with room for one it only takes longer.
    OneByOne,
    /// A whole set at once; as a rolling update instead it could.
    AtOnce,
    /// It cannot go otherwise.
    Fixed,
}

/// How a rollout is to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pace {
    /// As the spec says.
    AsAsked,
    /// As a rolling update, for this once.
    Slower,
}

/// Of a service that is there. Of a rolling update what `max_percent` lets start beside the old tasks:
/// where that is nothing, ECS stops old ones first.
pub(super) fn surge(service: &LiveService, settings: &RolloutSettings) -> Surge {
    if settings.shift.has_two_sets() {
        return Surge { tasks: service.desired, steps: Steps::AtOnce };
    }
    let Bounds { least, most } =
        Bounds::of(service.desired, settings.min_healthy_percent, settings.max_percent);
    let beside = u32::try_from(most.saturating_sub(u64::from(service.desired))).unwrap_or(u32::MAX);
    // Where old ones may go first, it needs no room to go on.
    let tasks = if least < u64::from(service.desired) { 0 } else { beside };
    Surge { tasks: tasks.min(service.desired), steps: Steps::OneByOne }
}

impl Planner<'_> {
    /// Whether the rollout may begin for the room that there is, and how.
    ///
    /// # Errors
    ///
    /// It waits: the report says for what.
    pub(super) fn room(
        &mut self,
        wanted: &Wanted,
        digest: &ImageDigest,
        definition: &TaskDefinition,
        surge: Surge,
    ) -> Result<Pace, Waits> {
        // One that takes another one's place finds that one's room.
        if surge.tasks == 0 || self.going.is_some() {
            return Ok(Pace::AsAsked);
        }
        let placement = self.facts.service.known().map(|service| service.placement.clone());
        let placement = placement.unwrap_or_default();
        if !is_on_instances(&placement) {
            return Ok(Pace::AsAsked);
        }
        let service = &self.facts.key.service;
        let question = match RoomQuestion::of(service, definition, &placement, surge.tasks) {
            Ok(question) => question,
            Err(reason) => return Ok(self.untold(reason)),
        };
        let instances = self.facts.cluster.known().map(|it| it.instances.as_slice()).unwrap_or_default();
        if !is_stale(&self.facts.cluster, self.now) && question.fits_at_sight(instances) {
            return Ok(Pace::AsAsked);
        }
        let room = match &self.facts.room {
            Fact::Known(room) => room,
            Fact::NotAsked => {
                self.asks_for_room = true;
                return Ok(Pace::AsAsked);
            }
            Fact::Unreadable(what) => return Ok(self.untold(what.to_string())),
            Fact::Absent => return Ok(self.untold("the cluster is not there".to_owned())),
        };
        let settings = scale::Settings {
            region: self.settings.region.clone(),
            prices: std::collections::BTreeMap::new(),
            actor: self.settings.actor.clone(),
        };
        match question.judge(room, &settings, self.now) {
            Room::Enough => Ok(Pace::AsAsked),
            Room::Untold(reason) => Ok(self.untold(reason)),
            Room::Short(short) => self.short(wanted, digest, surge, &short),
        }
    }

    fn untold(&mut self, reason: String) -> Pace {
        self.notes.push(Note::Room(RoomNote::Untold { reason }));
        Pace::AsAsked
    }

    fn short(
        &mut self,
        wanted: &Wanted,
        digest: &ImageDigest,
        surge: Surge,
        short: &Short,
    ) -> Result<Pace, Waits> {
        let rollout = wanted.spec.rollout_or_default();
        let spec = rollout.room.unwrap_or_default();
        let since = self.row.state.marks.room.as_ref().map_or(self.now, |room| room.since);
        let waits = SignedDuration::from_mins(i64::from(spec.wait_minutes));
        let until = since.saturating_add(waits).unwrap_or(Timestamp::MAX);
        let (because, pace) = match self.settled_how(spec, surge, short, until) {
            Some(settled) => settled,
            None if self.bypass("the lack of room") => (WhyItGoes::Bypass, Pace::AsAsked),
            None => return Err(self.waits_for_room(wanted, digest, surge, short, (spec, since, until))),
        };
        self.notes.push(Note::Room(RoomNote::Goes {
            digest: digest.clone(),
            tasks: surge.tasks,
            placed: short.placed,
            why: short.why.to_string(),
            because,
        }));
        Ok(pace)
    }

    /// Why it begins now, and how; `None`: it waits.
    fn settled_how(
        &self,
        spec: RoomSpec,
        surge: Surge,
        short: &Short,
        until: Timestamp,
    ) -> Option<(WhyItGoes, Pace)> {
        let refused = match &short.source {
            Source::Refused(why) => Some(why.clone()),
            Source::Comes(_) | Source::Managed(_) | Source::Nobody => None,
        };
        let goes_on_one = short.placed > 0 && surge.steps != Steps::Fixed;
        let is_up = self.now >= until;
        let may_go = spec.then == AfterWait::Go;
        match (&short.source, spec.if_short) {
            (_, IfShort::Go) => Some((WhyItGoes::Spec, Pace::AsAsked)),
            (Source::Managed(group), _) => Some((WhyItGoes::Managed(group.clone()), Pace::AsAsked)),
            (_, IfShort::Slower) if goes_on_one => Some((WhyItGoes::Slower, surge.steps.slower())),
            (Source::Refused(why), _) if goes_on_one && surge.steps == Steps::OneByOne => {
                Some((WhyItGoes::TaskByTask(why.clone()), Pace::AsAsked))
            }
            (Source::Nobody, _) if may_go => Some((WhyItGoes::Nobody, Pace::AsAsked)),
            (_, _) if is_up && may_go => Some((WhyItGoes::TimeIsUp(refused), Pace::AsAsked)),
            (_, _) => None,
        }
    }

    fn waits_for_room(
        &mut self,
        wanted: &Wanted,
        digest: &ImageDigest,
        surge: Surge,
        short: &Short,
        (spec, since, until): (RoomSpec, Timestamp, Timestamp),
    ) -> Waits {
        let (comes, refused) = match &short.source {
            Source::Comes(words) => (Some(words.clone()), None),
            Source::Refused(why) => (None, Some(why.clone())),
            Source::Managed(_) | Source::Nobody => (None, None),
        };
        let until = (spec.then == AfterWait::Go).then_some(until);
        self.notes.push(Note::Room(RoomNote::Waits {
            would: digest.clone(),
            tasks: surge.tasks,
            placed: short.placed,
            why: short.why.to_string(),
            comes,
            refused,
            until,
        }));
        let soon = self.now.saturating_add(LOOK_AGAIN).unwrap_or(Timestamp::MAX);
        self.waits(wanted, digest, WaitsOn::Room, Some(soon));
        Waits { tasks: surge.tasks, since }
    }

    /// Has the row say for which revision room is wanted. One that this very pass registers gets its
    /// name once that is done.
    pub(super) fn want_room<T>(
        &mut self,
        waits: Waits,
        revision: Made<TaskDefinitionArn>,
    ) -> Result<T, Stop> {
        let task_definition = match revision {
            Made::Already(arn) => arn,
            Made::ByThisPlan(family) => TaskDefinitionArn::new(family),
        };
        self.marks.room = Some(RoomWanted { tasks: waits.tasks, task_definition, since: waits.since });
        Err(Stop)
    }
}

/// A rollout waits for room.
#[derive(Debug, Clone, Copy)]
pub(super) struct Waits {
    tasks: u32,
    since: Timestamp,
}

impl Steps {
    fn slower(self) -> Pace {
        if self == Self::AtOnce { Pace::Slower } else { Pace::AsAsked }
    }
}

/// Whether ECS places its tasks on instances of the cluster.
fn is_on_instances(placement: &scale::facts::Placement) -> bool {
    let is_elsewhere = |name: &String| name == "FARGATE" || name == "FARGATE_SPOT";
    matches!(placement.launch_type.as_str(), "EC2" | "") && !placement.providers.iter().any(is_elsewhere)
}
