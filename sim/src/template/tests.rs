use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::json;

use super::*;
use crate::call::{Call, Caller, Reply, ServiceId};
use crate::lambda;
use crate::world::{Config, Effect};

/// The stack that users deploy.
const TEMPLATE: &str = include_str!("../../../template.yaml");
const LISTENER: &str = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:listener/app/main/0123456789abcdef/0123456789abcdef";

fn world() -> World {
    World::new(Config { throttling: false, ..Config::default() })
}

fn stack(world: &mut World, config: &StackConfig) -> Stack {
    install(world, TEMPLATE, config).unwrap_or_else(|error| panic!("{error:#}"))
}

fn call(world: &mut World, key: &str, service: ServiceId, operation: &str, input: Value) -> Reply {
    let caller = Caller { access_key: key.into() };
    world.call(&Call { service, operation: operation.into(), input, caller })
}

fn invocations(world: &mut World, secs: u64) -> Vec<lambda::Invocation> {
    world.advance(world.now() + Duration::from_secs(secs));
    let effects = world.effects.drain(..);
    effects.filter_map(|effect| if let Effect::Invoke(one) = effect { Some(one) } else { None }).collect()
}

#[test]
fn the_stack_of_windlass_comes_up() {
    let mut world = world();
    let config =
        StackConfig::named("windlass").with("ClusterNames", "main, staging").with("ListenerArn", LISTENER);
    let stack = stack(&mut world, &config);
    let name = &stack.functions["DeployFunction"];
    let function = world.lambda.function(name).unwrap();
    let table = &stack.tables["LedgerTable"];
    assert_eq!(&function.environment["WINDLASS_TABLE"], table);
    assert_eq!(function.environment["WINDLASS_CLUSTERS"], "main,staging");
    assert_eq!(function.environment["WINDLASS_LISTENER_ARN"], LISTENER);
    assert_eq!((function.timeout, function.memory_mib, function.retries), (Duration::from_mins(1), 256, 2));
    let queue = "arn:aws:sqs:eu-central-1:123456789012:windlass-DeadLetters";
    assert_eq!(function.on_failure.as_deref(), Some(queue));
    let described =
        call(&mut world, "AKID", ServiceId::DynamoDb, "DescribeTable", json!({"TableName": table})).unwrap();
    assert_eq!(described["Table"]["KeySchema"].as_array().unwrap().len(), 2);
    assert_eq!(stack.outputs["Table"], *table);
    assert!(stack.rules.contains_key("DeployFunctionImagePushed"), "{:?}", stack.rules);
}

/// The `windlass` command of a person decides by what the functions decide by.
#[test]
fn its_parameter_says_what_its_functions_have() {
    let mut world = world();
    let config = StackConfig::named("windlass")
        .with("ClusterNames", "main, staging")
        .with("ListenerArn", LISTENER)
        .with("DeregisterRevisions", "no")
        .with("InstancePrices", "t4g.small=0.0168/0.0067")
        .with("LabelHosts", "*.example.org,shop.example.org");
    let stack = stack(&mut world, &config);
    let told: BTreeMap<String, String> =
        serde_json::from_str(world.ssm.value("/windlass/stacks/windlass").unwrap()).unwrap();
    let mut wanted = BTreeMap::from([("version".to_owned(), env!("CARGO_PKG_VERSION").to_owned())]);
    for name in stack.functions.values() {
        let environment = &world.lambda.function(name).unwrap().environment;
        let ours =
            environment.iter().filter_map(|(name, value)| Some((name.strip_prefix("WINDLASS_")?, value)));
        // A function's own timeout is no person's.
        let ours = ours.filter(|(name, _)| *name != "TIMEOUT_SECS");
        wanted.extend(ours.map(|(name, value)| (name.to_lowercase(), value.clone())));
    }
    assert_eq!(told, wanted);
    assert_eq!(told["deregister_revisions"], "no");

    let get = json!({"Name": "/windlass/stacks/windlass"});
    let version = |world: &mut World| {
        let got = call(world, "AKID", ServiceId::Ssm, "GetParameter", get.clone()).unwrap();
        got["Parameter"]["Version"].clone()
    };
    super::install(&mut world, TEMPLATE, &config).unwrap();
    assert_eq!(version(&mut world), 1, "the same stack again writes nothing");
    super::install(&mut world, TEMPLATE, &config.with("DeregisterRevisions", "yes")).unwrap();
    assert_eq!(version(&mut world), 2);
}

