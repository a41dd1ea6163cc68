//! What has no place yet, or will need another one: tasks that are wanted, the surge of rollouts, what is
//! on instances that leave, and the headroom that is kept free.
//!
//! Only tasks on instances that stay count as placed. So what leaves makes its own demand, and an instance
//! that is emptied never leaves its tasks without a place.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::facts::{CapacityFacts, LiveTask, ServiceOfCluster};
use super::supply::{Shapes, There};
use crate::capacity::{Demand, InstanceState, Owner, Standing, TaskShape};
use crate::id::{ServiceName, TaskDefinitionArn};
use crate::spec::capacity::Headroom;

/// What is wanted, and what is kept free beside it.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// Tasks that will be started, or started again.
    pub tasks: Vec<Demand>,
    /// Room that is kept free.
    pub headroom: Vec<Demand>,
}

impl Wanted {
    /// Both, tasks first.
    pub fn all(&self) -> Vec<Demand> {
        self.tasks.iter().chain(&self.headroom).cloned().collect()
    }
}

/// What is wanted of the cluster's instances. `desired` are the numbers that this pass sets.
pub(super) fn wanted(
    facts: &CapacityFacts,
    there: &There,
    desired: &BTreeMap<ServiceName, u32>,
    headroom: Option<&Headroom>,
    shapes: &mut Shapes,
) -> Wanted {
    let mut wanted = Wanted::default();
    for (name, service) in facts.services.known().into_iter().flatten() {
        if is_on_instances(service) {
            let desired = desired.get(name).copied().unwrap_or(service.live.desired);
            of_service(facts, there, name, service, desired, shapes, &mut wanted.tasks);
        }
    }
    for (name, room) in &facts.coming {
        push(facts, &format!("service:{name}"), &room.task_definition, room.tasks, shapes, &mut wanted.tasks);
    }
    let tasks = facts.tasks.known().into_iter().flatten();
    for task in tasks.filter(|task| waits_alone(task)) {
        if let Some(shape) = shapes.of(facts, &task.group, &task.task_definition) {
            wanted.tasks.push(Demand::new(shape, 1));
        }
    }
    wanted.headroom = headroom.map(|it| keep_free(facts, there, it, shapes)).unwrap_or_default();
    wanted
}

/// Whether ECS places its tasks on instances of the cluster, as many as it says.
fn is_on_instances(service: &ServiceOfCluster) -> bool {
    let placement = &service.placement;
    let is_elsewhere = |name: &String| name == "FARGATE" || name == "FARGATE_SPOT";
    service.live.status == "ACTIVE"
        && placement.scheduling != "DAEMON"
        && matches!(placement.launch_type.as_str(), "EC2" | "")
        && !placement.providers.iter().any(is_elsewhere)
}

/// A task without a service and without a place.
fn waits_alone(task: &LiveTask) -> bool {
    task.instance.is_none() && task.desired_status == "RUNNING" && !task.group.starts_with("service:")
}

/// How many of a service's tasks stay where they are, by revision.
fn staying(there: &There, name: &ServiceName, facts: &CapacityFacts) -> BTreeMap<TaskDefinitionArn, u32> {
    let revisions: BTreeMap<_, _> =
        facts.tasks.known().into_iter().flatten().map(|task| (&task.arn, &task.task_definition)).collect();
    let mut staying = BTreeMap::new();
    for instance in there.instances.iter().filter(|it| it.state == InstanceState::Active) {
        let own = |task: &&crate::capacity::TaskOn| matches!(&task.owner, Owner::Service(of) if of == name);
        for task in instance.tasks.iter().filter(own).filter(|it| it.standing != Standing::Leaving) {
            if let Some(revision) = revisions.get(&task.arn) {
                *staying.entry((*revision).clone()).or_default() += 1;
            }
        }
    }
    staying
}

