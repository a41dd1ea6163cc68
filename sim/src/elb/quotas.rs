//! AWS's quotas, as numbers that a test may lower. ([AWS][page])
//!
//! | quota | error beyond it |
//! |---|---|
//! | load balancers | `TooManyLoadBalancers` |
//! | listeners per load balancer | `TooManyListeners` |
//! | rules per load balancer | `TooManyRules` |
//! | target groups | `TooManyTargetGroups` |
//! | target groups per load balancer | `TooManyUniqueTargetGroupsPerLoadBalancer` |
//! | target groups per action, values and wildcards per rule | `ValidationError` |
//! | targets per target group | `TooManyTargets` |
//! | tags per resource | `TooManyTags` |
//!
//! The code for target groups per action is taken to be as for values per rule, which is seen
//! in the wild; AWS's reference names none.
//!
//! [page]: https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-limits.html

use serde::{Deserialize, Serialize};

use crate::call::ApiError;

/// How many there may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Quotas {
    /// In the Region.
    pub load_balancers: usize,
    /// On one load balancer.
    pub listeners: usize,
    /// On one load balancer, its listeners' default rules not counted.
    pub rules: usize,
    /// In the Region.
    pub target_groups: usize,
    /// Behind one load balancer; in AWS the one that cannot be raised.
    pub target_groups_per_load_balancer: usize,
    /// In one forward action.
    pub target_groups_per_action: usize,
    /// In all conditions of one rule.
    pub values_per_rule: usize,
    /// `*` and `?` in all conditions of one rule.
    pub wildcards_per_rule: usize,
    /// In one target group.
    pub targets: usize,
    /// On one resource.
    pub tags: usize,
}

impl Default for Quotas {
    fn default() -> Self {
        Self {
            load_balancers: 50,
            listeners: 50,
            rules: 100,
            target_groups: 3000,
            target_groups_per_load_balancer: 100,
            target_groups_per_action: 5,
            values_per_rule: 5,
            wildcards_per_rule: 6,
            targets: 1000,
            tags: 50,
        }
    }
}

/// Refuses what would be more than the quota.
pub(super) fn keep(
    count: usize,
    quota: usize,
    code: &str,
    message: impl FnOnce() -> String,
) -> Result<(), ApiError> {
    if count <= quota { Ok(()) } else { Err(ApiError::client(code, message())) }
}
