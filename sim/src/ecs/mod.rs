//! Amazon ECS on EC2 instances: what it keeps, what it does over time, what it says.
//!
//! | file | holds |
//! |---|---|
//! | [`args`] | members, references, pages of a call |
//! | [`clusters`] [`instances`] [`task_definitions`] [`services`] [`tasks`] [`run`] [`history`] [`tags`] | the calls |
//! | [`register`] [`blueprint`] | what a task definition may say, and how the scheduler reads it |
//! | [`service`] [`settings`] [`task`] [`deployment`] | the records behind them |
//! | [`scheduler`] [`census`] [`health`] [`breaker`] [`alarms`] [`placement`] | the rollout: who starts where, who is stopped, when it failed |
//! | [`strategy`] [`staged`] | blue/green, canary, linear: traffic, hooks, the way back |
//! | [`machines`] | the EC2 instances beneath |
//! | [`providers`] [`managed_scaling`] [`managed_draining`] | Auto Scaling groups that ECS scales and drains |
//! | [`lifecycle`] [`stopping`] [`protection`] | a task's way from its placement to its end |
//! | [`describe`] [`events`] | how all of it looks to callers and on the event bus |
//! | [`restart`] | what runs in a world that was read from disk |
//! | [`metrics`] | what CloudWatch is told |
//! | [`view`] | snapshots for tests and displays |
//!
//! Nothing here runs while nothing moves: a service's pass is scheduled by what changes
//! (a call, a task, an instance), and repeats only while load balancer targets have to
//! be watched.

mod alarms;
mod args;
mod blueprint;
mod breaker;
mod census;
mod clusters;
mod deployment;
mod describe;
mod events;
mod health;
mod history;
mod instances;
mod lifecycle;
mod machines;
mod managed_draining;
mod managed_scaling;
mod metrics;
mod placement;
mod protection;
mod providers;
mod register;
mod restart;
mod run;
mod scheduler;
mod service;
mod services;
mod settings;
mod staged;
mod stopping;
mod strategy;
mod tags;
mod task;
mod task_definitions;
mod tasks;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests_api;
#[cfg(test)]
mod tests_balanced;
#[cfg(test)]
mod tests_draining;
#[cfg(test)]
mod tests_failure;
#[cfg(test)]
mod tests_rollout;
#[cfg(test)]
mod tests_shift;
#[cfg(test)]
mod tests_tasks;
pub mod view;

use std::collections::BTreeMap;

use rand::RngExt;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use self::instances::{InstanceSpec, add_instance, remove_instance};
pub(crate) use self::lifecycle::as_uuid;
pub(crate) use self::machines::{drain_machine, machine_joins, machine_stops};
pub(crate) use self::managed_draining::lifecycle_action;
pub(crate) use self::metrics::{Worker, groups_of, measure, worker, worker_at, workers_of};
pub(crate) use self::restart::restart;
use self::service::ServiceKey;
pub(crate) use self::staged::answered as hook_answered;
pub(crate) use self::tags::of as tags_of;
use crate::call::{ApiError, Reply};
use crate::world::World;

/// ECS's state. It goes to JSON and back, timers aside.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Ecs {
    pub(crate) clusters: BTreeMap<String, clusters::Cluster>,
    pub(crate) families: BTreeMap<String, task_definitions::Family>,
    /// Of all clusters, by id.
    pub(crate) tasks: BTreeMap<String, task::Task>,
    /// Of all clusters, by container instance id.
    pub(crate) instances: BTreeMap<String, instances::Instance>,
    /// What `RunTask` did, by cluster and `clientToken`.
    #[serde(default)]
    pub(crate) run_tokens: run::Tokens,
    /// By name.
    #[serde(default)]
    pub(crate) providers: BTreeMap<String, providers::Provider>,
}

impl Ecs {
    pub(crate) fn service(&self, key: &ServiceKey) -> Option<&service::Service> {
        self.clusters.get(&key.cluster)?.services.get(&key.name)
    }

