//! The instances as the packer counts with them, and the one move it knows: the next task of a shape goes
//! to the zone with the fewest of its group, there to the instance that is fullest and has room.
//!
//! What never changes while packing (zones, constraints that only look at attributes) is apart from what
//! does ([`State`]), so that an attempt is undone by copying a few flat lists back.

use super::catalogue::{Catalogue, Row, RowAt, clash};
use super::instance::{Agent, Attributes, Instance, InstanceState};
use super::query::{Candidate, ClusterQuery};
use super::resources::{HostPorts, Resource, Resources};
use super::shape::Spread;
use super::why::{Closest, Lack, Obstacle, Proof, Why};
use crate::id::AvailabilityZone;

/// Where an instance is in the fleet.
pub(super) type BinAt = usize;

/// So many tasks of a row on a bin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Put {
    pub(super) row: RowAt,
    pub(super) bin: BinAt,
    pub(super) count: u32,
}

/// All instances that one question is about.
#[derive(Debug)]
pub(super) struct Fleet<'a> {
    pub(super) catalogue: &'a Catalogue,
    pub(super) state: State,
    bins: Vec<Bin<'a>>,
    zones: Vec<AvailabilityZone>,
    /// The bins of each zone; after the last zone, all bins.
    lanes: Vec<Vec<BinAt>>,
    /// Per rule, per bin; for rules that look at tasks the answer so far is of no use.
    allowed: Vec<Vec<bool>>,
    /// What a unit of each quantity weighs: together the same for an average instance.
    weights: [u64; 4],
}

/// What packing changes.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct State {
    /// What is left on each bin.
    pub(super) free: Vec<[u32; 4]>,
    /// Each bin's mark, one after another.
    marks: Vec<u64>,
    /// Tasks of each group in each zone: what the spread looks at.
    in_zone: Vec<u32>,
    /// Of each bin, the group of each task; only where a constraint looks at tasks.
    groups: Vec<Vec<usize>>,
    /// Bins that are taken out of the fleet.
    out: Vec<bool>,
}

impl Clone for State {
    fn clone(&self) -> Self {
        let Self { free, marks, in_zone, groups, out } = self;
        Self {
            free: free.clone(),
            marks: marks.clone(),
            in_zone: in_zone.clone(),
            groups: groups.clone(),
            out: out.clone(),
        }
    }

    /// Undoing an attempt allocates nothing.
    fn clone_from(&mut self, from: &Self) {
        let Self { free, marks, in_zone, groups, out } = self;
        free.clone_from(&from.free);
        marks.clone_from(&from.marks);
        in_zone.clone_from(&from.in_zone);
        groups.clone_from(&from.groups);
        out.clone_from(&from.out);
    }
}

/// What never changes of an instance.
#[derive(Debug)]
struct Bin<'a> {
    name: &'a str,
    zone: usize,
    /// Why it takes nothing at all.
    bar: Option<Obstacle>,
    /// One set, or what may come: constraints must hold for each.
    attributes: &'a [Attributes],
    ec2: Option<&'a str>,
    agent_version: Option<&'a str>,
    agent_connected: Option<bool>,
}

/// In which order a bin is filled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fill {
    /// As the rows come: with the largest first this is first fit decreasing.
    InOrder,
    /// What goes best with what is free first: for several quantities.
    Aligned,
}

/// An instance that does not exist yet.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fresh<'a> {
    pub(super) name: &'a str,
    pub(super) zone: &'a AvailabilityZone,
    pub(super) capacity: Resources,
    pub(super) used_ports: &'a HostPorts,
    pub(super) attributes: &'a [Attributes],
}

impl<'a> Fleet<'a> {
    /// The instances with what is on them. `zones` are those that fresh instances may come in.
    pub(super) fn new(
        catalogue: &'a Catalogue,
        instances: &'a [Instance],
        zones: impl Iterator<Item = &'a AvailabilityZone>,
    ) -> Self {
        let mut all: Vec<AvailabilityZone> =
            instances.iter().map(|it| &it.zone).chain(zones).cloned().collect();
        all.sort();
        all.dedup();
        let state = State { in_zone: vec![0; all.len() * catalogue.groups.len()], ..State::default() };
        let mut this = Self {
            catalogue,
            state,
            bins: Vec::with_capacity(instances.len()),
            lanes: vec![Vec::new(); all.len() + 1],
            zones: all,
            allowed: vec![Vec::new(); catalogue.rules.len()],
            weights: [0; 4],
        };
        for instance in instances {
            this.add(instance);
        }
        this.weigh(instances.iter().filter(|it| it.is_usable()).map(|it| it.registered));
        this
    }

