//! What stands before a rollout.

use super::world::{World, digest};
use crate::facts::{AlarmState, Fact};
use crate::ledger::InFlight;

fn with_alarm(state: Fact<AlarmState>, rollout: &str) -> World {
    let spec = format!("image: {{repository: shop}}\nrollout: {{alarms: [errors]{rollout}}}");
    let mut world = World::specified(&spec).image('b', "v2", 50);
    world.facts.alarms.insert("errors".into(), state);
    world
}

fn begun(world: &World) -> Option<InFlight> {
    match world.plan().ledger.in_flight {
        crate::deploy::plan::InFlightChange::Set(begun) => Some(*begun),
        _ => None,
    }
}

fn said(world: &World) -> String {
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
