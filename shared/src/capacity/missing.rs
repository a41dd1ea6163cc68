//! How many instances of which group are missing for the tasks that are wanted: all of them in one step.
//!
//! 1. What is there and what is launching is filled first ([`super::place`]'s way), before all with what no
//!    group could help.
//! 2. For the rest new instances are opened one at a time, each in the zone that Auto Scaling would choose
//!    (the one with the fewest of the group), from the group that takes most for its price, and filled.
//!    This is done in several ways: the largest first and by what goes best with what is free; from all
//!    groups, and from each one alone. The way that leaves the fewest tasks counts; of those the cheapest,
//!    then the one with the fewest instances.
//! 3. While all still fits with one instance fewer, it is left away.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::catalogue::{Catalogue, RowAt};
use super::fleet::{BinAt, Fill, Fleet, Fresh, Put, State};
use super::instance::{Attributes, Instance, UsdPerHour};
use super::offer::{GroupOffer, Supply};
use super::place::{ALIGNED_ROWS_MAX, Refusals, Wanted, pack, shapes};
use super::resources::Resources;
use super::shape::Demand;
use super::share::Turn;
use super::why::{Lack, Obstacle, Why};
use crate::id::{AutoScalingGroupName, AvailabilityZone};

/// What is to be bought. Empty where nothing is missing, or nothing helps.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[must_use]
pub struct Order {
    /// How many more of which group; only groups with any.
    pub groups: BTreeMap<AutoScalingGroupName, More>,
    /// How many tasks wait for instances that are launching already.
    pub on_launching: u32,
    /// Tasks that neither what there is nor any group can give a place, in order of demand.
    pub unplaceable: Vec<Unplaceable>,
}

/// How many instances more of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct More {
    /// How many.
    pub more: u32,
    /// Its desired capacity with them.
    pub desired: u32,
    /// What they cost, at most, where the price table knows it.
    pub price: Option<UsdPerHour>,
    /// How many tasks they are for.
    pub tasks: u32,
}

/// Tasks without a place, and with none to be bought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unplaceable {
    /// Which demand.
    pub demand: usize,
    /// How many of its tasks; never 0.
    pub count: u32,
    /// Why what there is does not take them.
    pub why: Why,
    /// Why each group does not help, in the order of the offers.
    pub groups: Vec<(AutoScalingGroupName, NoHelp)>,
}

/// Why a group does not help.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoHelp {
    /// Its capacity may not be changed.
    Closed(Supply),
    /// It has as many as it may have.
    AtMax {
        /// How many.
        max: u32,
    },
    /// Nothing is known of what would come: no machine, no zone.
    Unknown,
    /// A task does not fit on a new instance though nothing else is there.
    TooSmall(Vec<Lack>),
    /// A constraint keeps the task off every instance that may come.
    Excluded(Obstacle),
}

/// Which instances are missing for the demand, beside what is on the instances now.
///
/// # Guarantees
/// With the instances ordered (in the zones that Auto Scaling balances to) everything fits that is not in
/// [`Order::unplaceable`]. Groups that are not [`Supply::Open`] are never in the order, and none beyond its
/// maximum. Asked again with these instances in [`GroupOffer::launching`], it asks for nothing more.
///
/// # Caveats
/// The fewest instances are not always found: bin packing is hard. In one dimension at most 11/9 of the
/// best, and one; the tests compare with exact solutions.
pub fn missing(instances: &[Instance], offers: &[GroupOffer], demand: &[Demand]) -> Order {
    let catalogue = Catalogue::of(shapes(instances, demand));
    let stalls: Vec<Stall<'_>> = offers.iter().map(Stall::new).collect();
    let zones = offers.iter().flat_map(|it| &it.zones);
    let launching = offers.iter().flat_map(|it| it.launching.iter().flatten());
    let fleet = Fleet::new(&catalogue, instances, zones.chain(launching));
    let wanted = Wanted::of(&catalogue, demand);
    let mut buyer = Buyer::new(fleet, &stalls, instances, wanted);
    let packed = pack(&mut buyer.fleet, &buyer.wanted, &buyer.before);
    let on_launching = packed.puts.iter().filter(|it| it.bin >= instances.len()).map(|it| it.count).sum();
    if packed.left.is_empty() {
        return Order { on_launching, ..Order::default() };
    }
    let basket = buyer.shop(&packed.left);
    let unplaceable = buyer.unplaceable(&basket);
    Order { groups: buyer.order(&basket), on_launching, unplaceable }
}

