//! Quotas: AWS's numbers, and lowered ones.

use super::*;
use crate::elb::Quotas;

#[test]
fn awss_own_numbers_are_kept() {
    let mut bench = Bench::new();
    let group = bench.group("a");
    let six = json!(["/1", "/2", "/3", "/4", "/5", "/6"]);
    let mut input = bench.rule_input(1, "/", &[(&group, 1)]);
    input["Conditions"][0]["Values"] = six;
    assert_eq!(bench.code("CreateRule", input), "ValidationError");
    for priority in 1..=100 {
        bench.rule(priority, &format!("/{priority}/*"), &[(&group, 1)]);
    }
    let input = bench.rule_input(101, "/101/*", &[(&group, 1)]);
    assert_eq!(bench.code("CreateRule", input), "TooManyRules");

    let mut bench = Bench::new();
    for number in 0..100 {
        let group = bench.group(&format!("g{number}"));
        if number < 96 {
            bench.rule(number + 1, "/*", &[(&group, 1)]);
        }
    }
    let last: Vec<_> = (96..100).map(|number| bench.group(&format!("g{number}"))).collect();
    let all: Vec<_> = last.iter().map(|arn| (arn.as_str(), 1)).collect();
    bench.rule(97, "/*", &all);
    let one_more = bench.group("more");
    let input = bench.rule_input(98, "/*", &[(&one_more, 1)]);
    assert_eq!(bench.code("CreateRule", input), "TooManyUniqueTargetGroupsPerLoadBalancer");

    let targets: Vec<_> = (1..=1001).map(|port| json!({ "Id": "i-1", "Port": port })).collect();
    assert_eq!(
        bench.code("RegisterTargets", json!({ "TargetGroupArn": one_more, "Targets": targets })),
        "TooManyTargets"
    );
}

#[test]
fn lowered_quotas_are_kept_each_with_its_code() {
    let mut bench = Bench::new();
    let (a, b, c) = (bench.group("a"), bench.group("b"), bench.group("c"));
    bench.rule(1, "/1", &[(&a, 1)]);
    bench.world.elb.quotas = Quotas {
        load_balancers: 1,
        listeners: 1,
        rules: 2,
        target_groups: 3,
        target_groups_per_load_balancer: 2,
        target_groups_per_action: 2,
        values_per_rule: 1,
        wildcards_per_rule: 1,
        targets: 1,
        tags: 1,
    };
    let lb = bench.lb.clone();
    let rule = |path: &str, groups: &[(&str, u32)]| bench.rule_input(2, path, groups);
    let mut two_values = rule("/", &[(&a, 1)]);
    two_values["Conditions"][0]["Values"] = json!(["/x", "/y"]);
    let tags =
        |keys: &[&str]| -> Value { keys.iter().map(|key| json!({ "Key": key, "Value": "v" })).collect() };
    let mut two_tags = group_input("b");
    two_tags["Tags"] = tags(&["k", "l"]);
    let targets = json!([{ "Id": "i-1", "Port": 1 }, { "Id": "i-1", "Port": 2 }]);
    let default = json!([{ "Type": "fixed-response", "FixedResponseConfig": { "StatusCode": "404" } }]);
    let cases = [
        ("CreateLoadBalancer", json!({ "Name": "two", "Subnets": ["s-1", "s-2"] }), "TooManyLoadBalancers"),
        (
            "CreateListener",
            json!({ "LoadBalancerArn": lb, "Protocol": "HTTP", "Port": 81, "DefaultActions": default }),
            "TooManyListeners",
        ),
        ("CreateTargetGroup", group_input("d"), "TooManyTargetGroups"),
        ("CreateTargetGroup", two_tags, "TooManyTags"),
        ("CreateRule", rule("/", &[(&b, 1), (&c, 1)]), "TooManyUniqueTargetGroupsPerLoadBalancer"),
        ("CreateRule", rule("/", &[(&a, 1), (&b, 1), (&c, 1)]), "ValidationError"),
        ("CreateRule", two_values, "ValidationError"),
        ("CreateRule", rule("/?/*", &[(&a, 1)]), "ValidationError"),
        ("RegisterTargets", json!({ "TargetGroupArn": a, "Targets": targets }), "TooManyTargets"),
    ];
    for (operation, input, code) in cases {
        assert_eq!(bench.code(operation, input), code, "{operation}");
    }
    let health = bench.call("DescribeTargetHealth", json!({ "TargetGroupArn": a }));
    assert_eq!(health["TargetHealthDescriptions"], json!([]), "the first was not registered either");
    let names: Vec<_> = (0..21).map(|n| format!("g{n}")).collect();
    assert_eq!(bench.code("DescribeTargetGroups", json!({ "Names": names })), "ValidationError");
    bench.rule(2, "/2", &[(&a, 1), (&b, 1)]);
    let third = bench.rule_input(3, "/3", &[(&a, 1)]);
    assert_eq!(bench.code("CreateRule", third), "TooManyRules");
    bench.call("AddTags", json!({ "ResourceArns": [a], "Tags": tags(&["k"]) }));
    bench.call("AddTags", json!({ "ResourceArns": [a], "Tags": tags(&["k"]) }));
    assert_eq!(bench.code("AddTags", json!({ "ResourceArns": [a], "Tags": tags(&["l"]) })), "TooManyTags");
}
