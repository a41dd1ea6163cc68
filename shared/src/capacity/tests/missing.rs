//! The right number of instances, of the right group, and the reason where none helps.

use std::sync::Arc;

use proptest::prelude::*;

use super::judge::all_fit;
use super::worlds::{any_world, in_zone, instance, offer, query, shape, with};
use crate::capacity::*;

fn more(order: &Order) -> Vec<(&str, u32)> {
    order.groups.iter().map(|(name, it)| (name.as_str(), it.more)).collect()
}

fn ask(offers: &[GroupOffer], demand: &[Demand]) -> Order {
    missing(&[], offers, demand)
}

fn no_help(order: &Order) -> String {
    order
        .unplaceable
        .iter()
        .flat_map(|it| &it.groups)
        .map(|(name, it)| format!("{name}: {it:?}\n"))
        .collect::<Vec<_>>()
        .concat()
}

#[test]
fn from_zero_one_is_asked_for_when_one_is_enough() {
    let order = ask(&[offer("asg", 2048, 4096)], &[Demand::new(shape("web", 512, 1024), 4)]);
    assert_eq!(more(&order), [("asg", 1)]);
    assert_eq!(order.groups.values().map(|it| (it.desired, it.tasks)).collect::<Vec<_>>(), [(1, 4)]);
}

#[test]
fn all_that_is_missing_comes_in_one_step() {
    let order = ask(&[offer("asg", 2048, 4096)], &[Demand::new(shape("web", 512, 1024), 26 * 4)]);
    assert_eq!(more(&order), [("asg", 26)]);
}

#[test]
fn what_is_there_and_what_is_launching_is_filled_first() {
    let there = instance("i-1", Resources::new(2048, 4096));
    let mut group = offer("asg", 2048, 4096);
    group.launching = vec![None];
    group.desired = 2;
    let demand = |count| [Demand::new(shape("web", 512, 1024), count)];
    let order = missing(std::slice::from_ref(&there), std::slice::from_ref(&group), &demand(8));
    assert!(order.groups.is_empty() && order.on_launching == 4, "{order:?}");
    assert_eq!(more(&missing(&[there], &[group], &demand(9))), [("asg", 1)]);
}

#[test]
fn the_cheaper_group_for_what_is_needed_is_chosen() {
    let priced = |name, cpu, memory, micros| {
        let mut it = offer(name, cpu, memory);
        it.machines[0].on_demand = Some(UsdPerHour::micros(micros));
        it
    };
    let offers = [priced("large", 8192, 16384, 400_000), priced("small", 1024, 2048, 60_000)];
    let demand = |count| [Demand::new(shape("web", 512, 1024), count)];
    assert_eq!(more(&ask(&offers, &demand(1))), [("small", 1)], "one task needs no large one");
    assert_eq!(more(&ask(&offers, &demand(16))), [("large", 1)], "400 are less than 8 × 60");
    assert_eq!(more(&ask(&offers, &demand(18))), [("large", 1), ("small", 1)], "what is over comes cheaply");
}

#[test]
fn shares_give_each_group_its_base_and_then_its_part() {
    let shared =
        |name, base, weight| GroupOffer { share: Some(Share { base, weight }), ..offer(name, 1024, 1024) };
    let offers = [shared("on-demand", 2, 1), shared("spot", 0, 3)];
    let order = ask(&offers, &[Demand::new(shape("web", 1024, 1024), 10)]);
    assert_eq!(more(&order), [("on-demand", 4), ("spot", 6)]);
}

#[test]
fn a_mixed_group_costs_by_its_base_and_percentage() {
    let mut group = offer("mixed", 1024, 1024);
    group.machines[0].spot = Some(UsdPerHour::micros(10_000));
    group.on_demand = OnDemand { base: 1, percent_above_base: 50 };
    assert_eq!([0, 1, 2, 3, 4, 5].map(|it| group.on_demand.of(it)), [0, 1, 2, 2, 3, 3]);
    assert_eq!(group.price_of(3), Some(UsdPerHour::micros(2 * 40_000 + 10_000)));
    assert_eq!(group.price_of_more(2, 1), Some(UsdPerHour::micros(10_000)), "the third is a spot instance");
}

#[test]
fn several_types_are_planned_for_the_least_of_each() {
    let mut group = offer("mixed", 2048, 4096);
    group.machines.push(Machine { capacity: Resources::new(1024, 8192), ..group.machines[0].clone() });
    group.overhead = Resources::new(24, 96);
    assert_eq!(group.capacity(), Resources::new(1000, 4000));
    let excluded = TaskShape {
        member_of: vec![query("attribute:ecs.instance-type == t3.medium")],
        ..shape("web", 1, 1)
    };
    group.machines[1].instance_type = "r5.large".into();
    let order = ask(&[group], &[Demand::new(excluded, 1)]);
    insta::assert_snapshot!(no_help(&order), @"mixed: Excluded(MemberOf)");
}

