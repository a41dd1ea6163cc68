//! The ECS service, its rollouts' history, and its stopped tasks.

use aws_sdk_ecs::types::{CreatedAt, DeploymentRolloutState, DesiredStatus, ServiceField};
use windlass_shared::facts::{
    CircuitBreaker, Deployment, Fact, LiveBalancing, LiveService, RolloutState, ServiceDeployment,
    ServiceEvent, ServiceLoadBalancer, StoppedContainer, StoppedTask,
};
use windlass_shared::id::{
    DeploymentId, RuleArn, ServiceArn, ServiceDeploymentArn, ServiceKey, TargetGroupArn, TaskDefinitionArn,
    Timestamp,
};

use super::configuration::settings;
use super::convert::{count, ecs_tags, fact, instant, sdk_instant, text};
use crate::error::Failure;

/// How many of a service's events are kept.
const EVENTS: usize = 10;
/// DescribeTasks' limit; more stopped tasks say nothing new.
const TASKS: i32 = 100;
/// DescribeServiceRevisions' limit, and more deployments than one pass can have missed.
const DEPLOYMENTS: i32 = 20;

/// The service, with its tags.
pub(crate) async fn service(ecs: &aws_sdk_ecs::Client, key: &ServiceKey) -> Fact<LiveService> {
    fact(describe(ecs, key).await, || format!("describing service {key}"))
}

/// The service as it is now; `None` where there is none.
pub(crate) async fn describe(
    ecs: &aws_sdk_ecs::Client,
    key: &ServiceKey,
) -> Result<Option<LiveService>, Failure> {
    let described = ecs
        .describe_services()
        .cluster(key.cluster.as_str())
        .services(key.service.as_str())
        .include(ServiceField::Tags)
        .send()
        .await
        .map_err(|error| Failure::new("ecs:DescribeServices", &error))?;
    if let Some(service) = described.services().first() {
        return Ok(Some(live(service)));
    }
    // Partial failures come with HTTP 200; only `MISSING` says that there is none.
    match described.failures().first() {
        Some(failed) if failed.reason() != Some("MISSING") => {
            let why = failed.detail().unwrap_or("(no detail)");
            Err(Failure::of_code("ecs:DescribeServices", failed.reason(), why))
        }
        Some(_) | None => Ok(None),
    }
}

