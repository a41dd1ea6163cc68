//! What is left holds everything; nothing is taken that must stay; and it never flaps.

use std::collections::BTreeSet;
use std::sync::Arc;

use proptest::prelude::*;

use super::judge::takes;
use super::worlds::{after, any_world, instance, offer, shape, task, with};
use crate::capacity::*;

const HAS: Resources = Resources::new(1024, 2048);

pub(super) fn policy(budget: u32) -> SparePolicy {
    SparePolicy {
        budget,
        standalone: Touch::Keep,
        protected: Touch::Keep,
        last_copies: Touch::Keep,
        gapless: std::collections::BTreeSet::new(),
        zones: Touch::Allow,
        exempt: BTreeSet::new(),
        for_now: BTreeSet::new(),
    }
}

fn group(count: usize) -> Vec<GroupOffer> {
    vec![GroupOffer { desired: u32::try_from(count).expect("few"), ..offer("asg", 1024, 2048) }]
}

/// `web` on each of so many instances, one healthy task.
fn half_empty(count: usize) -> Vec<Instance> {
    let web = Arc::new(shape("web", 256, 512));
    (0..count).map(|at| with(instance(&format!("i-{at}"), HAS), &web)).collect()
}

fn emptied(consolidation: &Consolidation) -> Vec<usize> {
    consolidation.emptied.iter().map(|it| it.instance).collect()
}

fn kept(consolidation: &Consolidation, at: usize) -> Option<&Kept> {
    consolidation.kept.iter().find(|(it, _)| *it == at).map(|(_, kept)| kept)
}

#[test]
fn from_26_to_7_in_one_step_and_not_one_by_one() {
    let world = half_empty(26);
    let outcome = spare(&world, &group(26), &[], &policy(100));
    assert_eq!(outcome.emptied.len(), 19, "26 tasks fit on 7 instances of 4");
    assert_eq!(outcome.saves, UsdPerHour::micros(40_000 * 19));
    insta::assert_snapshot!(outcome.saves, @"$554.80 a month");
    assert!(
        outcome.kept.iter().all(|(_, it)| matches!(it, Kept::NoRoom(..) | Kept::LastCopy(_))),
        "{:?}",
        outcome.kept
    );
}

#[test]
fn the_budget_the_minimum_and_the_headroom_are_kept() {
    let world = half_empty(4);
    let outcome = spare(&world, &group(4), &[], &policy(1));
    assert_eq!(emptied(&outcome), [0]);
    assert_eq!(kept(&outcome, 1), Some(&Kept::Budget(1)));
    let at_min = vec![GroupOffer { min: 3, ..group(4).remove(0) }];
    let outcome = spare(&world, &at_min, &[], &policy(9));
    assert_eq!(
        (emptied(&outcome), kept(&outcome, 3)),
        (vec![0], Some(&Kept::AtMin { group: "asg".into(), min: 3 }))
    );
    let headroom = [Demand::new(shape("web", 256, 512), 5)];
    assert_eq!(
        spare(&world, &group(4), &headroom, &policy(9)).emptied.len(),
        1,
        "4 and 5 need three instances of 4"
    );
    let too_much = [Demand::new(shape("web", 256, 512), 13)];
    let outcome = spare(&world, &group(4), &too_much, &policy(9));
    assert!(
        matches!(kept(&outcome, 0), Some(Kept::HeadroomShort(group, _)) if group.as_str() == "service:web")
    );
}

#[test]
fn the_dearest_goes_where_only_one_can() {
    let mut world = half_empty(2);
    world[1].price = Some(UsdPerHour::micros(90_000));
    assert_eq!(emptied(&spare(&world, &group(2), &[], &policy(9))), [1]);
}

/// The first of two instances has one more task, of this kind.
fn with_a(change: impl Fn(&mut TaskOn)) -> Vec<Instance> {
    let mut world = half_empty(2);
    let mut odd = task(&world[0], &Arc::new(shape("odd", 128, 128)));
    change(&mut odd);
    world[0].take(&odd);
    world.push(with(instance("i-2", HAS), &Arc::new(shape("odd", 128, 128))));
    world.push(with(instance("i-3", HAS), &Arc::new(shape("odd", 128, 128))));
    world
}

fn kept_first(world: &[Instance], policy: &SparePolicy) -> Option<Kept> {
    kept(&spare(world, &group(world.len()), &[], policy), 0).cloned()
}

