//! What stands before a rollout, in this order: a person's hold, a stop, a freeze window, the
//! service that it follows, the image's scan, what rings already, a person's yes.
//!
//! Each gate says nothing, or a reason and an end. What a gate lets through that a reviewer
//! would ask about goes into the release's approvals. Where only a person or the clock can
//! end the wait, the row says so ([`Waiting`]), and the sweep passes the service by.

mod after;
mod approval;
mod in_force;
mod scan;

pub(super) use self::in_force::InForce;

use jiff::SignedDuration;

use super::{Planner, Stop};
use crate::deploy::report::{GateNote, Note};
use crate::deploy::wanted::Wanted;
use crate::facts::{AlarmState, Fact};
use crate::id::{Actor, ImageDigest, Timestamp};
use crate::ledger::{Approval, Order, Waiting, WaitsOn};
use crate::spec::rollout::RingingAlarm;
use crate::spec::{RolloutSpec, ServiceSpec};

/// What waits is looked at again after this, though nothing rang: an event may be lost.
const LOOK_AGAIN: SignedDuration = SignedDuration::from_mins(10);

impl Planner<'_> {
    /// All gates. The first that says no ends the pass.
    pub(super) fn gates(&mut self, wanted: &Wanted, digest: &ImageDigest) -> Result<(), Stop> {
        self.not_held(wanted, digest)?;
        self.not_stopped(wanted, digest)?;
        self.not_frozen(wanted, digest)?;
        self.followed(wanted, digest)?;
        self.scanned(wanted, digest)?;
        if let Some(rollout) = &wanted.spec.rollout {
            self.alarms_are_quiet(rollout, digest)?;
        }
        self.approved(wanted, digest)
    }

    fn not_held(&mut self, wanted: &Wanted, digest: &ImageDigest) -> Result<(), Stop> {
        let Some(hold) = &self.row.hold else { return Ok(()) };
        self.waits(wanted, digest, WaitsOn::Hold, None);
        self.refuse(Note::Held {
            by: hold.by.clone(),
            reason: hold.reason.clone(),
            since: hold.at,
            would: digest.clone(),
        })
    }

    fn not_stopped(&mut self, wanted: &Wanted, digest: &ImageDigest) -> Result<(), Stop> {
        let stop = self.stop_in_force(digest)?;
        self.passes_by(wanted, digest, stop)
    }

    fn not_frozen(&mut self, wanted: &Wanted, digest: &ImageDigest) -> Result<(), Stop> {
        let freeze = self.freeze_in_force(&wanted.spec, digest)?;
        self.passes_by(wanted, digest, freeze)
    }

    /// Nothing stands there, or a person lets the rollout pass by it.
    fn passes_by(
        &mut self,
        wanted: &Wanted,
        digest: &ImageDigest,
        standing: Option<InForce>,
    ) -> Result<(), Stop> {
        let Some(InForce { what, on, until, note }) = standing else { return Ok(()) };
        if self.bypass(&what) {
            return Ok(());
        }
        self.waits(wanted, digest, on, until);
        self.gate(note)
    }

    /// An alarm that rings before the rollout begins would tell nothing about it: ECS then
    /// looks at none of them, for this rollout.
    fn alarms_are_quiet(&mut self, rollout: &RolloutSpec, digest: &ImageDigest) -> Result<(), Stop> {
        let mut ringing = Vec::new();
        for name in &rollout.alarms {
            let state = self.facts.alarms.get(name).unwrap_or(&Fact::NotAsked);
            match self.need(state, "an alarm of the spec")? {
                Some(AlarmState::Alarm) => ringing.push(name.clone()),
                Some(AlarmState::Ok | AlarmState::InsufficientData) => {}
                None => return self.gate(GateNote::AlarmMissing { alarm: name.clone() }),
            }
        }
        if ringing.is_empty() {
            return Ok(());
        }
        let words = ringing.join(", ");
        match rollout.ringing_alarm.unwrap_or_default() {
            RingingAlarm::Refuse if self.bypass(&format!("the alarm {words}, which rings")) => {}
            RingingAlarm::Refuse => {
                return self.gate(GateNote::AlarmRings { alarms: ringing, would: digest.clone() });
            }
            RingingAlarm::Warn => self.approvals.push(Approval {
                what: format!("it begins although {words} rings"),
                order: Order {
                    by: Actor::new("the spec"),
                    reason: "rollout.ringing_alarm: warn".to_owned(),
                    at: self.now,
                },
            }),
        }
        self.notes.push(Note::Gate(GateNote::AlarmIgnored { alarms: ringing }));
        Ok(())
    }

    pub(super) fn gate<T>(&mut self, note: GateNote) -> Result<T, Stop> {
        self.refuse(Note::Gate(note))
    }

    /// Whether a person lets the rollout pass by this. Who and why goes into the release.
    pub(super) fn bypass(&mut self, what: &str) -> bool {
        match (self.row.bypass_at(self.now), self.row.pending_bypass()) {
            (Some(order), _) => {
                let what = format!("it passes by {what}");
                self.approvals.push(Approval { what, order: order.clone() });
                true
            }
            (None, Some(over)) => {
                let note = GateNote::BypassOver { by: over.by.clone(), at: over.at };
                self.notes.push(Note::Gate(note));
                false
            }
            (None, None) => false,
        }
    }

    /// Who let the rollout begin: what was kept from earlier passes, and what this one found.
    pub(super) fn all_approvals(&mut self) -> Vec<Approval> {
        let kept = self.marks.prepared.iter().flat_map(|prepared| prepared.approvals.clone());
        let mut all: Vec<Approval> = kept.collect();
        all.append(&mut self.approvals);
        all
    }

    /// A rollout begins: what was ordered and made ready for it is used up.
    pub(super) fn used_up(&mut self) {
        if let Some(order) = self.row.bypass_at(self.now) {
            self.marks.done.bypass = Some(order.at);
        }
        self.no_question();
        self.marks.prepared = None;
    }

    /// Lets the sweep pass by until `until` at most, or until something is otherwise.
    pub(super) fn waits(
        &mut self,
        wanted: &Wanted,
        digest: &ImageDigest,
        on: WaitsOn,
        until: Option<Timestamp>,
    ) {
        self.waits_under(&wanted.spec, digest, on, until);
    }

    fn waits_under(
        &mut self,
        spec: &ServiceSpec,
        digest: &ImageDigest,
        on: WaitsOn,
        until: Option<Timestamp>,
    ) {
        let soon = self.now.saturating_add(LOOK_AGAIN).unwrap_or(Timestamp::MAX);
        let service = self.facts.service.known().filter(|service| service.status != "INACTIVE");
        self.marks.waiting = Some(Waiting {
            on,
            digest: digest.clone(),
            spec: spec.whole_fingerprint(),
            live: service.map(|service| service.task_definition.clone()),
            answered: self.row.answered_at(),
            until: until.unwrap_or(soon).min(soon),
        });
    }
}
