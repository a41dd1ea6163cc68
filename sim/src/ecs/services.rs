//! The calls on services.

use std::collections::{BTreeSet, VecDeque};

use serde_json::{Value, json};

use super::args::{self, invalid};
use super::blueprint::Network;
use super::clusters;
use super::deployment;
use super::describe;
use super::scheduler;
use super::service::{Pace, Service, ServiceKey, ServiceStatus};
use super::settings::{DEPLOYING, Settings};
use super::tags::Tags;
use super::task_definitions::{self, Definition};
use crate::call::{ApiError, Reply};
use crate::elb;
use crate::world::World;

fn not_found() -> ApiError {
    ApiError::client("ServiceNotFoundException", "Service not found.")
}

/// The service that a call's member names, by name or ARN.
pub(crate) fn of_call(world: &World, input: &Value, member: &str) -> Result<ServiceKey, ApiError> {
    let cluster = clusters::of_call(world, input)?;
    let key = ServiceKey { cluster, name: args::last_part(args::required(input, member)?).to_owned() };
    world.ecs.service(&key).map(|_| key.clone()).ok_or_else(not_found)
}

fn reply(world: &World, key: &ServiceKey) -> Reply {
    let service = world.ecs.service(key).ok_or_else(not_found)?;
    Ok(json!({ "service": describe::service(world, service, true) }))
}

pub(crate) fn create(world: &mut World, input: &Value) -> Reply {
    let cluster = clusters::of_call(world, input)?;
    let name = args::required(input, "serviceName")?.to_owned();
    if !clusters::is_name(&name) {
        return Err(invalid(format!("Invalid service name: {name}")));
    }
    let key = ServiceKey { cluster, name };
    if let Some(existing) = world.ecs.service(&key) {
        match existing.status {
            ServiceStatus::Active => return created_before(world, &key, existing, input),
            ServiceStatus::Draining => {
                return Err(invalid("Unable to Start a service that is still Draining."));
            }
            ServiceStatus::Inactive => {}
        }
    }
    let desired = args::count(input, "desiredCount")?
        .ok_or_else(|| invalid("Unable to use the REPLICA scheduling strategy without a desiredCount."))?;
    let input = &with_default_strategy(world, &key.cluster, input);
    let settings = Settings::create(input, &world.config.account)?;
    let definition = task_definitions::usable(world, args::required(input, "taskDefinition")?)?;
    let arn = definition.arn.clone();
    check_fit(world, &settings, definition)?;
    let service = Service {
        arn: world.arn("ecs", &format!("service/{}/{}", key.cluster, key.name)),
        key: key.clone(),
        status: ServiceStatus::Active,
        desired,
        settings,
        deployments: Vec::new(),
        completed: None,
        events: VecDeque::new(),
        tags: Tags::from_input(input)?,
        created_at: world.now(),
        tasks: BTreeSet::new(),
        releases: Vec::new(),
        revisions: Vec::new(),
        token: args::text(input, "clientToken")?.map(|token| (token.to_owned(), input.clone())),
        pace: Pace::default(),
    };
    if let Some(cluster) = world.ecs.clusters.get_mut(&key.cluster) {
        cluster.services.insert(key.name.clone(), service);
    }
    deployment::begin(world, &key, &arn);
    reply(world, &key)
}

/// Without a launch type and a strategy a service gets its cluster's default strategy, if there
/// is one.
fn with_default_strategy(world: &World, cluster: &str, input: &Value) -> Value {
    let mut input = input.clone();
    let default =
        world.ecs.clusters.get(cluster).and_then(|it| it.stored.get("defaultCapacityProviderStrategy"));
    let given = !input["launchType"].is_null() || !input["capacityProviderStrategy"].is_null();
    if let Some(default) = default.filter(|it| !given && it.as_array().is_some_and(|items| !items.is_empty()))
    {
        input["capacityProviderStrategy"] = default.clone();
    }
    input
}

/// The same call again, by its token, returns what it created; any other is refused.
fn created_before(world: &World, key: &ServiceKey, existing: &Service, input: &Value) -> Reply {
    let token = args::text(input, "clientToken")?;
    let same =
        existing.token.as_ref().is_some_and(|(known, first)| Some(known.as_str()) == token && first == input);
    if same { reply(world, key) } else { Err(invalid("Creation of service was not idempotent.")) }
}

