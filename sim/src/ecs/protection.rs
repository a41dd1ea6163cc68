//! Task protection: a task says that it is not to be stopped by a scale-in or a deployment,
//! until an instant. Its failures, its instance's end and `StopTask` stop it all the same.

use std::time::Duration;

use serde_json::{Value, json};

use super::args::{self, invalid};
use super::service::Service;
use super::task::{Task, TaskStatus};
use super::{clusters, scheduler};
use crate::call::Reply;
use crate::time::Time;
use crate::world::World;

/// `UpdateTaskProtection`: of up to ten tasks.
pub(crate) fn update(world: &mut World, input: &Value) -> Reply {
    let cluster = clusters::of_call(world, input)?;
    let references = args::texts(input, "tasks")?;
    if references.is_empty() || references.len() > 10 {
        return Err(invalid("tasks must have from 1 to 10 items."));
    }
    let enabled = args::flag(input, "protectionEnabled")?
        .ok_or_else(|| invalid("protectionEnabled can not be blank."))?;
    let minutes = args::count(input, "expiresInMinutes")?.unwrap_or(120);
    if !(1..=2_880).contains(&minutes) {
        return Err(invalid("expiresInMinutes must be between 1 and 2880."));
    }
    let until = enabled.then(|| world.now() + Duration::from_mins(minutes.into()));
    let (mut protected, mut failures) = (Vec::new(), Vec::new());
    for reference in references {
        match protect(world, &cluster, reference, until) {
            Ok(task) => protected.push(task),
            Err(failure) => failures.push(failure),
        }
    }
    Ok(json!({ "protectedTasks": protected, "failures": failures }))
}

fn protect(world: &mut World, cluster: &str, reference: &str, until: Option<Time>) -> Result<Value, Value> {
    let task = find(world, cluster, reference)?;
    let id = task.id.clone();
    let Some(owner) = task.owner.as_ref().filter(|_| task.wanted) else {
        return Err(args::failure(&task.arn, "TASK_NOT_VALID"));
    };
    let key = owner.service.clone();
    let blocked = world.ecs.service(&key).filter(|_| until.is_some()).is_some_and(|service| {
        let others = service.tasks.iter().filter(|other| **other != id);
        let others = others.filter_map(|other| world.ecs.tasks.get(other));
        others.filter(|other| is_protected(other, world.now())).count() >= service.desired as usize
    });
    if blocked {
        return Err(args::failure(&task.arn, "DEPLOYMENT_BLOCKED"));
    }
    if let Some(task) = world.ecs.tasks.get_mut(&id) {
        task.protected_until = until;
    }
    scheduler::wake(world, &key);
    world.ecs.tasks.get(&id).map(|task| describe(task, world.now())).ok_or(Value::Null)
}

/// `GetTaskProtection`: of the tasks that are named, or of all of a cluster's services.
pub(crate) fn get(world: &World, input: &Value) -> Reply {
    let cluster = clusters::of_call(world, input)?;
    let references = args::texts(input, "tasks")?;
    let now = world.now();
    if references.is_empty() {
        let of_services = world.ecs.tasks.values().filter(|task| {
            task.cluster == cluster && task.owner.is_some() && task.status != TaskStatus::Stopped
        });
        let all: Vec<Value> = of_services.map(|task| describe(task, now)).collect();
        return Ok(json!({ "protectedTasks": all, "failures": [] }));
    }
    let (mut protected, mut failures) = (Vec::new(), Vec::new());
    for reference in references {
        match find(world, &cluster, reference) {
            Ok(task) if task.owner.is_some() => protected.push(describe(task, now)),
            Ok(task) => failures.push(args::failure(&task.arn, "TASK_NOT_VALID")),
            Err(failure) => failures.push(failure),
        }
    }
    Ok(json!({ "protectedTasks": protected, "failures": failures }))
}

fn find<'a>(world: &'a World, cluster: &str, reference: &str) -> Result<&'a Task, Value> {
    let id = args::last_part(reference);
    let task = world.ecs.tasks.get(id).filter(|task| task.cluster == cluster);
    task.ok_or_else(|| args::failure(&world.arn("ecs", &format!("task/{cluster}/{id}")), "MISSING"))
}

/// Whether a task is protected at this instant.
pub(crate) fn is_protected(task: &Task, now: Time) -> bool {
    task.protected_until.is_some_and(|until| now < until)
}

fn describe(task: &Task, now: Time) -> Value {
    let mut output = json!({ "taskArn": task.arn, "protectionEnabled": is_protected(task, now) });
    if let Some(until) = task.protected_until.filter(|until| now < *until) {
        output["expirationDate"] = json!(until.epoch_secs());
    }
    output
}

/// When the first protection of a service's tasks ends: something may be stopped then.
pub(crate) fn next_look(world: &World, service: &Service) -> Option<Time> {
    let tasks = service.tasks.iter().filter_map(|id| world.ecs.tasks.get(id));
    tasks
        .filter(|task| task.wanted && is_protected(task, world.now()))
        .filter_map(|it| it.protected_until)
        .min()
}
