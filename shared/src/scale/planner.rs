//! Facts + row + now → the plan of one cluster.

use std::collections::BTreeMap;

use super::facts::CapacityFacts;
use super::instances::Pass;
use super::plan::{CapacityPlan, Step};
use super::report::Note;
use super::settings::Settings;
use super::supply::{self, Shapes};
use super::{bells, demand, services};
use crate::facts::{Fact, Unreadable};
use crate::id::{ServiceName, Timestamp};
use crate::ledger::ClusterRow;
use crate::spec::capacity::CapacitySpec;
use crate::spec::{ClusterSpec, cluster_parameter_name};

/// What is to be done to the cluster. A pure function of what it is given.
pub fn plan(facts: &CapacityFacts, row: &ClusterRow, settings: &Settings, now: Timestamp) -> CapacityPlan {
    let mut state = row.state.clone();
    let mut report: Vec<Note> = unreadable(facts).map(|what| Note::Unreadable(what.to_string())).collect();
    let mut steps = services::services(facts, &mut state, &mut report, now);
    supply::remember(facts, &mut state);
    supply::remember_failures(facts, &mut state, &mut report, now);
    let mut shapes = Shapes::default();
    if let Some(there) = supply::there(facts, &state, settings, &mut shapes, now) {
        let (spec, may_empty) = capacity_spec(facts, &mut report);
        let desired = desired(&steps);
        let wanted = demand::wanted(facts, &there, &desired, spec.headroom.as_ref(), &mut shapes);
        // What cannot be told makes no demand: while there is such a thing, nothing is spare.
        let is_told = !matches!(facts.protection, Fact::Unreadable(_));
        let may_empty = may_empty && is_told && shapes.untold.is_empty() && !is_stopped(facts);
        let rotation = row.pending_rotation();
        let pass = Pass {
            facts,
            there,
            wanted,
            desired,
            shapes: &mut shapes,
            spec: &spec,
            rotation,
            may_empty,
            now,
        };
        steps.extend(pass.steps(&mut state, &mut report));
        steps.extend(bells::bells(facts, &mut state, settings, &mut shapes, now));
    }
    report.extend(shapes.untold.into_iter().map(Note::Unreadable));
    state.told = report.iter().filter(|note| note.stands()).map(ToString::to_string).collect();
    CapacityPlan { cluster: facts.cluster.clone(), steps, report, state }
}

fn unreadable(facts: &CapacityFacts) -> impl Iterator<Item = &Unreadable> {
    fn of<T>(fact: &Fact<T>) -> Option<&Unreadable> {
        match fact {
            Fact::Unreadable(what) => Some(what),
            Fact::Known(_) | Fact::Absent | Fact::NotAsked => None,
        }
    }
    [
        of(&facts.parameter),
        of(&facts.stops),
        of(&facts.services),
        of(&facts.instances),
        of(&facts.tasks),
        of(&facts.groups),
        of(&facts.providers),
        of(&facts.owned_elsewhere),
        of(&facts.protection),
        of(&facts.mutes),
    ]
    .into_iter()
    .flatten()
}

/// The cluster's section, and whether something may be emptied by it: not where a section is there and
/// cannot be told. More instances are asked for in any case.
fn capacity_spec(facts: &CapacityFacts, report: &mut Vec<Note>) -> (CapacitySpec, bool) {
    match &facts.parameter {
        Fact::Known(parameter) => match ClusterSpec::parse(&parameter.text) {
            Ok(spec) => (spec.capacity.unwrap_or_default(), true),
            Err(error) => {
                let name = cluster_parameter_name(&facts.cluster);
                report.push(Note::Unreadable(format!("{name}: {error}")));
                (CapacitySpec::default(), false)
            }
        },
        Fact::Absent => (CapacitySpec::default(), true),
        Fact::Unreadable(_) | Fact::NotAsked => (CapacitySpec::default(), false),
    }
}

/// Whether a person stopped everything, or this cluster: then what runs stays where it is.
fn is_stopped(facts: &CapacityFacts) -> bool {
    match &facts.stops {
        Fact::Known(stops) => stops.of(&facts.cluster).is_some(),
        Fact::Absent => false,
        Fact::Unreadable(_) | Fact::NotAsked => true,
    }
}

/// The numbers of tasks that this pass sets.
pub(super) fn desired(steps: &[Step]) -> BTreeMap<ServiceName, u32> {
    let each = steps.iter().filter_map(|step| match step {
        Step::SetDesired { service, to, .. } => Some((service.clone(), *to)),
        _ => None,
    });
    each.collect()
}
