//! The priority of an automatic rule: the more specific its conditions, the earlier it is
//! asked, with gaps for those that come later.
//!
//! It knows rules only as [`Standing`]: where they stand, and whether they are ours to
//! move. Two passes may choose the same priority at once: AWS answers `PriorityInUse` to
//! the slower, which looks again.

use std::collections::BTreeSet;
use std::fmt;

use super::is_parked;
use super::rearrange::{self, Range};
use crate::deploy::plan::PriorityMove;
use crate::facts::{Rule, RuleConditions};
use crate::id::RuleArn;
use crate::names;

/// AWS's range of rule priorities.
const FIRST: u32 = 1;
const LAST: u32 = 50_000;
/// Automatic priorities stay above this, so that people have the first ones to themselves.
pub(super) const AUTOMATIC_FIRST: u32 = 1_000;

/// A rule of the listener, as far as priorities are concerned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Which rule.
    pub rule: RuleArn,
    /// Where it stands.
    pub priority: u32,
    /// The specificity of a rule of ours that is automatic: it may be moved, and the more
    /// specific stands first. `None` for a person's, a fixed one, and one that is parked
    /// (which matches nothing): it stays where it is.
    pub automatic: Option<u32>,
}

/// How a rule of ours got its priority, as its tag `windlass:priority` says: `fixed`, or
/// `auto:<specificity>`. The tag is written last, so that a rule whose tag is not what its
/// spec wants has a move before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The spec names it.
    Fixed,
    /// By this specificity.
    Automatic(u32),
}

impl Place {
    /// What a rule's tag says; `None` where it has none (made by an earlier version).
    pub fn of(rule: &Rule) -> Option<Self> {
        let tag = rule.tags.get(names::TAG_PRIORITY)?;
        if tag == "fixed" {
            return Some(Self::Fixed);
        }
        tag.strip_prefix("auto:")?.parse().ok().map(Self::Automatic)
    }

    /// Whether a rule's tag says otherwise. One without a tag is an earlier version's, and is
    /// left where it is until its conditions change.
    pub fn is_other(self, rule: &Rule) -> bool {
        Self::of(rule).is_some_and(|place| place != self)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed => f.write_str("fixed"),
            Self::Automatic(specificity) => write!(f, "auto:{specificity}"),
        }
    }
}

/// All rules but the default one and those `without`, as they stand.
pub fn standing(rules: &[Rule], without: &[&RuleArn]) -> Vec<Standing> {
    let there = rules.iter().filter(|rule| !without.contains(&&rule.arn));
    there
        .filter_map(|rule| {
            let priority = rule.priority?;
            Some(Standing { rule: rule.arn.clone(), priority, automatic: automatic(rule, priority) })
        })
        .collect()
}

/// Whether the rule is ours to move, and where it belongs.
fn automatic(rule: &Rule, priority: u32) -> Option<u32> {
    if !rule.tags.contains_key(names::TAG_SERVICE) || is_parked(rule) {
        return None;
    }
    match Place::of(rule) {
        Some(Place::Fixed) => None,
        // Made by an earlier version: automatic priorities began here then, too.
        None if priority < AUTOMATIC_FIRST => None,
        Some(Place::Automatic(_)) | None => Some(specificity(&rule.conditions)),
    }
}

/// Where new rules go, and what makes room for them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allotment {
    /// The new rules' priorities, in the order in which they were asked for.
    pub priorities: Vec<u32>,
    /// Rules of ours that must move first, all at once; empty while there are gaps.
    pub moves: Vec<PriorityMove>,
}

/// Priorities for new automatic rules of these specificities. `None`: all are taken.
///
/// 1. Specificity gives a place between [`AUTOMATIC_FIRST`] and the end, with gaps. A rule
///    takes the first free priority from its place on, or else the last before it, that is
///    after everything more specific of ours and before everything less specific.
/// 2. Where there is none, rules of ours are moved: as few as possible, and only above
///    [`AUTOMATIC_FIRST`].
/// 3. Where even that gives no room, the first priorities are used too.
pub fn allot(wanted: &[u32], standing: &[Standing]) -> Option<Allotment> {
    if let Some(priorities) = in_gaps(wanted, standing) {
        return Some(Allotment { priorities, moves: Vec::new() });
    }
    let lowest = standing.iter().filter(|rule| rule.automatic.is_some()).map(|rule| rule.priority).min();
    let first = lowest.map_or(AUTOMATIC_FIRST, |lowest| lowest.min(AUTOMATIC_FIRST));
    rearrange::rearrange(wanted, standing, Range { first, last: LAST })
        .or_else(|| rearrange::rearrange(wanted, standing, Range { first: FIRST, last: LAST }))
}

