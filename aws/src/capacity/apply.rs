//! A scale pass's steps: precheck → act → verify, each safe to repeat, one not waiting for another's
//! success: a service that cannot be scaled keeps no instance from coming.

use aws_sdk_ecs::types::{Attribute, ContainerInstanceStatus, TargetType};
use windlass_shared::deploy::plan::StepOutcome;
use windlass_shared::event::Doorbell;
use windlass_shared::facts::FailureKind;
use windlass_shared::id::{
    Actor, AutoScalingGroupName, ClusterName, ContainerInstanceArn, InstanceId, ServiceKey, ServiceName,
    Timestamp,
};
use windlass_shared::ledger::{MARK, WhyItLeaves, mark};
use windlass_shared::scale::plan::{CapacityPlan, Step};

use crate::Clients;
use crate::apply::outcome::{refused, unseen};
use crate::apply::scale::set_desired;
use crate::by_hand;
use crate::clients::no_retry;
use crate::error::Failure;

/// What each step came to, in the plan's order.
pub type CapacityMade = Vec<StepOutcome>;

/// Applies the plan.
pub async fn apply(clients: &Clients, plan: &CapacityPlan, by: &Actor, now: Timestamp) -> CapacityMade {
    let run = Run { clients, cluster: &plan.cluster, by, now };
    let mut outcomes = Vec::with_capacity(plan.steps.len());
    for step in &plan.steps {
        outcomes.push(run.step(step).await);
    }
    outcomes
}

struct Run<'a> {
    clients: &'a Clients,
    cluster: &'a ClusterName,
    by: &'a Actor,
    now: Timestamp,
}

impl Run<'_> {
    async fn step(&self, step: &Step) -> StepOutcome {
        match step {
            Step::SetDesired { service, from, to, .. } => {
                let key = ServiceKey::new(self.cluster.clone(), service.clone());
                set_desired(self.clients, &key, *from, *to).await
            }
            Step::SetCapacity { group, from, to, .. } => self.set_capacity(group, *from, *to).await,
            Step::Empty { instance, why, .. } => self.empty(instance, *why).await,
            Step::TakeBack { instance, .. } => take_back(self.clients, self.cluster, instance).await,
            Step::Remove { ec2, fewer, .. } => self.remove(ec2, *fewer).await,
            Step::Ring { service, tasks } => self.ring(service, *tasks).await,
        }
    }

    /// The deploy pass that it wakes asks for itself whether there is room.
    async fn ring(&self, service: &ServiceName, tasks: u32) -> StepOutcome {
        let reason = format!("there is room for the {tasks} tasks of its rollout");
        let bell = Doorbell {
            cluster: self.cluster.clone(),
            service: service.clone(),
            reason: Some(reason),
            by: Some(self.by.clone()),
        };
        match by_hand::ring(&self.clients.events, &bell).await {
            Ok(()) => StepOutcome::Done,
            Err(failure) => refused(&format!("ringing {service}"), &failure),
        }
    }

    /// SetDesiredCapacity has no condition: what somebody else set since the plan looked is found by
    /// looking first, so that the window is one call wide.
    async fn set_capacity(&self, group: &AutoScalingGroupName, from: u32, to: u32) -> StepOutcome {
        let doing = format!("asking {group} for {to} instances");
        match self.capacity(group).await {
            Err(failure) => {
                return StepOutcome::Waiting { reason: format!("{doing}: looking first: {failure}") };
            }
            Ok(Some(now)) if now == to => return StepOutcome::AlreadyDone,
            Ok(Some(now)) if now == from => {}
            Ok(now) => {
                let found = now.map_or_else(|| "no such group".to_owned(), |now| format!("{now} instances"));
                return StepOutcome::Stale { expected: format!("{from} instances"), found };
            }
        }
        let sent = self
            .clients
            .autoscaling
            .set_desired_capacity()
            .auto_scaling_group_name(group.as_str())
            .desired_capacity(i32::try_from(to).unwrap_or(i32::MAX))
            .honor_cooldown(false)
            .send()
            .await;
        match sent.map_err(|error| Failure::new("autoscaling:SetDesiredCapacity", &error)) {
            Ok(_) => StepOutcome::Done,
            Err(failure) if failure.kind == FailureKind::Unknown => match self.capacity(group).await {
                Ok(Some(now)) if now == to => StepOutcome::Done,
                Ok(_) => refused(&doing, &failure),
                Err(look) => unseen(&doing, &failure, &look),
            },
            Err(failure) if failure.is("ScalingActivityInProgress") || failure.is("ResourceContention") => {
                StepOutcome::Waiting { reason: format!("{doing}: {failure}") }
            }
            Err(failure) => refused(&doing, &failure),
        }
    }

    async fn capacity(&self, group: &AutoScalingGroupName) -> Result<Option<u32>, Failure> {
        let sent = self
            .clients
            .autoscaling
            .describe_auto_scaling_groups()
            .auto_scaling_group_names(group.as_str())
            .send()
            .await;
        let described =
            sent.map_err(|error| Failure::new("autoscaling:DescribeAutoScalingGroups", &error))?;
        let group = described.auto_scaling_groups().first();
        Ok(group.and_then(|it| it.desired_capacity()).map(|it| u32::try_from(it).unwrap_or_default()))
    }

    async fn empty(&self, instance: &ContainerInstanceArn, why: WhyItLeaves) -> StepOutcome {
        let marked = put_mark(self.clients, self.cluster, instance, why, self.now).await;
        if !marked.goes_on() {
            return marked;
        }
        set_state(self.clients, self.cluster, instance, ContainerInstanceStatus::Draining).await
    }

    /// Without a retry: a second call might take a second one off the group's number.
    async fn remove(&self, ec2: &InstanceId, fewer: bool) -> StepOutcome {
        const ACTION: &str = "autoscaling:TerminateInstanceInAutoScalingGroup";
        let doing = format!("removing {ec2}");
        let sent = self
            .clients
            .autoscaling
            .terminate_instance_in_auto_scaling_group()
            .instance_id(ec2.as_str())
            .should_decrement_desired_capacity(fewer)
            .customize()
            .config_override(aws_sdk_autoscaling::config::Builder::new().retry_config(no_retry()))
            .send()
            .await;
        match sent.map_err(|error| Failure::new(ACTION, &error)) {
            Ok(_) => StepOutcome::Done,
            // The next pass sees by its lifecycle whether it goes.
            Err(failure) if failure.is("ScalingActivityInProgress") || failure.is("ResourceContention") => {
                StepOutcome::Waiting { reason: format!("{doing}: {failure}") }
            }
            Err(failure) => refused(&doing, &failure),
        }
    }
}

