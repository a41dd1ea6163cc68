use std::sync::Arc;

use serde_json::{Value, json};

use super::faults::When;
use super::*;
use crate::call::{Caller, ServiceId};
use crate::iam::{Document, Policy};
use crate::world::Config;

fn world() -> World {
    World::new(Config::default())
}

fn call(service: ServiceId, operation: &str) -> Call {
    Call {
        service,
        operation: operation.into(),
        input: json!({"Name": "/a", "Value": "1", "Type": "String", "Overwrite": true}),
        caller: Caller { access_key: "AKIDEXAMPLE".into() },
    }
}

fn policy(statement: &Value) -> Arc<Policy> {
    let document = Document { name: "p".into(), document: json!({ "Statement": statement }) };
    Arc::new(Policy::read(&[document]).unwrap())
}

fn put() -> Call {
    call(ServiceId::Ssm, "PutParameter")
}

fn value(world: &mut World) -> Option<Value> {
    world.call(&call(ServiceId::Ssm, "GetParameter")).ok().map(|reply| reply["Parameter"]["Value"].clone())
}

#[test]
fn a_bucket_empties_and_fills_with_virtual_time() {
    let mut world = world();
    let three = [put(), put(), put()].map(|call| world.call(&call).is_ok());
    assert_eq!(three, [true; 3]);
    let error = world.call(&put()).unwrap_err();
    assert_eq!((error.code.as_str(), error.status), ("ThrottlingException", 400));
    world.advance(world.now() + Duration::from_millis(334));
    assert!(world.call(&put()).is_ok(), "one token in a third of a second");
    assert!(world.call(&put()).is_err());
    assert_eq!(world.gate.log.count(ServiceId::Ssm, "PutParameter"), Counts { ok: 4, failed: 2 });
}

#[test]
fn elbv2_has_its_own_code_and_an_account_wide_bucket() {
    let mut world = world();
    let mut codes = Vec::new();
    for _ in 0..41 {
        codes.push(world.call(&call(ServiceId::ElasticLoadBalancing, "DescribeRules")).err().map(|e| e.code));
    }
    assert_eq!(codes.iter().filter(|code| code.as_deref() == Some("Throttling")).count(), 1);
    // Another category, the same account.
    let error = world.call(&call(ServiceId::ElasticLoadBalancing, "CreateRule")).unwrap_err();
    assert_eq!(error.code, "Throttling");
}

#[test]
fn throttling_can_be_off() {
    let mut world = World::new(Config { throttling: false, ..Config::default() });
    assert!((0..50).all(|_| world.call(&put()).is_ok()));
}

#[test]
fn a_call_fails_before_its_effect_or_after() {
    for (faults, happened) in [
        (faults::fail_nth_call(1, When::Before), false),
        (faults::fail_nth_call(1, When::After), true),
        (faults::drop_nth_call(1, When::Before), false),
        (faults::drop_nth_call(1, When::After), true),
    ] {
        let mut world = world();
        world.gate.faults = faults;
        assert!(world.call(&put()).is_err());
        assert_eq!(value(&mut world).is_some(), happened);
        assert!(world.call(&put()).is_ok(), "only the first call fails");
    }
}

#[test]
fn a_cut_connection_has_no_reply_and_a_slow_one_its_delay() {
    let mut world = world();
    world.gate.faults = faults::drop_nth_call(1, When::After);
    assert_eq!(world.serve(&put()).reply, None);
    world.gate.faults = Box::new(|_, _| Fault::Delay(Duration::from_secs(9)));
    let outcome = world.serve(&put());
    assert!(outcome.reply.is_some_and(|reply| reply.is_ok()));
    assert_eq!(outcome.delay, Duration::from_secs(9));
    let ends: Vec<_> = world.gate.log.records().map(|record| record.error.as_deref()).collect();
    assert_eq!(ends, [Some("ConnectionDropped"), None]);
}

#[test]
fn the_next_calls_are_throttled() {
    let mut world = world();
    world.gate.faults = faults::throttle_next(2);
    let codes = [put(), put(), put()].map(|call| world.call(&call).err().map(|error| error.code));
    let throttled = Some("ThrottlingException".to_owned());
    assert_eq!(codes, [throttled.clone(), throttled, None]);
}

#[test]
fn a_denied_call_names_who_what_and_on_what() {
    let mut world = world();
    world.gate.permissions.deny_caller("AKIDEXAMPLE", "ecs:UpdateService");
    let mut update = call(ServiceId::Ecs, "UpdateService");
    update.input = json!({"service": "arn:aws:ecs:eu-central-1:123456789012:service/main/shop"});
    let error = world.call(&update).unwrap_err();
    assert_eq!(error.code, "AccessDeniedException");
    assert!(
        error.message.starts_with(
            "User: arn:aws:iam::123456789012:user/AKIDEXAMPLE is not authorized to perform: \
             ecs:UpdateService on resource: arn:aws:ecs:eu-central-1:123456789012:service/main/shop"
        ),
        "{}",
        error.message
    );
    assert!(world.call(&put()).is_ok(), "another action");
}

