//! How a cluster's instances follow what its tasks need. Every section has defaults: a group that
//! carries the tag `windlass:cluster` is looked after without a word here.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::freeze::FreezeWindow;
use super::problem::Checks;
use crate::id::{AutoScalingGroupName, ServiceName};

/// How a cluster's instances follow what its tasks need.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Default)]
#[serde(deny_unknown_fields, default)]
pub struct CapacitySpec {
    /// Room that is kept free for what comes next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub headroom: Option<Headroom>,
    /// How instances are shared out among several Auto Scaling groups, on demand and spot for example; left
    /// out, the cheapest for what is missing comes first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub strategy: Vec<GroupShare>,
    /// How instances are emptied whose tasks fit on the others.
    pub consolidation: ConsolidationSpec,
    /// How instances that leave are seen out.
    pub drain: DrainSpec,
    /// How instances are replaced by newer ones (`windlass rotate`).
    pub rotation: RotationSpec,
}

/// A group's part of the cluster's instances, by the names of ECS's capacity provider strategy; but what is
/// counted are instances, and not tasks. A group that is not named is asked once no other can help.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GroupShare {
    /// The Auto Scaling group's name.
    pub group: AutoScalingGroupName,
    /// So many instances come here first, and go last. 0 to 100,000.
    #[serde(default)]
    pub base: u32,
    /// Its part of the rest: 3 beside 1 are three of four. 0 to 1,000; with 0 it is asked beyond its base once no
    /// other can help.
    #[serde(default)]
    pub weight: u32,
}

/// Room that is kept free.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Headroom {
    /// For so many tasks of a service.
    Tasks(HeadroomTasks),
    /// So much of what all tasks take, 1 to 100.
    Percent(u32),
}

/// Room for so many tasks of a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HeadroomTasks {
    /// Which service's.
    pub service: ServiceName,
    /// How many.
    pub count: u32,
}

/// How instances are emptied whose tasks fit on the others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ConsolidationSpec {
    /// Whether it is done at all.
    pub enabled: bool,
    /// At most so many instances leave at once.
    pub max_instances: u32,
    /// At most so many percent of the cluster's instances leave at once, at least one.
    pub max_percent: u32,
    /// Seconds after instances were added in which none is emptied.
    pub cool_down_secs: u32,
    /// Seconds for which an instance that came is kept while tasks are on it: load that comes and goes
    /// within that time moves no task. One that is empty goes sooner.
    pub settle_secs: u32,
    /// When it is done; at any time where there is none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub windows: Vec<FreezeWindow>,
    /// Whether tasks that no service starts again may be ended for it.
    pub standalone: StandaloneTasks,
}

impl Default for ConsolidationSpec {
    fn default() -> Self {
        Self {
            enabled: true,
            max_instances: 5,
            max_percent: 25,
            cool_down_secs: 300,
            settle_secs: 900,
            windows: Vec::new(),
            standalone: StandaloneTasks::Keep,
        }
    }
}

/// What is done with tasks that no service starts again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StandaloneTasks {
    /// Their instance is kept until they have ended.
    Keep,
    /// They are stopped, and recorded as cut.
    Stop,
}

/// How instances that leave are seen out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DrainSpec {
    /// Seconds after which `on_timeout` is done, 60 to 172,800 (Auto Scaling's 48 hours).
    pub timeout_secs: u32,
    /// What is done then.
    pub on_timeout: OnTimeout,
    /// What a rebalance recommendation does.
    pub rebalance: OnRebalance,
    /// Seconds after which an instance that a recommendation drained, and that nothing took, is
    /// taken back.
    pub take_back_secs: u32,
}

impl Default for DrainSpec {
    fn default() -> Self {
        Self {
            timeout_secs: 900,
            on_timeout: OnTimeout::StopTasks,
            rebalance: OnRebalance::Drain,
            take_back_secs: 1_800,
        }
    }
}

/// What is done when the time to drain is up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnTimeout {
    /// Tasks that no service starts again are stopped, then the instance is let go.
    StopTasks,
    /// The instance is let go with what runs on it.
    LetGo,
    /// It is waited on, as long as Auto Scaling allows.
    Wait,
}

/// What a rebalance recommendation does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnRebalance {
    /// The instance is drained.
    Drain,
    /// Nothing: only the interruption's two minutes count.
    Ignore,
}

/// How instances are replaced by newer ones.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RotationSpec {
    /// At most so many instances are replaced at once.
    pub max_instances: u32,
}

impl Default for RotationSpec {
    fn default() -> Self {
        Self { max_instances: 1 }
    }
}

impl CapacitySpec {
    pub(super) fn check_into(&self, checks: &mut Checks) {
        let Self { headroom, strategy, consolidation, drain, rotation } = self;
        check_strategy(strategy, checks);
        checks.within("headroom", |checks| match headroom {
            Some(Headroom::Percent(percent)) => checks.range("percent", *percent, 1..=100),
            Some(Headroom::Tasks(tasks)) => {
                checks.within("tasks", |checks| checks.range("count", tasks.count, 1..=1000));
            }
            None => {}
        });
        checks.within("consolidation", |checks| {
            checks.range("max_instances", consolidation.max_instances, 1..=5000);
            checks.range("max_percent", consolidation.max_percent, 1..=100);
            checks.range("cool_down_secs", consolidation.cool_down_secs, 0..=86_400);
            checks.range("settle_secs", consolidation.settle_secs, 0..=86_400);
            checks.each("windows", &consolidation.windows, |checks, window| window.check_into(checks));
        });
        checks.within("drain", |checks| {
            checks.range("timeout_secs", drain.timeout_secs, 60..=172_800);
            checks.range("take_back_secs", drain.take_back_secs, 300..=86_400);
        });
        checks.within("rotation", |checks| {
            checks.range("max_instances", rotation.max_instances, 1..=5000);
        });
    }
}

/// The limits are those of ECS's capacity provider strategy.
fn check_strategy(strategy: &[GroupShare], checks: &mut Checks) {
    checks.each("strategy", strategy, |checks, share| {
        checks.text("group", share.group.as_str(), 255);
        checks.range("base", share.base, 0..=100_000);
        checks.range("weight", share.weight, 0..=1_000);
    });
    let groups: Vec<&AutoScalingGroupName> = strategy.iter().map(|share| &share.group).collect();
    checks.distinct("strategy", &groups);
    let is_for_all = strategy.is_empty() || strategy.iter().any(|share| share.weight > 0);
    checks.need(is_for_all, "strategy", "wants a `weight` above 0 for one of its groups: who gets the rest?");
}
