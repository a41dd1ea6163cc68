//! The step list of Windlass's own canary, as numbers: how many tasks a share takes, and
//! which weights of a listener rule make it.
//!
//! It knows percentages, tasks and weights; not when a step is over, and not what a rule is.

use crate::spec::{CanaryStep, Percent};

/// What the weights of a rule add up to while it leads to two groups: a tenth of a percent is
/// one of them, so that every share that a spec can say is exact.
pub const WHOLE: u32 = 1000;
/// AWS's largest weight: of a rule that gives everything to one group.
pub const ALL: u32 = 999;

/// The weights of a rule that leads to a service and to its canary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Weights {
    /// Of the service's own group.
    pub main: u32,
    /// Of the canary's.
    pub canary: u32,
}

/// Whether a group has a healthy target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Serves {
    /// It has.
    Yes,
    /// It has none: a request that it got would fail.
    No,
}

impl From<u32> for Serves {
    fn from(healthy: u32) -> Self {
        if healthy > 0 { Self::Yes } else { Self::No }
    }
}

impl Weights {
    /// Everything to the service itself.
    pub const MAIN: Self = Self { main: ALL, canary: 0 };
    /// Everything to the canary: nobody else can answer.
    pub const CANARY: Self = Self { main: 0, canary: ALL };

    /// The weights that give `share` to the canary.
    ///
    /// 1. A canary that cannot answer gets nothing.
    /// 2. A service that cannot answer gets nothing, while its canary can.
    /// 3. Otherwise the share, exactly; 0 and 100 % are a rule that leads to one group.
    pub fn of(share: Percent, main: Serves, canary: Serves) -> Self {
        match (main, canary, u32::from(share.tenths())) {
            (_, Serves::No, _) | (Serves::Yes, Serves::Yes, 0) => Self::MAIN,
            (Serves::No, Serves::Yes, _) | (Serves::Yes, Serves::Yes, WHOLE..) => Self::CANARY,
            (Serves::Yes, Serves::Yes, tenths) => Self { main: WHOLE - tenths, canary: tenths },
        }
    }
}

/// How many tasks carry `share` beside `desired` ones: rounded up, at least one, and never
/// more than the service itself has or may have.
pub fn tasks(desired: u32, share: Percent, max: Option<u32>) -> u32 {
    let exact = u64::from(desired) * u64::from(share.tenths());
    let tasks = u32::try_from(exact.div_ceil(u64::from(WHOLE))).unwrap_or(desired);
    let most = desired.min(max.unwrap_or(u32::MAX)).max(1);
    tasks.clamp(1, most)
}

/// The share that the canary carries: of the step that it is at, where that is reached; of
/// the one before, while it comes up; nothing before the first.
pub fn carried(steps: &[CanaryStep], step: usize, reached: bool) -> Percent {
    let at = if reached { Some(step) } else { step.checked_sub(1) };
    match at {
        Some(at) => share(steps, at),
        None => Percent::NOTHING,
    }
}

/// The share of a step; after the last one, all of it.
pub fn share(steps: &[CanaryStep], step: usize) -> Percent {
    steps.get(step).map_or(Percent::WHOLE, |step| step.percent)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    /// Step lists as a spec takes them: each larger than the one before.
    fn step_lists() -> impl Strategy<Value = Vec<CanaryStep>> {
        proptest::collection::btree_set(1_u16..=1000, 1..8).prop_map(|tenths: BTreeSet<u16>| {
            let step = |tenths| CanaryStep {
                percent: Percent::from_tenths(tenths).unwrap(),
                minutes: 0,
                approval: false,
            };
            tenths.into_iter().map(step).collect()
        })
    }

    proptest! {
        #[test]
        fn weights_are_awss_and_always_sum_to_a_whole(tenths in 0_u16..=1000, main: u32, canary: u32) {
            let share = Percent::from_tenths(tenths).unwrap();
            let weights = Weights::of(share, main.into(), canary.into());
            prop_assert!(weights.main <= ALL && weights.canary <= ALL);
            let is_one = weights == Weights::MAIN || weights == Weights::CANARY;
            prop_assert!(is_one || weights.main + weights.canary == WHOLE, "{weights:?}");
        }

        #[test]
        fn a_share_of_healthy_groups_is_exact(tenths in 0_u16..=1000) {
            let share = Percent::from_tenths(tenths).unwrap();
            let weights = Weights::of(share, Serves::Yes, Serves::Yes);
            let sum = weights.main + weights.canary;
            prop_assert_eq!(weights.canary * WHOLE, u32::from(tenths) * sum);
        }

        #[test]
        fn no_weight_ever_goes_to_a_group_without_healthy_targets_while_the_other_has_one(
            tenths in 0_u16..=1000, main in 0_u32..3, canary in 0_u32..3,
        ) {
            let weights = Weights::of(Percent::from_tenths(tenths).unwrap(), main.into(), canary.into());
            prop_assert!(canary > 0 || weights.canary == 0);
            prop_assert!(main > 0 || weights.main == 0 || canary == 0);
        }

        #[test]
        fn shares_only_grow_and_the_last_is_everything(steps in step_lists()) {
            let shares: Vec<_> = (0..=steps.len())
                .flat_map(|step| [carried(&steps, step, false), carried(&steps, step, true)])
                .collect();
            prop_assert!(shares.is_sorted(), "{shares:?}");
            prop_assert_eq!(shares.first(), Some(&Percent::NOTHING));
            prop_assert_eq!(shares.last(), Some(&Percent::WHOLE));
        }

        #[test]
        fn tasks_are_enough_for_the_share_and_one_less_is_not(desired in 1_u32..10_000, tenths in 1_u16..=1000) {
            let tasks = tasks(desired, Percent::from_tenths(tenths).unwrap(), None);
            let wanted = u64::from(desired) * u64::from(tenths);
            prop_assert!(u64::from(tasks) * 1000 >= wanted);
            prop_assert!(tasks == 1 || u64::from(tasks - 1) * 1000 < wanted);
            prop_assert!((1..=desired).contains(&tasks));
        }

        #[test]
        fn tasks_grow_with_the_steps_and_stay_within_the_maximum(
            steps in step_lists(), desired in 0_u32..500, max in 1_u32..50,
        ) {
            let tasks: Vec<_> =
                steps.iter().map(|step| tasks(desired, step.percent, Some(max))).collect();
            prop_assert!(tasks.is_sorted());
            prop_assert!(tasks.iter().all(|tasks| (1..=max).contains(tasks)));
        }
    }
}
