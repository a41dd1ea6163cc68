//! Which of the wanted tasks fit on the instances that there are, and why the rest does not.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::catalogue::{Catalogue, RowAt};
use super::fleet::{Fill, Fleet, Put, State};
use super::instance::Instance;
use super::resources::Resource;
use super::shape::{Demand, TaskShape};
use super::why::{Proof, Why};

/// Where tasks would go. Indexes are those of the arguments of [`place`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[must_use]
pub struct Placement {
    /// What has a place, in order of demand and instance.
    pub placed: Vec<Placed>,
    /// What has none, in order of demand.
    pub unplaced: Vec<Unplaced>,
}

/// So many tasks of a demand on an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Placed {
    /// Which demand.
    pub demand: usize,
    /// Which instance.
    pub instance: usize,
    /// How many of its tasks; never 0.
    pub count: u32,
}

/// So many tasks of a demand without a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unplaced {
    /// Which demand.
    pub demand: usize,
    /// How many of its tasks; never 0.
    pub count: u32,
    /// Why.
    pub why: Why,
}

/// Places the demand on the instances as they are: beside what is on them, nothing is moved. DRAINING
/// instances and those without an agent take nothing.
///
/// # Flow
/// 1. Shapes with the largest part of an instance first; each task to the zone with the fewest of its group,
///    there to the fullest instance that has room.
/// 2. If something is left over, again in other orders (instance by instance, what goes best with what is
///    free there; the choosiest shapes first; by all quantities together); the order that leaves the least
///    counts.
///
/// # Guarantees
/// What is placed fits, all of it together. What is not placed fits nowhere beside it: every instance was
/// looked at in the end ([`Why`]); how far that is a proof that *no* arrangement works, [`Proof`] says.
///
/// # Caveats
/// ECS places in its own order, one task after another; where there is room for all only in a certain
/// order, ECS may not find it. Ties go to the instance that was given first.
pub fn place(instances: &[Instance], demand: &[Demand]) -> Placement {
    let catalogue = Catalogue::of(shapes(instances, demand));
    let mut fleet = Fleet::new(&catalogue, instances, std::iter::empty());
    let wanted = Wanted::of(&catalogue, demand);
    let before = fleet.state.clone();
    let packed = pack(&mut fleet, &wanted, &before);
    let refusals = Refusals { before: &before, wanted: &wanted };
    let unplaced = packed.left.iter().map(|(row, count)| (*row, *count, refusals.why(&mut fleet, *row)));
    let unplaced: Vec<(RowAt, u32, Why)> = unplaced.collect();
    Placement { placed: wanted.split(&packed.puts), unplaced: wanted.split_left(unplaced) }
}

/// Every shape that a question is about.
pub(super) fn shapes<'a>(
    instances: &'a [Instance],
    demand: &'a [Demand],
) -> impl Iterator<Item = &'a Arc<TaskShape>> {
    let on = instances.iter().flat_map(|it| &it.tasks).map(|it| &it.shape);
    on.chain(demand.iter().map(|it| &it.shape))
}

/// The demand by row.
#[derive(Debug)]
pub(super) struct Wanted {
    /// How many of each row; only rows with any, in the order of rows.
    pub(super) rows: Vec<(RowAt, u32)>,
    /// Per row its demands, each with how many.
    demands: Vec<Vec<(usize, u32)>>,
    /// Rows that come before all others: nothing can be bought for them.
    pub(super) first: BTreeSet<RowAt>,
}

impl Wanted {
    pub(super) fn of(catalogue: &Catalogue, demand: &[Demand]) -> Self {
        let mut demands = vec![Vec::new(); catalogue.rows.len()];
        for (at, it) in demand.iter().enumerate().filter(|(_, it)| it.count > 0) {
            demands[catalogue.row_of(&it.shape)].push((at, it.count));
        }
        let total = |of: &Vec<(usize, u32)>| of.iter().map(|(_, count)| count).sum();
        let rows = demands.iter().enumerate().map(|(row, of)| (row, total(of)));
        Self { rows: rows.filter(|(_, count)| *count > 0).collect(), demands, first: BTreeSet::new() }
    }