#[test]
fn a_role_allows_its_actions_only() {
    let mut world = world();
    world.gate.permissions.assume(
        "AKIDEXAMPLE",
        permissions::Role {
            name: "deploy-role".into(),
            session: "deploy".into(),
            policy: Some(policy(&json!({
                "Effect": "Allow", "Action": ["ssm:Get*", "dynamodb:PutItem"], "Resource": "*"}))),
        },
    );
    let error = world.call(&put()).unwrap_err();
    assert!(
        error.message.contains("arn:aws:sts::123456789012:assumed-role/deploy-role/deploy is not authorized"),
        "{}",
        error.message
    );
    let error = world.call(&call(ServiceId::Ssm, "GetParameter")).unwrap_err();
    assert_eq!(error.code, "ParameterNotFound", "allowed, and not there");
    let mut write = call(ServiceId::DynamoDb, "TransactWriteItems");
    write.input = json!({"TransactItems": [{"Put": {}}, {"Delete": {}}]});
    let error = world.call(&write).unwrap_err();
    assert!(error.message.contains("dynamodb:DeleteItem"), "{}", error.message);
}

#[test]
fn a_role_reaches_its_resources_only_and_what_it_used_is_known() {
    let mut world = world();
    let name = "arn:aws:ssm:eu-central-1:123456789012:parameter";
    let allowed = json!({"Sid": "Read", "Effect": "Allow", "Action": ["ssm:GetParameters", "ssm:PutParameter"],
        "Resource": [format!("{name}/b/*"), format!("{name}/a")],
        "Condition": {"StringEquals": {"aws:RequestedRegion": "eu-central-1"}}});
    let role = permissions::Role { name: "r".into(), session: "s".into(), policy: Some(policy(&allowed)) };
    world.gate.permissions.assume("AKIDEXAMPLE", role);
    assert!(world.call(&put()).is_ok(), "/a");
    let mut read = call(ServiceId::Ssm, "GetParameters");
    read.input = json!({"Names": ["/a", "/c"]});
    let error = world.call(&read).unwrap_err();
    assert_eq!(
        error.message,
        format!(
            "User: arn:aws:sts::123456789012:assumed-role/r/s is not authorized to perform: ssm:GetParameters on \
             resource: {name}/c because no identity-based policy allows the ssm:GetParameters action"
        )
    );
    let used: Vec<_> =
        world.gate.permissions.usage.grants().map(|(role, grant)| (role.to_owned(), grant)).collect();
    let used: Vec<_> = used.iter().map(|(role, it)| (role.as_str(), it.action.as_str(), it.nth)).collect();
    assert_eq!(used, [("r", "ssm:GetParameters", 1), ("r", "ssm:PutParameter", 1)]);
}

#[test]
fn an_operation_of_unknown_needs_is_not_guessed_at() {
    let mut world = world();
    let label = |world: &mut World, resource: &str| {
        let allowed = json!({"Effect": "Allow", "Action": "ssm:LabelParameterVersion", "Resource": resource});
        let role =
            permissions::Role { name: "r".into(), session: "s".into(), policy: Some(policy(&allowed)) };
        world.gate.permissions.assume("AKIDEXAMPLE", role);
        world.call(&call(ServiceId::Ssm, "LabelParameterVersion")).unwrap_err().code
    };
    assert_eq!(label(&mut world, "arn:aws:ssm:*:*:parameter/a"), "NotImplemented");
    assert_eq!(
        label(&mut world, "*"),
        "UnknownOperationException",
        "allowed, and the service does not have it"
    );
}

#[test]
fn composite_alarms_are_hidden_from_who_has_less_than_everything() {
    let mut world = world();
    let tell = |world: &mut World, resource: &str| {
        let allowed = json!({"Effect": "Allow", "Action": "cloudwatch:DescribeAlarms", "Resource": resource});
        let role =
            permissions::Role { name: "r".into(), session: "s".into(), policy: Some(policy(&allowed)) };
        world.gate.permissions.assume("AKIDEXAMPLE", role);
        let mut call = call(ServiceId::CloudWatch, "DescribeAlarms");
        call.input = json!({"AlarmTypes": ["MetricAlarm", "CompositeAlarm"]});
        world.call(&call).unwrap()["CompositeAlarms"].as_array().map_or(0, Vec::len)
    };
    let mut make = call(ServiceId::CloudWatch, "PutCompositeAlarm");
    make.input = json!({"AlarmName": "both", "AlarmRule": "TRUE"});
    world.call(&make).unwrap();
    assert_eq!(tell(&mut world, "arn:aws:cloudwatch:*:*:alarm:*"), 0);
    assert_eq!(tell(&mut world, "*"), 1);
}
