//! The search against brute force, on ranges small enough to try everything.

use proptest::prelude::*;

use super::*;
use crate::id::RuleArn;

/// The least number of moves, by trying every set of rules that may stay.
fn by_trying(wanted: &[u32], standing: &[Standing], range: Range) -> Option<usize> {
    let ours: Vec<&Standing> = standing.iter().filter(|rule| rule.automatic.is_some()).collect();
    let fixed: BTreeSet<u32> =
        standing.iter().filter(|rule| rule.automatic.is_none()).map(|rule| rule.priority).collect();
    let mut least = None;
    for set in 0_u32..1 << ours.len() {
        let stays = |index: usize| set & (1 << index) != 0;
        let mut placed = Vec::new();
        let mut open: Vec<u32> = wanted.to_vec();
        for (index, rule) in ours.iter().enumerate() {
            let specificity = rule.automatic.unwrap();
            if stays(index) { placed.push((rule.priority, specificity)) } else { open.push(specificity) }
        }
        let moves = ours.len() - placed.len();
        if least.is_none_or(|least| moves < least) && can_place(&open, &mut placed, &fixed, range) {
            least = Some(moves);
        }
    }
    least
}

fn can_place(open: &[u32], placed: &mut Vec<(u32, u32)>, fixed: &BTreeSet<u32>, range: Range) -> bool {
    let is_ordered = |placed: &[(u32, u32)]| {
        placed.iter().all(|(at, mine)| placed.iter().all(|(other, its)| mine <= its || at < other))
    };
    if !is_ordered(placed) {
        return false;
    }
    let Some((&specificity, rest)) = open.split_first() else { return true };
    for priority in range.first..=range.last {
        if fixed.contains(&priority) || placed.iter().any(|(at, _)| *at == priority) {
            continue;
        }
        placed.push((priority, specificity));
        let fits = can_place(rest, placed, fixed, range);
        placed.pop();
        if fits {
            return true;
        }
    }
    false
}

fn small() -> impl Strategy<Value = (Vec<u32>, Vec<Standing>, Range)> {
    let cells = proptest::collection::vec(
        prop_oneof![
            3 => Just(None),
            1 => Just(Some(None)),
            4 => (0_u32..4).prop_map(|specificity| Some(Some(specificity))),
        ],
        1..8,
    );
    (proptest::collection::vec(0_u32..4, 1..3), cells).prop_map(|(wanted, cells)| {
        let first = 11;
        let last = first + u32::try_from(cells.len()).unwrap() - 1;
        let standing = (first..).zip(cells).filter_map(|(priority, cell)| {
            let rule = RuleArn::new(format!("rule-{priority}"));
            Some(Standing { rule, priority, automatic: cell? })
        });
        (wanted, standing.collect(), Range { first, last })
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn as_few_rules_move_as_possible_and_where_none_is_found_there_is_none(
        (wanted, standing, range) in small(),
    ) {
        let found = rearrange(&wanted, &standing, range);
        let least = by_trying(&wanted, &standing, range);
        prop_assert_eq!(found.as_ref().map(|found| found.moves.len()), least, "{:?}", found);
        let Some(found) = found else { return Ok(()) };
        let mut after: Vec<(u32, Option<u32>)> = standing
            .iter()
            .map(|rule| {
                let moved = found.moves.iter().find(|moved| moved.rule == rule.rule);
                (moved.map_or(rule.priority, |moved| moved.to), rule.automatic)
            })
            .collect();
        after.extend(found.priorities.iter().zip(&wanted).map(|(&at, &specificity)| (at, Some(specificity))));
        after.sort_unstable();
        prop_assert!(after.is_sorted_by(|a, b| a.0 < b.0), "no collision: {:?}", after);
        prop_assert!(after.iter().all(|(at, _)| (range.first..=range.last).contains(at)));
        let ours: Vec<u32> = after.iter().filter_map(|(_, automatic)| *automatic).collect();
        prop_assert!(ours.is_sorted_by(|a, b| a >= b), "the more specific first: {:?}", after);
        for rule in standing.iter().filter(|rule| rule.automatic.is_none()) {
            prop_assert!(found.moves.iter().all(|moved| moved.rule != rule.rule), "a person's rule moved");
        }
    }
}

#[test]
fn a_whole_listener_is_rearranged_in_one_walk_for_each_specificity() {
    // 100 rules of ours stand one beside the other; a new one belongs before the first.
    let standing: Vec<Standing> = (0..100)
        .map(|n| Standing {
            rule: RuleArn::new(format!("rule-{n}")),
            priority: 1_000 + n,
            automatic: Some(500 - n),
        })
        .collect();
    let found = rearrange(&[600], &standing, Range { first: 1_000, last: 50_000 }).unwrap();
    assert_eq!(found.priorities.len(), 1);
    assert_eq!(found.moves.len(), 100, "there is nothing before the first, so all move on");
}
