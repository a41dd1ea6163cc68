//! Container instances and tasks, by the hundred.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ecs::types::{
    ContainerInstance, ContainerInstanceField, ContainerInstanceStatus, DesiredStatus, Resource, Task,
};
use futures::future::try_join_all;
use windlass_shared::facts::Fact;
use windlass_shared::id::{
    ClusterName, ContainerInstanceArn, InstanceId, TaskArn, TaskDefinitionArn, Timestamp,
};
use windlass_shared::scale::facts::{LiveInstance, LiveResources, LiveTask};

use super::Listed;
use crate::error::Failure;
use crate::observe::convert::{count, fact, instant, text};

/// The limit of DescribeContainerInstances and DescribeTasks.
const BATCH: usize = 100;

/// The cluster's container instances, those that drain among them. A cluster that is not there has none.
pub(crate) async fn instances(ecs: &aws_sdk_ecs::Client, cluster: &ClusterName) -> Fact<Vec<LiveInstance>> {
    let found = instances_in(ecs, cluster, None).await;
    fact(found.map(Some), || format!("describing the instances of {cluster}"))
}

/// The cluster's container instances that have this status, or whichever.
pub(crate) async fn instances_in(
    ecs: &aws_sdk_ecs::Client,
    cluster: &ClusterName,
    status: Option<ContainerInstanceStatus>,
) -> Listed<LiveInstance> {
    let list = ecs.list_container_instances().cluster(cluster.as_str()).set_status(status);
    let mut pages = list.into_paginator().items().send();
    let mut arns = Vec::new();
    while let Some(arn) = pages.next().await {
        arns.push(arn.map_err(|error| Failure::new("ecs:ListContainerInstances", &error))?);
    }
    let batches = arns.chunks(BATCH).map(|batch| describe_instances(ecs, cluster, batch));
    Ok(try_join_all(batches).await?.into_iter().flatten().collect())
}

/// Instances that went meanwhile come as failures, and are gone.
pub(crate) async fn describe_instances(
    ecs: &aws_sdk_ecs::Client,
    cluster: &ClusterName,
    arns: &[String],
) -> Listed<LiveInstance> {
    let sent = ecs
        .describe_container_instances()
        .cluster(cluster.as_str())
        .set_container_instances(Some(arns.to_vec()))
        .include(ContainerInstanceField::Tags)
        .send()
        .await;
    let described = sent.map_err(|error| Failure::new("ecs:DescribeContainerInstances", &error))?;
    Ok(described.container_instances().iter().filter_map(live_instance).collect())
}

fn live_instance(it: &ContainerInstance) -> Option<LiveInstance> {
    let attributes = it.attributes().iter();
    let attributes = attributes.map(|it| (it.name().to_owned(), it.value().map(str::to_owned)));
    Some(LiveInstance {
        arn: ContainerInstanceArn::new(it.container_instance_arn()?),
        ec2: it.ec2_instance_id().map(InstanceId::new),
        status: text(it.status()),
        agent_connected: it.agent_connected(),
        agent_version: it.version_info().and_then(|it| it.agent_version()).map(str::to_owned),
        provider: it.capacity_provider_name().map(str::to_owned),
        registered: resources(it.registered_resources()),
        remaining: resources(it.remaining_resources()),
        attributes: attributes.collect(),
        running: count(it.running_tasks_count()),
        pending: count(it.pending_tasks_count()),
        registered_at: it.registered_at().map(|at| instant(Some(at))),
    })
}

fn resources(all: &[Resource]) -> LiveResources {
    let by_name: BTreeMap<&str, &Resource> =
        all.iter().filter_map(|resource| Some((resource.name()?, resource))).collect();
    let number = |name: &str| by_name.get(name).map_or(0, |resource| count(resource.integer_value()));
    let words = |name: &str| by_name.get(name).map(|it| it.string_set_value()).unwrap_or_default();
    let ports =
        |name: &str| -> BTreeSet<u16> { words(name).iter().filter_map(|port| port.parse().ok()).collect() };
    LiveResources {
        cpu: number("CPU"),
        memory: number("MEMORY"),
        ports: ports("PORTS"),
        ports_udp: ports("PORTS_UDP"),
        gpus: words("GPU").iter().cloned().collect(),
    }
}

