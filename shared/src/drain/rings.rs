//! Which instances an event asks the drain function to look at.

use serde::Serialize;

use super::facts::Warning;
use crate::event::{
    ActivityKind, ContainerInstanceStatus, Event, Function, Incoming, InstanceFate, TaskStatus,
};
use crate::id::{AutoScalingGroupName, ClusterName, ContainerInstanceArn, InstanceId, Timestamp};
use crate::ledger::InstanceKey;

/// Where the drain function is asked to look.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Rings {
    /// At an EC2 instance, of whichever cluster it is.
    Ec2 {
        /// Which.
        instance: InstanceId,
        /// What the event alone says of it.
        warning: Option<Warning>,
    },
    /// At an instance of a cluster.
    Instance(InstanceKey),
    /// At a container instance, where it leaves.
    ContainerInstance {
        /// Its cluster.
        cluster: ClusterName,
        /// Which.
        instance: ContainerInstanceArn,
    },
    /// At every instance that leaves.
    Every,
    /// Nowhere.
    Nothing(Silence),
}

/// Why an event rings no instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum Silence {
    /// A lifecycle action on the way in.
    #[error("{instance} comes into {group}; only what leaves is drained")]
    Comes {
        /// Which.
        instance: InstanceId,
        /// Its group.
        group: AutoScalingGroupName,
    },
    /// The task still runs, or ran on no instance of the cluster's own.
    #[error("a task that goes on, or that no instance of the cluster had, empties none")]
    EmptiesNothing,
    /// An instance that is active, or comes.
    #[error("an instance that is {0} leaves nothing behind")]
    Stays(ContainerInstanceStatus),
    /// For another function of the stack.
    #[error("it is for the {} function", .0.name())]
    ForAnother(Function),
    /// An event that says nothing of instances.
    #[error("it says nothing of an instance that leaves")]
    NoInstance,
}

/// Which instances the event rings. `now` stands in for the time of an event that has none.
pub fn doorbells(incoming: &Incoming, now: Timestamp) -> Rings {
    let at = incoming.envelope.as_ref().and_then(|envelope| envelope.time).unwrap_or(now);
    match &incoming.event {
        Event::AutoScalingLifecycle(action) => match action.fate() {
            // Into the warm pool, or with a new root volume, it leaves service all the same, and is taken
            // back once it serves again.
            InstanceFate::Terminates | InstanceFate::ReturnsToWarmPool | InstanceFate::ReplacesRootVolume => {
                ec2(&action.instance, None)
            }
            InstanceFate::EntersService | InstanceFate::EntersWarmPool | InstanceFate::Untold => {
                let (instance, group) = (action.instance.clone(), action.group.clone());
                Rings::Nothing(Silence::Comes { instance, group })
            }
        },
        Event::AutoScalingActivity(activity) => match (&activity.kind, &activity.instance) {
            (ActivityKind::Terminated | ActivityKind::TerminateFailed, Some(instance)) => ec2(instance, None),
            _ => Rings::Nothing(Silence::ForAnother(Function::Scale)),
        },
        Event::SpotWarning(warning) => ec2(&warning.instance_id, Some(Warning::Spot { at })),
        Event::Rebalance(advice) => ec2(&advice.instance_id, Some(Warning::Rebalance { at })),
        Event::EcsTask(task) => match (&task.last_status, &task.container_instance_arn) {
            (TaskStatus::Stopped, Some(instance)) => {
                Rings::ContainerInstance { cluster: task.cluster.clone(), instance: instance.clone() }
            }
            _ => Rings::Nothing(Silence::EmptiesNothing),
        },
        Event::EcsContainerInstance(it) => match (&it.status, &it.ec2_instance_id) {
            (ContainerInstanceStatus::Draining | ContainerInstanceStatus::Inactive, Some(instance)) => {
                Rings::Instance(InstanceKey::new(it.cluster.clone(), instance.clone()))
            }
            (status, _) => Rings::Nothing(Silence::Stays(status.clone())),
        },
        Event::Schedule => Rings::Every,
        Event::Alarm(_) | Event::AlarmAction(_) => Rings::Nothing(Silence::ForAnother(Function::Scale)),
        Event::LifecycleHook(_) | Event::VerdictWanted(_) => {
            Rings::Nothing(Silence::ForAnother(Function::Verify))
        }
        _ => Rings::Nothing(Silence::NoInstance),
    }
}

fn ec2(instance: &InstanceId, warning: Option<Warning>) -> Rings {
    Rings::Ec2 { instance: instance.clone(), warning }
}
