//! Services over time, on instances and with images from ECR.

use serde_json::{Value, json};

use super::instances::remove_instance;
use super::testing::{
    call, effects, emitted, instance, is_quiet, pass, push, refused, register, release, service, shop,
    steady_shop, world,
};
use super::view;
use crate::world::{Effect, World};

fn running(world: &World) -> usize {
    view::service(world, "main", "shop").unwrap().running
}

fn events(world: &World) -> Vec<String> {
    view::service(world, "main", "shop").unwrap().events
}

fn said(world: &World, text: &str) -> bool {
    events(world).iter().any(|event| event.contains(text))
}

fn deployment_events() -> Vec<(String, String)> {
    let events = emitted("ECS Deployment State Change");
    let word = |event: &Value, member: &str| event[member].as_str().unwrap().to_owned();
    events.iter().map(|event| (word(event, "eventName"), word(event, "deploymentId"))).collect()
}

#[test]
fn a_new_service_starts_its_tasks_spread_over_zones_and_completes() {
    let mut world = steady_shop();
    let shop = service(&mut world, "shop");
    assert_eq!((shop["runningCount"].as_u64(), shop["pendingCount"].as_u64()), (Some(2), Some(0)));
    assert_eq!(shop["deployments"][0]["rolloutState"], "COMPLETED");
    assert_eq!(shop["events"][0]["message"], "(service shop) has reached a steady state.");
    let id = shop["deployments"][0]["id"].as_str().unwrap().to_owned();
    assert_eq!(
        deployment_events(),
        [
            ("SERVICE_DEPLOYMENT_IN_PROGRESS".to_owned(), id.clone()),
            ("SERVICE_DEPLOYMENT_COMPLETED".to_owned(), id),
        ]
    );
    let counts: Vec<usize> = view::instances(&world).iter().map(|it| it.tasks.len()).collect();
    assert_eq!(counts, [1, 1]);
    assert!(is_quiet(&world));
}

#[test]
fn a_container_answers_by_its_labels_from_its_start_to_its_end() {
    let mut world = world();
    instance(&mut world, 1, 4000);
    push(&mut world, "v1", [("sim.start_secs", "5"), ("sim.status", "201"), ("sim.health_status", "503")]);
    register(&mut world, "shop", &shop("v1"), 256);
    call(
        &mut world,
        "CreateService",
        json!({"cluster": "main", "serviceName": "shop", "taskDefinition": "shop", "desiredCount": 1}),
    );
    pass(&mut world, 5);
    let port = view::service(&world, "main", "shop").unwrap().tasks[0].ports[0];
    assert_eq!(port.0, 80);
    assert_eq!(super::answer(&world, "i-1", port.1, false), None, "not started yet");
    pass(&mut world, 5);
    let started = effects(&mut world);
    let [Effect::StartContainer(container)] = started.as_slice() else { panic!("{started:?}") };
    assert_eq!((container.instance_id.as_str(), container.ports.as_slice()), ("i-1", [port].as_slice()));
    let answer = super::answer(&world, "i-1", port.1, false).unwrap();
    assert_eq!((answer.status, &answer.task_arn), (201, &container.task_arn));
    assert_eq!(super::answer(&world, "i-1", port.1, true).unwrap().status, 503);
    assert_eq!(super::answer(&world, "i-2", port.1, true), None);
    call(&mut world, "StopTask", json!({"cluster": "main", "task": container.task_arn}));
    assert!(super::answer(&world, "i-1", port.1, false).is_some(), "it answers until it ends");
    pass(&mut world, 1);
    assert_eq!(super::answer(&world, "i-1", port.1, false), None);
    let ended: Vec<Effect> =
        effects(&mut world).into_iter().filter(|it| !matches!(it, Effect::StartContainer(_))).collect();
    let task_arn = container.task_arn.clone();
    assert_eq!(
        ended,
        [Effect::SignalContainer { task_arn: task_arn.clone() }, Effect::StopContainer { task_arn }]
    );
}

