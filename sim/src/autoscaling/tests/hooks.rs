//! Lifecycle hooks: who waits for whom, and for how long.

use super::*;

fn put(world: &mut World, name: &str, transition: &str, more: Value) {
    let mut input = json!({"AutoScalingGroupName": "nodes", "LifecycleHookName": name,
        "LifecycleTransition": format!("autoscaling:EC2_INSTANCE_{transition}")});
    for (member, value) in more.as_object().into_iter().flatten() {
        input[member] = value.clone();
    }
    call(world, "PutLifecycleHook", input);
}

fn act(world: &mut World, operation: &str, more: Value) -> Reply {
    let mut input = json!({"AutoScalingGroupName": "nodes", "LifecycleHookName": "drain"});
    for (member, value) in more.as_object().into_iter().flatten() {
        input[member] = value.clone();
    }
    made(world, ServiceId::AutoScaling, operation, input)
}

/// A group of one with the hook `drain`, whose instance is to go; the instance and the token.
fn leaving(more: Value) -> (World, String, String) {
    let mut world = settled(0, 1, 3);
    watch(&mut world);
    put(&mut world, "drain", "TERMINATING", more);
    let id = nodes(&world).members[0].instance_id.clone();
    desire(&mut world, 0);
    pass(&mut world, 5);
    let event = events(&mut world, "EC2 Instance-terminate Lifecycle Action").remove(0);
    let token = event["detail"]["LifecycleActionToken"].as_str().unwrap().to_owned();
    (world, id, token)
}

fn state(world: &World) -> Option<String> {
    nodes(world).members.first().map(|it| it.state.clone())
}

#[test]
fn an_instance_waits_for_its_hook_and_goes_with_the_answer() {
    let (mut world, id, token) = leaving(json!({}));
    assert_eq!(state(&world).unwrap(), "Terminating:Wait");
    assert_eq!(crate::ecs::view::instances(&world).len(), 1);
    pass(&mut world, 3000);
    assert_eq!(state(&world).unwrap(), "Terminating:Wait");
    act(
        &mut world,
        "CompleteLifecycleAction",
        json!({"LifecycleActionToken": token, "LifecycleActionResult": "CONTINUE"}),
    )
    .unwrap();
    assert_eq!(state(&world).unwrap(), "Terminating:Proceed");
    pass(&mut world, 60);
    assert_eq!(state(&world), None);
    assert!(crate::ecs::view::instances(&world).is_empty());
    let late = json!({"InstanceId": id, "LifecycleActionResult": "CONTINUE"});
    let error = act(&mut world, "CompleteLifecycleAction", late).unwrap_err();
    assert_eq!(error.message, format!("No active Lifecycle Action found with instance ID {id}"));
    let late = json!({"LifecycleActionToken": token, "LifecycleActionResult": "CONTINUE"});
    let error = act(&mut world, "CompleteLifecycleAction", late).unwrap_err();
    assert_eq!(error.message, format!("No active Lifecycle Action found with token {token}"));
}

#[test]
fn the_action_is_told_as_in_the_sample() {
    let mut world = settled(0, 1, 3);
    watch(&mut world);
    put(&mut world, "drain", "TERMINATING", json!({"NotificationMetadata": "x"}));
    desire(&mut world, 0);
    pass(&mut world, 5);
    let event = events(&mut world, "EC2 Instance-terminate Lifecycle Action").remove(0);
    let sample: Value =
        serde_json::from_str(include_str!("../../../../events/asg-lifecycle-terminate.json")).unwrap();
    let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys(&event["detail"]), keys(&sample["detail"]));
    for member in ["LifecycleTransition", "Origin", "Destination"] {
        assert_eq!(event["detail"][member], sample["detail"][member]);
    }
    assert_eq!(event["resources"].as_array().unwrap().len(), 1);
}