#[test]
fn a_task_for_one_zone_gets_as_many_as_auto_scaling_needs_to_come_there() {
    let in_c = TaskShape {
        member_of: vec![query("attribute:ecs.availability-zone == c")],
        ..shape("web", 512, 512)
    };
    let mut group = offer("asg", 1024, 1024);
    group.zones = vec!["a".into(), "b".into(), "c".into()];
    assert_eq!(more(&ask(std::slice::from_ref(&group), &[Demand::new(in_c.clone(), 1)])), [("asg", 3)]);
    let there = [
        in_zone(instance("i-1", Resources::new(64, 64)), "a"),
        in_zone(instance("i-2", Resources::new(64, 64)), "b"),
    ];
    assert_eq!(more(&missing(&there, &[group], &[Demand::new(in_c, 1)])), [("asg", 1)], "the turn is c's");
}

#[test]
fn every_group_that_does_not_help_says_why() {
    let offers = [
        GroupOffer { supply: Supply::ManagedScaling, ..offer("managed", 4096, 8192) },
        GroupOffer { max: 1, desired: 1, ..offer("full", 4096, 8192) },
        offer("small", 1024, 1024),
        GroupOffer { machines: Vec::new(), ..offer("empty", 0, 0) },
    ];
    let order = ask(&offers, &[Demand::new(shape("web", 2048, 2048), 2)]);
    assert!(order.groups.is_empty());
    insta::assert_snapshot!(order.unplaceable[0].why, @"there is no instance");
    insta::assert_snapshot!(no_help(&order), @r"
    managed: Closed(ManagedScaling)
    full: AtMax { max: 1 }
    small: TooSmall([Short { resource: Cpu, by: 1024 }, Short { resource: Memory, by: 1024 }])
    empty: Unknown
    ");
    let order = ask(
        &[GroupOffer { max: 1, ..offer("asg", 1024, 1024) }],
        &[Demand::new(shape("web", 1024, 1024), 3)],
    );
    assert_eq!(
        (more(&order), order.unplaceable[0].count),
        (vec![("asg", 1)], 2),
        "as far as the maximum goes"
    );
}

#[test]
fn distinct_tasks_and_ports_take_an_instance_each() {
    let port = TaskShape { ports: HostPorts::tcp([80]), ..shape("edge", 64, 64) };
    let alone = TaskShape { sharing: Sharing::Distinct, ..shape("one", 64, 64) };
    let order = ask(&[offer("asg", 4096, 4096)], &[Demand::new(port, 3), Demand::new(alone, 5)]);
    assert_eq!(more(&order), [("asg", 5)]);
}

#[test]
fn leaving_instances_give_no_room() {
    let web = Arc::new(shape("web", 512, 512));
    let leaving = Instance {
        state: InstanceState::Draining,
        ..with(instance("i-1", Resources::new(1024, 1024)), &web)
    };
    assert_eq!(more(&missing(&[leaving], &[offer("asg", 1024, 1024)], &[Demand::new(web, 1)])), [("asg", 1)]);
}

/// What the world looks like when all that was ordered has come.
fn with_launching(offers: &[GroupOffer], order: &Order) -> Vec<GroupOffer> {
    let mut offers = offers.to_vec();
    for offer in &mut offers {
        if let Some(more) = order.groups.get(&offer.name) {
            offer.desired = more.desired;
            offer.launching.extend(std::iter::repeat_n(None, more.more as usize));
        }
    }
    offers
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// What was ordered is enough and inside the limits, and asked again nothing is missing.
    #[test]
    fn an_order_is_enough_and_is_not_repeated(
        (instances, demand) in any_world(0..=4, 1..=6, 6),
        sizes in prop::collection::vec((4_u32..=16, 4_u32..=16, 1_u32..=4, 0_u32..=12, 1_u64..=9), 1..=3),
    ) {
        let offers: Vec<GroupOffer> = sizes.iter().enumerate().map(|(at, (cpu, memory, enis, max, price))| {
            let mut it = offer(&format!("g{at}"), cpu * 128, memory * 128);
            it.machines[0].capacity.enis = *enis;
            it.machines[0].on_demand = Some(UsdPerHour::micros(price * 10_000));
            it.attributes.insert("disk".to_owned(), Some("ssd".to_owned()));
            it.zones = vec!["a".into(), "b".into()];
            GroupOffer { max: *max, ..it }
        }).collect();
        let order = missing(&instances, &offers, &demand);
        for it in &offers {
            let count = order.groups.get(&it.name).map_or(0, |it| it.more);
            prop_assert!(count <= it.max);
        }
        let again = missing(&instances, &with_launching(&offers, &order), &demand);
        if order.unplaceable.is_empty() {
            prop_assert!(again.groups.is_empty() && again.unplaceable.is_empty(), "{order:#?}\nthen {again:#?}");
        }
    }

    /// Where nothing is bought for a task, every group either may not grow or has nothing that takes it alone.
    #[test]
    fn what_no_group_helps_is_proved(
        (instances, demand) in any_world(0..=3, 1..=4, 3), cpu in 2_u32..=10, memory in 2_u32..=10,
    ) {
        let group = offer("asg", cpu * 128, memory * 128);
        let order = missing(&instances, std::slice::from_ref(&group), &demand);
        for it in &order.unplaceable {
            let mut fresh = in_zone(instance("i-new", group.capacity()), "a");
            fresh.attributes.insert("ecs.instance-type".to_owned(), Some("t3.medium".to_owned()));
            prop_assert!(!all_fit(&mut vec![fresh], &[&demand[it.demand].shape]), "{it:?}");
        }
    }
}
