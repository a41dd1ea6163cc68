//! Groups reach the size that is wanted, and stay within their bounds.

use super::*;

#[test]
fn a_group_launches_to_its_desired_capacity_and_its_instances_join_the_cluster() {
    let mut world = settled(0, 3, 5);
    let named = |(az, state): (char, &str)| (az, state.to_owned());
    assert_eq!(states(&world), [('a', "InService"), ('a', "InService"), ('b', "InService")].map(named));
    let joined = crate::ecs::view::instances(&world);
    assert_eq!(joined.len(), 3);
    assert!(joined.iter().all(|it| (it.cpu.1, it.memory.1, it.status.as_str()) == (2048, 7872, "ACTIVE")));
    let arns: Vec<_> = joined.iter().map(|it| it.arn.clone()).collect();
    let described =
        ecs(&mut world, "DescribeContainerInstances", json!({"cluster": "main", "containerInstances": arns}));
    let attributes = described["containerInstances"][0]["attributes"].as_array().unwrap();
    assert!(attributes.contains(&json!({"name": "ecs.instance-type", "value": "m5.large"})));
    assert!(attributes.contains(&json!({"name": "ecs.ami-id", "value": "ami-1"})));
}

#[test]
fn an_instance_is_in_service_before_its_agent_has_joined() {
    let mut world = settled(0, 0, 5);
    desire(&mut world, 1);
    pass(&mut world, 2);
    assert!(nodes(&world).members.is_empty());
    pass(&mut world, 2);
    assert_eq!(states(&world), [('a', "Pending".to_owned())]);
    pass(&mut world, 20);
    assert_eq!(states(&world), [('a', "InService".to_owned())]);
    assert!(crate::ecs::view::instances(&world).is_empty());
    pass(&mut world, 45);
    assert_eq!(crate::ecs::view::instances(&world).len(), 1);
}

#[test]
fn the_desired_capacity_stays_within_its_bounds() {
    let mut world = settled(1, 2, 3);
    let set = |desired: u32| json!({"AutoScalingGroupName": "nodes", "DesiredCapacity": desired});
    let error = refused(&mut world, "SetDesiredCapacity", set(4));
    assert_eq!(error.code, "ValidationError");
    assert_eq!(
        error.message,
        "New SetDesiredCapacity value 4 is above max value 3 for the AutoScalingGroup."
    );
    let error = refused(&mut world, "SetDesiredCapacity", set(0));
    assert_eq!(
        error.message,
        "New SetDesiredCapacity value 0 is below min value 1 for the AutoScalingGroup."
    );
    let error = refused(
        &mut world,
        "SetDesiredCapacity",
        json!({"AutoScalingGroupName": "no", "DesiredCapacity": 1}),
    );
    assert_eq!(error.message, "AutoScalingGroup name not found - AutoScalingGroup no not found");
    call(&mut world, "UpdateAutoScalingGroup", json!({"AutoScalingGroupName": "nodes", "MaxSize": "1"}));
    assert_eq!((nodes(&world).desired, nodes(&world).max), (1, 1));
    pass(&mut world, 60);
    assert_eq!(nodes(&world).members.len(), 1);
}

#[test]
fn with_honor_cooldown_nothing_changes_shortly_after_an_activity() {
    let mut world = settled(0, 1, 3);
    let input = json!({"AutoScalingGroupName": "nodes", "DesiredCapacity": 2, "HonorCooldown": "true"});
    assert_eq!(refused(&mut world, "SetDesiredCapacity", input.clone()).code, "ScalingActivityInProgress");
    pass(&mut world, 300);
    call(&mut world, "SetDesiredCapacity", input);
    assert_eq!(nodes(&world).desired, 2);
}

#[test]
fn scale_in_takes_from_the_fullest_zone_the_oldest_template_and_passes_protected_ones_by() {
    let mut world = settled(0, 3, 5);
    let data = json!({"InstanceType": "m5.large", "ImageId": "ami-2"});
    let version = json!({"LaunchTemplateName": "nodes", "SourceVersion": "1", "LaunchTemplateData": data});
    ec2(&mut world, "CreateLaunchTemplateVersion", version);
    desire(&mut world, 5);
    pass(&mut world, 120);
    // Zone a: two of version 1, one of version 2. Zone b: one of each.
    let old: Vec<String> = crate::ec2::machines(&world)
        .into_iter()
        .filter(|it| it.template_version == 1 && it.az.ends_with('a'))
        .map(|it| it.instance_id)
        .collect();
    assert_eq!((old.len(), nodes(&world).members.len()), (2, 5));
    let protect =
        json!({"AutoScalingGroupName": "nodes", "InstanceIds": [old[0]], "ProtectedFromScaleIn": true});
    call(&mut world, "SetInstanceProtection", protect);
    desire(&mut world, 4);
    pass(&mut world, 60);
    let left: Vec<String> = nodes(&world).members.into_iter().map(|it| it.instance_id).collect();
    assert_eq!(left.len(), 4);
    assert!(left.contains(&old[0]) && !left.contains(&old[1]));
}

