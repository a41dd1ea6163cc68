//! ECS's deployment configuration of a service: one type for what a spec wants and for what
//! was found, so that comparing the two compares all of it.
//!
//! It does not know AWS's shapes; `aws` reads and writes those, taking every member along.

use serde::{Deserialize, Serialize};

use crate::event::LifecycleStage;
use crate::spec::{BreakerThreshold, OnTimeout, Percent};

/// ECS's own threshold, in percent, of a breaker that was told none.
const DEFAULT_THRESHOLD: BreakerThreshold = BreakerThreshold::Percent(50);

/// How ECS rolls a service out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RolloutSettings {
    /// 0 to 100.
    pub min_healthy_percent: u32,
    /// 100 to 200.
    pub max_percent: u32,
    /// ECS's circuit breaker, with rollback.
    pub circuit_breaker: bool,
    /// When it trips; `None`: ECS's own threshold.
    #[serde(default)]
    pub breaker_threshold: Option<BreakerThreshold>,
    /// Done once this share of the desired tasks is healthy.
    #[serde(default)]
    pub early_success_percent: Option<u32>,
    /// Alarms that end the rollout and roll back.
    pub alarms: Vec<String>,
    /// Minutes that the old tasks stay after the last shift; of a rolling update, minutes for
    /// which it is watched.
    #[serde(default)]
    pub bake_minutes: u32,
    /// How requests move.
    #[serde(default)]
    pub shift: Shift,
    /// What ECS asks on its way.
    #[serde(default)]
    pub hooks: Vec<Hook>,
}

/// ECS's own for replica services that were told none.
impl Default for RolloutSettings {
    fn default() -> Self {
        Self {
            min_healthy_percent: 100,
            max_percent: 200,
            circuit_breaker: false,
            breaker_threshold: None,
            early_success_percent: None,
            alarms: Vec::new(),
            bake_minutes: 0,
            shift: Shift::Rolling,
            hooks: Vec::new(),
        }
    }
}

/// How many of a service's tasks a rolling update may have: ECS rounds the lower limit up and
/// the upper one down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Healthy ones at any time, at least.
    pub least: u64,
    /// Running ones at any time, at most.
    pub most: u64,
}

impl Bounds {
    /// Of `desired` tasks at these percentages.
    pub fn of(desired: u32, min_percent: u32, max_percent: u32) -> Self {
        let desired = u64::from(desired);
        Self {
            least: (desired * u64::from(min_percent)).div_ceil(100),
            most: desired * u64::from(max_percent) / 100,
        }
    }

    /// Whether a task can be replaced. Of none there is nothing to replace.
    pub fn permit_a_move(self) -> bool {
        self.least < self.most || self.most == 0
    }
}

impl RolloutSettings {
    /// The same in the one form in which two of the same meaning are equal.
    #[must_use]
    pub fn normal(mut self) -> Self {
        self.alarms.sort();
        self.alarms.dedup();
        self.hooks.sort();
        let is_default = self.breaker_threshold == Some(DEFAULT_THRESHOLD);
        self.breaker_threshold = self.breaker_threshold.filter(|_| self.circuit_breaker && !is_default);
        self
    }

    /// The threshold that ECS is told: one that was set once stays until another one is.
    pub fn told_threshold(&self) -> BreakerThreshold {
        self.breaker_threshold.unwrap_or(DEFAULT_THRESHOLD)
    }
}

/// How requests move from the old tasks to the new ones: ECS's `strategy`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "snake_case")]
pub enum Shift {
    /// With the tasks.
    #[default]
    Rolling,
    /// All at once.
    BlueGreen,
    /// A share, then the rest.
    Canary {
        /// The share.
        percent: Percent,
        /// Minutes until the rest follows.
        minutes: u32,
    },
    /// Equal steps.
    Linear {
        /// Each step's share.
        percent: Percent,
        /// Minutes of each step.
        minutes: u32,
    },
}

impl Shift {
    /// Whether a whole second set of tasks stands beside the first, in a group of its own.
    pub fn has_two_sets(self) -> bool {
        self != Self::Rolling
    }
}

/// What ECS asks at a stage of a rollout.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Hook {
    /// Whom.
    pub asks: HookTarget,
    /// When.
    pub stages: Vec<LifecycleStage>,
    /// Minutes until silence is an answer.
    pub timeout_minutes: u32,
    /// Which answer.
    pub on_timeout: OnTimeout,
}

/// Whom a hook asks.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HookTarget {
    /// A person: ECS waits for `ContinueServiceDeployment`.
    Pause,
    /// A function.
    Function {
        /// Its ARN.
        function: String,
        /// The role in which ECS invokes it.
        role: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounding_may_leave_no_task_to_replace() {
        let permits = |desired, min, max| Bounds::of(desired, min, max).permit_a_move();
        assert!(!permits(2, 100, 125) && !permits(1, 50, 100) && !permits(1, 100, 150));
        assert!(permits(4, 100, 125) && permits(2, 50, 100) && permits(1, 100, 200) && permits(0, 100, 100));
    }
}