    /// Each demand's part of what was placed.
    pub(super) fn split(&self, puts: &[Put]) -> Vec<Placed> {
        let mut open: Vec<_> = self.demands.iter().map(|it| it.iter().copied().peekable()).collect();
        let mut taken = vec![0; open.len()];
        let mut placed = Vec::new();
        for put in puts {
            let mut count = put.count;
            while let Some((demand, of)) = open[put.row].peek().copied().filter(|_| count > 0) {
                let part = count.min(of - taken[put.row]);
                placed.push(Placed { demand, instance: put.bin, count: part });
                count -= part;
                taken[put.row] += part;
                if taken[put.row] == of {
                    taken[put.row] = 0;
                    open[put.row].next();
                }
            }
        }
        merged(placed)
    }

    /// Each demand's part of what was not: the later ones go without.
    pub(super) fn split_left(&self, left: Vec<(RowAt, u32, Why)>) -> Vec<Unplaced> {
        let mut unplaced = Vec::new();
        for (row, mut count, why) in left {
            for (demand, of) in self.demands[row].iter().rev() {
                let part = count.min(*of);
                if part > 0 {
                    unplaced.push(Unplaced { demand: *demand, count: part, why: why.clone() });
                }
                count -= part;
            }
        }
        unplaced.sort_by_key(|it| it.demand);
        unplaced
    }
}

fn merged(mut placed: Vec<Placed>) -> Vec<Placed> {
    placed.sort_unstable();
    placed.dedup_by(|next, kept| {
        let same = (next.demand, next.instance) == (kept.demand, kept.instance);
        kept.count += if same { next.count } else { 0 };
        same
    });
    placed
}

/// What an attempt came to.
#[derive(Debug, Default)]
pub(super) struct Packed {
    pub(super) puts: Vec<Put>,
    /// Rows with tasks left over.
    pub(super) left: Vec<(RowAt, u32)>,
}

impl Packed {
    /// How much is left over: of what nothing can be bought for, of all (by quantities, for those are
    /// bought), and how many tasks.
    fn left_over(&self, fleet: &Fleet<'_>, first: &BTreeSet<RowAt>) -> [u64; 3] {
        self.left.iter().fold([0; 3], |sum, (row, count)| {
            let (count, volume) = (u64::from(*count), u64::from(*count) * fleet.volume(*row).max(1));
            let of_first = if first.contains(row) { volume } else { 0 };
            [sum[0] + of_first, sum[1] + volume, sum[2] + count]
        })
    }
}

/// Packs in several orders, until nothing is left over; leaves the fleet as the best of them does.
pub(super) fn pack(fleet: &mut Fleet<'_>, wanted: &Wanted, before: &State) -> Packed {
    let mut best: Option<(Packed, State)> = None;
    for order in [Order::Dominant, Order::Aligned, Order::Choosiest, Order::Volume] {
        fleet.state.clone_from(before);
        let rows = order.of(fleet, wanted);
        let packed = match order {
            Order::Aligned if rows.len() > ALIGNED_ROWS_MAX => continue,
            Order::Aligned => pack_by_bin(fleet, &rows, wanted),
            _ => pack_in(fleet, &rows),
        };
        if packed.left.is_empty() {
            return packed;
        }
        let left_over = |it: &Packed| it.left_over(fleet, &wanted.first);
        if best.as_ref().is_none_or(|(known, _)| left_over(&packed) < left_over(known)) {
            best = Some((packed, fleet.state.clone()));
        }
    }
    let (packed, state) = best.unwrap_or_default();
    fleet.state = state;
    packed
}

/// Packs in one order. Rows whose constraints look at tasks are tried again while others come.
fn pack_in(fleet: &mut Fleet<'_>, rows: &[(RowAt, u32)]) -> Packed {
    let mut packed = Packed::default();
    let mut open = rows.to_vec();
    loop {
        let before = packed.puts.len();
        for (row, count) in &mut open {
            *count = fleet.settle(*row, *count, &mut packed.puts);
        }
        open.retain(|(_, count)| *count > 0);
        let again = packed.puts.len() > before
            && open.iter().any(|(row, _)| fleet.catalogue.rule_of(*row).looks_at_tasks);
        if !again {
            packed.left = open;
            packed.left.sort_unstable();
            return packed;
        }
    }
}

