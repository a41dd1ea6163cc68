//! ELBv2's API and the data plane's decisions. Containers are stand-ins here: what answers
//! on an (instance, port) is set by the test.

#![expect(clippy::needless_pass_by_value, reason = "a call reads best with its input in place")]

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::{
    Elb, RequestHead, RouteDecision, TargetState, VPC_ID, deregister, handle, refuses_service, register,
    request, route, rules, target_counts, target_state,
};
use crate::ecs::Answer;
use crate::world::{Config, World};

mod metrics;
mod quotas;
mod stickiness;
mod transforms;
mod weights;

thread_local! {
    static CONTAINERS: RefCell<BTreeMap<(String, u16), Answer>> = const { RefCell::new(BTreeMap::new()) };
}

/// What [`super::ask`] asks first in tests.
pub(super) fn container(id: &str, port: u16) -> Option<Answer> {
    CONTAINERS.with_borrow(|all| all.get(&(id.to_owned(), port)).cloned())
}

/// From now on a container there answers with this status; `None` ends it.
fn run(id: &str, port: u16, status: Option<u16>) {
    let key = (id.to_owned(), port);
    CONTAINERS.with_borrow_mut(|all| match status {
        Some(status) => all.insert(key, Answer { status, latency_ms: 5, task_arn: format!("{id}:{port}") }),
        None => all.remove(&key),
    });
}

struct Bench {
    world: World,
    lb: String,
    listener: String,
}

impl Bench {
    fn new() -> Self {
        let mut world = World::new(Config::default());
        let made = call(
            &mut world,
            "CreateLoadBalancer",
            json!({ "Name": "main", "Subnets": ["subnet-a", "subnet-b"] }),
        );
        let lb = text(&made["LoadBalancers"][0]["LoadBalancerArn"]);
        let default = json!({ "Type": "fixed-response", "FixedResponseConfig": { "StatusCode": "404" } });
        let input =
            json!({ "LoadBalancerArn": lb, "Protocol": "HTTP", "Port": "80", "DefaultActions": [default] });
        let made = call(&mut world, "CreateListener", input);
        let listener = text(&made["Listeners"][0]["ListenerArn"]);
        Self { world, lb, listener }
    }

    fn call(&mut self, operation: &str, input: Value) -> Value {
        call(&mut self.world, operation, input)
    }

    fn code(&mut self, operation: &str, input: Value) -> String {
        handle(&mut self.world, operation, &input).expect_err(operation).code
    }

    fn group(&mut self, name: &str) -> String {
        let made = self.call("CreateTargetGroup", group_input(name));
        text(&made["TargetGroups"][0]["TargetGroupArn"])
    }

    fn rule(&mut self, priority: u32, path: &str, groups: &[(&str, u32)]) -> String {
        let input = self.rule_input(priority, path, groups);
        text(&self.call("CreateRule", input)["Rules"][0]["RuleArn"])
    }

    fn rule_input(&self, priority: u32, path: &str, groups: &[(&str, u32)]) -> Value {
        let condition = json!({ "Field": "path-pattern", "Values": [path] });
        json!({
            "ListenerArn": self.listener, "Priority": priority.to_string(), "Conditions": [condition],
            "Actions": [weighted(groups)],
        })
    }

    fn get(&mut self, path: &str) -> u16 {
        request(&mut self.world, &self.listener.clone(), &RequestHead::get("example.com", path))
            .unwrap()
            .status
    }

    fn wait(&mut self, secs: u64) {
        let to = self.world.now() + Duration::from_secs(secs);
        self.world.advance(to);
    }

    fn health(&mut self, group: &str) -> Vec<(String, String)> {
        let described = self.call("DescribeTargetHealth", json!({ "TargetGroupArn": group }));
        let of = |target: &Value| {
            (
                text(&target["TargetHealth"]["State"]),
                target["TargetHealth"]["Reason"].as_str().unwrap_or("").to_owned(),
            )
        };
        described["TargetHealthDescriptions"].as_array().unwrap().iter().map(of).collect()
    }
}