/// Says on the instance why it leaves. Before it drains: an instance that drains without this is
/// somebody else's.
pub(crate) async fn put_mark(
    clients: &Clients,
    cluster: &ClusterName,
    instance: &ContainerInstanceArn,
    why: WhyItLeaves,
    since: Timestamp,
) -> StepOutcome {
    let attribute = attribute(instance).value(mark(why, since)).build();
    let Ok(attribute) = attribute else { return unbuildable(instance) };
    let sent = clients.ecs.put_attributes().cluster(cluster.as_str()).attributes(attribute).send().await;
    match sent.map_err(|error| Failure::new("ecs:PutAttributes", &error)) {
        Ok(_) => StepOutcome::Done,
        Err(failure) => refused(&format!("marking {}", instance.as_str()), &failure),
    }
}

fn attribute(instance: &ContainerInstanceArn) -> aws_sdk_ecs::types::builders::AttributeBuilder {
    Attribute::builder().name(MARK).target_type(TargetType::ContainerInstance).target_id(instance.as_str())
}

fn unbuildable(instance: &ContainerInstanceArn) -> StepOutcome {
    StepOutcome::Failed {
        kind: FailureKind::Invalid,
        reason: format!("marking {}: the attribute cannot be made", instance.as_str()),
    }
}

/// DRAINING, or ACTIVE again. ECS answers HTTP 200 with failures in it.
pub(crate) async fn set_state(
    clients: &Clients,
    cluster: &ClusterName,
    instance: &ContainerInstanceArn,
    status: ContainerInstanceStatus,
) -> StepOutcome {
    const ACTION: &str = "ecs:UpdateContainerInstancesState";
    let doing = format!("setting {} {}", instance.as_str(), status.as_str());
    let sent = clients
        .ecs
        .update_container_instances_state()
        .cluster(cluster.as_str())
        .container_instances(instance.as_str())
        .status(status)
        .send()
        .await;
    match sent.map_err(|error| Failure::new(ACTION, &error)) {
        Ok(updated) => match updated.failures().first() {
            None => StepOutcome::Done,
            Some(failed) => {
                let why = failed.detail().unwrap_or("(no detail)");
                refused(&doing, &Failure::of_code(ACTION, failed.reason(), why))
            }
        },
        Err(failure) => refused(&doing, &failure),
    }
}

/// ACTIVE, then the mark off: dead in between, the mark says whose it is, and the next pass goes on.
pub(crate) async fn take_back(
    clients: &Clients,
    cluster: &ClusterName,
    instance: &ContainerInstanceArn,
) -> StepOutcome {
    let active = set_state(clients, cluster, instance, ContainerInstanceStatus::Active).await;
    if !active.goes_on() {
        return active;
    }
    let Ok(attribute) = attribute(instance).build() else { return unbuildable(instance) };
    let sent = clients.ecs.delete_attributes().cluster(cluster.as_str()).attributes(attribute).send().await;
    match sent.map_err(|error| Failure::new("ecs:DeleteAttributes", &error)) {
        Ok(_) => StepOutcome::Done,
        Err(failure) if failure.is("TargetNotFoundException") => StepOutcome::AlreadyDone,
        Err(failure) => refused(&format!("taking the mark off {}", instance.as_str()), &failure),
    }
}
