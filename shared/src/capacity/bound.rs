//! How few instances could do, whatever the arrangement: what counts are judged by.

use super::resources::{Resource, Resources};
use super::shape::{Demand, Sharing};

/// So many empty instances of one capacity are needed at least. The largest of, for each quantity, Martello
/// and Toth's bound L2 (which knows that two tasks of more than half do not share), and the number of tasks
/// that clash over a group or a port. Constraints and zones are not looked at, so it may be too low, never too
/// high. Tasks that fit on no such instance are not counted.
pub fn at_least(capacity: Resources, demand: &[Demand]) -> u32 {
    let fits = |it: &&Demand| it.count > 0 && it.shape.needs.within(capacity);
    let demand: Vec<&Demand> = demand.iter().filter(fits).collect();
    let by_quantity = Resource::ALL.into_iter().map(|resource| {
        let mut sizes: Vec<(u64, u64)> = demand
            .iter()
            .map(|it| (u64::from(it.shape.needs.of(resource)), u64::from(it.count)))
            .filter(|(size, _)| *size > 0)
            .collect();
        sizes.sort_unstable();
        second_bound(u64::from(capacity.of(resource)), &sizes)
    });
    let any = u64::from(!demand.is_empty());
    let most = by_quantity.chain([any, clashing(&demand)]).max().unwrap_or(0);
    u32::try_from(most).unwrap_or(u32::MAX)
}

/// L2 over (size, count) in ascending order; every size is at most `capacity`.
fn second_bound(capacity: u64, sizes: &[(u64, u64)]) -> u64 {
    let half = |size: &u64| *size * 2 <= capacity;
    let thresholds = sizes.iter().map(|(size, _)| *size).filter(half).chain([0]);
    thresholds.map(|small| bound_from(capacity, small, sizes)).max().unwrap_or(0)
}

/// The bound that leaves out what is smaller than `small`: those beyond `capacity - small` stand alone, those
/// beyond half each take one and leave the rest of it, and what is in between has to go into these rests.
fn bound_from(capacity: u64, small: u64, sizes: &[(u64, u64)]) -> u64 {
    let (mut alone, mut large, mut large_sum, mut middle_sum) = (0, 0, 0, 0);
    for (size, count) in sizes {
        if *size > capacity - small {
            alone += count;
        } else if *size * 2 > capacity {
            large += count;
            large_sum += size * count;
        } else if *size >= small {
            middle_sum += size * count;
        }
    }
    let rest = large * capacity - large_sum;
    alone + large + middle_sum.saturating_sub(rest).div_ceil(capacity.max(1))
}

/// The most tasks of which no two go together.
fn clashing(demand: &[&Demand]) -> u64 {
    let ports = demand.iter().flat_map(|it| it.shape.ports.iter());
    let at_port = |port| {
        let of = demand.iter().filter(|it| it.shape.ports.iter().any(|it| it == port));
        of.map(|it| u64::from(it.count)).sum::<u64>()
    };
    let of_group = |of: &&Demand| {
        let same = demand
            .iter()
            .filter(|it| it.shape.group == of.shape.group && it.shape.sharing == Sharing::Distinct);
        same.map(|it| u64::from(it.count)).sum::<u64>()
    };
    let groups = demand.iter().filter(|it| it.shape.sharing == Sharing::Distinct).map(of_group);
    ports.map(at_port).chain(groups).max().unwrap_or(0)
}
