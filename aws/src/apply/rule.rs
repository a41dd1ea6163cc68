//! Making a listener rule, and changing one of ours.

use std::collections::BTreeMap;

use aws_sdk_elasticloadbalancingv2::types::{
    self as elb, ActionTypeEnum, ForwardActionConfig, HostHeaderConditionConfig, HostHeaderRewriteConfig,
    HttpHeaderConditionConfig, HttpRequestMethodConditionConfig, PathPatternConditionConfig,
    QueryStringConditionConfig, QueryStringKeyValuePair, RewriteConfig, RuleCondition, RuleTransform,
    TargetGroupStickinessConfig, TargetGroupTuple, TransformTypeEnum, UrlRewriteConfig,
};
use windlass_shared::deploy::plan::{RuleChange, StepOutcome};
use windlass_shared::deploy::route::same;
use windlass_shared::facts::{FailureKind, Rule, RuleConditions};
use windlass_shared::id::{ListenerArn, RuleArn, TargetGroupArn};
use windlass_shared::spec::{Rewrite, RewriteOf};

use super::outcome::{refused, unseen};
use super::target_group::tags as elb_tags;
use crate::Clients;
use crate::clients::no_retry;
use crate::error::Failure;
use crate::observe::convert::int;
use crate::observe::route;

const CREATE: &str = "elasticloadbalancing:CreateRule";
const MODIFY: &str = "elasticloadbalancing:ModifyRule";

/// A rule's action, its groups known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Action {
    pub(super) forwards: Vec<(TargetGroupArn, u32)>,
    pub(super) stickiness_secs: Option<u32>,
}

/// A rule to make.
#[derive(Clone, Copy)]
pub(super) struct Wanted<'a> {
    pub(super) conditions: &'a RuleConditions,
    pub(super) action: &'a Action,
    pub(super) rewrites: &'a [Rewrite],
}

/// Makes the rule. A priority that was taken meanwhile is `Stale`, unless by this very rule. The
/// rule's ARN, where it is there as wanted.
pub(super) async fn create(
    clients: &Clients,
    listener: &ListenerArn,
    priority: u32,
    wanted: Wanted<'_>,
    tags: &BTreeMap<String, String>,
) -> (StepOutcome, Option<RuleArn>) {
    let doing = format!("making rule {priority} on {listener}");
    let sent = clients
        .elb
        .create_rule()
        .listener_arn(listener.as_str())
        .priority(int(priority))
        .set_conditions(Some(written(wanted.conditions)))
        .actions(forward(wanted.action))
        .set_transforms((!wanted.rewrites.is_empty()).then(|| transforms(wanted.rewrites)))
        .set_tags(Some(elb_tags(tags)))
        .customize()
        .config_override(aws_sdk_elasticloadbalancingv2::config::Builder::new().retry_config(no_retry()))
        .send()
        .await;
    let failure = match sent.map_err(|error| Failure::new(CREATE, &error)) {
        Ok(made) => {
            let rule = made.rules().first().and_then(|rule| rule.rule_arn()).map(RuleArn::new);
            return (StepOutcome::Done, rule);
        }
        Err(failure) if failure.is("PriorityInUse") || failure.kind == FailureKind::Unknown => failure,
        Err(failure) => return (refused(&doing, &failure), None),
    };
    let there = match route::rules(&clients.elb, listener).await {
        Ok(rules) => rules.into_iter().find(|rule| rule.priority == Some(priority)),
        Err(look) => return (unseen(&doing, &failure, &look), None),
    };
    let outcome = match there {
        Some(rule) if is_this(&rule, wanted) => return (StepOutcome::AlreadyDone, Some(rule.arn)),
        Some(rule) => StepOutcome::Stale {
            expected: format!("priority {priority} to be free"),
            found: format!("rule {}", rule.arn),
        },
        None if failure.is("PriorityInUse") => StepOutcome::Stale {
            expected: format!("priority {priority} to be free"),
            found: "a rule that came and went".to_owned(),
        },
        None => refused(&doing, &failure),
    };
    (outcome, None)
}

fn is_this(rule: &Rule, wanted: Wanted<'_>) -> bool {
    same(&rule.conditions, wanted.conditions) && does(rule, wanted.action) && rule.rewrites == wanted.rewrites
}

/// Whether the rule forwards as wanted, whatever the order of its groups.
fn does(rule: &Rule, action: &Action) -> bool {
    let sorted = |forwards: &[(TargetGroupArn, u32)]| {
        // The weight of a rule's only group means nothing.
        let mut all = forwards.to_vec();
        if let [(_, weight)] = all.as_mut_slice() {
            *weight = 1;
        }
        all.sort();
        all
    };
    sorted(&rule.forwards) == sorted(&action.forwards) && rule.stickiness_secs == action.stickiness_secs
}