#[test]
fn protected_standalone_and_last_copies_stay_unless_allowed() {
    let only_first = |policy: SparePolicy, world: &[Instance]| SparePolicy {
        exempt: world[1..].iter().map(|it| it.arn.clone()).collect(),
        ..policy
    };
    let protected = with_a(|it| it.protection = Protection::Protected);
    let keep = only_first(policy(9), &protected);
    assert_eq!(kept_first(&protected, &keep), Some(Kept::Protected("i-0/1".into())));
    assert_eq!(kept_first(&protected, &SparePolicy { protected: Touch::Allow, ..keep.clone() }), None);
    let standalone = with_a(|it| it.owner = Owner::Standalone);
    assert_eq!(kept_first(&standalone, &keep), Some(Kept::Standalone("i-0/1".into())));
    let allowed = SparePolicy { standalone: Touch::Allow, ..keep.clone() };
    let outcome = spare(&standalone, &group(4), &[], &allowed);
    assert_eq!(
        (outcome.emptied[0].ends.clone(), outcome.emptied[0].moves.len()),
        (vec![1], 1),
        "it ends and does not move"
    );
    let last = with_a(|it| it.owner = Owner::Service("lonely".into()));
    assert_eq!(kept_first(&last, &keep), Some(Kept::LastCopy("lonely".into())));
    assert_eq!(kept_first(&last, &SparePolicy { last_copies: Touch::Allow, ..keep.clone() }), None);
    let gapless = SparePolicy { gapless: ["lonely".into()].into(), ..keep.clone() };
    assert_eq!(kept_first(&last, &gapless), None, "ECS starts another one first");
    let daemon = with_a(|it| it.owner = Owner::Daemon("agent".into()));
    assert_eq!(kept_first(&daemon, &keep), None, "daemons do not count");
    let stopping = with_a(|it| {
        it.owner = Owner::Standalone;
        it.standing = Standing::Leaving;
    });
    assert_eq!(kept_first(&stopping, &keep), None, "what is being stopped is not lost by it");
}

#[test]
fn copies_do_not_all_leave_at_once() {
    let web = Arc::new(shape("web", 128, 128));
    let world = [with(instance("i-0", HAS), &web), with(instance("i-1", HAS), &web), instance("i-2", HAS)];
    let two = SparePolicy { exempt: BTreeSet::from([world[2].arn.clone()]), ..policy(2) };
    let outcome = spare(&world, &group(3), &[], &two);
    assert_eq!((emptied(&outcome), kept(&outcome, 1)), (vec![0], Some(&Kept::LastCopy("web".into()))));
}

#[test]
fn ports_and_constraints_are_kept() {
    let edge = Arc::new(TaskShape { ports: HostPorts::tcp([80]), ..shape("edge", 64, 64) });
    let world = [with(instance("i-0", HAS), &edge), with(instance("i-1", HAS), &edge)];
    let outcome = spare(&world, &group(2), &[], &policy(9));
    let Some(Kept::NoRoom(group_, why)) = kept(&outcome, 0) else { panic!("{outcome:?}") };
    insta::assert_snapshot!(format!("{group_}: {why}"), @"service:edge: host port 80 taken on the only instance (i-1)");
    assert!(emptied(&outcome).is_empty());
}

#[test]
fn groups_that_are_not_ours_are_left_alone() {
    let world = half_empty(2);
    let managed = vec![GroupOffer { supply: Supply::ManagedScaling, ..group(2).remove(0) }];
    let outcome = spare(&world, &managed, &[], &policy(9));
    assert_eq!(kept(&outcome, 0), Some(&Kept::Closed("asg".into(), Supply::ManagedScaling)));
    assert_eq!(kept(&spare(&world, &[], &[], &policy(9)), 1), Some(&Kept::NoGroup));
}

#[test]
fn what_drains_has_its_room_kept() {
    let mut world = half_empty(3);
    world[0].state = InstanceState::Draining;
    world[1] = (0..2).fold(world[1].clone(), |it, _| with(it, &Arc::new(shape("web", 256, 512))));
    let outcome = spare(&world, &group(2), &[], &policy(9));
    assert_eq!(kept(&outcome, 0), Some(&Kept::NotUsable));
    assert!(emptied(&outcome).is_empty(), "i-1 has one place left, and two need one: {outcome:?}");
}