/// Fills one bin after another, the fullest first, each with what goes best with what is free there. Two
/// quantities fill up together this way; but nothing is spread.
fn pack_by_bin(fleet: &mut Fleet<'_>, rows: &[(RowAt, u32)], wanted: &Wanted) -> Packed {
    let mut packed = Packed::default();
    let (mut first, mut rest): (Vec<_>, Vec<_>) =
        rows.iter().copied().partition(|(row, _)| wanted.first.contains(row));
    for open in [&mut first, &mut rest] {
        for bin in fleet.fullest_first() {
            fleet.fill(bin, open, Fill::Aligned, &mut packed.puts);
            open.retain(|(_, count)| *count > 0);
        }
        packed.left.append(open);
    }
    packed.left.sort_unstable();
    packed
}

/// Beyond this many shapes, looking at each for each task put is too slow; the order by size is close.
pub(super) const ALIGNED_ROWS_MAX: usize = 256;

/// In which order shapes are placed.
#[derive(Debug, Clone, Copy)]
enum Order {
    /// The largest by its largest quantity first: first fit decreasing, in several dimensions.
    Dominant,
    /// Bin by bin instead: [`pack_by_bin`].
    Aligned,
    /// Those with the least room for how many they are first.
    Choosiest,
    /// The largest by all quantities together first.
    Volume,
}

impl Order {
    fn of(self, fleet: &Fleet<'_>, wanted: &Wanted) -> Vec<(RowAt, u32)> {
        let mut rows = wanted.rows.clone();
        let large = |(row, _): &(RowAt, u32)| std::cmp::Reverse(fleet.dominant(*row));
        match self {
            Self::Dominant | Self::Aligned => rows.sort_by_key(large),
            Self::Volume => rows.sort_by_key(|(row, _)| std::cmp::Reverse(fleet.volume(*row))),
            Self::Choosiest => {
                let spare = |(row, count): &(RowAt, u32)| alone(fleet, *row) / u64::from(*count);
                rows.sort_by_cached_key(|it| (spare(it), large(it)));
            }
        }
        rows.sort_by_key(|(row, _)| !wanted.first.contains(row));
        rows
    }
}

/// How many tasks of a row there is room for, were it the only one.
fn alone(fleet: &Fleet<'_>, row: RowAt) -> u64 {
    (0..fleet.len()).map(|bin| u64::from(fleet.room(row, bin))).sum()
}

/// What refusals are proved from.
pub(super) struct Refusals<'a> {
    /// Before anything was placed.
    pub(super) before: &'a State,
    pub(super) wanted: &'a Wanted,
}

impl Refusals<'_> {
    /// Why tasks of a row are left over, with the strongest proof that there is.
    pub(super) fn why(&self, fleet: &mut Fleet<'_>, row: RowAt) -> Why {
        let after = std::mem::replace(&mut fleet.state, self.before.clone());
        let proof = self.proof(fleet, row);
        fleet.state = after;
        fleet.why(row, proof)
    }

    fn proof(&self, fleet: &Fleet<'_>, row: RowAt) -> Proof {
        let count = self.wanted.rows.iter().find(|(it, _)| *it == row).map_or(0, |(_, count)| *count);
        let room = alone(fleet, row);
        // Where a constraint looks at tasks, others may also make room.
        if room < u64::from(count) && !fleet.catalogue.rule_of(row).looks_at_tasks {
            return Proof::Alone { at_most: u32::try_from(room).unwrap_or(u32::MAX) };
        }
        let free = fleet.total_free();
        let short = (0..Resource::ALL.len()).find_map(|at| {
            let needs = |(row, count): &(RowAt, u32)| {
                u64::from(fleet.catalogue.rows[*row].need[at]) * u64::from(*count)
            };
            let need: u64 = self.wanted.rows.iter().map(needs).sum();
            need.checked_sub(free[at]).filter(|by| *by > 0).map(|by| (Resource::ALL[at], by))
        });
        short.map_or(Proof::AfterOthers, |(resource, by)| Proof::Together { resource, by })
    }
}
