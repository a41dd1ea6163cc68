//! EC2 takes spot capacity back: sometimes a recommendation, then a warning, two minutes, the end.

use std::time::Duration;

use serde_json::json;

use super::{Due, life};
use crate::world::{self, World};
use crate::{autoscaling, ecs};

/// From the warning to the end.
const NOTICE: Duration = Duration::from_mins(2);

/// EC2 warns a spot instance: two minutes later it ends, whatever hooks say. False where it is
/// no spot instance, or lives no longer.
pub fn interrupt_spot(world: &mut World, instance_id: &str) -> bool {
    if !life::is_live_spot(world, instance_id) {
        return false;
    }
    let now = world.now();
    let Some(instance) = world.ec2.instances.get_mut(instance_id) else { return false };
    instance.warned = Some(now);
    let drains = instance.agent.drains_on_spot;
    // The zone stands where other ARNs have the Region, and there is no account: as AWS sends it.
    let arn = format!("arn:aws:ec2:{}:instance/{instance_id}", instance.az);
    let detail = json!({ "instance-id": instance_id, "instance-action": "terminate" });
    world.emit("aws.ec2", "EC2 Spot Instance Interruption Warning", &[arn], detail);
    world.at(now + NOTICE, world::Due::Ec2(Due::Interrupted(instance_id.to_owned())));
    if drains {
        ecs::drain_machine(world, instance_id);
    }
    true
}

/// EC2 finds a spot instance at risk and says so. That an interruption follows is not said. False
/// where it is no spot instance, or lives no longer.
pub fn recommend_rebalance(world: &mut World, instance_id: &str) -> bool {
    if !life::is_live_spot(world, instance_id) {
        return false;
    }
    let arn = world.arn("ec2", &format!("instance/{instance_id}"));
    let detail = json!({ "instance-id": instance_id });
    world.emit("aws.ec2", "EC2 Instance Rebalance Recommendation", &[arn], detail);
    autoscaling::rebalance_recommended(world, instance_id);
    true
}

pub(super) fn interrupted(world: &mut World, id: &str) {
    life::terminate(world, id, "Server.SpotInstanceTermination");
}
