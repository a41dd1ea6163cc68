//! What Auto Scaling says of one instance.

use windlass_shared::drain::facts::{GroupMember, TerminateHook};
use windlass_shared::facts::Fact;
use windlass_shared::id::{AutoScalingGroupName, ClusterName, InstanceId};
use windlass_shared::ledger::InstanceKey;
use windlass_shared::scale::supply::TAG;

use crate::Clients;
use crate::error::Failure;
use crate::observe::convert::{count, fact, text};

/// Hooks whose name begins with this are ours to complete.
const OURS: &str = "windlass";
const TERMINATING: &str = "autoscaling:EC2_INSTANCE_TERMINATING";
/// Auto Scaling's own default.
const HEARTBEAT_SECS: u32 = 3600;

/// The instance in its group.
pub(super) async fn member(clients: &Clients, key: &InstanceKey) -> Fact<GroupMember> {
    fact(read(clients, key).await, || format!("asking Auto Scaling for {}", key.instance))
}

async fn read(clients: &Clients, key: &InstanceKey) -> Result<Option<GroupMember>, Failure> {
    let Some((group, lifecycle)) = group_of(clients, &key.instance).await? else { return Ok(None) };
    let is_ours = cluster(clients, &group).await?.as_ref() == Some(&key.cluster);
    // Hooks count where one is waited for.
    let hooks =
        if is_ours && lifecycle.ends_with(":Wait") { hooks(clients, &group).await? } else { Vec::new() };
    Ok(Some(GroupMember { group, lifecycle, is_ours, hooks }))
}

/// The cluster that the instance's group carries in its tag.
pub(super) async fn cluster_of(
    clients: &Clients,
    instance: &InstanceId,
) -> Result<Option<ClusterName>, Failure> {
    match group_of(clients, instance).await? {
        Some((group, _)) => cluster(clients, &group).await,
        None => Ok(None),
    }
}

async fn group_of(
    clients: &Clients,
    instance: &InstanceId,
) -> Result<Option<(AutoScalingGroupName, String)>, Failure> {
    let sent =
        clients.autoscaling.describe_auto_scaling_instances().instance_ids(instance.as_str()).send().await;
    let described = sent.map_err(|error| Failure::new("autoscaling:DescribeAutoScalingInstances", &error))?;
    let found = described.auto_scaling_instances().first();
    Ok(found.map(|it| {
        (AutoScalingGroupName::new(text(it.auto_scaling_group_name())), text(it.lifecycle_state()))
    }))
}

async fn cluster(clients: &Clients, group: &AutoScalingGroupName) -> Result<Option<ClusterName>, Failure> {
    let sent = clients
        .autoscaling
        .describe_auto_scaling_groups()
        .auto_scaling_group_names(group.as_str())
        .send()
        .await;
    let described = sent.map_err(|error| Failure::new("autoscaling:DescribeAutoScalingGroups", &error))?;
    let tags = described.auto_scaling_groups().first().map(|it| it.tags()).unwrap_or_default();
    let tag = tags.iter().find(|tag| tag.key() == Some(TAG));
    Ok(tag.and_then(|tag| tag.value()).map(ClusterName::new))
}

async fn hooks(clients: &Clients, group: &AutoScalingGroupName) -> Result<Vec<TerminateHook>, Failure> {
    let sent =
        clients.autoscaling.describe_lifecycle_hooks().auto_scaling_group_name(group.as_str()).send().await;
    let described = sent.map_err(|error| Failure::new("autoscaling:DescribeLifecycleHooks", &error))?;
    let on_termination = described.lifecycle_hooks().iter().filter(|hook| {
        hook.lifecycle_transition() == Some(TERMINATING)
            && hook.lifecycle_hook_name().is_some_and(|name| name.starts_with(OURS))
    });
    let hooks = on_termination.map(|hook| TerminateHook {
        name: text(hook.lifecycle_hook_name()),
        heartbeat_secs: hook.heartbeat_timeout().map_or(HEARTBEAT_SECS, count),
    });
    Ok(hooks.collect())
}
