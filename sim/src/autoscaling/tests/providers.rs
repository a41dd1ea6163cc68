//! ECS scales and drains a group by itself: managed scaling, managed draining.

use super::*;
use crate::ecr::{PushSpec, ensure_repository, push_image};

/// The group with a capacity provider, and a service of `desired` tasks of which an instance takes
/// two.
fn managed(desired: u32, instances: u32, more: Value) -> World {
    let mut world = settled(0, instances, 20);
    let group = call(&mut world, "DescribeAutoScalingGroups", json!({}))["AutoScalingGroups"][0].clone();
    let mut provider = json!({"autoScalingGroupArn": group["AutoScalingGroupARN"]});
    for (member, value) in more.as_object().into_iter().flatten() {
        provider[member] = value.clone();
    }
    ecs(&mut world, "CreateCapacityProvider", json!({"name": "pool", "autoScalingGroupProvider": provider}));
    let strategy = json!([{"capacityProvider": "pool", "weight": 1}]);
    let put = json!({"cluster": "main", "capacityProviders": ["pool"], "defaultCapacityProviderStrategy": strategy});
    ecs(&mut world, "PutClusterCapacityProviders", put);
    ensure_repository(&mut world, "shop");
    push_image(&mut world, "shop", &["v1"], &PushSpec::labelled([("sim.stop_secs", "1")])).unwrap();
    let image = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/shop:v1";
    let container = json!({"name": "web", "image": image, "cpu": 1024, "memory": 512});
    ecs(&mut world, "RegisterTaskDefinition", json!({"family": "shop", "containerDefinitions": [container]}));
    let service =
        json!({"cluster": "main", "serviceName": "shop", "taskDefinition": "shop", "desiredCount": desired});
    ecs(&mut world, "CreateService", service);
    world
}

fn scaling() -> Value {
    json!({"managedScaling": {"status": "ENABLED", "targetCapacity": 100}})
}

fn running(world: &World) -> usize {
    crate::ecs::view::service(world, "main", "shop").unwrap().running
}

fn resize(world: &mut World, desired: u32) {
    ecs(world, "UpdateService", json!({"cluster": "main", "service": "shop", "desiredCount": desired}));
}

#[test]
fn a_provider_is_described_with_what_is_managed() {
    let mut world = managed(0, 0, scaling());
    let found = ecs(&mut world, "DescribeCapacityProviders", json!({"capacityProviders": ["pool"]}));
    let provider = &found["capacityProviders"][0]["autoScalingGroupProvider"];
    assert_eq!(
        provider["managedScaling"],
        json!({"status": "ENABLED", "targetCapacity": 100, "minimumScalingStepSize": 1,
            "maximumScalingStepSize": 10_000, "instanceWarmupPeriod": 300})
    );
    assert_eq!(
        (&provider["managedDraining"], &provider["managedTerminationProtection"]),
        (&json!("ENABLED"), &json!("DISABLED"))
    );
    let hooks = call(&mut world, "DescribeLifecycleHooks", json!({"AutoScalingGroupName": "nodes"}));
    assert_eq!(hooks["LifecycleHooks"][0]["LifecycleHookName"], "ecs-managed-draining-termination-hook");
    let tags = call(&mut world, "DescribeTags", json!({}));
    assert_eq!(tags["Tags"][0]["Key"], "AmazonECSManaged");
    let protects =
        json!({"name": "pool", "autoScalingGroupProvider": {"managedTerminationProtection": "ENABLED"}});
    let error = made(&mut world, ServiceId::Ecs, "UpdateCapacityProvider", protects).unwrap_err();
    assert_eq!(error.code, "InvalidParameterException");
    let error =
        made(&mut world, ServiceId::Ecs, "DeleteCapacityProvider", json!({"capacityProvider": "pool"}));
    assert_eq!(error.unwrap_err().code, "ClientException");
}

#[test]
fn from_zero_managed_scaling_comes_by_two() {
    let mut world = managed(1, 0, scaling());
    pass(&mut world, 180);
    assert_eq!((nodes(&world).desired, running(&world)), (2, 1));
}

