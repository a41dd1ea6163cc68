//! Capacity providers: Auto Scaling groups that ECS places tasks on, scales and drains.
//!
//! What [`super::managed_scaling`] and [`super::managed_draining`] do is switched here.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::args::{self, client, invalid};
use super::instances::Instance;
use super::tags::Tags;
use super::{Due, managed_draining};
use crate::autoscaling;
use crate::call::{ApiError, Reply};
use crate::world::{self, World};

/// An Auto Scaling group as a capacity provider.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Provider {
    pub(crate) name: String,
    arn: String,
    group_arn: String,
    pub(crate) scaling: Scaling,
    /// `managedTerminationProtection`
    pub(crate) protects: bool,
    /// `managedDraining`
    pub(crate) drains: bool,
    pub(crate) tags: Tags,
    /// Minutes in a row in which less was reserved than wanted.
    #[serde(default)]
    pub(crate) low_minutes: u32,
}

/// `managedScaling`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Scaling {
    pub(crate) enabled: bool,
    /// Percent.
    pub(crate) target: u32,
    pub(crate) least_step: u32,
    pub(crate) most_step: u32,
    pub(crate) warmup_secs: u32,
}

/// Those that every account has, and that run nothing here.
const FARGATE: [&str; 2] = ["FARGATE", "FARGATE_SPOT"];

impl Provider {
    /// The name of its Auto Scaling group.
    pub(crate) fn group(&self) -> &str {
        autoscaling::inside::name_of_arn(&self.group_arn)
    }

    fn view(&self, tags: bool) -> Value {
        let word = |on: bool| if on { "ENABLED" } else { "DISABLED" };
        let scaling = &self.scaling;
        let managed = if scaling.enabled {
            json!({
                "status": "ENABLED",
                "targetCapacity": scaling.target,
                "minimumScalingStepSize": scaling.least_step,
                "maximumScalingStepSize": scaling.most_step,
                "instanceWarmupPeriod": scaling.warmup_secs,
            })
        } else {
            json!({ "status": "DISABLED" })
        };
        json!({
            "capacityProviderArn": self.arn,
            "name": self.name,
            "status": "ACTIVE",
            "autoScalingGroupProvider": {
                "autoScalingGroupArn": self.group_arn,
                "managedScaling": managed,
                "managedTerminationProtection": word(self.protects),
                "managedDraining": word(self.drains),
            },
            "tags": if tags { self.tags.to_json() } else { json!([]) },
        })
    }
}

/// `ENABLED` or `DISABLED`.
fn switch(input: &Value, member: &str, live: bool) -> Result<bool, ApiError> {
    match args::text(input, member)? {
        None => Ok(live),
        Some("ENABLED") => Ok(true),
        Some("DISABLED") => Ok(false),
        Some(other) => Err(invalid(format!("{member} must be ENABLED or DISABLED, not {other}"))),
    }
}

fn scaling(input: &Value, live: Scaling) -> Result<Scaling, ApiError> {
    let number = |member: &str, live: u32| args::count(input, member).map(|given| given.unwrap_or(live));
    let scaling = Scaling {
        enabled: switch(input, "status", if input.is_object() { true } else { live.enabled })?,
        target: number("targetCapacity", live.target)?,
        least_step: number("minimumScalingStepSize", live.least_step)?,
        most_step: number("maximumScalingStepSize", live.most_step)?,
        warmup_secs: number("instanceWarmupPeriod", live.warmup_secs)?,
    };
    let steps = 1..=10_000;
    if !(1..=100).contains(&scaling.target) {
        return Err(invalid("The managed scaling target capacity must be between 1 and 100."));
    }
    if !steps.contains(&scaling.least_step) || !steps.contains(&scaling.most_step) {
        return Err(invalid("The managed scaling step sizes must be between 1 and 10000."));
    }
    Ok(scaling)
}

/// What a call says of its group is laid over what is there.
fn merged(world: &World, mut provider: Provider, given: &Value) -> Result<Provider, ApiError> {
    provider.scaling = scaling(&given["managedScaling"], provider.scaling)?;
    provider.protects = switch(given, "managedTerminationProtection", provider.protects)?;
    provider.drains = switch(given, "managedDraining", provider.drains)?;
    if provider.protects && !provider.scaling.enabled {
        return Err(invalid(
            "The managed termination protection setting for the capacity provider is invalid. Managed termination \
             protection requires managed scaling.",
        ));
    }
    if provider.protects && autoscaling::inside::protects_new(world, provider.group()) != Some(true) {
        return Err(invalid(
            "The managed termination protection setting for the capacity provider is invalid. To enable managed \
             termination protection for a capacity provider, the Auto Scaling group must have instance protection \
             from scale in enabled.",
        ));
    }
    Ok(provider)
}

