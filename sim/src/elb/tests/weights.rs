//! Weighted forwards, and the rules' order and upkeep while they shift.

use super::*;
use crate::elb::set_weights;

/// How many of 1000 requests to `/` each port got; a port 0 is a 503.
fn shares(bench: &mut Bench) -> BTreeMap<u16, u32> {
    let listener = bench.listener.clone();
    let mut counts = BTreeMap::new();
    for _ in 0..1000 {
        let port = match route(&mut bench.world, &listener, &RequestHead::get("h", "/")).unwrap() {
            RouteDecision::Forward { port, .. } => port,
            _ => 0,
        };
        *counts.entry(port).or_insert(0) += 1;
    }
    counts
}

/// Two groups, blue and green, with one healthy target each on ports 1 and 2, and their rule.
fn blue_green(weights: (u32, u32)) -> (Bench, String, [String; 2]) {
    let mut bench = Bench::new();
    let (blue, green) = (bench.group("blue"), bench.group("green"));
    let rule = bench.rule(1, "/*", &[(&blue, weights.0), (&green, weights.1)]);
    for (group, port) in [(&blue, 1), (&green, 2)] {
        run("i-1", port, Some(200));
        register(&mut bench.world, group, "i-1", port).unwrap();
    }
    bench.wait(1);
    (bench, rule, [blue, green])
}

#[test]
fn shifted_weights_split_the_requests_and_repeat_under_the_seed() {
    let (mut bench, rule, [blue, green]) = blue_green((100, 0));
    assert_eq!(shares(&mut bench), [(1, 1000)].into(), "weight 0 gets nothing");
    for (to_green, about) in [(10, 60..140), (50, 430..570), (90, 860..940)] {
        set_weights(&mut bench.world, &rule, &[(&blue, 100 - to_green), (&green, to_green)]).unwrap();
        let counts = shares(&mut bench);
        assert!(about.contains(&counts[&2]), "{to_green} %: {counts:?}");
    }
    let (mut again, rule, [blue, green]) = blue_green((50, 50));
    let once = shares(&mut again);
    let (mut twice, ..) = blue_green((50, 50));
    assert_eq!(once, shares(&mut twice));
    set_weights(&mut again.world, &rule, &[(&blue, 0), (&green, 1)]).unwrap();
    assert_eq!(shares(&mut again), [(2, 1000)].into());
}

#[test]
fn a_group_without_healthy_targets_answers_503_for_its_share_alone() {
    let (mut bench, _, [_, green]) = blue_green((80, 20));
    deregister(&mut bench.world, &green, "i-1", 2);
    let counts = shares(&mut bench);
    assert!((140..260).contains(&counts[&0]), "{counts:?}");
    assert_eq!(counts[&0] + counts[&1], 1000);
}

#[test]
fn weights_are_set_with_modify_rules_checks_and_leave_the_rest_alone() {
    let (mut bench, rule, [blue, green]) = blue_green((100, 0));
    let sticky = json!({ "Enabled": true, "DurationSeconds": 60 });
    let mut action = weighted(&[(&blue, 1)]);
    action["ForwardConfig"]["TargetGroupStickinessConfig"] = sticky.clone();
    bench.call("ModifyRule", json!({ "RuleArn": rule, "Actions": [action] }));
    assert!(refuses_service(&bench.world, &green).is_some());
    set_weights(&mut bench.world, &rule, &[(&blue, 999), (&green, 1)]).unwrap();
    assert_eq!(refuses_service(&bench.world, &green), None, "it is in use again");
    let described = bench.call("DescribeRules", json!({ "RuleArns": [rule] }));
    let config = &described["Rules"][0]["Actions"][0]["ForwardConfig"];
    assert_eq!(config["TargetGroupStickinessConfig"], sticky);
    assert_eq!(config["TargetGroups"][1], json!({ "TargetGroupArn": green, "Weight": 1 }));
    let default = rules(&bench.world, &bench.listener)[1].arn.clone();
    for (rule, weights, code) in [
        ("arn:none", vec![(blue.as_str(), 1)], "RuleNotFound"),
        (&rule, vec![("arn:none", 1)], "TargetGroupNotFound"),
        (&rule, vec![(&blue, 1000)], "ValidationError"),
        (&rule, vec![], "ValidationError"),
        (&default, vec![(&blue, 1)], "InvalidLoadBalancerAction"),
    ] {
        assert_eq!(set_weights(&mut bench.world, rule, &weights).unwrap_err().code, code, "{weights:?}");
    }
}

