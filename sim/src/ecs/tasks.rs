//! The calls on tasks.

use serde_json::{Value, json};

use super::args::{self, invalid};
use super::describe::{self, Stamp};
use super::task::{StopCode, Task};
use super::{clusters, services, stopping, task_definitions};
use crate::call::{ApiError, Reply};
use crate::world::World;

/// `ListTasks`. Without `desiredStatus` it lists tasks that are to run.
pub(crate) fn list(world: &World, input: &Value) -> Reply {
    let cluster = clusters::of_call(world, input)?;
    let service = match args::text(input, "serviceName")? {
        Some(_) => Some(services::of_call(world, input, "serviceName")?),
        None => None,
    };
    let wanted = match args::text(input, "desiredStatus")? {
        None | Some("RUNNING" | "PENDING") => true,
        Some("STOPPED") => false,
        Some(other) => return Err(invalid(format!("Invalid desiredStatus: {other}"))),
    };
    let family = args::text(input, "family")?;
    let instance = args::text(input, "containerInstance")?.map(args::last_part);
    let started_by = args::text(input, "startedBy")?;
    let fits = |task: &&Task| {
        let owner = task.owner.as_ref().map(|owner| &owner.service);
        let of_family = task_definitions::split(&task.definition).map(|(family, _)| family);
        task.cluster == cluster
            && task.wanted == wanted
            && service.as_ref().is_none_or(|key| owner == Some(key))
            && (family.is_none() || family == of_family)
            && instance.is_none_or(|id| task.instance == id)
            && (started_by.is_none() || started_by == task.started_by.as_deref())
    };
    let arns = world.ecs.tasks.values().filter(fits).map(|task| task.arn.clone()).collect();
    args::page(input, "taskArns", arns, 100, 100)
}

/// The task that a reference names in a cluster.
fn find<'a>(world: &'a World, cluster: &str, reference: &str) -> Option<&'a Task> {
    world.ecs.tasks.get(args::last_part(reference)).filter(|task| task.cluster == cluster)
}

pub(crate) fn describe_all(world: &World, input: &Value) -> Reply {
    let cluster = clusters::of_call(world, input)?;
    let references = args::texts(input, "tasks")?;
    if references.is_empty() {
        return Err(invalid("Tasks cannot be empty."));
    }
    if references.len() > 100 {
        return Err(invalid("Tasks can have at most 100 items."));
    }
    let tags = args::includes(input, "TAGS")?;
    let (mut tasks, mut failures) = (Vec::new(), Vec::new());
    for reference in references {
        let missing = world.arn("ecs", &format!("task/{cluster}/{}", args::last_part(reference)));
        match find(world, &cluster, reference) {
            Some(task) => tasks.push(describe::task(world, task, Stamp::Epoch, tags)),
            None => failures.push(args::failure(&missing, "MISSING")),
        }
    }
    Ok(json!({ "tasks": tasks, "failures": failures }))
}

pub(crate) fn stop(world: &mut World, input: &Value) -> Reply {
    let cluster = clusters::of_call(world, input)?;
    let missing = || ApiError::client("InvalidParameterException", "The referenced task was not found.");
    let task = find(world, &cluster, args::required(input, "task")?).ok_or_else(missing)?;
    let id = task.id.clone();
    let reason = args::text(input, "reason")?.unwrap_or("Task stopped by user");
    stopping::request(world, &id, StopCode::UserInitiated, reason);
    let task = world.ecs.tasks.get(&id).ok_or_else(missing)?;
    Ok(json!({ "task": describe::task(world, task, Stamp::Epoch, true) }))
}
