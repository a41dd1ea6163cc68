//! A service's deployment configuration, as ECS gives it back.

use aws_sdk_ecs::types::{
    DeploymentConfiguration, DeploymentLifecycleHook, DeploymentLifecycleHookAction,
    DeploymentLifecycleHookTargetType, DeploymentStrategy, ThresholdConfiguration, ThresholdType,
};
use windlass_shared::event::LifecycleStage;
use windlass_shared::rollout_settings::{Hook, HookTarget, RolloutSettings, Shift};
use windlass_shared::spec::{BreakerThreshold, OnTimeout, Percent};

use super::convert::{count, text};

/// Minutes that a hook waits where nobody said otherwise: ECS's own default.
const HOOK_MINUTES: i32 = 1440;

/// The configuration in its normal form. What ECS leaves out stands at its own defaults for
/// replica services.
pub(super) fn settings(configuration: Option<&DeploymentConfiguration>) -> RolloutSettings {
    let breaker = configuration.and_then(|c| c.deployment_circuit_breaker());
    let early = configuration.and_then(|c| c.early_success_criteria()).filter(|early| early.enable());
    let alarms = configuration.and_then(|c| c.alarms()).filter(|alarms| alarms.enable());
    let settings = RolloutSettings {
        min_healthy_percent: count(configuration.and_then(|c| c.minimum_healthy_percent()).unwrap_or(100)),
        max_percent: count(configuration.and_then(|c| c.maximum_percent()).unwrap_or(200)),
        circuit_breaker: breaker.is_some_and(|breaker| breaker.enable() && breaker.rollback()),
        breaker_threshold: breaker.and_then(|breaker| breaker.threshold_configuration()).map(threshold),
        early_success_percent: early.map(|early| count(early.healthy_percent().unwrap_or(100))),
        alarms: alarms.map(|alarms| alarms.alarm_names().to_vec()).unwrap_or_default(),
        bake_minutes: count(configuration.and_then(|c| c.bake_time_in_minutes()).unwrap_or_default()),
        shift: configuration.map(shift).unwrap_or_default(),
        hooks: configuration.map(|c| c.lifecycle_hooks().iter().map(hook).collect()).unwrap_or_default(),
    };
    settings.normal()
}

fn threshold(threshold: &ThresholdConfiguration) -> BreakerThreshold {
    let value = count(threshold.value());
    match threshold.r#type() {
        ThresholdType::Count => BreakerThreshold::Tasks(value),
        ThresholdType::BoundedPercent => BreakerThreshold::Percent(value),
        // Not one that a spec can ask for: it differs from whatever is wanted.
        _ => BreakerThreshold::Percent(u32::MAX),
    }
}

fn shift(configuration: &DeploymentConfiguration) -> Shift {
    match configuration.strategy() {
        Some(DeploymentStrategy::BlueGreen) => Shift::BlueGreen,
        Some(DeploymentStrategy::Canary) => {
            let canary = configuration.canary_configuration();
            let percent = canary.and_then(|c| c.canary_percent()).unwrap_or(5.0);
            let minutes = canary.and_then(|c| c.canary_bake_time_in_minutes()).unwrap_or(10);
            Shift::Canary { percent: share(percent), minutes: count(minutes) }
        }
        Some(DeploymentStrategy::Linear) => {
            let linear = configuration.linear_configuration();
            let percent = linear.and_then(|c| c.step_percent()).unwrap_or(10.0);
            let minutes = linear.and_then(|c| c.step_bake_time_in_minutes()).unwrap_or(6);
            Shift::Linear { percent: share(percent), minutes: count(minutes) }
        }
        _ => Shift::Rolling,
    }
}

/// ECS's percentages have one digit after the point.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 0..=1000 before")]
pub(super) fn share(percent: f64) -> Percent {
    let tenths = (percent * 10.0).round().clamp(0.0, 1000.0) as u16;
    Percent::from_tenths(tenths).unwrap_or(Percent::WHOLE)
}

fn hook(hook: &DeploymentLifecycleHook) -> Hook {
    let timeout = hook.timeout_configuration();
    let minutes = timeout.and_then(|it| it.timeout_in_minutes()).unwrap_or(HOOK_MINUTES);
    let stages = hook.lifecycle_stages().iter().map(|stage| LifecycleStage::from(stage.as_str()));
    Hook {
        asks: match hook.target_type() {
            Some(DeploymentLifecycleHookTargetType::Pause) => HookTarget::Pause,
            _ => HookTarget::Function { function: text(hook.hook_target_arn()), role: text(hook.role_arn()) },
        },
        stages: stages.collect(),
        timeout_minutes: count(minutes),
        on_timeout: match timeout.and_then(|it| it.action()) {
            Some(DeploymentLifecycleHookAction::Continue) => OnTimeout::Continue,
            _ => OnTimeout::Rollback,
        },
    }
}
