//! The calls on tasks.

use serde_json::{Value, json};

use super::args::{self, invalid};
use super::describe::{self, Stamp};
use super::lifecycle::{self, Launch};
use super::placement::{self, Obstacle, Rules};
use super::tags::Tags;
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

/// `RunTask`. What cannot be placed is in `failures`, with HTTP 200.
pub(crate) fn run(world: &mut World, input: &Value) -> Reply {
    let cluster = clusters::of_call(world, input)?;
    let count = args::count(input, "count")?.unwrap_or(1);
    if !(1..=10).contains(&count) {
        return Err(invalid("count must be between 1 and 10."));
    }
    let definition = task_definitions::usable(world, args::required(input, "taskDefinition")?)?;
    let arn = definition.arn.clone();
    let plan = definition.blueprint();
    services::check_network(plan.network)?;
    let family = task_definitions::split(&arn).map(|(family, _)| family.to_owned()).unwrap_or_default();
    let group = args::text(input, "group")?.map_or_else(|| format!("family:{family}"), str::to_owned);
    for constraint in args::list(input, "placementConstraints")? {
        placement::check_constraint(constraint)?;
    }
    let (mut tasks, mut failures) = (Vec::new(), Vec::new());
    for _ in 0..count {
        let rules = Rules {
            cluster: &cluster,
            group: &group,
            constraints: args::list(input, "placementConstraints")?,
            strategy: args::list(input, "placementStrategy")?,
        };
        let instance = match placement::choose(world, &plan, &rules) {
            Ok(instance) => instance,
            Err(refusal) if refusal.obstacle == Obstacle::NoInstances => {
                return Err(invalid(Obstacle::NoInstances.reason()));
            }
            Err(refusal) => {
                let closest =
                    refusal.closest.and_then(|id| world.ecs.instances.get(&id)).map(|it| it.arn.clone());
                failures.push(args::failure(&closest.unwrap_or_default(), refusal.obstacle.reason()));
                continue;
            }
        };
        let launch = Launch {
            cluster: cluster.clone(),
            task_definition: arn.clone(),
            plan: plan.clone(),
            owner: None,
            started_by: args::text(input, "startedBy")?.map(str::to_owned),
            group: group.clone(),
            tags: Tags::from_input(input)?,
            overrides: input.get("overrides").cloned().unwrap_or(Value::Null),
            execute_command: args::flag(input, "enableExecuteCommand")?.unwrap_or(false),
        };
        tasks.push(lifecycle::launch(world, launch, &instance));
    }
    let tasks = tasks.iter().filter_map(|id| world.ecs.tasks.get(id));
    let tasks: Vec<Value> = tasks.map(|task| describe::task(world, task, Stamp::Epoch, true)).collect();
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
