//! The calls on service deployments and service revisions.

use serde_json::{Value, json};

use super::alarms;
use super::args::{self, invalid};
use super::deployment::{Release, ReleaseStatus, Revision};
use super::describe;
use super::service::{Service, ServiceKey};
use super::services;
use super::staged::{self, Progress, Then};
use super::strategy::Share;
use crate::call::{ApiError, Reply};
use crate::world::World;

/// `ListServiceDeployments`: newest first.
pub(crate) fn list(world: &World, input: &Value) -> Reply {
    let key = services::of_call(world, input, "service")?;
    let statuses = args::texts(input, "status")?;
    let created = input.get("createdAt").cloned().unwrap_or(Value::Null);
    let (after, before) = (created["after"].as_f64(), created["before"].as_f64());
    let service = world.ecs.service(&key);
    let releases = service.into_iter().flat_map(|it| it.releases.iter().rev()).filter(|release| {
        let status = json!(release.status);
        let at = release.created_at.epoch_secs();
        (statuses.is_empty() || statuses.iter().any(|it| status == json!(it)))
            && after.is_none_or(|after| at >= after)
            && before.is_none_or(|before| at <= before)
    });
    let releases: Vec<&Release> = releases.collect();
    let arns = releases.iter().map(|it| it.arn.clone()).collect();
    let mut page = args::page(input, "serviceDeployments", arns, 20, 100)?;
    let briefs: Vec<Value> = page["serviceDeployments"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|arn| releases.iter().find(|it| json!(it.arn) == *arn))
        .map(|release| brief(world, &key, release))
        .collect();
    page["serviceDeployments"] = json!(briefs);
    Ok(page)
}

fn put_time(output: &mut Value, member: &str, time: Option<crate::time::Time>) {
    if let Some(time) = time {
        output[member] = json!(time.epoch_secs());
    }
}

fn brief(world: &World, key: &ServiceKey, release: &Release) -> Value {
    let mut output = json!({
        "serviceDeploymentArn": release.arn,
        "serviceArn": world.arn("ecs", &format!("service/{}/{}", key.cluster, key.name)),
        "clusterArn": world.arn("ecs", &format!("cluster/{}", key.cluster)),
        "createdAt": release.created_at.epoch_secs(),
        "targetServiceRevisionArn": release.target,
        "status": release.status,
    });
    put_time(&mut output, "startedAt", release.started_at);
    put_time(&mut output, "finishedAt", release.finished_at);
    if let Some(reason) = &release.reason {
        output["statusReason"] = json!(reason);
    }
    output
}

fn full(world: &World, service: &Service, release: &Release) -> Value {
    let mut output = brief(world, &service.key, release);
    if let Some(members) = output.as_object_mut() {
        members.remove("targetServiceRevisionArn");
    }
    put_time(&mut output, "stoppedAt", release.stopped_at);
    output["updatedAt"] = json!(release.updated_at.epoch_secs());
    output["deploymentConfiguration"] = release.configuration.clone();
    let summary = |arn: &String, requested: Option<usize>| {
        let counts = describe::counts(world, service, Some(arn));
        json!({
            "arn": arn,
            "requestedTaskCount": requested.unwrap_or(counts.wanted),
            "runningTaskCount": counts.running,
            "pendingTaskCount": counts.pending,
        })
    };
    let under_way = !release.status.is_over();
    let wanted = |arn: &str| under_way.then(|| staged::wanted(service, arn)).flatten();
    output["sourceServiceRevisions"] = release.sources.iter().map(|arn| summary(arn, wanted(arn))).collect();
    let is_current = service.primary().is_some_and(|it| it.revision == release.target);
    let requested = wanted(&release.target).or(is_current.then_some(service.desired as usize));
    output["targetServiceRevision"] = summary(&release.target, requested);
    if let Some(progress) = &release.progress {
        stages(&mut output, progress);
    }
    let breaker = &release.breaker;
    output["deploymentCircuitBreaker"] =
        json!({ "status": breaker.status, "failureCount": breaker.failures, "threshold": breaker.threshold });
    if let Some(alarms) = &release.alarms {
        output["alarms"] = alarms::describe(alarms);
    }
    if let Some(rollback) = &release.rollback {
        output["rollback"] = json!({
            "reason": rollback.reason,
            "startedAt": rollback.started_at.epoch_secs(),
            "serviceRevisionArn": rollback.revision,
        });
    }
    output
}

/// What only a deployment with stages has.
fn stages(output: &mut Value, progress: &Progress) {
    output["lifecycleStage"] = json!(progress.stage);
    let hooks = progress.hooks.iter().map(|run| {
        let mut hook = json!({
            "hookId": run.id,
            "targetType": run.kind,
            "status": run.status,
            "expiresAt": run.expires_at.epoch_secs(),
            "timeoutAction": run.timeout_action,
        });
        if let Some(function) = &run.function {
            hook["targetArn"] = json!(function);
        }
        hook
    });
    output["lifecycleHookDetails"] = hooks.collect();
    if !progress.strategy.has_two_sets() {
        return;
    }
    let weigh = |revision: &mut Value, production: Share, test: Share| {
        revision["requestedProductionTrafficWeight"] = json!(production.percent());
        revision["requestedTestTrafficWeight"] = json!(test.percent());
    };
    let (production, test) = (progress.production, progress.test);
    weigh(&mut output["targetServiceRevision"], production, test);
    let source = progress.source.as_ref().map(|it| json!(it.revision));
    for revision in output["sourceServiceRevisions"].as_array_mut().into_iter().flatten() {
        if source.as_ref() == Some(&revision["arn"]) {
            weigh(revision, production.rest(), test.rest());
        } else {
            weigh(revision, Share::NONE, Share::NONE);
        }
    }
}

