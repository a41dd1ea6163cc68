//! The service scheduler: one pass moves a service one step towards what is wanted.
//!
//! A pass
//! 1. announces a deployment that has just begun;
//! 2. looks at health, which may fail the deployment ([`super::breaker`]);
//! 3. stops what may be stopped: healthy tasks never fall below
//!    `ceil(desired × minimumHealthyPercent)`;
//! 4. starts what is missing: tasks never exceed `floor(desired × maximumPercent)`;
//! 5. concludes: deployments without tasks go, the PRIMARY completes, the service is steady;
//! 6. moves a deployment that goes through stages ([`super::staged`]), during which steps 3
//!    and 4 are done for each of its two sets of tasks;
//! 7. says when it wants to look again, if at all.

use std::time::Duration;

use serde_json::{Value, json};

use super::census::{Census, Member};
use super::deployment::{self, ReleaseStatus, Rollout};
use super::health::{self, Health};
use super::lifecycle::{self, Launch};
use super::placement::{self, Obstacle, Refusal, Rules};
use super::service::{Service, ServiceKey, ServiceStatus};
use super::staged::{self, Set};
use super::task::{Owner, StopCode, TaskStatus};
use super::{Due, alarms, blueprint, breaker, events, protection, providers, stopping, task_definitions};
use crate::time::Time;
use crate::world::{self, World};

/// From what happened to the scheduler's look at it.
const REACTION: Duration = Duration::from_secs(1);
/// Between looks at targets that have been healthy.
const WATCH: Duration = Duration::from_secs(5);
/// Tasks started in one pass.
const BATCH: usize = 10;

/// Has the scheduler look at a service soon.
pub(crate) fn wake(world: &mut World, key: &ServiceKey) {
    let at = world.now() + REACTION;
    schedule(world, key, at);
}

fn schedule(world: &mut World, key: &ServiceKey, at: Time) {
    let Some(service) = world.ecs.service_mut(key) else { return };
    if service.status == ServiceStatus::Inactive || service.pace.next_pass.is_some_and(|next| next <= at) {
        return;
    }
    service.pace.next_pass = Some(at);
    let due = Due::Pass { cluster: key.cluster.clone(), service: key.name.clone() };
    world.at(at, world::Due::Ecs(due));
}

/// Has the scheduler look at every service of a cluster.
pub(crate) fn wake_cluster(world: &mut World, cluster: &str) {
    for key in keys(world, cluster, |_| true) {
        wake(world, &key);
    }
}

/// An instance has got room: services that lacked it try again at once.
pub(crate) fn capacity_changed(world: &mut World, cluster: &str) {
    for key in keys(world, cluster, |service| service.pace.misplaced > 0) {
        if let Some(service) = world.ecs.service_mut(&key) {
            service.pace.room_seen = true;
        }
        wake(world, &key);
    }
}

fn keys(world: &World, cluster: &str, wanted: impl Fn(&Service) -> bool) -> Vec<ServiceKey> {
    let services = world.ecs.clusters.get(cluster).into_iter().flat_map(|it| it.services.values());
    services.filter(|it| wanted(it)).map(|it| it.key.clone()).collect()
}

/// One pass, unless a later one has been asked for instead.
pub(crate) fn pass(world: &mut World, key: &ServiceKey) {
    let now = world.now();
    let Some(service) = world.ecs.service_mut(key) else { return };
    if service.pace.next_pass != Some(now) {
        return;
    }
    service.pace.next_pass = None;
    announce(world, key);
    health::look(world, key);
    let started = keep_counts(world, key);
    conclude(world, key);
    alarms::look(world, key);
    let moved = staged::advance(world, key);
    look_again(world, key, started, moved);
}

/// Stops and starts what each set of tasks has too many or too few of. Returns how many it
/// started.
fn keep_counts(world: &mut World, key: &ServiceKey) -> usize {
    let sets = world.ecs.service(key).map(staged::sets).unwrap_or_default();
    let mut started = 0;
    for set in &sets {
        let census = Census::of_set(world, key, set);
        let stopped = stop_tasks(world, key, set, &census);
        started += start_tasks(world, key, set, &census, stopped);
    }
    started
}

