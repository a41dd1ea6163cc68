use proptest::prelude::*;

use super::*;

fn conditions(hosts: &[&str], paths: &[&str]) -> RuleConditions {
    let texts = |list: &[&str]| list.iter().map(|&text| text.to_owned()).collect();
    RuleConditions { hosts: texts(hosts), paths: texts(paths), ..RuleConditions::default() }
}

fn standing(priority: u32, automatic: Option<u32>) -> Standing {
    Standing { rule: RuleArn::new(format!("rule-{priority}")), priority, automatic }
}

fn first(wanted: u32, rules: &[Standing]) -> Option<u32> {
    allot(&[wanted], rules).map(|allotment| allotment.priorities[0])
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
    let priorities: Vec<_> = order.iter().map(|c| first(specificity(c), &[]).unwrap()).collect();
    assert!(priorities.is_sorted_by(|a, b| a < b), "{priorities:?}");
    assert!(priorities.iter().all(|p| (AUTOMATIC_FIRST..=LAST).contains(p)), "{priorities:?}");
}

#[test]
fn taken_priorities_are_passed_over_and_when_none_is_left_it_says_so() {
    let wanted = specificity(&conditions(&[], &["/*"]));
    let one = first(wanted, &[]).unwrap();
    assert_eq!(first(wanted, &[standing(one, None)]).unwrap(), one + 1);
    let full: Vec<_> = (FIRST..=LAST).map(|priority| standing(priority, None)).collect();
    assert_eq!(first(wanted, &full), None);
    assert_eq!(first(wanted, &full[1..]), Some(1), "the first ones are used before it is refused");
}

#[test]
fn where_the_gap_has_run_out_the_neighbour_moves_and_no_person_s_rule() {
    // A person's rules fill everything between two of ours, but for nothing.
    let (more, less) = (500, 498);
    let mut rules = vec![standing(10_000, Some(more)), standing(10_004, Some(less))];
    rules.extend((10_001..10_004).map(|priority| standing(priority, None)));
    let allotment = allot(&[499], &rules).unwrap();
    assert_eq!(allotment.moves.len(), 1, "{allotment:?}");
    let moved = &allotment.moves[0];
    let after = |rule: &Standing| if rule.rule == moved.rule { moved.to } else { rule.priority };
    assert!(after(&rules[0]) < allotment.priorities[0] && allotment.priorities[0] < after(&rules[1]));
}

#[test]
fn five_hundred_rules_of_one_specificity_move_nobody() {
    let mut rules = vec![standing(place(99), Some(99))];
    for _ in 0..70 {
        let allotment = allot(&[100], &rules).unwrap();
        assert_eq!(allotment.moves, []);
        rules.push(standing(allotment.priorities[0], Some(100)));
    }
    // The gap of 74 is full: the next ones go before their place, and still nobody moves.
    for _ in 0..430 {
        let allotment = allot(&[100], &rules).unwrap();
        assert_eq!(allotment.moves, []);
        rules.push(standing(allotment.priorities[0], Some(100)));
    }
    let distinct: BTreeSet<u32> = rules.iter().map(|rule| rule.priority).collect();
    assert_eq!(distinct.len(), rules.len());
}

/// Rules as they come to stand when they are allotted one after the other among a person's.
fn lived() -> impl Strategy<Value = Vec<Standing>> {
    let persons = proptest::collection::btree_set(FIRST..=LAST, 0..30);
    let ours = proptest::collection::vec((0..=MOST_SPECIFIC, any::<bool>()), 0..30);
    (persons, ours).prop_map(|(persons, ours)| {
        let mut rules: Vec<Standing> = persons.into_iter().map(|at| standing(at, None)).collect();
        for (specificity, near) in ours {
            // Crowded around a few specificities, so that gaps do run out.
            let specificity = if near { specificity % 3 } else { specificity };
            let priority = first(specificity, &rules).unwrap();
            rules.push(standing(priority, Some(specificity)));
        }
        rules
    })
}

proptest! {
    #[test]
    fn no_priority_is_given_twice_and_the_more_specific_stays_first(
        rules in lived(),
        wanted in proptest::collection::vec(0..=MOST_SPECIFIC, 1..4),
    ) {
        let allotment = allot(&wanted, &rules).unwrap();
        let moved = |rule: &Standing| {
            allotment.moves.iter().find(|moved| moved.rule == rule.rule).map_or(rule.priority, |moved| moved.to)
        };
        let mut after: Vec<(u32, Option<u32>)> =
            rules.iter().map(|rule| (moved(rule), rule.automatic)).collect();
        after.extend(allotment.priorities.iter().zip(&wanted).map(|(&at, &specificity)| (at, Some(specificity))));
        let distinct: BTreeSet<u32> = after.iter().map(|(at, _)| *at).collect();
        prop_assert_eq!(distinct.len(), after.len());
        for rule in rules.iter().filter(|rule| rule.automatic.is_none()) {
            prop_assert_eq!(moved(rule), rule.priority, "what is not ours, or is fixed, stays");
        }
        let mut ours: Vec<(u32, u32)> =
            after.iter().filter_map(|(at, automatic)| Some((*at, (*automatic)?))).collect();
        ours.sort_unstable();
        prop_assert!(ours.is_sorted_by(|a, b| a.1 >= b.1), "{:?}", ours);
    }
}
