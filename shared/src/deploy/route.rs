//! The route of a service on the shared listener: which rules are its own, what they are
//! to be, which priority each gets, and how a rule waits ("is parked") until something can
//! answer.
//!
//! ECS takes a target group only once a rule ties it to a load balancer, and a rule that
//! forwards to an empty group answers 503 to requests that another rule served until
//! then. So a rule is born *parked*: on a host that no request carries. Its targets are
//! health-checked all the same; with the first healthy one the rule gets its real
//! conditions. A rule that the spec no longer has is parked again: the function deletes
//! nothing.
//!
//! | room | holds |
//! |---|---|
//! | `own` | which rules are a service's, and which of them is which of the spec's |
//! | `conflict` | whether another rule matches the same requests |
//! | `priority` | a place by specificity, with gaps |
//! | `rearrange` | when the gaps have run out: the least number of moves |

mod conflict;
mod own;
mod priority;
mod rearrange;

pub use self::conflict::{Rival, Routed, conflict, overlap, rival, same};
pub use self::own::{
    Matched, WantedRule, leads_to, matched, must_know_all, own_rule, own_rules, wanted_rules,
};
pub use self::priority::{
    Allotment, Place, Standing, allot, automatic_priority, is_automatic, is_in_order, specificity, standing,
};
use crate::facts::{Rule, RuleConditions};
use crate::id::ServiceKey;
use crate::names;

/// The conditions of a rule that is parked.
pub fn parked(key: &ServiceKey) -> RuleConditions {
    RuleConditions { hosts: vec![names::parking_host(key)], ..RuleConditions::default() }
}

/// Whether a rule is parked, for any service.
pub fn is_parked(rule: &Rule) -> bool {
    is_parking(&rule.conditions)
}

/// Whether these are the conditions of a parked rule, of any service.
pub fn is_parking(conditions: &RuleConditions) -> bool {
    conditions.hosts.iter().any(|host| host.ends_with(".parked.windlass.invalid"))
}

/// The tag that tells a service's rules apart.
pub const TAG_RULE: &str = "windlass:rule";
/// [`TAG_RULE`]'s value, and the step's name, of the rule of test requests.
pub const TEST: &str = "test";

/// The service's rule of test requests.
pub fn test_rule<'a>(rules: &'a [Rule], key: &ServiceKey) -> Option<&'a Rule> {
    rules.iter().find(|rule| is_test(rule) && is_of(rule, key))
}

/// Whether it is a rule of test requests.
pub fn is_test(rule: &Rule) -> bool {
    rule.tags.get(TAG_RULE).is_some_and(|name| name == TEST)
}

/// Whether a rule carries this service's tag.
pub fn is_of(rule: &Rule, key: &ServiceKey) -> bool {
    rule.priority.is_some() && rule.tags.get(names::TAG_SERVICE).is_some_and(|tag| *tag == key.to_string())
}

#[cfg(test)]
mod tests;
