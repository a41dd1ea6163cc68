//! What is on an instance: tasks, their services, its targets.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ecs::types::{DesiredStatus, Task};
use futures::future::{join_all, try_join_all};
use futures::join;
use windlass_shared::drain::content::service_of;
use windlass_shared::drain::facts::InstanceTarget;
use windlass_shared::facts::{Fact, LiveService};
use windlass_shared::id::{ClusterName, ContainerInstanceArn, ServiceName, TargetGroupArn, Timestamp};
use windlass_shared::ledger::InstanceKey;
use windlass_shared::scale::facts::{LiveTask, Placement};

use crate::Clients;
use crate::capacity::{Listed, describe_services, live_task};
use crate::error::Failure;
use crate::observe::convert::{fact, instant};

/// DescribeTasks' limit, and GetTaskProtection's.
const BATCH: usize = 100;
/// DescribeServices' limit.
const SERVICES: usize = 10;

type Services = BTreeMap<ServiceName, Fact<(LiveService, Placement)>>;

/// What is on an instance.
pub(super) struct Content {
    pub(super) tasks: Fact<Vec<LiveTask>>,
    pub(super) services: Services,
    pub(super) targets: Fact<Vec<InstanceTarget>>,
}

impl Content {
    pub(super) fn not_asked() -> Self {
        Self { tasks: Fact::NotAsked, services: BTreeMap::new(), targets: Fact::NotAsked }
    }
}

/// What is on the instance. Of those that have stopped (ECS tells of them for an hour) the services are
/// asked too: their targets may still be on their way out.
pub(super) async fn of(clients: &Clients, key: &InstanceKey, arn: &ContainerInstanceArn) -> Content {
    let tasks = match read_tasks(clients, &key.cluster, arn).await {
        Ok(tasks) => tasks,
        Err(failure) => {
            let why = failure.into_unreadable(format!("describing the tasks of {key}"));
            return Content {
                tasks: Fact::Unreadable(why),
                services: BTreeMap::new(),
                targets: Fact::NotAsked,
            };
        }
    };
    let names: BTreeSet<ServiceName> =
        tasks.iter().filter_map(|task| service_of(task.group().unwrap_or_default())).collect();
    let ids = addresses(key, &tasks);
    let services = async {
        let services = read_services(clients, &key.cluster, &names).await;
        let targets = targets(clients, key, &services, &ids).await;
        (services, targets)
    };
    let (protected, (services, targets)) = join!(protected(clients, &key.cluster, &tasks), services);
    let live = tasks.iter().filter_map(live_task).map(|task| {
        let protected_until = protected.get(task.arn.as_str()).copied();
        LiveTask { protected_until, ..task }
    });
    Content { tasks: Fact::Known(live.collect()), services, targets }
}

/// Those that are to run, and those that are to end: between the two lists nothing is missed, for a task goes
/// from the first to the second and never back.
async fn read_tasks(clients: &Clients, cluster: &ClusterName, arn: &ContainerInstanceArn) -> Listed<Task> {
    let running = list(clients, cluster, arn, DesiredStatus::Running).await?;
    let ending = list(clients, cluster, arn, DesiredStatus::Stopped).await?;
    let all: BTreeSet<String> = running.into_iter().chain(ending).collect();
    let all: Vec<String> = all.into_iter().collect();
    let batches = all.chunks(BATCH).map(|batch| async move {
        let sent = clients
            .ecs
            .describe_tasks()
            .cluster(cluster.as_str())
            .set_tasks(Some(batch.to_vec()))
            .send()
            .await;
        let described = sent.map_err(|error| Failure::new("ecs:DescribeTasks", &error))?;
        Ok(described.tasks.unwrap_or_default())
    });
    Ok(try_join_all(batches).await?.into_iter().flatten().collect())
}

async fn list(
    clients: &Clients,
    cluster: &ClusterName,
    arn: &ContainerInstanceArn,
    status: DesiredStatus,
) -> Listed<String> {
    let mut pages = clients
        .ecs
        .list_tasks()
        .cluster(cluster.as_str())
        .container_instance(arn.as_str())
        .desired_status(status)
        .into_paginator()
        .items()
        .send();
    let mut arns = Vec::new();
    while let Some(arn) = pages.next().await {
        arns.push(arn.map_err(|error| Failure::new("ecs:ListTasks", &error))?);
    }
    Ok(arns)
}

/// By what its targets are registered: its own id, or the addresses of its tasks (awsvpc).
fn addresses(key: &InstanceKey, tasks: &[Task]) -> BTreeSet<String> {
    let details = tasks.iter().flat_map(|task| task.attachments()).flat_map(|it| it.details());
    let own = details.filter(|it| it.name() == Some("privateIPv4Address"));
    let own = own.filter_map(|it| it.value().map(str::to_owned));
    own.chain([key.instance.to_string()]).collect()
}

