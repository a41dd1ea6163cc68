//! DescribeAccountLimits: the quotas, by AWS's names.

use serde_json::{Value, json};

use super::Quotas;

/// The limits of Application Load Balancers. ([AWS][page])
///
/// [page]: https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_Limit.html
pub(super) fn describe(quotas: &Quotas) -> Value {
    let limits: Vec<Value> = [
        ("application-load-balancers", quotas.load_balancers),
        ("condition-values-per-alb-rule", quotas.values_per_rule),
        ("condition-wildcards-per-alb-rule", quotas.wildcards_per_rule),
        ("listeners-per-application-load-balancer", quotas.listeners),
        ("rules-per-application-load-balancer", quotas.rules),
        ("target-groups", quotas.target_groups),
        ("target-groups-per-action-on-application-load-balancer", quotas.target_groups_per_action),
        ("target-groups-per-application-load-balancer", quotas.target_groups_per_load_balancer),
        ("targets-per-application-load-balancer", quotas.targets),
    ]
    .iter()
    .map(|(name, max)| json!({ "Name": name, "Max": max.to_string() }))
    .collect();
    json!({ "Limits": limits })
}
