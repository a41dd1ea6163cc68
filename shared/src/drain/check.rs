//! The judge of a drain pass's plan: the invariants, without knowing how it was made.
//!
//! A violation is a fault of the planner. Nothing of such a plan is applied.

use std::collections::BTreeSet;

use jiff::SignedDuration;

use super::facts::{InstanceFacts, Warning};
use super::plan::{DrainPlan, Step};
use crate::facts::Fact;
use crate::id::{AutoScalingGroupName, TaskArn, Timestamp};
use crate::ledger::{Departure, HowItEnded, InstanceRow, MARK, WhyItLeaves, read_mark};
use crate::scale::facts::LiveTask;
use crate::spec::ClusterSpec;
use crate::spec::capacity::{CapacitySpec, OnTimeout, StandaloneTasks};

/// An invariant that a plan breaks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// Not ours.
    #[error("law 8: it drains an instance that somebody else drains, or that is of no group of ours")]
    NotOurs,
    /// Drained by us without a word on it.
    #[error("it drains without marking: no later pass could tell whose it is")]
    Unmarked,
    /// ECS's.
    #[error("law 8: it drains what ECS's managed draining sees out")]
    Managed,
    /// A group or hook that is not ours, or that does not wait.
    #[error("it answers a lifecycle action of {0} that is not Windlass's, or that nobody waits for")]
    NoAction(AutoScalingGroupName),
    /// With something on it.
    #[error("it lets an instance go with tasks or targets on it, before its time is up or without a record")]
    NotEmpty,
    /// Too early, or against the policy.
    #[error("it stops {0} before the time is up, or against the policy, or without a record")]
    Stops(TaskArn),
    /// A daemon's.
    #[error("it stops {0}, a daemon's task")]
    Daemon(TaskArn),
    /// One that is to end.
    #[error("it takes an instance back that Auto Scaling or EC2 ends, or that is not marked as ours")]
    NotOursToTakeBack,
}

/// What of the plan breaks an invariant.
pub fn check(plan: &DrainPlan, facts: &InstanceFacts, row: &InstanceRow, now: Timestamp) -> Vec<Violation> {
    let judge = Judge { plan, facts, row, now };
    let mut found: Vec<Violation> = plan.steps.iter().filter_map(|step| judge.step(step)).collect();
    found.dedup();
    found
}

struct Judge<'a> {
    plan: &'a DrainPlan,
    facts: &'a InstanceFacts,
    row: &'a InstanceRow,
    now: Timestamp,
}

