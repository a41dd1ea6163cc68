//! `SetDesiredCapacity` and `TerminateInstanceInAutoScalingGroup`.

use serde_json::{Value, json};

use super::args::{self, invalid};
use super::groups::refuse_deleting;
use super::model::{Group, Lifecycle};
use super::{activities, keeping, leaving, members};
use crate::call::{ApiError, Reply};
use crate::time::Time;
use crate::world::World;

pub(super) fn set(world: &mut World, input: &Value) -> Reply {
    let now = world.now();
    let wanted =
        args::number(input, "DesiredCapacity")?.ok_or_else(|| invalid("DesiredCapacity must be given"))?;
    let honours = args::flag(input, "HonorCooldown")?.unwrap_or(false);
    let group = args::group_mut(world, input)?;
    refuse_deleting(group)?;
    let which = match wanted {
        above if above > group.max => Some(format!("above max value {}", group.max)),
        below if below < group.min => Some(format!("below min value {}", group.min)),
        _ => None,
    };
    if let Some(which) = which {
        let message = format!("New SetDesiredCapacity value {wanted} is {which} for the AutoScalingGroup.");
        return Err(invalid(message));
    }
    if honours {
        refuse_cooldown(group, now)?;
    }
    change(group, wanted, now);
    let name = group.name.clone();
    keeping::look_soon(world, &name);
    Ok(json!({}))
}

/// The desired capacity as somebody set it. Launches that failed are tried again at once.
pub(super) fn change(group: &mut Group, wanted: u32, now: Time) {
    if group.desired == wanted {
        return;
    }
    group.cause = format!(
        "At {} a user request explicitly set group desired capacity changing the desired capacity from {} to \
         {wanted}.",
        now.iso_secs(),
        group.desired
    );
    group.desired = wanted;
    group.not_before = None;
    group.failures = 0;
}

/// With `HonorCooldown` nothing changes while an activity goes on, or shortly after one.
fn refuse_cooldown(group: &Group, now: Time) -> Result<(), ApiError> {
    let under_way = group.activities.iter().find(|it| it.ended.is_none());
    let cools = group.last_activity.is_some_and(|at| now.since(at).as_secs() < group.cooldown.into());
    let last = under_way.or(group.activities.front().filter(|_| cools));
    match last {
        Some(activity) => Err(ApiError::client(
            "ScalingActivityInProgress",
            format!("Scaling activity {} is in progress and blocks this action", activity.id),
        )),
        None => Ok(()),
    }
}

/// Protection from scale-in does not count here. With the decrement nothing replaces it.
pub(super) fn terminate(world: &mut World, input: &Value) -> Reply {
    let id = args::required(input, "InstanceId")?.to_owned();
    let decrements = args::flag(input, "ShouldDecrementDesiredCapacity")?
        .ok_or_else(|| invalid("ShouldDecrementDesiredCapacity must be given"))?;
    let name = leaving::group_of(world, &id).ok_or_else(|| members::unknown_instance(&id))?;
    let now = world.now();
    let Some(group) = world.autoscaling.groups.get_mut(&name) else { return Err(args::no_group(&name)) };
    let state = group.members.get(&id).map(|it| it.state);
    if !state.is_some_and(Lifecycle::counts) {
        let message = format!("The instance {id} is terminating already");
        return Err(ApiError::client("ScalingActivityInProgress", message));
    }
    if decrements && group.desired <= group.min {
        return Err(invalid(format!(
            "Currently, desiredSize equals minSize ({}). Terminating instance without replacement will violate \
             group's min size constraint. Either set shouldDecrementDesiredCapacity flag to false or lower \
             group's min size.",
            group.min
        )));
    }
    let mut cause =
        format!("At {} instance {id} was taken out of service in response to a user request", now.iso_secs());
    if decrements {
        cause = format!("{cause}, shrinking the capacity from {} to {}", group.desired, group.desired - 1);
        group.desired -= 1;
    }
    let activity = leaving::leave(world, &id, &format!("{cause}."));
    keeping::look_soon(world, &name);
    let group = world.autoscaling.groups.get(&name);
    let found = group.and_then(|group| {
        let activity = group.activities.iter().find(|it| Some(&it.id) == activity.as_ref())?;
        Some(activities::view(group, activity))
    });
    Ok(json!({ "Activity": found }))
}
