//! Functions and pauses at the stages.

#![expect(clippy::needless_pass_by_value, reason = "a call reads best with its input in place")]

use std::time::Duration;

use serde_json::{Value, json};

use super::super::testing::{call, emitted, pass, refused};
use super::super::view;
use super::bench::Bench;
use crate::lambda::{self, Ended, Function, Invocation};
use crate::world::Effect;

const FUNCTION: &str = "arn:aws:lambda:eu-central-1:123456789012:function:verify";

fn lambda_hook(stages: &[&str]) -> Value {
    json!({"hookTargetArn": FUNCTION, "roleArn": "arn:aws:iam::123456789012:role/hooks", "lifecycleStages": stages})
}

fn configuration(hooks: Value) -> Value {
    json!({"strategy": "BLUE_GREEN", "bakeTimeInMinutes": 5, "lifecycleHooks": hooks})
}

/// The bench with `shop:v1` steady without hooks, then with these; `shop:v2` on its way.
fn released(hooks: Value) -> Bench {
    released_as(configuration(hooks))
}

fn released_as(configuration: Value) -> Bench {
    let mut bench = Bench::steady(json!({"strategy": "BLUE_GREEN", "bakeTimeInMinutes": 0}));
    lambda::install(&mut bench.world, Function::named("verify"));
    call(
        &mut bench.world,
        "UpdateService",
        json!({"cluster": "main", "service": "shop", "deploymentConfiguration": configuration}),
    );
    bench.release("v2");
    bench
}

/// Invocations of hooks that wait for an answer.
fn invoked(bench: &mut Bench) -> Vec<Invocation> {
    let effects: Vec<Effect> = bench.world.effects.drain(..).collect();
    let invocation = |effect| if let Effect::Invoke(invocation) = effect { Some(invocation) } else { None };
    effects.into_iter().filter_map(invocation).collect()
}

/// Lets time pass until a function is invoked; says how long it took.
fn next(bench: &mut Bench, limit_secs: u64) -> (Invocation, u64) {
    for secs in 0..limit_secs {
        let mut invocations = invoked(bench);
        if let Some(invocation) = invocations.pop() {
            assert!(invocations.is_empty(), "{invocations:?}");
            return (invocation, secs);
        }
        pass(&mut bench.world, 1);
    }
    panic!("nothing was invoked: {}", bench.describe(0));
}

fn answer(bench: &mut Bench, invocation: &Invocation, answer: Value) {
    lambda::completed(&mut bench.world, invocation, &Ended::Ok(answer));
}

fn succeed(bench: &mut Bench, invocation: &Invocation) {
    answer(bench, invocation, json!({"hookStatus": "SUCCEEDED"}));
}

#[test]
fn functions_are_called_at_their_stages_with_what_aws_sends() {
    let stages = [
        "PRE_SCALE_UP",
        "POST_SCALE_UP",
        "TEST_TRAFFIC_SHIFT",
        "POST_TEST_TRAFFIC_SHIFT",
        "PRE_PRODUCTION_TRAFFIC_SHIFT",
        "PRODUCTION_TRAFFIC_SHIFT",
        "POST_PRODUCTION_TRAFFIC_SHIFT",
    ];
    let mut bench = released(json!([lambda_hook(&stages)]));
    let deployment = bench.describe(0);
    let target = deployment["targetServiceRevision"]["arn"].as_str().unwrap().to_owned();
    let source = deployment["sourceServiceRevisions"][0]["arn"].as_str().unwrap().to_owned();
    let mut executions = Vec::new();
    for stage in stages {
        let (invocation, _) = next(&mut bench, 300);
        let payload = &invocation.payload;
        assert_eq!(payload["lifecycleStage"], stage);
        assert_eq!(payload["resourceArn"], deployment["serviceDeploymentArn"]);
        let weights = |share: u32| json!({target.clone(): share, source.clone(): 100 - share});
        let (test, production) = match stage {
            "TEST_TRAFFIC_SHIFT" => (weights(100), json!({})),
            "PRE_PRODUCTION_TRAFFIC_SHIFT" => (json!({}), weights(0)),
            "PRODUCTION_TRAFFIC_SHIFT" => (json!({}), weights(100)),
            _ => (json!({}), json!({})),
        };
        let expected = json!({"serviceArn": deployment["serviceArn"], "targetServiceRevisionArn": target,
            "testTrafficWeights": test, "productionTrafficWeights": production});
        assert_eq!(payload["executionDetails"], expected, "{stage}");
        assert!(payload.get("hookDetails").is_none());
        executions.push(payload["executionId"].as_str().unwrap().to_owned());
        pass(&mut bench.world, 2);
        assert_eq!(bench.stage(), stage, "it waits for the answer");
        let detail = bench.describe(0)["lifecycleHookDetails"][0].clone();
        assert_eq!(
            (&detail["targetType"], &detail["targetArn"], &detail["status"], &detail["timeoutAction"]),
            (&json!("AWS_LAMBDA"), &json!(FUNCTION), &json!("IN_PROGRESS"), &json!("ROLLBACK"))
        );
        succeed(&mut bench, &invocation);
    }
    executions.dedup();
    assert_eq!(executions.len(), 1);
    bench.until_status("SUCCESSFUL");
}

