//! The sweep's question: does this service need a pass? Answered from the cheap facts
//! that come ten services to a call (the service with its tags, the parameter, the row)
//! and one listing for each repository, without a lease and without a write.
//!
//! A wrong "yes" costs a few reads; a wrong "no" would lose a push. So everything that is
//! not known to be quiet gets a pass.

use std::collections::BTreeMap;

use super::keep;
use super::promotion::Choice;
use super::publish;
use super::retire::is_left_over;
use super::rollback;
use super::settings::Settings;
use super::wanted::wanted;
use crate::deploy::report::Note;
use crate::facts::{Fact, LiveService, RolloutState, ServiceFacts};
use crate::id::Timestamp;
use crate::image::{Policy, select};
use crate::ledger::{ServiceRow, Settled, Waiting, WaitsOn, in_force};
use crate::spec::Origin;

/// What the sweep does with a service.
#[must_use]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Triage {
    /// Nothing: the newest wanted image is live, and nothing is open.
    Quiet,
    /// Nobody asked Windlass to look after it.
    NotOurs,
    /// A pass, for this reason.
    Pass(&'static str),
}

/// Judges one service. Of `facts` it reads `parameter`, `service`, `images`, `stops`, `upstream`
/// where the row says that it waits for that, and (for services from labels) nothing more: their spec stands in the image, so they are judged
/// by what the last pass settled.
pub fn triage(facts: &ServiceFacts, row: Option<&ServiceRow>, settings: &Settings, now: Timestamp) -> Triage {
    let verdict = judge(facts, row, settings, now);
    let service = facts.service.known();
    match verdict {
        // A pass has told that nobody wants it any more; people still see it.
        Triage::NotOurs if row.is_some() && service.is_some_and(|it| is_left_over(it, &facts.key)) => {
            Triage::Quiet
        }
        other => other,
    }
}

fn judge(facts: &ServiceFacts, row: Option<&ServiceRow>, settings: &Settings, now: Timestamp) -> Triage {
    let Some(row) = row else { return unseen(facts, settings) };
    if row.rung > row.answered {
        return Triage::Pass("a ring was not answered");
    }
    if row.pending_rollback().is_some() {
        return Triage::Pass("a rollback was ordered");
    }
    if row.state.in_flight.is_some() {
        return Triage::Pass("a rollout is in flight");
    }
    if row.state.unfinished {
        return Triage::Pass("the last pass left something open");
    }
    if still_waits(facts, row, settings, now) {
        return Triage::Quiet;
    }
    if keep::is_due(&row.state) {
        return Triage::Pass("revisions are to be deregistered");
    }
    let Some(settled) = &row.state.settled else { return unseen(facts, settings) };
    // Nobody wants it any more, and a pass has seen so: there is nothing to look for.
    if row.state.repository.is_none() && unseen(facts, settings) == Triage::NotOurs {
        return Triage::NotOurs;
    }
    if row.quarantine.get(&settled.digest).is_some_and(|why| why.is_of_the_image(now)) {
        return Triage::Pass("what is live is in quarantine");
    }
    if publish::due(settled, &row.state.marks, settings).is_some() {
        return Triage::Pass("what is live is to be published");
    }
    moved(facts, settled).or_else(|| newer(facts, row, settled, settings, now)).unwrap_or(Triage::Quiet)
}

/// Whether what the last pass found in the way is there still, and all else as it was: a
/// person's hold over five hundred services must not be a thousand writes a minute.
fn still_waits(facts: &ServiceFacts, row: &ServiceRow, settings: &Settings, now: Timestamp) -> bool {
    let Some(waiting) = &row.state.marks.waiting else { return false };
    let stands = match waiting.on {
        WaitsOn::Hold => row.hold.is_some(),
        WaitsOn::Stop => facts.stops.known().is_some_and(|stops| stops.of(&facts.key.cluster).is_some()),
        WaitsOn::Freeze | WaitsOn::Answer | WaitsOn::Scan | WaitsOn::Room => true,
        WaitsOn::Upstream => upstream_lets_nothing_new(facts, row, settings, now),
    };
    now < waiting.until
        && stands
        && !row.has_news_for(waiting, now)
        && runs_the_same(facts, waiting)
        && wants_the_same(facts, row, settings, waiting, now)
}

/// Whether the service that this one follows lets through no more than what is settled here.
fn upstream_lets_nothing_new(
    facts: &ServiceFacts,
    row: &ServiceRow,
    settings: &Settings,
    now: Timestamp,
) -> bool {
    let (Some(upstream), Some(images)) = (facts.upstream.known(), facts.images.known()) else {
        return false;
    };
    let Ok(wanted) = wanted(facts, settings) else { return false };
    let Some(after) = &wanted.spec.after else { return false };
    let held = in_force(&row.quarantine, &wanted.spec.fingerprint(), now);
    let settled = row.state.settled.as_ref().map(|settled| &settled.digest);
    let here = settled.cloned().into_iter().collect();
    let policy = &wanted.spec.image.policy;
    let first = Choice { after, policy, images, held: &held, upstream, here: &here, now }.first();
    first.is_none_or(|first| Some(&first.digest) == settled)
}

