//! Health checks: a timer per target, set while its group is in use.

use std::ops::RangeInclusive;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::model::{HealthCheck, Target};
use super::{Due, TargetState};
use crate::time::Time;
use crate::world::{self, World};

/// From a registration to the target's first check, in seconds: the load balancer's nodes
/// have to hear of it.
const REGISTRATION_SECS: u64 = 1;

/// Why a target is not healthy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Reason {
    /// Not checked yet.
    Registering,
    /// Checked in vain, but not often enough to be called unhealthy.
    InitialChecks,
    /// It answered with this status.
    Mismatch(u16),
    /// It answered too late.
    Timeout,
    /// It did not answer.
    Failed,
    /// The group is on no rule.
    NotInUse,
    /// Not in the group.
    NotRegistered,
    /// Leaving.
    Deregistering {
        /// When it is gone.
        until: Time,
    },
}

impl Reason {
    /// `Reason` and `Description`.
    pub(super) fn words(&self) -> (&'static str, String) {
        match self {
            Self::Registering => ("Elb.RegistrationInProgress", "Target registration is in progress".into()),
            Self::InitialChecks => ("Elb.InitialHealthChecking", "Initial health checks in progress".into()),
            Self::Mismatch(status) => {
                ("Target.ResponseCodeMismatch", format!("Health checks failed with these codes: [{status}]"))
            }
            Self::Timeout => ("Target.Timeout", "Request timed out".into()),
            Self::Failed => ("Target.FailedHealthChecks", "Health checks failed".into()),
            Self::NotInUse => (
                "Target.NotInUse",
                "Target group is not configured to receive traffic from the load balancer".into(),
            ),
            Self::NotRegistered => {
                ("Target.NotRegistered", "Target is not registered to the target group".into())
            }
            Self::Deregistering { .. } => {
                ("Target.DeregistrationInProgress", "Target deregistration is in progress".into())
            }
        }
    }
}

/// A target enters its group, or enters service again with its group.
pub(super) fn begin(world: &mut World, arn: &str, key: (String, u16)) {
    let life = world.next_id();
    let first = world.now() + Duration::from_secs(REGISTRATION_SECS);
    let Some(group) = world.elb.groups.get_mut(arn) else { return };
    let (state, reason) = if group.in_use {
        (TargetState::Initial, Reason::Registering)
    } else {
        (TargetState::Unused, Reason::NotInUse)
    };
    let in_use = group.in_use;
    group.targets.insert(key.clone(), Target { state, reason: Some(reason), passed: 0, failed: 0, life });
    if in_use {
        crate::cloudwatch::wake(world);
        let due = Due::Check { group: arn.to_owned(), id: key.0, port: key.1, life };
        world.at(first, world::Due::Elb(due));
    }
}

/// The group came into use or went out of it: its targets begin anew. What drains goes on
/// draining.
pub(super) fn usage_changed(world: &mut World, arn: &str) {
    let Some(group) = world.elb.groups.get(arn) else { return };
    let staying = group.targets.iter().filter(|(_, target)| target.state != TargetState::Draining);
    let keys: Vec<_> = staying.map(|(key, _)| key.clone()).collect();
    for key in keys {
        begin(world, arn, key);
    }
}

/// A check is due. A timer from an earlier life of the target does nothing.
pub(super) fn check(world: &mut World, arn: String, id: String, port: u16, life: u64) {
    let Some(group) = world.elb.groups.get(&arn) else { return };
    let settings = group.settings.health.clone();
    let key = (id, port);
    if group.targets.get(&key).is_none_or(|target| target.life != life) {
        return;
    }
    let result = probe(world, &settings, &key);
    let target = world.elb.groups.get_mut(&arn).and_then(|group| group.targets.get_mut(&key));
    if let Some(target) = target {
        judge(target, &settings, result);
    }
    let next = world.now() + Duration::from_secs(settings.interval_secs.into());
    let due = Due::Check { group: arn, id: key.0, port: key.1, life };
    world.at(next, world::Due::Elb(due));
}

fn probe(world: &World, settings: &HealthCheck, key: &(String, u16)) -> Result<(), Reason> {
    let answer = super::ask(world, &key.0, settings.port.unwrap_or(key.1), true).ok_or(Reason::Failed)?;
    if answer.latency_ms > u64::from(settings.timeout_secs) * 1000 {
        return Err(Reason::Timeout);
    }
    let expected = codes(&settings.matcher).unwrap_or_default();
    if expected.iter().any(|range| range.contains(&answer.status)) {
        return Ok(());
    }
    Err(Reason::Mismatch(answer.status))
}

/// 1. A new target is healthy after its first passed check, whatever the threshold: that one
///    is for targets that were unhealthy.
/// 2. Any target is unhealthy after `unhealthy_threshold` failed checks in a row.
/// 3. An unhealthy one is healthy after `healthy_threshold` passed checks in a row.
fn judge(target: &mut Target, settings: &HealthCheck, result: Result<(), Reason>) {
    match result {
        Ok(()) => {
            target.passed += 1;
            target.failed = 0;
            let is_enough =
                target.state != TargetState::Unhealthy || target.passed >= settings.healthy_threshold;
            if is_enough {
                target.state = TargetState::Healthy;
                target.reason = None;
            }
        }
        Err(reason) => {
            target.failed += 1;
            target.passed = 0;
            if target.state == TargetState::Unhealthy || target.failed >= settings.unhealthy_threshold {
                target.state = TargetState::Unhealthy;
                target.reason = Some(reason);
            } else if target.state == TargetState::Initial {
                target.reason = Some(Reason::InitialChecks);
            }
        }
    }
}

/// A matcher's status ranges: `200`, `200-399`, `200,302`; within 200 to 499. `None` if it
/// does not read so.
pub(super) fn codes(matcher: &str) -> Option<Vec<RangeInclusive<u16>>> {
    let range = |part: &str| {
        let (from, to) = part.split_once('-').unwrap_or((part, part));
        let (from, to): (u16, u16) = (from.trim().parse().ok()?, to.trim().parse().ok()?);
        (200 <= from && from <= to && to <= 499).then_some(from..=to)
    };
    matcher.split(',').map(range).collect()
}
