//! A service's deployment configuration, as ECS takes it.
//!
//! Every member is told, also the ones that are at rest: ECS keeps what it is not told, so
//! that an alarm or a hook that the spec names no more would stay.

use aws_sdk_ecs::types::{
    AdvancedConfiguration, CanaryConfiguration, DeploymentAlarms, DeploymentCircuitBreaker,
    DeploymentConfiguration, DeploymentEarlySuccessCriteria, DeploymentLifecycleHook,
    DeploymentLifecycleHookAction, DeploymentLifecycleHookStage, DeploymentLifecycleHookTargetType,
    DeploymentLifecycleHookTimeoutConfiguration, DeploymentStrategy, LinearConfiguration,
    ServiceRevisionCleanup, ThresholdConfiguration, ThresholdType,
};
use windlass_shared::deploy::plan::RolloutSettings;
use windlass_shared::id::{RuleArn, TargetGroupArn};
use windlass_shared::rollout_settings::{Hook, HookTarget, Shift};
use windlass_shared::spec::{BreakerThreshold, OnTimeout, Percent};

use crate::observe::convert::int;

/// The settings in ECS's shape.
pub(super) fn configuration(settings: &RolloutSettings) -> DeploymentConfiguration {
    let RolloutSettings {
        min_healthy_percent,
        max_percent,
        circuit_breaker: _,
        breaker_threshold: _,
        early_success_percent,
        alarms,
        bake_minutes,
        shift,
        hooks,
    } = settings;
    let (canary, linear) = steps(*shift);
    DeploymentConfiguration::builder()
        .minimum_healthy_percent(int(*min_healthy_percent))
        .maximum_percent(int(*max_percent))
        .deployment_circuit_breaker(breaker(settings))
        .early_success_criteria(early_success(*early_success_percent))
        .set_alarms(watched(alarms))
        .bake_time_in_minutes(int(*bake_minutes))
        .strategy(strategy(*shift))
        .set_canary_configuration(canary)
        .set_linear_configuration(linear)
        .set_lifecycle_hooks(Some(hooks.iter().map(hook).collect()))
        .build()
}

fn breaker(settings: &RolloutSettings) -> DeploymentCircuitBreaker {
    let (kind, value) = match settings.told_threshold() {
        BreakerThreshold::Tasks(tasks) => (ThresholdType::Count, tasks),
        BreakerThreshold::Percent(percent) => (ThresholdType::BoundedPercent, percent),
    };
    let threshold = ThresholdConfiguration::builder().r#type(kind).value(int(value)).build();
    DeploymentCircuitBreaker::builder()
        .enable(settings.circuit_breaker)
        .rollback(settings.circuit_breaker)
        .set_threshold_configuration(threshold.ok().filter(|_| settings.circuit_breaker))
        .build()
}

/// The old tasks leave in the background: that is what an early success is for.
fn early_success(percent: Option<u32>) -> DeploymentEarlySuccessCriteria {
    let criteria = DeploymentEarlySuccessCriteria::builder().enable(percent.is_some());
    match percent {
        Some(percent) => criteria
            .healthy_percent(int(percent))
            .source_service_revision_cleanup(ServiceRevisionCleanup::Deferred),
        None => criteria,
    }
    .build()
}

fn watched(alarms: &[String]) -> Option<DeploymentAlarms> {
    let is_on = !alarms.is_empty();
    let watched =
        DeploymentAlarms::builder().set_alarm_names(Some(alarms.to_vec())).enable(is_on).rollback(is_on);
    watched.build().ok()
}

fn strategy(shift: Shift) -> DeploymentStrategy {
    match shift {
        Shift::Rolling => DeploymentStrategy::Rolling,
        Shift::BlueGreen => DeploymentStrategy::BlueGreen,
        Shift::Canary { .. } => DeploymentStrategy::Canary,
        Shift::Linear { .. } => DeploymentStrategy::Linear,
    }
}

fn steps(shift: Shift) -> (Option<CanaryConfiguration>, Option<LinearConfiguration>) {
    let number = |percent: Percent| f64::from(percent.tenths()) / 10.0;
    match shift {
        Shift::Rolling | Shift::BlueGreen => (None, None),
        Shift::Canary { percent, minutes } => {
            let canary = CanaryConfiguration::builder().canary_percent(number(percent));
            (Some(canary.canary_bake_time_in_minutes(int(minutes)).build()), None)
        }
        Shift::Linear { percent, minutes } => {
            let linear = LinearConfiguration::builder().step_percent(number(percent));
            (None, Some(linear.step_bake_time_in_minutes(int(minutes)).build()))
        }
    }
}

fn hook(hook: &Hook) -> DeploymentLifecycleHook {
    let Hook { asks, stages, timeout_minutes, on_timeout } = hook;
    let timeout = DeploymentLifecycleHookTimeoutConfiguration::builder()
        .timeout_in_minutes(int(*timeout_minutes))
        .action(match on_timeout {
            OnTimeout::Rollback => DeploymentLifecycleHookAction::Rollback,
            OnTimeout::Continue => DeploymentLifecycleHookAction::Continue,
        })
        .build();
    let stages = stages.iter().map(|stage| DeploymentLifecycleHookStage::from(stage.as_str())).collect();
    let hook =
        DeploymentLifecycleHook::builder().set_lifecycle_stages(Some(stages)).timeout_configuration(timeout);
    match asks {
        HookTarget::Pause => hook.target_type(DeploymentLifecycleHookTargetType::Pause),
        HookTarget::Function { function, role } => hook
            .target_type(DeploymentLifecycleHookTargetType::AwsLambda)
            .hook_target_arn(function)
            .role_arn(role),
    }
    .build()
}

/// What ECS shifts between.
pub(super) fn advanced(
    alternate: &TargetGroupArn,
    production: &RuleArn,
    test: Option<&RuleArn>,
    role: &str,
) -> AdvancedConfiguration {
    AdvancedConfiguration::builder()
        .alternate_target_group_arn(alternate.as_str())
        .production_listener_rule(production.as_str())
        .set_test_listener_rule(test.map(ToString::to_string))
        .role_arn(role)
        .build()
}
