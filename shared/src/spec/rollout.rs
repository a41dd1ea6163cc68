//! How a new image replaces the old one.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::number::Percent;

/// How a new image replaces the old one. Ranges: `deploymentConfiguration` of ECS's
/// `UpdateService`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RolloutSpec {
    /// In which manner.
    pub strategy: Strategy,
    /// Of the desired tasks, how many stay healthy: 0 to 100, rounded up.
    pub min_healthy_percent: u32,
    /// Of the desired tasks, how many may run: 100 to 200, rounded down.
    pub max_percent: u32,
    /// ECS's circuit breaker, with rollback; it guards rolling updates alone.
    pub circuit_breaker: bool,
    /// When the breaker trips; left out, at half of the desired tasks, at least 3, at most 200.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub breaker_threshold: Option<BreakerThreshold>,
    /// A rolling update is done once this share of the desired tasks is healthy, and the old
    /// tasks leave in the background: at least `min_healthy_percent`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub early_success_percent: Option<u32>,
    /// Alarms that end the rollout and roll it back.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub alarms: Vec<String>,
    /// What if one of them rings before the rollout begins: left out, it waits. (ECS would
    /// look at none of the alarms for that rollout.)
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ringing_alarm: Option<RingingAlarm>,
    /// Minutes that the old tasks stay after all requests have moved: 0 to 1440.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bake_minutes: Option<u32>,
    /// A rollout that is not done by then has failed.
    pub timeout_minutes: u32,
    /// Seconds after a task's start in which failing health checks do not count.
    pub grace_secs: u32,
    /// Lets chosen requests reach the new revision before production does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test_route: Option<TestRoute>,
    /// A person says yes first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approval: Option<Approval>,
    /// What if the cluster has no room for the tasks that it starts beside the old ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub room: Option<RoomSpec>,
}

impl Default for RolloutSpec {
    fn default() -> Self {
        Self {
            strategy: Strategy::Rolling,
            min_healthy_percent: 100,
            max_percent: 200,
            circuit_breaker: true,
            breaker_threshold: None,
            early_success_percent: None,
            alarms: Vec::new(),
            ringing_alarm: None,
            bake_minutes: None,
            timeout_minutes: 30,
            grace_secs: 0,
            test_route: None,
            approval: None,
            room: None,
        }
    }
}

impl RolloutSpec {
    /// The canary, where Windlass itself carries it out.
    pub fn own_canary(&self) -> Option<&CanarySpec> {
        match &self.strategy {
            Strategy::Canary(canary) if canary.controller == CanaryController::Windlass => Some(canary),
            Strategy::Rolling | Strategy::BlueGreen | Strategy::Canary(_) | Strategy::Linear(_) => None,
        }
    }

    /// The yes that is wanted before this.
    pub fn approval_before(&self, what: ApprovalBefore) -> Option<&Approval> {
        self.approval.as_ref().filter(|approval| approval.before == what)
    }
}

/// When ECS's circuit breaker trips: `thresholdConfiguration` of `deploymentCircuitBreaker`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum BreakerThreshold {
    /// At this many failed tasks.
    Tasks(u32),
    /// At this share of the desired tasks, between 3 and 200 of them.
    Percent(u32),
}

/// The manner of a rollout.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Strategy {
    /// Task by task, within the two percentages.
    Rolling,
    /// A whole second set of tasks, then all requests at once.
    BlueGreen,
    /// A growing share of the requests, by steps.
    Canary(CanarySpec),
    /// Equal steps at equal times.
    Linear(LinearSpec),
}

/// A growing share of the requests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CanarySpec {
    /// Each larger than the one before; 100 % follows the last.
    pub steps: Vec<CanaryStep>,
    /// Who carries it out.
    #[serde(default, skip_serializing_if = "CanaryController::is_windlass")]
    pub controller: CanaryController,
}

/// Who carries a canary out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Default)]
#[serde(rename_all = "snake_case")]
pub enum CanaryController {
    /// Windlass: any steps, with as many tasks as the share takes, beside all of the old ones.
    #[default]
    Windlass,
    /// ECS: exactly one step before 100 %, with a whole second set of tasks.
    Ecs,
}

impl CanaryController {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
    fn is_windlass(&self) -> bool {
        *self == Self::Windlass
    }
}

/// One step of a canary.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CanaryStep {
    /// The new revision's share of the requests.
    pub percent: Percent,
    /// Minutes to stay here.
    #[serde(default)]
    pub minutes: u32,
    /// Stay here until a person says yes.
    #[serde(default)]
    pub approval: bool,
}

/// Equal steps: ECS's `linearConfiguration`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LinearSpec {
    /// Each step's share: 3 to 100.
    pub step_percent: Percent,
    /// Minutes of each step: 0 to 1440.
    pub step_minutes: u32,
}

/// What becomes of a rollout whose alarm rings already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Default)]
#[serde(rename_all = "snake_case")]
pub enum RingingAlarm {
    /// It waits until the alarm is quiet.
    #[default]
    Refuse,
    /// It goes on, and the report says so.
    Warn,
}

/// Requests with this header reach the new revision before production does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TestRoute {
    /// The header's name.
    pub header: String,
    /// Its values; any of them.
    pub values: Vec<String>,
}

/// What a rollout does for whose tasks the cluster has no room: before it begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RoomSpec {
    /// What it does at first.
    pub if_short: IfShort,
    /// Minutes that it waits for room, 0 to 1440.
    pub wait_minutes: u32,
    /// What it does then; and at once, where nothing could bring room.
    pub then: AfterWait,
}

impl Default for RoomSpec {
    fn default() -> Self {
        Self { if_short: IfShort::Wait, wait_minutes: 10, then: AfterWait::Go }
    }
}

/// What a rollout does at first for whose tasks there is no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Default)]
#[serde(rename_all = "snake_case")]
pub enum IfShort {
    /// Room is asked for, and it begins once that is there.
    #[default]
    Wait,
    /// It goes task by task in the room that there is; by any other strategy than `rolling`
    /// it does so for this once. Without room for a single task it waits.
    Slower,
    /// It begins, and ECS starts its tasks as room comes.
    Go,
}

/// What a rollout does that has waited for room in vain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Default)]
#[serde(rename_all = "snake_case")]
pub enum AfterWait {
    /// It begins, as ECS would.
    #[default]
    Go,
    /// It goes on waiting.
    Wait,
}

/// A person says yes first. ECS's PAUSE hook: its timeout is 1 to 20160 minutes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Approval {
    /// Before what.
    pub before: ApprovalBefore,
    /// Minutes until silence is an answer: 1 to 20160 (14 days).
    #[serde(default = "default_approval_minutes")]
    pub timeout_minutes: u32,
    /// Which answer.
    #[serde(default)]
    pub on_timeout: OnTimeout,
}

/// A day: ECS's own default.
fn default_approval_minutes() -> u32 {
    1440
}

/// What waits for the approval.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ApprovalBefore {
    /// The whole rollout.
    Rollout,
    /// The first production request.
    Traffic,
    /// The end of the old tasks.
    CleanUp,
}

/// What silence means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema, Default)]
#[serde(rename_all = "snake_case")]
pub enum OnTimeout {
    /// No.
    #[default]
    Rollback,
    /// Yes.
    Continue,
}
