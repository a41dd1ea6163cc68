//! The service that this one follows: promotion by digest, order by tag.
//!
//! What is here already (settled, or on its way) needs no leave: a changed spec rolls it out
//! anew whatever the other service runs by now.

use std::collections::BTreeSet;

use super::super::{Planner, Stop};
use crate::deploy::promotion::{Choice, candidate, lets_through};
use crate::deploy::report::{AfterNote, AfterWhy, GateNote, Note};
use crate::deploy::wanted::Wanted;
use crate::facts::Fact;
use crate::id::{ImageDigest, Timestamp};
use crate::image::Candidate;
use crate::ledger::{WaitsOn, in_force};
use crate::spec::{After, ServiceSpec};

impl Planner<'_> {
    /// The gate. It says no where nothing else is to be rolled out instead.
    pub(super) fn followed(&mut self, wanted: &Wanted, digest: &ImageDigest) -> Result<(), Stop> {
        let Some(after) = &wanted.spec.after else { return Ok(()) };
        if self.here().contains(digest) {
            return Ok(());
        }
        let upstream = self.need(&self.facts.upstream, "the service that it follows")?;
        let policy = &wanted.spec.image.policy;
        let images = self.facts.images.known().map(Vec::as_slice).unwrap_or_default();
        let image = images.iter().find(|image| image.digest == *digest);
        let Some(chosen) = image.and_then(|image| candidate(policy, image)) else {
            return self.refuse(Note::ImageGone { digest: digest.clone() });
        };
        let leave = match upstream {
            Some(upstream) => lets_through(after, upstream, &chosen, self.now),
            None => Err(AfterWhy::Missing),
        };
        match leave {
            Ok(()) => Ok(()),
            Err(why) => {
                self.waits(wanted, digest, WaitsOn::Upstream, until(&why));
                let note = self.after_note(after, &chosen, why);
                self.refuse(note)
            }
        }
    }

    /// What the policy chooses; where that is not let through, the next that is, or that is here:
    /// an image that failed over there must not keep the one before it from being promoted.
    pub(in super::super) fn let_through(&mut self, spec: &ServiceSpec, chosen: Candidate) -> Candidate {
        let (Some(after), Fact::Known(upstream)) = (&spec.after, &self.facts.upstream) else {
            return chosen;
        };
        let here = self.here();
        let Err(why) = lets_through(after, upstream, &chosen, self.now) else { return chosen };
        if here.contains(&chosen.digest) {
            return chosen;
        }
        let held = in_force(&self.quarantine, &spec.fingerprint(), self.now);
        let images = self.facts.images.known().map(Vec::as_slice).unwrap_or_default();
        let policy = &spec.image.policy;
        let choice = Choice { after, policy, images, held: &held, upstream, here: &here, now: self.now };
        let is_older = |other: &Candidate| {
            let settled = self.settled.as_ref();
            settled.is_some_and(|live| live.digest != other.digest && policy.older(live, other))
        };
        let Some(other) = choice.first().filter(|other| !is_older(other)) else {
            // Nothing else: the gate says so where a rollout would begin.
            return chosen;
        };
        self.waits_under(spec, &chosen.digest, WaitsOn::Upstream, until(&why));
        let note = self.after_note(after, &chosen, why);
        self.notes.push(note);
        other
    }

    /// What needs no leave.
    fn here(&self) -> BTreeSet<ImageDigest> {
        let settled = self.settled.iter().map(|settled| settled.digest.clone());
        let going = self.going.iter().filter(|going| going.given_up.is_none());
        settled.chain(going.map(|going| going.digest.clone())).collect()
    }

    fn after_note(&self, after: &After, chosen: &Candidate, why: AfterWhy) -> Note {
        Note::Gate(GateNote::After(AfterNote {
            upstream: after.upstream().unwrap_or_else(|| self.facts.key.clone()),
            by: after.by,
            would: chosen.digest.clone(),
            tag: Some(chosen.tag.clone()),
            why,
        }))
    }
}

/// When the other service lets it through by the clock alone.
fn until(why: &AfterWhy) -> Option<Timestamp> {
    match why {
        AfterWhy::Soaks { until, .. } => Some(*until),
        AfterWhy::Missing
        | AfterWhy::NothingSettled
        | AfterWhy::OnItsWay
        | AfterWhy::Elsewhere { .. }
        | AfterWhy::GivenUp { .. }
        | AfterWhy::Unsteady { .. }
        | AfterWhy::Circle { .. } => None,
    }
}
