//! ECS: events and lifecycle hooks.

use super::*;

#[test]
fn a_deployment_names_its_service_only_in_resources() {
    for name in ["in-progress", "in-progress-rollback", "completed", "failed"] {
        let service = Rings::Service(ServiceKey::new("default", "servicetest"));
        assert_eq!(rings(&sample(&format!("ecs-deployment-{name}"))), service);
    }
    let nameless = with("ecs-deployment-failed", "/resources", json!([]));
    assert_eq!(rings(&nameless), Rings::Nothing(Silence::NoService));
}

#[test]
fn a_rollback_is_a_second_in_progress() {
    let is_rollback = |name: &str| match event(&sample(name)) {
        Event::EcsDeployment(deployment) => deployment.is_rollback(),
        other => panic!("{other:?}"),
    };
    assert!(is_rollback("ecs-deployment-in-progress-rollback"));
    assert!(!is_rollback("ecs-deployment-in-progress"));
}

#[test]
fn a_short_service_arn_takes_its_cluster_from_the_detail() {
    let arn = json!(["arn:aws:ecs:us-west-2:111122223333:service/servicetest"]);
    let action = with("ecs-service-action-steady-state", "/resources", arn.clone());
    assert_eq!(rings(&action), Rings::Service(ServiceKey::new("default", "servicetest")));
    // A deployment's detail names no cluster: then the timer has to find it.
    let deployment = with("ecs-deployment-failed", "/resources", arn);
    assert_eq!(rings(&deployment), Rings::Nothing(Silence::NoService));
}

#[test]
fn steady_state_rings_and_a_capacity_providers_does_not() {
    assert!(matches!(rings(&sample("ecs-service-action-steady-state")), Rings::Service(_)));
    let provider = sample("ecs-service-action-capacity-provider-steady-state");
    assert!(matches!(rings(&provider), Rings::Nothing(Silence::NoRollout(_))));
}

#[test]
fn a_name_of_tomorrow_is_tolerated_and_counted() {
    let odd = with("ecs-service-action-steady-state", "/detail/eventName", json!("SERVICE_LEVITATES"));
    let incoming = read_json(&odd).unwrap();
    let part =
        UnknownPart::Word { path: "detail.eventName".to_owned(), word: "SERVICE_LEVITATES".to_owned() };
    assert_eq!(incoming.unknown_parts(), [part]);
    assert!(matches!(doorbells(&incoming), Rings::Nothing(Silence::NoRollout(_))));
}

#[test]
fn a_container_may_have_cpu_null_in_text_and_no_image() {
    let Event::EcsTask(task) = event(&sample("ecs-task-state-change-stopped-RECONSTRUCTED")) else {
        panic!("a task")
    };
    let agent = &task.containers[1];
    assert_eq!((agent.cpu, agent.image.as_deref()), (None, None));
    assert_eq!(task.containers[0].cpu, Some(99));
    let bad = with("ecs-task-state-change-stopped-RECONSTRUCTED", "/detail/containers/1/cpu", json!("many"));
    assert_eq!(read_json(&bad).unwrap_err().path, "detail.containers[1].cpu");
}

#[test]
fn only_a_stopped_task_of_a_service_rings() {
    let stopped = "ecs-task-state-change-stopped-RECONSTRUCTED";
    assert_eq!(rings(&sample(stopped)), shop());
    let running = with(stopped, "/detail/lastStatus", json!("RUNNING"));
    assert!(matches!(rings(&running), Rings::Nothing(Silence::TaskLives(_))));
    let standalone = with(stopped, "/detail/group", json!("family:shop"));
    assert_eq!(rings(&standalone), Rings::Nothing(Silence::StandaloneTask));
}

#[test]
fn a_tasks_starter_is_its_deployment() {
    let Event::EcsTask(task) = event(&sample("ecs-task-state-change-stopped-RECONSTRUCTED")) else {
        panic!("a task")
    };
    assert_eq!(task.deployment().unwrap().as_str(), "ecs-svc/1234567890123456789");
}

#[test]
fn a_pause_hook_that_waits_rings_its_service() {
    let waits = rings(&sample("ecs-hook-awaiting-action"));
    assert_eq!(waits, Rings::Service(ServiceKey::new("my-cluster", "my-service")));
    let begun = with("ecs-hook-awaiting-action", "/detail/eventName", json!("HOOK_IN_PROGRESS"));
    assert!(matches!(rings(&begun), Rings::Nothing(Silence::NoRollout(_))));
}

#[test]
fn a_rollback_calls_the_shift_hooks_again_and_is_told_apart() {
    let call = |name: &str| match event(&sample(name)) {
        Event::LifecycleHook(call) => call.is_rollback(),
        other => panic!("{other:?}"),
    };
    assert!(call("ecs-lifecycle-hook-production-rollback-RECONSTRUCTED"));
    assert!(!call("ecs-lifecycle-hook-production"));
    assert!(!call("ecs-lifecycle-hook-test-traffic-shift"));
    // Target 0 and another 100 *before* the shift is where every rollout begins.
    assert!(!call("ecs-lifecycle-hook-pre-production"));
}
