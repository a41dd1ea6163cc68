//! The cluster's services with their placement, and whose desired count is somebody else's.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_applicationautoscaling::types::{ScalableDimension, ServiceNamespace};
use aws_sdk_ecs::types::{Service, ServiceField};
use futures::future::try_join_all;
use windlass_shared::facts::Fact;
use windlass_shared::id::{ClusterName, ServiceName};
use windlass_shared::scale::facts::{Placement, ServiceOfCluster};
use windlass_shared::spec::ServiceSpec;

use super::Listed;
use crate::Clients;
use crate::error::Failure;
use crate::observe::convert::{fact, text};
use crate::observe::service::live;

/// DescribeServices' limit.
const DESCRIBED: usize = 10;
/// ListServices' largest page.
const LISTED: i32 = 100;
/// How many resources DescribeScalableTargets takes.
const TARGETS: usize = 50;

/// The cluster's services. Their parameters and rows are somebody else's to read.
pub(super) async fn services(
    ecs: &aws_sdk_ecs::Client,
    cluster: &ClusterName,
) -> Fact<BTreeMap<ServiceName, ServiceOfCluster>> {
    let found = match list(ecs, cluster).await {
        Ok(names) => {
            let batches = names.chunks(DESCRIBED).map(|batch| describe(ecs, cluster, batch));
            try_join_all(batches).await.map(|all| Some(all.into_iter().flatten().collect()))
        }
        Err(failure) => Err(failure),
    };
    fact(found, || format!("describing the services of {cluster}"))
}

async fn list(ecs: &aws_sdk_ecs::Client, cluster: &ClusterName) -> Listed<String> {
    let mut pages =
        ecs.list_services().cluster(cluster.as_str()).into_paginator().page_size(LISTED).items().send();
    let mut names = Vec::new();
    while let Some(arn) = pages.next().await {
        let arn = arn.map_err(|error| Failure::new("ecs:ListServices", &error))?;
        names.push(arn.rsplit('/').next().unwrap_or(&arn).to_owned());
    }
    Ok(names)
}

/// At most ten of the cluster's services by name; those that are not there are left out.
pub(crate) async fn describe(
    ecs: &aws_sdk_ecs::Client,
    cluster: &ClusterName,
    names: &[String],
) -> Listed<(ServiceName, ServiceOfCluster)> {
    let sent = ecs
        .describe_services()
        .cluster(cluster.as_str())
        .set_services(Some(names.to_vec()))
        .include(ServiceField::Tags)
        .send()
        .await;
    let described = sent.map_err(|error| Failure::new("ecs:DescribeServices", &error))?;
    let each = described.services().iter().map(|service| {
        let of_cluster = ServiceOfCluster {
            live: live(service),
            placement: placement(service),
            parameter: Fact::NotAsked,
            row: None,
        };
        (ServiceName::new(text(service.service_name())), of_cluster)
    });
    Ok(each.collect())
}

/// How ECS places the service's tasks.
pub(crate) fn placement(service: &Service) -> Placement {
    let constraints = service.placement_constraints().iter();
    let strategies = service.placement_strategy().iter();
    let providers = service.capacity_provider_strategy().iter();
    Placement {
        scheduling: service.scheduling_strategy().map_or("REPLICA", |it| it.as_str()).to_owned(),
        launch_type: service.launch_type().map_or("", |it| it.as_str()).to_owned(),
        providers: providers.map(|it| it.capacity_provider().to_owned()).collect(),
        constraints: constraints
            .map(|it| (it.r#type().map_or("", |it| it.as_str()).to_owned(), text(it.expression())))
            .collect(),
        strategies: strategies
            .map(|it| (it.r#type().map_or("", |it| it.as_str()).to_owned(), text(it.field())))
            .collect(),
    }
}

/// Of the services that a spec scales, those that Application Auto Scaling scales too.
pub(super) async fn owned_elsewhere(
    clients: &Clients,
    cluster: &ClusterName,
    specs: &BTreeMap<ServiceName, ServiceSpec>,
) -> Fact<BTreeSet<ServiceName>> {
    let scaled = specs.iter().filter(|(_, spec)| spec.scaling.is_some());
    let names: Vec<String> = scaled.map(|(name, _)| format!("service/{cluster}/{name}")).collect();
    let batches = names.chunks(TARGETS).map(|batch| targets(clients, batch));
    let found = try_join_all(batches).await.map(|all| Some(all.into_iter().flatten().collect()));
    fact(found, || format!("asking Application Auto Scaling for the services of {cluster}"))
}

async fn targets(clients: &Clients, ids: &[String]) -> Listed<ServiceName> {
    let mut pages = clients
        .applicationautoscaling
        .describe_scalable_targets()
        .service_namespace(ServiceNamespace::Ecs)
        .set_resource_ids(Some(ids.to_vec()))
        .scalable_dimension(ScalableDimension::EcsServiceDesiredCount)
        .into_paginator()
        .items()
        .send();
    let mut owned = Vec::new();
    while let Some(target) = pages.next().await {
        const ACTION: &str = "application-autoscaling:DescribeScalableTargets";
        let target = target.map_err(|error| Failure::new(ACTION, &error))?;
        owned.push(ServiceName::new(target.resource_id().rsplit('/').next().unwrap_or_default()));
    }
    Ok(owned)
}
