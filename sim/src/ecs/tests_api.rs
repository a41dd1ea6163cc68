//! Calls, their errors, and the events' shapes.

use serde_json::{Value, json};

use super::testing::{
    call, emitted, instance, pass, push, refused, register, release, running, service, shop, steady_shop,
    world,
};

/// The names of an object's members.
fn members(value: &Value) -> std::collections::BTreeSet<String> {
    value.as_object().unwrap().keys().cloned().collect()
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
