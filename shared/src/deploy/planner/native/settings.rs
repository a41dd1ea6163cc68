//! A spec's `rollout` in ECS's words.

use crate::deploy::plan::RolloutSettings;
use crate::deploy::settings::VerifyHook;
use crate::event::LifecycleStage;
use crate::facts::LiveService;
use crate::rollout_settings::{Hook, HookTarget, Shift};
use crate::spec::{
    ApprovalBefore, CanaryController, OnTimeout, RolloutSpec, ServiceSpec, Strategy, VerifySpec,
};

/// ECS's limit for a function's hook; a pause may wait longer.
const FUNCTION_MINUTES: u32 = 1440;

/// The function gives its own answer once it has waited long enough; ECS's timeout is for one
/// that answers no more.
const MARGIN_MINUTES: u32 = 5;

/// A `rollout` section as a rolling update: a service's first deployment, the strategy
/// `rolling`, and both parts of Windlass's own canary.
pub(in crate::deploy::planner) fn rolling(rollout: &RolloutSpec) -> RolloutSettings {
    let RolloutSpec {
        strategy: _,
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
        room: _,
    } = rollout;
    let settings = RolloutSettings {
        min_healthy_percent: *min_healthy_percent,
        max_percent: *max_percent,
        circuit_breaker: *circuit_breaker,
        breaker_threshold: *breaker_threshold,
        early_success_percent: *early_success_percent,
        alarms: alarms.clone(),
        bake_minutes: bake_minutes.unwrap_or_default(),
        shift: Shift::Rolling,
        hooks: Vec::new(),
    };
    settings.normal()
}

/// How ECS moves requests; Windlass's own canary is a rolling update to ECS.
pub(super) fn shift_of(strategy: &Strategy) -> Shift {
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

/// A `rollout` section of an update. ECS's breaker guards rolling updates alone.
pub(super) fn settings(
    spec: &ServiceSpec,
    rollout: &RolloutSpec,
    verify: Option<&VerifyHook>,
    live: &LiveService,
) -> RolloutSettings {
    let shift = shift_of(&rollout.strategy);
    let two_sets = shift.has_two_sets();
    let base = rolling(rollout);
    let mut hooks = strangers(live, shift, verify);
    if two_sets {
        hooks.extend(approval(rollout));
        hooks.extend(
            verify.zip(spec.verify.as_ref()).and_then(|(hook, checks)| verification(hook, checks, rollout)),
        );
    }
    let circuit_breaker = base.circuit_breaker && !two_sets;
    RolloutSettings { circuit_breaker, shift, hooks, ..base }.normal()
}

/// Functions that somebody else has ECS ask: a spec says nothing of them, so they stay. A
/// rolling update knows no stage of theirs that shifts requests.
fn strangers(live: &LiveService, shift: Shift, verify: Option<&VerifyHook>) -> Vec<Hook> {
    let is_strange = |hook: &&Hook| match &hook.asks {
        HookTarget::Pause => false,
        HookTarget::Function { function, .. } => verify.is_none_or(|own| own.function != *function),
    };
    let stay = shift.has_two_sets() || !live.settings.shift.has_two_sets();
    live.settings.hooks.iter().filter(is_strange).filter(|_| stay).cloned().collect()
}

/// A person's yes: before the first production request, or before the old tasks go.
fn approval(rollout: &RolloutSpec) -> Option<Hook> {
    let approval = rollout.approval.as_ref()?;
    let stage = match approval.before {
        // A gate of our own: there is no deployment yet.
        ApprovalBefore::Rollout => return None,
        ApprovalBefore::Traffic => LifecycleStage::PreProductionTrafficShift,
        ApprovalBefore::CleanUp => LifecycleStage::PostProductionTrafficShift,
    };
    Some(Hook {
        asks: HookTarget::Pause,
        stages: vec![stage],
        timeout_minutes: approval.timeout_minutes,
        on_timeout: approval.on_timeout,
    })
}

/// The stages at which the checks can be made:
///
/// 1. requests by the test route, once that leads to the new tasks;
/// 2. metrics at each step of production requests, where there are steps;
/// 3. whatever remains, once all requests have moved.
fn verification(hook: &VerifyHook, checks: &VerifySpec, rollout: &RolloutSpec) -> Option<Hook> {
    let VerifySpec { http, alarms, compare, timeout_minutes, on_timeout: _ } = checks;
    let by_test = !http.is_empty() && rollout.test_route.is_some();
    let measured = !alarms.is_empty() || compare.is_some();
    let in_steps = matches!(shift_of(&rollout.strategy), Shift::Canary { .. } | Shift::Linear { .. });
    let stages: Vec<LifecycleStage> = [
        (by_test, LifecycleStage::PostTestTrafficShift),
        (measured && in_steps, LifecycleStage::ProductionTrafficShift),
        (measured || !by_test && !http.is_empty(), LifecycleStage::PostProductionTrafficShift),
    ]
    .into_iter()
    .filter_map(|(wanted, stage)| wanted.then_some(stage))
    .collect();
    let VerifyHook { function, role } = hook.clone();
    (!stages.is_empty()).then_some(Hook {
        asks: HookTarget::Function { function, role },
        stages,
        timeout_minutes: (timeout_minutes + MARGIN_MINUTES).min(FUNCTION_MINUTES),
        on_timeout: OnTimeout::Rollback,
    })
}