#[test]
fn a_function_in_progress_is_called_again_with_what_it_handed_on() {
    let mut hook = lambda_hook(&["POST_SCALE_UP", "POST_TEST_TRAFFIC_SHIFT"]);
    hook["hookDetails"] = json!({"bucket": "approvals"});
    let mut bench = released(json!([hook]));
    let (first, _) = next(&mut bench, 60);
    assert_eq!(first.payload["hookDetails"], json!({"bucket": "approvals"}));
    answer(&mut bench, &first, json!({"hookStatus": "IN_PROGRESS", "hookDetails": {"asked": true}}));
    let (second, secs) = next(&mut bench, 60);
    assert!((30..33).contains(&secs), "{secs}");
    assert_eq!(second.payload["hookDetails"], json!({"asked": true}));
    answer(&mut bench, &second, json!({"hookStatus": "IN_PROGRESS", "callBackDelay": 7}));
    let (third, secs) = next(&mut bench, 60);
    assert!((7..10).contains(&secs), "{secs}");
    succeed(&mut bench, &third);
    let (later, _) = next(&mut bench, 60);
    assert_eq!(later.payload["lifecycleStage"], "POST_TEST_TRAFFIC_SHIFT");
    assert_eq!(later.payload["hookDetails"], json!({"asked": true}), "for the whole deployment");
}

#[test]
fn each_step_of_a_canary_calls_its_hooks() {
    let hook = lambda_hook(&["PRE_PRODUCTION_TRAFFIC_SHIFT", "PRODUCTION_TRAFFIC_SHIFT"]);
    let mut bench =
        released_as(json!({"strategy": "CANARY", "bakeTimeInMinutes": 0, "lifecycleHooks": [hook],
        "canaryConfiguration": {"canaryPercent": 10.0, "canaryBakeTimeInMinutes": 1}}));
    let target = bench.describe(0)["targetServiceRevision"]["arn"].as_str().unwrap().to_owned();
    let mut seen = Vec::new();
    for _ in 0..4 {
        let (invocation, _) = next(&mut bench, 200);
        let payload = &invocation.payload;
        let stage = payload["lifecycleStage"].as_str().unwrap().to_owned();
        let weight = payload["executionDetails"]["productionTrafficWeights"][&target].as_u64().unwrap();
        seen.push((stage, weight, bench.production()));
        succeed(&mut bench, &invocation);
    }
    let step = |stage: &str, weight, rule| (format!("{stage}PRODUCTION_TRAFFIC_SHIFT"), weight, rule);
    assert_eq!(
        seen,
        [
            step("PRE_", 0, (100, 0)),
            step("", 10, (90, 10)),
            step("PRE_", 10, (90, 10)),
            step("", 100, (0, 100))
        ]
    );
    bench.until_status("SUCCESSFUL");
}

#[test]
fn a_failure_an_invalid_answer_and_an_error_each_roll_back() {
    let ends = [
        Ended::Ok(json!({"hookStatus": "FAILED"})),
        Ended::Ok(json!({"statusCode": 200})),
        Ended::Error("Runtime exited".into()),
    ];
    for ended in ends {
        let mut bench = released(json!([lambda_hook(&["POST_SCALE_UP"])]));
        let (invocation, _) = next(&mut bench, 60);
        lambda::completed(&mut bench.world, &invocation, &ended);
        bench.until_status("ROLLBACK_SUCCESSFUL");
        assert_eq!(bench.tasks(), [2, 0, 0]);
        assert!(bench.describe(0)["statusReason"].as_str().unwrap().contains("lifecycle hook"), "{ended:?}");
        assert!(invoked(&mut bench).is_empty(), "Lambda does not try it again");
    }
}

#[test]
fn a_function_that_is_not_there_and_one_that_hangs_roll_back() {
    let mut hook = lambda_hook(&["PRE_SCALE_UP"]);
    hook["hookTargetArn"] = json!("arn:aws:lambda:eu-central-1:123456789012:function:none");
    let mut bench = released(json!([hook]));
    bench.until_status("ROLLBACK_SUCCESSFUL");
    let mut bench = released(json!([lambda_hook(&["PRE_SCALE_UP"])]));
    next(&mut bench, 10);
    bench.until_status("ROLLBACK_SUCCESSFUL");
}

