//! What stands before a rollout.

use std::collections::BTreeMap;

use super::world::{World, at, digest};
use crate::deploy::{Triage, record, triage};
use crate::facts::{AlarmState, Fact, FailureKind, ParameterText, Stops, Unreadable};
use crate::ledger::{Answer, Hold, InFlight, Order, ServiceRow};

fn with_alarm(state: Fact<AlarmState>, rollout: &str) -> World {
    let spec = format!("image: {{repository: shop}}\nrollout: {{alarms: [errors]{rollout}}}");
    let mut world = World::specified(&spec).image('b', "v2", 50);
    world.facts.alarms.insert("errors".into(), state);
    world
}

pub(super) fn begun(world: &World) -> Option<InFlight> {
    match world.plan().ledger.in_flight {
        crate::deploy::plan::InFlightChange::Set(begun) => Some(*begun),
        _ => None,
    }
}

pub(super) fn said(world: &World) -> String {
    world.plan().report.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

#[test]
fn an_alarm_that_rings_holds_the_rollout_back_unless_the_spec_lets_it_through() {
    let refused = with_alarm(Fact::Known(AlarmState::Alarm), "");
    assert_eq!(begun(&refused), None);
    insta::assert_snapshot!(said(&refused), @"waiting: errors rings before the rollout of bbbbbbbbbbbb begins, and would say nothing of it; it begins once that is quiet, or with `rollout.ringing_alarm: warn`, or by `windlass ring SERVICE --force --reason …`");
    let warned = with_alarm(Fact::Known(AlarmState::Alarm), ", ringing_alarm: warn");
    let release = begun(&warned).unwrap();
    assert_eq!(release.digest, digest('b'));
    insta::assert_snapshot!(release.approvals[0].what, @"it begins although errors rings");
    insta::assert_snapshot!(said(&warned), @"noted: errors rings already, and rollout.ringing_alarm says warn: ECS looks at none of the alarms for this rollout");
}

#[test]
fn quiet_or_without_data_it_begins_and_a_missing_alarm_is_told() {
    for state in [AlarmState::Ok, AlarmState::InsufficientData] {
        assert!(begun(&with_alarm(Fact::Known(state), "")).is_some(), "{state:?}");
    }
    let missing = with_alarm(Fact::Absent, ", ringing_alarm: warn");
    assert_eq!(begun(&missing), None);
    insta::assert_snapshot!(said(&missing), @"refused: alarm errors does not exist; create it, or correct rollout.alarms");
}

fn hold(minute: i64) -> Hold {
    Hold { by: "ann".into(), reason: "the shop is on fire".into(), at: at(minute) }
}

fn stopped(stops: Stops) -> World {
    let mut world = World::tracked("shop:latest").image('b', "v2", 50);
    world.facts.stops = Fact::Known(stops);
    world
}

fn everywhere() -> Stops {
    Stops { everywhere: Some(hold(55)), ..Stops::default() }
}

fn cluster(name: &str) -> Stops {
    Stops { clusters: BTreeMap::from([(name.into(), hold(55))]), ..Stops::default() }
}

#[test]
fn a_stop_holds_everywhere_or_in_its_cluster_alone() {
    assert_eq!(begun(&stopped(everywhere())), None);
    insta::assert_snapshot!(said(&stopped(cluster("main"))), @"held: cluster main is stopped by ann since 2026-01-01T00:55:00Z (the shop is on fire); would roll out bbbbbbbbbbbb; `windlass start` ends it, `windlass ring SERVICE --force --reason …` passes it by once");
    assert!(begun(&stopped(cluster("staging"))).is_some());
    let mut open = stopped(Stops::default());
    open.facts.stops = Fact::Unreadable(Unreadable {
        doing: "reading what is stopped".into(),
        kind: FailureKind::Throttled,
        detail: "slow down".into(),
    });
    assert_eq!(begun(&open), None, "what cannot be read may be a stop");
}

/// The row after the pass, as the sweep finds it.
pub(super) fn left(world: &World) -> World {
    let plan = world.plan();
    let mut row = world.row.clone();
    row.state = record::after(record::intent(&row.state, &plan, world.now), &plan, &record::Made::default());
    World { facts: world.facts.clone(), row, settings: world.settings.clone(), now: world.now }
}

pub(super) fn judged(world: &World) -> Triage {
    triage(&world.facts, Some(&world.row), &world.settings, world.now)
}

#[test]
fn the_sweep_passes_a_stopped_service_by_until_something_is_otherwise() {
    let waits = || left(&stopped(everywhere()));
    assert_eq!(judged(&waits()), Triage::Quiet);
    let passes = |change: &dyn Fn(&mut World)| {
        let mut world = waits();
        change(&mut world);
        assert!(matches!(judged(&world), Triage::Pass(_)), "{:?}", judged(&world));
    };
    passes(&|world| world.facts.stops = Fact::Known(Stops::default()));
    passes(&|world| world.now = at(71));
    passes(&|world| world.row.rung += 1);
    passes(&|world| world.row.orders.bypass = Some(bypass(60)));
    passes(&|world| world.service().task_definition = "other:9".into());
    passes(&|world| {
        world.service().tags.insert("windlass:track".into(), "shop:semver=1.x".into());
    });
    let pushed = waits().image('c', "v3", 60);
    assert!(matches!(judged(&pushed), Triage::Pass(_)));
    let held = |minute| {
        let mut world = World::tracked("shop:latest").image('b', "v2", 50);
        world.row.hold = Some(hold(minute));
        left(&world)
    };
    assert_eq!(judged(&held(55)), Triage::Quiet);
    assert!(matches!(
        judged(&World { row: ServiceRow { hold: None, ..held(55).row }, ..held(55) }),
        Triage::Pass(_)
    ));
}

fn bypass(minute: i64) -> Order {
    Order { by: "bob".into(), reason: "the fix".into(), at: at(minute) }
}

#[test]
fn a_bypass_passes_one_rollout_by_and_stands_in_its_release() {
    let mut world = stopped(everywhere());
    world.row.orders.bypass = Some(bypass(58));
    let plan = world.plan();
    let done = plan.ledger.marks.as_ref().unwrap().done.bypass;
    assert_eq!(done, Some(at(58)));
    let release = begun(&world).unwrap();
    insta::assert_snapshot!(format!("{}, says {}: {}", release.approvals[0].what, release.approvals[0].order.by, release.approvals[0].order.reason), @"it passes by the stop of everything (the shop is on fire), says bob: the fix");
    world.row.state.marks.done.bypass = done;
    assert_eq!(begun(&world), None, "it is used up");
}

#[test]
fn a_bypass_is_over_after_an_hour_and_passes_no_hold() {
    let mut late = stopped(everywhere());
    late.row.orders.bypass = Some(bypass(0));
    assert_eq!(begun(&late), None);
    insta::assert_snapshot!(said(&late), @"
    noted: the bypass that bob ordered at 2026-01-01T00:00:00Z is over: it holds for an hour; order it again
    held: everything is stopped by ann since 2026-01-01T00:55:00Z (the shop is on fire); would roll out bbbbbbbbbbbb; `windlass start` ends it, `windlass ring SERVICE --force --reason …` passes it by once
    ");
    let mut held = World::tracked("shop:latest").image('b', "v2", 50);
    held.row.hold = Some(hold(55));
    held.row.orders.bypass = Some(bypass(58));
    assert_eq!(begun(&held), None);
}

fn frozen(spec: &str, cluster: Option<&str>) -> World {
    let mut world = World::specified(&format!("image: {{repository: shop}}\n{spec}")).image('b', "v2", 50);
    world.facts.cluster_parameter = cluster.map_or(Fact::Absent, |text| {
        Fact::Known(ParameterText { name: "/windlass/clusters/main".into(), version: 1, text: text.into() })
    });
    world
}

const SALE: &str = "freeze: [{start: 0 0 * * *, minutes: 90, reason: the sale}]";

#[test]
fn a_freeze_window_of_the_service_or_of_its_cluster_holds_until_its_end() {
    let own = frozen(SALE, None);
    assert_eq!(begun(&own), None);
    insta::assert_snapshot!(said(&own), @"held: its freeze window `0 0 * * *` for 90 min, UTC holds from 2026-01-01T00:00:00Z until 2026-01-01T01:30:00Z (the sale); would roll out bbbbbbbbbbbb; it begins then, or by `windlass ring SERVICE --force --reason …`");
    let of_cluster = frozen("", Some(SALE));
    insta::assert_snapshot!(said(&of_cluster), @"held: the cluster's freeze window `0 0 * * *` for 90 min, UTC holds from 2026-01-01T00:00:00Z until 2026-01-01T01:30:00Z (the sale); would roll out bbbbbbbbbbbb; it begins then, or by `windlass ring SERVICE --force --reason …`");
    let mut over = frozen(SALE, Some("freeze: [{start: 0 0 * * *, minutes: 60}]"));
    over.now = at(90);
    assert!(begun(&over).is_some());
    let mut passed = frozen(SALE, Some(SALE));
    passed.row.orders.bypass = Some(bypass(58));
    assert_eq!(begun(&passed).unwrap().approvals.len(), 1);
    let mut waits = left(&own);
    assert_eq!(judged(&waits), Triage::Quiet);
    waits.now = at(71);
    assert!(matches!(judged(&waits), Triage::Pass(_)), "each ten minutes it is looked at");
}

#[test]
fn a_clusters_parameter_that_does_not_read_holds_everything_back() {
    let broken = frozen("", Some("freeze: [{start: 0 0 * *, minutes: 5}]"));
    assert_eq!(begun(&broken), None);
    insta::assert_snapshot!(said(&broken), @"refused: /windlass/clusters/main does not read, so that what is frozen cannot be told: line 1: `freeze[0].start`: `0 0 * *` has 4 fields, not 5: minute, hour, day of month, month, day of week (`0 22 * * FRI`); correct it with `windlass apply`");
}

fn asking(on_timeout: &str) -> World {
    let spec = format!(
        "image: {{repository: shop}}\nrollout: {{approval: {{before: rollout, timeout_minutes: 30{on_timeout}}}}}"
    );
    left(&World::specified(&spec).image('b', "v2", 50))
}

fn clone(world: &World) -> World {
    World {
        facts: world.facts.clone(),
        row: world.row.clone(),
        settings: world.settings.clone(),
        now: world.now,
    }
}

fn answered(mut world: World, approve: bool, minute: i64) -> World {
    let question = world.row.state.marks.question.clone().unwrap().id;
    let order = Order { by: "bob".into(), reason: "I looked".into(), at: at(minute) };
    world.row.orders.answer = Some(Answer { question, approve, order });
    world
}

#[test]
fn a_rollout_waits_for_a_persons_yes_which_stands_in_its_release() {
    let asks = asking("");
    assert_eq!(begun(&asks), None);
    insta::assert_snapshot!(said(&asks), @"waiting: for a person's yes to the rollout of bbbbbbbbbbbb since 2026-01-01T01:00:00Z, until 2026-01-01T01:30:00Z; `windlass approve SERVICE`, or `windlass reject SERVICE`");
    assert_eq!(judged(&asks), Triage::Quiet);
    let yes = answered(asks, true, 65);
    assert!(matches!(judged(&yes), Triage::Pass(_)), "the answer is seen though its ring is lost");
    let release = begun(&yes).unwrap();
    assert_eq!(release.approvals[0].order.by.as_str(), "bob");
    let marks = yes.plan().ledger.marks.unwrap();
    assert_eq!((marks.question, marks.prepared), (None, None), "it is used up");
}

#[test]
fn a_no_holds_it_back_until_there_is_a_yes_and_another_image_asks_anew() {
    let no = left(&answered(asking(""), false, 65));
    assert_eq!(begun(&no), None);
    insta::assert_snapshot!(said(&no), @"held: bob said no to bbbbbbbbbbbb at 2026-01-01T01:05:00Z (I looked); push another image, or `windlass approve SERVICE` begins it after all");
    assert_eq!(judged(&no), Triage::Quiet, "an answer that was seen is no news");
    assert!(begun(&answered(clone(&no), true, 66)).is_some());
    let pushed = left(&no.image('c', "v3", 60));
    assert_eq!(begun(&pushed), None);
    assert_eq!(pushed.row.state.marks.question.unwrap().digest, digest('c'));
}

#[test]
fn silence_is_a_no_or_by_the_spec_a_yes() {
    let mut no = asking("");
    no.now = at(90);
    assert_eq!(begun(&no), None);
    insta::assert_snapshot!(said(&no), @"held: nobody said yes to bbbbbbbbbbbb by 2026-01-01T01:30:00Z; `windlass approve SERVICE` begins it still");
    let mut yes = asking(", on_timeout: continue");
    assert_eq!(begun(&yes), None);
    yes.now = at(90);
    assert_eq!(begun(&yes).unwrap().approvals[0].order.by.as_str(), "the spec");
}

#[test]
fn a_yes_to_an_earlier_asking_of_the_same_image_counts_no_more() {
    let mut old = answered(asking(""), true, 40);
    assert_eq!(begun(&old), None);
    old.row.state.marks.question = None;
    assert_eq!(begun(&old), None, "nor when it is asked anew");
}
