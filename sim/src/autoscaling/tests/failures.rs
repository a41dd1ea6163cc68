//! Launches that fail, instances that end by themselves, spot capacity taken back.

use super::*;
use crate::ec2::{LaunchError, LaunchFault, interrupt_spot, machines, recommend_rebalance};

fn spot(desired: u32, more: Value) -> World {
    let mut policy = json!({"MixedInstancesPolicy": {
        "LaunchTemplate": {"LaunchTemplateSpecification": {"LaunchTemplateName": "nodes", "Version": "1"}},
        "InstancesDistribution": {"OnDemandBaseCapacity": 0, "OnDemandPercentageAboveBaseCapacity": 0}}});
    for (member, value) in more.as_object().into_iter().flatten() {
        policy[member] = value.clone();
    }
    settled_with(0, desired, 5, policy)
}

fn activities(world: &mut World) -> Vec<Value> {
    let reply = call(world, "DescribeScalingActivities", json!({"AutoScalingGroupName": "nodes"}));
    reply["Activities"].as_array().unwrap().clone()
}

#[test]
fn a_zone_without_capacity_is_told_and_another_takes_the_instance() {
    let mut world = settled(0, 0, 3);
    watch(&mut world);
    world.ec2.launch_fails(LaunchFault::no_capacity_in("eu-central-1a"));
    desire(&mut world, 1);
    pass(&mut world, 30);
    assert_eq!(states(&world), [('b', "InService".to_owned())]);
    let failed = events(&mut world, "EC2 Instance Launch Unsuccessful");
    let detail = &failed[0]["detail"];
    assert_eq!(detail["StatusCode"], "Failed");
    assert_eq!(detail["Details"]["Availability Zone"], "eu-central-1a");
    let message = detail["StatusMessage"].as_str().unwrap();
    assert!(message.starts_with("We currently do not have sufficient m5.large capacity"), "{message}");
    assert!(message.ends_with("Launching EC2 instance failed."), "{message}");
    let all = activities(&mut world);
    let statuses: Vec<_> = all.iter().map(|it| it["StatusCode"].as_str().unwrap()).collect();
    assert_eq!(statuses, ["Successful", "Failed"]);
}

#[test]
fn a_launch_that_fails_everywhere_is_tried_again_and_succeeds_later() {
    let mut world = settled(0, 0, 3);
    world.ec2.launch_fails(LaunchFault::everywhere(LaunchError::VcpuLimitExceeded));
    desire(&mut world, 1);
    pass(&mut world, 100);
    // Two zones at 3 s, at 33 s and at 93 s.
    assert_eq!(activities(&mut world).len(), 6);
    world.ec2.launches_again();
    pass(&mut world, 150);
    assert_eq!(nodes(&world).in_service(), 1);
}

#[test]
fn a_new_wish_is_tried_at_once() {
    let mut world = settled(0, 0, 3);
    world.ec2.launch_fails(LaunchFault::everywhere(LaunchError::InsufficientInstanceCapacity));
    desire(&mut world, 1);
    pass(&mut world, 400);
    world.ec2.launches_again();
    desire(&mut world, 2);
    pass(&mut world, 30);
    assert_eq!(nodes(&world).in_service(), 2);
}

#[test]
fn the_events_of_a_launch_and_an_end_have_the_shape_of_the_samples() {
    let mut world = settled(0, 0, 3);
    watch(&mut world);
    desire(&mut world, 1);
    pass(&mut world, 60);
    let launched = events(&mut world, "EC2 Instance Launch Successful").remove(0);
    desire(&mut world, 0);
    pass(&mut world, 60);
    let ended = events(&mut world, "EC2 Instance Terminate Successful").remove(0);
    for (event, sample) in [
        (launched, include_str!("../../../../events/asg-launch-successful.json")),
        (ended, include_str!("../../../../events/asg-terminate-successful.json")),
    ] {
        let sample: Value = serde_json::from_str(sample).unwrap();
        let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        assert_eq!(keys(&event["detail"]), keys(&sample["detail"]));
        for member in ["source", "detail-type"] {
            assert_eq!(event[member], sample[member]);
        }
        for member in ["StatusCode", "Origin", "Destination", "StatusMessage"] {
            assert_eq!(event["detail"][member], sample["detail"][member], "{member}");
        }
        let arn = event["resources"][0].as_str().unwrap();
        assert!(arn.ends_with(":autoScalingGroupName/nodes"), "{arn}");
    }
}

