//! What a person sees of a cluster's capacity, and does to it by hand, asked of `windlass local`.

mod common;
#[path = "common/local.rs"]
mod local;
#[path = "common/shop.rs"]
mod shop;

use std::time::{Duration, Instant};

use local::Local;
use serde_json::Value;
use shop::{asserts, push, until};

/// Four of its tasks fill a t3.medium: 2,048 CPU units.
const SPEC: &str = "cluster: main
service: shop
image: {repository: shop}
task: {cpu: 512, memory: 256, port: 8080}
desired: 2
route: {paths: [/shop*], health: {interval_secs: 5, timeout_secs: 2}, deregistration_delay_secs: 10}
scaling: {min: 2, max: 10}
";

/// The cluster as `windlass capacity --json` gives it.
fn picture(local: &Local) -> Value {
    let told = local.run(&["--json", "capacity"], "");
    let json = told.split_once('\n').unwrap().1.rsplit_once("(exit").unwrap().0;
    let told: Value = serde_json::from_str(json).unwrap_or_else(|error| panic!("{error}: {told}"));
    told[0]["picture"].clone()
}

fn until_picture(local: &Local, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    let begun = Instant::now();
    loop {
        let told = picture(local);
        if is_so(&told) {
            return told;
        }
        assert!(begun.elapsed() < Duration::from_secs(100), "no {what}: {told:#}");
        std::thread::sleep(Duration::from_millis(300));
    }
}

fn instances(picture: &Value) -> &Vec<Value> {
    picture["instances"].as_array().unwrap()
}

fn count(instance: &Value) -> u64 {
    instance["tasks"].as_array().unwrap().iter().map(|on| on["tasks"].as_u64().unwrap()).sum()
}

#[test]
fn tasks_are_set_by_hand_the_instances_follow_and_an_instance_is_emptied_and_taken_back() {
    let dir = tempfile::tempdir().unwrap();
    let local = Local::start(dir.path());
    let empty = local.run(&["capacity"], "");
    asserts(&empty, &["main: 2 instances, $70.08 a month", "nodes wants 2 of 2 to 6", "empty"]);
    assert!(local.run(&["apply", "-"], SPEC).ends_with("(exit 0)\n"));
    push(&local, "one");
    until(&local, "first release", |told| told["state"] == "live");

    let beyond = local.run(&["scale", "shop", "20", "--reason", "a sale"], "");
    asserts(&beyond, &["20 tasks of shop are not within its scaling limits, 2 to 10", "hint:", "(exit 3)"]);
    asserts(&local.run(&["scale", "cart", "3", "--reason", "x"], ""), &["no service cart", "has: shop"]);
    asserts(
        &local.run(&["scale", "shop", "10", "--reason", "a sale"], ""),
        &["shop: 2 → 10 tasks (a sale) done"],
    );
    let full = until_picture(&local, "third instance with its tasks", |told| {
        instances(told).len() == 3 && instances(told).iter().map(count).sum::<u64>() == 10
    });
    assert_eq!(full["waiting"].as_array().unwrap().len(), 0, "{full:#}");

    let name = instances(&full)[0]["name"].as_str().unwrap();
    asserts(&local.run(&["drain", "i-none", "--reason", "x"], ""), &["i-none is no instance of", name]);
    asserts(&local.run(&["drain", name, "--reason", "a bad disk"], ""), &["empty", "a person asked", "done"]);
    let drained = until_picture(&local, "emptied instance", |told| {
        instances(told).iter().any(|it| it["name"] == name && it["leaves"] == "person" && count(it) == 0)
    });
    assert!(instances(&drained).len() >= 3, "{drained:#}");
    asserts(&local.run(&["drain", name, "--undo", "--reason", "it was fine"], ""), &["done"]);
    until_picture(&local, "instance that was taken back", |told| {
        instances(told)
            .iter()
            .any(|it| it["name"] == name && it["leaves"].is_null() && it["state"] == "active")
    });
    asserts(&local.run(&["ring", "--cluster", "main"], ""), &["main: rung"]);
    history_of_a_cluster(&local, name);
    assert_eq!(local.end(), 0);
}

#[test]
fn a_rotation_replaces_every_instance_that_was_there() {
    let dir = tempfile::tempdir().unwrap();
    let local = Local::start(dir.path());
    assert!(local.run(&["apply", "-"], SPEC).ends_with("(exit 0)\n"));
    push(&local, "one");
    until(&local, "first release", |told| told["state"] == "live");
    let names = |told: &Value| {
        instances(told).iter().map(|it| it["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let old = names(&picture(&local));
    asserts(&local.run(&["rotate", "--reason", "a new AMI"], ""), &["replaced, a few at a time"]);
    until_picture(&local, "two new instances with the tasks", |told| {
        instances(told).len() == 2
            && names(told).iter().all(|name| !old.contains(name))
            && instances(told).iter().map(count).sum::<u64>() == 2
    });
    history_of_an_instance(&local, &old);
    assert_eq!(local.end(), 0);
}

/// What `windlass --json history …` prints.
fn passes(local: &Local, args: &[&str]) -> Vec<Value> {
    let told = local.run(&[&["--json", "history"], args].concat(), "");
    let json = told.split_once('\n').unwrap().1.rsplit_once("(exit").unwrap().0;
    let told: Value = serde_json::from_str(json).unwrap_or_else(|error| panic!("{error}: {told}"));
    told["passes"].as_array().unwrap().clone()
}

/// What a person did by hand, and what the function did about it: newest first, with who and why.
fn history_of_a_cluster(local: &Local, emptied: &str) {
    let told = local.run(&["history", "--cluster", "main"], "");
    let back = format!("take {emptied} back: it was fine: done");
    let words =
        ["by hand: a sale", "by ada", "shop: 2 → 10 tasks (a sale): done", "by hand: a bad disk", &back];
    asserts(&told, &words);
    asserts(&told, &["nodes: 2 → 3 instances (", "tasks have no place): done"]);
    let (first, last) = (told.find("take ").unwrap(), told.find("shop: 2 → 10 tasks").unwrap());
    assert!(first < last, "newest first: {told}");
    let all = passes(local, &["--cluster", "main"]);
    assert!(all.len() > 3 && all.iter().all(|it| it["cluster"] == "main"), "{all:#?}");
    assert_eq!(passes(local, &["--cluster", "main", "--limit", "1"]).len(), 1);
    let other = local.run(&["history", "--cluster", "other"], "");
    asserts(&other, &["no pass has done anything to the cluster other in the last 90 days", "(exit 0)"]);
    let both = local.run(&["history", "shop", "--instance", emptied], "");
    asserts(&both, &["cannot be used with", "(exit 64)"]);
}

/// How each instance of the rotation left, told though it is gone.
fn history_of_an_instance(local: &Local, left: &[String]) {
    for name in left {
        let told = local.run(&["history", "--instance", name], "");
        asserts(&told, &["by windlass-DrainFunction", "(exit 0)"]);
        let all = passes(local, &["--instance", name]);
        assert!(!all.is_empty() && all.iter().all(|it| it["instance"] == name.as_str()), "{all:#?}");
    }
    let none = local.run(&["history", "--instance", "i-none"], "");
    asserts(
        &none,
        &["no pass has done anything to the instance main/i-none in the last 90 days", "(exit 0)"],
    );
}