fn runs_the_same(facts: &ServiceFacts, waiting: &Waiting) -> bool {
    match (&facts.service, &waiting.live) {
        (Fact::Known(service), Some(live)) if service.status == "ACTIVE" => {
            service.task_definition == *live && is_steady(service)
        }
        (Fact::Known(service), None) => service.status == "INACTIVE",
        (Fact::Absent, None) => true,
        (Fact::Known(_) | Fact::Absent | Fact::Unreadable(_) | Fact::NotAsked, _) => false,
    }
}

fn wants_the_same(
    facts: &ServiceFacts,
    row: &ServiceRow,
    settings: &Settings,
    waiting: &Waiting,
    now: Timestamp,
) -> bool {
    let Some(images) = facts.images.known() else { return false };
    let chosen = match wanted(facts, settings) {
        Ok(wanted) if wanted.origin != Origin::Labels => {
            if wanted.spec.whole_fingerprint() != waiting.spec {
                return false;
            }
            let in_force = in_force(&row.quarantine, &wanted.spec.fingerprint(), now);
            select(&wanted.spec.image.policy, images, &in_force).chosen
        }
        Ok(_) | Err(_) => select(&Policy::Newest, images, &BTreeMap::new()).chosen,
    };
    chosen.is_some_and(|chosen| chosen.digest == waiting.digest)
}

fn is_steady(service: &LiveService) -> bool {
    service.deployments.iter().all(|deployment| {
        deployment.status == "PRIMARY"
            && matches!(deployment.rollout, RolloutState::Completed | RolloutState::Unsaid)
    })
}

fn unseen(facts: &ServiceFacts, settings: &Settings) -> Triage {
    match wanted(facts, settings).map_err(|note| *note) {
        Err(Note::NotTracked { .. }) => Triage::NotOurs,
        Ok(_) | Err(_) => Triage::Pass("no pass has settled it yet"),
    }
}

/// The service is no longer as it was settled.
fn moved(facts: &ServiceFacts, settled: &Settled) -> Option<Triage> {
    let service = match &facts.service {
        Fact::Known(service) if service.status == "ACTIVE" => service,
        Fact::Known(_) | Fact::Absent => return Some(Triage::Pass("the service is gone or going")),
        Fact::Unreadable(_) | Fact::NotAsked => return Some(Triage::Pass("the service could not be read")),
    };
    if service.task_definition != settled.task_definition {
        return Some(Triage::Pass("somebody deployed another revision"));
    }
    (!is_steady(service)).then_some(Triage::Pass("a deployment is under way"))
}

/// The spec or the wanted image is no longer what was settled.
fn newer(
    facts: &ServiceFacts,
    row: &ServiceRow,
    settled: &Settled,
    settings: &Settings,
    now: Timestamp,
) -> Option<Triage> {
    let Some(images) = facts.images.known() else {
        return Some(Triage::Pass("its images could not be listed"));
    };
    let chosen = match wanted(facts, settings) {
        Ok(wanted) if wanted.origin != Origin::Labels => {
            if wanted.spec.fingerprint() != settled.spec {
                return Some(Triage::Pass("its spec changed"));
            }
            if let Some(pin) = &row.state.marks.pin
                && rollback::pin_ended(pin, &wanted, Some(images), &row.quarantine, now).is_none()
            {
                let has_failed = row.quarantine.contains_key(&pin.to.digest);
                let is_there = settled.digest == pin.to.digest || has_failed;
                return (!is_there).then_some(Triage::Pass("a rollback is to be carried out"));
            }
            let quarantine = in_force(&row.quarantine, &settled.spec, now);
            let selection = select(&wanted.spec.image.policy, images, &quarantine);
            // What failed is held back, and nothing else is wanted: what runs may stay.
            if selection.only_held_back() {
                return None;
            }
            selection.chosen
        }
        Err(note) if !matches!(*note, Note::NotTracked { .. }) => {
            return Some(Triage::Pass("its spec does not read"));
        }
        // From labels, or no longer tracked: any push is looked at.
        Ok(_) | Err(_) => select(&Policy::Newest, images, &BTreeMap::new()).chosen,
    };
    match chosen {
        Some(chosen) if chosen.digest == settled.digest => None,
        Some(_) | None => Some(Triage::Pass("another image is wanted")),
    }
}
