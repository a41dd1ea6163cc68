//! The route of a service on the shared listener: which rule is its own, which priority
//! a new one gets, and how a rule waits ("is parked") until something can answer.
//!
//! ECS takes a target group only once a rule ties it to a load balancer, and a rule that
//! forwards to an empty group answers 503 to requests that another rule served until
//! then. So a rule is born *parked*: on a host that no request carries. Its targets are
//! health-checked all the same; with the first healthy one the rule gets its real
//! conditions.

use std::collections::BTreeSet;

use crate::facts::{Rule, RuleConditions};
use crate::id::{ServiceKey, TargetGroupArn};
use crate::names;

/// AWS's range of rule priorities.
const FIRST: u32 = 1;
const LAST: u32 = 50_000;
/// Automatic priorities stay above this, so that people have the first ones to themselves.
const AUTOMATIC_FIRST: u32 = 1_000;

/// The conditions of a rule that is parked.
pub fn parked(key: &ServiceKey) -> RuleConditions {
    RuleConditions { hosts: vec![names::parking_host(key)], ..RuleConditions::default() }
}

/// Whether a rule is parked, for any service.
pub fn is_parked(rule: &Rule) -> bool {
    rule.conditions.hosts.iter().any(|host| host.ends_with(".parked.windlass.invalid"))
}

/// The tag that tells a service's rules apart.
pub const TAG_RULE: &str = "windlass:rule";
/// [`TAG_RULE`]'s value, and the step's name, of the rule of test requests.
pub const TEST: &str = "test";

/// The service's rule of test requests.
pub fn test_rule<'a>(rules: &'a [Rule], key: &ServiceKey) -> Option<&'a Rule> {
    rules.iter().find(|rule| is_test(rule) && is_of(rule, key))
}

fn is_test(rule: &Rule) -> bool {
    rule.tags.get(TAG_RULE).is_some_and(|name| name == TEST)
}

/// Whether a rule carries the service's tag.
pub fn is_of(rule: &Rule, key: &ServiceKey) -> bool {
    rule.priority.is_some() && rule.tags.get(names::TAG_SERVICE).is_some_and(|tag| *tag == key.to_string())
}

/// The rule that is this service's: forwards to its target group, and carries its tag
/// (where tags were read). A person's rule to the same group is not touched.
pub fn own_rule<'a>(rules: &'a [Rule], group: &TargetGroupArn, key: &ServiceKey) -> Option<&'a Rule> {
    rules
        .iter()
        .find(|rule| is_of(rule, key) && !is_test(rule) && rule.forwards.iter().any(|(arn, _)| arn == group))
}

/// Another rule with the very same conditions: AWS would let both be, and the later one
/// would never be asked.
pub fn taken_by<'a>(rules: &'a [Rule], wanted: &RuleConditions, own: Option<&Rule>) -> Option<&'a Rule> {
    let wanted = normal(wanted);
    rules.iter().find(|rule| {
        rule.priority.is_some()
            && own.is_none_or(|own| own.arn != rule.arn)
            && normal(&rule.conditions) == wanted
    })
}

/// Whether two rules match the same requests, whatever the order of their values and the
/// case of their hosts.
pub fn same(one: &RuleConditions, other: &RuleConditions) -> bool {
    normal(one) == normal(other)
}

fn normal(conditions: &RuleConditions) -> RuleConditions {
    let mut normal = conditions.clone();
    for host in &mut normal.hosts {
        host.make_ascii_lowercase();
    }
    for list in
        [&mut normal.hosts, &mut normal.paths, &mut normal.methods, &mut normal.query, &mut normal.other]
    {
        list.sort();
        list.dedup();
    }
    for values in normal.headers.values_mut() {
        values.sort();
        values.dedup();
    }
    normal
}

/// An automatic priority: the more specific the conditions, the earlier they are asked.
///
/// 1. Specificity gives a place between [`AUTOMATIC_FIRST`] and the end, with gaps.
/// 2. From there the next free one towards the end, so that rules of one specificity
///    stand in the order of their making.
/// 3. Past the end: the last free one before that place. `None`: all are taken.
///
/// Two passes may choose the same one at once: AWS answers `PriorityInUse` to the slower,
/// which looks again.
pub fn automatic_priority(wanted: &RuleConditions, rules: &[Rule]) -> Option<u32> {
    let taken: BTreeSet<u32> = rules.iter().filter_map(|rule| rule.priority).collect();
    let place = place(specificity(wanted));
    (place..=LAST)
        .find(|priority| !taken.contains(priority))
        .or_else(|| (FIRST..place).rev().find(|priority| !taken.contains(priority)))
}

