//! Rollouts by ECS's own controller.

use crate::deploy::plan::RolloutSettings;
use crate::rollout_settings::Shift;
use crate::spec::{CanaryController, RolloutSpec, Strategy};

/// A `rollout` section in ECS's words, without what its strategy asks of the stack. ECS's
/// breaker guards rolling updates alone.
pub(super) fn settings_of(rollout: &RolloutSpec) -> RolloutSettings {
    let RolloutSpec {
        strategy,
        min_healthy_percent,
        max_percent,
        circuit_breaker,
        breaker_threshold,
        early_success_percent,
        alarms,
        ringing_alarm: _,
        bake_minutes,
        timeout_minutes: _,
        grace_secs: _,
        test_route: _,
        approval: _,
    } = rollout;
    let shift = shift_of(strategy);
    let settings = RolloutSettings {
        min_healthy_percent: *min_healthy_percent,
        max_percent: *max_percent,
        circuit_breaker: *circuit_breaker && !shift.has_two_sets(),
        breaker_threshold: *breaker_threshold,
        early_success_percent: *early_success_percent,
        alarms: alarms.clone(),
        bake_minutes: bake_minutes.unwrap_or_default(),
        shift,
        hooks: Vec::new(),
    };
    settings.normal()
}

/// How ECS moves requests; Windlass's own canary is a rolling update to ECS.
fn shift_of(strategy: &Strategy) -> Shift {
    match strategy {
        Strategy::Rolling => Shift::Rolling,
        Strategy::BlueGreen => Shift::BlueGreen,
        Strategy::Canary(canary) => match (canary.controller, canary.steps.first()) {
            (CanaryController::Ecs, Some(step)) => {
                Shift::Canary { percent: step.percent, minutes: step.minutes }
            }
            (CanaryController::Ecs | CanaryController::Windlass, _) => Shift::Rolling,
        },
        Strategy::Linear(linear) => {
            Shift::Linear { percent: linear.step_percent, minutes: linear.step_minutes }
        }
    }
}