    pub(crate) fn service_mut(&mut self, key: &ServiceKey) -> Option<&mut service::Service> {
        self.clusters.get_mut(&key.cluster)?.services.get_mut(&key.name)
    }

    /// The revision that `family:revision` or an ARN names.
    pub(crate) fn task_definition_mut(
        &mut self,
        reference: &str,
    ) -> Option<&mut task_definitions::Definition> {
        let (family, revision) = task_definitions::split(reference)?;
        self.families.get_mut(family)?.revisions.get_mut(&revision?)
    }

    /// The instance that EC2 knows by this id.
    pub(crate) fn instance_by_ec2(&self, ec2_id: &str) -> Option<&instances::Instance> {
        self.instances.values().find(|instance| instance.ec2_id == ec2_id)
    }
}

/// What this service's timers are for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Due {
    /// The scheduler looks at a service.
    Pass {
        /// The cluster's name.
        cluster: String,
        /// The service's name.
        service: String,
    },
    /// A task takes a step.
    Step {
        /// The task's id.
        task: String,
        /// The step.
        step: TaskStep,
    },
    /// A capacity provider's minute.
    ManagedScaling {
        /// Its name.
        provider: String,
    },
    /// ECS looks whether an instance that it drains is empty.
    ManagedDraining {
        /// Its EC2 id.
        ec2_id: String,
    },
}

/// A step of a task's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum TaskStep {
    /// The agent begins to pull its images.
    Pull,
    /// The images are there: its containers start.
    Start,
    /// Its container of this index ends by itself.
    Exit(usize),
    /// Its targets have drained: its containers get SIGTERM.
    Signal,
    /// Its containers have ended.
    End,
    /// ECS forgets it.
    Forget,
}

pub(crate) fn handle(world: &mut World, operation: &str, input: &Value) -> Reply {
    match operation {
        "CreateCluster" => clusters::create(world, input),
        "DescribeClusters" => clusters::describe_all(world, input),
        "ListClusters" => clusters::list(world, input),
        "DeleteCluster" => clusters::delete(world, input),
        "PutClusterCapacityProviders" => clusters::put_capacity_providers(world, input),
        "CreateCapacityProvider" => providers::create(world, input),
        "UpdateCapacityProvider" => providers::update(world, input),
        "DeleteCapacityProvider" => providers::delete(world, input),
        "DescribeCapacityProviders" => providers::describe_all(world, input),
        "DescribeContainerInstances" => instances::describe_all(world, input),
        "ListContainerInstances" => instances::list(world, input),
        "UpdateContainerInstancesState" => instances::update_state(world, input),
        "DeregisterContainerInstance" => instances::deregister(world, input),
        "PutAttributes" => instances::put_attributes(world, input),
        "DeleteAttributes" => instances::delete_attributes(world, input),
        "RegisterTaskDefinition" => register::register(world, input),
        "DescribeTaskDefinition" => task_definitions::describe(world, input),
        "ListTaskDefinitions" => task_definitions::list(world, input),
        "ListTaskDefinitionFamilies" => task_definitions::list_families(world, input),
        "DeregisterTaskDefinition" => task_definitions::deregister(world, input),
        "DeleteTaskDefinitions" => task_definitions::delete(world, input),
        "CreateService" => services::create(world, input),
        "UpdateService" => services::update(world, input),
        "DeleteService" => services::delete(world, input),
        "DescribeServices" => services::describe_all(world, input),
        "ListServices" => services::list(world, input),
        "ListTasks" => tasks::list(world, input),
        "DescribeTasks" => tasks::describe_all(world, input),
        "RunTask" => run::run(world, input),
        "StopTask" => tasks::stop(world, input),
        "UpdateTaskProtection" => protection::update(world, input),
        "GetTaskProtection" => protection::get(world, input),
        "ListServiceDeployments" => history::list(world, input),
        "DescribeServiceDeployments" => history::describe_all(world, input),
        "DescribeServiceRevisions" => history::describe_revisions(world, input),
        "StopServiceDeployment" => history::stop(world, input),
        "ContinueServiceDeployment" => staged::continue_deployment(world, input),
        "TagResource" => tags::tag(world, input),
        "UntagResource" => tags::untag(world, input),
        "ListTagsForResource" => tags::list(world, input),
        other => Err(ApiError::client(
            "UnknownOperationException",
            format!("The embedded ECS does not know the operation {other}."),
        )),
    }
}

