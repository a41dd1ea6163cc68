//! Releases that work, alone and one after the other.

use windlass_shared::ledger::Outcome;
use windlass_tests::version;

use super::super::strategies::{groups, production};
use super::shop::{Shop, Strategy};

pub(super) async fn good(strategy: Strategy) {
    let mut shop = Shop::new(strategy, strategy.seed(1), "").await;
    let two = shop.push(&version("2"));
    shop.over().await;
    assert_eq!(shop.outcome_of(&two).await, Some((Outcome::Live, strategy.manner())));
    assert_eq!(shop.stage.described("shop")["deploymentConfiguration"]["strategy"], strategy.of_ecs());
    let serves = groups()[usize::from(strategy.is_ecs_shift())].clone();
    assert_eq!(production(&shop.stage)[0].0, serves);
    // The third one takes the first group again.
    let three = shop.push(&version("3"));
    shop.over().await;
    assert_eq!(production(&shop.stage)[0].0, groups()[0]);
    shop.stage.assert_registered("main-shop", &[&shop.one, &two, &three]);
    shop.ends_live(&three).await;
}

/// At each moment of a rollout a newer image is pushed: it goes live, and what it took the place
/// of is not blamed.
pub(super) async fn newer_push(strategy: Strategy) {
    for (n, moment) in (0..).zip(strategy.moments()) {
        println!("{strategy:?} at {moment:?}");
        let mut shop = Shop::new(strategy, strategy.seed(2) + n, "").await;
        let two = shop.release_until(moment).await;
        let three = shop.push(&version("3"));
        shop.over().await;
        let row = shop.stage.row(&windlass_tests::key("shop")).await;
        assert!(row.quarantine.is_empty(), "{row:?}");
        shop.stage.assert_registered("main-shop", &[&shop.one, &two, &three]);
        let (outcome, _) = shop.outcome_of(&three).await.expect("a release of 3");
        assert_eq!(outcome, Outcome::Live);
        shop.ends_live(&three).await;
    }
}