/// The PRIMARY deployment says once that it is in progress; releases follow.
fn announce(world: &mut World, key: &ServiceKey) {
    let now = world.now();
    let Some(service) = world.ecs.service_mut(key) else { return };
    for release in &mut service.releases {
        match release.status {
            ReleaseStatus::Pending => {
                release.status = ReleaseStatus::InProgress;
                release.started_at = Some(now);
            }
            ReleaseStatus::RollbackRequested => release.status = ReleaseStatus::RollbackInProgress,
            ReleaseStatus::StopRequested => {
                release.status = ReleaseStatus::Stopped;
                release.stopped_at = Some(now);
                release.finished_at = Some(now);
            }
            _ => continue,
        }
        release.updated_at = now;
    }
    let Some(primary) = service.primary_mut().filter(|it| !it.announced) else { return };
    primary.announced = true;
    let id = primary.id.clone();
    events::deployment_changed(world, key, &id);
}

/// Which tasks may be stopped now.
fn stoppable(service: &Service, set: &Set, census: &Census) -> Vec<String> {
    let desired = set.wanted as usize;
    let mut spare = census.healthy().saturating_sub(service.settings.least_healthy(set.wanted));
    let mut stop = Vec::new();
    // Old tasks that serve nobody go at once; healthy ones as the minimum allows.
    let mut old: Vec<&Member> = census.old.iter().filter(|it| !it.protected).collect();
    old.sort_by_key(|it| (it.healthy, it.created));
    // More new ones than wanted: first those not running yet, then from the fullest zone,
    // the newest first.
    let excess = census.fresh.len().saturating_sub(desired);
    let mut fresh: Vec<&Member> = census.fresh.iter().filter(|it| !it.protected).collect();
    let in_zone = |az: &str| census.fresh.iter().filter(|it| it.az == az).count();
    fresh.sort_by_key(|it| {
        (it.running, it.healthy, std::cmp::Reverse(in_zone(&it.az)), std::cmp::Reverse(it.created))
    });
    for member in old.into_iter().chain(fresh.into_iter().take(excess)) {
        if member.healthy {
            if spare == 0 {
                continue;
            }
            spare -= 1;
        }
        stop.push(member.id.clone());
    }
    stop
}

/// Tasks that have become unhealthy are stopped once they are replaced, or one by one
/// where the maximum leaves no room for their replacements.
fn failing_to_stop(service: &Service, set: &Set, census: &Census) -> usize {
    let replaced = census.healthy_fresh() >= set.wanted as usize;
    let full = census.total() >= service.settings.most_tasks(set.wanted);
    match (replaced, full && census.leaving == 0) {
        (true, _) => census.failing.len(),
        (false, true) => census.failing.len().min(1),
        (false, false) => 0,
    }
}

fn stop_tasks(world: &mut World, key: &ServiceKey, set: &Set, census: &Census) -> usize {
    let Some(service) = world.ecs.service(key) else { return 0 };
    let stop = stoppable(service, set, census);
    let failing = failing_to_stop(service, set, census);
    let reason = scaling_reason(service);
    for member in census.failing.iter().take(failing) {
        let group = failing_group(world, key, &member.id);
        health::fail(world, key, &member.id, &group);
    }
    for id in &stop {
        stopping::request(world, id, StopCode::ServiceSchedulerInitiated, &reason);
    }
    if !stop.is_empty() {
        let message = format!("has stopped {} running tasks: {}.", stop.len(), task_list(&stop));
        events::say(world, key, &message);
    }
    stop.len() + failing
}

fn failing_group(world: &World, key: &ServiceKey, id: &str) -> String {
    let grace = world.ecs.service(key).map_or(0, |it| it.settings.grace_secs());
    match world.ecs.tasks.get(id).map(|task| health::of(world, task, grace)) {
        Some(Health::Failing(group)) => group,
        _ => String::new(),
    }
}

fn scaling_reason(service: &Service) -> String {
    let id = service.primary().map(|it| it.id.clone()).unwrap_or_default();
    format!("Scaling activity initiated by (deployment {id})")
}

fn task_list(ids: &[String]) -> String {
    ids.iter().map(|id| format!("(task {id})")).collect::<Vec<_>>().join(" ")
}

/// Starts what is missing, as far as the maximum and the instances allow. Returns how
/// many it started.
fn start_tasks(world: &mut World, key: &ServiceKey, set: &Set, census: &Census, stopped: usize) -> usize {
    let now = world.now();
    let Some(service) = world.ecs.service(key) else { return 0 };
    let missing = missing(set, census);
    let room = service.settings.most_tasks(set.wanted).saturating_sub(census.total());
    if missing > 0 && room == 0 && stopped == 0 {
        say_deadlock(world, key, census);
        return 0;
    }
    let held = service.pace.not_before.is_some_and(|at| now < at) && !service.pace.room_seen;
    if held || missing == 0 {
        return 0;
    }
    let mut started = Vec::new();
    for _ in 0..missing.min(room).min(BATCH) {
        match start_one(world, key, set) {
            Some(Ok(id)) => started.push(id),
            Some(Err(refusal)) => {
                misplaced(world, key, &refusal);
                break;
            }
            None => break,
        }
    }
    if !started.is_empty() {
        let message = format!("has started {} tasks: {}.", started.len(), task_list(&started));
        events::say(world, key, &message);
    }
    started.len()
}

