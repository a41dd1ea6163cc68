//! Deployment strategies as `deploymentConfiguration` tells them: which one, in which steps
//! production traffic moves, how long what bakes, and which hooks run at which stage.
//!
//! It checks and reads; what a strategy *does* is in [`super::staged`].

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::alarms;
use super::args::{self, invalid};
use crate::call::ApiError;

/// `deploymentConfiguration.strategy`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum Strategy {
    Rolling,
    BlueGreen,
    Canary,
    Linear,
}

impl Strategy {
    /// The strategy of a configuration that was checked.
    pub(crate) fn of(configuration: &Value) -> Self {
        Self::deserialize(&configuration["strategy"]).unwrap_or(Self::Rolling)
    }

    /// Whether it runs a second set of tasks beside the one that serves.
    pub(crate) fn has_two_sets(self) -> bool {
        self != Self::Rolling
    }
}

/// `lifecycleStage`, in the order in which a deployment goes through them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum Stage {
    ReconcileService,
    PreScaleUp,
    ScaleUp,
    PostScaleUp,
    TestTrafficShift,
    PostTestTrafficShift,
    PreProductionTrafficShift,
    ProductionTrafficShift,
    PostProductionTrafficShift,
    BakeTime,
    CleanUp,
}

impl Stage {
    /// Whether hooks may be set at it.
    fn has_hooks(self) -> bool {
        !matches!(self, Self::ScaleUp | Self::BakeTime | Self::CleanUp)
    }

    /// Whether a deployment can be held at it: those two are run by rollbacks too.
    fn can_pause(self) -> bool {
        self.has_hooks() && !matches!(self, Self::TestTrafficShift | Self::ProductionTrafficShift)
    }

    /// Whether a rolling deployment has it. AWS says that hooks work there and not at which
    /// stages; without a second set of tasks no traffic is shifted.
    fn is_of_rolling(self) -> bool {
        matches!(self, Self::PreScaleUp | Self::PostScaleUp)
    }
}

/// A share of traffic in tenths of a percent: 0 to 1,000.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Share(pub(crate) u32);

impl Share {
    pub(crate) const NONE: Self = Self(0);
    pub(crate) const ALL: Self = Self(1_000);

    /// What is left of all.
    pub(crate) fn rest(self) -> Self {
        Self(1_000 - self.0.min(1_000))
    }

    /// As a percentage.
    pub(crate) fn percent(self) -> f64 {
        f64::from(self.0) / 10.0
    }

    /// As a whole percentage, as hooks are told it.
    pub(crate) fn whole_percent(self) -> u32 {
        (self.0 + 5) / 10
    }

    /// As two weights of a rule, this share's and the rest's: out of 100, or out of 1,000
    /// where the share is not whole (a rule's weights go up to 999).
    pub(crate) fn weights(self) -> (u32, u32) {
        if self.0.is_multiple_of(10) { (self.0 / 10, self.rest().0 / 10) } else { (self.0, self.rest().0) }
    }

    /// Reads a percentage such as 12.5.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 0..=1000 before")]
    fn from_percent(percent: f64) -> Self {
        Self((percent * 10.0).round().clamp(0.0, 1_000.0) as u32)
    }
}

/// The shares of production traffic that the new revision gets, one after another: the last
/// is all.
pub(crate) fn steps(configuration: &Value) -> Vec<Share> {
    match Strategy::of(configuration) {
        Strategy::Rolling | Strategy::BlueGreen => vec![Share::ALL],
        Strategy::Canary => {
            let first = percent(configuration, "canaryConfiguration", "canaryPercent", 5.0);
            if first == Share::ALL { vec![Share::ALL] } else { vec![first, Share::ALL] }
        }
        Strategy::Linear => {
            let step = percent(configuration, "linearConfiguration", "stepPercent", 10.0).0.max(1);
            let before = (1..).map(|n| n * step).take_while(|share| *share < Share::ALL.0);
            before.map(Share).chain([Share::ALL]).collect()
        }
    }
}

