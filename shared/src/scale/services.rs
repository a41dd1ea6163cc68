//! How many tasks each service gets: its rules, its limits, its patience.
//!
//! A rule's *opinion* is the number of tasks that it wants. The largest opinion wins, so that one
//! rule's calm never takes the tasks that another one needs. An alarm acts by its state and not by
//! its event, so that one that keeps ringing goes on acting, pass by pass, as its patience allows.

use jiff::SignedDuration;

use super::facts::{CapacityFacts, LiveAlarm, ServiceOfCluster};
use super::plan::Step;
use super::report::{Note, ServiceNote};
use crate::event::AlarmValue;
use crate::facts::Fact;
use crate::id::{AlarmName, ServiceName, Timestamp};
use crate::ledger::{ClusterState, ScalingMark};
use crate::spec::ServiceSpec;
use crate::spec::freeze::last_start;
use crate::spec::scaling::{ScalingRule, ScalingSpec, StepRule, TargetRule};

/// A metric's value that is older says nothing of now.
const STALE: SignedDuration = SignedDuration::from_mins(5);
/// A target rule makes fewer only if this part of the target would still not be passed: between
/// the two nothing happens.
const CALM: f64 = 0.9;

/// The steps for every service of the cluster, the notes, and the marks in `state`.
pub(super) fn services(
    facts: &CapacityFacts,
    state: &mut ClusterState,
    notes: &mut Vec<Note>,
    now: Timestamp,
) -> Vec<Step> {
    let Some(services) = facts.services.known() else { return Vec::new() };
    state.services.retain(|name, _| services.contains_key(name));
    let mut steps = Vec::new();
    for (name, service) in services {
        let Some(scaling) = scaling_of(service) else { continue };
        let mark = state.services.get(name).cloned().unwrap_or_default();
        let room = Room { facts, name, service, scaling: &scaling, mark, now };
        let (step, own) = room.decide();
        notes.extend(own.into_iter().map(Note::Service));
        if let Some((step, mark)) = step {
            state.services.insert(name.clone(), mark);
            steps.push(step);
        }
    }
    steps
}

/// The `scaling` section of a service that ECS runs as a replica service. A spec that does not
/// read is the deploy pass's to report: nothing is scaled by it.
fn scaling_of(service: &ServiceOfCluster) -> Option<ScalingSpec> {
    let text = &service.parameter.known()?.text;
    let is_replica = service.placement.scheduling != "DAEMON" && service.live.status == "ACTIVE";
    ServiceSpec::parse(text).ok().and_then(|spec| spec.scaling).filter(|_| is_replica)
}

/// One service and what is decided with.
struct Room<'a> {
    facts: &'a CapacityFacts,
    name: &'a ServiceName,
    service: &'a ServiceOfCluster,
    scaling: &'a ScalingSpec,
    mark: ScalingMark,
    now: Timestamp,
}

/// What one rule wants.
struct Opinion<'a> {
    alarm: &'a str,
    wants: u32,
    patience: Patience,
    why: String,
}

#[derive(Clone, Copy)]
struct Patience {
    out: SignedDuration,
    down: SignedDuration,
}

