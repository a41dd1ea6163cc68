//! Making a listener rule, and giving one of ours other conditions.

use std::collections::BTreeMap;

use aws_sdk_elasticloadbalancingv2::types::{
    Action, ActionTypeEnum, HostHeaderConditionConfig, HttpHeaderConditionConfig,
    HttpRequestMethodConditionConfig, PathPatternConditionConfig, QueryStringConditionConfig,
    QueryStringKeyValuePair, RuleCondition,
};
use windlass_shared::deploy::plan::StepOutcome;
use windlass_shared::deploy::route::same;
use windlass_shared::facts::{FailureKind, Rule, RuleConditions};
use windlass_shared::id::{ListenerArn, RuleArn, TargetGroupArn};

use super::outcome::{refused, unseen};
use super::target_group::tags as elb_tags;
use crate::Clients;
use crate::clients::no_retry;
use crate::error::Failure;
use crate::observe::convert::int;
use crate::observe::route;

const CREATE: &str = "elasticloadbalancing:CreateRule";
const MODIFY: &str = "elasticloadbalancing:ModifyRule";

/// Makes the rule. A priority that was taken meanwhile is `Stale`, unless by this very rule.
pub(super) async fn create(
    clients: &Clients,
    listener: &ListenerArn,
    priority: u32,
    conditions: &RuleConditions,
    group: &TargetGroupArn,
    tags: &BTreeMap<String, String>,
) -> StepOutcome {
    let doing = format!("making rule {priority} on {listener}");
    let action = Action::builder().r#type(ActionTypeEnum::Forward).target_group_arn(group.as_str()).build();
    let sent = clients
        .elb
        .create_rule()
        .listener_arn(listener.as_str())
        .priority(int(priority))
        .set_conditions(Some(written(conditions)))
        .actions(action)
        .set_tags(Some(elb_tags(tags)))
        .customize()
        .config_override(aws_sdk_elasticloadbalancingv2::config::Builder::new().retry_config(no_retry()))
        .send()
        .await;
    let failure = match sent.map_err(|error| Failure::new(CREATE, &error)) {
        Ok(_) => return StepOutcome::Done,
        Err(failure) if failure.is("PriorityInUse") || failure.kind == FailureKind::Unknown => failure,
        Err(failure) => return refused(&doing, &failure),
    };
    let there = match route::rules(&clients.elb, listener).await {
        Ok(rules) => rules.into_iter().find(|rule| rule.priority == Some(priority)),
        Err(look) => return unseen(&doing, &failure, &look),
    };
    match there {
        Some(rule) if is_this(&rule, conditions, group) => StepOutcome::AlreadyDone,
        Some(rule) => StepOutcome::Stale {
            expected: format!("priority {priority} to be free"),
            found: format!("rule {}", rule.arn),
        },
        None if failure.is("PriorityInUse") => StepOutcome::Stale {
            expected: format!("priority {priority} to be free"),
            found: "a rule that came and went".to_owned(),
        },
        None => refused(&doing, &failure),
    }
}

fn is_this(rule: &Rule, conditions: &RuleConditions, group: &TargetGroupArn) -> bool {
    same(&rule.conditions, conditions) && rule.forwards.iter().all(|(to, _)| to == group)
}

/// Gives the rule these conditions. ModifyRule has no conditional write, so the rule is
/// looked at first: the window in which a person's change could be lost is one call wide.
pub(super) async fn set_conditions(
    clients: &Clients,
    rule: &RuleArn,
    expected: &RuleConditions,
    conditions: &RuleConditions,
) -> StepOutcome {
    let doing = format!("setting the conditions of rule {rule}");
    match route::rule_by_arn(&clients.elb, rule).await {
        Err(failure) => return refused(&doing, &failure),
        Ok(None) => return stale(expected, "no such rule".to_owned()),
        Ok(Some(now)) if same(&now.conditions, conditions) => return StepOutcome::AlreadyDone,
        Ok(Some(now)) if !same(&now.conditions, expected) => return stale(expected, words(&now.conditions)),
        Ok(Some(_)) => {}
    }
    let sent = clients
        .elb
        .modify_rule()
        .rule_arn(rule.as_str())
        .set_conditions(Some(written(conditions)))
        .customize()
        .config_override(aws_sdk_elasticloadbalancingv2::config::Builder::new().retry_config(no_retry()))
        .send()
        .await;
    let failure = match sent.map_err(|error| Failure::new(MODIFY, &error)) {
        Ok(_) => return StepOutcome::Done,
        Err(failure) if failure.kind == FailureKind::Unknown => failure,
        Err(failure) => return refused(&doing, &failure),
    };
    match route::rule_by_arn(&clients.elb, rule).await {
        Ok(Some(now)) if same(&now.conditions, conditions) => StepOutcome::Done,
        Ok(_) => refused(&doing, &failure),
        Err(look) => unseen(&doing, &failure, &look),
    }
}

