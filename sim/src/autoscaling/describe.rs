//! The calls that look at groups, instances and activities.

use serde_json::{Value, json};

use super::args::{self, invalid};
use super::model::{Group, Member};
use super::{activities, tags};
use crate::call::{ApiError, Reply};
use crate::world::World;

/// Groups in order of name. Unknown names are left out, as AWS leaves them.
pub(super) fn groups(world: &World, input: &Value) -> Reply {
    let names = args::texts(input, "AutoScalingGroupNames");
    let with_instances = args::flag(input, "IncludeInstances")?.unwrap_or(true);
    let mut found = Vec::new();
    for group in world.autoscaling.groups.values() {
        let is_asked = names.is_empty() || names.contains(&group.name);
        if is_asked && fits(group, args::list(input, "Filters"))? {
            found.push(group_view(world, group, with_instances));
        }
    }
    args::page(input, "AutoScalingGroups", found, 50, 100)
}

/// Every filter must fit: `tag-key`, `tag-value`, `tag:<key>`.
fn fits(group: &Group, filters: &[Value]) -> Result<bool, ApiError> {
    for filter in filters {
        let values = args::texts(filter, "Values");
        let name = args::required(filter, "Name")?;
        let fits = match name {
            "tag-key" => group.tags.keys().any(|key| values.contains(key)),
            "tag-value" => group.tags.values().any(|tag| values.contains(&tag.value)),
            _ => match name.strip_prefix("tag:") {
                Some(key) => group.tags.get(key).is_some_and(|tag| values.contains(&tag.value)),
                None => return Err(invalid(format!("The filter name '{name}' is invalid"))),
            },
        };
        if !fits {
            return Ok(false);
        }
    }
    Ok(true)
}

fn group_view(world: &World, group: &Group, with_instances: bool) -> Value {
    let instances = group.members.values().map(|member| member_view(world, member));
    let instances: Vec<Value> = if with_instances { instances.collect() } else { Vec::new() };
    let mut zones: Vec<&str> = group.zones.iter().map(|it| it.az.as_str()).collect();
    zones.dedup();
    let subnets: Vec<&str> = group.zones.iter().map(|it| it.subnet.as_str()).collect();
    let suspended = group
        .suspended
        .iter()
        .map(|process| json!({ "ProcessName": process, "SuspensionReason": "User suspended" }));
    let mut output = json!({
        "AutoScalingGroupName": group.name,
        "AutoScalingGroupARN": group.arn,
        "MinSize": group.min,
        "MaxSize": group.max,
        "DesiredCapacity": group.desired,
        "DefaultCooldown": group.cooldown,
        "DefaultInstanceWarmup": group.default_warmup,
        "AvailabilityZones": zones,
        "VPCZoneIdentifier": subnets.join(","),
        "HealthCheckType": "EC2",
        "HealthCheckGracePeriod": group.health_check_grace,
        "CreatedTime": group.created.iso(),
        "NewInstancesProtectedFromScaleIn": group.protects_new,
        "CapacityRebalance": group.capacity_rebalance,
        "TerminationPolicies": group.termination_policies,
        "SuspendedProcesses": suspended.collect::<Vec<_>>(),
        "EnabledMetrics": [],
        "LoadBalancerNames": [],
        "TargetGroupARNs": [],
        "TrafficSources": [],
        "Instances": instances,
        "Tags": tags::view(group),
        "Status": group.deleting.then_some("Delete in progress"),
        "ServiceLinkedRoleARN": format!(
            "arn:aws:iam::{}:role/aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling",
            world.config.account
        ),
    });
    let (member, launches) = group.launches.describe();
    output[member] = launches;
    output
}

fn member_view(world: &World, member: &Member) -> Value {
    let instance = world.ec2.instances.get(&member.id);
    let template = instance.map(|it| {
        json!({
            "LaunchTemplateId": it.template.id,
            "LaunchTemplateName": it.template.name,
            "Version": it.template.version.to_string(),
        })
    });
    json!({
        "InstanceId": member.id,
        "InstanceType": instance.map(|it| it.kind.clone()),
        "ImageId": instance.map(|it| it.image.clone()),
        "AvailabilityZone": member.az,
        "LifecycleState": member.state.name(),
        "HealthStatus": if member.healthy { "Healthy" } else { "Unhealthy" },
        "LaunchTemplate": template,
        "ProtectedFromScaleIn": member.protected,
    })
}

/// Instances of all groups; unknown ids are left out.
pub(super) fn instances(world: &World, input: &Value) -> Reply {
    let asked = args::texts(input, "InstanceIds");
    if asked.len() > 50 {
        return Err(invalid("At most 50 instance ids can be given"));
    }
    let mut found = Vec::new();
    for group in world.autoscaling.groups.values() {
        for member in group.members.values().filter(|it| asked.is_empty() || asked.contains(&it.id)) {
            let mut view = member_view(world, member);
            view["AutoScalingGroupName"] = json!(group.name);
            // This call alone writes it in capitals.
            view["HealthStatus"] = json!(if member.healthy { "HEALTHY" } else { "UNHEALTHY" });
            found.push(view);
        }
    }
    args::page(input, "AutoScalingInstances", found, 50, 50)
}

/// Newest first, of one group or of all.
pub(super) fn activities(world: &World, input: &Value) -> Reply {
    let only = args::text(input, "AutoScalingGroupName");
    if only.is_some() {
        args::group_name(world, input)?;
    }
    let ids = args::texts(input, "ActivityIds");
    let groups = world.autoscaling.groups.values().filter(|it| only.is_none_or(|name| it.name == name));
    let all = groups.flat_map(|group| group.activities.iter().map(move |activity| (group, activity)));
    let mut asked: Vec<_> = all.filter(|(_, it)| ids.is_empty() || ids.contains(&it.id)).collect();
    asked.sort_by_key(|(_, activity)| std::cmp::Reverse(activity.started));
    let views = asked.into_iter().map(|(group, activity)| activities::view(group, activity)).collect();
    args::page(input, "Activities", views, 100, 100)
}
