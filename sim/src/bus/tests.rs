use super::*;
use crate::call::{ApiError, Call, Caller, ServiceId};
use crate::lambda::{Function, Invocation};
use crate::world::{Config, Effect};

fn world() -> World {
    let mut world = World::new(Config { throttling: false, ..Config::default() });
    // Nobody carries the invocations out here, so all of them time out.
    lambda::install(&mut world, Function { retries: 0, ..Function::named("deploy") });
    world
}

fn call(world: &mut World, operation: &str, input: Value) -> Reply {
    let caller = Caller { access_key: "AKIDEXAMPLE".into() };
    world.call(&Call { service: ServiceId::Events, operation: operation.into(), input, caller })
}

fn code(reply: Reply) -> String {
    reply.map_err(|error: ApiError| error.code).unwrap_err()
}

const FUNCTION: &str = "arn:aws:lambda:eu-central-1:123456789012:function:deploy";

fn rule(world: &mut World, name: &str, pattern: &Value, target: &Value) {
    call(world, "PutRule", json!({"Name": name, "EventPattern": pattern.to_string()})).unwrap();
    let reply = call(world, "PutTargets", json!({"Rule": name, "Targets": [target]})).unwrap();
    assert_eq!(reply["FailedEntryCount"], 0, "{reply}");
}

fn put_parameter(world: &mut World, name: &str) {
    let input = json!({"Name": name, "Value": "v", "Type": "String", "Overwrite": true});
    let caller = Caller { access_key: "AKIDEXAMPLE".into() };
    world.call(&Call { service: ServiceId::Ssm, operation: "PutParameter".into(), input, caller }).unwrap();
}

/// Lets `secs` go by and takes what was to be invoked.
fn invoked(world: &mut World, secs: u64) -> Vec<Invocation> {
    world.advance(world.now() + Duration::from_secs(secs));
    let effects = world.effects.drain(..);
    effects.filter_map(|effect| if let Effect::Invoke(one) = effect { Some(one) } else { None }).collect()
}

fn specs() -> Value {
    json!({"source": ["aws.ssm"], "detail": {"name": [{"prefix": "/windlass/"}]}})
}

#[test]
fn an_event_reaches_the_functions_whose_rules_match_a_moment_later() {
    let mut world = world();
    rule(&mut world, "specs", &specs(), &json!({"Id": "1", "Arn": FUNCTION}));
    put_parameter(&mut world, "/windlass/a");
    put_parameter(&mut world, "/other");
    assert_eq!(world.bus.under_way(), 1);
    assert!(invoked(&mut world, 0).is_empty(), "not at once");
    let got = invoked(&mut world, 2);
    assert_eq!(got.len(), 1);
    assert_eq!(
        got[0].payload,
        json!({
            "version": "0",
            "id": got[0].payload["id"],
            "detail-type": "Parameter Store Change",
            "source": "aws.ssm",
            "account": "123456789012",
            "time": "2026-01-01T00:00:00Z",
            "region": "eu-central-1",
            "resources": ["arn:aws:ssm:eu-central-1:123456789012:parameter/windlass/a"],
            "detail": {"operation": "Create", "name": "/windlass/a", "type": "String"},
        })
    );
    let matched: Vec<_> = world.bus.log.iter().map(|logged| logged.rules.len()).collect();
    assert_eq!(matched, [1, 0]);
}

