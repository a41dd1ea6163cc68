//! A drain pass's steps: precheck → act → verify, each safe to repeat. Without a mark nothing is drained:
//! where marking fails, the rest waits for the next pass.

use aws_sdk_ecs::types::ContainerInstanceStatus;
use windlass_shared::deploy::plan::StepOutcome;
use windlass_shared::drain::{DrainPlan, Step};
use windlass_shared::id::{AutoScalingGroupName, ClusterName, InstanceId, TaskArn};

use crate::Clients;
use crate::apply::outcome::refused;
use crate::capacity::{put_mark, set_state, take_back};
use crate::error::Failure;

/// What each step came to, in the plan's order; shorter where one was not followed by the rest.
pub async fn apply(clients: &Clients, plan: &DrainPlan) -> Vec<StepOutcome> {
    let mut outcomes = Vec::with_capacity(plan.steps.len());
    for step in &plan.steps {
        let outcome = of(clients, &plan.key.cluster, step).await;
        let ends = matches!(step, Step::Mark { .. }) && !outcome.goes_on();
        outcomes.push(outcome);
        if ends {
            break;
        }
    }
    outcomes
}

async fn of(clients: &Clients, cluster: &ClusterName, step: &Step) -> StepOutcome {
    match step {
        Step::Mark { instance, why, since } => put_mark(clients, cluster, instance, *why, *since).await,
        Step::Drain { instance } => {
            set_state(clients, cluster, instance, ContainerInstanceStatus::Draining).await
        }
        Step::Heartbeat { group, hook, instance } => heartbeat(clients, group, hook, instance).await,
        Step::StopTask { task, reason, .. } => stop(clients, cluster, task, reason).await,
        Step::Complete { group, hook, instance } => complete(clients, group, hook, instance).await,
        Step::TakeBack { instance } => take_back(clients, cluster, instance).await,
    }
}

async fn heartbeat(
    clients: &Clients,
    group: &AutoScalingGroupName,
    hook: &str,
    instance: &InstanceId,
) -> StepOutcome {
    let sent = clients
        .autoscaling
        .record_lifecycle_action_heartbeat()
        .auto_scaling_group_name(group.as_str())
        .lifecycle_hook_name(hook)
        .instance_id(instance.as_str())
        .send()
        .await;
    match sent.map_err(|error| Failure::new("autoscaling:RecordLifecycleActionHeartbeat", &error)) {
        Ok(_) => StepOutcome::Done,
        Err(failure) if is_over(&failure) => stale(hook),
        Err(failure) => refused(&format!("telling {group} that {hook} goes on for {instance}"), &failure),
    }
}

async fn complete(
    clients: &Clients,
    group: &AutoScalingGroupName,
    hook: &str,
    instance: &InstanceId,
) -> StepOutcome {
    let sent = clients
        .autoscaling
        .complete_lifecycle_action()
        .auto_scaling_group_name(group.as_str())
        .lifecycle_hook_name(hook)
        .instance_id(instance.as_str())
        // Not ABANDON: that skips whoever else has a hook there.
        .lifecycle_action_result("CONTINUE")
        .send()
        .await;
    match sent.map_err(|error| Failure::new("autoscaling:CompleteLifecycleAction", &error)) {
        Ok(_) => StepOutcome::Done,
        Err(failure) if is_over(&failure) => StepOutcome::AlreadyDone,
        Err(failure) => refused(&format!("completing {hook} of {group} for {instance}"), &failure),
    }
}

/// Auto Scaling has one code for what is invalid, and says in words that nobody waits any more.
fn is_over(failure: &Failure) -> bool {
    failure.is("ValidationError") && failure.to_string().contains("No active Lifecycle Action found")
}

fn stale(hook: &str) -> StepOutcome {
    StepOutcome::Stale {
        expected: format!("{hook} is waited for"),
        found: "nothing waits any more".to_owned(),
    }
}

async fn stop(clients: &Clients, cluster: &ClusterName, task: &TaskArn, reason: &str) -> StepOutcome {
    let sent = clients
        .ecs
        .stop_task()
        .cluster(cluster.as_str())
        .task(task.as_str())
        .reason(format!("Windlass: {reason}"))
        .send()
        .await;
    match sent.map_err(|error| Failure::new("ecs:StopTask", &error)) {
        Ok(_) => StepOutcome::Done,
        // It is gone by itself.
        Err(failure) if failure.to_string().contains("referenced task was not found") => {
            StepOutcome::AlreadyDone
        }
        Err(failure) => refused(&format!("stopping {}", task.as_str()), &failure),
    }
}
