//! What operations ask for: resources and condition keys, by the service authorization reference.

use super::*;
use crate::call::{Call, Caller, ServiceId};
use crate::ecs::testing;
use crate::world::World;

const ACCOUNT: &str = "arn:aws:ecs:eu-central-1:123456789012";
const LISTENER: &str = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:listener/app/main/1/2";

fn call(service: ServiceId, operation: &str, input: Value) -> Call {
    Call { service, operation: operation.into(), input, caller: Caller { access_key: "AKIDEXAMPLE".into() } }
}

/// Each question as `action resource key=value,…`, the Region aside.
fn asked(world: &World, service: ServiceId, operation: &str, input: Value) -> Vec<String> {
    let asks = asks::of(world, &call(service, operation, input)).expect("the operation is known");
    let keys = |ask: &Ask| {
        let names = ask.names().filter(|name| *name != "aws:requestedregion");
        names.map(|name| format!(" {name}={}", ask.values(name).join("|"))).collect::<Vec<_>>().concat()
    };
    asks.iter().map(|ask| format!("{} {}{}", ask.action, ask.resource, keys(ask))).collect()
}

#[test]
fn what_has_no_resource_is_asked_everywhere_and_lists_are_confined_by_their_cluster() {
    let world = testing::world();
    let ecs = |operation: &str, input: Value| asked(&world, ServiceId::Ecs, operation, input);
    assert_eq!(
        ecs("DescribeTaskDefinition", json!({"taskDefinition": "shop"})),
        ["ecs:DescribeTaskDefinition *"]
    );
    let cluster = format!("{ACCOUNT}:cluster/main");
    assert_eq!(
        ecs("ListTasks", json!({"cluster": "main"})),
        [format!("ecs:ListTasks * ecs:cluster={cluster}")]
    );
    assert_eq!(
        ecs("ListServices", json!({"cluster": cluster})),
        [format!("ecs:ListServices * ecs:cluster={cluster}")]
    );
    assert_eq!(
        ecs("ListTasks", json!({"cluster": "main", "containerInstance": "abc"})),
        [format!("ecs:ListTasks {ACCOUNT}:container-instance/main/abc ecs:cluster={cluster}")]
    );
    let elb =
        asked(&world, ServiceId::ElasticLoadBalancing, "DescribeRules", json!({"ListenerArn": LISTENER}));
    assert_eq!(elb, ["elasticloadbalancing:DescribeRules *"]);
}

#[test]
fn each_thing_that_a_call_names_is_asked_for() {
    let world = testing::world();
    let cluster = format!("ecs:cluster={ACCOUNT}:cluster/main");
    let services = json!({"cluster": "main", "services": ["shop", format!("{ACCOUNT}:service/other/cart")]});
    assert_eq!(
        asked(&world, ServiceId::Ecs, "DescribeServices", services),
        [
            format!("ecs:DescribeServices {ACCOUNT}:service/main/shop {cluster}"),
            format!("ecs:DescribeServices {ACCOUNT}:service/other/cart {cluster}"),
        ]
    );
    let deployment = format!("{ACCOUNT}:service-deployment/main/shop/9");
    assert_eq!(
        asked(&world, ServiceId::Ecs, "StopServiceDeployment", json!({"serviceDeploymentArn": deployment})),
        [
            format!("ecs:StopServiceDeployment {ACCOUNT}:service/main/shop {cluster}"),
            format!(
                "ecs:StopServiceDeployment {deployment} {cluster} ecs:service={ACCOUNT}:service/main/shop"
            ),
        ]
    );
    let names = json!({"Names": ["/windlass/services/main/shop", "plain"]});
    assert_eq!(
        asked(&world, ServiceId::Ssm, "GetParameters", names),
        [
            "ssm:GetParameters arn:aws:ssm:eu-central-1:123456789012:parameter/windlass/services/main/shop",
            "ssm:GetParameters arn:aws:ssm:eu-central-1:123456789012:parameter/plain",
        ]
    );
    let transaction =
        json!({"TransactItems": [{"Put": {"TableName": "t"}}, {"ConditionCheck": {"TableName": "u"}}]});
    assert_eq!(
        asked(&world, ServiceId::DynamoDb, "TransactWriteItems", transaction),
        [
            "dynamodb:PutItem arn:aws:dynamodb:eu-central-1:123456789012:table/t \
             dynamodb:enclosingoperation=TransactWriteItems",
            "dynamodb:ConditionCheckItem arn:aws:dynamodb:eu-central-1:123456789012:table/u \
             dynamodb:enclosingoperation=TransactWriteItems",
        ]
    );
    let events = json!({"Entries": [{"Source": "a", "DetailType": "A"}, {"Source": "b", "DetailType": "B"}]});
    assert_eq!(
        asked(&world, ServiceId::Events, "PutEvents", events),
        [
            "events:PutEvents arn:aws:events:eu-central-1:123456789012:event-bus/default events:detail-type=A \
             events:source=a",
            "events:PutEvents arn:aws:events:eu-central-1:123456789012:event-bus/default events:detail-type=B \
             events:source=b",
        ]
    );
}