/// How many tasks a set lacks.
fn missing(set: &Set, census: &Census) -> usize {
    if set.starts { (set.wanted as usize).saturating_sub(census.fresh.len()) } else { 0 }
}

/// Minimum and maximum permit neither a stop nor a start: AWS says so, and waits.
fn say_deadlock(world: &mut World, key: &ServiceKey, census: &Census) {
    let moving = census.leaving > 0 || census.fresh.iter().chain(&census.old).any(|it| !it.healthy);
    let Some(service) = world.ecs.service_mut(key) else { return };
    if moving || service.pace.deadlock_said {
        return;
    }
    service.pace.deadlock_said = true;
    let message = "was unable to stop or start tasks during a deployment because of the service deployment \
                   configuration. Update the minimumHealthyPercent or maximumPercent value and try again.";
    events::say(world, key, message);
}

/// Places and launches one task of a set.
fn start_one(world: &mut World, key: &ServiceKey, set: &Set) -> Option<Result<String, Refusal>> {
    let service = world.ecs.service(key)?;
    let revision = service.revision(&set.revision)?;
    let definition = task_definitions::find(world, &revision.task_definition)?;
    let plan = blueprint::Blueprint::read(&definition.record);
    let group = format!("service:{}", key.name);
    let list = |name: &str| service.settings.member(name).as_array().cloned().unwrap_or_default();
    let (constraints, strategy) = (list("placementConstraints"), list("placementStrategy"));
    let shares = providers::strategy(&service.settings.member("capacityProviderStrategy"));
    let provider = providers::next_for(world, &key.cluster, &group, &shares);
    let rules = Rules {
        cluster: &key.cluster,
        group: &group,
        constraints: &constraints,
        strategy: &strategy,
        provider: provider.as_deref(),
    };
    let instance = match placement::choose(world, &plan, &rules) {
        Ok(instance) => instance,
        Err(refusal) => return Some(Err(refusal)),
    };
    let tags = match service.settings.member("propagateTags").as_str() {
        Some("SERVICE") => service.tags.clone(),
        Some("TASK_DEFINITION") => definition.tags.clone(),
        _ => super::tags::Tags::default(),
    };
    let launch = Launch {
        cluster: key.cluster.clone(),
        task_definition: definition.arn.clone(),
        plan,
        owner: Some(Owner {
            service: key.clone(),
            deployment: set.deployment.clone(),
            revision: set.revision.clone(),
        }),
        started_by: Some(set.deployment.clone()),
        group,
        tags,
        overrides: Value::Null,
        execute_command: service.settings.member("enableExecuteCommand") == json!(true),
    };
    let id = lifecycle::launch(world, launch, &instance);
    let service = world.ecs.service_mut(key)?;
    service.tasks.insert(id.clone());
    service.pace.misplaced = 0;
    service.pace.not_before = None;
    Some(Ok(id))
}

/// No instance took a task. A try of its own (rather than one because room was seen)
/// is told, counted, and followed by a longer wait.
fn misplaced(world: &mut World, key: &ServiceKey, refusal: &Refusal) {
    let now = world.now();
    let Some(service) = world.ecs.service_mut(key) else { return };
    service.pace.room_seen = false;
    if service.pace.not_before.is_some_and(|at| now < at) {
        return;
    }
    let wait = (15_u64 << service.pace.misplaced.min(5)).min(300);
    service.pace.misplaced += 1;
    service.pace.not_before = Some(now + Duration::from_secs(wait));
    let strategy = service.settings.member("capacityProviderStrategy");
    if providers::waits_for_capacity(world, &providers::strategy(&strategy)) {
        return;
    }
    let closest = refusal.closest.as_ref().and_then(|id| world.ecs.instances.get(id));
    let arns: Vec<String> = closest.iter().map(|it| it.arn.clone()).collect();
    let why = match closest {
        None => format!("Reason: {}", Obstacle::NoInstances.reason()),
        Some(it) => {
            format!("The closest matching (container-instance {}) {}.", it.id, refusal.obstacle.words())
        }
    };
    let message = format!(
        "was unable to place a task because no container instance met all of its requirements. {why} For more \
         information, see the Troubleshooting section of the Amazon ECS Developer Guide."
    );
    events::say(world, key, &message);
    let mut more = json!({ "reason": refusal.obstacle.reason() });
    if !arns.is_empty() {
        more["containerInstanceArns"] = json!(arns);
    }
    events::service_action(world, key, "ERROR", "SERVICE_TASK_PLACEMENT_FAILURE", &more);
    breaker::placement_failed(world, key);
}