/// A priority for one rule, with nobody moved for it; `None`: there is no gap.
pub fn automatic_priority(wanted: &RuleConditions, rules: &[Rule]) -> Option<u32> {
    in_gaps(&[specificity(wanted)], &standing(rules, &[]))?.first().copied()
}

/// Nobody moves.
fn in_gaps(wanted: &[u32], standing: &[Standing]) -> Option<Vec<u32>> {
    let mut taken: BTreeSet<u32> = standing.iter().map(|rule| rule.priority).collect();
    let mut ordered: Vec<(u32, u32)> =
        standing.iter().filter_map(|rule| Some((rule.automatic?, rule.priority))).collect();
    wanted
        .iter()
        .map(|&specificity| {
            let after = ordered.iter().filter(|(other, _)| *other > specificity).map(|(_, at)| at + 1).max();
            let before = ordered.iter().filter(|(other, _)| *other < specificity).map(|(_, at)| at - 1).min();
            let (after, before) = (after.unwrap_or(FIRST).max(AUTOMATIC_FIRST), before.unwrap_or(LAST));
            let found = nearest(place(specificity), after, before, &taken)?;
            taken.insert(found);
            ordered.push((specificity, found));
            Some(found)
        })
        .collect()
}

/// The first free priority from the place on, or else the last before it.
pub(super) fn nearest(place: u32, after: u32, before: u32, taken: &BTreeSet<u32>) -> Option<u32> {
    let from = place.max(after);
    (from..=before)
        .find(|priority| !taken.contains(priority))
        .or_else(|| (after..from.min(before + 1)).rev().find(|priority| !taken.contains(priority)))
}

/// Whether a rule of this specificity may stand here: after everything more specific of
/// ours, before everything less specific.
pub fn is_in_order(specificity: u32, priority: u32, others: &[Standing]) -> bool {
    others.iter().all(|other| match other.automatic {
        Some(more) if more > specificity => other.priority < priority,
        Some(less) if less < specificity => other.priority > priority,
        Some(_) | None => true,
    })
}

/// Whether this is a priority for automatic rules: the first ones are people's.
pub fn is_automatic(priority: u32) -> bool {
    (AUTOMATIC_FIRST..=LAST).contains(&priority)
}

/// 0 (matches everything) to [`MOST_SPECIFIC`].
pub fn specificity(conditions: &RuleConditions) -> u32 {
    let host =
        conditions.hosts.iter().map(|host| if is_literal(host) { 300 } else { 200 }).min().unwrap_or(0);
    let path = conditions.paths.iter().map(|path| path_specificity(path)).min().unwrap_or(0);
    let others = conditions.headers.len() + conditions.methods.len().min(1) + conditions.query.len().min(1);
    host + path + 20 * u32::try_from(others.min(5)).unwrap_or(5)
}

/// host 300, path 128 characters and 1 for being literal, others 100.
const MOST_SPECIFIC: u32 = 300 + 2 * 128 + 1 + 100;

/// `/admin/users` before `/admin/*` before `/*`: literal characters before the first
/// wildcard count double, so that a literal of the same length comes first.
fn path_specificity(path: &str) -> u32 {
    let literal = path.find(['*', '?']).unwrap_or(path.len());
    let literal = u32::try_from(literal.min(128)).unwrap_or(128);
    2 * literal + u32::from(is_literal(path))
}

fn is_literal(pattern: &str) -> bool {
    !pattern.contains(['*', '?'])
}

pub(super) fn place(specificity: u32) -> u32 {
    let gap = (LAST - AUTOMATIC_FIRST) / (MOST_SPECIFIC + 1);
    AUTOMATIC_FIRST + (MOST_SPECIFIC - specificity.min(MOST_SPECIFIC)) * gap
}

#[cfg(test)]
#[path = "priority_tests.rs"]
mod tests;
