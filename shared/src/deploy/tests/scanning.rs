//! The image's scan, before its rollout.

use std::collections::BTreeMap;

use super::world::{World, at, digest};
use crate::deploy::plan::{InFlightChange, Step, StepOutcome};
use crate::deploy::{Plan, Triage, record, triage};
use crate::facts::{Fact, ScanFacts};
use crate::ledger::InFlight;
use crate::spec::Severity;

fn spec(more: &str) -> String {
    format!("image: {{repository: shop}}\nscan: {{max_severity: medium{more}}}")
}

fn scan(status: &str, findings: &[(Severity, u32)]) -> Fact<ScanFacts> {
    let findings = findings.iter().copied().collect();
    Fact::Known(ScanFacts { status: status.into(), detail: String::new(), findings })
}

fn world(more: &str, scan: Fact<ScanFacts>) -> World {
    let mut world = World::specified(&spec(more)).image('b', "v2", 50);
    world.facts.scans.insert(digest('b'), scan);
    world
}

fn begun(plan: &Plan) -> Option<&InFlight> {
    match &plan.ledger.in_flight {
        InFlightChange::Set(begun) => Some(begun),
        InFlightChange::Keep | InFlightChange::Clear => None,
    }
}

fn said(plan: &Plan) -> String {
    plan.report.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// The world after the pass, in which every step went through.
fn after(mut world: World) -> World {
    let plan = world.plan();
    let made =
        record::Made { outcomes: vec![StepOutcome::Done; plan.steps.len()], ..record::Made::default() };
    let intent = record::intent(&world.row.state, &plan, world.now);
    world.row.state = record::after(intent, &plan, &made);
    world
}

#[test]
fn what_the_spec_allows_begins() {
    for scan in [scan("COMPLETE", &[(Severity::Medium, 9), (Severity::Low, 1)]), scan("ACTIVE", &[])] {
        assert!(begun(&world("", scan).plan()).is_some());
    }
    let all = World { ..world("", scan("COMPLETE", &[(Severity::Critical, 1)])) };
    assert!(begun(&all.plan()).is_none());
}

#[test]
fn what_is_worse_is_held_back_with_its_counts_and_is_no_quarantine() {
    let world =
        world("", scan("COMPLETE", &[(Severity::Critical, 1), (Severity::High, 3), (Severity::Low, 7)]));
    let plan = world.plan();
    assert_eq!((begun(&plan), &plan.steps[..], plan.ledger.quarantine.len()), (None, &[][..], 0));
    insta::assert_snapshot!(said(&plan), @"held: the scan of bbbbbbbbbbbb found 1 critical, 3 high, 7 low, and scan.max_severity allows medium; push a mended image; if a later scan clears it, it begins by itself");
    let left = after(world);
    assert!(!left.row.state.unfinished, "the sweep need not look each minute");
    assert_eq!(triage(&left.facts, Some(&left.row), &left.settings, left.now), Triage::Quiet);
    assert!(matches!(triage(&left.facts, Some(&left.row), &left.settings, at(71)), Triage::Pass(_)));
    let mut cleared = left;
    cleared.facts.scans.insert(digest('b'), scan("COMPLETE", &[]));
    assert_eq!(begun(&cleared.plan()).unwrap().digest, digest('b'));
}

#[test]
fn what_was_never_scanned_is_scanned_and_then_waited_for() {
    let world = after(world("", Fact::Absent));
    insta::assert_snapshot!(world.row.state.last_report.join("\n"), @"waiting: for the scan of bbbbbbbbbbbb (never scanned) since 2026-01-01T01:00:00Z, until 2026-01-01T01:15:00Z");
    assert!(world.row.state.unfinished, "its event may be lost");
    let plan = world.plan();
    assert!(matches!(&plan.steps[..], [Step::StartScan { digest: of, .. }] if *of == digest('b')), "{plan}");
    let mut going = world;
    going.facts.scans.insert(digest('b'), scan("IN_PROGRESS", &[]));
    going.now = at(74);
    let plan = going.plan();
    assert!(plan.steps.is_empty() && begun(&plan).is_none(), "{plan}");
    going.now = at(75);
    insta::assert_snapshot!(said(&going.plan()), @"held: bbbbbbbbbbbb has no scan's result: its scan (IN_PROGRESS) did not end within 15 min; have it scanned, or let such images through with `scan.if_unscanned: warn`");
}

#[test]
fn without_a_result_the_spec_says_what_becomes_of_it() {
    let failed = || scan("UNSUPPORTED_IMAGE", &[]);
    let refused = world("", failed()).plan();
    assert_eq!(begun(&refused), None);
    insta::assert_snapshot!(said(&refused), @"held: bbbbbbbbbbbb has no scan's result: UNSUPPORTED_IMAGE; have it scanned, or let such images through with `scan.if_unscanned: warn`");
    let warned = world(", if_unscanned: warn", failed()).plan();
    let approvals = &begun(&warned).unwrap().approvals;
    insta::assert_snapshot!(approvals[0].what, @"it begins without a scan's result: UNSUPPORTED_IMAGE");
    insta::assert_snapshot!(said(&warned), @"noted: there is no scan's result (UNSUPPORTED_IMAGE), and scan.if_unscanned says warn");
}

#[test]
fn an_index_is_as_bad_as_the_worst_of_its_images() {
    let mut world = World::specified(&spec("")).image('b', "v2", 50);
    let Some(Fact::Known(content)) = world.facts.inspected.get_mut(&digest('b')) else { panic!() };
    content.children = [digest('c'), digest('d')].into();
    world.facts.scans = BTreeMap::from([
        (digest('c'), scan("COMPLETE", &[(Severity::High, 2)])),
        (digest('d'), Fact::Absent),
    ]);
    let plan = world.plan();
    assert_eq!((begun(&plan), plan.steps.len()), (None, 0));
    assert!(said(&plan).contains("found 2 high"), "{plan}");
    world.facts.scans.insert(digest('c'), scan("COMPLETE", &[]));
    let plan = world.plan();
    assert!(matches!(&plan.steps[..], [Step::StartScan { digest: of, .. }] if *of == digest('d')), "{plan}");
}

#[test]
fn a_scan_that_cannot_be_read_is_not_taken_for_none() {
    let mut world = World::specified(&spec("")).image('b', "v2", 50);
    let unreadable = crate::facts::Unreadable {
        doing: "reading the scan".into(),
        kind: crate::facts::FailureKind::Denied,
        detail: "no".into(),
    };
    world.facts.scans.insert(digest('b'), Fact::Unreadable(unreadable));
    let plan = world.plan();
    assert!(plan.steps.is_empty() && begun(&plan).is_none(), "{plan}");
}