fn percent(configuration: &Value, group: &str, member: &str, default: f64) -> Share {
    Share::from_percent(configuration[group][member].as_f64().unwrap_or(default))
}

/// How long each step but the last is held.
pub(crate) fn step_bake(configuration: &Value) -> Duration {
    let (group, member, default) = match Strategy::of(configuration) {
        Strategy::Canary => ("canaryConfiguration", "canaryBakeTimeInMinutes", 10),
        _ => ("linearConfiguration", "stepBakeTimeInMinutes", 6),
    };
    Duration::from_mins(configuration[group][member].as_u64().unwrap_or(default))
}

/// How long both sets of tasks stay after the last shift; of a rolling deployment, how long
/// it is watched before it is COMPLETED. Where that one has alarms and no time of its own,
/// AWS computes the time from the alarms' configuration, and does not say how: here it is 5
/// minutes.
pub(crate) fn bake(configuration: &Value) -> Duration {
    match configuration["bakeTimeInMinutes"].as_u64().unwrap_or(0) {
        0 if Strategy::of(configuration) == Strategy::Rolling && alarms::enabled(configuration) => {
            Duration::from_mins(5)
        }
        minutes => Duration::from_mins(minutes),
    }
}

/// `lifecycleHooks[].targetType`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum HookKind {
    AwsLambda,
    Pause,
}

/// What a hook's timeout does; also `ContinueServiceDeployment`'s actions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum HookAction {
    Rollback,
    Continue,
}

/// A configured hook.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Hook {
    pub(crate) kind: HookKind,
    /// The function's ARN; none for a pause.
    pub(crate) function: Option<String>,
    /// The role that ECS calls it in.
    pub(crate) role: Option<String>,
    pub(crate) details: Option<Value>,
    pub(crate) stages: Vec<Stage>,
    pub(crate) timeout: Duration,
    pub(crate) timeout_action: HookAction,
}

/// The hooks of a configuration, in its order.
pub(crate) fn hooks(configuration: &Value) -> Result<Vec<Hook>, ApiError> {
    args::list(configuration, "lifecycleHooks")?.iter().map(hook).collect()
}

fn hook(entry: &Value) -> Result<Hook, ApiError> {
    let kind = match args::text(entry, "targetType")? {
        None | Some("AWS_LAMBDA") => HookKind::AwsLambda,
        Some("PAUSE") => HookKind::Pause,
        Some(other) => return Err(invalid(format!("Invalid lifecycle hook targetType: {other}"))),
    };
    let stage = |name: &&str| {
        let stage = Stage::deserialize(Value::from(*name)).ok().filter(|stage| stage.has_hooks());
        stage.ok_or_else(|| invalid(format!("Invalid lifecycle stage for a lifecycle hook: {name}")))
    };
    let stages: Vec<Stage> =
        args::texts(entry, "lifecycleStages")?.iter().map(stage).collect::<Result<_, _>>()?;
    if stages.is_empty() {
        return Err(invalid("lifecycleStages must name at least one stage for each lifecycle hook."));
    }
    let most = match kind {
        HookKind::AwsLambda => 1_440,
        HookKind::Pause => 20_160,
    };
    let timeout = &entry["timeoutConfiguration"];
    let minutes = args::count(timeout, "timeoutInMinutes")?.unwrap_or(1_440);
    if !(1..=most).contains(&minutes) {
        return Err(invalid(format!("timeoutInMinutes must be between 1 and {most}.")));
    }
    Ok(Hook {
        kind,
        function: function(kind, entry)?,
        role: args::text(entry, "roleArn")?.map(str::to_owned),
        details: entry.get("hookDetails").filter(|it| !it.is_null()).cloned(),
        stages,
        timeout: Duration::from_mins(minutes.into()),
        timeout_action: action(timeout, "action")?.unwrap_or(HookAction::Rollback),
    })
}