#[test]
fn a_test_loses_doubles_and_reorders_events() {
    let mut world = world();
    rule(&mut world, "specs", &specs(), &json!({"Id": "1", "Arn": FUNCTION}));
    world.bus.delivery = DeliveryFaults::lose("Parameter Store Change");
    put_parameter(&mut world, "/windlass/lost");
    world.bus.delivery = DeliveryFaults::new(|event| {
        let late = event.detail()["name"] == "/windlass/late";
        let secs = if late { vec![9] } else { vec![1, 2] };
        Delivery::Copies(secs.into_iter().map(Duration::from_secs).collect())
    });
    put_parameter(&mut world, "/windlass/late");
    put_parameter(&mut world, "/windlass/twice");
    let got = invoked(&mut world, 60);
    let names: Vec<_> = got.iter().map(|one| one.payload["detail"]["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["/windlass/twice", "/windlass/twice", "/windlass/late"]);
    assert_eq!(got[0].payload["id"], got[1].payload["id"], "a duplicate has the same id");
    assert_ne!(got[0].request_id, got[1].request_id, "and its own invocation");
}

#[test]
fn chaos_is_the_same_under_one_seed() {
    let run = |seed| {
        let mut world = world();
        rule(&mut world, "specs", &specs(), &json!({"Id": "1", "Arn": FUNCTION}));
        let chaos = Chaos { lost: 0.3, doubled: 0.3, latest: Duration::from_secs(30) };
        world.bus.delivery = DeliveryFaults::chaos(seed, chaos);
        for n in 0..50 {
            put_parameter(&mut world, &format!("/windlass/{n}"));
        }
        let got = invoked(&mut world, 60);
        got.iter().map(|one| one.payload["detail"]["name"].to_string()).collect::<Vec<_>>()
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1), run(2));
}

#[test]
fn a_schedule_rings_every_minute_until_it_is_disabled() {
    let mut world = world();
    call(&mut world, "PutRule", json!({"Name": "tick", "ScheduleExpression": "rate(1 minute)"})).unwrap();
    let targets = json!({"Rule": "tick", "Targets": [{"Id": "1", "Arn": FUNCTION}]});
    call(&mut world, "PutTargets", targets).unwrap();
    let got = invoked(&mut world, 182);
    assert_eq!(got.len(), 3);
    assert_eq!(got[0].payload["detail-type"], "Scheduled Event");
    assert_eq!(got[0].payload["time"], "2026-01-01T00:01:00Z");
    call(&mut world, "DisableRule", json!({"Name": "tick"})).unwrap();
    assert!(invoked(&mut world, 600).is_empty());
    call(&mut world, "EnableRule", json!({"Name": "tick"})).unwrap();
    assert_eq!(invoked(&mut world, 62).len(), 1, "one timer, not two");
}

#[test]
fn put_events_fails_entry_by_entry() {
    let mut world = world();
    rule(&mut world, "mine", &json!({"source": ["windlass"]}), &json!({"Id": "1", "Arn": FUNCTION}));
    let reply = call(
        &mut world,
        "PutEvents",
        json!({"Entries": [
            {"Source": "windlass", "DetailType": "Bell", "Detail": "{\"service\":\"shop\"}"},
            {"Source": "aws.ecr", "DetailType": "Bell", "Detail": "{}"},
            {"Source": "windlass", "DetailType": "Bell", "Detail": "shop"},
            {"DetailType": "Bell", "Detail": "{}"},
            {"Source": "windlass", "DetailType": "Bell", "Detail": "{}", "EventBusName": "other"},
        ]}),
    )
    .unwrap();
    assert_eq!(reply["FailedEntryCount"], 4);
    let codes: Vec<_> =
        reply["Entries"].as_array().unwrap().iter().map(|entry| entry["ErrorCode"].as_str()).collect();
    assert_eq!(
        codes,
        [
            None,
            Some("NotAuthorizedForSourceException"),
            Some("MalformedDetail"),
            Some("InvalidArgument"),
            Some("ResourceNotFoundException"),
        ]
    );
    let got = invoked(&mut world, 2);
    assert_eq!(got.len(), 1);
    assert_eq!(got[0].payload["detail"], json!({"service": "shop"}));
}

#[test]
fn rules_are_kept_as_aws_keeps_them() {
    let mut world = world();
    rule(&mut world, "specs", &specs(), &json!({"Id": "1", "Arn": FUNCTION, "InputPath": "$.detail.name"}));
    assert_eq!(code(call(&mut world, "DeleteRule", json!({"Name": "specs"}))), "ValidationException");
    let rules = call(&mut world, "ListRules", json!({"NamePrefix": "sp"})).unwrap();
    assert_eq!(rules["Rules"][0]["Arn"], "arn:aws:events:eu-central-1:123456789012:rule/specs");
    put_parameter(&mut world, "/windlass/a");
    assert_eq!(invoked(&mut world, 2)[0].payload, "/windlass/a");
    let targets = call(&mut world, "ListTargetsByRule", json!({"Rule": "specs"})).unwrap();
    assert_eq!(targets["Targets"], json!([{"Id": "1", "Arn": FUNCTION, "InputPath": "$.detail.name"}]));
    call(&mut world, "RemoveTargets", json!({"Rule": "specs", "Ids": ["1"]})).unwrap();
    call(&mut world, "DeleteRule", json!({"Name": "specs"})).unwrap();
    call(&mut world, "DeleteRule", json!({"Name": "specs"})).unwrap();
    for (operation, input, expected) in [
        ("PutRule", json!({"Name": "a"}), "ValidationException"),
        ("PutRule", json!({"Name": "a", "EventPattern": "{\"a\":1}"}), "InvalidEventPatternException"),
        ("PutRule", json!({"Name": "a", "ScheduleExpression": "rate(2 minute)"}), "ValidationException"),
        ("PutTargets", json!({"Rule": "specs", "Targets": []}), "ResourceNotFoundException"),
        ("ListTargetsByRule", json!({"Rule": "specs"}), "ResourceNotFoundException"),
        ("PutEvents", json!({"Entries": []}), "ValidationException"),
    ] {
        assert_eq!(code(call(&mut world, operation, input.clone())), expected, "{operation} {input}");
    }
}

#[test]
fn a_target_that_is_gone_sends_to_the_rules_dead_letter_queue() {
    let mut world = world();
    let queue = "arn:aws:sqs:eu-central-1:123456789012:dead";
    let target = json!({
        "Id": "1",
        "Arn": "arn:aws:lambda:eu-central-1:123456789012:function:nobody",
        "DeadLetterConfig": {"Arn": queue},
    });
    rule(&mut world, "specs", &specs(), &target);
    put_parameter(&mut world, "/windlass/a");
    assert!(invoked(&mut world, 2).is_empty());
    let letter = &world.lambda.dead_letters[0];
    assert_eq!(letter.queue, queue);
    assert_eq!(letter.body["detail"]["name"], "/windlass/a");
    assert_eq!(letter.attributes["ERROR_CODE"], "RESOURCE_NOT_FOUND");
    assert!(letter.attributes["RULE_ARN"].ends_with("rule/specs"));
}

#[test]
fn a_pattern_can_be_tried() {
    let mut world = world();
    let input = json!({"EventPattern": "{\"a\":[1]}", "Event": "{\"a\":1}"});
    assert_eq!(call(&mut world, "TestEventPattern", input).unwrap(), json!({"Result": true}));
}
