//! Several groups, each with its part: as in a capacity provider strategy of ECS, but of instances.
//!
//! The group with the smallest [`Turn`] gets the next instance, and the one whose last instance had the
//! greatest turn gives one back first: buying and emptying are the same order, read from its two ends.

use serde::{Deserialize, Serialize};

use super::offer::{GroupOffer, Supply};

/// A group's part among several, as in a capacity provider strategy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Share {
    /// So many instances here first.
    pub base: u32,
    /// And of the rest this part of all weights; 0 only if no other can help.
    pub weight: u32,
}

/// When a group's next instance has its turn: the smaller comes first. Among equals the price decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Turn {
    /// It has fewer than its base.
    Base,
    /// How much of its weight it has, in parts of 65,536. 0 where no group has a share.
    Weight(u64),
    /// It has no weight: once no other can help.
    Last,
}

impl GroupOffer {
    /// The turn of one instance more, where it has so many.
    pub(crate) fn turn(&self, count: u32) -> Turn {
        match self.share {
            None => Turn::Weight(0),
            Some(Share { base, .. }) if count < base => Turn::Base,
            Some(Share { weight: 0, .. }) => Turn::Last,
            Some(Share { base, weight }) => Turn::Weight((u64::from(count - base) << 16) / u64::from(weight)),
        }
    }

    /// The turn that its last instance had; nothing where it has none.
    pub(crate) fn last_turn(&self, count: u32) -> Option<Turn> {
        count.checked_sub(1).map(|before| self.turn(before))
    }

    /// Whether Windlass sets its capacity.
    pub(crate) fn is_ours(&self) -> bool {
        matches!(self.supply, Supply::Open | Supply::Failing)
    }
}

/// How many of `total` instances each group would have by its share, in the order of the offers: whatever
/// fails to launch now, within the maxima, and none of a group that is not to be changed.
pub fn by_share(offers: &[GroupOffer], total: u32) -> Vec<u32> {
    let mut counts = vec![0; offers.len()];
    for _ in 0..total {
        let may_grow = |at: &usize| offers[*at].is_ours() && counts[*at] < offers[*at].max;
        let next = (0..offers.len()).filter(may_grow).min_by_key(|at| offers[*at].turn(counts[*at]));
        let Some(next) = next else { break };
        counts[next] += 1;
    }
    counts
}