impl Room<'_> {
    fn decide(mut self) -> (Option<(Step, ScalingMark)>, Vec<ServiceNote>) {
        let mut notes = Vec::new();
        match &self.facts.owned_elsewhere {
            Fact::Known(owned) if !owned.contains(self.name) => {}
            Fact::Absent => {}
            Fact::Known(_) => {
                notes.push(ServiceNote::OwnedElsewhere { service: self.name.clone() });
                return (None, notes);
            }
            // Two that set one number would fight: what cannot be told is taken for owned.
            Fact::Unreadable(_) | Fact::NotAsked => return (None, notes),
        }
        let (min, max) = limits(self.scaling, self.now);
        let current = self.service.live.desired;
        let (wanted, why, alarm) = match self.opinion(&mut notes) {
            Some(opinion) => {
                let wanted = self.patient(&opinion, &mut notes);
                (wanted, opinion.why, Some(opinion.alarm.to_owned()))
            }
            None => (current, String::new(), None),
        };
        let to = wanted.clamp(min, max);
        if to != wanted {
            notes.push(ServiceNote::AtLimit { service: self.name.clone(), wants: wanted, limit: to });
        }
        if to == current {
            return (None, notes);
        }
        if to < current && self.is_rolling_out() {
            notes.push(ServiceNote::RolloutGoesOn { service: self.name.clone(), wants: to });
            return (None, notes);
        }
        let why = if to == wanted { why } else { format!("its limits are {min} to {max}") };
        self.note_action(alarm, to, current);
        let step = Step::SetDesired { service: self.name.clone(), from: current, to, why };
        (Some((step, self.mark)), notes)
    }

    /// The largest of the rules' opinions.
    fn opinion<'a>(&'a self, notes: &mut Vec<ServiceNote>) -> Option<Opinion<'a>> {
        let scaling = self.scaling;
        let opinions = scaling.rules.iter().filter_map(|rule| match rule {
            ScalingRule::Step(rule) => self.by_step(rule, notes),
            ScalingRule::Target(rule) => self.by_target(rule, notes),
        });
        // Of equal ones the first rule's: `max_by_key` would take the last.
        opinions.reduce(|best, next| if next.wants > best.wants { next } else { best })
    }

    fn by_step<'a>(&self, rule: &'a StepRule, notes: &mut Vec<ServiceNote>) -> Option<Opinion<'a>> {
        let alarm = self.alarm(&rule.alarm, notes)?;
        if alarm.state != AlarmValue::Alarm || self.is_muted(&rule.alarm, notes) {
            return None;
        }
        if !alarm.actions_enabled {
            let (service, alarm) = (self.name.clone(), AlarmName::new(rule.alarm.as_str()));
            notes.push(ServiceNote::ActionsOff { service, alarm });
            return None;
        }
        // Without a threshold or a value (a composite, missing data that breaches) it rings, and that
        // is all that is known: the first step's matter.
        let beyond = alarm.threshold.zip(self.fresh(alarm)).map_or(0.0, |(threshold, value)| {
            if alarm.rings_below { threshold - value } else { value - threshold }
        });
        let step = rule.steps.iter().rev().find(|step| step.beyond.get() <= beyond)?;
        let wants = self.service.live.desired.saturating_add_signed(step.change);
        let patience = SignedDuration::from_secs(i64::from(rule.patience_secs));
        let why = format!("{} rings, {beyond:.1} beyond its threshold: {:+}", rule.alarm, step.change);
        Some(Opinion { alarm: &rule.alarm, wants, patience: Patience { out: patience, down: patience }, why })
    }

    fn by_target<'a>(&self, rule: &'a TargetRule, notes: &mut Vec<ServiceNote>) -> Option<Opinion<'a>> {
        let alarm = self.alarm(&rule.alarm, notes)?;
        if self.is_muted(&rule.alarm, notes) {
            return None;
        }
        let desired = self.service.live.desired;
        let patience = Patience {
            out: SignedDuration::from_secs(i64::from(rule.patience_out_secs)),
            down: SignedDuration::from_secs(i64::from(rule.patience_in_secs)),
        };
        let target = rule.target.get();
        let Some(value) = self.fresh(alarm) else {
            notes.push(ServiceNote::NoValue {
                service: self.name.clone(),
                alarm: AlarmName::new(rule.alarm.as_str()),
            });
            // No reason for fewer; and an alarm that rings at zero tasks is one for the first.
            let wants = if alarm.state == AlarmValue::Alarm { desired.max(1) } else { desired };
            let why = format!("{} rings", rule.alarm);
            return Some(Opinion { alarm: &rule.alarm, wants, patience, why });
        };
        // The value is carried by the tasks that run: those that only start do not share it yet.
        let carried_by = f64::from(self.service.live.running.max(1));
        let needed = tasks(carried_by * value / target);
        let calm = tasks(carried_by * value / (CALM * target));
        let wants = if needed > desired { needed } else { calm.min(desired) };
        let why = format!("{} is {value:.1}, its target {target:.1}", rule.alarm);
        Some(Opinion { alarm: &rule.alarm, wants, patience, why })
    }

    fn alarm(&self, name: &str, notes: &mut Vec<ServiceNote>) -> Option<&LiveAlarm> {
        let alarm = AlarmName::new(name);
        let service = self.name.clone();
        match self.facts.alarms.get(&alarm) {
            Some(Fact::Known(alarm)) => Some(alarm),
            Some(Fact::Unreadable(what)) => {
                notes.push(ServiceNote::AlarmUnreadable { service, alarm, detail: what.to_string() });
                None
            }
            Some(Fact::Absent | Fact::NotAsked) | None => {
                notes.push(ServiceNote::NoSuchAlarm { service, alarm });
                None
            }
        }
    }

    /// A muted alarm goes on changing its state, and nobody is to act by it. What could not be read holds
    /// nothing back: load without tasks is worse than a rule that is not kept, and the report says it.
    fn is_muted(&self, name: &str, notes: &mut Vec<ServiceNote>) -> bool {
        let alarm = AlarmName::new(name);
        let by = self.facts.mutes.known().and_then(|mutes| mutes.get(&alarm)).cloned();
        notes.extend(by.iter().map(|by| ServiceNote::Muted {
            service: self.name.clone(),
            alarm: alarm.clone(),
            by: by.clone(),
        }));
        by.is_some()
    }

    fn fresh(&self, alarm: &LiveAlarm) -> Option<f64> {
        let (at, value) = alarm.value.known()?;
        (at.duration_until(self.now) <= STALE && value.is_finite()).then_some(*value)
    }

    /// What the opinion comes to while its rule is patient: what there is.
    fn patient(&self, opinion: &Opinion<'_>, notes: &mut Vec<ServiceNote>) -> u32 {
        let current = self.service.live.desired;
        let last = |times: &std::collections::BTreeMap<String, Timestamp>| times.get(opinion.alarm).copied();
        let (since, patience) = match opinion.wants.cmp(&current) {
            std::cmp::Ordering::Equal => return current,
            std::cmp::Ordering::Greater => (last(&self.mark.out_at), opinion.patience.out),
            // Fewer waits from the last change in either direction.
            std::cmp::Ordering::Less => {
                (last(&self.mark.in_at).max(last(&self.mark.out_at)), opinion.patience.down)
            }
        };
        let until = since.and_then(|since| since.saturating_add(patience).ok());
        match until {
            Some(until) if self.now < until => {
                notes.push(ServiceNote::Patience {
                    service: self.name.clone(),
                    alarm: AlarmName::new(opinion.alarm),
                    wants: opinion.wants,
                    until,
                });
                current
            }
            _ => opinion.wants,
        }
    }

    fn is_rolling_out(&self) -> bool {
        let in_flight = self.service.row.as_ref().is_some_and(|row| row.state.in_flight.is_some());
        in_flight || self.service.live.deployments.len() > 1
    }

    fn note_action(&mut self, alarm: Option<String>, to: u32, current: u32) {
        self.mark.chosen = Some(to);
        if let Some(alarm) = alarm {
            let times = if to > current { &mut self.mark.out_at } else { &mut self.mark.in_at };
            times.insert(alarm, self.now);
        }
    }
}

/// The limits that hold now: of the schedules, those of the one that fired last.
fn limits(scaling: &ScalingSpec, now: Timestamp) -> (u32, u32) {
    let fired = scaling.schedules.iter().filter_map(|schedule| {
        last_start(&schedule.at, &schedule.timezone, now).map(|at| (at, (schedule.min, schedule.max)))
    });
    fired.max_by_key(|(at, _)| *at).map_or((scaling.min, scaling.max), |(_, limits)| limits)
}

/// As many whole tasks. What is short of a whole one by the last digits of a division is none.
fn tasks(exact: f64) -> u32 {
    let whole = (exact - 1e-9).ceil().clamp(0.0, 5000.0);
    // Within 0 and ECS's quota of tasks a service.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped above")]
    {
        whole as u32
    }
}
