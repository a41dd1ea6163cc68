//! A service that is wanted and not there: from a spec, from labels.

use std::time::Duration;

use serde_json::{Value, json};
use windlass_shared::names;
use windlass_sim::{ServiceId, elb};
use windlass_tests::{ImageDigest, Stage, broken, key, labelled, version};

pub(crate) const SPEC: &str = "
image: {repository: shop}
task: {cpu: 128, memory: 256, port: 8080}
desired: 2
route: {paths: [/shop*], health: {interval_secs: 5, timeout_secs: 2}, deregistration_delay_secs: 10}
";

/// `shop` as Windlass made it from its spec, live on version 1.
pub(crate) async fn made(seed: u64) -> (Stage, ImageDigest) {
    let mut stage = Stage::new(seed).await;
    stage.apply_spec("shop", SPEC);
    let one = stage.push("shop", "latest", &version("1"));
    stage.run_for(Duration::from_secs(2)).await;
    stage.until_quiet().await;
    (stage, one)
}

/// The listener's rules but the default one: priority, conditions, groups' names.
fn rules(stage: &Stage) -> Vec<(u32, String, Vec<String>)> {
    let rules = stage.door.with(|world| elb::rules(world, &stage.listener));
    rules
        .into_iter()
        .filter_map(|rule| {
            let groups = rule.groups.iter().map(|group| group.name.clone()).collect();
            Some((rule.priority?, rule.conditions.join(" and "), groups))
        })
        .collect()
}

#[tokio::test(start_paused = true)]
async fn a_spec_and_a_push_make_the_service_its_group_and_its_rule() {
    let mut stage = Stage::new(20).await;
    stage.apply_spec("shop", SPEC);
    stage.traffic.to(stage.now(), "/shop", 10);
    stage.run_for(Duration::from_secs(90)).await;
    assert!(stage.described("shop").is_null(), "nothing to run yet");
    let one = stage.push("shop", "latest", &version("1"));
    stage.run_for(Duration::from_secs(2)).await;
    stage.until_quiet().await;
    stage.assert_live("shop", &one);
    stage.assert_registered(&family(&stage), &[&one]);
    let rules = rules(&stage);
    assert_eq!(rules.len(), 1, "{rules:?}");
    assert_eq!(
        (rules[0].1.as_str(), rules[0].2.as_slice()),
        ("path /shop*", [names::target_group(&key("shop"))].as_slice())
    );
    stage.run_for(Duration::from_secs(5)).await;
    // Before the route was open the listener answered 404; never 5xx.
    stage.traffic.assert_none_failed();
    assert!(stage.traffic.counts("/shop").by_digest[one.as_str()] > 0);
    insta::assert_snapshot!(stage.story(&key("shop"), &[("1", &one)]).await, @"1: live (from nothing)");
    stage.finish().await;
}

fn family(stage: &Stage) -> String {
    let service = stage.described("shop");
    let arn = service["taskDefinition"].as_str().unwrap();
    arn.rsplit('/').next().unwrap().split(':').next().unwrap().to_owned()
}

