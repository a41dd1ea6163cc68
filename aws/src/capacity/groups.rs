//! Auto Scaling groups, and the capacity providers in front of them.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_autoscaling::types::{Activity, AutoScalingGroup, Filter, ScalingActivityStatusCode};
use aws_sdk_ecs::types::{ManagedDraining, ManagedScalingStatus, ManagedTerminationProtection};
use futures::future::try_join_all;
use windlass_shared::facts::Fact;
use windlass_shared::id::{AutoScalingGroupName, AvailabilityZone, ClusterName, InstanceId};
use windlass_shared::ledger::LaunchFailure;
use windlass_shared::scale::facts::{GroupInstance, LiveGroup, LiveInstance, LiveProvider};
use windlass_shared::scale::supply::TAG;

use super::Listed;
use crate::Clients;
use crate::error::Failure;
use crate::observe::convert::{count, fact, instant, text};

const DESCRIBE: &str = "autoscaling:DescribeAutoScalingGroups";
/// DescribeAutoScalingInstances' limit.
const INSTANCES: usize = 50;
/// DescribeAutoScalingGroups' largest page.
const PAGE: i32 = 100;
/// The newest activities are enough to tell whether launches fail.
const ACTIVITIES: i32 = 10;

/// The groups that carry the cluster's name in their tag.
pub(crate) async fn tagged(clients: &Clients, cluster: &ClusterName) -> Listed<LiveGroup> {
    let filter = Filter::builder().name(format!("tag:{TAG}")).values(cluster.as_str()).build();
    let mut pages = clients
        .autoscaling
        .describe_auto_scaling_groups()
        .filters(filter)
        .into_paginator()
        .page_size(PAGE)
        .items()
        .send();
    let mut groups = Vec::new();
    while let Some(group) = pages.next().await {
        groups.extend(group.as_ref().map(live_group).map_err(|error| Failure::new(DESCRIBE, error))?);
    }
    Ok(groups)
}

/// With these the groups of instances that are of none of them.
pub(super) async fn of_instances(
    clients: &Clients,
    instances: &Fact<Vec<LiveInstance>>,
    tagged: Listed<LiveGroup>,
) -> Fact<Vec<LiveGroup>> {
    let found = async {
        let mut groups = tagged?;
        let known: BTreeSet<&InstanceId> =
            groups.iter().flat_map(|it| &it.instances).map(|it| &it.id).collect();
        let live = instances.known().into_iter().flatten().filter_map(|it| it.ec2.as_ref());
        let others: Vec<String> = live.filter(|id| !known.contains(id)).map(ToString::to_string).collect();
        let names: BTreeSet<String> =
            try_join_all(others.chunks(INSTANCES).map(|batch| names(clients, batch)))
                .await?
                .into_iter()
                .flatten()
                .collect();
        if !names.is_empty() {
            let sent = clients
                .autoscaling
                .describe_auto_scaling_groups()
                .set_auto_scaling_group_names(Some(names.into_iter().collect()))
                .max_records(PAGE)
                .send()
                .await;
            let described = sent.map_err(|error| Failure::new(DESCRIBE, &error))?;
            groups.extend(described.auto_scaling_groups().iter().filter_map(live_group));
        }
        let own = groups.iter_mut().filter(|group| group.tags.contains_key(TAG) && is_short(group));
        try_join_all(own.map(|group| add_failure(clients, group))).await?;
        Ok(Some(groups))
    };
    fact(found.await, || "describing the Auto Scaling groups".to_owned())
}

/// Whether instances of the group are still to come: only then it is asked whether launches fail.
fn is_short(group: &LiveGroup) -> bool {
    let there = group.instances.iter().filter(|it| !it.lifecycle.starts_with("Terminating")).count();
    usize::try_from(group.desired).is_ok_and(|desired| there < desired)
}

/// Its newest launch, where that failed. One that goes on, or went well, says that it does not fail now.
async fn add_failure(clients: &Clients, group: &mut LiveGroup) -> Result<(), Failure> {
    let sent = clients
        .autoscaling
        .describe_scaling_activities()
        .auto_scaling_group_name(group.name.as_str())
        .max_records(ACTIVITIES)
        .send()
        .await;
    let described = sent.map_err(|error| Failure::new("autoscaling:DescribeScalingActivities", &error))?;
    let is_launch = |it: &&Activity| it.description().is_some_and(|words| words.starts_with("Launching"));
    let newest = described.activities().iter().find(is_launch);
    let is_failed = |it: &&Activity| it.status_code() == Some(&ScalingActivityStatusCode::Failed);
    group.failed = newest.filter(is_failed).map(|it| LaunchFailure {
        at: instant(it.end_time().or(it.start_time())),
        reason: text(it.status_message()),
    });
    Ok(())
}

