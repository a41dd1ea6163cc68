//! `RunTask`: tasks of no service, placed at once or not at all.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::args::{self, invalid};
use super::blueprint::Blueprint;
use super::describe::{self, Stamp};
use super::lifecycle::{self, Launch};
use super::placement::{self, Obstacle, Rules};
use super::tags::Tags;
use super::{clusters, providers, services, task_definitions};
use crate::call::{ApiError, Reply};
use crate::time::Time;
use crate::world::World;

/// How long a `clientToken` is known.
const KNOWN: Duration = Duration::from_hours(24);

/// By `<cluster>/<clientToken>`.
pub(crate) type Tokens = BTreeMap<String, Run>;

/// A call that ran tasks.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Run {
    input: Value,
    tasks: Vec<String>,
    failures: Vec<Value>,
    at: Time,
}

/// What a call asks for.
struct Order {
    cluster: String,
    definition: String,
    plan: Blueprint,
    group: String,
    count: u32,
    overrides: Value,
}

/// `RunTask`. What cannot be placed is in `failures`, with HTTP 200. The same call again, by
/// its token, runs nothing and returns what the first one did.
pub(crate) fn run(world: &mut World, input: &Value) -> Reply {
    let order = read(world, input)?;
    let token = args::text(input, "clientToken")?.map(|token| format!("{}/{token}", order.cluster));
    let now = world.now();
    world.ecs.run_tokens.retain(|_, run| now.since(run.at) < KNOWN);
    if let Some(known) = token.as_ref().and_then(|token| world.ecs.run_tokens.get(token)) {
        return if known.input == *input { Ok(reply(world, known)) } else { Err(conflict(world, known)) };
    }
    let (mut tasks, mut failures) = (Vec::new(), Vec::new());
    for _ in 0..order.count {
        match place(world, &order, input)? {
            Ok(id) => tasks.push(id),
            Err(failure) => failures.push(failure),
        }
    }
    let run = Run { input: input.clone(), tasks, failures, at: now };
    let reply = reply(world, &run);
    if let Some(token) = token {
        world.ecs.run_tokens.insert(token, run);
    }
    Ok(reply)
}

fn read(world: &World, input: &Value) -> Result<Order, ApiError> {
    let cluster = clusters::of_call(world, input)?;
    let count = args::count(input, "count")?.unwrap_or(1);
    if !(1..=10).contains(&count) {
        return Err(invalid("count must be between 1 and 10."));
    }
    let definition = task_definitions::usable(world, args::required(input, "taskDefinition")?)?;
    let arn = definition.arn.clone();
    let plan = definition.blueprint();
    services::check_network(plan.network)?;
    for constraint in args::list(input, "placementConstraints")? {
        placement::check_constraint(constraint)?;
    }
    if args::text(input, "startedBy")?.is_some_and(|by| by.len() > 128) {
        return Err(invalid("startedBy must be 128 characters or less."));
    }
    let family = task_definitions::split(&arn).map(|(family, _)| family.to_owned()).unwrap_or_default();
    let group = match args::text(input, "group")? {
        None => format!("family:{family}"),
        Some(group) if group.starts_with("service:") => {
            return Err(invalid("Invalid namespace for group: service."));
        }
        Some(group) => group.to_owned(),
    };
    let overrides = overrides(input, &plan)?;
    Ok(Order { cluster, definition: arn, plan, group, count, overrides })
}

/// The overrides, with an entry for each container. A container does not really run its
/// command: given one, it is a job that ends by its image's labels (`sim.job_secs`,
/// `sim.job_code`). An environment is kept and told; what would change what is reserved is
/// refused.
fn overrides(input: &Value, plan: &Blueprint) -> Result<Value, ApiError> {
    let Some(given) = input.get("overrides").filter(|it| !it.is_null()) else { return Ok(Value::Null) };
    let entries = args::list(given, "containerOverrides")?;
    for entry in entries {
        let name = args::required(entry, "name")?;
        if !plan.containers.iter().any(|it| it.name == name) {
            let message =
                format!("Override for container named {name} is not a container in the TaskDefinition.");
            return Err(invalid(message));
        }
        let resources = ["cpu", "memory", "memoryReservation", "resourceRequirements"];
        if let Some(member) = resources.iter().find(|member| !entry[**member].is_null()) {
            return Err(unsupported(member));
        }
    }
    if let Some(member) = ["cpu", "memory"].iter().find(|member| !given[**member].is_null()) {
        return Err(unsupported(member));
    }
    let entry_of = |name: &String| entries.iter().find(|entry| entry["name"] == name.as_str()).cloned();
    let all = plan.containers.iter().map(|it| entry_of(&it.name).unwrap_or(json!({ "name": it.name })));
    let mut overrides = given.clone();
    overrides["containerOverrides"] = all.collect();
    Ok(overrides)
}

fn unsupported(member: &str) -> ApiError {
    let message = format!("The embedded ECS does not override {member}: register another task definition.");
    ApiError::client("UnsupportedFeatureException", message)
}

/// Places one task; the inner error is an entry of `failures`.
fn place(world: &mut World, order: &Order, input: &Value) -> Result<Result<String, Value>, ApiError> {
    let shares = providers::strategy(&input["capacityProviderStrategy"]);
    let provider = providers::next_for(world, &order.cluster, &order.group, &shares);
    let rules = Rules {
        cluster: &order.cluster,
        group: &order.group,
        constraints: args::list(input, "placementConstraints")?,
        strategy: args::list(input, "placementStrategy")?,
        provider: provider.as_deref(),
    };
    let instance = match placement::choose(world, &order.plan, &rules) {
        Ok(instance) => instance,
        Err(refusal) if refusal.obstacle == Obstacle::NoInstances => {
            return Err(invalid(Obstacle::NoInstances.reason()));
        }
        Err(refusal) => {
            let closest =
                refusal.closest.and_then(|id| world.ecs.instances.get(&id)).map(|it| it.arn.clone());
            return Ok(Err(args::failure(&closest.unwrap_or_default(), refusal.obstacle.reason())));
        }
    };
    let launch = Launch {
        cluster: order.cluster.clone(),
        task_definition: order.definition.clone(),
        plan: order.plan.clone(),
        owner: None,
        started_by: args::text(input, "startedBy")?.map(str::to_owned),
        group: order.group.clone(),
        tags: Tags::from_input(input)?,
        overrides: order.overrides.clone(),
        execute_command: args::flag(input, "enableExecuteCommand")?.unwrap_or(false),
    };
    Ok(Ok(lifecycle::launch(world, launch, &instance)))
}

fn reply(world: &World, run: &Run) -> Value {
    let tasks = run.tasks.iter().filter_map(|id| world.ecs.tasks.get(id));
    let tasks: Vec<Value> = tasks.map(|task| describe::task(world, task, Stamp::Epoch, true)).collect();
    json!({ "tasks": tasks, "failures": run.failures })
}

fn conflict(world: &World, run: &Run) -> ApiError {
    let tasks = run.tasks.iter().filter_map(|id| world.ecs.tasks.get(id));
    let arns: Vec<Value> = tasks.map(|task| json!(task.arn)).collect();
    let message = "The provided clientToken is already in use with a different RunTask request.";
    let extra = [("resourceIds".to_owned(), json!(arns))].into_iter().collect();
    ApiError::client("ConflictException", message).with_extra(extra)
}
