//! What the stack's roles do not allow: a role for tasks that nobody listed, another cluster, another's group.

use std::time::Duration;

use serde_json::{Value, json};
use windlass_sim::call::{Call, Caller};
use windlass_sim::{ApiError, ServiceId, lambda};
use windlass_tests::{Stage, key, version};

/// `shop` whose tasks have these roles.
fn spec(task_role: &str, execution_role: &str) -> String {
    format!(
        "image: {{repository: shop}}\ndesired: 1\n\
         task: {{cpu: 64, memory: 128, port: 80, task_role: '{task_role}', execution_role: '{execution_role}'}}\n"
    )
}

const LISTED: &str = "arn:aws:iam::123456789012:role/tasks/shop";

#[tokio::test(start_paused = true)]
async fn a_spec_may_name_the_roles_that_the_stack_lists() {
    let mut stage = Stage::new(600).await;
    stage.apply_spec("shop", &spec(LISTED, "arn:aws:iam::123456789012:role/tasks/pull"));
    let one = stage.push("shop", "latest", &version("1"));
    stage.run_for(Duration::from_secs(2)).await;
    stage.until_quiet().await;
    stage.assert_live("shop", &one);
    stage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_role_that_the_stack_does_not_list_is_denied_with_the_next_step_until_the_spec_names_another() {
    let mut stage = Stage::new(601).await;
    let other = "arn:aws:iam::123456789012:role/admin";
    stage.apply_spec("shop", &spec(other, LISTED));
    let one = stage.push("shop", "latest", &version("1"));
    stage.run_for(Duration::from_secs(100)).await;
    assert!(stage.described("shop").is_null(), "nothing was made");
    let report = stage.report(&key("shop")).await;
    for words in [
        "is not authorized to perform: iam:PassRole on resource: arn:aws:iam::123456789012:role/admin because no \
         identity-based policy allows the iam:PassRole action",
        "add arn:aws:iam::123456789012:role/admin to the stack's parameter PassRoleArns",
    ] {
        assert!(report.contains(words), "{words}: {report}");
    }
    stage.apply_spec("shop", &spec(LISTED, LISTED));
    stage.run_for(Duration::from_secs(65)).await;
    stage.until_quiet().await;
    stage.assert_live("shop", &one);
    stage.finish().await;
}

/// A call in a function's role.
fn calls(
    stage: &Stage,
    function: &str,
    service: ServiceId,
    operation: &str,
    input: &Value,
) -> Result<Value, ApiError> {
    let caller = Caller { access_key: lambda::access_key(function) };
    let call = Call { service, operation: operation.to_owned(), input: input.clone(), caller };
    stage.door.with(|world| world.call(&call))
}

#[tokio::test(start_paused = true)]
async fn the_roles_end_where_the_stack_ends() {
    let stage = Stage::on_a_group(602, 1, 3).await;
    let ecs = ServiceId::Ecs;
    let elb = ServiceId::ElasticLoadBalancing;
    let group = json!({"AutoScalingGroupName": "others", "MinSize": 0, "MaxSize": 3, "DesiredCapacity": 0,
        "AvailabilityZones": ["eu-central-1a"], "LaunchTemplate": {"LaunchTemplateName": "nodes"}});
    stage.by_hand(ServiceId::AutoScaling, "CreateAutoScalingGroup", &group);
    let made = stage.by_hand(
        elb,
        "CreateTargetGroup",
        &json!({"Name": "theirs", "Protocol": "HTTP", "Port": 80,
        "VpcId": windlass_sim::elb::VPC_ID}),
    );
    let theirs = &made["TargetGroups"][0]["TargetGroupArn"];
    let event = json!({"Source": "aws.ecr", "DetailType": "ECR Image Action", "Detail": "{}"});
    for (function, service, operation, input, denied) in [
        (
            &stage.function,
            ecs,
            "UpdateService",
            json!({"cluster": "other", "service": "shop"}),
            "service/other/shop",
        ),
        (
            &stage.function,
            ecs,
            "ListServices",
            json!({"cluster": "other"}),
            "ecs:ListServices on resource: *",
        ),
        (&stage.function, elb, "ModifyTargetGroup", json!({"TargetGroupArn": theirs}), "targetgroup/theirs/"),
        (&stage.function, ServiceId::Events, "PutEvents", json!({"Entries": [event]}), "event-bus/default"),
        (
            &stage.function,
            ServiceId::Ssm,
            "GetParameters",
            json!({"Names": ["/app/password"]}),
            "parameter/app/password",
        ),
        (
            &stage.scale,
            ServiceId::AutoScaling,
            "SetDesiredCapacity",
            json!({"AutoScalingGroupName": "others", "DesiredCapacity": 2}),
            "autoScalingGroupName/others",
        ),
        (&stage.drain, ecs, "StopTask", json!({"cluster": "other", "task": "t"}), "task/other/t"),
        (
            &stage.verify,
            ecs,
            "UpdateService",
            json!({"cluster": "main", "service": "shop"}),
            "service/main/shop",
        ),
    ] {
        let error = calls(&stage, function, service, operation, &input).expect_err(operation);
        assert!(error.code.starts_with("AccessDenied"), "{operation} {input}: {error:?}");
        assert!(error.message.contains(denied), "{operation} {input}: {}", error.message);
        assert!(error.message.contains("because no identity-based policy allows the"), "{}", error.message);
    }
    let ours = json!({"AutoScalingGroupName": "nodes", "DesiredCapacity": 2});
    assert!(
        calls(&stage, &stage.scale, ServiceId::AutoScaling, "SetDesiredCapacity", &ours).is_ok(),
        "tagged"
    );
}

/// An event that failed three times is sent to the dead-letter queue in the function's role.
#[tokio::test(start_paused = true)]
async fn what_a_function_could_not_do_is_kept_in_its_own_role() {
    let mut stage = Stage::on_a_group(603, 1, 2).await;
    let malformed = json!({"source": "aws.autoscaling", "detail-type": 7});
    for function in [stage.scale.clone(), stage.drain.clone(), stage.verify.clone()] {
        stage.door.with(|world| lambda::enqueue(world, &function, malformed.clone())).unwrap();
    }
    stage.run_for(Duration::from_mins(5)).await;
    assert_eq!(stage.dead_letters().len(), 3, "{:?}", stage.dead_letters());
}
