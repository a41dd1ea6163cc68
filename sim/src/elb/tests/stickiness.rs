//! Clients that stay with a group and with a target.

use std::collections::BTreeSet;

use super::*;
use crate::elb::{Jar, set_weights};

/// Two groups of two targets each; the rule keeps clients with a group for `secs`.
fn bench(secs: u32) -> (Bench, String, [String; 2]) {
    let mut bench = Bench::new();
    let (blue, green) = (bench.group("blue"), bench.group("green"));
    let mut input = bench.rule_input(1, "/*", &[(&blue, 50), (&green, 50)]);
    let sticky = json!({ "Enabled": "true", "DurationSeconds": secs.to_string() });
    input["Actions"][0]["ForwardConfig"]["TargetGroupStickinessConfig"] = sticky;
    let rule = text(&bench.call("CreateRule", input)["Rules"][0]["RuleArn"]);
    for (group, port) in [(&blue, 1), (&blue, 2), (&green, 3), (&green, 4)] {
        run("i-1", port, Some(200));
        register(&mut bench.world, group, "i-1", port).unwrap();
    }
    bench.wait(1);
    (bench, rule, [blue, green])
}

/// The ports that a client's next `n` requests went to.
fn visit(bench: &mut Bench, jar: &mut Jar, n: usize) -> BTreeSet<u16> {
    let listener = bench.listener.clone();
    let ports = (0..n).map(|_| {
        let head = jar.onto(RequestHead::get("h", "/"));
        let decision = route(&mut bench.world, &listener, &head).unwrap();
        jar.keep(&decision);
        let RouteDecision::Forward { port, .. } = decision else { panic!("{decision:?}") };
        port
    });
    ports.collect()
}

fn attribute(bench: &mut Bench, group: &str, key: &str, value: &str) -> Result<Value, String> {
    let input = json!({ "TargetGroupArn": group, "Attributes": [{ "Key": key, "Value": value }] });
    handle(&mut bench.world, "ModifyTargetGroupAttributes", &input).map_err(|error| error.code)
}

#[test]
fn a_client_stays_with_its_group_until_the_time_is_over() {
    let (mut bench, ..) = bench(60);
    let (blue, green) = (BTreeSet::from([1, 2]), BTreeSet::from([3, 4]));
    let mut jars: Vec<Jar> = vec![Jar::default(); 20];
    let firsts: Vec<_> = jars.iter_mut().map(|jar| visit(&mut bench, jar, 20)).collect();
    assert!(firsts.contains(&blue) && firsts.contains(&green), "{firsts:?}");
    bench.wait(59);
    let again: Vec<_> = jars.iter_mut().map(|jar| visit(&mut bench, jar, 20)).collect();
    assert_eq!(firsts, again);
    bench.wait(59);
    let renewed: Vec<_> = jars.iter_mut().map(|jar| visit(&mut bench, jar, 20)).collect();
    assert_eq!(firsts, renewed, "every answer begins the time anew");
    bench.wait(61);
    let over: Vec<_> = jars.iter_mut().map(|jar| visit(&mut bench, jar, 20)).collect();
    assert_ne!(firsts, over);
    let strangers = visit(&mut bench, &mut Jar::default(), 1);
    assert_eq!(strangers.len(), 1);
}

#[test]
fn a_bound_client_leaves_a_group_of_weight_zero() {
    let (mut bench, rule, [blue, green]) = bench(3600);
    let mut jars: Vec<Jar> = vec![Jar::default(); 20];
    for jar in &mut jars {
        visit(&mut bench, jar, 1);
    }
    set_weights(&mut bench.world, &rule, &[(&blue, 0), (&green, 100)]).unwrap();
    for jar in &mut jars {
        assert!(visit(&mut bench, jar, 4).is_subset(&[3, 4].into()));
    }
}