/// The cluster's tasks: those that are to run. Stopped ones are told for an hour, a flood; what is still
/// being stopped its instance counts.
pub(crate) async fn tasks(ecs: &aws_sdk_ecs::Client, cluster: &ClusterName) -> Fact<Vec<LiveTask>> {
    let found = read_tasks(ecs, cluster).await.map(Some);
    fact(found, || format!("describing the tasks of {cluster}"))
}

async fn read_tasks(ecs: &aws_sdk_ecs::Client, cluster: &ClusterName) -> Listed<LiveTask> {
    let arns = list_tasks(ecs, cluster).await?;
    let batches = arns.chunks(BATCH).map(|batch| describe_tasks(ecs, cluster, batch));
    Ok(try_join_all(batches).await?.into_iter().flatten().collect())
}

async fn list_tasks(ecs: &aws_sdk_ecs::Client, cluster: &ClusterName) -> Listed<String> {
    let mut pages = ecs
        .list_tasks()
        .cluster(cluster.as_str())
        .desired_status(DesiredStatus::Running)
        .into_paginator()
        .items()
        .send();
    let mut arns = Vec::new();
    while let Some(arn) = pages.next().await {
        arns.push(arn.map_err(|error| Failure::new("ecs:ListTasks", &error))?);
    }
    Ok(arns)
}

async fn describe_tasks(
    ecs: &aws_sdk_ecs::Client,
    cluster: &ClusterName,
    arns: &[String],
) -> Listed<LiveTask> {
    let sent = ecs.describe_tasks().cluster(cluster.as_str()).set_tasks(Some(arns.to_vec())).send().await;
    let described = sent.map_err(|error| Failure::new("ecs:DescribeTasks", &error))?;
    Ok(described.tasks().iter().filter_map(live_task).collect())
}

pub(crate) fn live_task(it: &Task) -> Option<LiveTask> {
    Some(LiveTask {
        arn: TaskArn::new(it.task_arn()?),
        group: text(it.group()),
        task_definition: TaskDefinitionArn::new(text(it.task_definition_arn())),
        instance: it.container_instance_arn().map(ContainerInstanceArn::new),
        last_status: text(it.last_status()),
        desired_status: text(it.desired_status()),
        health: it.health_status().map_or_else(|| "UNKNOWN".to_owned(), |it| it.as_str().to_owned()),
        // DescribeTasks does not tell it; see `protections`.
        protected_until: None,
        created_at: it.created_at().map(|at| instant(Some(at))),
    })
}

/// Until when tasks of services are protected from scale-in; those that are not are not there.
pub(super) async fn protections(
    ecs: &aws_sdk_ecs::Client,
    cluster: &ClusterName,
    tasks: &[LiveTask],
) -> Result<BTreeMap<TaskArn, Timestamp>, Failure> {
    let of_services = tasks.iter().filter(|task| task.group.starts_with("service:"));
    let arns: Vec<String> = of_services.map(|task| task.arn.as_str().to_owned()).collect();
    let batches = arns.chunks(BATCH).map(|batch| async move {
        let sent =
            ecs.get_task_protection().cluster(cluster.as_str()).set_tasks(Some(batch.to_vec())).send().await;
        // Tasks that went meanwhile come as failures, and are gone.
        sent.map_err(|error| Failure::new("ecs:GetTaskProtection", &error))
    });
    let answers = try_join_all(batches).await?;
    let each = answers.iter().flat_map(|answer| answer.protected_tasks());
    let protected = each.filter(|it| it.protection_enabled()).filter_map(|it| {
        let until = it.expiration_date().map_or(Timestamp::MAX, |at| instant(Some(at)));
        Some((TaskArn::new(it.task_arn()?), until))
    });
    Ok(protected.collect())
}