/// Changes the rule, then its tags.
pub(super) async fn modify(
    clients: &Clients,
    expected: &Rule,
    change: &RuleChange,
    action: Option<&Action>,
) -> StepOutcome {
    let only_tags = change.conditions.is_none() && action.is_none() && change.rewrites.is_none();
    let outcome =
        if only_tags { StepOutcome::Done } else { modify_rule(clients, expected, change, action).await };
    if change.tags.is_empty() || !outcome.goes_on() {
        return outcome;
    }
    // Adding a tag again changes nothing, so that the SDK may try again.
    let sent = clients
        .elb
        .add_tags()
        .resource_arns(expected.arn.as_str())
        .set_tags(Some(elb_tags(&change.tags)))
        .send()
        .await;
    match sent.map_err(|error| Failure::new("elasticloadbalancing:AddTags", &error)) {
        Ok(_) => outcome,
        Err(failure) if failure.is("RuleNotFound") => stale(expected, "no such rule".to_owned()),
        Err(failure) => refused(&format!("tagging rule {}", expected.arn), &failure),
    }
}

/// Changes the rule. ModifyRule has no conditional write, so the rule is looked at first:
/// the window in which a person's change could be lost is one call wide.
async fn modify_rule(
    clients: &Clients,
    expected: &Rule,
    change: &RuleChange,
    action: Option<&Action>,
) -> StepOutcome {
    let doing = format!("changing rule {}", expected.arn);
    let is_as_wanted = |now: &Rule| {
        change.conditions.as_ref().is_none_or(|wanted| same(&now.conditions, wanted))
            && action.is_none_or(|wanted| does(now, wanted))
            && change.rewrites.as_ref().is_none_or(|wanted| now.rewrites == *wanted)
    };
    match route::rule_by_arn(&clients.elb, &expected.arn).await {
        Err(failure) => return refused(&doing, &failure),
        Ok(None) => return stale(expected, "no such rule".to_owned()),
        Ok(Some(now)) if is_as_wanted(&now) => return StepOutcome::AlreadyDone,
        Ok(Some(now)) if !is_same(&now, expected) => return stale(expected, words(&now)),
        Ok(Some(_)) => {}
    }
    let rewrites = change.rewrites.as_deref();
    let sent = clients
        .elb
        .modify_rule()
        .rule_arn(expected.arn.as_str())
        .set_conditions(change.conditions.as_ref().map(written))
        .set_actions(action.map(|action| vec![forward(action)]))
        .set_transforms(rewrites.filter(|rewrites| !rewrites.is_empty()).map(transforms))
        .set_reset_transforms(rewrites.filter(|rewrites| rewrites.is_empty()).map(|_| true))
        .customize()
        .config_override(aws_sdk_elasticloadbalancingv2::config::Builder::new().retry_config(no_retry()))
        .send()
        .await;
    let failure = match sent.map_err(|error| Failure::new(MODIFY, &error)) {
        Ok(_) => return StepOutcome::Done,
        Err(failure) if failure.kind == FailureKind::Unknown => failure,
        Err(failure) => return refused(&doing, &failure),
    };
    match route::rule_by_arn(&clients.elb, &expected.arn).await {
        Ok(Some(now)) if is_as_wanted(&now) => StepOutcome::Done,
        Ok(_) => refused(&doing, &failure),
        Err(look) => unseen(&doing, &failure, &look),
    }
}

fn is_same(now: &Rule, expected: &Rule) -> bool {
    let action = Action { forwards: expected.forwards.clone(), stickiness_secs: expected.stickiness_secs };
    same(&now.conditions, &expected.conditions) && does(now, &action) && now.rewrites == expected.rewrites
}

fn forward(action: &Action) -> elb::Action {
    let groups = action.forwards.iter().map(|(group, weight)| {
        TargetGroupTuple::builder().target_group_arn(group.as_str()).weight(int(*weight)).build()
    });
    let stickiness = action
        .stickiness_secs
        .map(|secs| TargetGroupStickinessConfig::builder().enabled(true).duration_seconds(int(secs)).build());
    let config = ForwardActionConfig::builder()
        .set_target_groups(Some(groups.collect()))
        .set_target_group_stickiness_config(stickiness)
        .build();
    elb::Action::builder().r#type(ActionTypeEnum::Forward).forward_config(config).build()
}

fn transforms(rewrites: &[Rewrite]) -> Vec<RuleTransform> {
    rewrites.iter().map(transform).collect()
}

fn transform(rewrite: &Rewrite) -> RuleTransform {
    let config = RewriteConfig::builder().regex(&rewrite.regex).replace(&rewrite.replace).build();
    let transform = RuleTransform::builder();
    match rewrite.of {
        RewriteOf::Url => transform
            .r#type(TransformTypeEnum::UrlRewrite)
            .url_rewrite_config(UrlRewriteConfig::builder().rewrites(config).build()),
        RewriteOf::Host => transform
            .r#type(TransformTypeEnum::HostHeaderRewrite)
            .host_header_rewrite_config(HostHeaderRewriteConfig::builder().rewrites(config).build()),
    }
    .build()
}

fn stale(expected: &Rule, found: String) -> StepOutcome {
    StepOutcome::Stale { expected: words(expected), found }
}

fn words(rule: &Rule) -> String {
    let forwards: Vec<String> =
        rule.forwards.iter().map(|(group, weight)| format!("{group} {weight}")).collect();
    format!("{} → {}", conditions_in_words(&rule.conditions), forwards.join(", "))
}

fn conditions_in_words(conditions: &RuleConditions) -> String {
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
