//! A deployment's lifecycle hook, carried out as a function of this door.

use std::collections::BTreeMap;
use std::sync::Mutex;

use serde_json::{Value, json};

use super::*;
use crate::{ecr, ecs};

fn call(door: &InProcess, operation: &str, input: &Value) -> Value {
    door.with(|world| ecs::handle(world, operation, input))
        .unwrap_or_else(|error| panic!("{operation}: {error:?}"))
}

/// The cluster `main` with an instance, and `shop` deployed blue/green with a hook.
fn deploy(door: &InProcess) {
    door.with(|world| {
        ecr::ensure_repository(world, "shop");
        ecr::push_image(world, "shop", &["v1"], &ecr::PushSpec::labelled([])).unwrap();
        lambda::install(world, Function::named("verify"));
    });
    call(door, "CreateCluster", &json!({"clusterName": "main"}));
    door.with(|world| {
        let spec = ecs::InstanceSpec {
            cluster: "main".into(),
            instance_id: "i-1".into(),
            az: "eu-central-1a".into(),
            architecture: "amd64".into(),
            cpu: 2048,
            memory: 4000,
            attributes: BTreeMap::new(),
        };
        ecs::add_instance(world, spec).unwrap();
    });
    let image = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/shop:v1";
    let container = json!({"name": "web", "image": image, "memory": 128});
    call(door, "RegisterTaskDefinition", &json!({"family": "shop", "containerDefinitions": [container]}));
    let hook = json!({"hookTargetArn": "arn:aws:lambda:eu-central-1:123456789012:function:verify",
        "roleArn": "arn:aws:iam::123456789012:role/hooks", "lifecycleStages": ["POST_SCALE_UP"]});
    call(
        door,
        "CreateService",
        &json!({"cluster": "main", "serviceName": "shop", "taskDefinition": "shop", "desiredCount": 1,
        "deploymentConfiguration": {"strategy": "BLUE_GREEN", "bakeTimeInMinutes": 1, "lifecycleHooks": [hook]}}),
    );
}

#[tokio::test(start_paused = true)]
async fn a_hooks_function_answers_and_the_deployment_goes_on() {
    let door = start();
    let answers =
        [json!({"hookStatus": "IN_PROGRESS", "callBackDelay": 5}), json!({"hookStatus": "SUCCEEDED"})];
    let answers = Arc::new(Mutex::new((answers.into_iter(), Vec::new())));
    let shared = Arc::clone(&answers);
    door.register("verify", move |invocation| {
        let (answers, heard) = &mut *shared.lock().unwrap();
        heard.push(invocation.payload["lifecycleStage"].clone());
        let answer = answers.next().ok_or_else(|| "called once too often".to_owned());
        async move { answer }
    });
    deploy(&door);
    let rollout =
        |world: &World| ecs::view::service(world, "main", "shop").map(|it| it.rollout).unwrap_or_default();
    assert!(door.wait_for(Duration::from_mins(5), |world| rollout(world) == "COMPLETED").await);
    assert_eq!(answers.lock().unwrap().1, ["POST_SCALE_UP", "POST_SCALE_UP"]);
}

#[tokio::test(start_paused = true)]
async fn a_hooks_function_that_fails_is_not_tried_again() {
    let door = start();
    let calls = Arc::new(AtomicU32::new(0));
    let shared = Arc::clone(&calls);
    door.register("verify", move |_| {
        shared.fetch_add(1, Ordering::Relaxed);
        async { Err("boom".to_owned()) }
    });
    deploy(&door);
    let rollout =
        |world: &World| ecs::view::service(world, "main", "shop").map(|it| it.rollout).unwrap_or_default();
    assert!(door.wait_for(Duration::from_mins(5), |world| rollout(world) == "FAILED").await);
    door.run_for(Duration::from_mins(10)).await;
    assert_eq!(calls.load(Ordering::Relaxed), 1);
}