#[test]
fn a_rollback_tells_the_traffic_stages_and_heeds_no_answer() {
    let mut bench = released(json!([lambda_hook(&[
        "PRE_SCALE_UP",
        "TEST_TRAFFIC_SHIFT",
        "PRODUCTION_TRAFFIC_SHIFT",
        "POST_PRODUCTION_TRAFFIC_SHIFT"
    ])]));
    for _ in 0..3 {
        let (invocation, _) = next(&mut bench, 60);
        succeed(&mut bench, &invocation);
    }
    let target = bench.describe(0)["targetServiceRevision"]["arn"].as_str().unwrap().to_owned();
    let (last, _) = next(&mut bench, 60);
    answer(&mut bench, &last, json!({"hookStatus": "FAILED"}));
    pass(&mut bench.world, 3);
    assert_eq!((bench.production(), bench.tasks()), ((100, 0), [2, 2, 0]));
    let told = invoked(&mut bench);
    let heard: Vec<(&Value, &Value)> = told
        .iter()
        .map(|it| {
            let details = &it.payload["executionDetails"];
            let is_test = it.payload["lifecycleStage"] == "TEST_TRAFFIC_SHIFT";
            let weights = &details[if is_test { "testTrafficWeights" } else { "productionTrafficWeights" }];
            (&it.payload["lifecycleStage"], &weights[&target])
        })
        .collect();
    assert_eq!(
        heard,
        [(&json!("PRODUCTION_TRAFFIC_SHIFT"), &json!(0)), (&json!("TEST_TRAFFIC_SHIFT"), &json!(0))]
    );
    succeed(&mut bench, &told[0]);
    answer(&mut bench, &told[1], json!({"hookStatus": "FAILED"}));
    bench.until_status("ROLLBACK_SUCCESSFUL");
}

fn pause(stages: &[&str], minutes: u32, action: &str) -> Value {
    json!({"targetType": "PAUSE", "lifecycleStages": stages,
        "timeoutConfiguration": {"timeoutInMinutes": minutes, "action": action}})
}

fn go_on(bench: &mut Bench, action: &str) {
    let deployment = bench.describe(0);
    let mut hooks = deployment["lifecycleHookDetails"].as_array().unwrap().iter();
    let waiting = hooks.find(|it| it["status"] == "AWAITING_ACTION").unwrap();
    let arn = deployment["serviceDeploymentArn"].clone();
    let hook = waiting["hookId"].clone();
    call(
        &mut bench.world,
        "ContinueServiceDeployment",
        json!({"serviceDeploymentArn": arn, "hookId": hook, "action": action}),
    );
}

#[test]
fn a_pause_holds_until_it_is_told_to_go_on() {
    let mut bench = released(json!([pause(&["POST_TEST_TRAFFIC_SHIFT"], 60, "ROLLBACK")]));
    bench.until_stage("POST_TEST_TRAFFIC_SHIFT");
    emitted("");
    pass(&mut bench.world, 2);
    let begun = bench.world.now();
    let events = emitted("ECS Hook State Change");
    let deployment = bench.describe(0);
    let hook = &deployment["lifecycleHookDetails"][0];
    assert_eq!(events.len(), 1);
    let event = &events[0];
    assert_eq!((&event["eventName"], &event["hookId"]), (&json!("HOOK_AWAITING_ACTION"), &hook["hookId"]));
    assert_eq!(
        (&event["lifecycleStage"], &event["serviceDeploymentArn"], &event["hookType"]),
        (&json!("POST_TEST_TRAFFIC_SHIFT"), &deployment["serviceDeploymentArn"], &json!("PAUSE"))
    );
    assert!(hook.get("targetArn").is_none());
    pass(&mut bench.world, 1800);
    assert_eq!((bench.stage().as_str(), bench.production()), ("POST_TEST_TRAFFIC_SHIFT", (100, 0)));
    assert_eq!(view::service(&bench.world, "main", "shop").unwrap().hooks[0].status, "AWAITING_ACTION");
    go_on(&mut bench, "CONTINUE");
    assert_eq!(emitted("ECS Hook State Change")[0]["eventName"], "HOOK_SUCCEEDED");
    bench.until_status("SUCCESSFUL");
    assert!(bench.world.now().since(begun) > Duration::from_mins(35));
}

