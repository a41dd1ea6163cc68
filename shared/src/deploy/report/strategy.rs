//! How a rollout by ECS's own strategies goes.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::event::LifecycleStage;
use crate::id::{RuleArn, TargetGroupArn, Timestamp};
use crate::spec::Percent;

/// How a rollout by ECS's own strategies goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "note")]
pub enum StrategyNote {
    /// ECS is shifting requests: the rule is ECS's until it has ended.
    Shifting {
        /// ECS's lifecycle stage.
        stage: LifecycleStage,
        /// The new tasks' share of production requests.
        share: Option<Percent>,
    },
    /// ECS waits for a person's yes.
    Asks {
        /// To what.
        what: String,
        /// When silence becomes an answer.
        expires: Option<Timestamp>,
    },
    /// Another strategy, or other groups or rules, while ECS shifts requests.
    SwitchWaits,
    /// The first deployment that anybody can reach is a rolling one.
    NothingToShiftFrom,
    /// Production leads to a group without a healthy target, and another one has some.
    ProductionEmpty {
        /// Where requests go.
        production: TargetGroupArn,
        /// Where something could answer.
        healthy: TargetGroupArn,
    },
    /// The same, and the rule is led back.
    Mended {
        /// Where requests went.
        empty: TargetGroupArn,
        /// Where they go from now on.
        healthy: TargetGroupArn,
    },
    /// Nothing of the service is healthy: the rollout is the way out.
    NothingServes,
    /// The stack has no role in which ECS could shift.
    NoInfrastructureRole,
    /// The stack has no function that verifies.
    NoVerifyFunction,
    /// The service does not register in a group of Windlass's, behind a rule of Windlass's.
    ForeignGroup,
    /// A group of the name that the second one would have is there, and not Windlass's.
    GroupTaken {
        /// The name.
        name: String,
    },
    /// The rule leads to a third group.
    LeadsElsewhere {
        /// Which.
        to: TargetGroupArn,
    },
    /// Shares of requests without requests.
    NeedsRoute,
    /// Rounded, the percentages leave no room to replace a task: ECS would wait for ever.
    NoMove {
        /// Tasks that are wanted now.
        desired: u32,
        /// Of the lower limit: healthy ones, at least.
        least: u64,
        /// Of the upper one: running ones, at most.
        most: u64,
    },
    /// Every priority before the service's own rule is taken.
    NoPriorityBefore {
        /// The service's own rule.
        rule: RuleArn,
    },
}

impl StrategyNote {
    /// Whether a person has to do something before this service goes on.
    pub fn needs_a_person(&self) -> bool {
        match self {
            Self::Asks { .. }
            | Self::NoInfrastructureRole
            | Self::NoVerifyFunction
            | Self::ForeignGroup
            | Self::GroupTaken { .. }
            | Self::LeadsElsewhere { .. }
            | Self::NeedsRoute
            | Self::NoMove { .. }
            | Self::NoPriorityBefore { .. } => true,
            Self::Shifting { .. }
            | Self::SwitchWaits
            | Self::NothingToShiftFrom
            | Self::ProductionEmpty { .. }
            | Self::Mended { .. }
            | Self::NothingServes => false,
        }
    }

    /// Whether the sweep should look again although nothing rings.
    pub fn leaves_open(&self) -> bool {
        match self {
            // What goes on is kept by the rollout in flight.
            Self::Shifting { .. } | Self::Asks { .. } | Self::NothingToShiftFrom | Self::NothingServes => {
                false
            }
            Self::SwitchWaits
            | Self::ProductionEmpty { .. }
            | Self::Mended { .. }
            | Self::NoInfrastructureRole
            | Self::NoVerifyFunction
            | Self::ForeignGroup
            | Self::GroupTaken { .. }
            | Self::LeadsElsewhere { .. }
            | Self::NeedsRoute
            | Self::NoMove { .. }
            | Self::NoPriorityBefore { .. } => true,
        }
    }
}

/// `targetgroup/<name>/<id>`: its name.
fn name(group: &TargetGroupArn) -> &str {
    group.as_str().rsplit('/').nth(1).unwrap_or(group.as_str())
}

impl fmt::Display for StrategyNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shifting { stage, share } => {
                write!(f, "rolling out: ECS is at {stage}")?;
                if let Some(share) = share {
                    write!(f, ", {share} of the requests reach the new tasks")?;
                }
                f.write_str("; the rules are left alone until it has ended")
            }
            Self::Asks { what, expires } => {
                write!(f, "waiting for a person's yes, to {what}")?;
                if let Some(expires) = expires {
                    write!(f, ", until {expires:.0}")?;
                }
                f.write_str("; `windlass approve` or `windlass reject`")
            }
            Self::SwitchWaits => f.write_str(
                "waiting: another strategy, target group or rule is set once the rollout under way has ended",
            ),
            Self::NothingToShiftFrom => f.write_str(
                "rolling: nothing of this service can be reached yet, so that there is nothing to shift \
                 requests from",
            ),
            Self::ProductionEmpty { production, healthy } => write!(
                f,
                "not begun: production leads to {}, in which nothing is healthy; {} is, and the rule is led \
                 there first",
                name(production),
                name(healthy)
            ),
            Self::Mended { empty, healthy } => write!(
                f,
                "mended: requests went to {}, in which nothing is healthy; they are led to {}",
                name(empty),
                name(healthy)
            ),
            Self::NothingServes => {
                f.write_str("nothing of this service is healthy now; the rollout begins all the same")
            }
            other => f.write_str(&other.refusal()),
        }
    }
}

impl StrategyNote {
    /// What stands against a rollout until a person has done something, with that something.
    fn refusal(&self) -> String {
        let (what, next) = match self {
            Self::NoInfrastructureRole => (
                "this strategy needs a role in which ECS shifts requests, and the stack has none".to_owned(),
                "update the stack with a ListenerArn, or export WINDLASS_INFRASTRUCTURE_ROLE_ARN",
            ),
            Self::NoVerifyFunction => (
                "the spec has a `verify` section, and the stack no function that verifies".to_owned(),
                "update the stack",
            ),
            Self::ForeignGroup => (
                "this strategy shifts between two target groups of Windlass's behind a rule of Windlass's, \
                 and the service registers elsewhere"
                    .to_owned(),
                "take `rollout.strategy` out of its spec, or have Windlass make the service",
            ),
            Self::GroupTaken { name } => {
                (format!("a target group named {name} exists and is not Windlass's"), "rename or remove it")
            }
            Self::LeadsElsewhere { to } => (
                format!("the rule leads to {}, too, and ECS shifts between two groups", name(to)),
                "take `route.weights` out of the spec, or roll out with `strategy: rolling`",
            ),
            Self::NeedsRoute => (
                "shares of requests need a `route`".to_owned(),
                "add one; without it, `blue_green` works on a service without a load balancer",
            ),
            Self::NoMove { desired, least, most } => (
                format!(
                    "a rolling update keeps at least {least} and at most {most} of {desired} task(s), which \
                     leaves none to replace"
                ),
                "lower `rollout.min_healthy_percent`, raise `rollout.max_percent`, or want more tasks",
            ),
            Self::NoPriorityBefore { rule } => (
                format!("no priority is free before {rule}, where `rollout.test_route` would have to stand"),
                "make room",
            ),
            Self::Shifting { .. }
            | Self::Asks { .. }
            | Self::SwitchWaits
            | Self::NothingToShiftFrom
            | Self::ProductionEmpty { .. }
            | Self::Mended { .. }
            | Self::NothingServes => return String::new(),
        };
        format!("refused: {what}; {next}")
    }
}