/// 0 (matches everything) to [`MOST_SPECIFIC`].
fn specificity(conditions: &RuleConditions) -> u32 {
    let host =
        conditions.hosts.iter().map(|host| if is_literal(host) { 300 } else { 200 }).min().unwrap_or(0);
    let path = conditions.paths.iter().map(|path| path_specificity(path)).min().unwrap_or(0);
    let others = conditions.headers.len() + conditions.methods.len().min(1) + conditions.query.len().min(1);
    host + path + 20 * u32::try_from(others.min(5)).unwrap_or(5)
}

/// host 300, path 128 characters and 1 for being literal, others 100.
const MOST_SPECIFIC: u32 = 300 + 2 * 128 + 1 + 100;

/// `/admin/users` before `/admin/*` before `/*`: literal characters before the first
/// wildcard count double, so that a literal of the same length comes first.
fn path_specificity(path: &str) -> u32 {
    let literal = path.find(['*', '?']).unwrap_or(path.len());
    let literal = u32::try_from(literal.min(128)).unwrap_or(128);
    2 * literal + u32::from(is_literal(path))
}

fn is_literal(pattern: &str) -> bool {
    !pattern.contains(['*', '?'])
}

fn place(specificity: u32) -> u32 {
    let gap = (LAST - AUTOMATIC_FIRST) / (MOST_SPECIFIC + 1);
    AUTOMATIC_FIRST + (MOST_SPECIFIC - specificity.min(MOST_SPECIFIC)) * gap
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::RuleArn;

    fn conditions(hosts: &[&str], paths: &[&str]) -> RuleConditions {
        let texts = |list: &[&str]| list.iter().map(|&text| text.to_owned()).collect();
        RuleConditions { hosts: texts(hosts), paths: texts(paths), ..RuleConditions::default() }
    }

    fn rule(priority: u32, conditions: RuleConditions) -> Rule {
        Rule {
            arn: RuleArn::new(format!("rule-{priority}")),
            priority: Some(priority),
            conditions,
            forwards: Vec::new(),
            stickiness_secs: None,
            rewrites: Vec::new(),
            tags: std::collections::BTreeMap::new(),
        }
    }

    #[test]
    fn the_more_specific_rule_is_asked_first() {
        let order = [
            conditions(&["shop.example.com"], &["/admin/users"]),
            conditions(&["shop.example.com"], &["/admin/*"]),
            conditions(&["shop.example.com"], &[]),
            conditions(&["*.example.com"], &["/a"]),
            conditions(&["*.example.com"], &[]),
            conditions(&[], &["/admin/users"]),
            conditions(&[], &["/admin/*"]),
            conditions(&[], &["/admin*"]),
            conditions(&[], &["/*"]),
        ];
        let priorities: Vec<_> = order.iter().map(|c| automatic_priority(c, &[]).unwrap()).collect();
        assert!(priorities.is_sorted_by(|a, b| a < b), "{priorities:?}");
        assert!(priorities.iter().all(|p| (AUTOMATIC_FIRST..=LAST).contains(p)), "{priorities:?}");
    }

    #[test]
    fn taken_priorities_are_passed_over_and_when_none_is_left_it_says_so() {
        let wanted = conditions(&[], &["/*"]);
        let first = automatic_priority(&wanted, &[]).unwrap();
        let next = automatic_priority(&wanted, &[rule(first, conditions(&[], &["/a"]))]).unwrap();
        assert_eq!(next, first + 1);
        let full: Vec<_> = (FIRST..=LAST).map(|p| rule(p, conditions(&[], &["/x"]))).collect();
        assert_eq!(automatic_priority(&wanted, &full), None);
        assert_eq!(automatic_priority(&wanted, &full[1..]), Some(1));
    }

    #[test]
    fn the_order_of_values_and_the_case_of_hosts_make_no_other_rule() {
        let wanted = conditions(&["Shop.example.com", "b.example.com"], &["/a", "/b"]);
        let there = rule(7, conditions(&["b.example.com", "shop.example.com"], &["/b", "/a"]));
        assert!(taken_by(std::slice::from_ref(&there), &wanted, None).is_some());
        assert!(taken_by(std::slice::from_ref(&there), &wanted, Some(&there)).is_none());
    }

    #[test]
    fn a_parked_rule_is_known_as_parked_and_answers_nothing_real() {
        let key = ServiceKey::new("main", "shop");
        assert!(is_parked(&rule(1, parked(&key))));
        assert!(!is_parked(&rule(1, conditions(&["shop.example.com"], &[]))));
    }
}