#[tokio::test(start_paused = true)]
async fn a_service_that_windlass_made_is_updated_like_any_other() {
    let (mut stage, one) = made(21).await;
    stage.traffic.to(stage.now(), "/shop", 10);
    let two = stage.push("shop", "latest", &version("2"));
    stage.until_quiet().await;
    stage.assert_live("shop", &two);
    stage.assert_registered(&family(&stage), &[&one, &two]);
    stage.traffic.assert_none_failed();
    stage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn labels_make_a_service_from_its_first_push_alone() {
    let mut stage = Stage::new(22).await;
    let labels = [
        ("windlass.path", "/admin/*"),
        ("windlass.port", "8080"),
        ("windlass.cpu", "64"),
        ("windlass.memory", "128"),
    ];
    let one = stage.push("team/admin", "v1", &labelled("1", &labels));
    stage.run_for(Duration::from_secs(2)).await;
    stage.until_quiet().await;
    stage.assert_live("admin", &one);
    assert_eq!(rules(&stage)[0].1, "path /admin/*");
    let two = stage.push("team/admin", "v2", &labelled("2", &labels));
    stage.run_for(Duration::from_secs(2)).await;
    stage.until_quiet().await;
    stage.assert_live("admin", &two);
    stage.finish().await;
}

/// Whoever may push to one repository gets no other one's service by naming it.
#[tokio::test(start_paused = true)]
async fn labels_of_another_repository_take_no_service_over() {
    let mut stage = Stage::new(37).await;
    let admin = [
        ("windlass.path", "/admin/*"),
        ("windlass.port", "8080"),
        ("windlass.cpu", "64"),
        ("windlass.memory", "128"),
    ];
    let one = stage.push("team/admin", "v1", &labelled("1", &admin));
    stage.run_for(Duration::from_secs(2)).await;
    stage.until_quiet().await;
    stage.assert_live("admin", &one);
    let named = [("windlass.service", "admin"), ("windlass.cpu", "64"), ("windlass.memory", "128")];
    stage.push("team/other", "v1", &labelled("2", &named));
    stage.run_for(Duration::from_mins(3)).await;
    stage.assert_live("admin", &one);
    // And its own next push goes live.
    let three = stage.push("team/admin", "v2", &labelled("3", &admin));
    stage.run_for(Duration::from_secs(2)).await;
    stage.until_quiet().await;
    stage.assert_live("admin", &three);
    stage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn labels_beyond_the_guard_rails_make_nothing() {
    let mut stage = Stage::new(23).await;
    stage.push("team/admin", "v1", &labelled("1", &[("windlass.path", "/*"), ("windlass.port", "80")]));
    stage.run_for(Duration::from_mins(3)).await;
    assert!(stage.described("admin").is_null());
    assert!(rules(&stage).is_empty());
    stage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_first_deployment_that_fails_never_opens_its_route_and_a_fixed_push_goes_live() {
    let mut stage = Stage::new(24).await;
    stage.apply_spec("shop", SPEC);
    stage.traffic.to(stage.now(), "/shop", 10);
    let bad = stage.push("shop", "latest", &broken("1"));
    stage.run_for(Duration::from_mins(12)).await;
    let row = stage.row(&key("shop")).await;
    let why = row.quarantine.get(&bad).unwrap_or_else(|| panic!("{bad} is in quarantine: {row:?}"));
    assert!(why.reason.contains("exit 3"), "{}", why.reason);
    assert!(rules(&stage)[0].1.contains("parked.windlass.invalid"), "{:?}", rules(&stage));
    let good = stage.push("shop", "latest", &version("2"));
    stage.run_for(Duration::from_secs(2)).await;
    stage.until_quiet().await;
    stage.assert_live("shop", &good);
    assert_eq!(rules(&stage)[0].1, "path /shop*");
    insta::assert_snapshot!(stage.story(&key("shop"), &[("bad", &bad), ("good", &good)]).await, @r"
    bad: failed (from nothing)
    good: live (from nothing)
    ");
    stage.traffic.assert_none_failed();
    stage.finish().await;
}

/// happy#2572: names cut to 32 characters collide.
#[tokio::test(start_paused = true)]
async fn two_services_whose_names_share_32_characters_get_two_groups() {
    let mut stage = Stage::new(25).await;
    let long = "customer-facing-storefront-backend";
    for end in ["blue", "green"] {
        let spec = SPEC.replace("/shop*", &format!("/{end}*"));
        stage.apply_spec(&format!("{long}-{end}"), &spec);
    }
    let one = stage.push("shop", "latest", &version("1"));
    stage.run_for(Duration::from_secs(2)).await;
    stage.until_quiet().await;
    for end in ["blue", "green"] {
        stage.assert_live(&format!("{long}-{end}"), &one);
    }
    let groups: std::collections::BTreeSet<String> =
        rules(&stage).into_iter().flat_map(|rule| rule.2).collect();
    assert_eq!(groups.len(), 2, "{groups:?}");
    assert!(groups.iter().all(|name| name.len() <= 32), "{groups:?}");
    stage.finish().await;
}

/// copilot PR#4501: priorities computed in parallel collide.
#[tokio::test(start_paused = true)]
async fn services_made_in_parallel_take_different_priorities() {
    let mut stage = Stage::new(26).await;
    for n in 0..8 {
        // As specific as each other: all want the same priority.
        stage.apply_spec(&format!("shop{n}"), &SPEC.replace("/shop*", &format!("/shop{n}*")));
    }
    let one = stage.push("shop", "latest", &version("1"));
    stage.run_for(Duration::from_secs(2)).await;
    stage.until_quiet().await;
    let rules = rules(&stage);
    assert_eq!(rules.len(), 8, "{rules:?}");
    for n in 0..8 {
        stage.assert_live(&format!("shop{n}"), &one);
    }
    let collided = stage.calls().iter().any(|call| call.error.as_deref() == Some("PriorityInUse"));
    assert!(collided, "the collision took place");
    stage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_route_that_another_rule_answers_is_refused_before_anything_is_made() {
    let mut stage = Stage::new(27).await;
    let action = json!([{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "200"}}]);
    let taken = json!({"ListenerArn": stage.listener, "Priority": 7, "Actions": action,
        "Conditions": [{"Field": "path-pattern", "Values": ["/shop*"]}]});
    stage.by_hand(ServiceId::ElasticLoadBalancing, "CreateRule", &taken);
    stage.apply_spec("shop", SPEC);
    stage.push("shop", "latest", &version("1"));
    stage.run_for(Duration::from_mins(2)).await;
    let report = stage.report(&key("shop")).await;
    assert!(report.contains("rule 7 of the listener already answers the same requests"), "{report}");
    assert!(report.contains("choose another path or host, or remove that rule"), "{report}");
    assert_eq!(stage.described("shop"), Value::Null);
    assert!(stage.calls().iter().all(|call| !call.is_write() || call.service == ServiceId::DynamoDb));
    stage.sweeps_without_a_write().await;
    stage.watch.verdict();
}
