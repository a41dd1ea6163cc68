//! Whether two rules match the same requests.
//!
//! AWS lets both be, and the later one is never asked. Patterns that merely overlap
//! (`/*` and `/admin/*`) are no conflict: that is what specificity is for.

use super::{is_of, wanted_rules};
use crate::facts::{Rule, RuleConditions};
use crate::id::{ListenerArn, ServiceKey};
use crate::names;
use crate::spec::RouteSpec;

/// Another rule that matches the same requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rival<'a> {
    /// A person's, or a stranger's.
    Stranger(&'a Rule),
    /// Another service's of ours.
    Ours(&'a Rule, ServiceKey),
}

/// A rule that is not this service's and matches the same requests: a stranger's with the
/// very same conditions, or one of ours with one and the same path on the same host.
pub fn rival<'a>(rules: &'a [Rule], wanted: &RuleConditions, key: &ServiceKey) -> Option<Rival<'a>> {
    rules.iter().filter(|rule| rule.priority.is_some() && !is_of(rule, key)).find_map(|rule| {
        match rule.tags.get(names::TAG_SERVICE).and_then(|tag| tag.parse().ok()) {
            Some(other) => overlap(&rule.conditions, wanted).then_some(Rival::Ours(rule, other)),
            None => same(&rule.conditions, wanted).then_some(Rival::Stranger(rule)),
        }
    })
}

/// A spec among others, as far as its route goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Routed<'a> {
    /// Whose it is.
    pub key: &'a ServiceKey,
    /// Its route.
    pub route: &'a RouteSpec,
}

/// Another spec that wants the same requests on the same listener, and which; `stack` is the
/// listener of routes that name none.
pub fn conflict<'a>(
    mine: Routed<'_>,
    others: impl IntoIterator<Item = Routed<'a>>,
    stack: Option<&ListenerArn>,
) -> Option<(&'a ServiceKey, RuleConditions)> {
    let listener = |of: Routed<'_>| of.route.listener.clone().or(stack.cloned());
    let wanted = wanted_rules(mine.route);
    let meet = |other: Routed<'_>| {
        let theirs = wanted_rules(other.route);
        wanted
            .iter()
            .find(|mine| theirs.iter().any(|theirs| overlap(&mine.conditions, &theirs.conditions)))
            .map(|mine| mine.conditions.clone())
    };
    others
        .into_iter()
        .filter(|other| other.key != mine.key && listener(*other) == listener(mine))
        .find_map(|other| Some((other.key, meet(other)?)))
}

/// Whether two rules match the same requests, whatever the order of their values and the
/// case of their hosts.
pub fn same(one: &RuleConditions, other: &RuleConditions) -> bool {
    normal(one) == normal(other)
}

/// Whether they have a path in common on a host in common, everything else the same.
pub fn overlap(one: &RuleConditions, other: &RuleConditions) -> bool {
    let (one, other) = (normal(one), normal(other));
    let meet = |one: &[String], other: &[String]| {
        (one.is_empty() && other.is_empty()) || one.iter().any(|value| other.contains(value))
    };
    meet(&one.hosts, &other.hosts)
        && meet(&one.paths, &other.paths)
        && one.headers == other.headers
        && one.methods == other.methods
        && one.query == other.query
        && one.other == other.other
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
