//! Hooks at work: calling functions and calling them again, holding at pauses, time limits.
//!
//! All hooks of a stage run side by side, the stage is over when all of them are, and one
//! that wants a rollback wins over the others.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::super::deployment::Release;
use super::super::service::{Service, ServiceKey};
use super::super::strategy::{self, Hook, HookAction, HookKind, Share, Stage};
use super::super::{events, hex_id};
use super::progress::{HookRun, HookStatus, Progress, current, current_mut};
use crate::iam::Ask;
use crate::lambda;
use crate::world::World;

/// What the configuration hands to each function's first call.
pub(super) fn first_details(configuration: &Value) -> BTreeMap<usize, Value> {
    let hooks = strategy::hooks(configuration).unwrap_or_default().into_iter().enumerate();
    hooks.filter_map(|(index, hook)| Some((index, hook.details?))).collect()
}

/// Starts every hook of a stage.
pub(super) fn call_all(world: &mut World, key: &ServiceKey, stage: Stage) {
    start(world, key, stage, |hook| hook.stages.contains(&stage));
}

/// Starts the functions of a traffic stage, for a rollback to be told. (Nothing pauses there.)
pub(super) fn tell(world: &mut World, key: &ServiceKey, stage: Stage) {
    start(world, key, stage, |hook| hook.kind == HookKind::AwsLambda && hook.stages.contains(&stage));
}

fn start(world: &mut World, key: &ServiceKey, stage: Stage, wanted: impl Fn(&Hook) -> bool) {
    let Some((release, _)) = world.ecs.service(key).and_then(current) else { return };
    let hooks = strategy::hooks(&release.configuration).unwrap_or_default().into_iter().enumerate();
    let hooks: Vec<(usize, Hook)> = hooks.filter(|(_, hook)| wanted(hook)).collect();
    for (index, hook) in hooks {
        let run = made(world, index, hook, stage);
        let id = run.id.clone();
        let kind = run.kind;
        if let Some(progress) = world.ecs.service_mut(key).and_then(current_mut) {
            progress.hooks.push(run);
        }
        match kind {
            HookKind::AwsLambda => invoke(world, key, &id),
            HookKind::Pause => events::hook_changed(world, key, &id),
        }
    }
}

fn made(world: &mut World, index: usize, hook: Hook, stage: Stage) -> HookRun {
    let (name, status) = match hook.kind {
        HookKind::AwsLambda => ("lambda", HookStatus::InProgress),
        HookKind::Pause => ("pause", HookStatus::AwaitingAction),
    };
    let id = format!("ecs-{name}-{}{}", hex_id(world), &hex_id(world)[..11]);
    HookRun {
        id,
        index,
        kind: hook.kind,
        function: hook.function,
        role: hook.role,
        stage,
        status,
        expires_at: world.now() + hook.timeout,
        timeout_action: hook.timeout_action,
        again_at: None,
    }
}

/// Calls a hook's function with what it handed on the last time.
fn invoke(world: &mut World, key: &ServiceKey, id: &str) {
    let Some(service) = world.ecs.service(key) else { return };
    let Some((release, progress)) = current(service) else { return };
    let Some(run) = progress.hooks.iter().find(|it| it.id == id) else { return };
    let payload = payload(service, release, progress, run);
    let function = run.function.clone().unwrap_or_default();
    let role = run.role.clone().unwrap_or_default();
    let caller = lambda::Caller::EcsHook { hook: id.to_owned() };
    if !may_invoke(world, &role, &function) || lambda::invoke(world, &function, payload, caller).is_none() {
        // Looked at with the next pass, as an answer would be.
        set_status(world, key, id, HookStatus::Failed);
    }
}

/// By the hook's role, where it is known here: a role that a person made may everything.
fn may_invoke(world: &mut World, role: &str, function: &str) -> bool {
    let asked = Ask::new("lambda:InvokeFunction", function).key("aws:RequestedRegion", &world.config.region);
    world.gate.permissions.decide(role, &asked).is_ok()
}

/// What AWS sends, member by member as in the guide's samples.
fn payload(service: &Service, release: &Release, progress: &Progress, run: &HookRun) -> Value {
    let weights = |share: Share| -> Value {
        let mut weights = Map::new();
        weights.insert(release.target.clone(), json!(share.whole_percent()));
        if let Some(source) = &progress.source {
            weights.insert(source.revision.clone(), json!(100 - share.whole_percent()));
        }
        Value::Object(weights)
    };
    let (test, production) = match run.stage {
        Stage::TestTrafficShift => (weights(progress.test), json!({})),
        Stage::PreProductionTrafficShift | Stage::ProductionTrafficShift => {
            (json!({}), weights(progress.production))
        }
        _ => (json!({}), json!({})),
    };
    let mut payload = json!({
        "executionId": progress.execution,
        "lifecycleStage": run.stage,
        "resourceArn": release.arn,
        "executionDetails": {
            "serviceArn": service.arn,
            "targetServiceRevisionArn": release.target,
            "testTrafficWeights": test,
            "productionTrafficWeights": production,
        },
    });
    if let Some(details) = progress.details.get(&run.index) {
        payload["hookDetails"] = details.clone();
    }
    payload
}

/// Calls again what wants it, and ends what took too long. Returns why the deployment is to
/// be rolled back, if a hook wants so.
pub(super) fn look(world: &mut World, key: &ServiceKey) -> Option<String> {
    let now = world.now();
    let runs = world.ecs.service(key).and_then(current).map(|(_, it)| it.hooks.clone());
    for run in runs.unwrap_or_default() {
        if run.status.is_open() && now >= run.expires_at {
            set_status(world, key, &run.id, HookStatus::TimedOut);
        } else if run.status.is_open() && run.again_at.is_some_and(|at| now >= at) {
            if let Some(run) = world.ecs.service_mut(key).and_then(|it| find(it, &run.id)) {
                run.again_at = None;
            }
            invoke(world, key, &run.id);
        }
    }
    let (_, progress) = world.ecs.service(key).and_then(current)?;
    progress.hooks.iter().find_map(|run| match (run.status, run.timeout_action) {
        (HookStatus::Failed, _) => Some(format!("ECS deployment lifecycle hook {} failed.", run.id)),
        (HookStatus::TimedOut, HookAction::Rollback) => {
            Some(format!("ECS deployment lifecycle hook {} timed out.", run.id))
        }
        _ => None,
    })
}

/// A hook of a service's release under way.
pub(super) fn find<'a>(service: &'a mut Service, id: &str) -> Option<&'a mut HookRun> {
    current_mut(service)?.hooks.iter_mut().find(|run| run.id == id)
}

/// A hook has come to its end; of a pause an event tells.
pub(super) fn set_status(world: &mut World, key: &ServiceKey, id: &str, status: HookStatus) {
    let Some(run) = world.ecs.service_mut(key).and_then(|service| find(service, id)) else { return };
    run.status = status;
    run.again_at = None;
    if run.kind == HookKind::Pause {
        events::hook_changed(world, key, id);
    }
}
