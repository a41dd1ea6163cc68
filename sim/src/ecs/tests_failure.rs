//! What fails: images, tasks, instances, whole releases.

use serde_json::{Value, json};

use super::instances::remove_instance;
use super::testing::{
    call, deployment_events, emitted, instance, is_quiet, pass, push, refused, register, release, running,
    said, service, shop, steady_shop, world,
};
use super::view;

#[test]
fn an_image_that_is_not_there_trips_the_breaker_and_is_rolled_back() {
    let mut world = steady_shop();
    let before = service(&mut world, "shop")["deployments"][0]["id"].as_str().unwrap().to_owned();
    let kept: Vec<String> =
        view::service(&world, "main", "shop").unwrap().tasks.into_iter().map(|it| it.arn).collect();
    emitted("");
    let failed = release(&mut world, "missing")["deployments"][0]["id"].as_str().unwrap().to_owned();
    for _ in 0..60 {
        pass(&mut world, 1);
        assert_eq!(running(&world), 2, "the old tasks go on");
    }
    let shop = service(&mut world, "shop");
    let primary = &shop["deployments"][0];
    let names: Vec<(String, String)> = deployment_events();
    let id = primary["id"].as_str().unwrap().to_owned();
    assert_eq!(
        names,
        [
            ("SERVICE_DEPLOYMENT_IN_PROGRESS".to_owned(), failed.clone()),
            ("SERVICE_DEPLOYMENT_FAILED".to_owned(), failed.clone()),
            ("SERVICE_DEPLOYMENT_IN_PROGRESS".to_owned(), id.clone()),
            ("SERVICE_DEPLOYMENT_COMPLETED".to_owned(), id.clone()),
        ]
    );
    assert!(id != before && id != failed);
    assert!(shop["taskDefinition"].as_str().unwrap().ends_with("shop:1"));
    assert_eq!(shop["deployments"].as_array().unwrap().len(), 1);
    assert!(said(&world, &format!("(deployment {failed}) deployment failed: tasks failed to start.")));
    assert!(said(&world, &format!("rolling back to deployment {before}.")));
    let now: Vec<String> =
        view::service(&world, "main", "shop").unwrap().tasks.into_iter().map(|it| it.arn).collect();
    assert_eq!(now, kept, "no task of the old revision was replaced");
    let listed = call(&mut world, "ListServiceDeployments", json!({"cluster": "main", "service": "shop"}));
    let statuses: Vec<&Value> =
        listed["serviceDeployments"].as_array().unwrap().iter().map(|it| &it["status"]).collect();
    assert_eq!(statuses, ["ROLLBACK_SUCCESSFUL", "SUCCESSFUL"]);
    let stopped = call(
        &mut world,
        "ListTasks",
        json!({"cluster": "main", "serviceName": "shop", "desiredStatus": "STOPPED"}),
    );
    let tasks = call(&mut world, "DescribeTasks", json!({"cluster": "main", "tasks": stopped["taskArns"]}));
    let task = &tasks["tasks"][0];
    assert_eq!(task["stopCode"], "TaskFailedToStart");
    assert!(task["stoppedReason"].as_str().unwrap().starts_with("CannotPullContainerError: "));
    assert_eq!(task["startedBy"], failed.as_str());
}

#[test]
fn a_failed_first_deployment_stalls() {
    let mut world = world();
    instance(&mut world, 1, 4000);
    register(&mut world, "shop", &shop("none"), 256);
    call(
        &mut world,
        "CreateService",
        json!({"cluster": "main", "serviceName": "shop", "taskDefinition": "shop", "desiredCount": 1,
            "deploymentConfiguration": {"deploymentCircuitBreaker": {"enable": true, "rollback": true}}}),
    );
    pass(&mut world, 60);
    let shop = service(&mut world, "shop");
    assert_eq!(shop["deployments"][0]["rolloutState"], "FAILED");
    assert_eq!(
        shop["deployments"][0]["rolloutStateReason"],
        "ECS deployment circuit breaker: tasks failed to start."
    );
    assert_eq!(shop["deployments"][0]["failedTasks"], 3);
    assert_eq!((shop["runningCount"].as_u64(), shop["pendingCount"].as_u64()), (Some(0), Some(0)));
    assert!(is_quiet(&world), "it starts nothing more");
}

#[test]
fn without_a_breaker_tasks_that_never_run_are_retried_ever_slower() {
    let mut world = world();
    instance(&mut world, 1, 4000);
    register(&mut world, "shop", &shop("none"), 256);
    call(
        &mut world,
        "CreateService",
        json!({"cluster": "main", "serviceName": "shop", "taskDefinition": "shop", "desiredCount": 1}),
    );
    pass(&mut world, 600);
    let failed = service(&mut world, "shop")["deployments"][0]["failedTasks"].as_u64().unwrap();
    assert!((8..15).contains(&failed), "{failed}");
    assert!(said(&world, "is unable to consistently start tasks successfully"));
    // The image comes: the next try succeeds.
    push(&mut world, "none", []);
    pass(&mut world, 600);
    assert_eq!(service(&mut world, "shop")["deployments"][0]["rolloutState"], "COMPLETED");
}

