//! What a rule may lead to: nothing that cannot answer, while something can; and weights that
//! are a whole.

use super::Violation;
use crate::deploy::canary::{ALL, WHOLE};
use crate::deploy::plan::{Made, RuleAction};
use crate::facts::{RouteFacts, TargetHealth};
use crate::id::TargetGroupArn;

/// Judges the action that step `at` gives a rule.
pub(super) fn judge(at: usize, action: &RuleAction, route: &RouteFacts, broken: &mut Vec<Violation>) {
    let led: Vec<(Group, u32)> =
        action.forwards.iter().map(|forward| (group(&forward.group, route), forward.weight)).collect();
    let can_serve = led.iter().any(|(group, _)| group.can_serve());
    for (group, weight) in &led {
        let is_bad = *weight > 0 && can_serve && matches!(group, Group::Own(health) if health.healthy == 0);
        if is_bad {
            broken.push(Violation::WeighsEmpty(at));
        }
    }
    let weights: Vec<u32> = led.iter().map(|(_, weight)| *weight).collect();
    if !is_whole(&led, &weights) {
        broken.push(Violation::NotAWhole(at, weights));
    }
}

/// A group that a rule leads to.
enum Group {
    /// One of the service's two, as it was seen; one that the plan makes has no target.
    Own(TargetHealth),
    /// Another service's: its health was not read.
    Others,
}

impl Group {
    fn can_serve(&self) -> bool {
        matches!(self, Self::Own(health) if health.healthy > 0)
    }
}

fn group(made: &Made<TargetGroupArn>, route: &RouteFacts) -> Group {
    let Made::Already(arn) = made else { return Group::Own(TargetHealth::default()) };
    let of = |known: Option<&crate::facts::TargetGroup>| known.is_some_and(|known| known.arn == *arn);
    let health = if of(route.target_group.known()) {
        route.health.known()
    } else if of(route.second_group.known()) {
        route.second_health.known()
    } else {
        return Group::Others;
    };
    Group::Own(health.copied().unwrap_or_default())
}

/// Between a service's two groups weights add up to a whole, or one of them has everything.
fn is_whole(led: &[(Group, u32)], weights: &[u32]) -> bool {
    let ours_alone = led.len() == 2 && led.iter().all(|(group, _)| matches!(group, Group::Own(_)));
    let everything = |one: u32, other: u32| one > 0 && one <= ALL && other == 0;
    match weights {
        [one, other] if ours_alone => {
            one + other == WHOLE || everything(*one, *other) || everything(*other, *one)
        }
        weights => weights.iter().all(|weight| *weight <= ALL) && weights.iter().any(|weight| *weight > 0),
    }
}
