//! Several groups with a base and weights: what is bought and what is emptied keep the same order.

use std::sync::Arc;

use proptest::prelude::*;

use super::spare::policy;
use super::worlds::{instance, offer, shape, with};
use crate::capacity::*;

/// One task of these fills an instance of any group here.
const TASK: u32 = 1024;

fn group(name: &str, base: u32, weight: u32) -> GroupOffer {
    GroupOffer { share: Some(Share { base, weight }), ..offer(name, TASK, TASK) }
}

fn tasks(count: u32) -> Demand {
    Demand::new(shape("web", TASK, TASK), count)
}

/// So many instances of each group that are full.
fn full(offers: &mut [GroupOffer], counts: &[u32]) -> Vec<Instance> {
    there(offers, counts, &Arc::new(shape("web", TASK, TASK)))
}

/// So many instances of each group, each with one task.
fn there(offers: &mut [GroupOffer], counts: &[u32], task: &Arc<TaskShape>) -> Vec<Instance> {
    let mut instances = Vec::new();
    for (offer, count) in offers.iter_mut().zip(counts) {
        offer.desired = *count;
        for at in 0..*count {
            let name = format!("i-{}{at}", offer.name);
            let it =
                Instance { group: Some(offer.name.clone()), ..instance(&name, Resources::new(TASK, TASK)) };
            instances.push(with(it, task));
        }
    }
    instances
}

fn desired(offers: &[GroupOffer], order: &Order) -> Vec<u32> {
    let of = |offer: &GroupOffer| order.groups.get(&offer.name).map_or(offer.desired, |it| it.desired);
    offers.iter().map(of).collect()
}

fn left(offers: &[GroupOffer], instances: &[Instance], outcome: &Consolidation) -> Vec<u32> {
    let is_gone = |at: usize| outcome.emptied.iter().any(|it| it.instance == at);
    let of = |offer: &GroupOffer| {
        let own = |(at, it): &(usize, &Instance)| it.group.as_ref() == Some(&offer.name) && !is_gone(*at);
        u32::try_from(instances.iter().enumerate().filter(own).count()).expect("few")
    };
    offers.iter().map(of).collect()
}

#[test]
fn the_base_comes_first_and_the_rest_by_weight() {
    let offers = [group("on-demand", 1, 1), group("spot", 0, 3)];
    let mixes: Vec<Vec<u32>> = [0, 1, 2, 3, 4, 5, 9, 13]
        .map(|count| desired(&offers, &missing(&[], &offers, &[tasks(count)])))
        .into();
    assert_eq!(mixes, [[0, 0], [1, 0], [2, 0], [2, 1], [2, 2], [2, 3], [3, 6], [4, 9]]);
    // Dearer or not: what the spec says is not a matter of price.
    let mut dear = offers.clone();
    dear[1].machines[0].on_demand = Some(UsdPerHour::micros(900_000));
    assert_eq!(desired(&dear, &missing(&[], &dear, &[tasks(13)])), [4, 9]);
}

#[test]
fn a_group_without_a_weight_is_asked_beyond_its_base_once_no_other_can_help() {
    let mut offers = [group("on-demand", 1, 0), group("spot", 0, 3)];
    assert_eq!(desired(&offers, &missing(&[], &offers, &[tasks(5)])), [1, 4]);
    offers[1].max = 2;
    assert_eq!(desired(&offers, &missing(&[], &offers, &[tasks(5)])), [3, 2]);
    offers[1].supply = Supply::Failing;
    assert_eq!(desired(&offers, &missing(&[], &offers, &[tasks(5)])), [5, 0]);
    assert_eq!(by_share(&offers, 5), [3, 2], "whatever fails now");
}

#[test]
fn what_was_too_much_of_one_group_is_made_good_by_what_comes_next() {
    let mut offers = [group("on-demand", 1, 0), group("spot", 0, 3)];
    let instances = full(&mut offers, &[4, 0]);
    assert_eq!(desired(&offers, &missing(&instances, &offers, &[tasks(3)])), [4, 3]);
}

#[test]
fn the_one_above_its_share_gives_first_and_the_base_stays() {
    // Two tasks fit on each: five could be three.
    let half = Arc::new(shape("web", TASK / 2, TASK / 2));
    let mut offers = [group("on-demand", 1, 0), group("spot", 0, 3)];
    let world = there(&mut offers, &[4, 1], &half);
    let outcome = spare(&world, &offers, &[], &policy(9));
    assert_eq!(left(&offers, &world, &outcome), [2, 1]);
    // Alone, the base would be the emptiest; it is kept all the same.
    let world = there(&mut offers, &[1, 1], &half);
    let outcome = spare(&world, &offers, &[], &policy(9));
    assert_eq!(left(&offers, &world, &outcome), [1, 0]);
    let exempt = SparePolicy { exempt: [world[1].arn.clone()].into(), ..policy(9) };
    let outcome = spare(&world, &offers, &[], &exempt);
    assert_eq!(outcome.kept[0].1, Kept::Base { group: "on-demand".into(), base: 1 });
    // Nothing is beyond the bases: a second one of two goes as any other.
    offers[0].share = Some(Share { base: 2, weight: 0 });
    let world = there(&mut offers, &[2, 0], &half);
    assert_eq!(left(&offers, &world, &spare(&world, &offers, &[], &policy(9))), [1, 0]);
}