fn call(world: &mut World, operation: &str, input: Value) -> Value {
    handle(world, operation, &input).unwrap_or_else(|error| panic!("{operation}: {error:?}"))
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

fn group_input(name: &str) -> Value {
    json!({ "Name": name, "Protocol": "HTTP", "Port": "80", "VpcId": VPC_ID, "HealthCheckIntervalSeconds": "10" })
}

fn weighted(groups: &[(&str, u32)]) -> Value {
    let list: Vec<_> = groups
        .iter()
        .map(|(arn, weight)| json!({ "TargetGroupArn": arn, "Weight": weight.to_string() }))
        .collect();
    json!({ "Type": "forward", "ForwardConfig": { "TargetGroups": list } })
}

#[test]
fn a_priority_is_given_once_and_a_swap_is_one_call() {
    let mut bench = Bench::new();
    let group = bench.group("a");
    let first = bench.rule(1, "/a/*", &[(&group, 1)]);
    let second = bench.rule(2, "/b/*", &[(&group, 1)]);
    let again = bench.rule_input(1, "/c/*", &[(&group, 1)]);
    assert_eq!(bench.code("CreateRule", again), "PriorityInUse");
    let swap = |a: u32, b: u32| json!({ "RulePriorities": [{ "RuleArn": first, "Priority": a }, { "RuleArn": second, "Priority": b }] });
    assert_eq!(bench.code("SetRulePriorities", swap(3, 3)), "PriorityInUse");
    assert_eq!(
        bench.code("SetRulePriorities", json!({ "RulePriorities": [{ "RuleArn": first, "Priority": 2 }] })),
        "PriorityInUse"
    );
    bench.call("SetRulePriorities", swap(2, 1));
    let order: Vec<_> =
        rules(&bench.world, &bench.listener).into_iter().map(|rule| (rule.priority, rule.arn)).collect();
    assert_eq!(order[..2], [(Some(1), second), (Some(2), first)]);
    assert_eq!(order[2].0, None, "the default rule is the last");
    for bad in [0, 50_001] {
        let input = bench.rule_input(bad, "/c/*", &[(&group, 1)]);
        assert_eq!(bench.code("CreateRule", input), "ValidationError");
    }
}

#[test]
fn a_target_group_in_use_is_not_deleted() {
    let mut bench = Bench::new();
    let group = bench.group("a");
    assert_eq!(
        refuses_service(&bench.world, &group).unwrap().message,
        format!("The target group with targetGroupArn {group} does not have an associated load balancer.")
    );
    let rule = bench.rule(1, "/a/*", &[(&group, 0)]);
    assert_eq!(refuses_service(&bench.world, &group), None, "weight 0 is in use too");
    let delete = json!({ "TargetGroupArn": group });
    assert_eq!(bench.code("DeleteTargetGroup", delete.clone()), "ResourceInUse");
    let described = bench.call("DescribeTargetGroups", json!({ "Names": ["a"] }));
    assert_eq!(described["TargetGroups"][0]["LoadBalancerArns"], json!([bench.lb]));
    bench.call("DeleteRule", json!({ "RuleArn": rule }));
    bench.call("DeleteTargetGroup", delete);
    assert_eq!(bench.code("DescribeTargetGroups", json!({ "Names": ["a"] })), "TargetGroupNotFound");
    assert_eq!(bench.code("DescribeTargetHealth", json!({ "TargetGroupArn": group })), "TargetGroupNotFound");
}

#[test]
fn the_same_target_group_twice_is_one_and_another_of_its_name_is_refused() {
    let mut bench = Bench::new();
    let arn = bench.group("a");
    assert_eq!(bench.group("a"), arn);
    let mut other = group_input("a");
    other["HealthCheckPath"] = json!("/health");
    assert_eq!(bench.code("CreateTargetGroup", other), "DuplicateTargetGroupName");
    for bad in ["-a", "a-", "a_b", "", &"a".repeat(33)] {
        assert_eq!(bench.code("CreateTargetGroup", group_input(bad)), "ValidationError", "{bad}");
    }
    let mut no_vpc = group_input("b");
    no_vpc.as_object_mut().unwrap().remove("VpcId");
    assert_eq!(bench.code("CreateTargetGroup", no_vpc), "ValidationError");
}

#[test]
fn targets_on_one_instance_are_told_apart_by_port() {
    let mut bench = Bench::new();
    let group = bench.group("a");
    bench.rule(1, "/*", &[(&group, 1)]);
    let targets = json!([{ "Id": "i-1", "Port": "32768" }, { "Id": "i-1", "Port": "32769" }]);
    bench.call("RegisterTargets", json!({ "TargetGroupArn": group, "Targets": targets }));
    let one = json!([{ "Id": "i-1", "Port": "32768" }]);
    bench.call("DeregisterTargets", json!({ "TargetGroupArn": group, "Targets": one }));
    assert_eq!(target_state(&bench.world, &group, "i-1", 32768), Some(TargetState::Draining));
    assert_eq!(target_state(&bench.world, &group, "i-1", 32769), Some(TargetState::Initial));
    // Without a port the group's own is meant: not registered, no error.
    bench.call("DeregisterTargets", json!({ "TargetGroupArn": group, "Targets": [{ "Id": "i-1" }] }));
    let asked = json!({ "TargetGroupArn": group, "Targets": [{ "Id": "i-1" }] });
    let health = bench.call("DescribeTargetHealth", asked);
    assert_eq!(health["TargetHealthDescriptions"][0]["TargetHealth"]["Reason"], "Target.NotRegistered");
}

#[test]
fn conditions_come_back_in_both_places_and_go_in_in_one() {
    let mut bench = Bench::new();
    let group = bench.group("a");
    let rule = bench.rule(1, "/a/*", &[(&group, 1)]);
    let described = bench.call("DescribeRules", json!({ "RuleArns": [rule] }));
    let condition = &described["Rules"][0]["Conditions"][0];
    assert_eq!(
        *condition,
        json!({ "Field": "path-pattern", "Values": ["/a/*"], "PathPatternConfig": { "Values": ["/a/*"] } })
    );
    let error =
        handle(&mut bench.world, "ModifyRule", &json!({ "RuleArn": rule, "Conditions": [condition] }))
            .unwrap_err();
    assert_eq!(
        error.message,
        "You cannot provide both Values and 'PathPatternConfig' for a condition of type 'path-pattern'"
    );
    let config = json!({ "Field": "path-pattern", "PathPatternConfig": { "Values": ["/b/*"] } });
    let changed = bench.call("ModifyRule", json!({ "RuleArn": rule, "Conditions": [config] }));
    assert_eq!(changed["Rules"][0]["Conditions"][0]["Values"], json!(["/b/*"]));
    assert_eq!(
        changed["Rules"][0]["Actions"][0]["TargetGroupArn"],
        group.as_str(),
        "what was not given stays"
    );
}

#[test]
fn modify_rule_replaces_the_whole_list_of_groups() {
    let mut bench = Bench::new();
    let (a, b) = (bench.group("a"), bench.group("b"));
    let rule = bench.rule(1, "/*", &[(&a, 90), (&b, 10)]);
    let weights = |bench: &Bench| -> Vec<_> {
        rules(&bench.world, &bench.listener)[0]
            .groups
            .iter()
            .map(|group| (group.name.clone(), group.weight))
            .collect()
    };
    assert_eq!(weights(&bench), [("a".to_owned(), 90), ("b".to_owned(), 10)]);
    bench.call("ModifyRule", json!({ "RuleArn": rule, "Actions": [weighted(&[(&b, 100)])] }));
    assert_eq!(weights(&bench), [("b".to_owned(), 100)]);
    assert!(refuses_service(&bench.world, &a).is_some(), "a is out of use now");
    for (groups, code) in [
        (vec![(b.as_str(), 1000)], "ValidationError"),
        (vec![(b.as_str(), 1), (b.as_str(), 2)], "ValidationError"),
        (vec![("arn:none", 1)], "TargetGroupNotFound"),
    ] {
        let input = json!({ "RuleArn": rule, "Actions": [weighted(&groups)] });
        assert_eq!(bench.code("ModifyRule", input), code, "{groups:?}");
    }
    let mut twice = weighted(&[(&b, 1)]);
    twice["TargetGroupArn"] = json!(a);
    assert_eq!(
        bench.code("ModifyRule", json!({ "RuleArn": rule, "Actions": [twice] })),
        "InvalidLoadBalancerAction"
    );
}

#[test]
fn a_group_serves_one_load_balancer() {
    let mut bench = Bench::new();
    let group = bench.group("a");
    bench.rule(1, "/*", &[(&group, 1)]);
    let made =
        bench.call("CreateLoadBalancer", json!({ "Name": "other", "Subnets": ["subnet-a", "subnet-b"] }));
    let input = json!({
        "LoadBalancerArn": made["LoadBalancers"][0]["LoadBalancerArn"], "Protocol": "HTTP", "Port": 80,
        "DefaultActions": [{ "Type": "forward", "TargetGroupArn": group }],
    });
    assert_eq!(bench.code("CreateListener", input), "TargetGroupAssociationLimit");
}

#[test]
fn unknown_things_are_named_as_unknown() {
    let mut bench = Bench::new();
    let rule = bench.rule_input(1, "/*", &[("arn:none", 1)]);
    for (operation, input, code) in [
        ("CreateRule", rule, "TargetGroupNotFound"),
        ("DescribeRules", json!({ "ListenerArn": "arn:none" }), "ListenerNotFound"),
        ("DescribeRules", json!({ "RuleArns": ["arn:none"] }), "RuleNotFound"),
        ("DescribeRules", json!({}), "ValidationError"),
        ("DeleteRule", json!({ "RuleArn": "arn:none" }), "RuleNotFound"),
        ("DescribeLoadBalancers", json!({ "Names": ["none"] }), "LoadBalancerNotFound"),
        (
            "RegisterTargets",
            json!({ "TargetGroupArn": "arn:none", "Targets": [{ "Id": "i-1" }] }),
            "TargetGroupNotFound",
        ),
        (
            "DescribeTags",
            json!({ "ResourceArns": ["arn:aws:elasticloadbalancing:r:a:targetgroup/x/1"] }),
            "TargetGroupNotFound",
        ),
        ("Nonsense", json!({}), "InvalidAction"),
    ] {
        assert_eq!(bench.code(operation, input), code, "{operation}");
    }
    let default = rules(&bench.world, &bench.listener)[0].arn.clone();
    assert_eq!(bench.code("DeleteRule", json!({ "RuleArn": default })), "OperationNotPermitted");
    assert_eq!(bench.code("ModifyRule", json!({ "RuleArn": default })), "OperationNotPermitted");
}

#[test]
fn a_new_target_is_healthy_after_one_check_and_a_sick_one_after_its_threshold() {
    let mut bench = Bench::new();
    let group = bench.group("a");
    bench.rule(1, "/*", &[(&group, 1)]);
    run("i-1", 8080, Some(200));
    register(&mut bench.world, &group, "i-1", 8080).unwrap();
    let states = |bench: &mut Bench| bench.health(&group).remove(0);
    assert_eq!(states(&mut bench), ("initial".into(), "Elb.RegistrationInProgress".into()));
    assert_eq!(bench.get("/"), 503, "a new target gets nothing");
    bench.wait(1);
    assert_eq!(states(&mut bench), ("healthy".into(), String::new()));
    assert_eq!(bench.get("/"), 200);

    run("i-1", 8080, Some(500));
    bench.wait(10);
    assert_eq!(states(&mut bench).0, "healthy", "one failure is not enough");
    bench.wait(10);
    assert_eq!(states(&mut bench), ("unhealthy".into(), "Target.ResponseCodeMismatch".into()));
    run("i-1", 8080, Some(200));
    bench.wait(40);
    assert_eq!(states(&mut bench).0, "unhealthy", "four of five");
    bench.wait(10);
    assert_eq!(states(&mut bench).0, "healthy");
    run("i-1", 8080, None);
    bench.wait(20);
    assert_eq!(states(&mut bench), ("unhealthy".into(), "Target.FailedHealthChecks".into()));
}

#[test]
fn a_slow_starter_stays_initial_until_it_has_failed_often_enough() {
    let mut bench = Bench::new();
    let group = bench.group("a");
    bench.rule(1, "/*", &[(&group, 1)]);
    register(&mut bench.world, &group, "i-1", 8080).unwrap();
    bench.wait(1);
    assert_eq!(bench.health(&group), [("initial".into(), "Elb.InitialHealthChecking".into())]);
    bench.wait(10);
    assert_eq!(bench.health(&group), [("unhealthy".into(), "Target.FailedHealthChecks".into())]);
}

#[test]
fn a_draining_target_gets_no_new_request_and_shows_for_the_whole_delay() {
    let mut bench = Bench::new();
    let group = bench.group("a");
    bench.rule(1, "/*", &[(&group, 1)]);
    let attribute = json!({ "Key": "deregistration_delay.timeout_seconds", "Value": "30" });
    bench.call("ModifyTargetGroupAttributes", json!({ "TargetGroupArn": group, "Attributes": [attribute] }));
    run("i-1", 8080, Some(200));
    run("i-1", 8081, Some(200));
    register(&mut bench.world, &group, "i-1", 8080).unwrap();
    register(&mut bench.world, &group, "i-1", 8081).unwrap();
    bench.wait(1);
    let gone = deregister(&mut bench.world, &group, "i-1", 8080);
    assert_eq!(gone, bench.world.now() + Duration::from_secs(30));
    bench.wait(5);
    assert_eq!(deregister(&mut bench.world, &group, "i-1", 8080), gone, "a second call changes nothing");
    run("i-1", 8080, None);
    for _ in 0..10 {
        assert_eq!(bench.get("/"), 200);
    }
    bench.wait(24);
    assert_eq!(target_state(&bench.world, &group, "i-1", 8080), Some(TargetState::Draining));
    bench.wait(1);
    assert_eq!(target_state(&bench.world, &group, "i-1", 8080), None);
    deregister(&mut bench.world, &group, "i-1", 8081);
    assert_eq!(bench.get("/"), 503, "draining targets take nothing, not even as the last ones");
}

#[test]
fn a_target_that_comes_back_while_it_drains_is_not_taken_away() {
    let mut bench = Bench::new();
    let group = bench.group("a");
    bench.rule(1, "/*", &[(&group, 1)]);
    run("i-1", 8080, Some(200));
    register(&mut bench.world, &group, "i-1", 8080).unwrap();
    bench.wait(1);
    deregister(&mut bench.world, &group, "i-1", 8080);
    bench.wait(100);
    register(&mut bench.world, &group, "i-1", 8080).unwrap();
    bench.wait(300);
    assert_eq!(target_state(&bench.world, &group, "i-1", 8080), Some(TargetState::Healthy));
}

#[test]
fn targets_are_unused_until_a_rule_forwards_to_their_group() {
    let mut bench = Bench::new();
    let group = bench.group("a");
    run("i-1", 8080, Some(200));
    register(&mut bench.world, &group, "i-1", 8080).unwrap();
    bench.wait(60);
    assert_eq!(bench.health(&group), [("unused".into(), "Target.NotInUse".into())]);
    assert_eq!(bench.world.next_due(), None, "nothing is checked");
    let rule = bench.rule(1, "/*", &[(&group, 1)]);
    bench.wait(1);
    assert_eq!(bench.health(&group)[0].0, "healthy");
    bench.call("DeleteRule", json!({ "RuleArn": rule }));
    assert_eq!(bench.health(&group)[0].0, "unused");
    bench.wait(60);
    assert_eq!(bench.world.next_due(), None, "the checks have stopped");
}

#[test]
fn the_load_balancer_fails_open_but_never_over_to_another_group() {
    let mut bench = Bench::new();
    let (sick, well, empty) = (bench.group("sick"), bench.group("well"), bench.group("empty"));
    bench.rule(1, "/sick", &[(&sick, 1)]);
    bench.rule(2, "/mixed", &[(&empty, 1), (&well, 0)]);
    bench.rule(3, "/none", &[(&well, 0)]);
    run("i-1", 1, Some(500));
    run("i-2", 2, Some(200));
    register(&mut bench.world, &sick, "i-1", 1).unwrap();
    register(&mut bench.world, &well, "i-2", 2).unwrap();
    bench.wait(30);
    assert_eq!(bench.health(&sick)[0].0, "unhealthy");
    assert_eq!(bench.get("/sick"), 500, "fails open: the unhealthy one is asked");
    assert_eq!(bench.get("/mixed"), 503, "production at an empty group");
    assert_eq!(bench.get("/none"), 503, "all weights zero");
    let counts = target_counts(&bench.world, &well);
    assert_eq!(counts, BTreeMap::from([(TargetState::Healthy, 1)]));
}

#[test]
fn requests_are_shared_by_weight_among_groups_and_in_turn_among_targets() {
    let mut bench = Bench::new();
    let (a, b) = (bench.group("a"), bench.group("b"));
    bench.rule(1, "/*", &[(&a, 90), (&b, 10)]);
    for (group, port) in [(&a, 1), (&a, 2), (&b, 3)] {
        run("i-1", port, Some(200));
        register(&mut bench.world, group, "i-1", port).unwrap();
    }
    bench.wait(1);
    let listener = bench.listener.clone();
    let mut counts = BTreeMap::new();
    for _ in 0..1000 {
        let decision = route(&mut bench.world, &listener, &RequestHead::get("h", "/")).unwrap();
        let RouteDecision::Forward { port, .. } = decision else { panic!("{decision:?}") };
        *counts.entry(port).or_insert(0) += 1;
    }
    assert!((60..140).contains(&counts[&3]), "{counts:?}");
    assert!(i32::abs(counts[&1] - counts[&2]) <= 1, "{counts:?}");
}

#[test]
fn the_first_rule_that_holds_decides_and_each_kind_of_condition_does_its_part() {
    let mut bench = Bench::new();
    let fixed =
        |status: &str| json!([{ "Type": "fixed-response", "FixedResponseConfig": { "StatusCode": status } }]);
    let cases = [
        (1, json!({ "Field": "host-header", "Values": ["*.Example.com"] }), "201"),
        (2, json!({ "Field": "path-pattern", "Values": ["/admin", "/admin/*"] }), "202"),
        (
            3,
            json!({ "Field": "http-header", "HttpHeaderConfig": { "HttpHeaderName": "X-Test", "Values": ["blue*"] } }),
            "203",
        ),
        (
            4,
            json!({ "Field": "http-request-method", "HttpRequestMethodConfig": { "Values": ["DELETE"] } }),
            "204",
        ),
        (
            5,
            json!({ "Field": "query-string", "QueryStringConfig": { "Values": [{ "Key": "v", "Value": "2" }] } }),
            "205",
        ),
        (6, json!({ "Field": "source-ip", "SourceIpConfig": { "Values": ["10.0.0.0/8"] } }), "206"),
        (7, json!({ "Field": "path-pattern", "RegexValues": ["^/v[0-9]+/"] }), "207"),
    ];
    for (priority, condition, status) in cases {
        let input = json!({
            "ListenerArn": bench.listener, "Priority": priority, "Conditions": [condition], "Actions": fixed(status),
        });
        bench.call("CreateRule", input);
    }
    let listener = bench.listener.clone();
    let mut status = |head: RequestHead| request(&mut bench.world, &listener, &head).unwrap().status;
    let head = |path: &str| RequestHead::get("localhost:8080", path);
    assert_eq!(
        status(RequestHead::get("SHOP.example.com:8080", "/admin")),
        201,
        "the lower priority number first"
    );
    assert_eq!(status(head("/admin")), 202);
    assert_eq!(status(head("/Admin")), 404, "paths are case-sensitive");
    assert_eq!(status(head("/administrator")), 404);
    assert_eq!(status(RequestHead { headers: vec![("x-test".into(), "BLUE-1".into())], ..head("/") }), 203);
    assert_eq!(status(RequestHead { method: "DELETE".into(), ..head("/") }), 204);
    assert_eq!(status(RequestHead { query: "a=1&v=2".into(), ..head("/") }), 205);
    assert_eq!(status(RequestHead { source_ip: Some([10, 1, 2, 3].into()), ..head("/") }), 206);
    assert_eq!(status(RequestHead { source_ip: Some([11, 1, 2, 3].into()), ..head("/") }), 404);
    assert_eq!(status(head("/v12/x")), 207);
}

#[test]
fn a_redirect_keeps_what_it_does_not_name() {
    let mut bench = Bench::new();
    let to = json!({ "Protocol": "HTTPS", "Port": "443", "StatusCode": "HTTP_301" });
    let listener = bench.listener.clone();
    let actions = json!([{ "Type": "redirect", "RedirectConfig": to }]);
    bench.call("ModifyListener", json!({ "ListenerArn": listener, "DefaultActions": actions }));
    let head = RequestHead { query: "q=1".into(), ..RequestHead::get("shop.test", "/a/b") };
    let decision = route(&mut bench.world, &listener, &head).unwrap();
    let location = "https://shop.test:443/a/b?q=1".to_owned();
    assert_eq!(decision, RouteDecision::Redirect { status: 301, location });
}

#[test]
fn describes_page_and_tags_come_and_go() {
    let mut bench = Bench::new();
    let group = bench.group("a");
    for priority in [3, 1, 2] {
        bench.rule(priority, "/*", &[(&group, 1)]);
    }
    let first = bench.call("DescribeRules", json!({ "ListenerArn": bench.listener, "PageSize": "3" }));
    let priorities = |reply: &Value| -> Vec<String> {
        reply["Rules"].as_array().unwrap().iter().map(|rule| text(&rule["Priority"])).collect()
    };
    assert_eq!(priorities(&first), ["1", "2", "3"]);
    let input = json!({ "ListenerArn": bench.listener, "PageSize": "3", "Marker": first["NextMarker"] });
    let second = bench.call("DescribeRules", input);
    assert_eq!(priorities(&second), ["default"]);
    assert!(second.get("NextMarker").is_none());

    let tag = |key: &str| json!({ "Key": key, "Value": "v" });
    bench.call("AddTags", json!({ "ResourceArns": [group], "Tags": [tag("a"), tag("b")] }));
    bench.call("RemoveTags", json!({ "ResourceArns": [group], "TagKeys": ["a"] }));
    let tags = bench.call("DescribeTags", json!({ "ResourceArns": [group] }));
    assert_eq!(tags["TagDescriptions"][0]["Tags"], json!([tag("b")]));
    let many: Vec<_> = (0..21).map(|_| group.clone()).collect();
    assert_eq!(bench.code("DescribeTags", json!({ "ResourceArns": many })), "ValidationError");
    assert_eq!(
        bench.code("AddTags", json!({ "ResourceArns": [group], "Tags": [tag("a"), tag("a")] })),
        "DuplicateTagKeys"
    );
}

#[test]
fn the_state_survives_a_round_through_json() {
    let mut bench = Bench::new();
    let group = bench.group("a");
    bench.rule(1, "/*", &[(&group, 1)]);
    run("i-1", 8080, Some(200));
    register(&mut bench.world, &group, "i-1", 8080).unwrap();
    bench.wait(1);
    let saved = serde_json::to_string(&bench.world.elb).unwrap();
    bench.world.elb = serde_json::from_str::<Elb>(&saved).unwrap();
    assert_eq!(serde_json::to_string(&bench.world.elb).unwrap(), saved);
    assert_eq!(bench.get("/"), 200);
    bench.wait(100);
    assert_eq!(bench.health(&group)[0].0, "healthy", "its timers still match");
}