async fn names(clients: &Clients, ids: &[String]) -> Listed<String> {
    let sent = clients
        .autoscaling
        .describe_auto_scaling_instances()
        .set_instance_ids(Some(ids.to_vec()))
        .send()
        .await;
    let described = sent.map_err(|error| Failure::new("autoscaling:DescribeAutoScalingInstances", &error))?;
    let each = described.auto_scaling_instances().iter();
    Ok(each.filter_map(|it| it.auto_scaling_group_name().map(str::to_owned)).collect())
}

fn live_group(group: &AutoScalingGroup) -> Option<LiveGroup> {
    let tags = group.tags().iter().filter_map(|it| Some((it.key()?.to_owned(), text(it.value()))));
    let mixed = group.mixed_instances_policy();
    let overrides = mixed.and_then(|it| it.launch_template()).map(|it| it.overrides()).unwrap_or_default();
    let distribution = mixed.and_then(|it| it.instances_distribution());
    let on_demand = distribution.map(|it| {
        // Auto Scaling's own defaults: none first, and all of the rest.
        let base = count(it.on_demand_base_capacity().unwrap_or_default());
        (base, count(it.on_demand_percentage_above_base_capacity().unwrap_or(100)))
    });
    let template = group.launch_template().or_else(|| {
        mixed.and_then(|it| it.launch_template()).and_then(|it| it.launch_template_specification())
    });
    Some(LiveGroup {
        name: AutoScalingGroupName::new(group.auto_scaling_group_name()?),
        min: count(group.min_size().unwrap_or_default()),
        max: count(group.max_size().unwrap_or_default()),
        desired: count(group.desired_capacity().unwrap_or_default()),
        tags: tags.collect::<BTreeMap<_, _>>(),
        zones: group.availability_zones().iter().map(|it| AvailabilityZone::new(it.as_str())).collect(),
        instances: group.instances().iter().filter_map(group_instance).collect(),
        types: overrides.iter().filter_map(|it| it.instance_type().map(str::to_owned)).collect(),
        on_demand,
        launch_template: template.and_then(|it| it.version()).map(str::to_owned),
        failed: None,
    })
}

fn group_instance(it: &aws_sdk_autoscaling::types::Instance) -> Option<GroupInstance> {
    Some(GroupInstance {
        id: InstanceId::new(it.instance_id()?),
        zone: AvailabilityZone::new(text(it.availability_zone())),
        lifecycle: it.lifecycle_state().map_or_else(String::new, |it| it.as_str().to_owned()),
        instance_type: it.instance_type().map(str::to_owned),
        is_protected: it.protected_from_scale_in().unwrap_or_default(),
        launch_template: it.launch_template().and_then(|it| it.version()).map(str::to_owned),
    })
}

/// The cluster's capacity providers.
pub(crate) async fn providers(ecs: &aws_sdk_ecs::Client, cluster: &ClusterName) -> Fact<Vec<LiveProvider>> {
    let found = read_providers(ecs, cluster).await.map(Some);
    fact(found, || format!("describing the capacity providers of {cluster}"))
}

async fn read_providers(ecs: &aws_sdk_ecs::Client, cluster: &ClusterName) -> Listed<LiveProvider> {
    let sent = ecs.describe_clusters().clusters(cluster.as_str()).send().await;
    let described = sent.map_err(|error| Failure::new("ecs:DescribeClusters", &error))?;
    let names = described.clusters().first().map(|it| it.capacity_providers()).unwrap_or_default();
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let sent = ecs.describe_capacity_providers().set_capacity_providers(Some(names.to_vec())).send().await;
    let described = sent.map_err(|error| Failure::new("ecs:DescribeCapacityProviders", &error))?;
    let each = described.capacity_providers().iter().map(|it| {
        let group = it.auto_scaling_group_provider();
        let arn = group.map(|group| group.auto_scaling_group_arn());
        LiveProvider {
            name: text(it.name()),
            // `…:autoScalingGroupName/<name>`; some callers give the name alone.
            group: arn.map(|arn| AutoScalingGroupName::new(arn.rsplit('/').next().unwrap_or(arn))),
            managed_scaling: group.and_then(|it| it.managed_scaling()).and_then(|it| it.status())
                == Some(&ManagedScalingStatus::Enabled),
            managed_draining: group.and_then(|it| it.managed_draining()) == Some(&ManagedDraining::Enabled),
            managed_protection: group.and_then(|it| it.managed_termination_protection())
                == Some(&ManagedTerminationProtection::Enabled),
        }
    });
    Ok(each.collect())
}
