//! When the gaps have run out: which of our rules move, so that as few as possible do.
//!
//! The more specific stands first, and rules of the same specificity in any order. So the
//! priorities fall into one stretch for each specificity, one after the other, each with
//! room for its rules beside whatever may not be moved. A rule that stands within its own
//! stretch stays; all others move. The best stretches are found exactly, specificity by
//! specificity: [`Stretches`].

use std::collections::{BTreeMap, BTreeSet};

use super::priority::{Allotment, Standing, nearest, place};
use crate::deploy::plan::PriorityMove;

/// The priorities that may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Range {
    pub(super) first: u32,
    pub(super) last: u32,
}

/// The rules of one specificity.
#[derive(Debug, Default)]
struct Group<'a> {
    there: Vec<&'a Standing>,
    /// Indices of the wanted ones.
    new: Vec<usize>,
}

impl Group<'_> {
    fn size(&self) -> usize {
        self.there.len() + self.new.len()
    }
}

/// Room for the wanted rules with the least number of moves; `None` if there is not enough.
pub(super) fn rearrange(wanted: &[u32], standing: &[Standing], range: Range) -> Option<Allotment> {
    let mut groups: BTreeMap<std::cmp::Reverse<u32>, Group<'_>> = BTreeMap::new();
    for rule in standing {
        if let Some(specificity) = rule.automatic {
            groups.entry(std::cmp::Reverse(specificity)).or_default().there.push(rule);
        }
    }
    for (index, &specificity) in wanted.iter().enumerate() {
        groups.entry(std::cmp::Reverse(specificity)).or_default().new.push(index);
    }
    let stays: BTreeSet<u32> =
        standing.iter().filter(|rule| rule.automatic.is_none()).map(|rule| rule.priority).collect();
    let ends = Stretches::new(&groups.values().collect::<Vec<_>>(), &stays, range).best()?;
    let mut allotment = Allotment { priorities: vec![0; wanted.len()], moves: Vec::new() };
    let mut first = range.first;
    for ((specificity, group), end) in groups.iter().zip(ends) {
        settle(group, place(specificity.0), (first, end), &stays, &mut allotment)?;
        first = end + 1;
    }
    Some(allotment)
}

/// Who stands within the stretch stays, the others get its free priorities.
fn settle(
    group: &Group<'_>,
    place: u32,
    (first, end): (u32, u32),
    stays: &BTreeSet<u32>,
    allotment: &mut Allotment,
) -> Option<()> {
    let is_within = |rule: &&&Standing| (first..=end).contains(&rule.priority);
    let mut taken = stays.clone();
    taken.extend(group.there.iter().filter(is_within).map(|rule| rule.priority));
    for rule in group.there.iter().filter(|rule| !is_within(rule)) {
        let to = nearest(place, first, end, &taken)?;
        taken.insert(to);
        allotment.moves.push(PriorityMove {
            rule: rule.rule.clone(),
            whose: String::new(),
            from: rule.priority,
            to,
        });
    }
    for &index in &group.new {
        let to = nearest(place, first, end, &taken)?;
        taken.insert(to);
        *allotment.priorities.get_mut(index)? = to;
    }
    Some(())
}

/// The search. With `f(g, b)` the largest number of rules of the first `g` groups that can
/// stay where everything of them stands at or before `b`:
///
/// `f(g, b) = max over a of f(g-1, a) + (rules of g between a and b)`, where the stretch
/// `a+1 ..= b` has room for the whole group.
///
/// The room only grows with `b`, so the best `a` is a running maximum: one walk over the
/// priorities for each group.
struct Stretches {
    range: Range,
    /// How many priorities up to each are not held by what stays.
    room: Vec<u32>,
    /// Each group's size, and how many of its rules stand up to each priority.
    groups: Vec<(u32, Vec<u32>)>,
}

impl Stretches {
    fn new(groups: &[&Group<'_>], stays: &BTreeSet<u32>, range: Range) -> Self {
        let counted = |counts: &dyn Fn(u32) -> bool| {
            let mut sum = 0;
            let up_to = (range.first..=range.last).map(|priority| {
                sum += u32::from(counts(priority));
                sum
            });
            std::iter::once(0).chain(up_to).collect::<Vec<u32>>()
        };
        let room = counted(&|priority| !stays.contains(&priority));
        let groups = groups
            .iter()
            .map(|group| {
                let there: BTreeSet<u32> = group.there.iter().map(|rule| rule.priority).collect();
                let size = u32::try_from(group.size()).unwrap_or(u32::MAX);
                (size, counted(&|priority| there.contains(&priority)))
            })
            .collect();
        Self { range, room, groups }
    }

    /// The last priority of each group's stretch.
    fn best(&self) -> Option<Vec<u32>> {
        let mut stay: Vec<Option<i64>> = vec![Some(0); self.room.len()];
        let mut begins = Vec::new();
        for (size, count) in &self.groups {
            let (next, begin) = self.step(&stay, *size, count);
            stay = next;
            begins.push(begin);
        }
        stay.last()?.as_ref()?;
        let mut end = self.room.len() - 1;
        let mut ends = Vec::new();
        for begin in begins.iter().rev() {
            ends.push(self.range.first + u32::try_from(end).ok()? - 1);
            end = usize::try_from(*begin.get(end)?).ok()?;
        }
        ends.reverse();
        Some(ends)
    }

    /// One group more: how many can stay up to each priority, and where its stretch begins then.
    fn step(&self, before: &[Option<i64>], size: u32, count: &[u32]) -> (Vec<Option<i64>>, Vec<u32>) {
        let mut best: Option<(i64, u32)> = None;
        let mut next_begin = 0;
        let mut stay = Vec::with_capacity(before.len());
        let mut begins = Vec::with_capacity(before.len());
        for end in 0..before.len() {
            while next_begin <= end && self.room[end] - self.room[next_begin] >= size {
                let value = before[next_begin].map(|stay| stay - i64::from(count[next_begin]));
                if let Some(value) = value.filter(|value| best.is_none_or(|(best, _)| *value >= best)) {
                    best = Some((value, u32::try_from(next_begin).unwrap_or(u32::MAX)));
                }
                next_begin += 1;
            }
            stay.push(best.map(|(value, _)| value + i64::from(count[end])));
            begins.push(best.map_or(0, |(_, begin)| begin));
        }
        (stay, begins)
    }
}

#[cfg(test)]
#[path = "rearrange_tests.rs"]
mod tests;