#[test]
fn its_role_allows_what_it_lists_and_nothing_else() {
    let mut world = world();
    let stack = stack(&mut world, &StackConfig::named("windlass"));
    let key = lambda::access_key(&stack.functions["DeployFunction"]);
    let get = json!({"Names": ["/windlass/services/main/shop", "/windlass/clusters/main"]});
    let got = call(&mut world, &key, ServiceId::Ssm, "GetParameters", get).unwrap();
    assert_eq!(got["InvalidParameters"].as_array().unwrap().len(), 2, "allowed: {got}");
    let delete = json!({"Name": "/windlass/services/main/shop"});
    let error = call(&mut world, &key, ServiceId::Ssm, "DeleteParameter", delete).unwrap_err();
    assert_eq!(error.code, "AccessDeniedException");
    assert!(
        error.message.contains("assumed-role/windlass-DeployRole/windlass-DeployFunction"),
        "{}",
        error.message
    );
    // Without a listener the template leaves the rules out of the role.
    let error = call(&mut world, &key, ServiceId::ElasticLoadBalancing, "CreateRule", json!({})).unwrap_err();
    assert_eq!(error.code, "AccessDenied");
}

#[test]
fn its_rules_ring_for_what_they_name() {
    let mut world = world();
    let stack = stack(&mut world, &StackConfig::named("windlass"));
    let function = &stack.functions["DeployFunction"];
    let push = |tag: &str| json!({"action-type": "PUSH", "result": "SUCCESS", "repository-name": "shop", "image-tag": tag});
    world.emit("aws.ecr", "ECR Image Action", &[], push(""));
    assert!(invocations(&mut world, 2).is_empty(), "a child manifest rings nothing");
    world.emit("aws.ecr", "ECR Image Action", &[], push("v1"));
    let rung = invocations(&mut world, 2);
    assert_eq!(rung.len(), 1);
    assert_eq!(&rung[0].function, function);
    assert_eq!(rung[0].payload["detail"]["image-tag"], "v1");
    lambda::completed(&mut world, &rung[0], &lambda::Ended::Ok(Value::Null));
    let mut ticks = invocations(&mut world, 60);
    ticks.retain(|tick| tick.function == *function);
    assert_eq!(ticks.len(), 1, "the timer");
    assert_eq!(ticks[0].payload["detail-type"], "Scheduled Event");
}

#[test]
fn installing_again_replaces_and_keeps() {
    let mut world = world();
    let first = stack(&mut world, &StackConfig::named("windlass"));
    let second = stack(&mut world, &StackConfig::named("windlass"));
    assert_eq!(first, second);
    assert_eq!(world.bus.rules().count(), first.rules.len());
    let once = invocations(&mut world, 62);
    let woken: BTreeSet<&str> = once.iter().map(|it| it.function.as_str()).collect();
    assert_eq!(once.len(), woken.len(), "one timer each, not two");
    assert!(woken.contains(first.functions["DeployFunction"].as_str()), "{woken:?}");
}

const SMALL: &str = "
Parameters:
  Stage: {Type: String}
Conditions:
  Live: !Equals [!Ref Stage, live]
Resources:
  F:
    Type: AWS::Serverless::Function
    Properties:
      FunctionName: !Sub f-${Stage}
      ReservedConcurrentExecutions: 1
      DeadLetterQueue: {Type: SQS, TargetArn: !GetAtt Q.Arn}
      Environment:
        Variables:
          A: !If [Live, !Select [1, !Split ['-', 'a-b']], !Ref 'AWS::NoValue']
          B: !Sub ['${X}/${!Y}/${AWS::Region}', {X: !Join ['+', [a, 1]]}]
      Policies:
        - Statement: {Effect: Allow, Action: ssm:GetParameter, Resource: '*'}
      Events:
        Cron: {Type: ScheduleV2, Properties: {ScheduleExpression: rate(2 minutes), State: DISABLED}}
  Q: {Type: AWS::SQS::Queue}
  R:
    Type: AWS::Events::Rule
    Condition: Live
    Properties:
      EventPattern: {source: [x]}
      Targets: [{Id: a, Arn: !GetAtt F.Arn}]
