//! The judge: each broken plan is caught, by its rule.

use super::world::{World, digest, image_of, revision};
use crate::deploy::plan::InFlightChange;
use crate::deploy::{Step, Violation, check};
use crate::facts::{Fact, Stops};
use crate::ledger::{Hold, Quarantine, StopScope};

#[test]
fn each_broken_rule_is_named() {
    let world = World::tracked("shop:latest").image('b', "v1.1.0", 50);
    let sound = world.plan();

    let mut held = world.row.clone();
    held.hold = Some(Hold { by: "ann".into(), reason: "x".into(), at: world.now });
    assert_eq!(check(&sound, &world.facts, &held), [Violation::Held]);

    let mut stopped = world.facts.clone();
    let why = Hold { by: "ann".into(), reason: "x".into(), at: world.now };
    stopped.stops = Fact::Known(Stops { everywhere: Some(why), ..Stops::default() });
    assert_eq!(check(&sound, &stopped, &world.row), [Violation::Stopped(StopScope::Everywhere)]);

    let mut failed = world.row.clone();
    failed.quarantine.insert(
        digest('b'),
        Quarantine { reason: "x".into(), at: world.now, deployment: None, spec: None, until: None },
    );
    assert_eq!(check(&sound, &world.facts, &failed), [Violation::Quarantined(digest('b'))]);

    let mut no_intent = sound.clone();
    no_intent.ledger.in_flight = InFlightChange::Keep;
    assert_eq!(check(&no_intent, &world.facts, &world.row), [Violation::NoIntent]);

    let mut unmade = sound.clone();
    unmade.steps.remove(0);
    assert_eq!(check(&unmade, &world.facts, &world.row), [Violation::NotMade(0)]);

    let mut twice = sound.clone();
    twice.steps.push(sound.steps[1].clone());
    assert_eq!(check(&twice, &world.facts, &world.row), [Violation::ManyRollouts(2)]);

    let mut registered = world.facts.clone();
    registered.newest_revision = Fact::Known(revision(8, &image_of(&digest('b'))));
    assert_eq!(check(&sound, &registered, &world.row), [Violation::RegisteredTwice("shop:8".into())]);
}

#[test]
fn a_revision_that_loses_a_member_is_caught() {
    let world = World::tracked("shop:latest").image('b', "v1.1.0", 50);
    let mut lossy = world.plan();
    let Step::RegisterTaskDefinition { content, .. } = &mut lossy.steps[0] else { panic!() };
    content.content.insert("revision".into(), serde_json::json!(8));
    content.content.insert("containerDefinitions".into(), serde_json::json!([]));
    assert_eq!(
        check(&lossy, &world.facts, &world.row),
        [
            Violation::WithoutDigest(digest('b')),
            Violation::ReadOnly("revision".into()),
            Violation::Lossy("container web".into()),
        ]
    );
}