#[test]
fn a_pause_told_to_roll_back_does() {
    let mut bench = released(json!([pause(&["POST_PRODUCTION_TRAFFIC_SHIFT"], 60, "CONTINUE")]));
    bench.until_stage("POST_PRODUCTION_TRAFFIC_SHIFT");
    pass(&mut bench.world, 2);
    assert_eq!(bench.production(), (0, 100));
    go_on(&mut bench, "ROLLBACK");
    bench.until_status("ROLLBACK_SUCCESSFUL");
    assert_eq!(bench.production(), (100, 0));
}

#[test]
fn a_pause_that_nobody_ends_takes_its_timeouts_way() {
    for (action, end) in [("ROLLBACK", "ROLLBACK_SUCCESSFUL"), ("CONTINUE", "SUCCESSFUL")] {
        let mut bench = released(json!([pause(&["PRE_SCALE_UP"], 10, action)]));
        pass(&mut bench.world, 590);
        assert_eq!(bench.stage(), "PRE_SCALE_UP");
        bench.until_status(end);
        let events = emitted("ECS Hook State Change");
        assert_eq!(events.last().unwrap()["eventName"], "HOOK_TIMED_OUT");
    }
}

#[test]
fn hooks_of_a_stage_run_side_by_side_and_a_rollback_wins() {
    let hooks = json!([
        lambda_hook(&["PRE_SCALE_UP"]),
        pause(&["PRE_SCALE_UP"], 60, "ROLLBACK"),
        lambda_hook(&["PRE_SCALE_UP"])
    ]);
    let mut bench = released(hooks);
    pass(&mut bench.world, 2);
    let both = invoked(&mut bench);
    assert_eq!(both.len(), 2);
    succeed(&mut bench, &both[0]);
    go_on(&mut bench, "CONTINUE");
    pass(&mut bench.world, 1);
    assert_eq!(bench.stage(), "PRE_SCALE_UP");
    answer(&mut bench, &both[1], json!({"hookStatus": "FAILED"}));
    bench.until_status("ROLLBACK_SUCCESSFUL");
}

#[test]
fn only_a_hook_that_waits_can_be_told() {
    let mut bench = released(json!([pause(&["PRE_SCALE_UP"], 60, "ROLLBACK")]));
    pass(&mut bench.world, 5);
    let arn = bench.arn(0);
    let tell = |bench: &mut Bench, arn: &str, hook: &str| {
        refused(
            &mut bench.world,
            "ContinueServiceDeployment",
            json!({"serviceDeploymentArn": arn, "hookId": hook}),
        )
        .code
    };
    assert_eq!(tell(&mut bench, &arn, "ecs-pause-none"), "InvalidParameterException");
    assert_eq!(tell(&mut bench, &format!("{arn}0"), "ecs-pause-none"), "ServiceDeploymentNotFoundException");
    let hook = bench.describe(0)["lifecycleHookDetails"][0]["hookId"].as_str().unwrap().to_owned();
    go_on(&mut bench, "CONTINUE");
    assert_eq!(tell(&mut bench, &arn, &hook), "InvalidParameterException");
    bench.until_status("SUCCESSFUL");
    assert_eq!(tell(&mut bench, &arn, &hook), "InvalidParameterException");
}

#[test]
fn a_rolling_deployment_pauses_before_and_after_it_rolls_and_bakes() {
    let mut bench = released_as(json!({"strategy": "ROLLING", "bakeTimeInMinutes": 3,
        "lifecycleHooks": [pause(&["PRE_SCALE_UP", "POST_SCALE_UP"], 60, "ROLLBACK")]}));
    pass(&mut bench.world, 300);
    assert_eq!((bench.tasks(), bench.stage().as_str()), ([2, 0, 0], "PRE_SCALE_UP"));
    go_on(&mut bench, "CONTINUE");
    pass(&mut bench.world, 90);
    assert_eq!((bench.tasks(), bench.stage().as_str()), ([0, 2, 0], "POST_SCALE_UP"));
    assert_eq!(bench.service()["deployments"][0]["rolloutState"], "IN_PROGRESS");
    go_on(&mut bench, "CONTINUE");
    bench.until_stage("BAKE_TIME");
    pass(&mut bench.world, 170);
    assert_eq!(bench.status(0), "IN_PROGRESS");
    bench.until_status("SUCCESSFUL");
    let mut bench = released_as(json!({"strategy": "ROLLING", "bakeTimeInMinutes": 0,
        "lifecycleHooks": [pause(&["POST_SCALE_UP"], 60, "ROLLBACK")]}));
    bench.until_stage("POST_SCALE_UP");
    pass(&mut bench.world, 2);
    go_on(&mut bench, "ROLLBACK");
    bench.until_status("ROLLBACK_SUCCESSFUL");
    assert_eq!(bench.tasks(), [2, 0, 0]);
}
