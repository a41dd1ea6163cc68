//! DRAINING: which tasks move, and which stay.

use serde_json::json;

use super::testing::{call, instance, pass, push, register, running, said, shop, world};
use super::view;
use crate::world::World;

/// Two instances, and `shop` with this many tasks, minimum and maximum.
fn shop_of(desired: u32, minimum: u32, maximum: u32) -> World {
    let mut world = world();
    instance(&mut world, 1, 4000);
    instance(&mut world, 2, 4000);
    push(&mut world, "v1", []);
    let definition = register(&mut world, "shop", &shop("v1"), 256);
    let percent = json!({"minimumHealthyPercent": minimum, "maximumPercent": maximum});
    let input = json!({"cluster": "main", "serviceName": "shop", "taskDefinition": definition,
        "desiredCount": desired, "deploymentConfiguration": percent});
    call(&mut world, "CreateService", input);
    world
}

fn set(world: &mut World, arn: &str, status: &str) {
    let input = json!({"cluster": "main", "containerInstances": [arn], "status": status});
    call(world, "UpdateContainerInstancesState", input);
}

/// The ARN of an instance that has a task, and how many tasks it has.
fn busy(world: &World) -> (String, usize) {
    let all = view::instances(world);
    let busy = all.iter().max_by_key(|it| it.tasks.len()).unwrap();
    (busy.arn.clone(), busy.tasks.len())
}

fn tasks_on(world: &World, arn: &str) -> usize {
    view::instances(world).iter().find(|it| it.arn == arn).unwrap().tasks.len()
}

#[test]
fn with_room_above_the_replacement_comes_first() {
    let mut world = shop_of(1, 100, 200);
    pass(&mut world, 20);
    let (arn, _) = busy(&world);
    set(&mut world, &arn, "DRAINING");
    for _ in 0..30 {
        pass(&mut world, 1);
        assert!(running(&world) >= 1);
    }
    assert_eq!((tasks_on(&world, &arn), running(&world)), (0, 1));
}

#[test]
fn without_room_above_the_old_one_stops_first() {
    let mut world = shop_of(2, 50, 100);
    pass(&mut world, 20);
    let (arn, _) = busy(&world);
    set(&mut world, &arn, "DRAINING");
    let mut least = 2;
    for _ in 0..30 {
        pass(&mut world, 1);
        least = least.min(running(&world));
    }
    assert_eq!((tasks_on(&world, &arn), running(&world), least), (0, 2, 1));
}

#[test]
fn percentages_that_round_to_no_move_are_stuck_for_good() {
    // Of one task, 50 % rounds up to one and 150 % down to one.
    let mut world = shop_of(1, 50, 150);
    pass(&mut world, 20);
    let (arn, _) = busy(&world);
    set(&mut world, &arn, "DRAINING");
    pass(&mut world, 3600);
    assert_eq!((tasks_on(&world, &arn), running(&world)), (1, 1));
    assert!(said(&world, "was unable to stop or start tasks during a deployment"));
    set(&mut world, &arn, "ACTIVE");
    pass(&mut world, 60);
    assert_eq!((tasks_on(&world, &arn), running(&world)), (1, 1), "un-drained, it stays");
}

#[test]
fn a_pending_task_stops_at_once() {
    let mut world = shop_of(1, 100, 200);
    pass(&mut world, 1);
    let (arn, tasks) = busy(&world);
    assert_eq!((tasks, running(&world)), (1, 0));
    let task = view::instances(&world).iter().find(|it| it.arn == arn).unwrap().tasks[0].clone();
    set(&mut world, &arn, "DRAINING");
    pass(&mut world, 2);
    assert!(!view::task(&world, &task).unwrap().wanted);
    pass(&mut world, 20);
    assert_eq!(running(&world), 1);
}

#[test]
fn standalone_and_protected_tasks_stay() {
    let mut world = shop_of(2, 100, 200);
    pass(&mut world, 20);
    let first = view::instances(&world)[0].clone();
    let protected = json!({"cluster": "main", "tasks": [first.tasks[0]], "protectionEnabled": true, "expiresInMinutes": 60});
    call(&mut world, "UpdateTaskProtection", protected);
    let here = json!([{"type": "memberOf", "expression": format!("ec2InstanceId == {}", first.instance_id)}]);
    let out = call(
        &mut world,
        "RunTask",
        json!({"cluster": "main", "taskDefinition": "shop", "group": "jobs", "placementConstraints": here}),
    );
    let job = out["tasks"][0]["taskArn"].as_str().unwrap().to_owned();
    pass(&mut world, 10);
    set(&mut world, &first.arn, "DRAINING");
    pass(&mut world, 1800);
    let left = view::instances(&world)[0].tasks.clone();
    assert!(left.contains(&first.tasks[0]) && left.contains(&job), "{left:?}");
    pass(&mut world, 1900);
    assert_eq!(view::instances(&world)[0].tasks, [job], "the protection has ended, the job has not");
}

#[test]
fn nothing_is_placed_where_no_agent_answers() {
    let mut world = shop_of(0, 100, 200);
    for id in ["i-1", "i-2"] {
        super::machine_stops(&mut world, id);
    }
    let asked = json!({"cluster": "main", "containerInstances": [view::instances(&world)[0].arn]});
    let described = call(&mut world, "DescribeContainerInstances", asked);
    assert_eq!(described["containerInstances"][0]["agentConnected"], false);
    call(&mut world, "UpdateService", json!({"cluster": "main", "service": "shop", "desiredCount": 1}));
    pass(&mut world, 60);
    assert_eq!(running(&world), 0);
}

#[test]
fn an_attribute_is_put_told_and_taken_off() {
    let mut world = shop_of(0, 100, 200);
    let arn = view::instances(&world)[0].arn.clone();
    let attributes = |world: &mut World| {
        let input = json!({"cluster": "main", "containerInstances": [arn]});
        let told = call(world, "DescribeContainerInstances", input);
        let all = told["containerInstances"][0]["attributes"].as_array().cloned().unwrap();
        all.into_iter().find(|it| it["name"] == "team").map(|it| it["value"].clone())
    };
    let mark = json!({"name": "team", "value": "blue", "targetType": "container-instance", "targetId": arn});
    call(&mut world, "PutAttributes", json!({"cluster": "main", "attributes": [mark]}));
    assert_eq!(attributes(&mut world), Some(json!("blue")));
    let name = json!({"name": "team", "targetType": "container-instance", "targetId": arn});
    for _ in 0..2 {
        call(&mut world, "DeleteAttributes", json!({"cluster": "main", "attributes": [name]}));
        assert_eq!(attributes(&mut world), None);
    }
}
