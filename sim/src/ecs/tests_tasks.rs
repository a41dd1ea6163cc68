//! Tasks of no service, and tasks that are not to be stopped.

#![expect(clippy::needless_pass_by_value, reason = "a call reads best with its input in place")]

use serde_json::{Value, json};

use super::testing::{
    call, effects, emitted, instance, pass, push, refused, register, release, running, service, shop,
    steady_shop, world,
};
use super::view;
use crate::world::World;

/// A world with one instance and the task definition `job`, which ends after 5 s.
fn with_job(code: &str) -> World {
    let mut world = world();
    instance(&mut world, 1, 4000);
    push(&mut world, "job", [("sim.crash_secs", "5"), ("sim.crash_code", code)]);
    register(&mut world, "job", &shop("job"), 256);
    world
}

fn run(world: &mut World, more: Value) -> Value {
    let mut input = json!({"cluster": "main", "taskDefinition": "job"});
    for (member, value) in more.as_object().unwrap() {
        input[member] = value.clone();
    }
    call(world, "RunTask", input)
}

#[test]
fn a_task_runs_and_ends_with_its_exit_code() {
    for code in ["0", "3"] {
        let mut world = with_job(code);
        let out = run(&mut world, json!({"startedBy": "windlass/1", "group": "jobs"}));
        let arn = out["tasks"][0]["taskArn"].clone();
        assert_eq!(
            (&out["tasks"][0]["startedBy"], &out["tasks"][0]["group"]),
            (&json!("windlass/1"), &json!("jobs"))
        );
        pass(&mut world, 4);
        let listed = call(&mut world, "ListTasks", json!({"cluster": "main", "startedBy": "windlass/1"}));
        assert_eq!(listed["taskArns"], json!([arn]));
        pass(&mut world, 10);
        let tasks = call(&mut world, "DescribeTasks", json!({"cluster": "main", "tasks": [arn]}));
        let task = &tasks["tasks"][0];
        assert_eq!(
            (&task["lastStatus"], &task["stopCode"]),
            (&json!("STOPPED"), &json!("EssentialContainerExited"))
        );
        assert_eq!(task["containers"][0]["exitCode"].to_string(), code);
        let other = call(&mut world, "ListTasks", json!({"cluster": "main", "startedBy": "else"}));
        assert_eq!(other["taskArns"], json!([]));
    }
}

#[test]
fn the_same_token_runs_once() {
    let mut world = with_job("0");
    let first = run(&mut world, json!({"clientToken": "t", "count": 2}));
    let again = run(&mut world, json!({"clientToken": "t", "count": 2}));
    let arns = |out: &Value| -> Vec<Value> {
        out["tasks"].as_array().unwrap().iter().map(|it| it["taskArn"].clone()).collect()
    };
    assert_eq!((arns(&first).len(), arns(&first)), (2, arns(&again)));
    let input = json!({"cluster": "main", "taskDefinition": "job", "clientToken": "t", "count": 3});
    let error = refused(&mut world, "RunTask", input);
    assert_eq!(error.code, "ConflictException");
    assert_eq!(error.extra.unwrap()["resourceIds"], json!(arns(&first)));
    pass(&mut world, 25 * 3600);
    assert_eq!(arns(&run(&mut world, json!({"clientToken": "t", "count": 1}))).len(), 1, "forgotten");
}

#[test]
fn overrides_are_kept_and_must_fit() {
    let mut world = with_job("0");
    let migrate = json!({"name": "web", "command": ["migrate"],
        "environment": [{"name": "STEP", "value": "1"}]});
    let out = run(&mut world, json!({"overrides": {"containerOverrides": [migrate]}}));
    assert_eq!(out["tasks"][0]["overrides"]["containerOverrides"], json!([migrate]));
    let mut refuse = |overrides: Value| {
        let input = json!({"cluster": "main", "taskDefinition": "job", "overrides": overrides});
        refused(&mut world, "RunTask", input).code
    };
    assert_eq!(refuse(json!({"containerOverrides": [{"name": "db"}]})), "InvalidParameterException");
    let more = json!({"containerOverrides": [{"name": "web", "memory": 512}]});
    assert_eq!(refuse(more), "UnsupportedFeatureException");
    let group = json!({"cluster": "main", "taskDefinition": "job", "group": "service:shop"});
    assert_eq!(refused(&mut world, "RunTask", group).code, "InvalidParameterException");
}

#[test]
fn a_run_task_that_is_stopped_says_by_whom() {
    let mut world = with_job("0");
    let out = run(&mut world, json!({}));
    let arn = out["tasks"][0]["taskArn"].clone();
    pass(&mut world, 3);
    call(&mut world, "StopTask", json!({"cluster": "main", "task": arn, "reason": "enough"}));
    pass(&mut world, 3);
    let tasks = call(&mut world, "DescribeTasks", json!({"cluster": "main", "tasks": [arn]}));
    let task = &tasks["tasks"][0];
    assert_eq!((&task["stopCode"], &task["stoppedReason"]), (&json!("UserInitiated"), &json!("enough")));
    assert!(!effects(&mut world).is_empty() && !emitted("ECS Task State Change").is_empty());
}

