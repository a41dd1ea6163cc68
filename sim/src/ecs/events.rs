//! What ECS says: onto the event bus, and into a service's own list of events.
//!
//! The shapes are those of `events/ecs-*.json`.

use serde_json::{Value, json};

use super::deployment::Rollout;
use super::describe::{self, Stamp};
use super::hex_id;
use super::service::ServiceKey;
use super::staged;
use crate::world::World;

fn emit(world: &mut World, kind: &str, resources: &[String], detail: Value) {
    #[cfg(test)]
    EMITTED.with_borrow_mut(|events| events.push((kind.to_owned(), resources.to_vec(), detail.clone())));
    world.emit("aws.ecs", kind, resources, detail);
}

#[cfg(test)]
thread_local! {
    /// What this test's world emitted: each test runs on a thread of its own.
    pub(super) static EMITTED: std::cell::RefCell<Vec<(String, Vec<String>, Value)>> =
        const { std::cell::RefCell::new(Vec::new()) };
}

/// A task changed: its version goes up and an event tells all of it.
pub(crate) fn task_changed(world: &mut World, id: &str) {
    let now = world.now();
    let Some(task) = world.ecs.tasks.get_mut(id) else { return };
    task.version += 1;
    task.times.updated = now;
    let arn = task.arn.clone();
    let Some(task) = world.ecs.tasks.get(id) else { return };
    let detail = describe::task(world, task, Stamp::Iso, false);
    emit(world, "ECS Task State Change", &[arn], detail);
}

/// An instance's resources or status changed.
pub(crate) fn instance_changed(world: &mut World, id: &str) {
    let now = world.now();
    let Some(instance) = world.ecs.instances.get_mut(id) else { return };
    instance.version += 1;
    let Some(instance) = world.ecs.instances.get(id) else { return };
    let arn = instance.arn.clone();
    let mut detail = describe::instance_core(instance);
    let cluster = world.ecs.clusters.get(&instance.cluster).map(|it| it.arn.clone());
    detail["clusterArn"] = json!(cluster);
    detail["updatedAt"] = json!(now.iso());
    emit(world, "ECS Container Instance State Change", &[arn], detail);
}

/// A deployment began, completed, or failed: by its `rolloutState`.
pub(crate) fn deployment_changed(world: &mut World, key: &ServiceKey, id: &str) {
    let now = world.now();
    let Some(service) = world.ecs.service(key) else { return };
    let Some(deployment) = service.deployments.iter().find(|it| it.id == id) else { return };
    let (kind, name) = match deployment.rollout {
        Rollout::InProgress => ("INFO", "SERVICE_DEPLOYMENT_IN_PROGRESS"),
        Rollout::Completed => ("INFO", "SERVICE_DEPLOYMENT_COMPLETED"),
        Rollout::Failed => ("ERROR", "SERVICE_DEPLOYMENT_FAILED"),
    };
    let detail = json!({
        "eventType": kind,
        "eventName": name,
        "deploymentId": id,
        "updatedAt": now.iso(),
        "reason": deployment.reason,
    });
    let arn = service.arn.clone();
    emit(world, "ECS Deployment State Change", &[arn], detail);
}

/// A pause came, went on, failed or timed out: by its status.
pub(crate) fn hook_changed(world: &mut World, key: &ServiceKey, id: &str) {
    let now = world.now();
    let Some(service) = world.ecs.service(key) else { return };
    let Some((release, progress)) = staged::current(service) else { return };
    let Some(run) = progress.hooks.iter().find(|run| run.id == id) else { return };
    let (kind, name) = run.status.event();
    let detail = json!({
        "eventType": kind,
        "eventName": name,
        "hookId": run.id,
        "hookType": run.kind,
        "expiresAt": run.expires_at.iso_secs(),
        "lifecycleStage": run.stage,
        "clusterArn": world.arn("ecs", &format!("cluster/{}", key.cluster)),
        "serviceArn": service.arn,
        "serviceDeploymentArn": release.arn,
        "updatedAt": now.iso(),
    });
    let resource = release.arn.clone();
    emit(world, "ECS Hook State Change", &[resource], detail);
}

/// An `ECS Service Action`; `more` are the members beside the common ones.
pub(crate) fn service_action(world: &mut World, key: &ServiceKey, kind: &str, name: &str, more: &Value) {
    let Some(service) = world.ecs.service(key) else { return };
    let arn = service.arn.clone();
    let cluster = world.ecs.clusters.get(&key.cluster).map(|it| it.arn.clone());
    let mut detail = json!({
        "eventType": kind,
        "eventName": name,
        "clusterArn": cluster,
        "createdAt": world.now().iso(),
    });
    for (member, value) in more.as_object().into_iter().flatten() {
        detail[member] = value.clone();
    }
    emit(world, "ECS Service Action", &[arn], detail);
}

/// Adds `(service <name>) <message>` to the service's own events.
pub(crate) fn say(world: &mut World, key: &ServiceKey, message: &str) {
    let now = world.now();
    let hex = hex_id(world);
    let id = format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]);
    if let Some(service) = world.ecs.service_mut(key) {
        let message = format!("(service {}) {message}", key.name);
        service.say(id, now, message);
    }
}