/// A function needs its ARN and a role that may invoke it; a pause takes neither.
fn function(kind: HookKind, entry: &Value) -> Result<Option<String>, ApiError> {
    let (target, role) = (args::text(entry, "hookTargetArn")?, args::text(entry, "roleArn")?);
    match (kind, target, role) {
        (HookKind::AwsLambda, Some(target), Some(_)) => Ok(Some(target.to_owned())),
        (HookKind::AwsLambda, ..) => {
            Err(invalid("hookTargetArn and roleArn are required for a lifecycle hook of type AWS_LAMBDA."))
        }
        (HookKind::Pause, None, None) => Ok(None),
        (HookKind::Pause, ..) => {
            Err(invalid("hookTargetArn and roleArn cannot be specified for a lifecycle hook of type PAUSE."))
        }
    }
}

/// `ROLLBACK` or `CONTINUE`.
pub(crate) fn action(input: &Value, member: &str) -> Result<Option<HookAction>, ApiError> {
    match args::text(input, member)? {
        None => Ok(None),
        Some("ROLLBACK") => Ok(Some(HookAction::Rollback)),
        Some("CONTINUE") => Ok(Some(HookAction::Continue)),
        Some(other) => Err(invalid(format!("Invalid action: {other}"))),
    }
}

/// Checks what belongs to strategies in a `deploymentConfiguration`.
pub(crate) fn check(configuration: &Value) -> Result<(), ApiError> {
    let strategy = match args::text(configuration, "strategy")? {
        None | Some("ROLLING" | "BLUE_GREEN" | "LINEAR" | "CANARY") => Strategy::of(configuration),
        Some(other) => return Err(invalid(format!("Invalid deployment strategy: {other}"))),
    };
    minutes(configuration, "bakeTimeInMinutes")?;
    check_shift(&configuration["canaryConfiguration"], "canaryPercent", 0.1, "canaryBakeTimeInMinutes")?;
    check_shift(&configuration["linearConfiguration"], "stepPercent", 3.0, "stepBakeTimeInMinutes")?;
    check_hooks(strategy, &hooks(configuration)?)?;
    alarms::check(configuration)?;
    check_early_success(strategy, configuration)
}

fn minutes(group: &Value, member: &str) -> Result<(), ApiError> {
    match args::count(group, member)? {
        Some(1_441..) => Err(invalid(format!("{member} must be between 0 and 1440."))),
        _ => Ok(()),
    }
}

fn check_shift(group: &Value, percent: &str, least: f64, bake: &str) -> Result<(), ApiError> {
    if group[percent].as_f64().is_some_and(|value| !(least..=100.0).contains(&value)) {
        return Err(invalid(format!("{percent} must be between {least:.1} and 100.0.")));
    }
    minutes(group, bake)
}

fn check_hooks(strategy: Strategy, hooks: &[Hook]) -> Result<(), ApiError> {
    for kind in [HookKind::AwsLambda, HookKind::Pause] {
        if hooks.iter().filter(|hook| hook.kind == kind).count() > 10 {
            return Err(invalid("A service can have at most 10 lifecycle hooks of each type."));
        }
    }
    for hook in hooks {
        if hook.kind == HookKind::Pause && !hook.stages.iter().all(|stage| stage.can_pause()) {
            return Err(invalid(
                "PAUSE lifecycle hooks cannot be configured at TEST_TRAFFIC_SHIFT or PRODUCTION_TRAFFIC_SHIFT.",
            ));
        }
        if strategy == Strategy::Rolling && !hook.stages.iter().all(|stage| stage.is_of_rolling()) {
            return Err(ApiError::client(
                "UnsupportedFeatureException",
                "The embedded ECS runs lifecycle hooks of ROLLING deployments at PRE_SCALE_UP and POST_SCALE_UP \
                 only.",
            ));
        }
    }
    Ok(())
}