fn of_service(
    facts: &CapacityFacts,
    there: &There,
    name: &ServiceName,
    service: &ServiceOfCluster,
    desired: u32,
    shapes: &mut Shapes,
    demand: &mut Vec<Demand>,
) {
    let group = format!("service:{name}");
    let newest = &service.live.task_definition;
    let staying = staying(there, name, facts);
    let new = staying.get(newest).copied().unwrap_or_default();
    let all: u32 = staying.values().sum();
    // ECS starts no more than this beside what runs; where that leaves none, it stops old ones first.
    let surge = surge(service, desired).saturating_sub(all);
    push(facts, &group, newest, desired.saturating_sub(new).min(surge), shapes, demand);
    if let Some(room) = service.row.as_ref().and_then(|row| row.state.marks.room.as_ref()) {
        push(facts, &group, &room.task_definition, room.tasks, shapes, demand);
    }
}

/// How many tasks the service may have at once.
fn surge(service: &ServiceOfCluster, desired: u32) -> u32 {
    let is_rolling_out = service.live.deployments.len() > 1;
    let settings = &service.live.settings;
    let max = u64::from(desired) * u64::from(settings.max_percent) / 100;
    let rolling = u32::try_from(max).unwrap_or(u32::MAX).max(desired);
    match (is_rolling_out, !settings.shift.has_two_sets()) {
        (false, _) => rolling.max(desired),
        (true, true) => rolling,
        // Blue/green, canary, linear: the new set stands beside the old one.
        (true, false) => desired.saturating_mul(2),
    }
}

fn push(
    facts: &CapacityFacts,
    group: &str,
    revision: &TaskDefinitionArn,
    count: u32,
    shapes: &mut Shapes,
    demand: &mut Vec<Demand>,
) {
    if count == 0 {
        return;
    }
    if let Some(shape) = shapes.of(facts, group, revision) {
        demand.push(Demand::new(shape, count));
    }
}

/// Of a named service so many tasks; of all so many percent, in tasks of the shape that takes most.
fn keep_free(facts: &CapacityFacts, there: &There, headroom: &Headroom, shapes: &mut Shapes) -> Vec<Demand> {
    let mut demand = Vec::new();
    match headroom {
        Headroom::Tasks(tasks) => {
            let service = facts.services.known().and_then(|services| services.get(&tasks.service));
            if let Some(service) = service {
                let group = format!("service:{}", tasks.service);
                push(facts, &group, &service.live.task_definition, tasks.count, shapes, &mut demand);
            }
        }
        Headroom::Percent(percent) => demand.extend(percent_of_all(there, *percent)),
    }
    demand
}

fn percent_of_all(there: &There, percent: u32) -> Option<Demand> {
    let on = there.instances.iter().flat_map(|it| &it.tasks);
    let counted =
        on.filter(|task| !matches!(task.owner, Owner::Daemon(_)) && task.standing != Standing::Leaving);
    let (mut cpu, mut memory) = (0_u64, 0_u64);
    // Each shape is made once, and there are few: see `Shapes`.
    let mut by_shape: Vec<(&Arc<TaskShape>, u64)> = Vec::new();
    for task in counted {
        cpu += u64::from(task.shape.needs.cpu);
        memory += u64::from(task.shape.needs.memory_mib);
        let takes = u64::from(task.shape.needs.memory_mib.max(1));
        match by_shape.iter_mut().find(|(shape, _)| Arc::ptr_eq(shape, &task.shape)) {
            Some((_, all)) => *all += takes,
            None => by_shape.push((&task.shape, takes)),
        }
    }
    let (shape, _) = by_shape.into_iter().max_by_key(|(_, memory)| *memory)?;
    let part = |all: u64, each: u32| (all * u64::from(percent)).div_ceil(100 * u64::from(each.max(1)));
    let count = part(cpu, shape.needs.cpu).max(part(memory, shape.needs.memory_mib));
    Some(Demand::new(Arc::clone(shape), u32::try_from(count).unwrap_or(u32::MAX)))
}
