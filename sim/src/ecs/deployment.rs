//! Deployments of a service: the entries of `deployments[]`, the service deployments
//! ("releases" here) that the history keeps, and the revisions that they bring.
//!
//! One release may hold two deployments: the one that failed and its rollback.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::events;
use super::service::{ServiceKey, ServiceStatus};
use super::settings::LoadBalancer;
use super::{hex_id, number_id, scheduler};
use crate::time::Time;
use crate::world::World;

/// An entry of `deployments[]`. The first is PRIMARY, the others ACTIVE.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Deployment {
    /// `ecs-svc/<number>`
    pub(crate) id: String,
    /// The service revision's ARN.
    pub(crate) revision: String,
    pub(crate) rollout: Rollout,
    pub(crate) reason: String,
    pub(crate) failed_tasks: u32,
    pub(crate) created_at: Time,
    pub(crate) updated_at: Time,
    /// Whether it has said that it is in progress.
    pub(crate) announced: bool,
}

/// `rolloutState`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum Rollout {
    InProgress,
    Completed,
    Failed,
}

/// The deployment that a rollback goes back to.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Completed {
    pub(crate) deployment: String,
    pub(crate) revision: String,
}

/// A service revision: what its tasks are made of.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Revision {
    pub(crate) arn: String,
    pub(crate) task_definition: String,
    pub(crate) load_balancers: Vec<LoadBalancer>,
    /// Members that `DescribeServiceRevisions` gives back as they were.
    pub(crate) stored: Map<String, Value>,
    /// Container → the digest that its tag had when the revision was first pulled.
    pub(crate) pins: BTreeMap<String, String>,
    pub(crate) created_at: Time,
}

/// A service deployment of the history.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Release {
    pub(crate) arn: String,
    pub(crate) status: ReleaseStatus,
    pub(crate) reason: Option<String>,
    pub(crate) sources: Vec<String>,
    pub(crate) target: String,
    pub(crate) created_at: Time,
    pub(crate) started_at: Option<Time>,
    pub(crate) finished_at: Option<Time>,
    pub(crate) stopped_at: Option<Time>,
    pub(crate) updated_at: Time,
    pub(crate) configuration: Value,
    pub(crate) rollback: Option<RollbackRecord>,
    pub(crate) breaker: BreakerRecord,
}

/// `ServiceDeployment`'s `rollback`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct RollbackRecord {
    pub(crate) reason: String,
    pub(crate) started_at: Time,
    pub(crate) revision: String,
}

/// `ServiceDeployment`'s `deploymentCircuitBreaker`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct BreakerRecord {
    pub(crate) status: BreakerStatus,
    pub(crate) failures: u32,
    pub(crate) threshold: u32,
}

/// What the breaker does for a release.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum BreakerStatus {
    Disabled,
    Monitoring,
    MonitoringComplete,
    Triggered,
}

/// `ServiceDeployment`'s `status`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum ReleaseStatus {
    Pending,
    InProgress,
    Successful,
    StopRequested,
    Stopped,
    RollbackRequested,
    RollbackInProgress,
    RollbackSuccessful,
    RollbackFailed,
}

impl ReleaseStatus {
    /// Whether nothing will change it any more.
    pub(crate) fn is_over(self) -> bool {
        matches!(self, Self::Successful | Self::Stopped | Self::RollbackSuccessful | Self::RollbackFailed)
    }
}

/// Begins a deployment of a new revision: what `CreateService` and `UpdateService` do.
pub(crate) fn begin(world: &mut World, key: &ServiceKey, task_definition: &str) {
    let now = world.now();
    let path = format!("{}/{}", key.cluster, key.name);
    let revision = format!("service-revision/{path}/{}", number_id(world));
    let revision = world.arn("ecs", &revision);
    let release = format!("service-deployment/{path}/{}", &hex_id(world)[..21]);
    let release = world.arn("ecs", &release);
    let id = format!("ecs-svc/{}", number_id(world));
    let Some(service) = world.ecs.service_mut(key) else { return };
    supersede(service, now);
    let sources = service.deployments.iter().map(|it| it.revision.clone()).collect();
    service.revisions.push(Revision {
        arn: revision.clone(),
        task_definition: task_definition.to_owned(),
        load_balancers: service.settings.load_balancers(),
        stored: service.settings.of_revision(),
        pins: BTreeMap::new(),
        created_at: now,
    });
    let breaker = service.settings.breaker();
    let status = if breaker.enabled { BreakerStatus::Monitoring } else { BreakerStatus::Disabled };
    service.releases.push(Release {
        arn: release,
        status: ReleaseStatus::Pending,
        reason: None,
        sources,
        target: revision.clone(),
        created_at: now,
        started_at: None,
        finished_at: None,
        stopped_at: None,
        updated_at: now,
        configuration: service.settings.member("deploymentConfiguration"),
        rollback: None,
        breaker: BreakerRecord { status, failures: 0, threshold: breaker.threshold(service.desired) },
    });
    let reason = format!("ECS deployment {id} in progress.");
    install(service, Deployment::new(id, revision, reason, now));
    scheduler::wake(world, key);
}

