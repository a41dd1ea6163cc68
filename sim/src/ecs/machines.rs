//! The EC2 instances beneath container instances: they join when their agent is up, they end
//! under the tasks that run on them, and a few drain themselves.

use super::instances::{self, InstanceSpec, InstanceStatus, add_instance};
use super::{events, scheduler};
use crate::world::{Effect, World};

/// An agent registers its instance. Where there is no such cluster it tries in vain.
pub(crate) fn machine_joins(world: &mut World, spec: InstanceSpec) {
    if let Err(error) = add_instance(world, spec) {
        tracing::debug!(code = error.code, "an agent could not register its instance");
    }
}

/// An instance shuts down under its tasks: their containers are cut and its agent falls silent.
/// Nobody has reported that yet: ECS goes on saying RUNNING until the instance is gone.
pub(crate) fn machine_stops(world: &mut World, ec2_id: &str) {
    let now = world.now();
    let Some(instance) = instances::by_ec2_mut(world, ec2_id) else { return };
    instance.agent_connected = false;
    let id = instance.id.clone();
    let tasks: Vec<String> = instance.reserved.keys().cloned().collect();
    for task in &tasks {
        let Some(task) = world.ecs.tasks.get_mut(task) else { continue };
        let live = task.containers.iter_mut().filter(|it| it.started.is_some() && it.ended.is_none());
        let mut cut = false;
        for container in live {
            cut = true;
            container.ended = Some(now);
            container.exit_code = Some(137);
        }
        if cut {
            world.effects.push_back(Effect::StopContainer { task_arn: task.arn.clone() });
        }
    }
    events::instance_changed(world, &id);
}

/// An agent sets its own instance to DRAINING (`ECS_ENABLE_SPOT_INSTANCE_DRAINING`).
pub(crate) fn drain_machine(world: &mut World, ec2_id: &str) {
    let Some(instance) = instances::by_ec2_mut(world, ec2_id) else { return };
    if instance.status == InstanceStatus::Draining {
        return;
    }
    instance.status = InstanceStatus::Draining;
    let (id, cluster) = (instance.id.clone(), instance.cluster.clone());
    events::instance_changed(world, &id);
    scheduler::wake_cluster(world, &cluster);
}