#[test]
fn an_image_of_another_architecture_ends_with_an_exec_format_error() {
    let mut world = steady_shop();
    let spec = crate::ecr::PushSpec { architectures: vec!["arm64".into()], ..Default::default() };
    crate::ecr::push_image(&mut world, "shop", &["arm"], &spec).unwrap();
    release(&mut world, "arm");
    pass(&mut world, 60);
    assert!(service(&mut world, "shop")["taskDefinition"].as_str().unwrap().ends_with("shop:1"));
    let stopped = call(
        &mut world,
        "ListTasks",
        json!({"cluster": "main", "family": "shop", "desiredStatus": "STOPPED"}),
    );
    let tasks = call(&mut world, "DescribeTasks", json!({"cluster": "main", "tasks": stopped["taskArns"]}));
    let container = &tasks["tasks"][0]["containers"][0];
    assert_eq!((&container["exitCode"], &container["reason"]), (&json!(1), &json!("exec format error")));
    assert_eq!(tasks["tasks"][0]["stopCode"], "EssentialContainerExited");
}

#[test]
fn tasks_that_run_and_then_crash_are_not_counted_by_the_breaker() {
    let mut world = steady_shop();
    push(&mut world, "crashes", [("sim.crash_secs", "3"), ("sim.crash_code", "7")]);
    release(&mut world, "crashes");
    pass(&mut world, 120);
    let shop = service(&mut world, "shop");
    assert_eq!(shop["deployments"][0]["failedTasks"], 0);
    assert!(shop["taskDefinition"].as_str().unwrap().ends_with("shop:2"));
    let stopped = call(&mut world, "ListTasks", json!({"cluster": "main", "desiredStatus": "STOPPED"}));
    let tasks = call(&mut world, "DescribeTasks", json!({"cluster": "main", "tasks": stopped["taskArns"]}));
    let crashed: Vec<&Value> = tasks["tasks"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|it| it["stopCode"] == "EssentialContainerExited")
        .collect();
    assert!(crashed.len() > 5, "{}", crashed.len());
    assert_eq!(crashed[0]["containers"][0]["exitCode"], 7);
}

#[test]
fn a_task_that_ignores_its_signal_is_killed() {
    let mut world = steady_shop();
    push(&mut world, "deaf", [("sim.stop_secs", "999")]);
    release(&mut world, "deaf");
    pass(&mut world, 30);
    let task = view::service(&world, "main", "shop").unwrap().tasks[0].arn.clone();
    call(&mut world, "StopTask", json!({"cluster": "main", "task": task, "reason": "by hand"}));
    pass(&mut world, 29);
    assert_eq!(view::task(&world, &task).unwrap().status, "STOPPING");
    pass(&mut world, 2);
    let tasks = call(&mut world, "DescribeTasks", json!({"cluster": "main", "tasks": [task]}));
    assert_eq!(tasks["tasks"][0]["containers"][0]["exitCode"], 137);
    assert_eq!(tasks["tasks"][0]["stoppedReason"], "by hand");
    assert_eq!(tasks["tasks"][0]["stopCode"], "UserInitiated");
    pass(&mut world, 10);
    assert_eq!(running(&world), 2, "the service replaced it");
    pass(&mut world, 3700);
    let tasks = call(&mut world, "DescribeTasks", json!({"cluster": "main", "tasks": [task]}));
    assert_eq!(tasks["failures"][0]["reason"], "MISSING", "forgotten after an hour");
}

#[test]
fn a_full_cluster_says_what_is_short_and_goes_on_when_there_is_room() {
    let mut world = world();
    instance(&mut world, 1, 500);
    push(&mut world, "v1", []);
    register(&mut world, "shop", &shop("v1"), 400);
    call(
        &mut world,
        "CreateService",
        json!({"cluster": "main", "serviceName": "shop", "taskDefinition": "shop", "desiredCount": 2}),
    );
    pass(&mut world, 30);
    assert_eq!(running(&world), 1);
    assert!(said(&world, "has insufficient memory available"));
    let actions = emitted("ECS Service Action");
    let failure = actions.iter().find(|it| it["eventName"] == "SERVICE_TASK_PLACEMENT_FAILURE").unwrap();
    assert_eq!((&failure["eventType"], &failure["reason"]), (&json!("ERROR"), &json!("RESOURCE:MEMORY")));
    assert_eq!(failure["containerInstanceArns"].as_array().unwrap().len(), 1);
    instance(&mut world, 2, 500);
    pass(&mut world, 10);
    assert_eq!(running(&world), 2);
    assert_eq!(service(&mut world, "shop")["deployments"][0]["rolloutState"], "COMPLETED");
}

#[test]
fn a_lost_instance_takes_its_tasks_along_and_they_are_replaced() {
    let mut world = steady_shop();
    remove_instance(&mut world, "i-1");
    assert_eq!(running(&world), 1);
    pass(&mut world, 10);
    assert_eq!(running(&world), 2);
    assert!(
        emitted("ECS Task State Change")
            .iter()
            .any(|it| it["stoppedReason"] == "Host EC2 (instance i-1) terminated.")
    );
}

#[test]
fn stopping_a_service_deployment_rolls_it_back() {
    let mut world = steady_shop();
    push(&mut world, "v2", [("sim.start_secs", "3")]);
    release(&mut world, "v2");
    let arn = service(&mut world, "shop")["currentServiceDeployment"].clone();
    pass(&mut world, 2);
    call(&mut world, "StopServiceDeployment", json!({"serviceDeploymentArn": arn, "stopType": "ROLLBACK"}));
    pass(&mut world, 30);
    let described = call(&mut world, "DescribeServiceDeployments", json!({"serviceDeploymentArns": [arn]}));
    assert_eq!(described["serviceDeployments"][0]["status"], "ROLLBACK_SUCCESSFUL");
    assert!(service(&mut world, "shop")["taskDefinition"].as_str().unwrap().ends_with("shop:1"));
    let again = refused(&mut world, "StopServiceDeployment", json!({"serviceDeploymentArn": arn}));
    assert_eq!(again.code, "ConflictException");
}
