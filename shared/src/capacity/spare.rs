//! Which instances can be emptied because what is on them fits on the others, and why the rest is kept.
//!
//! 1. Tasks on DRAINING instances and the headroom are given their room first: it is kept free.
//! 2. Instances are tried one by one: taken out, and all that is on them that moves (a moved task may move
//!    on) placed on the others, the largest first. If anything has no place, the instance stays.
//! 3. This is done in two orders, the emptiest first and the dearest first; the one that saves more counts.
//!    Where groups have shares, before that: first of the group that is furthest above its own.
//! 4. The outcome is put to [`missing`]: with the instances gone it must ask for nothing, both where the tasks
//!    stand as planned here and where they have yet to find their places. Until that holds one instance fewer
//!    is emptied. So consolidating and buying never chase each other.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde::{Deserialize, Serialize};

use super::catalogue::{Catalogue, RowAt};
use super::fleet::{BinAt, Fleet, Put, State};
use super::instance::{Instance, InstanceState, Owner, Protection, Standing, TaskOn, UsdPerHour};
use super::missing::missing;
use super::offer::{GroupOffer, Supply};
use super::place::{Refusals, Wanted, pack, shapes};
use super::shape::Demand;
use super::why::{Proof, Why};
use crate::id::{
    AutoScalingGroupName, AvailabilityZone, ContainerInstanceArn, ServiceName, TaskArn, TaskGroup,
};

/// What may be done to empty instances.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SparePolicy {
    /// At most so many instances now; those that leave already are the caller's to count.
    pub budget: u32,
    /// Tasks that no service starts again.
    pub standalone: Touch,
    /// Tasks under scale-in protection.
    pub protected: Touch,
    /// Instances with the last healthy copies of a service.
    pub last_copies: Touch,
    /// Services whose tasks ECS starts elsewhere before it stops them: their last copies may move all the same.
    pub gapless: BTreeSet<ServiceName>,
    /// A zone in which its group would then have two or more fewer than in another one: Auto Scaling answers that
    /// (`AZRebalance`) with a launch there, and ends an instance where there are most, whatever runs on it.
    pub zones: Touch,
    /// Instances that are not to be touched, for the caller's own reasons: too young, protected from scale-in.
    pub exempt: BTreeSet<ContainerInstanceArn>,
    /// Those of [`Self::exempt`] that are so for a while only: where groups have shares and such an instance is
    /// of a group above its own, no instance of a group below its share goes in its place.
    pub for_now: BTreeSet<ContainerInstanceArn>,
}

/// Whether an instance with such tasks on it may be emptied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Touch {
    /// It is kept.
    #[default]
    Keep,
    /// It may be emptied; standalone tasks end with it.
    Allow,
}

/// What can be emptied. Indexes are those of the instances given to [`spare`], and of their tasks.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[must_use]
pub struct Consolidation {
    /// In the order in which they were found.
    pub emptied: Vec<Emptied>,
    /// Every other instance, in order, with the reason.
    pub kept: Vec<(usize, Kept)>,
    /// What goes away, as far as prices are known.
    pub saves: UsdPerHour,
    /// How many of the emptied have no known price.
    pub unpriced: u32,
}

/// An instance that can be emptied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Emptied {
    /// Which.
    pub instance: usize,
    /// Where its tasks have room.
    pub moves: Vec<Move>,
    /// Its tasks that nobody starts again.
    pub ends: Vec<usize>,
}

/// A task that would start elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Move {
    /// Which of the instance's tasks.
    pub task: usize,
    /// On which instance there is room for it.
    pub to: usize,
}