/// Deployments without tasks go; what has reached its end says so.
fn conclude(world: &mut World, key: &ServiceKey) {
    let census = Census::take(world, key);
    let Some(service) = world.ecs.service(key) else { return };
    let has_tasks = |revision: &str| {
        let mut tasks = service.tasks.iter().filter_map(|id| world.ecs.tasks.get(id));
        tasks.any(|task| task.owner.as_ref().is_some_and(|owner| owner.revision == revision))
    };
    let is_source = |revision: &str| staged::wanted(service, revision).is_some_and(|it| it > 0);
    let kept: Vec<String> = service
        .deployments
        .iter()
        .enumerate()
        .filter(|(index, it)| *index == 0 || has_tasks(&it.revision) || is_source(&it.revision))
        .map(|(_, it)| it.id.clone())
        .collect();
    let Some(service) = world.ecs.service_mut(key) else { return };
    service.deployments.retain(|it| kept.contains(&it.id));
    let settled = census.is_settled(service.desired as usize);
    if service.status == ServiceStatus::Draining {
        retire(world, key);
        return;
    }
    if !settled {
        service.pace.steady = false;
    }
    let unstaged = staged::current(service).is_none();
    let in_progress = service.primary().is_some_and(|it| it.rollout == Rollout::InProgress);
    if unstaged && in_progress && world.ecs.service(key).is_some_and(|it| deployment::has_rolled(world, it)) {
        deployment::complete(world, key);
    }
    if settled {
        steady(world, key);
    }
}

/// Says once that the service is steady.
fn steady(world: &mut World, key: &ServiceKey) {
    let Some(service) = world.ecs.service_mut(key) else { return };
    let completed = service.primary().is_some_and(|it| it.rollout == Rollout::Completed);
    if !completed || service.pace.steady {
        return;
    }
    service.pace.steady = true;
    events::say(world, key, "has reached a steady state.");
    events::service_action(world, key, "INFO", "SERVICE_STEADY_STATE", &json!({}));
}

/// A service that was deleted is INACTIVE once all its tasks are stopping or stopped.
fn retire(world: &mut World, key: &ServiceKey) {
    let now = world.now();
    let Some(service) = world.ecs.service(key) else { return };
    let mut tasks = service.tasks.iter().filter_map(|id| world.ecs.tasks.get(id));
    if !tasks.all(|task| task.status >= TaskStatus::Stopping) {
        return;
    }
    let Some(service) = world.ecs.service_mut(key) else { return };
    service.status = ServiceStatus::Inactive;
    if let Some(release) = service.release_mut().filter(|it| !it.status.is_over()) {
        release.status = ReleaseStatus::Stopped;
        release.finished_at = Some(now);
    }
}

/// When the next pass is needed for what no call and no task will tell.
fn look_again(world: &mut World, key: &ServiceKey, started: usize, moved: bool) {
    let now = world.now();
    let Some(service) = world.ecs.service(key) else { return };
    let grace = service.settings.grace_secs();
    let tasks = service.tasks.iter().filter_map(|id| world.ecs.tasks.get(id));
    let watched = tasks.filter(|it| it.wanted && it.status == TaskStatus::Running && !it.targets.is_empty());
    let mut next = watched
        .map(|task| match health::of(world, task, grace) {
            Health::Healthy => now + WATCH,
            Health::Waiting | Health::Failing(_) => now + REACTION,
        })
        .min();
    let can_start = |set: &Set| {
        let census = Census::of_set(world, key, set);
        missing(set, &census) > 0 && service.settings.most_tasks(set.wanted) > census.total()
    };
    if staged::sets(service).iter().any(can_start) {
        let retry = service.pace.not_before.filter(|at| *at > now).unwrap_or(now + REACTION);
        next = Some(next.map_or(retry, |next| next.min(retry)));
    }
    for look in staged::next_look(service)
        .into_iter()
        .chain(alarms::next_look(service))
        .chain(protection::next_look(world, service))
    {
        next = Some(next.map_or(look, |next| next.min(look)).max(now + REACTION));
    }
    if started >= BATCH || moved {
        next = Some(now + REACTION);
    }
    if let Some(next) = next {
        schedule(world, key, next);
    }
}
