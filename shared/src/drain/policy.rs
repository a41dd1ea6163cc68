//! What is done when the time to drain is up, by the cluster's spec. What is ended that way is recorded.

use std::collections::BTreeSet;

use jiff::SignedDuration;

use super::content::{Content, is_standalone};
use super::plan::{Note, Step};
use crate::id::{TaskArn, Timestamp};
use crate::ledger::{CutTask, Departure, WhyItLeaves};
use crate::scale::facts::LiveTask;
use crate::spec::capacity::{CapacitySpec, OnTimeout, StandaloneTasks};

/// What tasks that are stopped get for their targets' and their own way out: the default deregistration
/// delay, and as much again.
const GRACE: SignedDuration = SignedDuration::from_mins(10);
/// Before EC2 takes the instance, what has a copy elsewhere is taken out of the load balancer.
const SPOT_LAST: SignedDuration = SignedDuration::from_secs(60);

/// What the policy says now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The time is not up, or nothing is to be done about it.
    Wait,
    /// These are stopped.
    Stop(Vec<CutTask>),
    /// The instance is let go with what is on it.
    LetGo,
}

/// When the time is up.
pub(super) fn until(departure: &Departure, spec: &CapacitySpec) -> Timestamp {
    let timeout = SignedDuration::from_secs(i64::from(spec.drain.timeout_secs));
    departure.taken_at.unwrap_or_else(|| after(departure.since, timeout))
}

/// What is done now. `hook`: whether Auto Scaling waits for us.
pub(super) fn verdict(
    content: &Content<'_>,
    departure: &Departure,
    spec: &CapacitySpec,
    hook: bool,
    now: Timestamp,
) -> Verdict {
    if let Some(taken_at) = departure.taken_at {
        let reason = "EC2 takes its spot instance; its targets leave the load balancer before that";
        let is_time = now.duration_until(taken_at) <= SPOT_LAST && now < taken_at;
        return if is_time { stop(content.with_copies_elsewhere(), reason, now) } else { Verdict::Wait };
    }
    let until = until(departure, spec);
    if now < until {
        return Verdict::Wait;
    }
    match (spec.drain.on_timeout, hook) {
        (OnTimeout::Wait, _) | (OnTimeout::LetGo, false) => Verdict::Wait,
        (OnTimeout::LetGo, true) => Verdict::LetGo,
        (OnTimeout::StopTasks, true) if now >= after(until, GRACE) => Verdict::LetGo,
        // The instance ends in any case: what is stopped by ECS leaves its load balancer first.
        (OnTimeout::StopTasks, true) => stop(content.to_stop(), "the time to drain its instance is up", now),
        (OnTimeout::StopTasks, false) => {
            let may_stop = match departure.why {
                WhyItLeaves::Consolidation => spec.consolidation.standalone == StandaloneTasks::Stop,
                WhyItLeaves::Rotation | WhyItLeaves::Person | WhyItLeaves::Hook => true,
                WhyItLeaves::Spot | WhyItLeaves::Rebalance => false,
            };
            let alone = content.to_stop().filter(|task| may_stop && is_standalone(task));
            stop(alone, "the time to drain its instance is up", now)
        }
    }
}

fn stop<'a>(tasks: impl Iterator<Item = &'a LiveTask>, reason: &str, now: Timestamp) -> Verdict {
    let cut: Vec<CutTask> = tasks
        .map(|task| CutTask {
            task: task.arn.clone(),
            group: task.group.clone(),
            reason: reason.to_owned(),
            at: now,
        })
        .collect();
    if cut.is_empty() { Verdict::Wait } else { Verdict::Stop(cut) }
}

fn after(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.saturating_add(by).unwrap_or(Timestamp::MAX)
}

/// The steps that stop them; each is a task's last.
pub(super) fn steps(cut: &[CutTask]) -> impl Iterator<Item = Step> + '_ {
    cut.iter().map(|it| Step::StopTask {
        task: it.task.clone(),
        group: it.group.clone(),
        reason: it.reason.clone(),
    })
}

/// What is still on it is cut with it, but for what was stopped and recorded before.
pub(super) fn cut_with_it<'a>(
    on_it: impl Iterator<Item = (&'a TaskArn, &'a String)>,
    known: &[CutTask],
    reason: &str,
    now: Timestamp,
) -> Vec<CutTask> {
    let known: BTreeSet<&TaskArn> = known.iter().map(|it| &it.task).collect();
    let rest = on_it.filter(|(task, _)| !known.contains(task));
    rest.map(|(task, group)| CutTask {
        task: task.clone(),
        group: group.clone(),
        reason: reason.to_owned(),
        at: now,
    })
    .collect()
}

/// That the time is up, and what was done.
pub(super) fn note(
    departure: &Departure,
    spec: &CapacitySpec,
    verdict: &Verdict,
    now: Timestamp,
) -> Option<Note> {
    if now < until(departure, spec) && matches!(verdict, Verdict::Wait) {
        return None;
    }
    let then = match (verdict, spec.drain.on_timeout) {
        (Verdict::Stop(cut), _) => format!("{} tasks are stopped", cut.len()),
        (Verdict::LetGo, _) => "the instance is let go with what is on it".to_owned(),
        (Verdict::Wait, OnTimeout::Wait) => "it is waited on (`drain.on_timeout: wait`)".to_owned(),
        (Verdict::Wait, OnTimeout::LetGo | OnTimeout::StopTasks) => {
            "nothing more can be done here".to_owned()
        }
    };
    Some(Note::TimedOut { since: departure.since, then })
}