pub(crate) fn create(world: &mut World, input: &Value) -> Reply {
    let name = args::required(input, "name")?.to_owned();
    let lower = name.to_ascii_lowercase();
    if ["aws", "ecs", "fargate"].iter().any(|prefix| lower.starts_with(prefix))
        || !super::clusters::is_name(&name)
    {
        return Err(invalid("The specified capacity provider name is invalid."));
    }
    if world.ecs.providers.contains_key(&name) {
        return Err(client(format!("A capacity provider with the name {name} already exists.")));
    }
    let given = &input["autoScalingGroupProvider"];
    let group_arn = args::required(given, "autoScalingGroupArn")?.to_owned();
    if autoscaling::inside::protects_new(world, autoscaling::inside::name_of_arn(&group_arn)).is_none() {
        return Err(client(
            "The specified Auto Scaling group does not exist. Specify an existing Auto Scaling group ARN and try again.",
        ));
    }
    if world.ecs.providers.values().any(|it| it.group_arn == group_arn) {
        return Err(client(
            "The specified Auto Scaling group ARN is already being used by another capacity provider. Specify a \
             unique Auto Scaling group ARN and try again.",
        ));
    }
    let provider = Provider {
        arn: world.arn("ecs", &format!("capacity-provider/{name}")),
        name,
        group_arn,
        scaling: Scaling { enabled: false, target: 100, least_step: 1, most_step: 10_000, warmup_secs: 300 },
        protects: false,
        drains: true,
        tags: Tags::from_input(input)?,
        low_minutes: 0,
    };
    let provider = merged(world, provider, given)?;
    Ok(put(world, provider))
}

pub(crate) fn update(world: &mut World, input: &Value) -> Reply {
    let name = args::last_part(args::required(input, "name")?);
    let live = world.ecs.providers.get(name).cloned().ok_or_else(|| not_found(name))?;
    let provider = merged(world, live, &input["autoScalingGroupProvider"])?;
    Ok(put(world, provider))
}

fn not_found(name: &str) -> ApiError {
    client(format!("The specified capacity provider {name} was not found."))
}

/// Keeps a provider, and does to its group what its switches say.
fn put(world: &mut World, provider: Provider) -> Value {
    let was_scaling = world.ecs.providers.get(&provider.name).is_some_and(|it| it.scaling.enabled);
    let group = provider.group().to_owned();
    let heartbeat = provider.drains.then_some(managed_draining::HEARTBEAT);
    autoscaling::inside::set_terminate_hook(world, &group, managed_draining::HOOK, heartbeat);
    if provider.scaling.enabled {
        autoscaling::inside::mark(world, &group, "AmazonECSManaged");
    }
    if provider.scaling.enabled && !was_scaling {
        let at = world.now() + Duration::from_mins(1);
        world.at(at, world::Due::Ecs(Due::ManagedScaling { provider: provider.name.clone() }));
    }
    let view = json!({ "capacityProvider": provider.view(true) });
    world.ecs.providers.insert(provider.name.clone(), provider);
    view
}

pub(crate) fn delete(world: &mut World, input: &Value) -> Reply {
    let name = args::last_part(args::required(input, "capacityProvider")?).to_owned();
    let provider = world.ecs.providers.get(&name).ok_or_else(|| not_found(&name))?;
    let (group, mut view) = (provider.group().to_owned(), provider.view(false));
    if world.ecs.clusters.values().any(|cluster| cluster.providers().contains(&name.as_str())) {
        return Err(client(
            "The specified capacity provider cannot be deleted because it is associated with a cluster. Remove the \
             capacity provider from the cluster and try again.",
        ));
    }
    world.ecs.providers.remove(&name);
    autoscaling::inside::set_terminate_hook(world, &group, managed_draining::HOOK, None);
    view["status"] = json!("INACTIVE");
    Ok(json!({ "capacityProvider": view }))
}

