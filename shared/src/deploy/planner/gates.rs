//! What stands before a rollout, in this order: a person's hold, what rings already.
//!
//! Each gate says nothing, or a reason and an end. What a gate lets through that a reviewer
//! would ask about goes into the release's approvals.

use super::{Planner, Stop};
use crate::deploy::report::{GateNote, Note};
use crate::deploy::wanted::Wanted;
use crate::facts::{AlarmState, Fact};
use crate::id::{Actor, ImageDigest};
use crate::ledger::{Approval, Order};
use crate::spec::RolloutSpec;
use crate::spec::rollout::RingingAlarm;

impl Planner<'_> {
    /// All gates. The first that says no ends the pass.
    pub(super) fn gates(&mut self, wanted: &Wanted, digest: &ImageDigest) -> Result<(), Stop> {
        self.not_held(digest)?;
        if let Some(rollout) = &wanted.spec.rollout {
            self.alarms_are_quiet(rollout, digest)?;
        }
        Ok(())
    }

    fn not_held(&mut self, digest: &ImageDigest) -> Result<(), Stop> {
        let Some(hold) = &self.row.hold else { return Ok(()) };
        self.refuse(Note::Held {
            by: hold.by.clone(),
            reason: hold.reason.clone(),
            since: hold.at,
            would: digest.clone(),
        })
    }

    fn gate<T>(&mut self, note: GateNote) -> Result<T, Stop> {
        self.refuse(Note::Gate(note))
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
        match rollout.ringing_alarm.unwrap_or_default() {
            RingingAlarm::Refuse => {
                self.gate(GateNote::AlarmRings { alarms: ringing, would: digest.clone() })
            }
            RingingAlarm::Warn => {
                self.approvals.push(Approval {
                    what: format!("it begins although {} rings", ringing.join(", ")),
                    order: Order {
                        by: Actor::new("the spec"),
                        reason: "rollout.ringing_alarm: warn".to_owned(),
                        at: self.now,
                    },
                });
                self.notes.push(Note::Gate(GateNote::AlarmIgnored { alarms: ringing }));
                Ok(())
            }
        }
    }
}