#[test]
fn a_release_never_goes_below_the_minimum_nor_above_the_maximum() {
    let mut world = steady_shop();
    push(&mut world, "v2", []);
    release(&mut world, "v2");
    let (mut least, mut most) = (usize::MAX, 0);
    for _ in 0..40 {
        let view = view::service(&world, "main", "shop").unwrap();
        least = least.min(view.healthy);
        most = most.max(view.tasks.len());
        pass(&mut world, 1);
    }
    assert_eq!((least, most), (2, 4));
    let shop = service(&mut world, "shop");
    assert_eq!(shop["deployments"].as_array().unwrap().len(), 1);
    assert!(shop["taskDefinition"].as_str().unwrap().ends_with("shop:2"));
    assert_eq!(shop["deployments"][0]["rolloutState"], "COMPLETED");
    assert!(is_quiet(&world));
}

#[test]
fn a_maximum_of_100_percent_waits_for_the_old_task_to_have_stopped() {
    let mut world = steady_shop();
    call(
        &mut world,
        "UpdateService",
        json!({"cluster": "main", "service": "shop",
        "deploymentConfiguration": {"minimumHealthyPercent": 50, "maximumPercent": 100}}),
    );
    pass(&mut world, 3);
    assert_eq!(
        service(&mut world, "shop")["deployments"].as_array().unwrap().len(),
        1,
        "it starts no deployment"
    );
    push(&mut world, "v2", []);
    release(&mut world, "v2");
    let (mut least, mut most) = (usize::MAX, 0);
    for _ in 0..60 {
        let view = view::service(&world, "main", "shop").unwrap();
        (least, most) = (least.min(view.healthy), most.max(view.tasks.len()));
        pass(&mut world, 1);
    }
    assert_eq!((least, most), (1, 2));
    assert_eq!(service(&mut world, "shop")["deployments"][0]["rolloutState"], "COMPLETED");
}

#[test]
fn rounding_that_permits_no_move_is_said_and_ends_with_a_new_configuration() {
    let mut world = steady_shop();
    call(
        &mut world,
        "UpdateService",
        json!({"cluster": "main", "service": "shop", "desiredCount": 1,
        "deploymentConfiguration": {"minimumHealthyPercent": 60, "maximumPercent": 150}}),
    );
    pass(&mut world, 10);
    push(&mut world, "v2", []);
    release(&mut world, "v2");
    pass(&mut world, 60);
    assert!(said(&world, "unable to stop or start tasks during a deployment"));
    assert!(is_quiet(&world), "it waits without spinning");
    call(
        &mut world,
        "UpdateService",
        json!({"cluster": "main", "service": "shop",
        "deploymentConfiguration": {"maximumPercent": 200}}),
    );
    pass(&mut world, 20);
    assert_eq!(service(&mut world, "shop")["deployments"][0]["rolloutState"], "COMPLETED");
}

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
fn a_newer_release_supersedes_the_one_under_way() {
    let mut world = steady_shop();
    push(&mut world, "slow", []);
    push(&mut world, "v3", []);
    release(&mut world, "slow");
    pass(&mut world, 2);
    release(&mut world, "v3");
    pass(&mut world, 40);
    let shop = service(&mut world, "shop");
    assert!(shop["taskDefinition"].as_str().unwrap().ends_with("shop:3"));
    assert_eq!(shop["deployments"].as_array().unwrap().len(), 1);
    let listed = call(&mut world, "ListServiceDeployments", json!({"cluster": "main", "service": "shop"}));
    let statuses: Vec<&Value> =
        listed["serviceDeployments"].as_array().unwrap().iter().map(|it| &it["status"]).collect();
    assert_eq!(statuses, ["SUCCESSFUL", "STOPPED", "SUCCESSFUL"]);
}

