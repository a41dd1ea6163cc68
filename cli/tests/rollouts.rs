//! What `status`, `plan`, `explain` and `history` show of a rollout in the midst of its way,
//! asked as a person asks, of `windlass local`.

mod common;
#[path = "common/local.rs"]
mod local;
#[path = "common/shop.rs"]
mod shop;

use local::Local;
use serde_json::json;
use shop::{asserts, push, push_labelled, until};

const SPEC: &str = "cluster: main
service: shop
image: {repository: shop}
task: {cpu: 128, memory: 256, port: 8080}
desired: 2
route: {paths: [/shop*], health: {interval_secs: 5, timeout_secs: 2}, deregistration_delay_secs: 10}
";

/// `shop` live on its first image, its spec asking for this rollout; the second one is pushed.
fn second_release(local: &Local, rollout: &str) {
    let spec = format!("{SPEC}rollout: {{{rollout}}}\n");
    assert!(local.run(&["apply", "-"], &spec).ends_with("(exit 0)\n"));
    push(local, "one");
    until(local, "first release", |told| told["state"] == "live");
    push(local, "two");
}

#[test]
fn a_canary_that_waits_for_a_person_is_shown_with_step_weights_and_question() {
    let dir = tempfile::tempdir().unwrap();
    let local = Local::start(dir.path());
    second_release(&local, "strategy: {canary: {steps: [{percent: 50, approval: true}]}}");
    let asked = until(&local, "question", |told| !told["question"].is_null());
    let weights: Vec<_> =
        asked["progress"]["weights"].as_array().unwrap().iter().map(|share| &share["weight"]).collect();
    assert_eq!(weights, [&json!(500), &json!(500)], "{asked:#}");
    let told = local.run(&["status", "shop"], "");
    asserts(&told, &["canary step 1", "weights shop-", " 500, shop-", "asks: "]);
    asserts(&local.run(&["explain", "shop"], ""), &["asks", "windlass approve"]);
    let plan = local.run(&["plan", "shop"], "");
    asserts(&plan, &["windlass approve"]);
    local.run(&["approve", "shop", "--reason", "looks fine"], "");
    until(&local, "promotion", |told| told["state"] == "live" && told["in_flight"].is_null());
    asserts(&local.run(&["history", "shop"], ""), &["approved by ada (looks fine)", "500", "(canary)"]);
    assert_eq!(local.end(), 0);
}

#[test]
fn a_blue_green_at_its_pause_is_shown_with_stage_weights_and_question() {
    let dir = tempfile::tempdir().unwrap();
    let local = Local::start(dir.path());
    second_release(&local, "strategy: blue_green, approval: {before: traffic}");
    let asked = until(&local, "question", |told| !told["question"].is_null());
    assert_eq!(asked["progress"]["weights"].as_array().unwrap().len(), 2, "{asked:#}");
    asserts(asked["progress"]["stage"].as_str().unwrap_or_default(), &["PRE_PRODUCTION_TRAFFIC_SHIFT"]);
    asserts(&local.run(&["status", "shop"], ""), &["blue/green", "ECS at", "weights shop-", "asks: "]);
    local.run(&["approve", "shop", "--reason", "looks fine"], "");
    until(&local, "end", |told| told["state"] == "live" && told["in_flight"].is_null());
    asserts(&local.run(&["history", "shop"], ""), &["approved by ada (looks fine)"]);
    assert_eq!(local.end(), 0);
}

/// Asked with its test header before anybody else, and again at the end; a person keeps it there for a look.
const VERIFIED: &str = "strategy: blue_green, test_route: {header: x-test, values: [new]}, \
                        approval: {before: clean_up}}\n\
                        verify: {http: [{path: /shop, status: '200', tries: 2}]";

#[test]
fn a_verdict_is_shown_while_the_rollout_goes_on_and_kept_with_the_release() {
    let dir = tempfile::tempdir().unwrap();
    let local = Local::start(dir.path());
    second_release(&local, VERIFIED);
    let asked = until(&local, "question", |told| !told["question"].is_null());
    let verdicts = asked["progress"]["verdicts"].as_array().unwrap();
    assert!(
        !verdicts.is_empty() && verdicts.iter().all(|it| it.as_str().unwrap().ends_with(": passed")),
        "{asked:#}"
    );
    asserts(&local.run(&["status", "shop"], ""), &["verified at ", ": passed"]);
    asserts(&local.run(&["explain", "shop"], ""), &["verified at ", "/shop"]);
    local.run(&["approve", "shop", "--reason", "let the old ones go"], "");
    until(&local, "end", |told| told["state"] == "live" && told["in_flight"].is_null());
    let history = local.run(&["history", "shop"], "");
    asserts(&history, &["POST_TEST_TRAFFIC_SHIFT: passed; ", "approved by ada (let the old ones go)"]);

    push_labelled(&local, "three", &json!({"sim.status": "500", "sim.health_status": "200"}));
    let ended = |told: &serde_json::Value| {
        told["in_flight"].is_null()
            && told["last_release"].as_str().is_some_and(|release| release.contains("rolled back"))
    };
    until(&local, "rejection", ended);
    let history = local.run(&["history", "shop"], "");
    asserts(&history, &["POST_TEST_TRAFFIC_SHIFT: failed; ", "500"]);
    assert_eq!(local.end(), 0);
}
