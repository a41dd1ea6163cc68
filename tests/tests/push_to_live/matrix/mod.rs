//! Each strategy with everything that can come between, under steady traffic on the virtual
//! clock. There is one test for each cell, named `matrix::<strategy>::<what happens>`; strategies
//! and cells are listed once, in the table of `matrix!` below.
//!
//! Each ends with `Stage::finish`, and asserts what design.md promises: no request failed but by
//! a broken version's own answers within its share; no rule of ours ever led only to groups that
//! could not answer; one revision for each image; one group with all requests and no task of a
//! canary's at the end; a sweep that writes nothing.
//!
//! A *moment* (`Strategy::moments`) is where something happens to a rollout: coming up, under a
//! share of the requests, baking, cleaning up, the update that follows Windlass's own canary.
//!
//! | cell | at | beside it, in more detail |
//! |---|---|---|
//! | `good_release` | | `update`, `canary`, `strategies::releases` |
//! | `crash_loop`, `failing_health_check` | | `releases_that_fail`, `canary`, `strategies::failures`, `create` (a first release) |
//! | `failing_verification` | before traffic (ECS), at the first share (own) | `verify`, `strategies::verified`, `canary`. Rolling: the spec is refused in words, the way out is tried |
//! | `alarm_during_bake` | each moment with requests | `canary` (errors bounded by the weight) |
//! | `alarm_before_start`, `…_let_through` | | `gates`, `canary` (an alarm that was ringing counts once it was quiet) |
//! | `killed_at_each_step` | every call that writes to AWS, before and after its effect; 4 of the others | `kills`, `strategies::failures` (each call of a beginning), `verify` (hooks) |
//! | `killed_while_given_up`, `…_rolled_back`, `…_weights_are_mended`, `…_test_rule_is_parked` | the same | `rollback` |
//! | `newer_push_mid_rollout` | each moment | `meanwhile`, `canary`, `simulation` |
//! | `rollback_by_hand_at_each_stage` | each moment; at test traffic; while a person is asked | `rollback`, `canary_back` |
//! | `somebody_elses_deployment_mid_rollout` | each moment | `meanwhile` |
//! | `scale_in_mid_rollout` | each moment | `update`, `canary`, `canary_back` (to nothing) |
//! | `instance_draining_mid_rollout` | each moment | |

mod failures;
mod kills;
mod people;
mod releases;
mod scale_in;
mod shop;

/// One `#[tokio::test]` for each strategy and each cell.
macro_rules! matrix {
    ([$($name:ident: $strategy:ident),+ $(,)?] $cells:tt) => {
        $(strategy!($name, $strategy, $cells);)+
    };
}

macro_rules! strategy {
    ($name:ident, $strategy:ident, { $($cell:ident: $room:ident::$way:ident),+ $(,)? }) => {
        mod $name {
            $(
                #[tokio::test(start_paused = true)]
                async fn $cell() {
                    super::$room::$way(super::shop::Strategy::$strategy).await;
                }
            )+
        }
    };
}

matrix! {
    [
        rolling: Rolling,
        blue_green: BlueGreen,
        ecs_canary: EcsCanary,
        linear: Linear,
        own_canary: OwnCanary,
    ]
    {
        good_release: releases::good,
        newer_push_mid_rollout: releases::newer_push,
        crash_loop: failures::crash_loop,
        failing_health_check: failures::health_check,
        failing_verification: failures::verification,
        alarm_during_bake: failures::alarm,
        alarm_before_start: failures::ringing_alarm,
        alarm_before_start_let_through: failures::ringing_alarm_warned,
        killed_at_each_step: kills::of_the_rollout,
        killed_while_given_up: kills::of_the_giving_up,
        killed_while_rolled_back: kills::of_the_rollback,
        rollback_by_hand_at_each_stage: people::rollback,
        somebody_elses_deployment_mid_rollout: people::own_deployment,
        scale_in_mid_rollout: scale_in::fewer_wanted,
        instance_draining_mid_rollout: scale_in::instance_leaves,
    }
}

matrix! {
    [after_blue_green: BlueGreen]
    {
        killed_while_weights_are_mended: kills::of_the_mending,
        killed_while_a_test_rule_is_parked: kills::of_the_parking,
    }
}
