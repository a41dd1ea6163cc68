//! Deployments of a service: the entries of `deployments[]`, the service deployments
//! ("releases" here) that the history keeps, and the revisions that they bring.
//!
//! One release may hold two deployments: the one that failed and its rollback.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::alarms::{self, AlarmsRecord};
use super::census::Census;
use super::events;
use super::service::{Service, ServiceKey, ServiceStatus};
use super::settings::LoadBalancer;
use super::staged::{self, Progress};
use super::strategy::{self, Strategy};
use super::task::{StopCode, Task};
use super::{hex_id, lifecycle, number_id, protection, scheduler, stopping};
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
    #[serde(default)]
    pub(crate) alarms: Option<AlarmsRecord>,
    /// Its way through the stages, where it goes through any.
    #[serde(default)]
    pub(crate) progress: Option<Progress>,
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
    let hex = hex_id(world);
    let release = format!("service-deployment/{path}/{}", &hex[..21]);
    let release = world.arn("ecs", &release);
    let id = format!("ecs-svc/{}", number_id(world));
    let execution = lifecycle::as_uuid(&hex);
    let Some(service) = world.ecs.service(key) else { return };
    let configuration = service.settings.member("deploymentConfiguration");
    let two_sets = Strategy::of(&configuration).has_two_sets();
    if !two_sets {
        give_way(world, key);
    }
    let alarms = alarms::begin(world, &configuration);
    let Some(service) = world.ecs.service_mut(key) else { return };
    let progress = staged::begin(service, &configuration, execution, now);
    let load_balancers = balancers(service, two_sets);
    // A rollback that is superseded had something to go back to, and so has what follows it.
    service.completed = staged::source_of(service);
    supersede(service, now);
    let sources = service.deployments.iter().map(|it| it.revision.clone()).collect();
    service.revisions.push(Revision {
        arn: revision.clone(),
        task_definition: task_definition.to_owned(),
        load_balancers,
        stored: service.settings.of_revision(),
        pins: BTreeMap::new(),
        created_at: now,
    });
    let breaker = service.settings.breaker();
    let status =
        if breaker.enabled && !two_sets { BreakerStatus::Monitoring } else { BreakerStatus::Disabled };
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
        configuration,
        rollback: None,
        breaker: BreakerRecord { status, failures: 0, threshold: breaker.threshold(service.desired) },
        alarms,
        progress,
    });
    let reason = format!("ECS deployment {id} in progress.");
    install(service, Deployment::new(id, revision, reason, now));
    scheduler::wake(world, key);
}

/// The load balancers of a revision that begins now: of each pair of target groups a second
/// set of tasks takes the one that does not serve, and a rolling deployment the one that does.
fn balancers(service: &Service, two_sets: bool) -> Vec<LoadBalancer> {
    let source = staged::source_of(service).map(|it| it.revision);
    let serving = source.or_else(|| service.primary().map(|it| it.revision.clone()));
    let serving = serving.and_then(|arn| service.revision(&arn));
    let serves = |group: &str| serving.is_some_and(|it| it.load_balancers.iter().any(|lb| lb.group == group));
    let pick = |balancer: LoadBalancer| {
        let own = serves(&balancer.group);
        let other = balancer.advanced.as_ref().is_some_and(|it| serves(&it.other));
        if (two_sets && own) || (!two_sets && other && !own) { balancer.swapped() } else { balancer }
    };
    service.settings.load_balancers().into_iter().map(pick).collect()
}

/// A rolling deployment takes over: the serving group gets all traffic back, and the tasks in
/// the other one leave, since they would only count as healthy ones.
fn give_way(world: &mut World, key: &ServiceKey) {
    let Some(service) = world.ecs.service(key) else { return };
    let shifts = staged::current(service).is_some_and(|(_, progress)| {
        progress.strategy.has_two_sets() && progress.source.is_some() && !progress.is_cleaning_up()
    });
    if shifts {
        staged::supersede(world, key);
    }
    for id in in_the_dark(world, key) {
        let reason = "Scaling activity initiated by a newer deployment";
        stopping::request(world, &id, StopCode::ServiceSchedulerInitiated, reason);
    }
}

/// Tasks in the group that a rolling deployment does not use of its pair.
fn in_the_dark(world: &World, key: &ServiceKey) -> Vec<String> {
    let Some(service) = world.ecs.service(key) else { return Vec::new() };
    let balancers = balancers(service, false);
    let dark: Vec<&str> =
        balancers.iter().filter_map(|it| Some(it.advanced.as_ref()?.other.as_str())).collect();
    let is_dark = |task: &&Task| {
        let revision = task.owner.as_ref().and_then(|owner| service.revision(&owner.revision));
        let mut groups = revision.into_iter().flat_map(|it| &it.load_balancers);
        groups.any(|it| dark.contains(&it.group.as_str())) && !protection::is_protected(task, world.now())
    };
    let tasks = service.tasks.iter().filter_map(|id| world.ecs.tasks.get(id));
    tasks.filter(is_dark).map(|task| task.id.clone()).collect()
}

/// Whether a rolling deployment has done what it is for.
pub(crate) fn has_rolled(world: &World, service: &Service) -> bool {
    let census = Census::take(world, &service.key);
    let alone = service.deployments.len() == 1;
    let release = service.releases.last().filter(|it| it.rollback.is_none());
    match release.and_then(|it| strategy::early_success(&it.configuration, service.desired)) {
        Some(early) if alone || !early.waits_for_cleanup => census.healthy_fresh() >= early.healthy,
        _ => alone && census.is_settled(service.desired as usize),
    }
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
fn supersede(service: &mut Service, now: Time) {
    if let Some(release) = service.release_mut()
        && !release.status.is_over()
    {
        release.status = ReleaseStatus::StopRequested;
        release.reason = Some("Superseded by a new service deployment.".to_owned());
        release.updated_at = now;
    }
}

/// Makes a deployment the PRIMARY one. Backoffs were for the one before.
fn install(service: &mut Service, deployment: Deployment) {
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
        // A rolling one goes back as it went: without stages.
        release.progress = release.progress.take().filter(|it| it.strategy.has_two_sets());
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
        alarms::end(release);
        if release.breaker.status == BreakerStatus::Monitoring {
            release.breaker.status = BreakerStatus::MonitoringComplete;
        }
    }
    events::say(world, key, &format!("(deployment {id}) deployment completed."));
    events::deployment_changed(world, key, &id);
}
