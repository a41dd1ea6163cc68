use std::collections::BTreeMap;

use super::*;
use crate::id::RuleArn;
use crate::spec::{Priority, RouteRule, RouteSpec};

fn conditions(hosts: &[&str], paths: &[&str]) -> RuleConditions {
    let texts = |list: &[&str]| list.iter().map(|&text| text.to_owned()).collect();
    RuleConditions { hosts: texts(hosts), paths: texts(paths), ..RuleConditions::default() }
}

fn rule(priority: u32, conditions: RuleConditions, service: Option<&str>) -> Rule {
    Rule {
        arn: RuleArn::new(format!("rule-{priority}")),
        priority: Some(priority),
        conditions,
        forwards: vec![("group".into(), 1)],
        stickiness_secs: None,
        rewrites: Vec::new(),
        tags: service.map(|key| (names::TAG_SERVICE.to_owned(), key.to_owned())).into_iter().collect(),
    }
}

fn shop() -> ServiceKey {
    ServiceKey::new("main", "shop")
}

#[test]
fn the_order_of_values_and_the_case_of_hosts_make_no_other_rule() {
    let wanted = conditions(&["Shop.example.com", "b.example.com"], &["/a", "/b"]);
    let there = rule(7, conditions(&["b.example.com", "shop.example.com"], &["/b", "/a"]), None);
    assert_eq!(rival(std::slice::from_ref(&there), &wanted, &shop()), Some(Rival::Stranger(&there)));
    let own = rule(7, wanted.clone(), Some("main/shop"));
    assert_eq!(rival(&[own], &wanted, &shop()), None);
}

#[test]
fn two_of_ours_conflict_by_one_path_on_one_host_and_a_stranger_only_by_the_very_same() {
    let wanted = conditions(&["a.example.com"], &["/a", "/b"]);
    let partly = conditions(&["a.example.com", "c.example.com"], &["/b", "/c"]);
    let ours = rule(7, partly.clone(), Some("main/admin"));
    let other = ServiceKey::new("main", "admin");
    assert_eq!(rival(std::slice::from_ref(&ours), &wanted, &shop()), Some(Rival::Ours(&ours, other)));
    assert_eq!(rival(&[rule(7, partly, None)], &wanted, &shop()), None);
    for apart in [
        conditions(&["b.example.com"], &["/a"]),
        conditions(&[], &["/a"]),
        conditions(&["a.example.com"], &["/*"]),
    ] {
        assert_eq!(rival(&[rule(7, apart.clone(), Some("main/admin"))], &wanted, &shop()), None, "{apart}");
    }
    let by_header = RuleConditions {
        headers: BTreeMap::from([("x-test".to_owned(), vec!["1".to_owned()])]),
        ..wanted.clone()
    };
    assert_eq!(rival(&[rule(7, by_header, Some("main/admin"))], &wanted, &shop()), None);
}

#[test]
fn a_parked_rule_is_known_as_parked_and_answers_nothing_real() {
    let key = shop();
    assert!(is_parked(&rule(1, parked(&key), None)));
    assert!(!is_parked(&rule(1, conditions(&["shop.example.com"], &[]), None)));
}

fn of_paths(paths: &[&str]) -> Vec<WantedRule> {
    let mut route = RouteSpec::new(vec![paths[0].to_owned()], Vec::new());
    route.rules = paths[1..]
        .iter()
        .map(|&path| RouteRule { paths: vec![path.to_owned()], ..RouteRule::default() })
        .collect();
    wanted_rules(&route)
}

fn names_of(matched: &Matched<'_>) -> Vec<String> {
    let pairs = matched.pairs.iter().map(|(wanted, rule)| {
        let rule = rule.map_or("new".to_owned(), |rule| rule.arn.to_string());
        format!("{} {rule}", wanted.conditions)
    });
    pairs.chain(matched.surplus.iter().map(|rule| format!("left {}", rule.arn))).collect()
}