/// Why an instance is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kept {
    /// It is not ACTIVE with its agent connected: it leaves already, or nobody can tell what is on it.
    NotUsable,
    /// The caller exempted it.
    Exempt,
    /// It is of no group, or of one that was not offered.
    NoGroup,
    /// Its group's capacity may not be changed.
    Closed(AutoScalingGroupName, Supply),
    /// Its group has as few as it may have.
    AtMin {
        /// Which group.
        group: AutoScalingGroupName,
        /// How few.
        min: u32,
    },
    /// It is of its group's base, and other groups have instances beyond theirs.
    Base {
        /// Which group.
        group: AutoScalingGroupName,
        /// How many come there first.
        base: u32,
    },
    /// Another group has more than its share and gives one first, once it may.
    Share {
        /// Which other group.
        group: AutoScalingGroupName,
    },
    /// Without it its group would have two fewer in its zone than in another one.
    ZoneShort {
        /// Which group.
        group: AutoScalingGroupName,
        /// Which zone.
        zone: AvailabilityZone,
    },
    /// A task on it is protected from scale-in.
    Protected(TaskArn),
    /// A task on it would be lost.
    Standalone(TaskArn),
    /// No other instance has a healthy task of the service.
    LastCopy(ServiceName),
    /// The others have no room for tasks of a group that are on it, or for the headroom that is kept there.
    NoRoom(TaskGroup, Why),
    /// The headroom (or what drains) has no room even now.
    HeadroomShort(TaskGroup, Why),
    /// As many as may leave at once leave already.
    Budget(u32),
    /// Without it and the others that leave, what is wanted would have to be bought again.
    WouldBeMissed,
}

/// Which instances can be emptied now, beside `headroom` (and demand that waits for a place) being kept free.
///
/// # Guarantees
/// Everything that moves has room on the instances that are kept, all of it together, headroom included, by
/// ECS's rules. Groups stay at their minimum, the budget is kept. [`missing`] asks for nothing afterwards.
///
/// # Caveats
/// ECS chooses the places. Daemons neither move nor count; tasks that are being stopped need no new place.
pub fn spare(
    instances: &[Instance],
    offers: &[GroupOffer],
    headroom: &[Demand],
    policy: &SparePolicy,
) -> Consolidation {
    let mut demand = headroom.to_vec();
    demand.extend(displaced(instances));
    let catalogue = Catalogue::of(shapes(instances, &demand));
    let mut fleet = Fleet::new(&catalogue, instances, std::iter::empty());
    let wanted = Wanted::of(&catalogue, &demand);
    let before = fleet.state.clone();
    let reserved = pack(&mut fleet, &wanted, &before);
    if let Some((row, _)) = reserved.left.first().copied() {
        let why = Refusals { before: &before, wanted: &wanted }.why(&mut fleet, row);
        let short = Kept::HeadroomShort(catalogue.rows[row].shape.group.clone(), why);
        return Consolidation { kept: all(instances, |_| short.clone()), ..Consolidation::default() };
    }
    let start = fleet.state.clone();
    let offer_of = |it: &Instance| offers.iter().position(|offer| it.group.as_ref() == Some(&offer.name));
    let of_offer = instances.iter().map(offer_of).collect();
    let mut emptier = Emptier { fleet, start, instances, offers, of_offer, policy, reserved: &reserved.puts };
    emptier.best(&demand)
}

/// Tasks of services on instances that are DRAINING: ECS starts them elsewhere.
pub fn displaced(instances: &[Instance]) -> Vec<Demand> {
    let leaving = instances.iter().filter(|it| it.state == InstanceState::Draining);
    let moving = leaving.flat_map(|it| &it.tasks).filter(|it| moves(it));
    moving.map(|it| Demand::new(std::sync::Arc::clone(&it.shape), 1)).collect()
}

fn moves(task: &TaskOn) -> bool {
    matches!(task.owner, Owner::Service(_)) && task.standing != Standing::Leaving
}

fn all(instances: &[Instance], kept: impl Fn(usize) -> Kept) -> Vec<(usize, Kept)> {
    (0..instances.len()).map(|at| (at, kept(at))).collect()
}

struct Emptier<'a> {
    fleet: Fleet<'a>,
    /// With the headroom in its place.
    start: State,
    instances: &'a [Instance],
    offers: &'a [GroupOffer],
    /// Of each instance the offer of its group.
    of_offer: Vec<Option<usize>>,
    policy: &'a SparePolicy,
    reserved: &'a [Put],
}

/// Something that needs a place: a task of an instance, or a piece of the headroom.
#[derive(Debug, Clone, Copy)]
struct Item {
    row: RowAt,
    task: Option<(BinAt, usize)>,
}

/// One attempt at emptying as many as may be.
#[derive(Debug, Default)]
struct Attempt {
    items: Vec<Vec<Item>>,
    emptied: Vec<BinAt>,
    kept: BTreeMap<usize, Kept>,
    desired: BTreeMap<AutoScalingGroupName, u32>,
    /// How many of each offer are there and stay.
    staying: Vec<u32>,
    /// Offers of which an instance is kept for a while only.
    waits_for: BTreeSet<usize>,
    healthy: BTreeMap<ServiceName, u32>,
    saves: UsdPerHour,
}