fn protect(world: &mut World, tasks: &[String], minutes: u32) -> Value {
    call(
        world,
        "UpdateTaskProtection",
        json!({"cluster": "main", "tasks": tasks, "protectionEnabled": true, "expiresInMinutes": minutes}),
    )
}

fn arns(world: &World) -> Vec<String> {
    view::service(world, "main", "shop").unwrap().tasks.into_iter().map(|it| it.arn).collect()
}

#[test]
fn a_protected_task_outlives_a_scale_in_until_its_protection_ends() {
    let mut world = steady_shop();
    let tasks = arns(&world);
    let newest = tasks[1..].to_vec();
    let out = protect(&mut world, &newest, 10);
    assert_eq!(out["protectedTasks"][0]["protectionEnabled"], true);
    call(&mut world, "UpdateService", json!({"cluster": "main", "service": "shop", "desiredCount": 1}));
    pass(&mut world, 60);
    assert_eq!(arns(&world), newest);
    call(&mut world, "UpdateService", json!({"cluster": "main", "service": "shop", "desiredCount": 0}));
    pass(&mut world, 500);
    assert_eq!(running(&world), 1);
    pass(&mut world, 60);
    assert_eq!(running(&world), 0);
}

#[test]
fn a_protected_task_holds_a_deployment_open() {
    let mut world = steady_shop();
    let first = arns(&world)[..1].to_vec();
    protect(&mut world, &first, 5);
    push(&mut world, "v2", []);
    release(&mut world, "v2");
    pass(&mut world, 200);
    assert_eq!(service(&mut world, "shop")["deployments"].as_array().unwrap().len(), 2);
    assert_eq!(service(&mut world, "shop")["deployments"][0]["rolloutState"], "IN_PROGRESS");
    pass(&mut world, 130);
    assert_eq!(service(&mut world, "shop")["deployments"][0]["rolloutState"], "COMPLETED");
}

#[test]
fn protection_is_told_and_refused_task_by_task() {
    let mut world = steady_shop();
    push(&mut world, "job", []);
    register(&mut world, "job", &shop("job"), 256);
    let alone = run(&mut world, json!({}))["tasks"][0]["taskArn"].as_str().unwrap().to_owned();
    let out = protect(&mut world, &[alone, "nobody".to_owned()], 10);
    let reasons: Vec<&Value> = out["failures"].as_array().unwrap().iter().map(|it| &it["reason"]).collect();
    assert_eq!(reasons, ["TASK_NOT_VALID", "MISSING"]);
    let all = arns(&world);
    protect(&mut world, &all, 10);
    call(&mut world, "UpdateService", json!({"cluster": "main", "service": "shop", "desiredCount": 1}));
    let out = protect(&mut world, &all[..1], 10);
    assert_eq!(out["failures"][0]["reason"], "DEPLOYMENT_BLOCKED");
    let told = call(&mut world, "GetTaskProtection", json!({"cluster": "main", "tasks": all}));
    assert_eq!(told["protectedTasks"].as_array().unwrap().len(), 2);
    assert!(told["protectedTasks"][0]["expirationDate"].is_number());
    let off = json!({"cluster": "main", "tasks": all, "protectionEnabled": false});
    call(&mut world, "UpdateTaskProtection", off);
    pass(&mut world, 30);
    assert_eq!(running(&world), 1);
}

/// `shop` of 4 tasks with early success at half of them.
fn early(cleanup: &str) -> World {
    let mut world = steady_shop();
    call(
        &mut world,
        "UpdateService",
        json!({"cluster": "main", "service": "shop", "desiredCount": 4, "deploymentConfiguration": {
            "minimumHealthyPercent": 50, "maximumPercent": 150, "earlySuccessCriteria":
                {"enable": true, "healthyPercent": 50, "sourceServiceRevisionCleanup": cleanup}}}),
    );
    pass(&mut world, 20);
    push(&mut world, "v2", []);
    release(&mut world, "v2");
    world
}

/// Tasks of (the old revision, the new one) when the deployment completes.
fn when_completed(world: &mut World) -> (usize, usize) {
    for _ in 0..600 {
        pass(world, 1);
        if service(world, "shop")["deployments"][0]["rolloutState"] == "COMPLETED" {
            let tasks = view::service(world, "main", "shop").unwrap().tasks;
            let of = |end: &str| tasks.iter().filter(|it| it.task_definition.ends_with(end)).count();
            return (of("shop:1"), of("shop:2"));
        }
    }
    panic!("never completed");
}

#[test]
fn early_success_completes_with_half_of_the_tasks() {
    let mut world = early("DEFERRED");
    let blocker = arns(&world)[..1].to_vec();
    protect(&mut world, &blocker, 30);
    let (old, new) = when_completed(&mut world);
    assert!(old > 0 && new >= 2, "{old} {new}");
    pass(&mut world, 3600);
    assert_eq!(running(&world), 4);
    assert_eq!(service(&mut world, "shop")["deployments"].as_array().unwrap().len(), 1);
    let mut world = early("BLOCKING");
    let blocker = arns(&world)[..1].to_vec();
    protect(&mut world, &blocker, 3);
    let (old, _) = when_completed(&mut world);
    assert_eq!(old, 0);
}
