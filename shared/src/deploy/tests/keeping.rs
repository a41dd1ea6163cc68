//! Revisions beyond those that are kept: only ours, only the oldest, never one that is needed.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::world::{World, deployment, digest, revision};
use crate::deploy::plan::{InFlightChange, StepOutcome};
use crate::deploy::{Plan, Revisions, Step, Triage, check, record, triage};
use crate::facts::{Fact, FailureKind, ParameterText, RevisionFacts, RolloutState, Unreadable};
use crate::id::TaskDefinitionArn;
use crate::ledger::{Order, Pin, Settled, Tidy};

fn arn(number: u32) -> TaskDefinitionArn {
    revision(number, "").arn.unwrap()
}

/// Live on shop:7; the passes registered `registered`, and the cluster keeps `keep`.
fn keeping(keep: u32, registered: impl IntoIterator<Item = u32>) -> World {
    let mut world = World::tracked("shop:latest");
    world.facts.cluster_parameter = Fact::Known(ParameterText {
        name: "/windlass/clusters/main".into(),
        version: 1,
        text: format!("keep_revisions: {keep}"),
    });
    world.row.state.marks.registered = BTreeMap::from([("shop".into(), registered.into_iter().collect())]);
    world
}

/// The pass after the one that said that revisions may go: it has looked.
fn looked(mut world: World, active: impl IntoIterator<Item = u32>) -> World {
    world.row.state.marks.tidy = Some(Tidy::Due);
    world.facts.revisions = Fact::Known(RevisionFacts {
        family: "shop".into(),
        active: active.into_iter().map(arn).collect(),
        cut_off: false,
        elsewhere: BTreeSet::new(),
    });
    world
}

fn deregistered(plan: &Plan) -> Vec<u32> {
    let gone = plan.steps.iter().filter_map(|step| match step {
        Step::Deregister { task_definition } => task_definition.number(),
        _ => None,
    });
    gone.collect()
}

/// The row after the plan, each step of which ended so.
fn after(world: &World, plan: &Plan, outcome: &StepOutcome) -> crate::ledger::ServiceState {
    let made = record::Made { outcomes: vec![outcome.clone(); plan.steps.len()], ..record::Made::default() };
    record::after(record::intent(&world.row.state, plan, world.now), plan, &made)
}