Outputs:
  Url: {Value: !Ref Q}
";

#[test]
fn expressions_are_resolved() {
    let mut world = world();
    let live = install(&mut world, SMALL, &StackConfig::named("s").with("Stage", "live")).unwrap();
    let function = world.lambda.function("f-live").unwrap();
    assert_eq!(function.environment["A"], "b");
    assert_eq!(function.environment["B"], "a+1/${Y}/eu-central-1");
    let policies = function.policies.as_ref().unwrap();
    assert_eq!(policies[0].document["Statement"]["Action"], "ssm:GetParameter");
    assert_eq!(function.dead_letter.as_deref(), Some("arn:aws:sqs:eu-central-1:123456789012:s-Q"));
    assert_eq!(function.reserved_concurrency, Some(1));
    assert_eq!(live.outputs["Url"], "https://sqs.eu-central-1.amazonaws.com/123456789012/s-Q");
    assert_eq!(live.rules.keys().collect::<Vec<_>>(), ["FCron", "R"]);
    assert_eq!(live.ignored, ["AWS::SQS::Queue"]);
    let test = install(&mut world, SMALL, &StackConfig::named("s").with("Stage", "test")).unwrap();
    assert!(!test.rules.contains_key("R"), "its condition does not hold");
    assert!(!world.lambda.function("f-test").unwrap().environment.contains_key("A"));
}

#[test]
fn a_function_may_be_called_by_whom_a_permission_names() {
    let permission = "  APermission:
    Type: AWS::Lambda::Permission
    Properties:
      FunctionName: !Ref F
      Action: lambda:InvokeFunction
      Principal: lambda.alarms.cloudwatch.amazonaws.com
      SourceAccount: !Ref AWS::AccountId
Outputs:
";
    let mut world = world();
    let config = StackConfig::named("s").with("Stage", "live");
    install(&mut world, &SMALL.replace("Outputs:\n", permission), &config).unwrap();
    let permissions = &world.lambda.function("f-live").unwrap().permissions;
    assert_eq!(permissions["APermission"].principal, "lambda.alarms.cloudwatch.amazonaws.com");
    assert_eq!(permissions["APermission"].source_account.as_deref(), Some("123456789012"));
    let nobodys = permission.replace("!Ref F", "nobody");
    let error = install(&mut world, &SMALL.replace("Outputs:\n", &nobodys), &config).unwrap_err();
    assert!(format!("{error:#}").contains("there is no function nobody"), "{error:#}");
}

#[test]
fn mistakes_are_named() {
    let config = StackConfig::named("s").with("Stage", "live");
    for (from, to, config, words) in [
        ("", "", StackConfig::named("s"), "the parameter Stage has no default: give it"),
        ("", "", config.clone().with("Other", "1"), "the template has no parameter Other"),
        ("!Ref Q", "!Ref Nobody", config.clone(), "no parameter or resource Nobody"),
        ("Type: ScheduleV2", "Type: Kafka", config.clone(), "no event source Some(\"Kafka\")"),
        ("source: [x]", "source: x", config.clone(), "InvalidEventPatternException"),
        ("rate(2 minutes)", "rate(2 minute)", config.clone(), "ScheduleExpression is not valid"),
        ("!GetAtt Q.Arn", "!GetAtt Q.Colour", config.clone(), "the attribute Colour of AWS::SQS::Queue"),
        ("!Select", "!Base64", config, "does not resolve Fn::Base64"),
    ] {
        let error = install(&mut world(), &SMALL.replace(from, to), &config).unwrap_err();
        assert!(format!("{error:#}").contains(words), "{error:#}");
    }
}
