//! What on an instance counts, and whether it is empty. Daemons do not count: they are of the instance and
//! end with it. What cannot be told counts.

use std::collections::{BTreeMap, BTreeSet};

use super::facts::{InstanceFacts, InstanceTarget};
use super::plan::Note;
use crate::facts::{Fact, LiveService};
use crate::id::{ServiceName, TargetGroupArn, TaskArn, Timestamp};
use crate::rollout_settings::Bounds;
use crate::scale::facts::{LiveTask, Placement};

/// What on an instance counts.
#[derive(Debug, Clone)]
pub struct Content<'a> {
    facts: &'a InstanceFacts,
    /// Tasks that have not ended and are no daemons'; `None` where they could not be read.
    pub tasks: Option<Vec<&'a LiveTask>>,
    /// Targets that have not left; `None` where they could not be read.
    pub targets: Option<Vec<&'a InstanceTarget>>,
}

impl<'a> Content<'a> {
    /// Of these facts. An instance that ECS does not know has no tasks.
    pub fn of(facts: &'a InstanceFacts) -> Self {
        let is_gone = matches!(facts.instance, Fact::Absent);
        let counts = |task: &&LiveTask| task.last_status != "STOPPED" && !is_daemon(facts, task);
        let is_there = |target: &&InstanceTarget| target.state != "unused";
        let tasks = facts.tasks.known().map(|tasks| tasks.iter().filter(counts).collect());
        let targets = facts.targets.known().map(|targets| targets.iter().filter(is_there).collect());
        let none = |it| if is_gone { Some(Vec::new()) } else { it };
        Self { facts, tasks: none(tasks), targets: if is_gone { Some(Vec::new()) } else { targets } }
    }

    /// Nothing that counts is on it, and no load balancer sends it requests or waits for their end.
    pub fn is_empty(&self) -> bool {
        self.tasks.as_ref().is_some_and(Vec::is_empty) && self.targets.as_ref().is_some_and(Vec::is_empty)
    }

    /// What counts, with whose it is.
    pub fn by_task(&self) -> Option<BTreeMap<TaskArn, String>> {
        let tasks = self.tasks.as_ref()?;
        Some(tasks.iter().map(|task| (task.arn.clone(), task.group.clone())).collect())
    }

    /// Those that are to go on running, as far as ECS was told.
    pub fn to_stop(&self) -> impl Iterator<Item = &'a LiveTask> + '_ {
        self.tasks.iter().flatten().copied().filter(|task| task.desired_status != "STOPPED")
    }

    /// What is waited for, each with its reason. `until`: when the time is up.
    pub fn notes(&self, until: Timestamp, now: Timestamp) -> Vec<Note> {
        let tasks = || self.tasks.iter().flatten().copied();
        let of_services: Vec<_> = tasks().filter(|task| service_of(&task.group).is_some()).collect();
        let mut notes = Vec::new();
        if !of_services.is_empty() {
            let of: BTreeSet<String> = of_services.iter().map(|task| task.group.clone()).collect();
            notes.push(Note::Tasks { tasks: len(of_services.len()), of: of.into_iter().collect() });
        }
        let alone: Vec<TaskArn> =
            tasks().filter(|task| is_standalone(task)).map(|it| it.arn.clone()).collect();
        if !alone.is_empty() {
            notes.push(Note::Standalone { tasks: alone, until });
        }
        notes.extend(tasks().filter_map(|task| {
            let until = task.protected_until.filter(|until| now < *until)?;
            Some(Note::Protected { task: task.arn.clone(), until })
        }));
        notes.extend(self.stuck());
        if let Some(targets) = self.targets.as_ref().filter(|targets| !targets.is_empty()) {
            let groups: BTreeSet<TargetGroupArn> = targets.iter().map(|it| it.group.clone()).collect();
            notes.push(Note::Targets { targets: len(targets.len()), groups: groups.into_iter().collect() });
        }
        notes
    }

    /// Services whose percentages let ECS neither start a task first nor stop one first: told before the
    /// time is up, with what to change.
    fn stuck(&self) -> impl Iterator<Item = Note> + '_ {
        let names: BTreeSet<ServiceName> =
            self.to_stop().filter_map(|task| service_of(&task.group)).collect();
        names.into_iter().filter_map(|name| {
            let (live, _) = service(self.facts, &name)?;
            let settings = &live.settings;
            let (min_percent, max_percent) = (settings.min_healthy_percent, settings.max_percent);
            let bounds = Bounds::of(live.desired, min_percent, max_percent);
            (!bounds.permit_a_move()).then(|| Note::CannotMove {
                service: name.to_string(),
                min_percent,
                max_percent,
                desired: live.desired,
            })
        })
    }

    /// Service tasks that have another copy elsewhere.
    pub fn with_copies_elsewhere(&self) -> impl Iterator<Item = &'a LiveTask> + '_ {
        self.to_stop().filter(|task| {
            let here =
                self.to_stop().filter(|it| it.group == task.group && it.last_status == "RUNNING").count();
            let live = service_of(&task.group).and_then(|name| service(self.facts, &name));
            live.is_some_and(|(live, _)| usize::try_from(live.running).unwrap_or(usize::MAX) > here)
        })
    }
}

fn len(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

/// The service that a task's group names.
pub fn service_of(group: &str) -> Option<ServiceName> {
    group.strip_prefix("service:").map(ServiceName::new)
}

/// Whether no service starts the task again.
pub fn is_standalone(task: &LiveTask) -> bool {
    service_of(&task.group).is_none()
}

fn service<'a>(facts: &'a InstanceFacts, name: &ServiceName) -> Option<&'a (LiveService, Placement)> {
    facts.services.get(name)?.known()
}

fn is_daemon(facts: &InstanceFacts, task: &LiveTask) -> bool {
    let name = service_of(&task.group);
    name.and_then(|name| service(facts, &name)).is_some_and(|(_, placement)| placement.scheduling == "DAEMON")
}