#[test]
fn waiting_tasks_bring_what_they_need_and_an_idle_quarter_of_an_hour_takes_it_away() {
    let mut world = managed(2, 1, scaling());
    pass(&mut world, 300);
    assert_eq!((nodes(&world).desired, running(&world)), (1, 2));
    resize(&mut world, 9);
    pass(&mut world, 240);
    assert_eq!((nodes(&world).desired, running(&world)), (5, 9));
    resize(&mut world, 2);
    pass(&mut world, 14 * 60);
    assert_eq!(nodes(&world).desired, 5);
    pass(&mut world, 6 * 60);
    assert!(nodes(&world).desired < 5);
    assert_eq!(running(&world), 2);
}

#[test]
fn a_second_step_waits_until_the_instances_of_the_first_are_warm() {
    let mut world = managed(0, 0, scaling());
    resize(&mut world, 8);
    pass(&mut world, 120);
    assert_eq!(nodes(&world).desired, 2, "from zero by two, whatever waits");
    pass(&mut world, 180);
    assert_eq!((nodes(&world).desired, running(&world)), (2, 4), "four more wait for the warm-up");
    pass(&mut world, 240);
    assert_eq!((nodes(&world).desired, running(&world)), (4, 8));
}

#[test]
fn what_shrinks_keeps_more_than_half_of_it_each_minute() {
    let mut world = managed(20, 10, scaling());
    pass(&mut world, 600);
    resize(&mut world, 0);
    let mut sizes = vec![nodes(&world).desired];
    for _ in 0..40 {
        pass(&mut world, 60);
        let size = nodes(&world).desired;
        if sizes.last() != Some(&size) {
            sizes.push(size);
        }
    }
    assert_eq!(sizes, [10, 6, 4, 3, 2, 1, 0]);
}

#[test]
fn without_managed_scaling_nothing_moves_and_the_failure_is_told() {
    let mut world = managed(1, 0, json!({}));
    pass(&mut world, 600);
    assert_eq!((nodes(&world).desired, running(&world)), (0, 0));
    let events = crate::ecs::view::service(&world, "main", "shop").unwrap().events;
    assert!(events.iter().any(|it| it.contains("unable to place a task")), "{events:?}");
}

#[test]
fn managed_draining_moves_the_tasks_before_the_instance_goes() {
    let mut world = managed(2, 2, json!({}));
    pass(&mut world, 60);
    let view = crate::ecs::view::instances(&world);
    let busy = view.iter().find(|it| !it.tasks.is_empty()).unwrap().instance_id.clone();
    let input = json!({"InstanceId": busy, "ShouldDecrementDesiredCapacity": true});
    call(&mut world, "TerminateInstanceInAutoScalingGroup", input);
    for _ in 0..60 {
        pass(&mut world, 2);
        assert!(running(&world) >= 2, "never below the minimum");
    }
    assert_eq!(nodes(&world).members.len(), 1);
    assert!(crate::ecs::view::instances(&world).iter().all(|it| it.instance_id != busy));
}

#[test]
fn without_draining_an_instance_takes_its_tasks_with_it() {
    let mut world = managed(4, 2, json!({"managedDraining": "DISABLED"}));
    pass(&mut world, 60);
    let victim = crate::ecs::view::instances(&world)[0].clone();
    let input = json!({"InstanceId": victim.instance_id, "ShouldDecrementDesiredCapacity": true});
    call(&mut world, "TerminateInstanceInAutoScalingGroup", input);
    pass(&mut world, 5);
    assert_eq!(running(&world), 4, "ECS has not heard of it yet");
    pass(&mut world, 60);
    let task = crate::ecs::view::task(&world, &victim.tasks[0]).unwrap();
    assert_eq!(
        task.stopped_reason.unwrap(),
        format!("Host EC2 (instance {}) terminated.", victim.instance_id)
    );
    assert_eq!(running(&world), 2);
}