#[test]
fn a_hook_that_nobody_answers_ends_by_its_heartbeat_timeout() {
    let (mut world, ..) = leaving(json!({"HeartbeatTimeout": 60}));
    pass(&mut world, 50);
    assert_eq!(state(&world).unwrap(), "Terminating:Wait");
    pass(&mut world, 60);
    assert_eq!(state(&world), None);
}

#[test]
fn heartbeats_keep_an_action_going_up_to_a_hundred_of_them() {
    let (mut world, id, _) = leaving(json!({"HeartbeatTimeout": 60}));
    let mut beats = 0;
    while act(&mut world, "RecordLifecycleActionHeartbeat", json!({"InstanceId": id})).is_ok() {
        beats += 1;
        pass(&mut world, 50);
    }
    assert_eq!(beats, 120); // 6000 seconds
    pass(&mut world, 60);
    assert_eq!(state(&world), None);
}

#[test]
fn every_hook_is_asked_and_abandon_skips_the_rest() {
    for (result, expected) in [("CONTINUE", "Terminating:Wait"), ("ABANDON", "Terminating:Proceed")] {
        let mut world = settled(0, 1, 3);
        put(&mut world, "drain", "TERMINATING", json!({}));
        put(&mut world, "logs", "TERMINATING", json!({}));
        let id = nodes(&world).members[0].instance_id.clone();
        desire(&mut world, 0);
        pass(&mut world, 5);
        act(
            &mut world,
            "CompleteLifecycleAction",
            json!({"InstanceId": id, "LifecycleActionResult": result}),
        )
        .unwrap();
        assert_eq!(state(&world).unwrap(), expected, "{result}");
    }
}

#[test]
fn a_launch_hook_holds_an_instance_back_and_abandon_launches_another() {
    let mut world = settled(0, 0, 3);
    put(&mut world, "drain", "LAUNCHING", json!({}));
    desire(&mut world, 1);
    pass(&mut world, 30);
    assert_eq!(state(&world).unwrap(), "Pending:Wait");
    let first = nodes(&world).members[0].instance_id.clone();
    act(
        &mut world,
        "CompleteLifecycleAction",
        json!({"InstanceId": first, "LifecycleActionResult": "ABANDON"}),
    )
    .unwrap();
    pass(&mut world, 60);
    assert_eq!(state(&world).unwrap(), "Pending:Wait");
    let second = nodes(&world).members[0].instance_id.clone();
    assert_ne!(first, second);
    act(
        &mut world,
        "CompleteLifecycleAction",
        json!({"InstanceId": second, "LifecycleActionResult": "CONTINUE"}),
    )
    .unwrap();
    assert_eq!(state(&world).unwrap(), "InService");
}

#[test]
fn a_hook_that_is_deleted_lets_go_of_who_waits_for_it() {
    let (mut world, ..) = leaving(json!({}));
    act(&mut world, "DeleteLifecycleHook", json!({})).unwrap();
    assert_eq!(state(&world).unwrap(), "Terminating:Proceed");
}

#[test]
fn a_hook_is_described_as_it_was_put_and_its_bounds_are_kept() {
    let mut world = settled(0, 0, 1);
    put(&mut world, "drain", "TERMINATING", json!({"HeartbeatTimeout": "7200", "DefaultResult": "CONTINUE"}));
    let hooks = call(&mut world, "DescribeLifecycleHooks", json!({"AutoScalingGroupName": "nodes"}));
    assert_eq!(
        hooks["LifecycleHooks"],
        json!([{"LifecycleHookName": "drain", "AutoScalingGroupName": "nodes",
            "LifecycleTransition": "autoscaling:EC2_INSTANCE_TERMINATING", "HeartbeatTimeout": 7200,
            "GlobalTimeout": 172_800, "DefaultResult": "CONTINUE", "NotificationMetadata": null,
            "NotificationTargetARN": null, "RoleARN": null}])
    );
    let error = act(&mut world, "PutLifecycleHook", json!({"HeartbeatTimeout": 20})).unwrap_err();
    assert_eq!(error.code, "ValidationError");
}