#[test]
fn nothing_goes_in_the_place_of_what_another_group_gives_back_a_while_later() {
    let half = Arc::new(shape("web", TASK / 2, TASK / 2));
    let mut offers = [group("on-demand", 1, 0), group("spot", 0, 3)];
    let world = there(&mut offers, &[2, 2], &half);
    let settling = |at: &[usize]| SparePolicy {
        exempt: at.iter().map(|at| world[*at].arn.clone()).collect(),
        for_now: at.iter().map(|at| world[*at].arn.clone()).collect(),
        ..policy(9)
    };
    // What took over is new: the spot instances that came back wait for it to settle.
    let outcome = spare(&world, &offers, &[], &settling(&[0, 1]));
    assert_eq!(left(&offers, &world, &outcome), [2, 2]);
    assert_eq!(outcome.kept[2].1, Kept::Share { group: "on-demand".into() });
    // For good, and it is no reason to wait.
    let for_good = SparePolicy { for_now: std::collections::BTreeSet::new(), ..settling(&[0, 1]) };
    assert_eq!(left(&offers, &world, &spare(&world, &offers, &[], &for_good)), [2, 0]);
    // By its share: nobody waits for it.
    let world = there(&mut offers, &[1, 3], &half);
    let settling = SparePolicy {
        exempt: [world[0].arn.clone(), world[1].arn.clone()].into(),
        for_now: [world[0].arn.clone(), world[1].arn.clone()].into(),
        ..policy(9)
    };
    assert_eq!(left(&offers, &world, &spare(&world, &offers, &[], &settling)), [1, 1]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// From any mix: the group of each instance that is bought had its turn before every group that could have
    /// given it instead; from nothing the mix is the one by share.
    #[test]
    fn each_that_is_bought_had_its_turn(
        shares in prop::collection::vec((0_u32..=3, 0_u32..=4, 0_u32..=9, 0_u32..=4), 2..=4), wanted in 0_u32..=16,
    ) {
        let mut offers: Vec<GroupOffer> = shares.iter().enumerate().map(|(at, (base, weight, max, there))| {
            GroupOffer { max: (*max).max(*there), ..group(&format!("g{at}"), *base, *weight) }
        }).collect();
        let counts: Vec<u32> = shares.iter().map(|(.., there)| *there).collect();
        let world = full(&mut offers, &counts);
        let after = desired(&offers, &missing(&world, &offers, &[tasks(wanted)]));
        let room: u32 = offers.iter().map(|it| it.max - it.desired).sum();
        prop_assert_eq!(after.iter().sum::<u32>(), counts.iter().sum::<u32>() + wanted.min(room));
        for (at, bought) in offers.iter().enumerate().filter(|(at, it)| after[*at] > it.desired) {
            for (other, offer) in offers.iter().enumerate().filter(|(at, it)| after[*at] < it.max) {
                let (last, next) = (bought.last_turn(after[at]), offer.turn(after[other]));
                prop_assert!(last <= Some(next), "{after:?}: {} before {}", bought.name, offer.name);
            }
        }
        if counts.iter().all(|it| *it == 0) {
            prop_assert_eq!(after, by_share(&offers, wanted.min(room)));
        }
    }

    /// From any mix of half-empty instances as many go as without shares; of each that went the turn came last; no base
    /// was touched while something was beyond the bases.
    #[test]
    fn each_that_is_emptied_had_the_last_turn(
        shares in prop::collection::vec((0_u32..=2, 0_u32..=4, 0_u32..=5), 2..=3), budget in 0_u32..=8,
    ) {
        let mut offers: Vec<GroupOffer> =
            shares.iter().enumerate().map(|(at, (base, weight, _))| group(&format!("g{at}"), *base, *weight)).collect();
        let counts: Vec<u32> = shares.iter().map(|(.., there)| *there).collect();
        let world = there(&mut offers, &counts, &Arc::new(shape("web", TASK / 2, TASK / 2)));
        let gapless = SparePolicy { gapless: ["web".into()].into(), ..policy(budget) };
        let outcome = spare(&world, &offers, &[], &gapless);
        let all: u32 = counts.iter().sum();
        prop_assert_eq!(outcome.emptied.len(), (all / 2).min(budget) as usize);
        let after = left(&offers, &world, &outcome);
        let base = |at: usize| offers[at].share.map_or(0, |it| it.base);
        for (at, gave) in offers.iter().enumerate().filter(|(at, _)| after[*at] < counts[*at]) {
            for (other, kept) in offers.iter().enumerate().filter(|(other, _)| *other != at) {
                prop_assert!(after[at] >= base(at) || after[other] <= base(other), "{counts:?} → {after:?}");
                let (next, last) = (gave.turn(after[at]), kept.last_turn(after[other]));
                prop_assert!(last <= Some(next), "{counts:?} → {after:?}: {} before {}", gave.name, kept.name);
            }
        }
    }
}