fn check_early_success(strategy: Strategy, configuration: &Value) -> Result<(), ApiError> {
    let criteria = &configuration["earlySuccessCriteria"];
    if args::flag(criteria, "enable")? != Some(true) {
        return Ok(());
    }
    if strategy != Strategy::Rolling {
        return Err(invalid("earlySuccessCriteria can be used with the ROLLING deployment strategy only."));
    }
    let least = args::count(configuration, "minimumHealthyPercent")?.unwrap_or(100);
    match args::count(criteria, "healthyPercent")? {
        Some(percent) if percent <= 100 && percent >= least => {}
        _ => {
            return Err(invalid(format!(
                "earlySuccessCriteria.healthyPercent must be between minimumHealthyPercent ({least}) and 100."
            )));
        }
    }
    match args::text(criteria, "sourceServiceRevisionCleanup")? {
        Some("BLOCKING" | "DEFERRED") => Ok(()),
        other => Err(invalid(format!("Invalid sourceServiceRevisionCleanup: {}", other.unwrap_or("none")))),
    }
}

/// When a rolling deployment is done before all of its tasks are there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct EarlySuccess {
    /// How many of its tasks must be healthy.
    pub(crate) healthy: usize,
    /// Whether it also waits for the tasks of the revisions before.
    pub(crate) waits_for_cleanup: bool,
}

/// The early success criteria for `desired` tasks, where they are on.
pub(crate) fn early_success(configuration: &Value, desired: u32) -> Option<EarlySuccess> {
    let criteria = &configuration["earlySuccessCriteria"];
    if criteria["enable"].as_bool() != Some(true) {
        return None;
    }
    let percent = criteria["healthyPercent"].as_u64().and_then(|it| u32::try_from(it).ok()).unwrap_or(100);
    Some(EarlySuccess {
        healthy: (desired * percent).div_ceil(100) as usize,
        waits_for_cleanup: criteria["sourceServiceRevisionCleanup"] == "BLOCKING",
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn shares(configuration: &Value) -> Vec<u32> {
        steps(configuration).into_iter().map(|share| share.0).collect()
    }

    #[test]
    fn traffic_moves_in_the_steps_of_its_strategy() {
        assert_eq!(shares(&json!({"strategy": "BLUE_GREEN"})), [1000]);
        assert_eq!(shares(&json!({"strategy": "CANARY"})), [50, 1000]);
        let canary = json!({"strategy": "CANARY", "canaryConfiguration": {"canaryPercent": 0.1}});
        assert_eq!(shares(&canary), [1, 1000]);
        let linear = json!({"strategy": "LINEAR", "linearConfiguration": {"stepPercent": 30.0}});
        assert_eq!(shares(&linear), [300, 600, 900, 1000]);
        assert_eq!(shares(&json!({"strategy": "LINEAR"})).len(), 10);
    }

    #[test]
    fn a_share_becomes_two_weights_that_a_rule_takes() {
        assert_eq!(Share(100).weights(), (10, 90));
        assert_eq!(Share(1).weights(), (1, 999));
        assert_eq!(Share::ALL.weights(), (100, 0));
    }

    #[test]
    fn what_a_strategy_does_not_take_is_refused() {
        let refused = |configuration: Value| check(&configuration).unwrap_err().message;
        assert!(refused(json!({"strategy": "PURPLE"})).contains("PURPLE"));
        assert!(
            refused(json!({"strategy": "LINEAR", "linearConfiguration": {"stepPercent": 2}})).contains("3.0")
        );
        let hook = |stage: &str, kind: &str| json!({"strategy": "BLUE_GREEN", "lifecycleHooks": [{"targetType": kind, "lifecycleStages": [stage]}]});
        assert!(refused(hook("BAKE_TIME", "PAUSE")).contains("BAKE_TIME"));
        assert!(refused(hook("TEST_TRAFFIC_SHIFT", "PAUSE")).contains("PAUSE"));
        assert!(refused(hook("PRE_SCALE_UP", "AWS_LAMBDA")).contains("hookTargetArn"));
        assert!(check(&hook("PRE_SCALE_UP", "PAUSE")).is_ok());
        let early = json!({"strategy": "CANARY", "earlySuccessCriteria": {"enable": true}});
        assert!(refused(early).contains("ROLLING"));
    }
}