#[test]
fn an_instance_that_ends_by_itself_is_found_and_replaced() {
    let mut world = settled(0, 1, 3);
    let id = nodes(&world).members[0].instance_id.clone();
    ec2(&mut world, "TerminateInstances", json!({"InstanceIds": [id]}));
    pass(&mut world, 180);
    assert_eq!(nodes(&world).in_service(), 1);
    assert_ne!(nodes(&world).members[0].instance_id, id);
    let causes: Vec<_> =
        activities(&mut world).iter().map(|it| it["Cause"].as_str().unwrap().to_owned()).collect();
    assert!(causes.iter().any(|it| it.contains("in response to an EC2 health check")), "{causes:?}");
}

#[test]
fn an_unhealthy_instance_is_replaced() {
    let mut world = settled(0, 1, 3);
    let id = nodes(&world).members[0].instance_id.clone();
    call(&mut world, "SetInstanceHealth", json!({"InstanceId": id, "HealthStatus": "Unhealthy"}));
    pass(&mut world, 120);
    assert_eq!(nodes(&world).in_service(), 1);
    assert_ne!(nodes(&world).members[0].instance_id, id);
}

#[test]
fn a_spot_interruption_warns_then_ends_the_instance_whatever_hooks_say() {
    let mut world = spot(1, json!({}));
    watch(&mut world);
    let hook = json!({"AutoScalingGroupName": "nodes", "LifecycleHookName": "drain",
        "LifecycleTransition": "autoscaling:EC2_INSTANCE_TERMINATING"});
    call(&mut world, "PutLifecycleHook", hook);
    let id = nodes(&world).members[0].instance_id.clone();
    assert!(interrupt_spot(&mut world, &id));
    pass(&mut world, 5);
    let warning = events(&mut world, "EC2 Spot Instance Interruption Warning").remove(0);
    assert_eq!(warning["resources"][0], format!("arn:aws:ec2:eu-central-1a:instance/{id}"));
    assert_eq!(warning["detail"], json!({"instance-id": id, "instance-action": "terminate"}));
    pass(&mut world, 110);
    assert_eq!(machines(&world)[0].state, "running");
    pass(&mut world, 10);
    assert_eq!(machines(&world)[0].state, "shutting-down");
    pass(&mut world, 120);
    assert_eq!(machines(&world)[0].state, "terminated");
    // The group has found out: the hook is asked although nobody is there, and another serves.
    assert_eq!(nodes(&world).members.iter().filter(|it| it.state == "Terminating:Wait").count(), 1);
    assert_eq!(nodes(&world).in_service(), 1);
}

#[test]
fn an_instance_on_demand_is_not_interrupted() {
    let mut world = settled(0, 1, 3);
    let id = nodes(&world).members[0].instance_id.clone();
    assert!(!interrupt_spot(&mut world, &id));
    assert!(!recommend_rebalance(&mut world, &id));
}

#[test]
fn a_rebalance_recommendation_is_only_told_or_the_group_acts_on_it() {
    let mut world = spot(1, json!({}));
    let id = nodes(&world).members[0].instance_id.clone();
    assert!(recommend_rebalance(&mut world, &id));
    pass(&mut world, 200);
    assert_eq!(nodes(&world).members[0].instance_id, id);

    let mut world = spot(1, json!({"CapacityRebalance": "true"}));
    let id = nodes(&world).members[0].instance_id.clone();
    assert!(recommend_rebalance(&mut world, &id));
    pass(&mut world, 5);
    assert_eq!(nodes(&world).members.len(), 2, "the new one comes first");
    pass(&mut world, 200);
    assert_eq!(nodes(&world).in_service(), 1);
    assert_ne!(nodes(&world).members[0].instance_id, id);
}

#[test]
fn an_agent_that_never_joins_leaves_an_instance_that_takes_no_task() {
    let mut world = settled(0, 0, 3);
    world.ec2.pace.agents_join = false;
    desire(&mut world, 1);
    pass(&mut world, 600);
    assert_eq!(nodes(&world).in_service(), 1);
    assert!(crate::ecs::view::instances(&world).is_empty());
}