async fn read_services(clients: &Clients, cluster: &ClusterName, names: &BTreeSet<ServiceName>) -> Services {
    let all: Vec<String> = names.iter().map(ToString::to_string).collect();
    let batches = all.chunks(SERVICES).map(|batch| async move {
        match describe_services(&clients.ecs, cluster, batch).await {
            Ok(found) => {
                let mut found: BTreeMap<ServiceName, _> = found.into_iter().collect();
                let each = batch.iter().map(|name| {
                    let name = ServiceName::new(name.as_str());
                    let live = found.remove(&name).map(|it| (it.live, it.placement));
                    (name, live.map_or(Fact::Absent, Fact::Known))
                });
                each.collect::<Vec<_>>()
            }
            Err(failure) => {
                let why = failure.into_unreadable(format!("describing services of {cluster}"));
                let each =
                    batch.iter().map(|name| (ServiceName::new(name.as_str()), Fact::Unreadable(why.clone())));
                each.collect()
            }
        }
    });
    join_all(batches).await.into_iter().flatten().collect()
}

/// The instance's targets in every target group of these services. One group that cannot be read leaves all
/// of it open: an instance is let go only where every load balancer has been asked.
async fn targets(
    clients: &Clients,
    key: &InstanceKey,
    services: &Services,
    ids: &BTreeSet<String>,
) -> Fact<Vec<InstanceTarget>> {
    if let Some(Fact::Unreadable(what)) = services.values().find(|it| matches!(it, Fact::Unreadable(_))) {
        return Fact::Unreadable(what.clone());
    }
    let live = services.values().filter_map(Fact::known).flat_map(|(live, _)| &live.load_balancers);
    let groups: BTreeSet<&TargetGroupArn> = live
        .flat_map(|it| [Some(&it.target_group), it.advanced.as_ref().map(|pair| &pair.alternate)])
        .flatten()
        .collect();
    let each = groups.into_iter().map(|group| targets_in(clients, group, ids));
    let found = try_join_all(each).await.map(|all| Some(all.into_iter().flatten().collect()));
    fact(found, || format!("asking the load balancers for {}", key.instance))
}

async fn targets_in(
    clients: &Clients,
    group: &TargetGroupArn,
    ids: &BTreeSet<String>,
) -> Listed<InstanceTarget> {
    const ACTION: &str = "elasticloadbalancing:DescribeTargetHealth";
    let sent = clients.elb.describe_target_health().target_group_arn(group.as_str()).send().await;
    let described = match sent.map_err(|error| Failure::new(ACTION, &error)) {
        Ok(described) => described,
        // A group that was deleted sends nothing anywhere.
        Err(failure) if failure.is("TargetGroupNotFound") => return Ok(Vec::new()),
        Err(failure) => return Err(failure),
    };
    let each = described.target_health_descriptions().iter().filter_map(|it| {
        let target = it.target().filter(|target| target.id().is_some_and(|id| ids.contains(id)))?;
        let state = it.target_health().and_then(|health| health.state());
        Some(InstanceTarget {
            group: group.clone(),
            port: target.port().and_then(|port| u16::try_from(port).ok()).unwrap_or_default(),
            state: state.map_or("", |it| it.as_str()).to_owned(),
        })
    });
    Ok(each.collect())
}

/// Until when tasks are protected. Only told, never decided by: without an answer the report says less.
async fn protected(clients: &Clients, cluster: &ClusterName, tasks: &[Task]) -> BTreeMap<String, Timestamp> {
    let lives = |task: &&Task| {
        service_of(task.group().unwrap_or_default()).is_some() && task.desired_status() == Some("RUNNING")
    };
    let arns: Vec<String> =
        tasks.iter().filter(lives).filter_map(|task| task.task_arn().map(str::to_owned)).collect();
    let batches = arns.chunks(BATCH).map(|batch| async move {
        let sent = clients
            .ecs
            .get_task_protection()
            .cluster(cluster.as_str())
            .set_tasks(Some(batch.to_vec()))
            .send()
            .await;
        sent.map_err(|error| Failure::new("ecs:GetTaskProtection", &error))
    });
    let found = try_join_all(batches).await.unwrap_or_else(|failure| {
        tracing::warn!(%cluster, reason = %failure, "asking for tasks' protection");
        Vec::new()
    });
    let all = found.into_iter().flat_map(|it| it.protected_tasks.unwrap_or_default());
    let all = all.filter(|it| it.protection_enabled());
    all.filter_map(|it| Some((it.task_arn()?.to_owned(), instant(Some(it.expiration_date()?))))).collect()
}
