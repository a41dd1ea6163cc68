//! Services over time, on instances and with images from ECR.

use serde_json::{Value, json};

use super::testing::{
    call, deployment_events, effects, instance, is_quiet, pass, push, register, release, said, service, shop,
    steady_shop, world,
};
use super::view;
use crate::world::{Effect, World};

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