#[test]
fn a_rule_is_known_by_its_conditions_whatever_its_place_in_the_spec() {
    let own = [
        rule(5, conditions(&[], &["/a"]), Some("main/shop")),
        rule(3, conditions(&[], &["/b"]), Some("main/shop")),
        rule(4, parked(&shop()), Some("main/shop")),
    ];
    let own: Vec<&Rule> = own.iter().collect();
    assert_eq!(
        names_of(&matched(of_paths(&["/b", "/a"]), &own)),
        ["path /b rule-3", "path /a rule-5", "left rule-4"]
    );
    assert_eq!(
        names_of(&matched(of_paths(&["/b", "/new"]), &own)),
        ["path /b rule-3", "path /new rule-5", "left rule-4"],
        "what the spec no longer has passes over to what is new"
    );
    assert_eq!(
        names_of(&matched(of_paths(&["/a", "/b", "/c", "/d"]), &own)),
        ["path /a rule-5", "path /b rule-3", "path /c rule-4", "path /d new"],
        "a parked one is used before another is made"
    );
}

#[test]
fn the_rule_of_a_test_route_is_none_of_the_spec_s() {
    let mut test = rule(5, conditions(&[], &["/a"]), Some("main/shop"));
    test.tags.insert(TAG_RULE.to_owned(), "test".to_owned());
    let main = rule(9, conditions(&[], &["/a"]), Some("main/shop"));
    let rules = [test, main];
    assert_eq!(own_rule(&rules, &"group".into(), &shop()).unwrap().priority, Some(9));
}

#[test]
fn a_place_reads_back_from_its_tag() {
    for place in [Place::Fixed, Place::Automatic(0), Place::Automatic(557)] {
        let mut rule = rule(1, RuleConditions::default(), Some("main/shop"));
        rule.tags.insert(names::TAG_PRIORITY.to_owned(), place.to_string());
        assert_eq!(Place::of(&rule), Some(place));
    }
}

#[test]
fn who_may_be_moved_is_ours_automatic_and_open() {
    let mut fixed = rule(2_000, conditions(&[], &["/f"]), Some("main/a"));
    fixed.tags.insert(names::TAG_PRIORITY.to_owned(), Place::Fixed.to_string());
    let rules = [
        fixed,
        rule(500, conditions(&[], &["/old-and-fixed"]), Some("main/a")),
        rule(3_000, conditions(&[], &["/stranger"]), None),
        rule(4_000, parked(&shop()), Some("main/shop")),
        rule(5_000, conditions(&[], &["/a"]), Some("main/a")),
        Rule { priority: None, ..rule(1, RuleConditions::default(), None) },
    ];
    let movable: Vec<u32> = standing(&rules, &[])
        .into_iter()
        .filter(|rule| rule.automatic.is_some())
        .map(|rule| rule.priority)
        .collect();
    assert_eq!(movable, [5_000]);
    assert_eq!(Priority::default(), Priority::Auto);
}

#[test]
fn two_specs_conflict_on_one_listener_only() {
    let (cart, admin) = (ServiceKey::new("main", "cart"), ServiceKey::new("main", "admin"));
    let mine = RouteSpec::new(vec!["/a".into(), "/b".into()], Vec::new());
    let theirs = RouteSpec::new(vec!["/b".into()], Vec::new());
    let elsewhere = RouteSpec { listener: Some("other".into()), ..theirs.clone() };
    let one = Routed { key: &cart, route: &mine };
    let found = |route| conflict(one, [Routed { key: &admin, route }], Some(&"stack".into()));
    assert_eq!(found(&theirs).map(|(with, _)| with), Some(&admin));
    assert_eq!(found(&elsewhere), None);
    assert_eq!(
        conflict(one, [Routed { key: &cart, route: &theirs }], None),
        None,
        "a spec is no rival of itself"
    );
}
