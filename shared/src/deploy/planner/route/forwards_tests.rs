use super::*;

fn weights(all: &[(&str, u32)]) -> Weighted {
    all.iter().map(|(group, weight)| ((*group).into(), *weight)).collect()
}

fn shares(own: &[(&str, u32)], neighbours: &[(&str, u32)]) -> Shares {
    Shares { own: weights(own), neighbours: weights(neighbours) }
}

fn after(now: &[(&str, u32)], own: &[(&str, u32)], neighbours: &[(&str, u32)]) -> Weighted {
    forwards(&weights(now), &shares(own, neighbours))
}

#[test]
fn what_a_blue_green_rollout_left_in_production_stays() {
    let now = [("main", 0), ("second", 100)];
    assert_eq!(after(&now, &[("main", 0), ("second", 2)], &[]), weights(&now));
    assert_eq!(after(&now, &[("main", 2), ("second", 2)], &[]), weights(&now));
}

#[test]
fn an_experiment_s_services_stand_beside_the_own_hundred_and_go_again() {
    let own = [("main", 2)];
    let shared = weights(&[("main", 100), ("next", 25)]);
    assert_eq!(after(&[("main", 1)], &own, &[("next", 25)]), shared);
    assert_eq!(after(&[("main", 100), ("next", 25)], &own, &[]), weights(&[("main", 100)]));
    // The neighbour lost its targets: its weight is 0 in the shares already.
    assert_eq!(
        after(&[("main", 100), ("next", 25)], &own, &[("next", 0)]),
        weights(&[("main", 100), ("next", 0)])
    );
    // The service itself did: the neighbour serves.
    assert_eq!(after(&[("main", 1)], &[("main", 0)], &[("next", 25)]), weights(&[("main", 0), ("next", 25)]));
}

#[test]
fn a_rule_never_leads_to_more_than_five_groups() {
    let neighbours = [("a", 1), ("b", 1), ("c", 1), ("d", 1)];
    let five = after(&[("main", 0), ("second", 100)], &[("main", 0), ("second", 2)], &neighbours);
    assert_eq!(five.len(), 5);
    assert_eq!(five[0], ("second".into(), 100));
}