#[test]
fn tags_and_roles_are_asked_for_beside_what_gives_them() {
    let mut world = testing::world();
    let registering = json!({"family": "shop", "taskRoleArn": "arn:aws:iam::123456789012:role/a",
        "executionRoleArn": "b", "tags": [{"key": "team", "value": "x"}], "containerDefinitions": [
            {"name": "web", "image": "i", "memory": 64}]});
    assert_eq!(
        asked(&world, ServiceId::Ecs, "RegisterTaskDefinition", registering.clone()),
        [
            format!(
                "ecs:RegisterTaskDefinition {ACCOUNT}:task-definition/shop:* aws:requesttag/team=x aws:tagkeys=team"
            ),
            format!(
                "ecs:TagResource {ACCOUNT}:task-definition/shop:* aws:requesttag/team=x aws:tagkeys=team \
                 ecs:createaction=RegisterTaskDefinition"
            ),
            "iam:PassRole arn:aws:iam::123456789012:role/a iam:passedtoservice=ecs-tasks.amazonaws.com"
                .into(),
            "iam:PassRole arn:aws:iam::123456789012:role/b iam:passedtoservice=ecs-tasks.amazonaws.com"
                .into(),
        ]
    );
    testing::call(&mut world, "RegisterTaskDefinition", registering);
    let run = asked(&world, ServiceId::Ecs, "RunTask", json!({"cluster": "main", "taskDefinition": "shop"}));
    assert_eq!(
        run[0],
        format!(
            "ecs:RunTask {ACCOUNT}:task-definition/shop:1 aws:resourcetag/team=x ecs:cluster={ACCOUNT}:cluster/main"
        )
    );
    assert_eq!(run.len(), 3, "a task gets its definition's roles: {run:?}");
    let hook = json!({"hookTargetArn": "f", "roleArn": "arn:aws:iam::123456789012:role/hook", "lifecycleStages": []});
    let advanced = json!({"roleArn": "arn:aws:iam::123456789012:role/shift"});
    let update = json!({"cluster": "main", "service": "shop", "taskDefinition": "shop:1",
        "loadBalancers": [{"advancedConfiguration": advanced}], "deploymentConfiguration": {"lifecycleHooks": [hook, hook]}});
    assert_eq!(
        asked(&world, ServiceId::Ecs, "UpdateService", update),
        [
            format!(
                "ecs:UpdateService {ACCOUNT}:service/main/shop ecs:cluster={ACCOUNT}:cluster/main \
                 ecs:task-definition={ACCOUNT}:task-definition/shop:1"
            ),
            "iam:PassRole arn:aws:iam::123456789012:role/hook iam:passedtoservice=ecs.amazonaws.com".into(),
            "iam:PassRole arn:aws:iam::123456789012:role/shift iam:passedtoservice=ecs.amazonaws.com".into(),
        ]
    );
}

#[test]
fn what_a_load_balancer_is_given_has_no_id_yet() {
    let world = testing::world();
    let tags = json!([{"Key": "windlass:service", "Value": "main/shop"}]);
    let elb =
        |operation: &str, input: Value| asked(&world, ServiceId::ElasticLoadBalancing, operation, input);
    let request = "aws:requesttag/windlass:service=main/shop aws:tagkeys=windlass:service";
    let rule = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:listener-rule/app/main/1/2/*";
    assert_eq!(
        elb("CreateRule", json!({"ListenerArn": LISTENER, "Tags": tags})),
        [
            format!("elasticloadbalancing:CreateRule {LISTENER} {request}"),
            format!(
                "elasticloadbalancing:AddTags {rule} {request} elasticloadbalancing:createaction=CreateRule"
            ),
        ]
    );
    let moved = elb("SetRulePriorities", json!({"RulePriorities": [{"RuleArn": "r1"}, {"RuleArn": "r2"}]}));
    assert_eq!(
        moved,
        ["elasticloadbalancing:SetRulePriorities r1", "elasticloadbalancing:SetRulePriorities r2"]
    );
    let group = elb("CreateTargetGroup", json!({"Name": "shop"}));
    let made = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:targetgroup/shop/*";
    assert_eq!(
        group,
        [format!("elasticloadbalancing:CreateTargetGroup {made}")],
        "without tags nothing is tagged"
    );
}

#[test]
fn a_call_that_names_nothing_asks_for_everything_and_an_unknown_one_is_said_to_be() {
    let world = testing::world();
    assert_eq!(asked(&world, ServiceId::Ssm, "GetParameters", json!({})), ["ssm:GetParameters *"]);
    assert_eq!(asks::of(&world, &call(ServiceId::Ecs, "DeleteCluster", json!({}))), None);
    assert_eq!(asks::of(&world, &call(ServiceId::Sts, "GetCallerIdentity", json!({}))), Some(Vec::new()));
}