/// An offer made ready.
struct Stall<'a> {
    offer: &'a GroupOffer,
    capacity: Resources,
    /// Its zones, those where something launches included, each with what may come there.
    zones: Vec<(&'a AvailabilityZone, Vec<Attributes>)>,
    name: String,
}

impl<'a> Stall<'a> {
    fn new(offer: &'a GroupOffer) -> Self {
        let mut zones: Vec<&AvailabilityZone> = offer.zones.iter().collect();
        zones.extend(offer.launching.iter().flatten());
        zones.sort();
        zones.dedup();
        Self {
            offer,
            capacity: offer.capacity(),
            zones: zones.into_iter().map(|it| (it, offer.possible_attributes(it))).collect(),
            name: format!("a new instance of {}", offer.name),
        }
    }

    fn is_sellable(&self) -> bool {
        self.offer.supply == Supply::Open && !self.offer.machines.is_empty() && !self.offer.zones.is_empty()
    }
}

/// How many a stall has in each zone, and how many in all.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Stock {
    in_zone: Vec<u32>,
    desired: u32,
}

/// What one way of shopping came to.
#[derive(Debug, Default)]
struct Basket {
    /// Per stall, how many.
    bought: Vec<u32>,
    /// Per stall, for how many tasks.
    tasks: Vec<u32>,
    left: Vec<(RowAt, u32)>,
    price: u128,
    /// Whether the next pass finds places for all but what is left.
    holds: bool,
    /// By stall and zone, what the last instance took: the next one takes the same while so many are left, so
    /// that a thousand instances are not worked out one by one.
    last: BTreeMap<(usize, usize), Load>,
}

/// What one instance takes: how many of which row.
type Load = Vec<(RowAt, u32)>;

/// One instance, or a few of which only the last is of use.
#[derive(Debug, Clone)]
struct Pick {
    stall: usize,
    /// Instances to open until the zone comes where it is of use.
    opened: u32,
    /// What the last of them takes.
    load: Load,
    value: u64,
    price: u64,
    all: bool,
}

struct Buyer<'a> {
    fleet: Fleet<'a>,
    stalls: &'a [Stall<'a>],
    stocks: Vec<Stock>,
    wanted: Wanted,
    /// With what launches, before any of the demand was placed.
    before: State,
}

/// How many instances more than counted out are tried before the order is let go as it is.
const GROW_MAX: u32 = 8;
/// Beyond so many instances one fewer is not worth packing everything anew.
const TRIM_MAX: u32 = 64;
/// What an instance without a known price counts as: dearer than all that have one.
const UNKNOWN_PRICE: u64 = 1 << 40;