    fn add(&mut self, instance: &'a Instance) {
        let bar = match (instance.state, instance.agent) {
            (InstanceState::Active, Agent::Connected) => None,
            (InstanceState::Active, Agent::Disconnected) => Some(Obstacle::AgentDisconnected),
            _ => Some(Obstacle::NotActive),
        };
        let zone = self.zone_at(&instance.zone);
        let bin = Bin {
            name: instance.name(),
            zone,
            bar,
            attributes: std::slice::from_ref(&instance.attributes),
            ec2: instance.ec2.as_ref().map(AsRef::as_ref),
            agent_version: instance.agent_version.as_deref(),
            agent_connected: Some(instance.agent == Agent::Connected),
        };
        let at = self.push(bin, instance.remaining, &instance.used_ports);
        for task in &instance.tasks {
            let row = self.catalogue.row_of(&task.shape);
            // What leaves an instance that takes nothing will be somewhere else.
            self.leave_traces(row, at, u32::from(bar.is_none()));
        }
    }

    /// A fresh instance.
    pub(super) fn add_fresh(&mut self, fresh: Fresh<'a>) -> BinAt {
        let Fresh { name, zone, capacity, used_ports, attributes } = fresh;
        let zone = self.zone_at(zone);
        let (ec2, agent_version) = (None, None);
        let bin = Bin { name, zone, bar: None, attributes, ec2, agent_version, agent_connected: Some(true) };
        self.push(bin, capacity, used_ports)
    }

    fn push(&mut self, bin: Bin<'a>, free: Resources, used_ports: &HostPorts) -> BinAt {
        let at = self.bins.len();
        self.lanes[bin.zone].push(at);
        if let Some(all) = self.lanes.last_mut() {
            all.push(at);
        }
        self.state.free.push(free.to_array());
        self.state.out.push(false);
        self.state.groups.push(Vec::new());
        let words = self.catalogue.words;
        self.state.marks.resize((at + 1) * words, 0);
        self.catalogue.mark_ports(used_ports, &mut self.state.marks[at * words..]);
        self.bins.push(bin);
        for rule in 0..self.catalogue.rules.len() {
            let allowed = self.ask(rule, at);
            self.allowed[rule].push(allowed);
        }
        at
    }

    /// Takes the newest bin away again, with what was put on it since it came.
    pub(super) fn pop_fresh(&mut self, puts: &[Put]) {
        let Some(bin) = self.bins.pop() else { return };
        for put in puts {
            let at = self.row(put.row).group * self.zones.len() + bin.zone;
            self.state.in_zone[at] -= put.count;
        }
        let all = self.zones.len();
        self.lanes[bin.zone].pop();
        self.lanes[all].pop();
        let State { free, marks, in_zone: _, groups, out } = &mut self.state;
        free.pop();
        groups.pop();
        out.pop();
        marks.truncate(self.bins.len() * self.catalogue.words);
        for allowed in &mut self.allowed {
            allowed.pop();
        }
    }

    /// Fills one bin from what is left, in the order given or by what goes best with what is free.
    pub(super) fn fill(&mut self, bin: BinAt, left: &mut [(RowAt, u32)], how: Fill, puts: &mut Vec<Put>) {
        match how {
            Fill::InOrder => {
                for (row, count) in left {
                    self.put_many(*row, bin, count, u32::MAX, puts);
                }
            }
            Fill::Aligned => {
                // What shares with none of its own first: left for last, it would take an instance each.
                for (row, count) in left.iter_mut().filter(|(row, _)| self.catalogue.rows[*row].once) {
                    self.put_many(*row, bin, count, 1, puts);
                }
                while let Some(at) = self.best_aligned(bin, left) {
                    let (row, count) = &mut left[at];
                    self.put_many(*row, bin, count, 1, puts);
                }
            }
        }
    }