impl Deployment {
    fn new(id: String, revision: String, reason: String, now: Time) -> Self {
        Self {
            id,
            revision,
            rollout: Rollout::InProgress,
            reason,
            failed_tasks: 0,
            created_at: now,
            updated_at: now,
            announced: false,
        }
    }
}

/// A new deployment ends the release that is under way.
fn supersede(service: &mut super::service::Service, now: Time) {
    if let Some(release) = service.release_mut()
        && !release.status.is_over()
    {
        release.status = ReleaseStatus::StopRequested;
        release.reason = Some("Superseded by a new service deployment.".to_owned());
        release.updated_at = now;
    }
}

/// Makes a deployment the PRIMARY one. Backoffs were for the one before.
fn install(service: &mut super::service::Service, deployment: Deployment) {
    service.deployments.insert(0, deployment);
    let next_pass = service.pace.next_pass;
    service.pace = super::service::Pace { next_pass, ..Default::default() };
}

/// Begins the rollback of the release under way to the last completed deployment, if
/// there is one; says whether. `by` is whoever decided it: `ECS deployment circuit breaker`.
///
/// The new PRIMARY deployment has the completed one's *revision*, so tasks of it that
/// still run stay and count.
pub(crate) fn roll_back(world: &mut World, key: &ServiceKey, by: &str) -> bool {
    let now = world.now();
    let id = format!("ecs-svc/{}", number_id(world));
    let Some(service) = world.ecs.service_mut(key) else { return false };
    // It is not eligible for another rollback until it is COMPLETED again.
    let Some(target) = service.completed.take() else { return false };
    let reason = format!("{by}: rolling back to deploymentId {}.", target.deployment);
    if let Some(release) = service.release_mut() {
        release.status = ReleaseStatus::RollbackInProgress;
        release.updated_at = now;
        release.rollback = Some(RollbackRecord {
            reason: reason.clone(),
            started_at: now,
            revision: target.revision.clone(),
        });
    }
    service.deployments.retain(|it| it.revision != target.revision);
    install(service, Deployment::new(id, target.revision, reason, now));
    let message = format!("rolling back to deployment {}.", target.deployment);
    events::say(world, key, &message);
    scheduler::wake(world, key);
    true
}

/// The PRIMARY deployment has reached its end: it is COMPLETED.
pub(crate) fn complete(world: &mut World, key: &ServiceKey) {
    let now = world.now();
    let Some(service) = world.ecs.service_mut(key) else { return };
    if service.status != ServiceStatus::Active {
        return;
    }
    let Some(primary) = service.primary_mut() else { return };
    primary.rollout = Rollout::Completed;
    primary.updated_at = now;
    primary.reason = format!("ECS deployment {} completed.", primary.id);
    let (id, revision) = (primary.id.clone(), primary.revision.clone());
    service.completed = Some(Completed { deployment: id.clone(), revision });
    if let Some(release) = service.release_mut() {
        release.status = match release.rollback {
            Some(_) => ReleaseStatus::RollbackSuccessful,
            None => ReleaseStatus::Successful,
        };
        release.finished_at = Some(now);
        release.updated_at = now;
        if release.breaker.status == BreakerStatus::Monitoring {
            release.breaker.status = BreakerStatus::MonitoringComplete;
        }
    }
    events::say(world, key, &format!("(deployment {id}) deployment completed."));
    events::deployment_changed(world, key, &id);
}