impl<'a> Buyer<'a> {
    fn new(fleet: Fleet<'a>, stalls: &'a [Stall<'a>], instances: &[Instance], wanted: Wanted) -> Self {
        let mut this = Self { fleet, stalls, stocks: Vec::new(), wanted, before: State::default() };
        let capacities = stalls.iter().filter(|it| it.is_sellable()).map(|it| it.capacity);
        this.fleet
            .weigh(instances.iter().filter(|it| it.is_usable()).map(|it| it.registered).chain(capacities));
        for (at, stall) in stalls.iter().enumerate() {
            let there = |zone: &AvailabilityZone| {
                let of_group = instances.iter().filter(|it| it.group.as_ref() == Some(&stall.offer.name));
                u32::try_from(of_group.filter(|it| it.zone == *zone).count()).unwrap_or(u32::MAX)
            };
            let in_zone = stall.zones.iter().map(|(zone, _)| there(zone)).collect();
            this.stocks.push(Stock { in_zone, desired: stall.offer.desired });
            for zone in &stall.offer.launching {
                let known = zone.as_ref().and_then(|it| stall.zones.iter().position(|(zone, _)| *zone == it));
                if let Some(zone) = known.or_else(|| this.next_zone(at)) {
                    this.open(at, zone);
                }
            }
        }
        this.before = this.fleet.state.clone();
        let rows: Vec<RowAt> = this.wanted.rows.iter().map(|(row, _)| *row).collect();
        this.wanted.first = rows.into_iter().filter(|row| !this.can_buy_for(*row)).collect();
        this
    }

    /// The zone that Auto Scaling would choose: the fewest of the group, of those the first by name.
    fn next_zone(&self, stall: usize) -> Option<usize> {
        let in_zone = &self.stocks[stall].in_zone;
        let offered = |at: &usize| self.stalls[stall].offer.zones.contains(self.stalls[stall].zones[*at].0);
        (0..in_zone.len()).filter(offered).min_by_key(|at| in_zone[*at])
    }

    fn open(&mut self, stall: usize, zone: usize) -> BinAt {
        let it = &self.stalls[stall];
        let (at, attributes) = &it.zones[zone];
        self.stocks[stall].in_zone[zone] += 1;
        self.fleet.add_fresh(Fresh {
            name: &it.name,
            zone: at,
            capacity: it.capacity,
            used_ports: &it.offer.used_ports,
            attributes,
        })
    }

    /// Whether an instance of any group would take a task of the row. Maxima do not count: a group that came
    /// to its maximum by this order must not change what the next pass finds.
    fn can_buy_for(&mut self, row: RowAt) -> bool {
        (0..self.stalls.len()).any(|stall| matches!(self.no_help(stall, row), NoHelp::AtMax { .. }))
    }

    /// The best of several ways; the fleet is left as it was found.
    fn shop(&mut self, left: &[(RowAt, u32)]) -> Basket {
        let mut left = left.to_vec();
        left.sort_by_key(|(row, _)| Reverse(self.fleet.dominant(*row)));
        let mut only: Vec<Option<usize>> = vec![None];
        let by_price = self.stalls.iter().all(|it| it.offer.share.is_none());
        if by_price && self.stalls.len() > 1 {
            only.extend((0..self.stalls.len()).map(Some));
        }
        let fills: &[Fill] =
            if left.len() > ALIGNED_ROWS_MAX { &[Fill::InOrder] } else { &[Fill::InOrder, Fill::Aligned] };
        let ways = only.iter().flat_map(|only| fills.iter().map(move |fill| (*only, *fill)));
        let mut baskets: Vec<Basket> = ways.map(|(only, fill)| self.shop_in(&left, only, fill)).collect();
        baskets.sort_by_key(|it| self.rank(it));
        // A way of filling new instances is of no use if the next pass does not find it again.
        let found = baskets.iter().position(|it| self.holds(it));
        let mut best = baskets.swap_remove(found.unwrap_or(0));
        best.holds = found.is_some() || self.grow(&mut best);
        self.trim(best)
    }

    /// One instance more at a time, of those that were picked, until everything is found a place; whether it is.
    fn grow(&mut self, basket: &mut Basket) -> bool {
        for _ in 0..GROW_MAX {
            let has_more = |stall: &usize| {
                let count = self.stocks[*stall].desired + basket.bought[*stall];
                basket.bought[*stall] > 0 && count < self.stalls[*stall].offer.max
            };
            let stalls = (0..self.stalls.len()).filter(has_more);
            let turn = |stall: &usize| self.turn(*stall, basket.bought[*stall]);
            let Some(stall) = stalls.min_by_key(turn) else { return false };
            basket.bought[stall] += 1;
            if self.holds(basket) {
                return true;
            }
        }
        false
    }

    /// Smaller is better.
    fn rank(&self, basket: &Basket) -> (u128, u128, u32) {
        (self.left_over(&basket.left), basket.price, basket.bought.iter().sum())
    }

    fn left_over(&self, left: &[(RowAt, u32)]) -> u128 {
        let each = left.iter();
        each.map(|(row, count)| u128::from(self.volume(*row)) * u128::from(*count)).sum()
    }

    /// What a task counts for; never 0.
    fn volume(&self, row: RowAt) -> u64 {
        self.fleet.volume(row).max(1)
    }

    fn shop_in(&mut self, left: &[(RowAt, u32)], only: Option<usize>, fill: Fill) -> Basket {
        let (stocks, mut opened) = (self.stocks.clone(), Vec::new());
        let mut basket = Basket {
            bought: vec![0; self.stalls.len()],
            tasks: vec![0; self.stalls.len()],
            left: left.to_vec(),
            ..Basket::default()
        };
        while !basket.left.is_empty() {
            let preferred = only.and_then(|stall| self.try_stall(stall, &mut basket, fill));
            let Some(pick) = preferred.or_else(|| self.best_pick(&mut basket, fill)) else { break };
            self.buy(pick, &mut basket, &mut opened);
        }
        self.stocks = stocks;
        while let Some(puts) = opened.pop() {
            self.fleet.pop_fresh(&puts);
        }
        basket
    }

    /// The group whose turn it is by its share; else the most for the price, and at the end the cheapest that
    /// takes all that is left.
    fn best_pick(&mut self, basket: &mut Basket, fill: Fill) -> Option<Pick> {
        let picks: Vec<Pick> =
            (0..self.stalls.len()).filter_map(|stall| self.try_stall(stall, basket, fill)).collect();
        let turn = |pick: &Pick| self.turn(pick.stall, basket.bought[pick.stall]);
        let first = picks.iter().map(turn).min()?;
        let picks = picks.iter().filter(|it| turn(it) == first);
        // price / value, without dividing: the value is never 0.
        let cheaper = |left: &&Pick, right: &&Pick| {
            let cross = |one: &Pick, other: &Pick| u128::from(one.price) * u128::from(other.value);
            cross(left, right).cmp(&cross(right, left)).then(left.stall.cmp(&right.stall))
        };
        let last = picks.clone().filter(|it| it.all).min_by_key(|it| (it.price, it.stall));
        last.or_else(|| picks.min_by(cheaper)).cloned()
    }

    /// Whose turn it is among groups with shares; the smaller first.
    fn turn(&self, stall: usize, bought: u32) -> Turn {
        self.stalls[stall].offer.turn(self.stocks[stall].desired.saturating_add(bought))
    }

    /// What the next instance of a stall would take, were it opened; nothing stays open.
    fn try_stall(&mut self, stall: usize, basket: &mut Basket, fill: Fill) -> Option<Pick> {
        let it = &self.stalls[stall];
        let count = self.stocks[stall].desired + basket.bought[stall];
        let before = self.stocks[stall].clone();
        let mut pick = None;
        // In the worst case the zone that is of use comes last.
        for opened in 1..=u32::try_from(it.offer.zones.len()).unwrap_or(u32::MAX) {
            if !it.is_sellable() || count + opened > it.offer.max {
                break;
            }
            let Some(zone) = self.next_zone(stall) else { break };
            let load = self.load(stall, zone, basket, fill);
            self.stocks[stall].in_zone[zone] += 1;
            if !load.is_empty() {
                let value = load.iter().map(|(row, count)| self.volume(*row) * u64::from(*count)).sum();
                let all = total(&load) == total(&basket.left);
                let price = it.offer.price_of_more(count, opened);
                let price = price.map_or(UNKNOWN_PRICE * u64::from(opened), |it| it.micros);
                pick = Some(Pick { stall, opened, load, value, price, all });
                break;
            }
        }
        self.stocks[stall] = before;
        pick
    }

    /// What a fresh instance of a stall in a zone takes of what is left. With less left of what it does not
    /// take it takes the same; so what the last one took stands, while there is as much of it.
    fn load(&mut self, stall: usize, zone: usize, basket: &mut Basket, fill: Fill) -> Load {
        let left_of = |row: RowAt| basket.left.iter().find(|it| it.0 == row).map_or(0, |it| it.1);
        let last = basket.last.get(&(stall, zone));
        if let Some(last) = last.filter(|it| it.iter().all(|(row, count)| left_of(*row) >= *count)) {
            return last.clone();
        }
        let before = self.stocks[stall].clone();
        let bin = self.open(stall, zone);
        let (mut left, mut puts) = (basket.left.clone(), Vec::new());
        self.fleet.fill(bin, &mut left, fill, &mut puts);
        self.fleet.pop_fresh(&puts);
        self.stocks[stall] = before;
        let taken = basket.left.iter().zip(&left).map(|((row, had), (_, has))| (*row, had - has));
        let load: Load = taken.filter(|(_, count)| *count > 0).collect();
        basket.last.insert((stall, zone), load.clone());
        load
    }

    /// Opens what was picked, and fills the last of it.
    fn buy(&mut self, pick: Pick, basket: &mut Basket, opened: &mut Vec<Vec<Put>>) {
        let mut bin = None;
        for _ in 0..pick.opened {
            let Some(zone) = self.next_zone(pick.stall) else { break };
            bin = Some(self.open(pick.stall, zone));
            opened.push(Vec::new());
        }
        let (Some(bin), Some(puts)) = (bin, opened.last_mut()) else { return };
        for (row, count) in pick.load {
            (0..count).for_each(|_| self.fleet.put(row, bin));
            basket.left.iter_mut().filter(|it| it.0 == row).for_each(|it| it.1 -= count);
            basket.tasks[pick.stall] += count;
            puts.push(Put { row, bin, count });
        }
        basket.left.retain(|(_, count)| *count > 0);
        basket.bought[pick.stall] += pick.opened;
        basket.price += u128::from(pick.price);
    }

    /// Leaves one away while all still fits, packed anew over what would be bought: first of the group whose
    /// turn came last.
    fn trim(&mut self, mut basket: Basket) -> Basket {
        if basket.bought.iter().sum::<u32>() > TRIM_MAX {
            return basket;
        }
        let mut open: Vec<usize> = (0..self.stalls.len()).collect();
        loop {
            open.retain(|stall| basket.bought[*stall] > 0);
            let last = |stall: &usize| Reverse(self.turn(*stall, basket.bought[*stall] - 1));
            let Some(stall) = open.iter().copied().min_by_key(last) else { return basket };
            basket.bought[stall] -= 1;
            if !self.holds(&basket) {
                basket.bought[stall] += 1;
                open.retain(|it| *it != stall);
            }
        }
    }

    /// Whether the whole demand, packed anew over what there would be, leaves no more than the basket does.
    fn holds(&mut self, basket: &Basket) -> bool {
        let left: Vec<(RowAt, u32)> = self.leaves(basket, false).iter().map(|it| (it.0, it.1)).collect();
        self.left_over(&left) <= self.left_over(&basket.left)
    }

    /// What the whole demand, packed anew over what there would be, leaves without a place; and why, if asked.
    fn leaves(&mut self, basket: &Basket, with_why: bool) -> Vec<(RowAt, u32, Option<Why>)> {
        let packed = std::mem::replace(&mut self.fleet.state, self.before.clone());
        let (stocks, count) = (self.stocks.clone(), self.fleet.len());
        for (stall, more) in basket.bought.iter().enumerate() {
            for _ in 0..*more {
                if let Some(zone) = self.next_zone(stall) {
                    self.open(stall, zone);
                }
            }
        }
        let before = self.fleet.state.clone();
        let left = pack(&mut self.fleet, &self.wanted, &before).left;
        let refusals = Refusals { before: &before, wanted: &self.wanted };
        let each = left.into_iter();
        let left =
            each.map(|(row, n)| (row, n, with_why.then(|| refusals.why(&mut self.fleet, row)))).collect();
        while self.fleet.len() > count {
            self.fleet.pop_fresh(&[]);
        }
        self.fleet.state = packed;
        self.stocks = stocks;
        left
    }

    fn order(&self, basket: &Basket) -> BTreeMap<AutoScalingGroupName, More> {
        let mut groups = BTreeMap::new();
        for (stall, more) in basket.bought.iter().copied().enumerate().filter(|(_, more)| *more > 0) {
            let (offer, desired) = (self.stalls[stall].offer, self.stocks[stall].desired);
            let price = offer.price_of_more(desired, more);
            let more = More { more, desired: desired + more, price, tasks: basket.tasks[stall] };
            groups.insert(offer.name.clone(), more);
        }
        groups
    }

    /// What has no place even with what is bought, as the next pass will find it.
    fn unplaceable(&mut self, basket: &Basket) -> Vec<Unplaceable> {
        let mut unplaceable = Vec::new();
        if basket.holds && basket.left.is_empty() {
            return unplaceable;
        }
        for (row, count, why) in self.leaves(basket, true) {
            let names = self.stalls.iter().map(|it| it.offer.name.clone());
            let helps = (0..self.stalls.len()).map(|stall| self.no_help(stall, row));
            let groups: Vec<(AutoScalingGroupName, NoHelp)> = names.zip(helps).collect();
            let Some(why) = why else { continue };
            let parts = self.wanted.split_left(vec![(row, count, why)]);
            unplaceable.extend(parts.into_iter().map(|it| Unplaceable {
                demand: it.demand,
                count: it.count,
                why: it.why,
                groups: groups.clone(),
            }));
        }
        unplaceable.sort_by_key(|it| it.demand);
        unplaceable
    }

    /// Why a stall has nothing for a row. What could be of use but is sold out is at its maximum.
    fn no_help(&mut self, stall: usize, row: RowAt) -> NoHelp {
        let offer = self.stalls[stall].offer;
        if offer.supply != Supply::Open {
            return NoHelp::Closed(offer.supply);
        }
        if !self.stalls[stall].is_sellable() {
            return NoHelp::Unknown;
        }
        let mut excluded = None;
        for zone in 0..self.stalls[stall].zones.len() {
            let before = self.stocks[stall].clone();
            let bin = self.open(stall, zone);
            let (obstacle, why) = (self.fleet.obstacle(row, bin), self.fleet.lacks(row, bin));
            self.fleet.pop_fresh(&[]);
            self.stocks[stall] = before;
            match obstacle {
                None => return NoHelp::AtMax { max: offer.max },
                Some(Obstacle::Short(_) | Obstacle::Ports) => return NoHelp::TooSmall(why),
                Some(obstacle) => excluded = Some(obstacle),
            }
        }
        excluded.map_or(NoHelp::Unknown, NoHelp::Excluded)
    }
}

fn total(load: &[(RowAt, u32)]) -> u64 {
    load.iter().map(|(_, count)| u64::from(*count)).sum()
}
