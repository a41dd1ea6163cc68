//! What is placed is valid; what is refused is proved.

use std::sync::Arc;

use proptest::prelude::*;

use super::judge::{all_fit, counts_add_up, each, is_valid, takes};
use super::worlds::{after, any_world, in_zone, instance, query, shape, with};
use crate::capacity::*;

fn why(placement: &Placement) -> String {
    let each = |it: &Unplaced| format!("{} of demand {}: {}", it.count, it.demand, it.why);
    placement.unplaced.iter().map(each).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_task_goes_to_the_fullest_instance_that_has_room() {
    let web = Arc::new(shape("web", 256, 512));
    let half = with(instance("i-2", Resources::new(1024, 2048)), &web);
    let instances = [instance("i-1", Resources::new(1024, 2048)), half];
    let placement = place(&instances, &[Demand::new(shape("api", 256, 512), 3)]);
    assert_eq!(placement.placed, [Placed { demand: 0, instance: 1, count: 3 }]);
    assert!(placement.unplaced.is_empty());
}

#[test]
fn tasks_are_spread_over_zones_while_there_is_room() {
    let has = Resources::new(1024, 1024);
    let instances = [
        in_zone(instance("i-1", has), "a"),
        in_zone(instance("i-2", has), "a"),
        in_zone(instance("i-3", has), "b"),
    ];
    let placement = place(&instances, &[Demand::new(shape("web", 256, 256), 4)]);
    let counts: Vec<(usize, u32)> = placement.placed.iter().map(|it| (it.instance, it.count)).collect();
    assert_eq!(counts, [(0, 2), (2, 2)]);
}

#[test]
fn a_refusal_names_the_resource_the_best_instance_and_who_was_excluded() {
    let ssd = TaskShape { member_of: vec![query("attribute:disk == ssd")], ..shape("web", 256, 4096) };
    let has = |memory| {
        let mut it = instance(&format!("i-{memory}"), Resources::new(1024, memory));
        it.attributes.insert("disk".to_owned(), Some("ssd".to_owned()));
        it
    };
    let other = instance("i-other", Resources::new(4096, 8192));
    let instances = [has(2048), has(1024), has(512), other];
    insta::assert_snapshot!(why(&place(&instances, &[Demand::new(ssd, 1)])), @"1 of demand 0: 2,048 MiB short on the best of 3 instances (i-2048); 1 excluded by memberOf");
}

#[test]
fn each_obstacle_has_its_words() {
    let has = Resources::new(1024, 1024);
    let port = TaskShape { ports: HostPorts::tcp([80]), ..shape("web", 128, 128) };
    let taken = with(instance("i-1", has), &Arc::new(port.clone()));
    let draining = Instance { state: InstanceState::Draining, ..instance("i-2", has) };
    let lost = Instance { agent: Agent::Disconnected, ..instance("i-3", has) };
    let world = [taken, draining, lost];
    insta::assert_snapshot!(why(&place(&world, &[Demand::new(port.clone(), 2)])), @"2 of demand 0: host port 80 taken on the only instance (i-1); 1 not active; 1 without its agent");
    let alone = TaskShape { sharing: Sharing::Distinct, ..shape("one", 128, 128) };
    insta::assert_snapshot!(why(&place(&world[..1], &[Demand::new(alone, 2)])), @"1 of demand 0: 1 excluded by distinctInstance; there was room for 1 at most");
    insta::assert_snapshot!(why(&place(&[], &[Demand::new(port, 1)])), @"1 of demand 0: there is no instance");
    let gpu = TaskShape { needs: Resources::new(128, 128).gpus(1).enis(1), ..shape("gpu", 0, 0) };
    insta::assert_snapshot!(why(&place(&world[..1], &[Demand::new(gpu, 1)])), @"1 of demand 0: 1 GPUs short and 1 network interfaces short on the only instance (i-1)");
    let many = [Demand::new(shape("a", 512, 128), 2), Demand::new(shape("b", 256, 128), 1)];
    insta::assert_snapshot!(why(&place(&[instance("i-9", has)], &many)), @"1 of demand 1: 256 CPU units short on the only instance (i-9); together 256 CPU units short");
}

#[test]
fn affinity_follows_the_tasks_that_are_placed() {
    let has = Resources::new(1024, 1024);
    let near = TaskShape { member_of: vec![query("task:group == service:zcache")], ..shape("app", 512, 512) };
    let demand = [Demand::new(near, 1), Demand::new(shape("zcache", 128, 128), 1)];
    let placement = place(&[instance("i-1", has)], &demand);
    assert!(
        placement.unplaced.is_empty(),
        "the larger one waits for the one it wants to be near: {placement:?}"
    );
}

#[test]
fn demands_of_one_shape_share_what_there_is_the_first_first() {
    let it = Arc::new(shape("web", 512, 512));
    let demand = [Demand::new(Arc::clone(&it), 1), Demand::new(it, 2)];
    let placement = place(&[instance("i-1", Resources::new(1024, 1024))], &demand);
    assert_eq!(placement.placed.iter().map(|it| (it.demand, it.count)).collect::<Vec<_>>(), [(0, 1), (1, 1)]);
    assert_eq!(placement.unplaced.iter().map(|it| (it.demand, it.count)).collect::<Vec<_>>(), [(1, 1)]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// Both sides: what is placed can be put there; what is not, no instance takes beside it.
    #[test]
    fn a_placement_is_valid_and_a_refusal_holds((instances, demand) in any_world(0..=8, 1..=6, 6)) {
        let placement = place(&instances, &demand);
        prop_assert!(counts_add_up(&demand, &placement));
        prop_assert!(is_valid(&instances, &demand, &placement), "{placement:#?}");
        let full = after(&instances, &demand, &placement);
        for it in &placement.unplaced {
            let taker = full.iter().find(|instance| takes(instance, &demand[it.demand].shape));
            prop_assert!(taker.is_none(), "{it:?} fits on {taker:?}");
        }
    }

    /// A proof by quantities is one: no arrangement at all places what it refuses.
    #[test]
    fn a_proved_refusal_is_confirmed_by_exhaustion((instances, demand) in any_world(1..=3, 1..=3, 3)) {
        let placement = place(&instances, &demand);
        for it in &placement.unplaced {
            let of = &demand[it.demand];
            match it.why.proof {
                Proof::Alone { at_most } => {
                    let one_more = vec![&of.shape; at_most as usize + 1];
                    prop_assert!(!all_fit(&mut instances.clone(), &one_more), "{it:?}");
                }
                Proof::Together { .. } => {
                    prop_assert!(!all_fit(&mut instances.clone(), &each(&demand)), "{it:?}");
                }
                Proof::AfterOthers => {}
            }
        }
    }

    /// Twice the same, whatever the order of equal facts.
    #[test]
    fn the_same_facts_give_the_same_placement((instances, demand) in any_world(0..=6, 1..=5, 4)) {
        prop_assert_eq!(place(&instances, &demand), place(&instances, &demand));
    }
}

/// How often the packer refuses what some arrangement would place, on cases small enough to try them all.
#[test]
fn few_refusals_are_wrong_on_small_cases() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let (mut feasible, mut refused) = (0_u32, 0_u32);
    for _ in 0..1500 {
        let world = any_world(2..=3, 2..=4, 2).new_tree(&mut runner).expect("a world");
        let (instances, demand) = proptest::strategy::ValueTree::current(&world);
        if all_fit(&mut instances.clone(), &each(&demand)) {
            feasible += 1;
            refused += u32::from(!place(&instances, &demand).unplaced.is_empty());
        }
    }
    eprintln!("of {feasible} small worlds where all fits, the packer refused {refused}");
    assert!(feasible >= 100, "the generator makes too few worlds where all fits: {feasible}");
    assert!(refused * 20 <= feasible, "{refused} of {feasible} feasible worlds were refused");
}