#[test]
fn a_tag_is_pinned_for_the_whole_deployment() {
    let mut world = steady_shop();
    let first = push(&mut world, "live", [("sim.body", "one")]);
    release(&mut world, "live");
    pass(&mut world, 30);
    let second = push(&mut world, "live", [("sim.body", "two")]);
    assert_ne!(first, second);
    call(&mut world, "UpdateService", json!({"cluster": "main", "service": "shop", "desiredCount": 3}));
    pass(&mut world, 10);
    let digests = |world: &World| -> Vec<String> {
        let tasks = view::service(world, "main", "shop").unwrap().tasks;
        tasks.into_iter().map(|it| it.images[0].1.clone().unwrap()).collect()
    };
    assert_eq!(digests(&world), vec![first; 3]);
    call(
        &mut world,
        "UpdateService",
        json!({"cluster": "main", "service": "shop", "forceNewDeployment": true}),
    );
    pass(&mut world, 30);
    assert_eq!(digests(&world), vec![second.clone(); 3]);
    let arn = service(&mut world, "shop")["currentServiceRevisions"][0]["arn"].clone();
    let revisions = call(&mut world, "DescribeServiceRevisions", json!({"serviceRevisionArns": [arn]}));
    assert_eq!(revisions["serviceRevisions"][0]["containerImages"][0]["imageDigest"], second.as_str());
}

#[test]
fn an_update_that_changes_nothing_starts_no_deployment() {
    let mut world = steady_shop();
    let before = service(&mut world, "shop")["deployments"].clone();
    call(
        &mut world,
        "UpdateService",
        json!({"cluster": "main", "service": "shop", "taskDefinition": "shop:1",
        "healthCheckGracePeriodSeconds": 9, "someNewerMember": {"a": 1}}),
    );
    pass(&mut world, 5);
    assert_eq!(service(&mut world, "shop")["deployments"], before);
    assert_eq!(service(&mut world, "shop")["healthCheckGracePeriodSeconds"], 9);
}

