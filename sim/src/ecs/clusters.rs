//! Clusters and their capacity providers.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::service::{Service, ServiceStatus};
use super::tags::Tags;
use super::task::TaskStatus;
use super::{args, providers};
use crate::call::{ApiError, Reply};
use crate::world::World;

/// A cluster.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Cluster {
    pub(crate) arn: String,
    pub(crate) name: String,
    pub(crate) active: bool,
    /// Members that are stored and given back: settings, configuration, …
    pub(crate) stored: Map<String, Value>,
    pub(crate) tags: Tags,
    pub(crate) services: BTreeMap<String, Service>,
}

/// Members of `CreateCluster` and `PutClusterCapacityProviders` that `DescribeClusters` returns.
const STORED: [&str; 5] = [
    "settings",
    "configuration",
    "capacityProviders",
    "defaultCapacityProviderStrategy",
    "serviceConnectDefaults",
];

impl Cluster {
    /// The names of its capacity providers.
    pub(crate) fn providers(&self) -> Vec<&str> {
        let names = self.stored.get("capacityProviders").and_then(Value::as_array);
        names.into_iter().flatten().filter_map(Value::as_str).map(args::last_part).collect()
    }
}

/// `ClusterNotFoundException`, in AWS's words.
pub(crate) fn not_found() -> ApiError {
    ApiError::client("ClusterNotFoundException", "Cluster not found.")
}

/// The ACTIVE cluster that a call is for.
pub(crate) fn of_call(world: &World, input: &Value) -> Result<String, ApiError> {
    let name = args::cluster_name(input)?;
    match world.ecs.clusters.get(&name) {
        Some(cluster) if cluster.active => Ok(name),
        _ => Err(not_found()),
    }
}

pub(crate) fn create(world: &mut World, input: &Value) -> Reply {
    let name = args::text(input, "clusterName")?.unwrap_or("default").to_owned();
    if !is_name(&name) {
        return Err(args::invalid("Cluster name must match [a-zA-Z0-9_-]{1,255}."));
    }
    let exists = world.ecs.clusters.get(&name).is_some_and(|cluster| cluster.active);
    if !exists {
        let cluster = Cluster {
            arn: world.arn("ecs", &format!("cluster/{name}")),
            name: name.clone(),
            active: true,
            stored: args::pick(input, &STORED),
            tags: Tags::from_input(input)?,
            services: BTreeMap::new(),
        };
        world.ecs.clusters.insert(name.clone(), cluster);
    }
    // Creating a cluster that is there returns it: CreateCluster is idempotent by name.
    Ok(json!({ "cluster": describe(world, &name, true) }))
}

/// 1 to 255 letters, digits, hyphens and underscores: names of clusters, services, families.
pub(crate) fn is_name(name: &str) -> bool {
    (1..=255).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

pub(crate) fn describe_all(world: &World, input: &Value) -> Reply {
    let mut names = args::texts(input, "clusters")?;
    if names.len() > 100 {
        return Err(args::invalid("Clusters can have at most 100 items."));
    }
    if names.is_empty() {
        names.push("default");
    }
    let tags = args::includes(input, "TAGS")?;
    let (mut clusters, mut failures) = (Vec::new(), Vec::new());
    for reference in names {
        let name = args::last_part(reference);
        if world.ecs.clusters.contains_key(name) {
            clusters.push(describe(world, name, tags));
        } else {
            let arn = world.arn("ecs", &format!("cluster/{name}"));
            failures.push(args::failure(&arn, "MISSING"));
        }
    }
    Ok(json!({ "clusters": clusters, "failures": failures }))
}

fn describe(world: &World, name: &str, with_tags: bool) -> Value {
    let Some(cluster) = world.ecs.clusters.get(name) else { return Value::Null };
    let tasks = || world.ecs.tasks.values().filter(|task| task.cluster == name);
    let services = cluster.services.values().filter(|service| service.status == ServiceStatus::Active);
    let mut output = json!({
        "clusterArn": cluster.arn,
        "clusterName": cluster.name,
        "status": if cluster.active { "ACTIVE" } else { "INACTIVE" },
        "registeredContainerInstancesCount":
            world.ecs.instances.values().filter(|instance| instance.cluster == name).count(),
        "runningTasksCount": tasks().filter(|task| task.status == TaskStatus::Running).count(),
        "pendingTasksCount": tasks().filter(|task| task.status.is_pending()).count(),
        "activeServicesCount": services.count(),
        "statistics": [],
        "tags": if with_tags { cluster.tags.to_json() } else { json!([]) },
        "settings": [{ "name": "containerInsights", "value": "disabled" }],
        "capacityProviders": [],
        "defaultCapacityProviderStrategy": [],
    });
    for (member, value) in &cluster.stored {
        output[member] = value.clone();
    }
    output
}

pub(crate) fn list(world: &World, input: &Value) -> Reply {
    let active = world.ecs.clusters.values().filter(|cluster| cluster.active);
    args::page(input, "clusterArns", active.map(|cluster| cluster.arn.clone()).collect(), 100, 100)
}

pub(crate) fn delete(world: &mut World, input: &Value) -> Reply {
    args::required(input, "cluster")?;
    let name = of_call(world, input)?;
    if world.ecs.instances.values().any(|instance| instance.cluster == name) {
        return Err(ApiError::client(
            "ClusterContainsContainerInstancesException",
            "The Cluster cannot be deleted while Container Instances are active or draining.",
        ));
    }
    let live = |service: &Service| service.status != ServiceStatus::Inactive;
    if world.ecs.clusters.get(&name).is_some_and(|cluster| cluster.services.values().any(live)) {
        return Err(ApiError::client(
            "ClusterContainsServicesException",
            "The Cluster cannot be deleted while Services are active.",
        ));
    }
    if world.ecs.tasks.values().any(|task| task.cluster == name && task.status != TaskStatus::Stopped) {
        return Err(ApiError::client(
            "ClusterContainsTasksException",
            "The Cluster cannot be deleted while Tasks are active.",
        ));
    }
    if let Some(cluster) = world.ecs.clusters.get_mut(&name) {
        cluster.active = false;
    }
    Ok(json!({ "cluster": describe(world, &name, false) }))
}

/// `PutClusterCapacityProviders`: both lists are replaced whole.
pub(crate) fn put_capacity_providers(world: &mut World, input: &Value) -> Reply {
    let name = of_call(world, input)?;
    let given = args::texts(input, "capacityProviders")?;
    providers::check_known(world, &given)?;
    let shares = providers::strategy(&input["defaultCapacityProviderStrategy"]);
    let missing = |share: &&providers::Share| !given.iter().any(|it| args::last_part(it) == share.provider);
    if let Some(share) = shares.iter().find(missing) {
        let message = format!(
            "The specified capacity provider strategy cannot contain {}: it is not associated with the cluster.",
            share.provider
        );
        return Err(args::invalid(message));
    }
    if let Some(cluster) = world.ecs.clusters.get_mut(&name) {
        for member in ["capacityProviders", "defaultCapacityProviderStrategy"] {
            cluster.stored.insert(member.to_owned(), json!(args::list(input, member)?));
        }
    }
    Ok(json!({ "cluster": describe(world, &name, false) }))
}