    fn put_many(&mut self, row: RowAt, bin: BinAt, left: &mut u32, most: u32, puts: &mut Vec<Put>) {
        let mut count = 0;
        // One by one where a constraint looks at tasks: the first may forbid the second.
        while *left > 0 && count < most && self.fits(row, bin) {
            self.put(row, bin);
            *left -= 1;
            count += 1;
        }
        if count > 0 {
            puts.push(Put { row, bin, count });
        }
    }

    /// The row whose needs go best with what is free: large in what there is much of.
    fn best_aligned(&self, bin: BinAt, left: &[(RowAt, u32)]) -> Option<usize> {
        let free = self.weighed(self.state.free[bin]);
        let fitting = (0..left.len()).filter(|at| left[*at].1 > 0 && self.fits(left[*at].0, bin));
        fitting.max_by_key(|at| {
            let need = self.weighed(self.catalogue.rows[left[*at].0].need);
            let product: u128 =
                need.iter().zip(free).map(|(need, free)| u128::from(*need) * u128::from(free)).sum();
            (product, std::cmp::Reverse(*at))
        })
    }

    /// Sets what quantities weigh against each other, by the instances that there are or may be.
    pub(super) fn weigh(&mut self, capacities: impl Iterator<Item = Resources>) {
        let (mut sums, mut count) = ([0_u64; 4], 0_u64);
        for capacity in capacities {
            count += 1;
            sums.iter_mut().zip(capacity.to_array()).for_each(|(sum, it)| *sum += u64::from(it));
        }
        self.weights = sums.map(|sum| (count << 24).checked_div(sum).unwrap_or(0));
    }

    /// The larger part of an average instance that a task takes: what large tasks are large by.
    pub(super) fn dominant(&self, row: RowAt) -> u64 {
        self.weighed(self.catalogue.rows[row].need).into_iter().max().unwrap_or(0)
    }

    /// All that a task takes, each quantity as a part of an average instance.
    pub(super) fn volume(&self, row: RowAt) -> u64 {
        self.weighed(self.catalogue.rows[row].need).into_iter().sum()
    }

    fn weighed(&self, quantities: [u32; 4]) -> [u64; 4] {
        std::array::from_fn(|at| u64::from(quantities[at]) * self.weights[at])
    }

    fn zone_at(&self, zone: &AvailabilityZone) -> usize {
        // The zones were gathered from the same instances and offers.
        self.zones.binary_search(zone).unwrap_or(0)
    }

    pub(super) fn len(&self) -> usize {
        self.bins.len()
    }