/// A service out of DescribeServices, CreateService or UpdateService.
pub(crate) fn live(service: &aws_sdk_ecs::types::Service) -> LiveService {
    let configuration = service.deployment_configuration();
    let breaker = configuration.and_then(|c| c.deployment_circuit_breaker());
    let mut deployments: Vec<_> = service.deployments().iter().map(deployment).collect();
    deployments.sort_by_key(|deployment| deployment.status != "PRIMARY");
    LiveService {
        arn: ServiceArn::new(text(service.service_arn())),
        status: text(service.status()),
        task_definition: TaskDefinitionArn::new(text(service.task_definition())),
        desired: count(service.desired_count()),
        running: count(service.running_count()),
        pending: count(service.pending_count()),
        deployments,
        load_balancers: service.load_balancers().iter().filter_map(load_balancer).collect(),
        tags: ecs_tags(service.tags()),
        // Services from before there was a choice have neither member.
        controller: service.deployment_controller().map_or("ECS", |c| c.r#type().as_str()).to_owned(),
        settings: settings(configuration),
        newest_deployment: service.current_service_deployment().map(ServiceDeploymentArn::new),
        circuit_breaker: CircuitBreaker {
            enable: breaker.is_some_and(aws_sdk_ecs::types::DeploymentCircuitBreaker::enable),
            rollback: breaker.is_some_and(aws_sdk_ecs::types::DeploymentCircuitBreaker::rollback),
        },
        grace_secs: count(service.health_check_grace_period_seconds().unwrap_or_default()),
        events: service.events().iter().take(EVENTS).map(event).collect(),
        placement: crate::capacity::placement(service),
    }
}

fn deployment(deployment: &aws_sdk_ecs::types::Deployment) -> Deployment {
    Deployment {
        id: DeploymentId::new(text(deployment.id())),
        status: text(deployment.status()),
        task_definition: TaskDefinitionArn::new(text(deployment.task_definition())),
        rollout: match deployment.rollout_state() {
            Some(DeploymentRolloutState::InProgress) => RolloutState::InProgress,
            Some(DeploymentRolloutState::Completed) => RolloutState::Completed,
            Some(DeploymentRolloutState::Failed) => RolloutState::Failed,
            _ => RolloutState::Unsaid,
        },
        reason: text(deployment.rollout_state_reason()),
        desired: count(deployment.desired_count()),
        running: count(deployment.running_count()),
        failed_tasks: count(deployment.failed_tasks()),
        created_at: instant(deployment.created_at()),
    }
}

fn load_balancer(lb: &aws_sdk_ecs::types::LoadBalancer) -> Option<ServiceLoadBalancer> {
    Some(ServiceLoadBalancer {
        // Classic load balancers have a name in place of a group, and no route of ours.
        target_group: TargetGroupArn::new(lb.target_group_arn()?),
        container: text(lb.container_name()),
        port: lb.container_port().and_then(|port| u16::try_from(port).ok()).unwrap_or_default(),
        advanced: lb.advanced_configuration().and_then(advanced),
    })
}

/// Of a Network Load Balancer the two "rules" are listeners: then it is none of ours.
fn advanced(advanced: &aws_sdk_ecs::types::AdvancedConfiguration) -> Option<LiveBalancing> {
    Some(LiveBalancing {
        alternate: TargetGroupArn::new(advanced.alternate_target_group_arn()?),
        production_rule: RuleArn::new(advanced.production_listener_rule()?),
        test_rule: advanced.test_listener_rule().map(RuleArn::new),
        role: text(advanced.role_arn()),
    })
}

fn event(event: &aws_sdk_ecs::types::ServiceEvent) -> ServiceEvent {
    ServiceEvent { at: instant(event.created_at()), message: text(event.message()) }
}

/// ECS's history of the service's deployments since `since`, newest first.
pub(crate) async fn service_deployments(
    ecs: &aws_sdk_ecs::Client,
    key: &ServiceKey,
    since: Timestamp,
) -> Fact<Vec<ServiceDeployment>> {
    let found = list_deployments(ecs, key, since).await.map(Some);
    fact(found, || format!("reading the deployment history of {key}"))
}

async fn list_deployments(
    ecs: &aws_sdk_ecs::Client,
    key: &ServiceKey,
    since: Timestamp,
) -> Result<Vec<ServiceDeployment>, Failure> {
    let listed = ecs
        .list_service_deployments()
        .cluster(key.cluster.as_str())
        .service(key.service.as_str())
        .created_at(CreatedAt::builder().after(sdk_instant(since)).build())
        .max_results(DEPLOYMENTS)
        .send()
        .await
        .map_err(|error| Failure::new("ecs:ListServiceDeployments", &error))?;
    let briefs = listed.service_deployments();
    let revisions: Vec<String> =
        briefs.iter().filter_map(|brief| brief.target_service_revision_arn().map(str::to_owned)).collect();
    let definitions = task_definitions_of(ecs, revisions).await?;
    let deployments = briefs.iter().map(|brief| ServiceDeployment {
        arn: text(brief.service_deployment_arn()),
        created_at: instant(brief.created_at()),
        status: brief.status().map_or("", |status| status.as_str()).to_owned(),
        reason: text(brief.status_reason()),
        task_definition: brief
            .target_service_revision_arn()
            .and_then(|arn| definitions.iter().find(|(revision, _)| revision == arn))
            .map(|(_, definition)| definition.clone()),
    });
    Ok(deployments.collect())
}

/// Each service revision's task definition: the listing itself does not say it.
async fn task_definitions_of(
    ecs: &aws_sdk_ecs::Client,
    mut revisions: Vec<String>,
) -> Result<Vec<(String, TaskDefinitionArn)>, Failure> {
    revisions.sort();
    revisions.dedup();
    if revisions.is_empty() {
        return Ok(Vec::new());
    }
    let described = ecs
        .describe_service_revisions()
        .set_service_revision_arns(Some(revisions))
        .send()
        .await
        .map_err(|error| Failure::new("ecs:DescribeServiceRevisions", &error))?;
    let pairs = described.service_revisions().iter().filter_map(|revision| {
        let definition = TaskDefinitionArn::new(revision.task_definition()?);
        Some((revision.service_revision_arn()?.to_owned(), definition))
    });
    Ok(pairs.collect())
}

/// Tasks of a deployment that stopped. ECS shows them for an hour at least.
pub(crate) async fn stopped_tasks(
    ecs: &aws_sdk_ecs::Client,
    key: &ServiceKey,
    deployment: &DeploymentId,
) -> Fact<Vec<StoppedTask>> {
    let found = list_stopped(ecs, key, deployment).await.map(Some);
    fact(found, || format!("reading the stopped tasks of {deployment}"))
}

async fn list_stopped(
    ecs: &aws_sdk_ecs::Client,
    key: &ServiceKey,
    deployment: &DeploymentId,
) -> Result<Vec<StoppedTask>, Failure> {
    let listed = ecs
        .list_tasks()
        .cluster(key.cluster.as_str())
        .started_by(deployment.as_str())
        .desired_status(DesiredStatus::Stopped)
        .max_results(TASKS)
        .send()
        .await
        .map_err(|error| Failure::new("ecs:ListTasks", &error))?;
    if listed.task_arns().is_empty() {
        return Ok(Vec::new());
    }
    let described = ecs
        .describe_tasks()
        .cluster(key.cluster.as_str())
        .set_tasks(listed.task_arns)
        .send()
        .await
        .map_err(|error| Failure::new("ecs:DescribeTasks", &error))?;
    Ok(described.tasks().iter().map(stopped).collect())
}

pub(crate) fn stopped(task: &aws_sdk_ecs::types::Task) -> StoppedTask {
    let containers = task.containers().iter().map(|container| StoppedContainer {
        name: text(container.name()),
        exit_code: container.exit_code(),
        reason: container.reason().map(str::to_owned),
    });
    StoppedTask {
        arn: text(task.task_arn()),
        stop_code: task.stop_code().map(|code| code.as_str().to_owned()),
        stopped_reason: task.stopped_reason().map(str::to_owned),
        containers: containers.collect(),
        stopped_at: task.stopped_at().map(|at| instant(Some(at))),
    }
}
