//! A spec's route, kept true on the shared listener, under the traffic of neighbours.

use std::time::Duration;

use serde_json::{Value, json};
use windlass_shared::names;
use windlass_sim::ServiceId;
use windlass_sim::door::in_process::Kill;
use windlass_sim::gate::faults::When;
use windlass_tests::{Stage, key, version};

use super::create::{SPEC, made};

/// `shop` and `admin`, both live, both under traffic.
async fn two(seed: u64) -> Stage {
    let (mut stage, _) = made(seed).await;
    stage.apply_spec("admin", &SPEC.replace("shop", "admin"));
    stage.push("admin", "latest", &version("1"));
    stage.run_for(Duration::from_secs(2)).await;
    stage.until_quiet().await;
    stage.traffic.to(stage.now(), "/shop", 10);
    stage.traffic.to(stage.now(), "/admin", 10);
    stage.run_for(Duration::from_secs(5)).await;
    stage
}

fn conditions(stage: &Stage) -> Vec<String> {
    stage.rules().into_iter().map(|rule| rule.1).collect()
}

#[tokio::test(start_paused = true)]
async fn a_changed_path_passes_over_in_one_call_and_neighbours_do_not_feel_it() {
    let mut stage = two(400).await;
    let wider = SPEC.replace("[/shop*]", "[/shop*, /cart*]");
    stage.apply_spec("shop", &wider);
    stage.run_for(Duration::from_secs(2)).await;
    stage.until_quiet().await;
    assert!(conditions(&stage).iter().any(|rule| rule.contains("/cart*")), "{:?}", stage.rules());
    stage.run_for(Duration::from_secs(5)).await;
    stage.traffic.assert_none_failed();
    stage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn further_rules_are_made_changed_and_parked() {
    let mut stage = two(401).await;
    let more = SPEC
        .replace("route: {", "route: {rules: [{paths: [/cart], priority: 7}, {hosts: [shop.example.com]}], ");
    stage.apply_spec("shop", &more);
    stage.run_for(Duration::from_secs(2)).await;
    stage.until_quiet().await;
    assert_eq!(stage.rules().len(), 4, "{:?}", stage.rules());
    assert_eq!((stage.rules()[0].0, stage.rules()[0].1.as_str()), (7, "path /cart"));
    // One goes, one gets another priority and a rewrite.
    let less = SPEC.replace(
        "route: {",
        "route: {rules: [{paths: [/cart], priority: 9, rewrites: [{of: url, regex: ^/cart, replace: /}]}], ",
    );
    stage.apply_spec("shop", &less);
    stage.run_for(Duration::from_secs(2)).await;
    stage.until_quiet().await;
    assert_eq!((stage.rules()[0].0, stage.rules()[0].1.as_str()), (9, "path /cart"));
    let parked = conditions(&stage).iter().filter(|rule| rule.contains("parked.windlass.invalid")).count();
    assert_eq!((stage.rules().len(), parked), (4, 1), "{:?}", stage.rules());
    let report = stage.report(&key("shop")).await;
    assert!(report.contains("1 rule(s) that the spec no longer has are parked"), "{report}");
    stage.traffic.assert_none_failed();
    stage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_conflict_of_two_specs_names_both_and_touches_neither() {
    let mut stage = two(402).await;
    stage.apply_spec("admin", &SPEC.replace("shop}", "admin}").replace("[/shop*]", "[/admin*, /shop*]"));
    stage.run_for(Duration::from_secs(70)).await;
    let report = stage.report(&key("admin")).await;
    assert!(report.contains("main/admin and main/shop both want the requests of"), "{report}");
    assert_eq!(conditions(&stage).iter().filter(|rule| rule.contains("/shop*")).count(), 1);
    stage.traffic.assert_none_failed();
    stage.sweeps_without_a_write().await;
    stage.watch.verdict();
}

/// `shopping-cart` and `admin` side by side, between rules of a person's: there is no gap left.
async fn crowded(seed: u64) -> Stage {
    let mut stage = two(seed).await;
    stage.apply_spec("shop", &SPEC.replace("/shop*", "/shopping-cart*"));
    stage.run_for(Duration::from_secs(2)).await;
    stage.until_quiet().await;
    let elb = ServiceId::ElasticLoadBalancing;
    let there = stage.by_hand(elb, "DescribeRules", &json!({ "ListenerArn": stage.listener }));
    let arn = |path: &str| {
        let rules = there["Rules"].as_array().unwrap();
        rules.iter().find(|rule| rule["Conditions"].to_string().contains(path)).unwrap()["RuleArn"].clone()
    };
    let side_by_side = json!([{"RuleArn": arn("/shopping-cart*"), "Priority": 2000}, {"RuleArn": arn("/admin*"), "Priority": 2001}]);
    stage.by_hand(elb, "SetRulePriorities", &json!({ "RulePriorities": side_by_side }));
    stage.persons_rule(1999, "/persons/1");
    stage.persons_rule(2002, "/persons/2");
    stage.door.with(|world| world.gate.log.clear());
    stage
}

/// Less specific than the one, more than the other: it has to stand between them.
async fn squeeze_in(stage: &mut Stage) {
    stage.apply_spec("shopping", &SPEC.replace("/shop*", "/shopping*"));
    stage.run_for(Duration::from_secs(2)).await;
    stage.until_quiet().await;
}

fn assert_in_order(stage: &Stage) {
    let order: Vec<String> = conditions(stage);
    let at = |path: &str| order.iter().position(|rule| rule == &format!("path {path}")).unwrap();
    assert!(at("/shopping-cart*") < at("/shopping*") && at("/shopping*") < at("/admin*"), "{order:?}");
    let persons: Vec<u32> =
        stage.rules().into_iter().filter(|rule| rule.1.contains("/persons/")).map(|rule| rule.0).collect();
    assert_eq!(persons, [1999, 2002]);
}

/// copilot PR#4501, where there is no gap left: a rule of ours moves, the person's stay.
#[tokio::test(start_paused = true)]
async fn when_the_gaps_have_run_out_a_rule_of_ours_moves_and_the_persons_stay() {
    let mut stage = crowded(403).await;
    squeeze_in(&mut stage).await;
    assert_eq!(stage.count("elasticloadbalancing:SetRulePriorities"), 1);
    assert_in_order(&stage);
    stage.finish().await;
}

/// Whatever call of the function is the last one around the move: nothing is moved twice, the
/// new rule stands once, and nobody's requests went elsewhere.
#[tokio::test(start_paused = true)]
async fn a_move_of_priorities_killed_at_any_call_around_it_is_made_once() {
    let mut stage = crowded(409).await;
    squeeze_in(&mut stage).await;
    let calls = stage.calls();
    let is_move = |call: &windlass_tests::looks::FunctionCall| call.operation == "SetRulePriorities";
    let number = u32::try_from(calls.iter().position(is_move).unwrap()).unwrap() + 1;
    for (call, when) in [
        (number - 1, When::After),
        (number, When::Before),
        (number, When::After),
        (number + 1, When::Before),
        (number + 1, When::After),
        (number + 2, When::After),
    ] {
        let mut stage = crowded(409).await;
        stage.door.kill_at(Kill { call, when });
        squeeze_in(&mut stage).await;
        // Lambda's own retry comes after a minute, and the dead holder's lease ends by then.
        stage.run_for(Duration::from_mins(3)).await;
        stage.until_quiet().await;
        assert!(
            stage.errors().iter().any(|error| error.contains("signal: killed")),
            "call {call} of {number}, {when:?}"
        );
        assert_eq!(stage.count("elasticloadbalancing:SetRulePriorities"), 1, "call {call}, {when:?}");
        assert_eq!(stage.rules().len(), 5, "{:?}", stage.rules());
        assert_in_order(&stage);
        stage.traffic.assert_none_failed();
        stage.finish().await;
    }
}

#[tokio::test(start_paused = true)]
async fn quotas_are_told_with_numbers_before_anything_is_made() {
    for (lower, words) in [
        (|world: &mut windlass_sim::World| world.elb.quotas.rules = 2, "has 2 of 2 rules, and 1 more"),
        (
            |world: &mut windlass_sim::World| world.elb.quotas.target_groups_per_load_balancer = 2,
            "has 2 of 2 target groups, and 1 more",
        ),
    ] as [(fn(&mut windlass_sim::World), &str); 2]
    {
        let mut stage = two(404).await;
        stage.door.with(lower);
        stage.apply_spec("cart", &SPEC.replace("/shop*", "/cart*"));
        stage.run_for(Duration::from_secs(70)).await;
        let report = stage.report(&key("cart")).await;
        assert!(report.contains(words), "{report}");
        assert_eq!(stage.described("cart"), Value::Null);
        assert_eq!(stage.rules().len(), 2);
        stage.traffic.assert_none_failed();
        stage.sweeps_without_a_write().await;
    }
}

#[tokio::test(start_paused = true)]
async fn retire_takes_away_what_windlass_made_and_neighbours_do_not_feel_it() {
    let (mut stage, _) = made(405).await;
    stage.apply_spec("admin", &SPEC.replace("shop", "admin"));
    stage.push("admin", "latest", &version("1"));
    stage.run_for(Duration::from_secs(2)).await;
    stage.until_quiet().await;
    stage.traffic.to(stage.now(), "/admin", 20);
    let did = stage.retire("shop").await;
    let verbs: Vec<&str> = did.iter().map(|step| step.split(' ').next().unwrap_or_default()).collect();
    assert_eq!(verbs, ["delete", "scale", "delete", "delete"], "{did:?}");
    assert_eq!(conditions(&stage), ["path /admin*"]);
    assert_ne!(stage.described("shop")["status"], "ACTIVE");
    stage.until_quiet().await;
    stage.run_for(Duration::from_mins(3)).await;
    assert_eq!(conditions(&stage), ["path /admin*"], "nothing brings it back");
    let history = stage.history(&key("shop")).await;
    assert!(history.iter().any(|pass| pass.cause == "retire" && pass.by.as_str() == "ann"), "{history:?}");
    stage.traffic.assert_none_failed();
    stage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_service_whose_spec_is_gone_is_told_and_left_running() {
    let mut stage = two(406).await;
    let name = "/windlass/services/main/shop";
    stage.by_hand(ServiceId::Ssm, "DeleteParameter", &json!({ "Name": name }));
    stage.run_for(Duration::from_secs(70)).await;
    let report = stage.report(&key("shop")).await;
    assert!(report.contains("no longer wanted: main/shop has no spec any more"), "{report}");
    assert!(report.contains("windlass retire main/shop"), "{report}");
    stage.traffic.assert_none_failed();
    stage.finish().await;
}

/// The weights of the rule with this path, by the groups' names.
fn weights(stage: &Stage, path: &str) -> Vec<(String, u32)> {
    let rules = stage.door.with(|world| windlass_sim::elb::rules(world, &stage.listener));
    let rule = rules.into_iter().find(|rule| rule.conditions.iter().any(|text| text.contains(path)));
    let groups = rule.into_iter().flat_map(|rule| rule.groups);
    groups.map(|group| (group.name, group.weight)).collect()
}

#[tokio::test(start_paused = true)]
async fn an_experiment_shares_requests_by_weight_and_its_end_takes_them_back() {
    let mut stage = two(407).await;
    stage.apply_spec(
        "shop",
        &SPEC.replace(
            "route: {",
            "route: {weights: {admin: 25, nobody: 5}, stickiness: {duration_secs: 60}, ",
        ),
    );
    stage.run_for(Duration::from_secs(70)).await;
    let (shop, admin) = (names::target_group(&key("shop")), names::target_group(&key("admin")));
    assert_eq!(weights(&stage, "/shop*"), [(shop.clone(), 100), (admin, 25)]);
    let report = stage.report(&key("shop")).await;
    assert!(report.contains("shop 100, admin 25"), "{report}");
    assert!(report.contains("nobody gets no share of the requests"), "{report}");
    stage.apply_spec("shop", SPEC);
    stage.run_for(Duration::from_secs(2)).await;
    stage.until_quiet().await;
    assert_eq!(weights(&stage, "/shop*").iter().map(|group| &group.0).collect::<Vec<_>>(), [&shop]);
    stage.traffic.assert_none_failed();
    stage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn the_group_s_delay_and_health_check_are_kept_as_the_spec_says() {
    let mut stage = two(408).await;
    let spec = SPEC
        .replace("deregistration_delay_secs: 10", "deregistration_delay_secs: 25")
        .replace("interval_secs: 5", "interval_secs: 7");
    stage.apply_spec("shop", &spec);
    stage.run_for(Duration::from_secs(2)).await;
    stage.until_quiet().await;
    let elb = ServiceId::ElasticLoadBalancing;
    let names = json!({ "Names": [names::target_group(&key("shop"))] });
    let group = stage.by_hand(elb, "DescribeTargetGroups", &names)["TargetGroups"][0].clone();
    assert_eq!(group["HealthCheckIntervalSeconds"], 7);
    let of = json!({ "TargetGroupArn": group["TargetGroupArn"] });
    let attributes = stage.by_hand(elb, "DescribeTargetGroupAttributes", &of);
    let delay = attributes["Attributes"]
        .as_array()
        .unwrap()
        .iter()
        .find(|a| a["Key"] == "deregistration_delay.timeout_seconds");
    assert_eq!(delay.unwrap()["Value"], "25");
    stage.traffic.assert_none_failed();
    stage.finish().await;
}
