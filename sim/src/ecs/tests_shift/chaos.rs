//! Anything at any time: releases (of images that do not come up, too), stops, scaling,
//! draining, answers of hooks and changes of strategy at random, under traffic. No request
//! fails, and a last good release is steady in the end.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

use super::super::testing::{call, instance, pass, push, register, shop};
use super::super::view;
use super::bench::Bench;
use crate::lambda::{self, Ended, Function};
use crate::world::Effect;

const STRATEGIES: [&str; 4] = ["ROLLING", "BLUE_GREEN", "CANARY", "LINEAR"];

fn configuration(rng: &mut ChaCha8Rng) -> Value {
    let strategy = STRATEGIES[rng.random_range(0..4)];
    let stages = match strategy {
        "ROLLING" => json!(["PRE_SCALE_UP", "POST_SCALE_UP"]),
        _ => json!(["POST_SCALE_UP", "TEST_TRAFFIC_SHIFT", "PRODUCTION_TRAFFIC_SHIFT"]),
    };
    let hooks = match rng.random_range(0..2) {
        0 => json!([]),
        _ => json!([{"hookTargetArn": "verify", "roleArn": "role", "lifecycleStages": stages}]),
    };
    json!({"strategy": strategy, "bakeTimeInMinutes": rng.random_range(0..3), "lifecycleHooks": hooks,
        "canaryConfiguration": {"canaryPercent": 20.0, "canaryBakeTimeInMinutes": 1},
        "linearConfiguration": {"stepPercent": 40.0, "stepBakeTimeInMinutes": 1}})
}

/// Answers what was invoked, mostly well.
fn answer(bench: &mut Bench, rng: &mut ChaCha8Rng) {
    let effects: Vec<Effect> = bench.world.effects.drain(..).collect();
    for effect in effects {
        let Effect::Invoke(invocation) = effect else { continue };
        let status = ["SUCCEEDED", "SUCCEEDED", "SUCCEEDED", "IN_PROGRESS", "FAILED"][rng.random_range(0..5)];
        let answer = Ended::Ok(json!({"hookStatus": status, "callBackDelay": 5}));
        lambda::completed(&mut bench.world, &invocation, &answer);
    }
}

fn update(bench: &mut Bench, more: &Value) {
    let mut input = json!({"cluster": "main", "service": "shop"});
    for (member, value) in more.as_object().unwrap() {
        input[member] = value.clone();
    }
    call(&mut bench.world, "UpdateService", input);
}

fn act(bench: &mut Bench, rng: &mut ChaCha8Rng, releases: &mut u32) {
    match rng.random_range(0..6) {
        0 | 1 => {
            *releases += 1;
            let tag = format!("r{releases}");
            match rng.random_range(0..6) {
                0 => {} // nobody pushed it
                1 => drop(push(&mut bench.world, &tag, [("sim.health_status", "500")])),
                _ => drop(push(&mut bench.world, &tag, [("sim.body", tag.as_str())])),
            }
            let definition = register(&mut bench.world, "shop", &shop(&tag), 256);
            update(
                bench,
                &json!({"taskDefinition": definition, "deploymentConfiguration": configuration(rng)}),
            );
        }
        2 => update(bench, &json!({"desiredCount": rng.random_range(1..5)})),
        3 => {
            let arn = bench.arn(0);
            let input = json!({"serviceDeploymentArn": arn, "stopType": "ROLLBACK"});
            // One that is over cannot be stopped; that is an answer too.
            let _ = super::super::handle(&mut bench.world, "StopServiceDeployment", &input);
        }
        4 => {
            let instance = &view::instances(&bench.world)[rng.random_range(0..3)];
            let (arn, now) = (instance.arn.clone(), instance.status.as_str());
            let all = view::instances(&bench.world);
            let active = all.iter().filter(|it| it.status == "ACTIVE").count();
            let status = if now == "ACTIVE" && active == 3 { "DRAINING" } else { "ACTIVE" };
            let input = json!({"cluster": "main", "containerInstances": [arn], "status": status});
            call(&mut bench.world, "UpdateContainerInstancesState", input);
        }
        _ => {}
    }
}

fn run(seed: u64) -> (Vec<String>, String) {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut bench = Bench::steady(json!({"strategy": "BLUE_GREEN", "bakeTimeInMinutes": 0}));
    lambda::install(&mut bench.world, Function::named("verify"));
    instance(&mut bench.world, 3, 8000);
    let mut releases = 0;
    for _ in 0..25 {
        act(&mut bench, &mut rng, &mut releases);
        for _ in 0..rng.random_range(1..60) {
            bench.traffic(1);
            answer(&mut bench, &mut rng);
        }
    }
    update(
        &mut bench,
        &json!({"deploymentConfiguration": {"strategy": "CANARY", "lifecycleHooks": [],
        "bakeTimeInMinutes": 1}}),
    );
    bench.release("last");
    for _ in 0..1200 {
        bench.traffic(1);
        answer(&mut bench, &mut rng);
    }
    let service = view::service(&bench.world, "main", "shop").unwrap();
    let status = bench.status(0);
    assert_eq!(status, "SUCCESSFUL", "{seed}: {}", bench.describe(0));
    assert_eq!((service.revisions.len(), service.healthy), (1, service.desired as usize), "{seed}");
    assert_eq!(service.tasks.len(), service.desired as usize, "{seed}");
    pass(&mut bench.world, 60);
    (service.tasks.into_iter().map(|it| it.arn).collect(), status)
}

#[test]
fn whatever_comes_no_request_fails_and_it_ends_steady() {
    for seed in 0..8 {
        run(seed);
    }
}

#[test]
fn one_seed_is_one_history() {
    assert_eq!(run(3), run(3));
}
