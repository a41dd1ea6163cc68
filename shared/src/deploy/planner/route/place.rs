//! Which priority each of a service's rules gets, and which rules of ours move for it.

use crate::deploy::plan::PriorityMove;
use crate::deploy::planner::{Planner, Stop};
use crate::deploy::report::Note;
use crate::deploy::route::{self, Place, Standing, WantedRule};
use crate::facts::{RouteFacts, Rule};
use crate::id::RuleArn;
use crate::names;
use crate::spec::Priority;

/// A rule of the spec, its own on the listener, and where it is to stand.
pub(in crate::deploy::planner) struct Placed<'a> {
    pub(in crate::deploy::planner) wanted: WantedRule,
    pub(in crate::deploy::planner) rule: Option<&'a Rule>,
    pub(in crate::deploy::planner) priority: u32,
}

impl<'a> Planner<'a> {
    /// A priority for each rule:
    ///
    /// 1. a fixed one is what the spec says, unless another rule has it;
    /// 2. an automatic one stays where it is, if that is in order;
    /// 3. all others are allotted, and what makes room for them is moved.
    pub(in crate::deploy::planner) fn place(
        &mut self,
        facts: &'a RouteFacts,
        pairs: Vec<(WantedRule, Option<&'a Rule>)>,
    ) -> Result<(Vec<Placed<'a>>, Vec<PriorityMove>), Stop> {
        let leaving: Vec<&RuleArn> = pairs
            .iter()
            .filter(|(wanted, rule)| rule.is_some_and(|rule| !stays(wanted, rule, facts)))
            .filter_map(|(_, rule)| rule.map(|rule| &rule.arn))
            .collect();
        let mut standing = route::standing(&facts.rules, &leaving);
        self.fixed(&pairs, &mut standing)?;
        let open: Vec<u32> = pairs
            .iter()
            .filter(|(wanted, rule)| rule.is_none_or(|rule| leaving.contains(&&rule.arn)) && is_auto(wanted))
            .map(|(wanted, _)| route::specificity(&wanted.conditions))
            .collect();
        let Some(allotment) = route::allot(&open, &standing) else { return self.refuse(Note::NoPriority) };
        let mut moves = allotment.moves;
        let mut allotted = allotment.priorities.into_iter();
        let mut placed = Vec::new();
        for (wanted, rule) in pairs {
            let now = rule.filter(|rule| !leaving.contains(&&rule.arn)).and_then(|rule| rule.priority);
            let priority = match (wanted.priority, now) {
                (Priority::Fixed(priority), _) => priority,
                (Priority::Auto, Some(now)) => now,
                (Priority::Auto, None) => allotted.next().unwrap_or_default(),
            };
            if let Some((rule, from)) = rule.and_then(|rule| Some((rule, rule.priority?)))
                && from != priority
            {
                moves.push(PriorityMove { rule: rule.arn.clone(), whose: String::new(), from, to: priority });
            }
            placed.push(Placed { wanted, rule, priority });
        }
        for moved in &mut moves {
            moved.whose = whose(&moved.rule, facts);
        }
        Ok((placed, moves))
    }

    /// Holds the fixed ones' priorities; refuses one that another rule has.
    fn fixed(
        &mut self,
        pairs: &[(WantedRule, Option<&'a Rule>)],
        standing: &mut Vec<Standing>,
    ) -> Result<(), Stop> {
        for (wanted, rule) in pairs {
            let Priority::Fixed(priority) = wanted.priority else { continue };
            let is_own = |there: &Standing| rule.is_some_and(|rule| rule.arn == there.rule);
            match standing.iter().find(|there| there.priority == priority) {
                Some(there) if is_own(there) => {}
                Some(there) => {
                    return self.refuse(Note::RouteTaken { rule: there.rule.clone(), priority });
                }
                None => standing.push(Standing {
                    rule: rule.map_or_else(|| RuleArn::new(&wanted.name), |rule| rule.arn.clone()),
                    priority,
                    automatic: None,
                }),
            }
        }
        Ok(())
    }
}

/// `main/shop (path /shop/*)`.
fn whose(rule: &RuleArn, facts: &RouteFacts) -> String {
    let Some(rule) = facts.rules.iter().find(|there| there.arn == *rule) else { return rule.to_string() };
    let service = rule.tags.get(names::TAG_SERVICE).map_or("nobody's", String::as_str);
    let matches = if route::is_parked(rule) { "parked".to_owned() } else { rule.conditions.to_string() };
    format!("{service} ({matches})")
}

fn is_auto(wanted: &WantedRule) -> bool {
    wanted.priority == Priority::Auto
}

/// Whether the rule may stay where it is.
fn stays(wanted: &WantedRule, rule: &Rule, facts: &RouteFacts) -> bool {
    let Some(now) = rule.priority else { return false };
    match wanted.priority {
        Priority::Fixed(priority) => priority == now,
        Priority::Auto => {
            let specificity = route::specificity(&wanted.conditions);
            let was_set = !Place::Automatic(specificity).is_other(rule)
                && route::same(&rule.conditions, &wanted.conditions);
            let others = route::standing(&facts.rules, &[&rule.arn]);
            was_set || (route::is_automatic(now) && route::is_in_order(specificity, now, &others))
        }
    }
}
