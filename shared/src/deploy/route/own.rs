//! Which rules are a service's own, and which of them is which of its spec's.
//!
//! A rule has no name: it is known by its conditions. A rule of the spec whose conditions
//! changed takes the place of one that the spec no longer has, so that requests pass from
//! the old conditions to the new ones in one call; what is left over is parked.

use std::collections::BTreeMap;

use super::{Place, TAG_RULE, is_of, is_parked, is_test, overlap, same, specificity};
use crate::facts::{Rule, RuleConditions};
use crate::id::{ServiceKey, TargetGroupArn};
use crate::names;
use crate::spec::{Priority, Rewrite, RouteSpec};

/// One rule that a spec wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WantedRule {
    /// `main`, `further-1`, …: what the plan's steps call it.
    pub name: String,
    /// What it matches.
    pub conditions: RuleConditions,
    /// Where it stands.
    pub priority: Priority,
    /// What it rewrites.
    pub rewrites: Vec<Rewrite>,
}

impl WantedRule {
    /// Where it stands, as its tag says it.
    pub fn place(&self) -> Place {
        match self.priority {
            Priority::Fixed(_) => Place::Fixed,
            Priority::Auto => Place::Automatic(specificity(&self.conditions)),
        }
    }

    /// The tags of the rule: whose it is, what it is, where it stands.
    pub fn tags(&self, key: &ServiceKey) -> BTreeMap<String, String> {
        let role = if self.name == "main" { "main" } else { "further" };
        BTreeMap::from([
            (names::TAG_SERVICE.to_owned(), key.to_string()),
            (TAG_RULE.to_owned(), role.to_owned()),
            (names::TAG_PRIORITY.to_owned(), self.place().to_string()),
        ])
    }
}

/// The rules that a route wants, the main one first.
pub fn wanted_rules(route: &RouteSpec) -> Vec<WantedRule> {
    let main = WantedRule {
        name: "main".to_owned(),
        conditions: route.conditions(),
        priority: route.priority,
        rewrites: route.rewrites.clone(),
    };
    let further = route.rules.iter().enumerate().map(|(index, rule)| WantedRule {
        name: format!("further-{}", index + 1),
        conditions: rule.conditions(),
        priority: rule.priority,
        rewrites: rule.rewrites.clone(),
    });
    std::iter::once(main).chain(further).collect()
}

/// Whether the rule forwards to one of these groups, with whatever weight.
pub fn leads_to(rule: &Rule, groups: &[&TargetGroupArn]) -> bool {
    rule.forwards.iter().any(|(arn, _)| groups.contains(&arn))
}

/// The rules that are this service's: they forward to its target group and carry its tag
/// (where tags were read). A person's rule to the same group is not touched, nor is the
/// rule of a test route.
pub fn own_rules<'a>(rules: &'a [Rule], group: &TargetGroupArn, key: &ServiceKey) -> Vec<&'a Rule> {
    rules.iter().filter(|rule| is_of(rule, key) && leads_to(rule, &[group]) && !is_test(rule)).collect()
}

/// The first of a service's own rules: the one that a rollout by ECS shifts.
pub fn own_rule<'a>(rules: &'a [Rule], group: &TargetGroupArn, key: &ServiceKey) -> Option<&'a Rule> {
    let own = own_rules(rules, group, key);
    let main = own.iter().find(|rule| rule.tags.get(TAG_RULE).is_some_and(|role| role == "main"));
    main.or(own.first()).copied()
}

/// The spec's rules with their own on the listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Matched<'a> {
    /// Each of the spec's, in its order, with its own; `None`: it is to be made.
    pub pairs: Vec<(WantedRule, Option<&'a Rule>)>,
    /// Rules of ours that the spec does not have.
    pub surplus: Vec<&'a Rule>,
}

/// Finds for each wanted rule its own:
///
/// 1. the one with the same conditions;
/// 2. one that no wanted rule has the conditions of: first those that are open (their
///    requests pass over in one call), then parked ones, the more specific before.
pub fn matched<'a>(wanted: Vec<WantedRule>, own: &[&'a Rule]) -> Matched<'a> {
    let mut left: Vec<&'a Rule> = own.to_vec();
    left.sort_by_key(|rule| (is_parked(rule), rule.priority));
    let mut found: Vec<Option<&'a Rule>> = wanted
        .iter()
        .map(|wanted| {
            let at = left.iter().position(|rule| same(&rule.conditions, &wanted.conditions))?;
            Some(left.remove(at))
        })
        .collect();
    let mut open: Vec<usize> = (0..wanted.len()).filter(|&index| found[index].is_none()).collect();
    open.sort_by_key(|&index| std::cmp::Reverse(specificity(&wanted[index].conditions)));
    for index in open {
        if left.is_empty() {
            break;
        }
        found[index] = Some(left.remove(0));
    }
    Matched { pairs: wanted.into_iter().zip(found).collect(), surplus: left }
}

/// Whether a plan needs the tags of all rules, and not only of those that lead to the
/// service: because a rule is made or gets another place, or because a rule that is not
/// known as its own matches the same requests.
pub fn must_know_all(
    route: &RouteSpec,
    rules: &[Rule],
    group: Option<&TargetGroupArn>,
    key: &ServiceKey,
) -> bool {
    let own = group.map(|group| own_rules(rules, group, key)).unwrap_or_default();
    let matched = matched(wanted_rules(route), &own);
    let others = |wanted: &RuleConditions| {
        rules
            .iter()
            .any(|rule| rule.priority.is_some() && !is_of(rule, key) && overlap(&rule.conditions, wanted))
    };
    matched.pairs.iter().any(|(wanted, rule)| {
        others(&wanted.conditions)
            || rule.is_none_or(|rule| {
                !same(&rule.conditions, &wanted.conditions) || wanted.place().is_other(rule)
            })
    })
}
