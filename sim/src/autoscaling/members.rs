//! What happens to an instance of a group between its launch and its leaving, and the calls that
//! change it.

use serde_json::{Value, json};

use super::args::{self, invalid};
use super::model::{Lifecycle, Transition};
use super::{actions, activities, keeping, leaving};
use crate::call::{ApiError, Reply};
use crate::world::World;

/// EC2 says that an instance runs: its hooks are asked, or it is in service.
pub(crate) fn instance_runs(world: &mut World, id: &str) {
    let pending = leaving::member_mut(world, id).is_some_and(|it| it.state == Lifecycle::Pending);
    if pending && !actions::begin(world, id, Transition::Launching) {
        in_service(world, id);
    }
}

pub(super) fn in_service(world: &mut World, id: &str) {
    let Some(name) = leaving::group_of(world, id) else { return };
    if let Some(member) = leaving::member_mut(world, id) {
        member.state = Lifecycle::InService;
    }
    activities::launched(world, &name, id);
    keeping::look_soon(world, &name);
}

/// A spot instance is at risk: a group that rebalances launches another, after which this one
/// leaves.
pub(crate) fn rebalance_recommended(world: &mut World, id: &str) {
    let Some(name) = leaving::group_of(world, id) else { return };
    let Some(group) = world.autoscaling.groups.get_mut(&name).filter(|it| it.capacity_rebalance) else {
        return;
    };
    let Some(member) = group.members.get_mut(id).filter(|it| it.state == Lifecycle::InService) else {
        return;
    };
    member.yields = true;
    let now = world.now().iso_secs();
    if let Some(group) = world.autoscaling.groups.get_mut(&name) {
        group.cause = format!(
            "At {now} an instance was launched in response to an EC2 Instance Rebalance Recommendation for {id}."
        );
    }
    keeping::look_soon(world, &name);
}

/// `SetInstanceProtection`: all of them, or none.
pub(super) fn protect(world: &mut World, input: &Value) -> Reply {
    let ids = args::texts(input, "InstanceIds");
    if !(1..=50).contains(&ids.len()) {
        return Err(invalid("Between 1 and 50 instance ids must be given"));
    }
    let protects = args::flag(input, "ProtectedFromScaleIn")?
        .ok_or_else(|| invalid("ProtectedFromScaleIn must be given"))?;
    let group = args::group_mut(world, input)?;
    if let Some(unknown) = ids.iter().find(|id| !group.members.contains_key(*id)) {
        let message = format!("The instance {unknown} is not part of Auto Scaling group {}.", group.name);
        return Err(invalid(message));
    }
    let in_service = |id: &&String| group.members.get(*id).is_some_and(|it| it.state == Lifecycle::InService);
    if let Some(other) = ids.iter().find(|id| !in_service(id)) {
        return Err(invalid(format!(
            "The instance {other} is not in InService or EnteringStandby or Standby."
        )));
    }
    for (id, member) in &mut group.members {
        if ids.contains(id) {
            member.protected = protects;
        }
    }
    Ok(json!({}))
}

/// `SetInstanceHealth`: an instance that is told to be unhealthy is replaced.
pub(super) fn set_health(world: &mut World, input: &Value) -> Reply {
    let id = args::required(input, "InstanceId")?.to_owned();
    let healthy = match args::required(input, "HealthStatus")? {
        "Healthy" => true,
        "Unhealthy" => false,
        other => return Err(invalid(format!("{other} is not a valid health status"))),
    };
    let member = leaving::member_mut(world, &id).ok_or_else(|| unknown_instance(&id))?;
    member.healthy = healthy;
    if !healthy {
        let cause = format!(
            "At {} an instance was taken out of service in response to a user health-check.",
            world.now().iso_secs()
        );
        leaving::replace(world, &id, &cause);
    }
    Ok(json!({}))
}

pub(super) fn unknown_instance(id: &str) -> ApiError {
    invalid(format!("Instance Id not found - No managed instance found for instance ID: {id}"))
}