impl Emptier<'_> {
    fn best(&mut self, demand: &[Demand]) -> Consolidation {
        let moving = |it: &Instance| it.tasks.iter().filter(|it| moves(it)).count();
        let emptiest = self.sorted(|it| (moving(it), Reverse(it.price.unwrap_or_default())));
        let dearest = self.sorted(|it| (Reverse(it.price.unwrap_or_default()), moving(it)));
        let mut most = self.policy.budget;
        loop {
            let attempts = [&emptiest, &dearest].map(|order| self.attempt(order, most));
            let best = attempts.into_iter().reduce(|best, next| {
                let rank = |it: &Attempt| (it.saves, it.emptied.len());
                if rank(&next) > rank(&best) { next } else { best }
            });
            let Some(best) = best else { return Consolidation::default() };
            if best.emptied.is_empty() || self.is_quiet_after(&best, demand) {
                return self.outcome(best);
            }
            most = u32::try_from(best.emptied.len() - 1).unwrap_or(u32::MAX);
        }
    }

    fn sorted<K: Ord>(&self, key: impl Fn(&Instance) -> K) -> Vec<BinAt> {
        let mut order: Vec<BinAt> = (0..self.instances.len()).collect();
        order.sort_by_key(|at| key(&self.instances[*at]));
        order
    }

    fn attempt(&mut self, order: &[BinAt], most: u32) -> Attempt {
        self.fleet.state.clone_from(&self.start);
        let mut attempt = self.begin();
        let mut undo = State::default();
        let mut open: VecDeque<BinAt> = order.iter().copied().collect();
        while let Some(bin) = self.next(&mut open, &attempt) {
            let kept = self.forbids(bin, &attempt).or_else(|| {
                let full = attempt.emptied.len() >= most as usize;
                let budget = if most < self.policy.budget { Kept::WouldBeMissed } else { Kept::Budget(most) };
                full.then_some(budget)
            });
            let kept = kept.or_else(|| {
                undo.clone_from(&self.fleet.state);
                let no_room = self.empty(bin, &mut attempt);
                if no_room.is_some() {
                    self.fleet.state.clone_from(&undo);
                }
                no_room
            });
            match kept {
                Some(kept) => {
                    let is_for_now = self.policy.for_now.contains(&self.instances[bin].arn);
                    attempt.waits_for.extend(self.of_offer[bin].filter(|_| is_for_now));
                    attempt.kept.insert(bin, kept);
                }
                None => self.commit(bin, &mut attempt),
            }
        }
        attempt
    }

    /// The next one to try: of the group whose last instance came last by the shares, and of those the first
    /// in order.
    fn next(&self, open: &mut VecDeque<BinAt>, attempt: &Attempt) -> Option<BinAt> {
        if self.offers.iter().all(|it| it.share.is_none()) {
            return open.pop_front();
        }
        let turns: Vec<_> =
            self.offers.iter().zip(&attempt.staying).map(|(it, count)| it.last_turn(*count)).collect();
        let last = |at: &usize| Reverse(self.of_offer[open[*at]].and_then(|offer| turns[offer]));
        let next = (0..open.len()).min_by_key(last)?;
        open.remove(next)
    }

    fn begin(&self) -> Attempt {
        let mut attempt = Attempt { items: vec![Vec::new(); self.instances.len()], ..Attempt::default() };
        attempt.staying = vec![0; self.offers.len()];
        for (bin, instance) in self.instances.iter().enumerate().filter(|(_, it)| it.is_usable()) {
            if let Some(offer) = self.of_offer[bin] {
                attempt.staying[offer] += 1;
            }
            for (at, task) in instance.tasks.iter().enumerate() {
                if moves(task) {
                    let row = self.fleet.catalogue.row_of(&task.shape);
                    attempt.items[bin].push(Item { row, task: Some((bin, at)) });
                }
                if let (Owner::Service(service), Standing::Healthy) = (&task.owner, task.standing) {
                    *attempt.healthy.entry(service.clone()).or_default() += 1;
                }
            }
        }
        for put in self.reserved {
            let items = std::iter::repeat_n(Item { row: put.row, task: None }, put.count as usize);
            attempt.items[put.bin].extend(items);
        }
        attempt.desired = self.offers.iter().map(|it| (it.name.clone(), it.desired)).collect();
        attempt
    }

    /// Why an instance may not be emptied, whatever room there is.
    fn forbids(&self, bin: BinAt, attempt: &Attempt) -> Option<Kept> {
        let instance = &self.instances[bin];
        if !instance.is_usable() {
            return Some(Kept::NotUsable);
        }
        if self.policy.exempt.contains(&instance.arn) {
            return Some(Kept::Exempt);
        }
        let Some(at) = self.of_offer[bin] else { return Some(Kept::NoGroup) };
        let offer = &self.offers[at];
        if !offer.is_ours() {
            return Some(Kept::Closed(offer.name.clone(), offer.supply));
        }
        if attempt.desired[&offer.name] <= offer.min {
            return Some(Kept::AtMin { group: offer.name.clone(), min: offer.min });
        }
        if let Some(kept) = self.forbids_by_share(at, attempt) {
            return Some(kept);
        }
        if self.policy.zones == Touch::Keep && self.leaves_a_zone_short(bin, offer, attempt) {
            return Some(Kept::ZoneShort { group: offer.name.clone(), zone: instance.zone.clone() });
        }
        let counted = instance.tasks.iter().filter(|it| it.standing != Standing::Leaving);
        let mut counted = counted.filter(|it| !matches!(it.owner, Owner::Daemon(_)));
        counted.find_map(|task| self.forbids_task(task)).or_else(|| {
            let on_it = healthy_on(instance).into_iter();
            let on_it = on_it.filter(|(service, _)| !self.policy.gapless.contains(*service));
            let mut last = on_it.filter(|(service, count)| attempt.healthy[*service] <= *count);
            let keep = self.policy.last_copies == Touch::Keep;
            last.next().filter(|_| keep).map(|(service, _)| Kept::LastCopy(service.clone()))
        })
    }

    /// A base stays as long as there is anything beyond the bases; and nothing goes in the place of what a group
    /// above its share gives back a while later.
    fn forbids_by_share(&self, at: usize, attempt: &Attempt) -> Option<Kept> {
        let (offer, staying) = (&self.offers[at], &attempt.staying);
        let share = offer.share?;
        let base = |it: &GroupOffer| it.share.map_or(0, |share| share.base);
        let mut others = self.offers.iter().zip(staying).filter(|(it, _)| it.name != offer.name);
        if staying[at] <= share.base && others.any(|(it, count)| *count > base(it)) {
            return Some(Kept::Base { group: offer.name.clone(), base: share.base });
        }
        // It would have had its next before the other one had its last.
        let is_above = |other: &&usize| {
            let last = self.offers[**other].last_turn(staying[**other]);
            last.is_some_and(|last| last > offer.turn(staying[at]))
        };
        let above = attempt.waits_for.iter().filter(|other| **other != at).find(is_above)?;
        Some(Kept::Share { group: self.offers[*above].name.clone() })
    }

    fn leaves_a_zone_short(&self, bin: BinAt, offer: &GroupOffer, attempt: &Attempt) -> bool {
        let in_zone = |zone: &AvailabilityZone| {
            let stays = |(at, it): &(BinAt, &Instance)| {
                it.group.as_ref() == Some(&offer.name)
                    && it.zone == *zone
                    && it.state == InstanceState::Active
                    && *at != bin
                    && !attempt.emptied.contains(at)
            };
            self.instances.iter().enumerate().filter(stays).count()
        };
        let most = offer.zones.iter().map(in_zone).max().unwrap_or(0);
        most >= in_zone(&self.instances[bin].zone) + 2
    }

    fn forbids_task(&self, task: &TaskOn) -> Option<Kept> {
        if task.protection == Protection::Protected && self.policy.protected == Touch::Keep {
            return Some(Kept::Protected(task.arn.clone()));
        }
        let is_lost = task.owner == Owner::Standalone && self.policy.standalone == Touch::Keep;
        is_lost.then(|| Kept::Standalone(task.arn.clone()))
    }

    /// Moves everything off a bin, or says what has no place. Then the fleet is to be put back.
    fn empty(&mut self, bin: BinAt, attempt: &mut Attempt) -> Option<Kept> {
        let items = &attempt.items[bin];
        self.fleet.take_out(bin, items.iter().map(|it| it.row));
        let mut counts: BTreeMap<RowAt, u32> = BTreeMap::new();
        for item in items {
            *counts.entry(item.row).or_default() += 1;
        }
        let mut rows: Vec<(RowAt, u32)> = counts.into_iter().collect();
        rows.sort_by_key(|(row, _)| Reverse(self.fleet.dominant(*row)));
        let mut puts = Vec::new();
        for (row, count) in rows {
            if self.fleet.settle(row, count, &mut puts) > 0 {
                let group = self.fleet.catalogue.rows[row].shape.group.clone();
                return Some(Kept::NoRoom(group, self.fleet.why(row, Proof::AfterOthers)));
            }
        }
        let mut items = std::mem::take(&mut attempt.items[bin]);
        for put in puts {
            for _ in 0..put.count {
                let Some(at) = items.iter().position(|it| it.row == put.row) else { break };
                attempt.items[put.bin].push(items.remove(at));
            }
        }
        None
    }

    fn commit(&self, bin: BinAt, attempt: &mut Attempt) {
        let instance = &self.instances[bin];
        attempt.emptied.push(bin);
        attempt.saves = attempt.saves.plus(instance.price.unwrap_or_default());
        if let Some(desired) = instance.group.as_ref().and_then(|it| attempt.desired.get_mut(it)) {
            *desired -= 1;
        }
        if let Some(offer) = self.of_offer[bin] {
            attempt.staying[offer] -= 1;
        }
        for (service, count) in healthy_on(instance) {
            if let Some(healthy) = attempt.healthy.get_mut(service) {
                *healthy -= count;
            }
        }
    }

    /// Whether nothing would be bought with the emptied gone: with their tasks where they are planned, and
    /// with their tasks still looking for a place.
    fn is_quiet_after(&self, attempt: &Attempt, demand: &[Demand]) -> bool {
        let is_gone = |at: &usize| attempt.emptied.contains(at);
        let mut offers = self.offers.to_vec();
        for offer in &mut offers {
            offer.desired = attempt.desired[&offer.name];
        }
        let mut planned: Vec<Instance> = self.instances.to_vec();
        let mut seeking = demand.to_vec();
        for (to, items) in attempt.items.iter().enumerate() {
            for (from, at) in items.iter().filter_map(|it| it.task).filter(|(from, _)| *from != to) {
                let task = &self.instances[from].tasks[at];
                seeking.push(Demand::new(std::sync::Arc::clone(&task.shape), 1));
                planned[to].take(task);
            }
        }
        let left = |of: &[Instance]| -> Vec<Instance> {
            of.iter().enumerate().filter(|(at, _)| !is_gone(at)).map(|(_, it)| it.clone()).collect()
        };
        let is_quiet = |instances: &[Instance], demand: &[Demand]| {
            let order = missing(instances, &offers, demand);
            order.groups.is_empty() && order.unplaceable.is_empty()
        };
        is_quiet(&left(&planned), demand) && is_quiet(&left(self.instances), &seeking)
    }

    fn outcome(&self, attempt: Attempt) -> Consolidation {
        let mut moves: BTreeMap<BinAt, Vec<Move>> = BTreeMap::new();
        for (to, items) in attempt.items.iter().enumerate() {
            for (from, task) in items.iter().filter_map(|it| it.task).filter(|(from, _)| *from != to) {
                moves.entry(from).or_default().push(Move { task, to });
            }
        }
        let emptied = attempt.emptied.iter().map(|bin| {
            let tasks = self.instances[*bin].tasks.iter().enumerate();
            let ends =
                tasks.filter(|(_, it)| it.owner == Owner::Standalone && it.standing != Standing::Leaving);
            let mut moves = moves.remove(bin).unwrap_or_default();
            moves.sort_by_key(|it| it.task);
            Emptied { instance: *bin, moves, ends: ends.map(|(at, _)| at).collect() }
        });
        let emptied: Vec<Emptied> = emptied.collect();
        let unpriced = attempt.emptied.iter().filter(|bin| self.instances[**bin].price.is_none()).count();
        Consolidation {
            emptied,
            kept: attempt.kept.into_iter().collect(),
            saves: attempt.saves,
            unpriced: u32::try_from(unpriced).unwrap_or(u32::MAX),
        }
    }
}

fn healthy_on(instance: &Instance) -> BTreeMap<&ServiceName, u32> {
    let mut counts = BTreeMap::new();
    for task in instance.tasks.iter().filter(|it| it.standing == Standing::Healthy) {
        if let Owner::Service(service) = &task.owner {
            *counts.entry(service).or_default() += 1;
        }
    }
    counts
}