#[test]
fn draining_an_instance_moves_its_tasks_without_going_below_the_minimum() {
    let mut world = steady_shop();
    let arn = view::instances(&world)[0].arn.clone();
    call(
        &mut world,
        "UpdateContainerInstancesState",
        json!({"cluster": "main", "containerInstances": [arn], "status": "DRAINING"}),
    );
    for _ in 0..20 {
        pass(&mut world, 1);
        assert!(view::service(&world, "main", "shop").unwrap().healthy >= 2);
    }
    let counts: Vec<usize> = view::instances(&world).iter().map(|it| it.tasks.len()).collect();
    assert_eq!(counts, [0, 2]);
    let listed = call(&mut world, "ListContainerInstances", json!({"cluster": "main", "status": "DRAINING"}));
    assert_eq!(listed["containerInstanceArns"], json!([arn]));
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
fn a_deleted_service_ends_inactive_and_its_name_is_free() {
    let mut world = steady_shop();
    let input = json!({"cluster": "main", "service": "shop"});
    assert_eq!(
        refused(&mut world, "DeleteService", input).message,
        "The service cannot be stopped while it is scaled above 0."
    );
    call(&mut world, "DeleteService", json!({"cluster": "main", "service": "shop", "force": true}));
    assert_eq!(service(&mut world, "shop")["status"], "DRAINING");
    let again =
        json!({"cluster": "main", "serviceName": "shop", "taskDefinition": "shop", "desiredCount": 1});
    assert!(refused(&mut world, "CreateService", again.clone()).message.contains("still Draining"));
    pass(&mut world, 10);
    assert_eq!(service(&mut world, "shop")["status"], "INACTIVE");
    let update = json!({"cluster": "main", "service": "shop", "desiredCount": 1});
    assert_eq!(refused(&mut world, "UpdateService", update).code, "ServiceNotActiveException");
    assert_eq!(call(&mut world, "ListServices", json!({"cluster": "main"}))["serviceArns"], json!([]));
    call(&mut world, "CreateService", again);
    pass(&mut world, 20);
    assert_eq!(running(&world), 1);
}

#[test]
fn mistakes_have_aws_codes() {
    let mut world = steady_shop();
    let create = |name: &str, definition: &str, extra: Value| {
        let mut input =
            json!({"cluster": "main", "serviceName": name, "taskDefinition": definition, "desiredCount": 1});
        input.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        input
    };
    let cases = [
        ("CreateService", create("shop", "shop", json!({})), "InvalidParameterException"),
        ("CreateService", create("x", "unknown", json!({})), "ClientException"),
        ("CreateService", create("x", "shop", json!({"cluster": "none"})), "ClusterNotFoundException"),
        (
            "CreateService",
            create(
                "x",
                "shop",
                json!({"loadBalancers":
            [{"targetGroupArn": "arn", "containerName": "web", "containerPort": 81}]}),
            ),
            "InvalidParameterException",
        ),
        ("UpdateService", json!({"cluster": "main", "service": "none"}), "ServiceNotFoundException"),
        ("UpdateService", json!({"cluster": "none", "service": "shop"}), "ClusterNotFoundException"),
        (
            "DescribeServices",
            json!({"cluster": "main", "services": vec!["a"; 11]}),
            "InvalidParameterException",
        ),
        ("StopTask", json!({"cluster": "main", "task": "none"}), "InvalidParameterException"),
        ("DeleteCluster", json!({"cluster": "main"}), "ClusterContainsContainerInstancesException"),
        ("CreateCapacityReservation", json!({}), "UnknownOperationException"),
    ];
    for (operation, input, code) in cases {
        assert_eq!(refused(&mut world, operation, input.clone()).code, code, "{operation} {input}");
    }
    let failures = call(&mut world, "DescribeServices", json!({"cluster": "main", "services": ["none"]}));
    assert_eq!(
        failures["failures"],
        json!([
        {"arn": "arn:aws:ecs:eu-central-1:123456789012:service/main/none", "reason": "MISSING"}])
    );
}

#[test]
fn creating_twice_with_one_token_creates_once() {
    let mut world = steady_shop();
    let input = json!({"cluster": "main", "serviceName": "api", "taskDefinition": "shop", "desiredCount": 1,
        "clientToken": "t-1"});
    let first = call(&mut world, "CreateService", input.clone());
    let again = call(&mut world, "CreateService", input.clone());
    assert_eq!(first["service"]["deployments"][0]["id"], again["service"]["deployments"][0]["id"]);
    let mut other = input;
    other["desiredCount"] = json!(2);
    assert_eq!(
        refused(&mut world, "CreateService", other).message,
        "Creation of service was not idempotent."
    );
}

#[test]
fn run_task_reports_what_does_not_fit_as_failures() {
    let mut world = world();
    instance(&mut world, 1, 500);
    push(&mut world, "v1", []);
    register(&mut world, "job", &shop("v1"), 300);
    let output = call(&mut world, "RunTask", json!({"cluster": "main", "taskDefinition": "job", "count": 2}));
    assert_eq!(output["tasks"].as_array().unwrap().len(), 1);
    assert_eq!(output["failures"][0]["reason"], "RESOURCE:MEMORY");
    assert_eq!(output["tasks"][0]["group"], "family:job");
    pass(&mut world, 5);
    let listed = call(&mut world, "ListTasks", json!({"cluster": "main", "family": "job"}));
    assert_eq!(listed["taskArns"].as_array().unwrap().len(), 1);
}

#[test]
fn a_static_host_port_is_taken_once_for_each_instance() {
    let mut world = world();
    instance(&mut world, 1, 4000);
    push(&mut world, "v1", []);
    call(
        &mut world,
        "RegisterTaskDefinition",
        json!({"family": "fixed", "containerDefinitions": [{"name": "web",
        "image": shop("v1"), "memory": 64, "portMappings": [{"containerPort": 80, "hostPort": 8080}]}]}),
    );
    let output =
        call(&mut world, "RunTask", json!({"cluster": "main", "taskDefinition": "fixed", "count": 2}));
    assert_eq!(output["failures"][0]["reason"], "RESOURCE:PORTS");
}

#[test]
fn an_architecture_that_no_instance_has_is_refused() {
    let mut world = world();
    instance(&mut world, 1, 4000);
    call(
        &mut world,
        "RegisterTaskDefinition",
        json!({"family": "arm", "runtimePlatform": {"cpuArchitecture": "ARM64"},
        "containerDefinitions": [{"name": "web", "image": shop("v1"), "memory": 64}]}),
    );
    let output = call(&mut world, "RunTask", json!({"cluster": "main", "taskDefinition": "arm"}));
    assert_eq!(output["failures"][0]["reason"], "ATTRIBUTE");
}

#[test]
fn task_events_have_growing_versions_and_every_status() {
    let mut world = steady_shop();
    let events = emitted("ECS Task State Change");
    let task = events[0]["taskArn"].clone();
    let of_task: Vec<(u64, &str)> = events
        .iter()
        .filter(|it| it["taskArn"] == task)
        .map(|it| (it["version"].as_u64().unwrap(), it["lastStatus"].as_str().unwrap()))
        .collect();
    assert_eq!(of_task, [(1, "PENDING"), (2, "RUNNING")]);
    let event = events.last().unwrap();
    assert!(event["updatedAt"].as_str().unwrap().ends_with('Z'));
    assert!(event.get("healthStatus").is_none() && event.get("tags").is_none());
    assert!(event["containers"][0]["networkBindings"][0]["hostPort"].as_u64().unwrap() >= 32_768);
    call(&mut world, "StopTask", json!({"cluster": "main", "task": task}));
    pass(&mut world, 2);
    let events = emitted("ECS Task State Change");
    let statuses: Vec<&str> = events
        .iter()
        .filter(|it| it["taskArn"] == task)
        .map(|it| it["lastStatus"].as_str().unwrap())
        .collect();
    assert_eq!(statuses, ["STOPPING", "STOPPED"]);
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

#[test]
fn the_state_goes_to_json_and_back() {
    let world = steady_shop();
    let text = serde_json::to_string(&world.ecs).unwrap();
    let back: super::Ecs = serde_json::from_str(&text).unwrap();
    assert_eq!(serde_json::to_string(&back).unwrap(), text);
}

#[test]
fn two_worlds_of_one_seed_are_the_same() {
    let dump = || serde_json::to_string(&steady_shop().ecs).unwrap();
    assert_eq!(dump(), dump());
}

/// The members of an event's detail, one level deep and into lists' first items.
fn members(value: &Value) -> std::collections::BTreeSet<String> {
    value.as_object().unwrap().keys().cloned().collect()
}

#[test]
fn events_have_the_members_of_the_samples() {
    let mut world = steady_shop();
    release(&mut world, "missing");
    pass(&mut world, 60);
    let samples = [
        include_str!("../../../events/ecs-deployment-in-progress.json"),
        include_str!("../../../events/ecs-deployment-completed.json"),
        include_str!("../../../events/ecs-deployment-failed.json"),
        include_str!("../../../events/ecs-deployment-in-progress-rollback.json"),
        include_str!("../../../events/ecs-service-action-steady-state.json"),
        include_str!("../../../events/ecs-container-instance-state-change.json"),
        include_str!("../../../events/ecs-task-state-change-ec2-running.json"),
    ];
    let ours = super::events::EMITTED.take();
    for sample in samples {
        let sample: Value = serde_json::from_str(sample).unwrap();
        let same_kind = |event: &&(String, Vec<String>, Value)| {
            let (kind, _, detail) = event;
            *kind == sample["detail-type"]
                && detail["eventName"] == sample["detail"]["eventName"]
                && (detail.get("lastStatus").is_none() || detail["lastStatus"] == "RUNNING")
        };
        let (kind, resources, detail) = ours.iter().find(same_kind).unwrap();
        let mut expected = members(&sample["detail"]);
        // Capacity providers are not simulated.
        expected.remove("capacityProviderName");
        let missing: Vec<_> = expected.difference(&members(detail)).cloned().collect();
        assert!(missing.is_empty(), "{kind} lacks {missing:?}");
        assert_eq!(resources.len(), 1);
    }
}