/// Refuses names that are no provider's.
pub(crate) fn check_known(world: &World, names: &[&str]) -> Result<(), ApiError> {
    let known =
        |name: &&&str| FARGATE.contains(*name) || world.ecs.providers.contains_key(args::last_part(name));
    match names.iter().find(|name| !known(name)) {
        Some(name) => Err(invalid(format!(
            "The specified capacity provider '{name}' was not found. Specify a valid one."
        ))),
        None => Ok(()),
    }
}

pub(crate) fn describe_all(world: &World, input: &Value) -> Reply {
    let tags = args::includes(input, "TAGS")?;
    let view = |name: &str| match world.ecs.providers.get(name) {
        Some(provider) => Some(provider.view(tags)),
        None if FARGATE.contains(&name) => Some(json!({
            "capacityProviderArn": world.arn("ecs", &format!("capacity-provider/{name}")),
            "name": name, "status": "ACTIVE", "tags": [],
        })),
        None => None,
    };
    let asked = args::texts(input, "capacityProviders")?;
    let (mut found, mut failures) = (Vec::new(), Vec::new());
    for reference in &asked {
        match view(args::last_part(reference)) {
            Some(view) => found.push(view),
            None => failures.push(args::failure(reference, "MISSING")),
        }
    }
    if asked.is_empty() {
        let own = world.ecs.providers.keys().map(String::as_str);
        found.extend(FARGATE.into_iter().chain(own).filter_map(view));
    }
    Ok(json!({ "capacityProviders": found, "failures": failures }))
}

/// The provider that an instance belongs to: the one of its group, if its cluster has it.
pub(crate) fn of_instance<'a>(world: &'a World, instance: &Instance) -> Option<&'a Provider> {
    if world.ecs.providers.is_empty() {
        return None;
    }
    let group = world.ec2.instances.get(&instance.ec2_id)?.group()?;
    let provider = world.ecs.providers.values().find(|it| it.group() == group)?;
    let cluster = world.ecs.clusters.get(&instance.cluster)?;
    cluster.providers().contains(&provider.name.as_str()).then_some(provider)
}

/// An item of a capacity provider strategy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Share {
    pub(crate) provider: String,
    base: u64,
    weight: u64,
}

/// Reads a `capacityProviderStrategy`.
pub(crate) fn strategy(value: &Value) -> Vec<Share> {
    let items = value.as_array().into_iter().flatten();
    let share = |item: &Value| {
        Some(Share {
            provider: args::last_part(item["capacityProvider"].as_str()?).to_owned(),
            base: item["base"].as_u64().unwrap_or(0),
            weight: item["weight"].as_u64().unwrap_or(0),
        })
    };
    items.filter_map(share).collect()
}

/// The provider that gets the next task of a group: whose base is not there yet, else the one that
/// is furthest behind its weight. `None` where no strategy says so.
pub(crate) fn next_for(world: &World, cluster: &str, group: &str, shares: &[Share]) -> Option<String> {
    let count = |share: &&Share| count(world, cluster, group, &share.provider);
    if let Some(short) = shares.iter().find(|it| count(it) < it.base) {
        return Some(short.provider.clone());
    }
    // The share that one more task would bring a provider to, in thousandths of its weight.
    let after = |it: &&Share| (count(it).saturating_sub(it.base) + 1) * 1000 / it.weight;
    let next = shares.iter().filter(|it| it.weight > 0).min_by_key(after);
    next.or(shares.first()).map(|it| it.provider.clone())
}

/// How many live tasks of a group a provider has.
fn count(world: &World, cluster: &str, group: &str, provider: &str) -> u64 {
    let instances = world.ecs.instances.values().filter(|it| it.cluster == cluster);
    let own = instances.filter(|it| of_instance(world, it).is_some_and(|it| it.name == provider));
    let tasks = own.flat_map(|it| it.reserved.keys()).filter_map(|id| world.ecs.tasks.get(id));
    tasks.filter(|task| task.wanted && task.group == group).count() as u64
}

/// Whether tasks of this strategy wait in PROVISIONING for ECS to scale, rather than fail to be
/// placed.
pub(crate) fn waits_for_capacity(world: &World, shares: &[Share]) -> bool {
    let scales =
        |share: &Share| world.ecs.providers.get(&share.provider).is_some_and(|it| it.scaling.enabled);
    shares.iter().any(scales)
}
