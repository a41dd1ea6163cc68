//! Taking away a service that nobody wants any more: what Windlass made, in the order in
//! which nobody is cut off: rules, then the ECS service (no task wanted, none left, then
//! itself), then the target groups. Its own canary goes first: it only ever has a share.
//!
//! Made and applied by people (`windlass retire`), round by round, until nothing is left:
//! a killed round is gone on with. What does not carry the service's tag stays.

use super::plan::{LedgerChange, Part, Plan, Step};
use crate::facts::{LiveService, Rule, TargetGroup};
use crate::id::ServiceKey;
use crate::names;

/// Whether Windlass made this service: where nobody wants it, people are told.
pub fn is_left_over(service: &LiveService, key: &ServiceKey) -> bool {
    service.status == "ACTIVE" && service.tags.get(names::TAG_SERVICE) == Some(&key.to_string())
}

/// What was found of a service.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Leftovers {
    /// The rules of its listeners, with their tags.
    pub rules: Vec<Rule>,
    /// Its ECS services that are ACTIVE.
    pub services: Vec<(Part, LiveService)>,
    /// Its target groups, with their tags.
    pub groups: Vec<TargetGroup>,
    /// Of what was found, what Windlass did not make.
    pub not_ours: Vec<String>,
}

impl Leftovers {
    /// Keeps only what carries the service's tag, and names the rest.
    #[must_use]
    pub fn of(self, key: &ServiceKey) -> Self {
        let Self { rules, services, groups, mut not_ours } = self;
        let tag = key.to_string();
        let (services, others): (Vec<_>, Vec<_>) =
            services.into_iter().partition(|(_, service)| service.tags.get(names::TAG_SERVICE) == Some(&tag));
        not_ours.extend(others.into_iter().map(|(part, _)| format!("service {}", part.of(key))));
        let (groups, others): (Vec<_>, Vec<_>) =
            groups.into_iter().partition(|group| group.tags.get(names::TAG_SERVICE) == Some(&tag));
        not_ours.extend(others.into_iter().map(|group| format!("target group {}", group.name)));
        let rules = rules.into_iter().filter(|rule| super::route::is_of(rule, key)).collect();
        Self { rules, services, groups, not_ours }
    }
}

/// The steps that are left, in their safe order.
pub fn retire(key: &ServiceKey, found: &Leftovers) -> Plan {
    let mut steps: Vec<Step> =
        found.rules.iter().map(|rule| Step::DeleteRule { expected: Box::new(rule.clone()) }).collect();
    for part in [Part::Canary, Part::Main] {
        for (_, service) in found.services.iter().filter(|(of, _)| *of == part) {
            if service.desired > 0 {
                steps.push(Step::Scale { part, expected: service.desired, desired: 0 });
            }
            steps.push(Step::DeleteService { part });
        }
    }
    steps.extend(found.groups.iter().map(|group| Step::DeleteTargetGroup { group: group.arn.clone() }));
    Plan {
        key: key.clone(),
        repository: None,
        follows: None,
        steps,
        report: Vec::new(),
        ledger: LedgerChange::default(),
        asks_for_room: false,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::deploy::route;
    use crate::facts::RuleConditions;

    fn tags(key: &str) -> BTreeMap<String, String> {
        BTreeMap::from([(names::TAG_SERVICE.to_owned(), key.to_owned())])
    }

    fn group(name: &str, key: &str) -> TargetGroup {
        TargetGroup {
            arn: format!("arn:aws:elasticloadbalancing:eu-central-1:1:targetgroup/{name}/1").into(),
            name: name.to_owned(),
            load_balancers: Vec::new(),
            check: None,
            deregistration_delay_secs: None,
            tags: tags(key),
        }
    }

    fn rule(priority: u32, conditions: RuleConditions, key: &str) -> Rule {
        Rule {
            arn: format!("rule-{priority}").into(),
            priority: Some(priority),
            conditions,
            forwards: Vec::new(),
            stickiness_secs: None,
            rewrites: Vec::new(),
            tags: tags(key),
        }
    }

    #[test]
    fn rules_go_first_then_groups_and_only_what_carries_the_tag() {
        let key = ServiceKey::new("main", "shop");
        let open = RuleConditions { paths: vec!["/shop*".into()], ..RuleConditions::default() };
        let found = Leftovers {
            rules: vec![
                rule(1, open.clone(), "main/shop"),
                rule(2, open, "main/admin"),
                rule(3, route::parked(&key), "main/shop"),
            ],
            services: Vec::new(),
            groups: vec![group("shop-1", "main/shop"), group("shop-2", "terraform")],
            not_ours: Vec::new(),
        }
        .of(&key);
        assert_eq!(found.not_ours, ["target group shop-2"]);
        insta::assert_snapshot!(retire(&key, &found), @"
        main/shop
          1. delete rule 1: path /shop*
          2. delete rule 3: host cd08adcc.parked.windlass.invalid
          3. delete target group arn:aws:elasticloadbalancing:eu-central-1:1:targetgroup/shop-1/1
        ");
    }
}