/// The ARN and the record of the revision that `family`, `family:revision` or an ARN names.
pub(crate) fn task_definition<'a>(world: &'a World, reference: &str) -> Option<(&'a str, &'a Value)> {
    task_definitions::find(world, reference).map(|found| (found.arn.as_str(), &found.record))
}

pub(crate) fn due(world: &mut World, due: Due) {
    match due {
        Due::Pass { cluster, service } => scheduler::pass(world, &ServiceKey { cluster, name: service }),
        Due::Step { task, step } => lifecycle::step(world, &task, step),
        Due::ManagedScaling { provider } => managed_scaling::minute(world, &provider),
        Due::ManagedDraining { ec2_id } => managed_draining::look(world, &ec2_id),
    }
}

/// Asks the container behind (instance, host port) for `path`, as a health check or a
/// request of the data plane does. `None`: nothing listens there, or the connection is
/// cut (not started yet, ended, killed).
pub(crate) fn answer(world: &World, instance_id: &str, host_port: u16, health: bool) -> Option<Answer> {
    let instance = world.ecs.instance_by_ec2(instance_id)?;
    let task = world.ecs.tasks.get(instance.owner_of(host_port)?)?;
    let container = task.containers.iter().find(|it| it.ports.iter().any(|port| port.host == host_port))?;
    if !container.answers(world.now()) {
        return None;
    }
    let behaviour = &container.behaviour;
    // A task under load takes longer, and refuses what does not fit into its queue.
    let strained = world.load.strained(&task.id).unwrap_or_default();
    let at = chance(world, host_port);
    let status = match health {
        true => behaviour.health_status,
        false if at < strained.refused => 503,
        false if at < strained.refused + behaviour.error_share => 500,
        false => behaviour.status,
    };
    let latency_ms = behaviour.latency_ms + strained.waits_ms;
    Some(Answer { status, latency_ms, task_arn: task.arn.clone() })
}

/// The container that is bound to (instance, host port), as long as its task has it.
#[cfg(feature = "in-process")]
pub(crate) fn container_at(
    world: &World,
    instance_id: &str,
    host_port: u16,
) -> Option<crate::world::RunningContainer> {
    let task = world.ecs.instance_by_ec2(instance_id)?.owner_of(host_port)?;
    lifecycle::effects(world, task).into_iter().find_map(|effect| match effect {
        crate::world::Effect::StartContainer(it) => {
            it.ports.iter().any(|(_, host)| *host == host_port).then_some(it)
        }
        _ => None,
    })
}

/// A share between 0 and 1 for the latest request, at this instant on this port: as good as random,
/// and the same in every run of a seed, without a state to change.
fn chance(world: &World, port: u16) -> f64 {
    let request = crate::elb::requests(world).wrapping_mul(0xd6e8_feb8_6659_fd93);
    let mixed = (world.now().0 ^ request ^ world.config.seed.rotate_left(32) ^ (u64::from(port) << 48))
        .wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ (mixed >> 31)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    f64::from(u16::try_from(mixed >> 48).unwrap_or(0)) / 65_536.0
}

/// What a container answers.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// How long it takes, in milliseconds.
    pub latency_ms: u64,
    /// The task that answered.
    pub task_arn: String,
}

/// 32 hex digits: ids of tasks, instances, events.
pub(crate) fn hex_id(world: &mut World) -> String {
    format!("{:032x}", world.rng.random::<u128>())
}

/// Nineteen digits: the number in `ecs-svc/…` and in a service revision's ARN.
pub(crate) fn number_id(world: &mut World) -> u64 {
    world.rng.random_range(1_000_000_000_000_000_000..9_000_000_000_000_000_000)
}