#[test]
fn a_client_stays_with_its_target_while_that_is_healthy() {
    let (mut bench, _, [blue, green]) = bench(3600);
    for group in [&blue, &green] {
        attribute(&mut bench, group, "stickiness.enabled", "true").unwrap();
        attribute(&mut bench, group, "stickiness.lb_cookie.duration_seconds", "100").unwrap();
    }
    let mut jar = Jar::default();
    let first = visit(&mut bench, &mut jar, 10);
    assert_eq!(first.len(), 1);
    let port = *first.first().unwrap();
    let group = if port < 3 { &blue } else { &green };
    deregister(&mut bench.world, group, "i-1", port);
    let second = visit(&mut bench, &mut jar, 10);
    assert_eq!(second.len(), 1, "bound anew: {second:?}");
    assert_ne!(first, second);
    assert!(second.is_subset(&if port < 3 { [1, 2].into() } else { [3, 4].into() }));
}

#[test]
fn the_cookies_are_the_load_balancers_own_with_twins_for_other_origins() {
    let (mut bench, _, [blue, green]) = bench(60);
    for group in [&blue, &green] {
        attribute(&mut bench, group, "stickiness.enabled", "true").unwrap();
    }
    let listener = bench.listener.clone();
    let decision = route(&mut bench.world, &listener, &RequestHead::get("h", "/")).unwrap();
    let RouteDecision::Forward { cookies, port, .. } = decision else { panic!("{decision:?}") };
    let names: Vec<_> = cookies.iter().map(|cookie| cookie.split('=').next().unwrap()).collect();
    assert_eq!(names, ["AWSALBTG", "AWSALBTGCORS", "AWSALB", "AWSALBCORS"]);
    assert!(cookies[0].ends_with("; Expires=Thu, 08 Jan 2026 00:00:01 GMT; Path=/"), "{}", cookies[0]);
    assert!(cookies[3].ends_with("; Path=/; SameSite=None; Secure"), "{}", cookies[3]);
    // The twins alone bind as well, and what cannot be read binds nobody.
    let twins: Vec<_> = [&cookies[1], &cookies[3]].map(|it| it.split(';').next().unwrap()).into();
    let head = |cookie: &str| RequestHead {
        headers: vec![("Cookie".into(), cookie.into())],
        ..RequestHead::get("h", "/")
    };
    for _ in 0..10 {
        let decision = route(&mut bench.world, &listener, &head(&twins.join("; "))).unwrap();
        assert!(matches!(decision, RouteDecision::Forward { port: bound, .. } if bound == port));
    }
    let garbled = route(&mut bench.world, &listener, &head("AWSALBTG=%%%; AWSALB=e30="));
    assert!(matches!(garbled, Some(RouteDecision::Forward { .. })));
}

#[test]
fn sticky_targets_behind_several_groups_need_sticky_groups() {
    let mut bench = Bench::new();
    let (a, b) = (bench.group("a"), bench.group("b"));
    let rule = bench.rule(1, "/*", &[(&a, 1), (&b, 1)]);
    let refused = Err("InvalidConfigurationRequest".to_owned());
    assert_eq!(attribute(&mut bench, &a, "stickiness.enabled", "true"), refused);
    bench.call("ModifyRule", json!({ "RuleArn": rule, "Actions": [weighted(&[(&a, 1)])] }));
    attribute(&mut bench, &a, "stickiness.enabled", "true").unwrap();
    let both = json!({ "RuleArn": rule, "Actions": [weighted(&[(&a, 1), (&b, 1)])] });
    assert_eq!(bench.code("ModifyRule", both), "InvalidConfigurationRequest");
    assert_eq!(attribute(&mut bench, &a, "stickiness.type", "app_cookie"), refused);
    for (key, value) in [("stickiness.enabled", "yes"), ("stickiness.lb_cookie.duration_seconds", "0")] {
        assert_eq!(attribute(&mut bench, &a, key, value), Err("ValidationError".to_owned()));
    }
    let mut action = weighted(&[(&a, 1)]);
    for sticky in [json!({ "Enabled": true }), json!({ "Enabled": true, "DurationSeconds": 604_801 })] {
        action["ForwardConfig"]["TargetGroupStickinessConfig"] = sticky;
        assert_eq!(
            bench.code("ModifyRule", json!({ "RuleArn": rule, "Actions": [action] })),
            "ValidationError"
        );
    }
}
