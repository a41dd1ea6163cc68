//! Scaling activities: what a group did, as callers and the bus are told it.

use serde_json::{Value, json};

use super::leaving;
use super::model::{Activity, ActivityStatus, Group, Zone};
use crate::ecs::{as_uuid, hex_id};
use crate::world::World;

/// Activities kept of a group: AWS keeps six weeks.
const KEPT: usize = 1000;

/// Notes an activity that begins. Returns its id.
pub(super) fn begin(
    world: &mut World,
    group: &str,
    zone: &Zone,
    description: &str,
    cause: &str,
    status: ActivityStatus,
) -> String {
    let id = as_uuid(&hex_id(world));
    let activity = Activity {
        id: id.clone(),
        description: description.to_owned(),
        cause: cause.trim().to_owned(),
        started: world.now(),
        ended: None,
        status,
        message: String::new(),
        zone: zone.clone(),
    };
    if let Some(group) = world.autoscaling.groups.get_mut(group) {
        group.activities.push_front(activity);
        group.activities.truncate(KEPT);
    }
    id
}

/// A zone of a group; one that it has left keeps its name.
pub(super) fn zone_of(world: &World, group: &str, az: &str) -> Zone {
    let zones = world.autoscaling.groups.get(group).map(|it| it.zones.as_slice()).unwrap_or_default();
    let known = zones.iter().find(|it| it.az == az).cloned();
    known.unwrap_or_else(|| Zone { az: az.to_owned(), subnet: String::new() })
}

fn find<'a>(world: &'a mut World, id: &str) -> Option<&'a mut Activity> {
    let mut groups = world.autoscaling.groups.values_mut();
    groups.find_map(|group| group.activities.iter_mut().find(|it| it.id == id))
}

/// An activity goes on.
pub(super) fn turn(world: &mut World, id: &str, status: ActivityStatus) {
    if let Some(activity) = find(world, id) {
        activity.status = status;
    }
}

fn end(world: &mut World, group: &str, id: &str, status: ActivityStatus, message: &str) -> Option<Activity> {
    let now = world.now();
    if let Some(group) = world.autoscaling.groups.get_mut(group) {
        group.last_activity = Some(now);
    }
    let activity = find(world, id)?;
    activity.status = status;
    activity.ended = Some(now);
    message.clone_into(&mut activity.message);
    Some(activity.clone())
}

fn of_member(world: &World, group: &str, id: &str) -> Option<String> {
    world.autoscaling.groups.get(group)?.members.get(id).map(|it| it.activity.clone())
}

/// An instance is in service.
pub(super) fn launched(world: &mut World, group: &str, id: &str) {
    let Some(activity) = of_member(world, group, id) else { return };
    if let Some(activity) = end(world, group, &activity, ActivityStatus::Successful, "") {
        tell(world, group, "EC2 Instance Launch Successful", &activity, id, ("EC2", "AutoScalingGroup"));
    }
}

/// An instance is gone.
pub(super) fn terminated(world: &mut World, group: &str, id: &str) {
    let Some(activity) = of_member(world, group, id) else { return };
    if let Some(activity) = end(world, group, &activity, ActivityStatus::Successful, "") {
        tell(world, group, "EC2 Instance Terminate Successful", &activity, id, ("AutoScalingGroup", "EC2"));
    }
}

/// EC2 refused to launch.
pub(super) fn launch_failed(world: &mut World, group: &str, zone: &Zone, message: &str) {
    let cause = world.autoscaling.groups.get(group).map(|it| it.cause.clone()).unwrap_or_default();
    let description = format!("Launching a new EC2 instance.  Status Reason: {message}");
    let activity = begin(world, group, zone, &description, &cause, ActivityStatus::InProgress);
    if let Some(activity) = end(world, group, &activity, ActivityStatus::Failed, message) {
        tell(world, group, "EC2 Instance Launch Unsuccessful", &activity, "", ("EC2", "AutoScalingGroup"));
    }
}

/// A launch that came to nothing after the instance was there.
pub(super) fn fail(world: &mut World, id: &str, message: &str) {
    let Some(group) = leaving::group_of(world, id) else { return };
    let Some(activity) = of_member(world, &group, id) else { return };
    if let Some(activity) = end(world, &group, &activity, ActivityStatus::Failed, message) {
        tell(world, &group, "EC2 Instance Launch Unsuccessful", &activity, id, ("EC2", "AutoScalingGroup"));
    }
}

/// The event of an activity that has ended. A success says `InProgress`, as AWS's does.
fn tell(world: &mut World, group: &str, kind: &str, activity: &Activity, id: &str, way: (&str, &str)) {
    let request = as_uuid(&hex_id(world));
    let failed = activity.status == ActivityStatus::Failed;
    let detail = json!({
        "StatusCode": if failed { "Failed" } else { "InProgress" },
        "AutoScalingGroupName": group,
        "ActivityId": activity.id,
        "Details": { "Availability Zone": activity.zone.az, "Subnet ID": activity.zone.subnet },
        "RequestId": request,
        "StatusMessage": activity.message,
        "EndTime": activity.ended.map(crate::time::Time::iso),
        "EC2InstanceId": id,
        "StartTime": activity.started.iso(),
        "Cause": activity.cause,
        "Origin": way.0,
        "Destination": way.1,
        "Description": activity.description,
    });
    let Some(arn) = world.autoscaling.groups.get(group).map(|it| it.arn.clone()) else { return };
    let instance = world.arn("ec2", &format!("instance/{id}"));
    world.emit("aws.autoscaling", kind, &[arn, instance], detail);
}

/// As `DescribeScalingActivities` tells it.
pub(super) fn view(group: &Group, activity: &Activity) -> Value {
    let details = json!({ "Subnet ID": activity.zone.subnet, "Availability Zone": activity.zone.az });
    let (status, progress) = match activity.status {
        ActivityStatus::PreInService => ("PreInService", 30),
        ActivityStatus::MidLifecycleAction => ("MidLifecycleAction", 60),
        ActivityStatus::InProgress => ("InProgress", 50),
        ActivityStatus::Successful => ("Successful", 100),
        ActivityStatus::Failed => ("Failed", 100),
    };
    json!({
        "ActivityId": activity.id,
        "AutoScalingGroupName": group.name,
        "AutoScalingGroupARN": group.arn,
        "Description": activity.description,
        "Cause": activity.cause,
        "StartTime": activity.started.iso(),
        "EndTime": activity.ended.map(crate::time::Time::iso),
        "StatusCode": status,
        "StatusMessage": (!activity.message.is_empty()).then_some(&activity.message),
        "Progress": progress,
        "Details": details.to_string(),
    })
}