/// Whether a task definition fits a service's load balancers, and what this ECS runs.
fn check_fit(world: &World, settings: &Settings, definition: &Definition) -> Result<(), ApiError> {
    let plan = definition.blueprint();
    check_network(plan.network)?;
    for balancer in settings.load_balancers() {
        match plan.maps(&balancer.container, balancer.port) {
            None => {
                return Err(invalid(format!(
                    "The container {} does not exist in the task definition.",
                    balancer.container
                )));
            }
            Some(false) => {
                return Err(invalid(format!(
                    "The container {} did not have a container port {} defined.",
                    balancer.container, balancer.port
                )));
            }
            Some(true) => {}
        }
        if let Some(error) = elb::refuses_service(world, &balancer.group) {
            return Err(error);
        }
        // Whether the rules forward to both groups is found when it is deployed.
        let alternate = balancer.advanced.as_ref().filter(|it| !elb::knows_group(world, &it.other));
        if let Some(advanced) = alternate {
            let message = format!("The target group with targetGroupArn {} does not exist.", advanced.other);
            return Err(invalid(message));
        }
    }
    Ok(())
}

/// `awsvpc` needs network interfaces, which are not simulated.
pub(crate) fn check_network(network: Network) -> Result<(), ApiError> {
    if network == Network::Awsvpc {
        return Err(ApiError::client(
            "UnsupportedFeatureException",
            "The embedded ECS has no network interfaces: use networkMode bridge or host.",
        ));
    }
    Ok(())
}

/// `UpdateService`. Only a member that starts deployments *and* differs from what is live
/// starts one, or `forceNewDeployment`.
pub(crate) fn update(world: &mut World, input: &Value) -> Reply {
    let key = of_call(world, input, "service")?;
    let service = world.ecs.service(&key).ok_or_else(not_found)?;
    if service.status != ServiceStatus::Active {
        return Err(ApiError::client("ServiceNotActiveException", "Service was not ACTIVE."));
    }
    let desired = args::count(input, "desiredCount")?.unwrap_or(service.desired);
    let settings = service.settings.updated(input)?;
    let live = service.current().map(|it| it.task_definition.clone()).unwrap_or_default();
    let wanted = match args::text(input, "taskDefinition")? {
        Some(reference) => task_definitions::usable(world, reference)?.arn.clone(),
        None => live.clone(),
    };
    let changed = |name: &&str| settings.0.get(*name) != service.settings.0.get(*name);
    let deploys = wanted != live
        || DEPLOYING.iter().any(changed)
        || args::flag(input, "forceNewDeployment")? == Some(true);
    if deploys && let Some(definition) = task_definitions::find(world, &wanted) {
        check_fit(world, &settings, definition)?;
    }
    let service = world.ecs.service_mut(&key).ok_or_else(not_found)?;
    service.settings = settings;
    service.desired = desired;
    service.pace.deadlock_said = false;
    if deploys {
        deployment::begin(world, &key, &wanted);
    } else {
        scheduler::wake(world, &key);
    }
    reply(world, &key)
}

pub(crate) fn delete(world: &mut World, input: &Value) -> Reply {
    let key = of_call(world, input, "service")?;
    let force = args::flag(input, "force")? == Some(true);
    let service = world.ecs.service_mut(&key).ok_or_else(not_found)?;
    if service.status == ServiceStatus::Inactive {
        return Err(not_found());
    }
    if service.desired > 0 && !force {
        return Err(invalid("The service cannot be stopped while it is scaled above 0."));
    }
    service.desired = 0;
    service.status = ServiceStatus::Draining;
    scheduler::wake(world, &key);
    reply(world, &key)
}

pub(crate) fn describe_all(world: &World, input: &Value) -> Reply {
    let cluster = clusters::of_call(world, input)?;
    let references = args::texts(input, "services")?;
    if references.is_empty() {
        return Err(invalid("Services cannot be empty."));
    }
    if references.len() > 10 {
        return Err(invalid("Services cannot have more than 10 elements."));
    }
    let tags = args::includes(input, "TAGS")?;
    let (mut services, mut failures) = (Vec::new(), Vec::new());
    for reference in references {
        let name = args::last_part(reference).to_owned();
        let key = ServiceKey { cluster: cluster.clone(), name };
        let missing = world.arn("ecs", &format!("service/{cluster}/{}", key.name));
        match world.ecs.service(&key) {
            Some(service) => services.push(describe::service(world, service, tags)),
            None => failures.push(args::failure(&missing, "MISSING")),
        }
    }
    Ok(json!({ "services": services, "failures": failures }))
}

/// `ListServices`: those that are ACTIVE, ten to a page unless told otherwise.
pub(crate) fn list(world: &World, input: &Value) -> Reply {
    let cluster = clusters::of_call(world, input)?;
    let launch_type = args::text(input, "launchType")?;
    let services = world.ecs.clusters.get(&cluster).into_iter().flat_map(|it| it.services.values());
    let arns = services
        .filter(|it| it.status == ServiceStatus::Active)
        .filter(|it| launch_type.is_none_or(|wanted| it.settings.member("launchType") == json!(wanted)))
        .map(|it| it.arn.clone())
        .collect();
    args::page(input, "serviceArns", arns, 10, 100)
}