/// The service in an ARN `…:service-deployment/<cluster>/<service>/<id>`.
fn service_of<'a>(world: &'a World, arn: &str) -> Option<&'a Service> {
    let mut parts = arn.split('/').skip(1);
    let key = ServiceKey { cluster: parts.next()?.to_owned(), name: parts.next()?.to_owned() };
    world.ecs.service(&key)
}

/// Reads up to 20 ARNs and describes each by `one`; the unknown are failures.
fn describe_each(
    world: &World,
    input: &Value,
    member: &str,
    one: impl Fn(&Service, &str) -> Option<Value>,
) -> Reply {
    let arns = args::texts(input, &format!("{member}Arns"))?;
    if arns.is_empty() || arns.len() > 20 {
        return Err(invalid(format!("{member}Arns must have from 1 to 20 items.")));
    }
    let (mut found, mut failures) = (Vec::new(), Vec::new());
    for arn in arns {
        match service_of(world, arn).and_then(|service| one(service, arn)) {
            Some(output) => found.push(output),
            None => failures.push(args::failure(arn, "MISSING")),
        }
    }
    Ok(json!({ format!("{member}s"): found, "failures": failures }))
}

pub(crate) fn describe_all(world: &World, input: &Value) -> Reply {
    describe_each(world, input, "serviceDeployment", |service, arn| {
        service.releases.iter().find(|it| it.arn == arn).map(|release| full(world, service, release))
    })
}

pub(crate) fn describe_revisions(world: &World, input: &Value) -> Reply {
    describe_each(world, input, "serviceRevision", |service, arn| {
        service.revision(arn).map(|it| revision(world, service, it))
    })
}

fn revision(world: &World, service: &Service, revision: &Revision) -> Value {
    let mut output = json!({
        "serviceRevisionArn": revision.arn,
        "serviceArn": service.arn,
        "clusterArn": world.arn("ecs", &format!("cluster/{}", service.key.cluster)),
        "taskDefinition": revision.task_definition,
        "createdAt": revision.created_at.epoch_secs(),
        "guardDutyEnabled": false,
    });
    for (member, value) in &revision.stored {
        output[member] = value.clone();
    }
    let definition = super::task_definitions::find(world, &revision.task_definition);
    let containers = definition.map(|it| it.blueprint().containers).unwrap_or_default();
    let images = containers.iter().filter_map(|it| {
        let digest = revision.pins.get(&it.name)?;
        Some(json!({ "containerName": it.name, "image": it.image, "imageDigest": digest }))
    });
    output["containerImages"] = images.collect();
    let balancers = revision.load_balancers.iter().map(|it| {
        let mut resolved = json!({ "targetGroupArn": it.group });
        if let Some(advanced) = &it.advanced {
            resolved["productionListenerRule"] = json!(advanced.production);
        }
        resolved
    });
    output["resolvedConfiguration"] = json!({ "loadBalancers": balancers.collect::<Vec<_>>() });
    output
}

/// The service deployment of an ARN, and its service.
pub(crate) fn find<'a>(world: &'a World, arn: &str) -> Result<(&'a Service, &'a Release), ApiError> {
    let missing = || ApiError::client("ServiceDeploymentNotFoundException", "Service deployment not found.");
    let service = service_of(world, arn).ok_or_else(missing)?;
    let release = service.releases.iter().find(|it| it.arn == arn).ok_or_else(missing)?;
    Ok((service, release))
}

/// `StopServiceDeployment`: rolls back, whether or not the service is configured to.
pub(crate) fn stop(world: &mut World, input: &Value) -> Reply {
    let now = world.now();
    let arn = args::required(input, "serviceDeploymentArn")?.to_owned();
    match args::text(input, "stopType")? {
        None | Some("ROLLBACK") => {}
        Some(other) => return Err(invalid(format!("Invalid stopType: {other}"))),
    }
    let (service, release) = find(world, &arn)?;
    match release.status {
        ReleaseStatus::Pending | ReleaseStatus::InProgress => {}
        // It stops, or goes back, as it does already.
        ReleaseStatus::StopRequested
        | ReleaseStatus::RollbackRequested
        | ReleaseStatus::RollbackInProgress => return Ok(json!({ "serviceDeploymentArn": arn })),
        _ => {
            return Err(ApiError::client(
                "ConflictException",
                "The service deployment cannot be stopped: it is not in progress.",
            ));
        }
    }
    let source = staged::current(service).and_then(|(_, progress)| progress.source.as_ref());
    if source.or(service.completed.as_ref()).is_none() {
        return Err(ApiError::client(
            "ConflictException",
            "The service deployment cannot be rolled back: the service has no completed deployment.",
        ));
    }
    let key = service.key.clone();
    staged::fail(
        world,
        &key,
        "ECS deployment stopped by user",
        "Service deployment stopped by user.",
        Then::RollBack,
    );
    if let Some(release) = world.ecs.service_mut(&key).and_then(Service::release_mut) {
        release.reason = Some("Service deployment stopped by user.".to_owned());
        release.stopped_at = Some(now);
        release.status = match release.status {
            ReleaseStatus::RollbackInProgress => ReleaseStatus::RollbackRequested,
            other => other,
        };
    }
    Ok(json!({ "serviceDeploymentArn": arn }))
}