fn stale(expected: &RuleConditions, found: String) -> StepOutcome {
    StepOutcome::Stale { expected: words(expected), found }
}

fn words(conditions: &RuleConditions) -> String {
    let mut parts = Vec::new();
    for (name, values) in [
        ("host", &conditions.hosts),
        ("path", &conditions.paths),
        ("method", &conditions.methods),
        ("query", &conditions.query),
        ("other", &conditions.other),
    ] {
        if !values.is_empty() {
            parts.push(format!("{name} {}", values.join(", ")));
        }
    }
    parts.extend(
        conditions.headers.iter().map(|(name, values)| format!("header {name} {}", values.join(", "))),
    );
    if parts.is_empty() { "no conditions".to_owned() } else { parts.join("; ") }
}

/// Conditions as AWS takes them. Kinds that Windlass does not write (`other`) never come in
/// a plan's wanted conditions: those are made from a spec.
fn written(conditions: &RuleConditions) -> Vec<RuleCondition> {
    let RuleConditions { hosts, paths, headers, methods, query, other: _ } = conditions;
    let mut all = Vec::new();
    if !hosts.is_empty() {
        let config = HostHeaderConditionConfig::builder().set_values(Some(hosts.clone())).build();
        all.push(RuleCondition::builder().field("host-header").host_header_config(config).build());
    }
    if !paths.is_empty() {
        let config = PathPatternConditionConfig::builder().set_values(Some(paths.clone())).build();
        all.push(RuleCondition::builder().field("path-pattern").path_pattern_config(config).build());
    }
    for (name, values) in headers {
        let config = HttpHeaderConditionConfig::builder()
            .http_header_name(name)
            .set_values(Some(values.clone()))
            .build();
        all.push(RuleCondition::builder().field("http-header").http_header_config(config).build());
    }
    if !methods.is_empty() {
        let config = HttpRequestMethodConditionConfig::builder().set_values(Some(methods.clone())).build();
        all.push(
            RuleCondition::builder().field("http-request-method").http_request_method_config(config).build(),
        );
    }
    if !query.is_empty() {
        let pairs = query.iter().map(|text| pair(text)).collect();
        let config = QueryStringConditionConfig::builder().set_values(Some(pairs)).build();
        all.push(RuleCondition::builder().field("query-string").query_string_config(config).build());
    }
    all
}

/// `key=value`, or `value` alone.
fn pair(text: &str) -> QueryStringKeyValuePair {
    match text.split_once('=') {
        Some((key, value)) => QueryStringKeyValuePair::builder().key(key).value(value).build(),
        None => QueryStringKeyValuePair::builder().value(text).build(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_reads_back_the_same() {
        let conditions = RuleConditions {
            hosts: vec!["shop.example.com".into(), "*.example.com".into()],
            paths: vec!["/admin/*".into()],
            headers: BTreeMap::from([("x-team".to_owned(), vec!["a".to_owned(), "b".to_owned()])]),
            methods: vec!["GET".into()],
            query: vec!["version=2".into(), "beta".into()],
            other: Vec::new(),
        };
        assert_eq!(route::conditions(&written(&conditions)), conditions);
        assert_eq!(route::conditions(&written(&RuleConditions::default())), RuleConditions::default());
    }
}
