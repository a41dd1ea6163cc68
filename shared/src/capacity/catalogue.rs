//! Shapes as the packer counts with them: each shape once, quantities as an array, and everything that
//! two tasks can clash over (a host port, a group that wants instances of its own) as one bit of a *mark*.
//!
//! Comparing strings and sets happens here, once a shape; what comes after only adds and masks numbers.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::query::ClusterQuery;
use super::resources::{HostPorts, Protocol};
use super::shape::{Sharing, Spread, TaskShape};

/// Where a shape is in [`Catalogue::rows`].
pub(super) type RowAt = usize;

/// All shapes that one question is about.
#[derive(Debug, Default)]
pub(super) struct Catalogue {
    pub(super) rows: Vec<Row>,
    /// Each distinct list of `memberOf` constraints.
    pub(super) rules: Vec<Rule>,
    /// The groups' names.
    pub(super) groups: Vec<String>,
    /// `u64` words in a mark.
    pub(super) words: usize,
    ports: BTreeMap<(Protocol, u16), usize>,
}

/// One shape.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) shape: Arc<TaskShape>,
    pub(super) need: [u32; 4],
    /// In [`Catalogue::groups`].
    pub(super) group: usize,
    /// In [`Catalogue::rules`].
    pub(super) rule: usize,
    pub(super) spread: Spread,
    /// Bits that must not be set where it goes.
    pub(super) avoids: Vec<u64>,
    /// Bits that it sets.
    pub(super) leaves: Vec<u64>,
    /// Whether a second one can never be beside it.
    pub(super) once: bool,
}

/// A list of `memberOf` constraints, all of which must hold.
#[derive(Debug)]
pub(super) struct Rule {
    pub(super) queries: Vec<ClusterQuery>,
    /// Whether the answer changes with the tasks on an instance.
    pub(super) looks_at_tasks: bool,
}

impl Catalogue {
    /// The shapes, in any number of copies. Rows come in the order of the shapes themselves, so that nothing
    /// depends on the order in which facts were read.
    pub(super) fn of<'a>(shapes: impl Iterator<Item = &'a Arc<TaskShape>>) -> Self {
        let mut shapes: Vec<&Arc<TaskShape>> = shapes.collect();
        // Most copies of a shape are one and the same: those go without comparing what is in them.
        shapes.sort_unstable_by_key(|it| Arc::as_ptr(it));
        shapes.dedup_by_key(|it| Arc::as_ptr(it));
        shapes.sort();
        shapes.dedup();
        let marks = Marks::of(shapes.iter().copied());
        let mut this = Self { words: marks.count.div_ceil(64), ..Self::default() };
        let (mut groups, mut rules) = (BTreeMap::new(), BTreeMap::new());
        for shape in shapes {
            let row = this.row(Arc::clone(shape), &marks, &mut groups, &mut rules);
            this.rows.push(row);
        }
        this.ports = marks.ports;
        this
    }

    fn row(
        &mut self,
        shape: Arc<TaskShape>,
        marks: &Marks,
        groups: &mut BTreeMap<String, usize>,
        rules: &mut BTreeMap<Vec<String>, usize>,
    ) -> Row {
        let group = *groups.entry(shape.group.as_str().to_owned()).or_insert_with(|| {
            self.groups.push(shape.group.as_str().to_owned());
            self.groups.len() - 1
        });
        let texts = shape.member_of.iter().map(|it| it.as_str().to_owned()).collect();
        let rule = *rules.entry(texts).or_insert_with(|| {
            let looks_at_tasks = shape.member_of.iter().any(ClusterQuery::looks_at_tasks);
            self.rules.push(Rule { queries: shape.member_of.clone(), looks_at_tasks });
            self.rules.len() - 1
        });
        let mut avoids = vec![0; self.words];
        for port in shape.ports.iter() {
            set(&mut avoids, marks.ports[&port]);
        }
        let mut leaves = avoids.clone();
        if let Some(bit) = marks.groups.get(shape.group.as_str()) {
            set(&mut leaves, *bit);
            if shape.sharing == Sharing::Distinct {
                set(&mut avoids, *bit);
            }
        }
        let once = avoids.iter().zip(&leaves).any(|(avoids, leaves)| avoids & leaves != 0);
        let (need, spread) = (shape.needs.to_array(), shape.spread);
        Row { shape, need, group, rule, spread, avoids, leaves, once }
    }

    /// The row of a shape that [`Catalogue::of`] was given.
    pub(super) fn row_of(&self, shape: &Arc<TaskShape>) -> RowAt {
        let found = self.rows.binary_search_by(|it| it.shape.cmp(shape));
        debug_assert!(found.is_ok(), "a shape that the catalogue was not made of");
        found.unwrap_or_else(|at| at)
    }

    /// The constraints of a row.
    pub(super) fn rule_of(&self, row: RowAt) -> &Rule {
        &self.rules[self.rows[row].rule]
    }

    /// Sets the bits of those ports that any shape asks for.
    pub(super) fn mark_ports(&self, ports: &HostPorts, mark: &mut [u64]) {
        ports.iter().filter_map(|port| self.ports.get(&port)).for_each(|bit| set(mark, *bit));
    }

    /// Those of the ports whose bits are set.
    pub(super) fn marked_ports(&self, ports: &HostPorts, mark: &[u64]) -> HostPorts {
        let mut set = HostPorts::default();
        for (protocol, port) in ports.iter() {
            let bit = self.ports.get(&(protocol, port));
            if bit.is_some_and(|bit| mark[bit / 64] & (1 << (bit % 64)) != 0) {
                set.take(protocol, port);
            }
        }
        set
    }

    /// Whether any constraint looks at the tasks on an instance.
    pub(super) fn looks_at_tasks(&self) -> bool {
        self.rules.iter().any(|it| it.looks_at_tasks)
    }
}

/// Which bit stands for what.
struct Marks {
    ports: BTreeMap<(Protocol, u16), usize>,
    /// Groups of which some task wants an instance of its own.
    groups: BTreeMap<String, usize>,
    count: usize,
}

impl Marks {
    fn of<'a>(shapes: impl Iterator<Item = &'a Arc<TaskShape>>) -> Self {
        let mut this = Self { ports: BTreeMap::new(), groups: BTreeMap::new(), count: 0 };
        for shape in shapes {
            for port in shape.ports.iter() {
                this.count += usize::from(this.ports.insert(port, 0).is_none());
            }
            if shape.sharing == Sharing::Distinct {
                let is_new = this.groups.insert(shape.group.as_str().to_owned(), 0).is_none();
                this.count += usize::from(is_new);
            }
        }
        let bits = this.ports.values_mut().chain(this.groups.values_mut());
        bits.enumerate().for_each(|(at, bit)| *bit = at);
        this
    }
}

fn set(mark: &mut [u64], bit: usize) {
    mark[bit / 64] |= 1 << (bit % 64);
}

pub(super) fn clash(left: &[u64], right: &[u64]) -> bool {
    left.iter().zip(right).any(|(left, right)| left & right != 0)
}