#[test]
fn the_oldest_beyond_go_in_a_pass_of_their_own_and_then_nothing_is_asked_any_more() {
    let mut world = keeping(3, 1..=7);
    let first = world.plan();
    assert_eq!(first.steps, [], "nobody has looked yet: {first}");
    world.row.state = after(&world, &first, &StepOutcome::Done);
    assert_eq!(world.row.state.marks.tidy, Some(Tidy::Due));
    assert_eq!(
        triage(&world.facts, Some(&world.row), &world.settings, world.now),
        Triage::Pass("revisions are to be deregistered")
    );
    let mut world = looked(world, 1..=7);
    let plan = world.plan();
    insta::assert_snapshot!(plan, @"
    main/shop
      quiet: latest (aaaaaaaaaaaa) is live
      1. deregister shop:1
      2. deregister shop:2
      3. deregister shop:3
      4. deregister shop:4
    ");
    world.row.state = after(&world, &plan, &StepOutcome::Done);
    world.facts.revisions = Fact::NotAsked;
    assert_eq!(triage(&world.facts, Some(&world.row), &world.settings, world.now), Triage::Quiet);
    let last = world.plan();
    assert_eq!((last.steps.len(), &last.ledger.marks), (0, &None), "plan, apply, plan: {last}");
    assert_eq!(world.row.state.marks.registered[&"shop".into()], BTreeSet::from([5, 6, 7]));
}

#[test]
fn off_by_default_and_nothing_is_noted_while_nothing_is_beyond() {
    let mut world = keeping(3, 1..=7);
    world.facts.cluster_parameter = Fact::Absent;
    assert_eq!(world.plan().ledger.marks, None);
    for registered in [0..=0, 5..=7] {
        assert_eq!(keeping(3, registered).plan().ledger.marks, None);
    }
}

#[test]
fn a_services_own_number_counts_before_its_clusters() {
    let mut world = keeping(1, 1..=7);
    world.service().tags.clear();
    let text = "image: {repository: shop, policy: {tag: latest}}\nkeep_revisions: 6";
    world.facts.parameter = Fact::Known(ParameterText {
        name: "/windlass/services/main/shop".into(),
        version: 1,
        text: text.into(),
    });
    assert_eq!(deregistered(&looked(world, 1..=7).plan()), [1]);
}

#[test]
fn a_persons_revisions_are_never_touched_and_do_not_count() {
    let plan = looked(keeping(1, [3, 7]), 1..=20).plan();
    assert_eq!(deregistered(&plan), [3]);
}

#[test]
fn what_others_deregistered_is_forgotten_without_a_step() {
    let world = looked(keeping(1, 1..=7), [2, 5, 6, 7]);
    let plan = world.plan();
    assert_eq!(deregistered(&plan), [2, 5, 6]);
    let marks = plan.ledger.marks.unwrap();
    assert_eq!(marks.registered[&"shop".into()], BTreeSet::from([2, 5, 6, 7]));
}

#[test]
fn some_at_a_time_and_the_rest_in_the_next_pass() {
    let mut world = looked(keeping(1, 1..=30), 1..=30);
    let mut gone = Vec::new();
    for _ in 0..20 {
        let plan = world.plan();
        assert!(plan.steps.len() <= 5, "{plan}");
        gone.extend(deregistered(&plan));
        world.row.state = after(&world, &plan, &StepOutcome::Done);
        if world.row.state.marks.tidy != Some(Tidy::Due) {
            break;
        }
    }
    assert_eq!(gone, (1..=6).chain(8..=29).collect::<Vec<_>>(), "all but what runs and the newest");
}

#[test]
fn a_rate_is_waited_for_and_a_refusal_is_not_asked_again_before_the_next_release() {
    let world = looked(keeping(6, 1..=7), 1..=7);
    let plan = world.plan();
    let waits = StepOutcome::Waiting { reason: "rate".into() };
    assert_eq!(after(&world, &plan, &waits).marks.tidy, Some(Tidy::Due));
    let denied = StepOutcome::Failed { kind: FailureKind::Denied, reason: "no".into() };
    let state = after(&world, &plan, &denied);
    assert_eq!(state.marks.tidy, Some(Tidy::Refused { settled: arn(7), reason: "no".into() }));
    assert!(state.marks.registered[&"shop".into()].contains(&1));
}

#[test]
fn what_aws_refused_is_told_until_the_next_release() {
    let mut world = looked(keeping(1, 1..=30), 1..=30);
    world.facts.revisions = Fact::NotAsked;
    world.row.state.marks.tidy = Some(Tidy::Refused { settled: arn(7), reason: "denied".into() });
    let plan = world.plan();
    insta::assert_snapshot!(plan, @"
    main/shop
      quiet: latest (aaaaaaaaaaaa) is live
      not done: keep_revisions: 1, for AWS refused it; the next release tries again. denied
    ");
    assert_eq!((&plan.ledger.marks, world.row.state.unfinished), (&None, false));
    assert_eq!(triage(&world.facts, Some(&world.row), &world.settings, world.now), Triage::Quiet);
    world.row.state.marks.tidy = Some(Tidy::Refused { settled: arn(6), reason: "denied".into() });
    assert_eq!(world.plan().ledger.marks.unwrap().tidy, Some(Tidy::Due), "shop:7 is another release");
}

#[test]
fn a_stack_that_leaves_the_right_out_looks_at_nothing_and_says_so() {
    let mut world = keeping(1, 1..=30);
    world.settings.revisions = Revisions::Stay;
    let plan = world.plan();
    insta::assert_snapshot!(plan, @"
    main/shop
      quiet: latest (aaaaaaaaaaaa) is live
      not done: keep_revisions: 1, for the stack leaves its function no right to deregister; update it with DeregisterRevisions=yes, or take keep_revisions out
    ");
    assert_eq!(plan.ledger.marks, None, "nothing is due");
    world.facts.cluster_parameter = Fact::Absent;
    assert_eq!(world.plan().report.len(), 1, "nobody asks for it");
}

#[test]
fn what_cannot_be_listed_is_left_and_said() {
    let mut world = looked(keeping(1, 1..=7), 1..=7);
    world.facts.revisions = Fact::Unreadable(Unreadable {
        doing: "listing the revisions of shop".into(),
        kind: FailureKind::Denied,
        detail: "AccessDeniedException".into(),
    });
    let plan = world.plan();
    assert_eq!((plan.steps.len(), &plan.ledger.marks), (0, &None));
    assert!(plan.to_string().contains("listing the revisions of shop"), "{plan}");
}

#[test]
fn the_check_refuses_each_revision_that_something_needs() {
    let mut world = looked(keeping(1, 1..=7), 1..=7).in_flight('b');
    let settled = world.row.state.settled.clone().unwrap();
    world.row.state.marks.before = vec![Settled { task_definition: arn(2), ..settled }];
    let Fact::Known(revisions) = &mut world.facts.revisions else { panic!() };
    revisions.elsewhere.insert(arn(3));
    let mut plan = world.plan();
    plan.ledger.in_flight = InFlightChange::Keep;
    plan.steps = [2, 3, 7, 9].map(|number| Step::Deregister { task_definition: arn(number) }).into();
    let broken = check(&plan, &world.facts, &world.row);
    let words: Vec<String> =
        broken.iter().map(ToString::to_string).filter(|it| !it.contains("middle")).collect();
    insta::assert_debug_snapshot!(words, @r#"
    [
        "step 0 deregisters arn:aws:ecs:eu-central-1:123456789012:task-definition/shop:2, which a rollback may go back to",
        "step 1 deregisters arn:aws:ecs:eu-central-1:123456789012:task-definition/shop:3, which another service needs",
        "step 2 deregisters arn:aws:ecs:eu-central-1:123456789012:task-definition/shop:7, which a service runs or is being given",
        "step 2 deregisters arn:aws:ecs:eu-central-1:123456789012:task-definition/shop:7, which a rollback may go back to",
        "step 3 deregisters arn:aws:ecs:eu-central-1:123456789012:task-definition/shop:9, which no pass over this service registered",
        "step 3 deregisters arn:aws:ecs:eu-central-1:123456789012:task-definition/shop:9, which was not seen to be there",
    ]
    "#);
    assert_eq!(broken.len() - words.len(), 4, "each in the middle of a rollout");
}

/// What may be anywhere: numbers of revisions.
#[derive(Debug, Clone)]
struct Anything {
    keep: u32,
    registered: BTreeSet<u32>,
    active: BTreeSet<u32>,
    elsewhere: BTreeSet<u32>,
    before: Vec<u32>,
    pin: Option<u32>,
    displaced: Option<u32>,
    in_flight: bool,
    cut_off: bool,
}

fn anything() -> impl Strategy<Value = Anything> {
    let some = |most: usize| prop::collection::btree_set(1_u32..20, 0..most);
    let one = || prop::option::weighted(0.2, 1_u32..20);
    let sets = (some(19), some(19), some(4), prop::collection::vec(1_u32..20, 0..14));
    (1_u32..6, sets, one(), one(), prop::bool::weighted(0.2), any::<bool>()).prop_map(
        |(keep, (registered, active, elsewhere, before), pin, displaced, in_flight, cut_off)| Anything {
            keep,
            registered,
            active,
            elsewhere,
            before,
            pin,
            displaced,
            in_flight,
            cut_off,
        },
    )
}

fn world_of(it: &Anything) -> World {
    let mut world = looked(keeping(it.keep, it.registered.clone()), it.active.clone());
    let settled = world.row.state.settled.clone().unwrap();
    let recorded = |number: u32| Settled { task_definition: arn(number), ..settled.clone() };
    world.row.state.marks.before = it.before.iter().copied().map(recorded).collect();
    world.row.state.marks.pin = it.pin.map(|number| Pin {
        to: recorded(number),
        left: digest('d'),
        left_pushed_at: None,
        left_tag: None,
        order: Order { by: "ann".into(), reason: "slow".into(), at: settled.at },
    });
    if let Fact::Known(revisions) = &mut world.facts.revisions {
        revisions.elsewhere = it.elsewhere.iter().copied().map(arn).collect();
        revisions.cut_off = it.cut_off;
    }
    if let Some(number) = it.displaced {
        let both =
            vec![deployment(1, 7, RolloutState::Completed), deployment(5, number, RolloutState::InProgress)];
        world = world.deployments(both, 'a');
    }
    if it.in_flight { world.in_flight('b') } else { world }
}

proptest! {
    /// Whatever the facts: nothing that is needed, or that is not ours, is deregistered; and in a
    /// quiet world all else is, the oldest first.
    #[test]
    fn whatever_the_facts_no_needed_revision_is_deregistered(it in anything()) {
        let world = world_of(&it);
        let plan = world.plan();
        let gone = deregistered(&plan);
        let newest: BTreeSet<u32> = it.registered.iter().rev().take(it.keep as usize).copied().collect();
        let may_go = |number: &u32| {
            let named = [Some(7), it.pin, it.displaced].contains(&Some(*number));
            it.registered.contains(number) && it.active.contains(number) && !newest.contains(number)
                && !named && !it.elsewhere.contains(number) && !it.before.contains(number)
        };
        prop_assert!(gone.iter().all(may_go), "{gone:?}: {plan}");
        let is_quiet = !it.in_flight && it.displaced.is_none();
        prop_assert!(is_quiet || gone.is_empty(), "in the middle of a rollout: {plan}");
        if is_quiet && it.pin.is_none() {
            let oldest: Vec<u32> = it.registered.iter().copied().filter(may_go).take(5).collect();
            prop_assert_eq!(gone, oldest);
        }
    }
}