impl Judge<'_> {
    fn step(&self, step: &Step) -> Option<Violation> {
        match step {
            Step::Mark { .. } => self.of_marking(),
            Step::Drain { .. } => {
                let is_marked = self.plan.steps.iter().any(|it| matches!(it, Step::Mark { .. }));
                if is_marked { self.of_marking() } else { Some(Violation::Unmarked) }
            }
            Step::Heartbeat { group, hook, .. } => self.of_action(group, hook),
            Step::Complete { group, hook, .. } => {
                self.of_action(group, hook).or_else(|| (!self.may_let_go()).then_some(Violation::NotEmpty))
            }
            Step::StopTask { task, .. } => self.of_stopping(task),
            Step::TakeBack { .. } => self.of_taking_back(),
        }
    }

    fn mark(&self) -> Option<WhyItLeaves> {
        let mark = self.facts.instance.known()?.attributes.get(MARK)?.as_deref()?;
        read_mark(mark).map(|(why, _)| why)
    }

    fn status(&self) -> &str {
        self.facts.instance.known().map_or("", |it| &it.status)
    }

    fn is_ours(&self) -> bool {
        match &self.facts.group {
            Fact::Known(member) => member.is_ours,
            Fact::Unreadable(_) | Fact::NotAsked => matches!(self.facts.warning, Some(Warning::Spot { .. })),
            Fact::Absent => false,
        }
    }

    fn of_marking(&self) -> Option<Violation> {
        if self.mark().is_some() {
            return None;
        }
        let is_begun = self.row.state.leaves.is_some() && self.row.state.ended.is_none();
        if self.status() == "DRAINING" || !(self.is_ours() || is_begun) {
            return Some(Violation::NotOurs);
        }
        let why = self.plan.state.leaves.as_ref().map(|it| it.why);
        let is_managed = self.facts.provider.known().is_some_and(|it| it.managed_draining);
        (is_managed && why != Some(WhyItLeaves::Spot)).then_some(Violation::Managed)
    }

    fn of_action(&self, group: &AutoScalingGroupName, hook: &str) -> Option<Violation> {
        let member = self.facts.group.known();
        let is_there = member.is_some_and(|it| {
            let is_hook = it.hooks.iter().any(|known| known.name == hook);
            it.group == *group && it.is_ours && is_hook && it.lifecycle.ends_with(":Wait")
        });
        (!is_there).then(|| Violation::NoAction(group.clone()))
    }

    fn is_daemon(&self, task: &LiveTask) -> bool {
        let name = task.group.strip_prefix("service:").unwrap_or_default();
        let service = self.facts.services.get(&crate::id::ServiceName::new(name)).and_then(Fact::known);
        service.is_some_and(|(_, placement)| placement.scheduling == "DAEMON")
    }

    fn live(&self) -> impl Iterator<Item = &LiveTask> {
        let tasks = self.facts.tasks.known().into_iter().flatten();
        tasks.filter(|task| task.last_status != "STOPPED" && !self.is_daemon(task))
    }

    /// Nothing that counts runs on it, drained as it is, and no target is registered or drains; or it is not
    /// there at all; or the policy let it go, and the row says what was cut.
    fn may_let_go(&self) -> bool {
        if matches!(self.facts.instance, Fact::Absent) {
            return true;
        }
        let no_target =
            self.facts.targets.known().is_some_and(|all| all.iter().all(|target| target.state == "unused"));
        let no_task = self.facts.tasks.known().is_some() && self.live().next().is_none();
        if self.status() == "DRAINING" && no_task && no_target {
            return true;
        }
        let Some(spec) = self.spec() else { return false };
        let is_up = self.departure().is_some_and(|it| it.since.duration_until(self.now) >= timeout(&spec));
        let cut: BTreeSet<&TaskArn> = self.plan.state.cut.iter().map(|it| &it.task).collect();
        let is_told = self.live().all(|task| cut.contains(&task.arn));
        let timed_out = self.plan.state.ended.as_ref().is_some_and(|end| end.how == HowItEnded::TimedOut);
        is_up && is_told && timed_out && spec.drain.on_timeout != OnTimeout::Wait
    }

    fn of_stopping(&self, task: &TaskArn) -> Option<Violation> {
        let live = self.facts.tasks.known().into_iter().flatten().find(|it| it.arn == *task);
        let against = || Violation::Stops(task.clone());
        let Some(live) = live else { return Some(against()) };
        if self.is_daemon(live) {
            return Some(Violation::Daemon(task.clone()));
        }
        let (Some(spec), Some(departure)) = (self.spec(), self.departure()) else { return Some(against()) };
        let is_told = self.plan.state.cut.iter().any(|it| it.task == *task);
        let is_standalone = !live.group.starts_with("service:");
        let is_time = match departure.taken_at {
            // Only what serves elsewhere too, and only at the end of the two minutes.
            Some(taken_at) => {
                !is_standalone && self.now.duration_until(taken_at) <= SignedDuration::from_secs(60)
            }
            None => departure.since.duration_until(self.now) >= timeout(&spec),
        };
        let allows = match departure.why {
            WhyItLeaves::Spot => true,
            WhyItLeaves::Hook => spec.drain.on_timeout == OnTimeout::StopTasks,
            WhyItLeaves::Consolidation => {
                spec.consolidation.standalone == StandaloneTasks::Stop && is_standalone
            }
            WhyItLeaves::Rotation | WhyItLeaves::Person => {
                spec.drain.on_timeout == OnTimeout::StopTasks && is_standalone
            }
            WhyItLeaves::Rebalance => false,
        };
        (!(is_told && is_time && allows)).then(against)
    }

    fn of_taking_back(&self) -> Option<Violation> {
        let ends = self.facts.group.known().is_some_and(|it| it.lifecycle.starts_with("Terminating"));
        let is_ours = self.mark().is_some_and(|why| why != WhyItLeaves::Spot);
        (ends || !is_ours).then_some(Violation::NotOursToTakeBack)
    }

    fn departure(&self) -> Option<&Departure> {
        self.plan.state.leaves.as_ref()
    }

    /// The cluster's section; `None` where it is there and cannot be told.
    fn spec(&self) -> Option<CapacitySpec> {
        match &self.facts.parameter {
            Fact::Known(it) => Some(ClusterSpec::parse(&it.text).ok()?.capacity.unwrap_or_default()),
            Fact::Absent => Some(CapacitySpec::default()),
            Fact::Unreadable(_) | Fact::NotAsked => None,
        }
    }
}

fn timeout(spec: &CapacitySpec) -> SignedDuration {
    SignedDuration::from_secs(i64::from(spec.drain.timeout_secs))
}