#[test]
fn priorities_are_set_all_or_none() {
    let mut bench = Bench::new();
    let group = bench.group("a");
    let (one, two) = (bench.rule(1, "/a", &[(&group, 1)]), bench.rule(2, "/b", &[(&group, 1)]));
    let default = rules(&bench.world, &bench.listener)[2].arn.clone();
    let before = rules(&bench.world, &bench.listener);
    for (second, priority, code) in [
        ("arn:none", 9, "RuleNotFound"),
        (default.as_str(), 9, "OperationNotPermitted"),
        (&two, 0, "ValidationError"),
        (&two, 7, "PriorityInUse"),
    ] {
        let list = json!([{ "RuleArn": one, "Priority": 7 }, { "RuleArn": second, "Priority": priority }]);
        assert_eq!(bench.code("SetRulePriorities", json!({ "RulePriorities": list })), code);
        assert_eq!(rules(&bench.world, &bench.listener), before, "nothing of it was done");
    }
}

#[test]
fn a_rules_two_halves_are_modified_alone_or_together() {
    let (mut bench, rule, [blue, green]) = blue_green((1, 0));
    let halves = |changed: &Value| {
        let rule = &changed["Rules"][0];
        (text(&rule["Conditions"][0]["Values"][0]), text(&rule["Actions"][0]["TargetGroupArn"]))
    };
    let condition = |path: &str| json!([{ "Field": "path-pattern", "Values": [path] }]);
    let actions = bench.call("ModifyRule", json!({ "RuleArn": rule, "Actions": [weighted(&[(&green, 1)])] }));
    assert_eq!(halves(&actions), ("/*".into(), green.clone()));
    let conditions = bench.call("ModifyRule", json!({ "RuleArn": rule, "Conditions": condition("/x") }));
    assert_eq!(halves(&conditions), ("/x".into(), green));
    let both =
        json!({ "RuleArn": rule, "Conditions": condition("/y"), "Actions": [weighted(&[(&blue, 1)])] });
    assert_eq!(halves(&bench.call("ModifyRule", both)), ("/y".into(), blue));
}

#[test]
fn a_listeners_default_keeps_its_target_group() {
    let mut bench = Bench::new();
    let group = bench.group("a");
    let listener = bench.listener.clone();
    let actions = json!([{ "Type": "forward", "TargetGroupArn": group }]);
    bench.call("ModifyListener", json!({ "ListenerArn": listener, "DefaultActions": actions }));
    assert_eq!(bench.code("DeleteTargetGroup", json!({ "TargetGroupArn": group })), "ResourceInUse");
    bench.call("DeleteListener", json!({ "ListenerArn": listener }));
    bench.call("DeleteTargetGroup", json!({ "TargetGroupArn": group }));
}

#[test]
fn a_group_with_too_few_healthy_targets_uses_all_of_them() {
    let (mut bench, _, [blue, _]) = blue_green((1, 0));
    run("i-1", 3, Some(500));
    register(&mut bench.world, &blue, "i-1", 3).unwrap();
    bench.wait(30);
    assert_eq!(shares(&mut bench), [(1, 1000)].into(), "the healthy one alone");
    let prefix = "target_group_health.unhealthy_state_routing.minimum_healthy_targets";
    let mut set = |unit: &str, value: &str| {
        let attribute = json!({ "Key": format!("{prefix}.{unit}"), "Value": value });
        let input = json!({ "TargetGroupArn": blue, "Attributes": [attribute] });
        let done = handle(&mut bench.world, "ModifyTargetGroupAttributes", &input).map(|_| ());
        done.map(|()| shares(&mut bench)).map_err(|error| error.code)
    };
    assert_eq!(set("count", "2"), Ok([(1, 500), (3, 500)].into()));
    assert_eq!(set("count", "1"), Ok([(1, 1000)].into()));
    assert_eq!(set("percentage", "50"), Ok([(1, 1000)].into()));
    assert_eq!(set("percentage", "51"), Ok([(1, 500), (3, 500)].into()));
    for (unit, value) in [("count", "0"), ("percentage", "0"), ("percentage", "101")] {
        assert_eq!(set(unit, value), Err("ValidationError".into()));
    }
}