/// The world when the emptied are gone and their tasks are where they were planned.
fn consolidated(world: &[Instance], outcome: &Consolidation) -> Vec<Instance> {
    let mut after = world.to_vec();
    for it in &outcome.emptied {
        for Move { task, to } in &it.moves {
            after[*to].take(&world[it.instance].tasks[*task]);
        }
    }
    let gone = emptied(outcome);
    after.into_iter().enumerate().filter(|(at, _)| !gone.contains(at)).map(|(_, it)| it).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// Everything that moves can really come there (by the judge, one after another in some order), the budget
    /// is kept, the sum is right, and afterwards nothing is missing.
    #[test]
    fn what_is_left_holds_everything_and_nothing_is_missing(
        (instances, demand) in any_world(1..=7, 1..=5, 4), budget in 0_u32..=4, headroom in 0_u32..=2,
    ) {
        let world = after(&instances, &demand, &place(&instances, &demand));
        let headroom = [Demand::new(Arc::clone(&demand[0].shape), headroom)];
        let mut offers = group(world.len());
        offers[0].attributes.insert("disk".to_owned(), Some("ssd".to_owned()));
        let outcome = spare(&world, &offers, &headroom, &policy(budget));
        prop_assert!(outcome.emptied.len() <= budget as usize);
        prop_assert_eq!(outcome.emptied.len() + outcome.kept.len(), world.len());
        prop_assert_eq!(outcome.saves.micros, 40_000 * outcome.emptied.len() as u64);
        let gone = emptied(&outcome);
        let mut open: Vec<(&TaskOn, usize)> = Vec::new();
        for it in &outcome.emptied {
            for task in 0..world[it.instance].tasks.len() {
                let to = it.moves.iter().find(|it| it.task == task).map(|it| it.to);
                prop_assert!(to.is_some_and(|to| !gone.contains(&to)), "task {} of {:?}", task, it);
                open.extend(to.map(|to| (&world[it.instance].tasks[task], to)));
            }
        }
        let mut filled = world.clone();
        while let Some(at) = open.iter().position(|(task, to)| takes(&filled[*to], &task.shape)) {
            let (task, to) = open.remove(at);
            filled[to].take(task);
        }
        // An anti-affinity may forbid the judge's order; then the room must be there all the same.
        let by_order_only = |(task, _): &(&TaskOn, usize)| task.shape.member_of.iter().any(ClusterQuery::looks_at_tasks);
        prop_assert!(open.iter().all(by_order_only), "{open:?}");
        let left = consolidated(&world, &outcome);
        offers[0].desired -= u32::try_from(gone.len()).expect("few");
        if !gone.is_empty() {
            let order = missing(&left, &offers, &[headroom.to_vec(), displaced(&left)].concat());
            prop_assert!(order.groups.is_empty() && order.unplaceable.is_empty(), "{order:?}");
        }
    }

    /// With no budget's end, a second time right after it finds nothing more.
    #[test]
    fn a_second_time_nothing_is_spare(count in 1_usize..=20, cpu in 1_u32..=4, memory in 1_u32..=4, headroom in 0_u32..=3) {
        let web = Arc::new(shape("web", cpu * 128, memory * 256));
        let world: Vec<Instance> = (0..count).map(|at| with(instance(&format!("i-{at}"), HAS), &web)).collect();
        let headroom = [Demand::new(Arc::clone(&web), headroom)];
        let outcome = spare(&world, &group(count), &headroom, &policy(100));
        let left = consolidated(&world, &outcome);
        let again = spare(&left, &group(left.len()), &headroom, &policy(100));
        prop_assert!(again.emptied.is_empty(), "{outcome:?}\nthen {again:?}");
    }
}

#[test]
fn a_groups_zones_stay_in_balance_where_they_are_to() {
    let mut world = half_empty(4);
    for (at, zone) in ["b", "b", "a", "a"].into_iter().enumerate() {
        world[at].zone = zone.into();
    }
    let offers = vec![GroupOffer { zones: vec!["a".into(), "b".into()], ..group(4).remove(0) }];
    let balanced = spare(&world, &offers, &[], &SparePolicy { zones: Touch::Keep, ..policy(2) });
    assert_eq!(emptied(&balanced), [0, 2], "one of each zone");
    let short = Kept::ZoneShort { group: "asg".into(), zone: "b".into() };
    assert_eq!(kept(&balanced, 1), Some(&short));
    assert_eq!(emptied(&spare(&world, &offers, &[], &policy(2))), [0, 1]);
}