#[test]
fn a_group_of_protected_instances_does_not_shrink() {
    let mut world = settled_with(0, 2, 2, json!({"NewInstancesProtectedFromScaleIn": true}));
    desire(&mut world, 0);
    pass(&mut world, 600);
    assert_eq!(nodes(&world).in_service(), 2);
}

#[test]
fn terminating_one_with_the_decrement_leaves_a_gap_and_without_it_none() {
    let mut world = settled(1, 2, 3);
    let id = nodes(&world).members[0].instance_id.clone();
    let terminate =
        |id: &str, decrements: bool| json!({"InstanceId": id, "ShouldDecrementDesiredCapacity": decrements});
    let reply = call(&mut world, "TerminateInstanceInAutoScalingGroup", terminate(&id, false));
    assert_eq!(reply["Activity"]["StatusCode"], "InProgress");
    assert_eq!(reply["Activity"]["Description"], format!("Terminating EC2 instance: {id}"));
    pass(&mut world, 120);
    assert_eq!((nodes(&world).desired, nodes(&world).in_service()), (2, 2));
    let next = nodes(&world).members[0].instance_id.clone();
    assert_ne!(id, next);
    call(&mut world, "TerminateInstanceInAutoScalingGroup", terminate(&next, true));
    pass(&mut world, 120);
    assert_eq!((nodes(&world).desired, nodes(&world).in_service()), (1, 1));
    let last = nodes(&world).members[0].instance_id.clone();
    let error = refused(&mut world, "TerminateInstanceInAutoScalingGroup", terminate(&last, true));
    assert!(error.message.starts_with("Currently, desiredSize equals minSize (1)."), "{}", error.message);
    let error = refused(&mut world, "TerminateInstanceInAutoScalingGroup", terminate("i-nobody", true));
    assert!(error.message.contains("No managed instance found for instance ID: i-nobody"));
}

#[test]
fn zones_out_of_balance_are_balanced_again_launching_first() {
    let mut world = settled(0, 4, 6);
    let in_b: Vec<_> = nodes(&world).members.into_iter().filter(|it| it.az.ends_with('b')).collect();
    for member in in_b {
        let input = json!({"InstanceId": member.instance_id, "ShouldDecrementDesiredCapacity": true});
        call(&mut world, "TerminateInstanceInAutoScalingGroup", input);
    }
    pass(&mut world, 300);
    let named = |az: char| (az, "InService".to_owned());
    assert_eq!(states(&world), ['a', 'b'].map(named));
}

#[test]
fn a_group_with_instances_is_deleted_only_by_force() {
    let mut world = settled(0, 1, 2);
    let input = json!({"AutoScalingGroupName": "nodes"});
    assert_eq!(refused(&mut world, "DeleteAutoScalingGroup", input).code, "ResourceInUse");
    call(&mut world, "DeleteAutoScalingGroup", json!({"AutoScalingGroupName": "nodes", "ForceDelete": true}));
    pass(&mut world, 60);
    assert!(group(&world, "nodes").is_none());
    assert!(crate::ecs::view::instances(&world).is_empty());
}

#[test]
fn spot_comes_after_the_on_demand_base_by_percentage() {
    let policy = json!({"MixedInstancesPolicy": {
        "LaunchTemplate": {
            "LaunchTemplateSpecification": {"LaunchTemplateName": "nodes", "Version": "1"},
            "Overrides": [{"InstanceType": "m7i.large"}, {"InstanceType": "m5.large"}]},
        "InstancesDistribution": {"OnDemandBaseCapacity": 1, "OnDemandPercentageAboveBaseCapacity": 25}}});
    let world = settled_with(0, 5, 6, policy);
    let spot = crate::ec2::machines(&world).iter().filter(|it| it.spot).count();
    assert_eq!((spot, crate::ec2::machines(&world).len()), (3, 5));
    assert!(crate::ec2::machines(&world).iter().all(|it| it.instance_type == "m7i.large"));
}

#[test]
fn what_is_not_carried_out_is_refused_by_name() {
    let mut world = world();
    let input = |more: &str| {
        let mut input = json!({"AutoScalingGroupName": "x", "MinSize": 0, "MaxSize": 1,
            "VPCZoneIdentifier": "subnet-a", "LaunchTemplate": {"LaunchTemplateName": "nodes"}});
        input[more] = json!(["arn:x"]);
        input
    };
    let error = refused(&mut world, "CreateAutoScalingGroup", input("TargetGroupARNs"));
    assert_eq!(error.message, "The embedded Auto Scaling does not carry out TargetGroupARNs");
    assert_eq!(refused(&mut world, "PutWarmPool", json!({})).code, "InvalidAction");
}

#[test]
fn the_same_seed_gives_the_same_instances() {
    let ids = |world: &World| nodes(world).members.into_iter().map(|it| it.instance_id).collect::<Vec<_>>();
    assert_eq!(ids(&settled(0, 3, 5)), ids(&settled(0, 3, 5)));
}