    fn row(&self, row: RowAt) -> &'a Row {
        &self.catalogue.rows[row]
    }

    /// Whether one task more fits.
    pub(super) fn fits(&self, row: RowAt, bin: BinAt) -> bool {
        let it = self.row(row);
        within(&it.need, &self.state.free[bin]) && !clash(self.mark(bin), &it.avoids) && self.may(it, bin)
    }

    /// Whether nothing but room and clashes can keep a task of the row off the bin.
    fn may(&self, row: &Row, bin: BinAt) -> bool {
        self.bins[bin].bar.is_none() && !self.state.out[bin] && self.is_member(row, bin)
    }

    fn is_member(&self, row: &Row, bin: BinAt) -> bool {
        if self.catalogue.rules[row.rule].looks_at_tasks {
            self.ask(row.rule, bin)
        } else {
            self.allowed[row.rule][bin]
        }
    }

    fn ask(&self, rule: usize, bin: BinAt) -> bool {
        let queries = &self.catalogue.rules[rule].queries;
        let groups: Vec<&str> =
            self.state.groups[bin].iter().map(|it| self.catalogue.groups[*it].as_str()).collect();
        let it = &self.bins[bin];
        let candidate = |attributes| Candidate {
            attributes,
            ec2_instance_id: it.ec2,
            agent_version: it.agent_version,
            agent_connected: it.agent_connected,
            groups: &groups,
        };
        let fulfils =
            |query: &ClusterQuery| it.attributes.iter().all(|of| query.is_fulfilled_by(candidate(of)));
        queries.iter().all(fulfils)
    }

    fn mark(&self, bin: BinAt) -> &[u64] {
        &self.state.marks[bin * self.catalogue.words..][..self.catalogue.words]
    }

    /// How many tasks of the row the bin takes, were no other to come.
    pub(super) fn room(&self, row: RowAt, bin: BinAt) -> u32 {
        if !self.fits(row, bin) {
            return 0;
        }
        let it = self.row(row);
        let pairs = it.need.iter().zip(self.state.free[bin]).filter(|(need, _)| **need > 0);
        let most = pairs.map(|(need, free)| free / need).min().unwrap_or(u32::MAX);
        if it.once { most.min(1) } else { most }
    }

    /// Puts a task there; it fits.
    pub(super) fn put(&mut self, row: RowAt, bin: BinAt) {
        let need = self.row(row).need;
        self.state.free[bin].iter_mut().zip(need).for_each(|(free, need)| *free -= need);
        self.leave_traces(row, bin, 1);
    }

    /// Everything that a task changes but the quantities.
    fn leave_traces(&mut self, row: RowAt, bin: BinAt, in_zone: u32) {
        let it = self.row(row);
        let words = self.catalogue.words;
        let mark = &mut self.state.marks[bin * words..][..words];
        mark.iter_mut().zip(&it.leaves).for_each(|(mark, leaves)| *mark |= leaves);
        self.state.in_zone[it.group * self.zones.len() + self.bins[bin].zone] += in_zone;
        if self.catalogue.looks_at_tasks() {
            self.state.groups[bin].push(it.group);
        }
    }

    /// Takes a bin out of the fleet, and what it has on it out of the count of its zone.
    pub(super) fn take_out(&mut self, bin: BinAt, on_it: impl Iterator<Item = RowAt>) {
        self.state.out[bin] = true;
        for row in on_it {
            let at = self.row(row).group * self.zones.len() + self.bins[bin].zone;
            self.state.in_zone[at] = self.state.in_zone[at].saturating_sub(1);
        }
    }

    /// Places up to `count` tasks of a row; gives back how many have no place.
    pub(super) fn settle(&mut self, row: RowAt, count: u32, puts: &mut Vec<Put>) -> u32 {
        let mut lanes = self.lanes_of(row);
        let mut left = count;
        while left > 0 {
            let Some(lane) = self.next_lane(row, &lanes) else { break };
            let Some(mut put) = lanes[lane].open else {
                match self.tightest(row, lanes[lane].at) {
                    Some(bin) => lanes[lane].open = Some(Put { row, bin, count: 0 }),
                    None => lanes[lane].full = true,
                }
                continue;
            };
            self.put(row, put.bin);
            put.count += 1;
            left -= 1;
            // The fullest stays the fullest while it has room.
            if self.fits(row, put.bin) {
                lanes[lane].open = Some(put);
            } else {
                puts.push(put);
                lanes[lane].open = None;
            }
        }
        puts.extend(lanes.iter().filter_map(|it| it.open).filter(|it| it.count > 0));
        left
    }

    fn lanes_of(&self, row: RowAt) -> Vec<Lane> {
        let all = self.zones.len();
        let of = |at| Lane { at, open: None, full: false };
        match self.row(row).spread {
            Spread::Zones => (0..all).map(of).collect(),
            Spread::Anywhere => vec![of(all)],
        }
    }

    /// The zone with the fewest of the group that is not full.
    fn next_lane(&self, row: RowAt, lanes: &[Lane]) -> Option<usize> {
        let first = self.row(row).group * self.zones.len();
        let tasks = |at: &usize| self.state.in_zone.get(first + lanes[*at].at).copied();
        (0..lanes.len()).filter(|at| !lanes[*at].full).min_by_key(tasks)
    }

    /// The fullest bin of a lane that takes a task of the row; the earlier of two.
    fn tightest(&self, row: RowAt, lane: usize) -> Option<BinAt> {
        let mut tightest: Option<(u64, BinAt)> = None;
        for bin in self.lanes[lane].iter().copied() {
            let free = self.weight_free(bin);
            // Whether it fits is asked only where the answer counts.
            if tightest.is_none_or(|(least, _)| free < least) && self.fits(row, bin) {
                tightest = Some((free, bin));
            }
        }
        tightest.map(|(_, bin)| bin)
    }

    /// What is left on a bin, all quantities together.
    fn weight_free(&self, bin: BinAt) -> u64 {
        self.weighed(self.state.free[bin]).into_iter().sum()
    }

    /// All bins; those with the least left come first.
    pub(super) fn fullest_first(&self) -> Vec<BinAt> {
        let mut bins: Vec<BinAt> = (0..self.len()).collect();
        bins.sort_by_cached_key(|bin| self.weight_free(*bin));
        bins
    }

    /// What is left on all usable bins.
    pub(super) fn total_free(&self) -> [u64; 4] {
        let usable = (0..self.len()).filter(|bin| self.bins[*bin].bar.is_none() && !self.state.out[*bin]);
        usable
            .fold([0; 4], |sum, bin| std::array::from_fn(|at| sum[at] + u64::from(self.state.free[bin][at])))
    }

    /// What keeps one more task of a row from each bin, as of now.
    pub(super) fn why(&self, row: RowAt, proof: Proof) -> Why {
        let mut why = Why { instances: 0, barred: std::collections::BTreeMap::new(), closest: None, proof };
        let mut best: Option<(u64, BinAt)> = None;
        for bin in (0..self.len()).filter(|bin| !self.state.out[*bin]) {
            why.instances += 1;
            let Some(obstacle) = self.obstacle(row, bin) else { continue };
            *why.barred.entry(obstacle).or_default() += 1;
            if matches!(obstacle, Obstacle::Ports | Obstacle::Short(_)) {
                let far = self.distance(row, bin);
                if best.is_none_or(|(known, _)| far < known) {
                    best = Some((far, bin));
                }
            }
        }
        why.closest = best.map(|(_, bin)| Closest {
            instance: self.bins[bin].name.to_owned(),
            lacks: self.lacks(row, bin),
        });
        why
    }

    /// The first thing in the way.
    pub(super) fn obstacle(&self, row: RowAt, bin: BinAt) -> Option<Obstacle> {
        if let Some(bar) = self.bins[bin].bar {
            return Some(bar);
        }
        let it = self.row(row);
        if !self.is_member(it, bin) {
            return Some(Obstacle::MemberOf);
        }
        if clash(self.mark(bin), &it.avoids) {
            let by_port = !self.taken_ports(it, bin).is_empty();
            return Some(if by_port { Obstacle::Ports } else { Obstacle::Distinct });
        }
        let free = Resources::from_array(self.state.free[bin]);
        let needs = it.shape.needs;
        Resource::ALL.into_iter().find(|which| needs.of(*which) > free.of(*which)).map(Obstacle::Short)
    }

    /// What a bin lacks for one more task.
    pub(super) fn lacks(&self, row: RowAt, bin: BinAt) -> Vec<Lack> {
        let it = self.row(row);
        let short = it.shape.needs.minus(Resources::from_array(self.state.free[bin]));
        let quantities = Resource::ALL.into_iter().filter(|which| short.of(*which) > 0);
        let mut lacks: Vec<Lack> =
            quantities.map(|resource| Lack::Short { resource, by: short.of(resource) }).collect();
        let ports = self.taken_ports(it, bin);
        lacks.extend((!ports.is_empty()).then_some(Lack::Ports(ports)));
        lacks
    }

    fn taken_ports(&self, row: &Row, bin: BinAt) -> HostPorts {
        self.catalogue.marked_ports(&row.shape.ports, self.mark(bin))
    }

    /// How far a bin is from having room; a taken port weighs as an instance.
    fn distance(&self, row: RowAt, bin: BinAt) -> u64 {
        let it = self.row(row);
        let short = it.shape.needs.minus(Resources::from_array(self.state.free[bin]));
        let ports = self.taken_ports(it, bin).iter().count() as u64;
        self.weighed(short.to_array()).into_iter().sum::<u64>() + (ports << 24)
    }
}

/// A zone, or all of them, while one row is placed.
#[derive(Debug, Clone, Copy)]
struct Lane {
    at: usize,
    open: Option<Put>,
    full: bool,
}

fn within(need: &[u32; 4], free: &[u32; 4]) -> bool {
    need.iter().zip(free).all(|(need, free)| need <= free)
}
