//! The route: the listener's rules, the service's target group, and its health.

use std::collections::BTreeMap;

use aws_sdk_elasticloadbalancingv2::types::{
    ActionTypeEnum, RuleCondition, RuleTransform, TargetHealthStateEnum,
};
use futures::join;
use windlass_shared::facts::{
    Fact, RouteFacts, Rule, RuleConditions, Tagged, TargetGroup, TargetHealth, Unreadable,
};
use windlass_shared::id::{ListenerArn, RuleArn, ServiceKey, TargetGroupArn};
use windlass_shared::ledger::RouteHint;
use windlass_shared::names;
use windlass_shared::spec::{HealthSpec, Rewrite, RewriteOf};

use super::convert::{count, elb_tags, fact, text};
use crate::error::Failure;

/// DescribeTags' limit.
const TAGS: usize = 20;

pub(crate) type Elb = aws_sdk_elasticloadbalancingv2::Client;
type Tags = BTreeMap<String, BTreeMap<String, String>>;

/// What was read at once, before it was known whether the hints were right.
pub(crate) struct Early {
    listener: ListenerArn,
    vpc: Result<String, Failure>,
    rules: Result<Vec<Rule>, Failure>,
    group: Result<Option<TargetGroup>, Failure>,
    hinted: RouteHint,
    tags: Result<Tags, Failure>,
    health: Option<Result<TargetHealth, Failure>>,
}

/// Everything of a route that can be asked for without knowing anything else: one round.
/// `hint` is where the route was last seen; a wrong one costs a second round and nothing else.
pub(crate) async fn early(
    elb: &Elb,
    key: &ServiceKey,
    listener: &ListenerArn,
    hint: Option<&RouteHint>,
) -> Early {
    let hinted = hint.filter(|hint| hint.listener == *listener).cloned().unwrap_or_else(|| RouteHint {
        listener: listener.clone(),
        target_group: None,
        rule: None,
    });
    let arns: Vec<String> = [
        hinted.target_group.as_ref().map(ToString::to_string),
        hinted.rule.as_ref().map(ToString::to_string),
    ]
    .into_iter()
    .flatten()
    .collect();
    let name = names::target_group(key);
    let (vpc, rules, group, tags, health) = join!(
        vpc(elb, listener),
        rules(elb, listener),
        target_group(elb, &name),
        tags_of(elb, arns),
        async {
            match &hinted.target_group {
                Some(group) => Some(target_health(elb, group).await),
                None => None,
            }
        },
    );
    Early { listener: listener.clone(), vpc, rules, group, hinted, tags, health }
}

/// Whether the service's second target group is to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Second {
    /// A rollout takes it, or will.
    Wanted,
    /// Only where a rule leads there.
    WhereItLeads,
}

/// The route's facts: what was read early, and what only now can be asked for.
pub(crate) async fn complete(elb: &Elb, key: &ServiceKey, early: Early, second: Second) -> Fact<RouteFacts> {
    let Early { listener, vpc, rules, group, hinted, tags, health } = early;
    let doing = || format!("reading the route on {listener}");
    let (vpc, mut rules) = match (vpc, rules) {
        (Ok(vpc), Ok(rules)) => (vpc, rules),
        (Err(failure), _) | (_, Err(failure)) => return fact(Err(failure), doing),
    };
    let found = match &group {
        Ok(Some(group)) => Some(group.arn.clone()),
        Ok(None) | Err(_) => None,
    };
    let second_group = second_group(elb, key, &rules, second).await;
    let second_found = match &second_group {
        Some(Ok(Some(group))) => Some(group.arn.clone()),
        Some(Ok(None) | Err(_)) | None => None,
    };
    // Tags are read of the rules that lead to our groups: ours are among them, or there is none.
    let leads_to_us = |rule: &&Rule| {
        let mut groups = rule.forwards.iter().map(|(to, _)| Some(to));
        groups.any(|to| to == found.as_ref() || to == second_found.as_ref())
    };
    let to_us = rules.iter().filter(leads_to_us).map(|rule| rule.arn.to_string());
    let groups = found.iter().chain(&second_found).map(ToString::to_string);
    let mut tags = tags.unwrap_or_default();
    let missing: Vec<String> = groups.chain(to_us).filter(|arn| !tags.contains_key(arn)).collect();
    let is_hinted = found.is_some() && found == hinted.target_group;
    let (more, health, second_health) = join!(
        tags_of(elb, missing),
        async {
            match (&found, health) {
                (Some(_), Some(health)) if is_hinted => Some(health),
                (Some(group), _) => Some(target_health(elb, group).await),
                (None, _) => None,
            }
        },
        async {
            match &second_found {
                Some(group) => Some(target_health(elb, group).await),
                None => None,
            }
        },
    );
    match more {
        Ok(more) => tags.extend(more),
        // Without tags nothing of ours could be told from a stranger's.
        Err(failure) => return fact(Err(failure), doing),
    }
    for rule in &mut rules {
        rule.tags = tags.get(rule.arn.as_str()).cloned().unwrap_or_default();
    }
    let tagged = |group: Result<Option<TargetGroup>, Failure>| {
        group.map(|group| {
            group.map(|group| TargetGroup {
                tags: tags.get(group.arn.as_str()).cloned().unwrap_or_default(),
                ..group
            })
        })
    };
    let describing = || "describing the target group".to_owned();
    Fact::Known(RouteFacts {
        vpc,
        rules,
        target_group: fact(tagged(group), describing),
        health: health_fact(health, found.as_ref()),
        second_group: second_group.map_or(Fact::NotAsked, |group| fact(tagged(group), describing)),
        second_health: health_fact(second_health, second_found.as_ref()),
        tagged: Tagged::Own,
        usage: Fact::NotAsked,
        neighbours: BTreeMap::new(),
        listener,
    })
}

/// The second group, by its name; `None` where nobody has a use for it.
async fn second_group(
    elb: &Elb,
    key: &ServiceKey,
    rules: &[Rule],
    second: Second,
) -> Option<Result<Option<TargetGroup>, Failure>> {
    let name = names::second_target_group(key);
    let infix = format!(":targetgroup/{name}/");
    let leads_there = || {
        let mut groups = rules.iter().flat_map(|rule| &rule.forwards);
        groups.any(|(to, _)| to.as_str().contains(&infix))
    };
    if second == Second::WhereItLeads && !leads_there() {
        return None;
    }
    Some(target_group(elb, &name).await)
}

fn health_fact(
    health: Option<Result<TargetHealth, Failure>>,
    group: Option<&TargetGroupArn>,
) -> Fact<TargetHealth> {
    match health {
        None => Fact::Absent,
        Some(health) => fact(health.map(Some), || {
            format!("reading the health of {}", group.map_or("the target group", TargetGroupArn::as_str))
        }),
    }
}

/// A fact that the listener's own ARN cannot give: it is not one of a load balancer's.
pub(crate) fn not_a_listener(listener: &ListenerArn) -> Fact<RouteFacts> {
    Fact::Unreadable(Unreadable {
        doing: "reading the route".to_owned(),
        kind: windlass_shared::facts::FailureKind::Invalid,
        detail: format!("`{listener}` is no ARN of an Application Load Balancer's listener"),
    })
}

/// `…:listener/app/<name>/<id>/<listener>` names its load balancer: `…:loadbalancer/app/<name>/<id>`.
pub(crate) fn load_balancer_arn(listener: &ListenerArn) -> Option<String> {
    let (before, rest) = listener.as_str().split_once(":listener/app/")?;
    let (load_balancer, own) = rest.rsplit_once('/')?;
    let is_one = !own.is_empty() && load_balancer.split('/').count() == 2;
    is_one.then(|| format!("{before}:loadbalancer/app/{load_balancer}"))
}

/// The VPC of the listener's load balancer.
async fn vpc(elb: &Elb, listener: &ListenerArn) -> Result<String, Failure> {
    const ACTION: &str = "elasticloadbalancing:DescribeLoadBalancers";
    let arn = load_balancer_arn(listener).unwrap_or_default();
    let sent = elb.describe_load_balancers().load_balancer_arns(arn).send().await;
    let described = sent.map_err(|error| Failure::new(ACTION, &error))?;
    let vpc = described.load_balancers().first().and_then(|lb| lb.vpc_id());
    vpc.map(str::to_owned).ok_or_else(|| {
        Failure::of_code(ACTION, Some("LoadBalancerNotFound"), "the response has no load balancer")
    })
}

/// All rules of a listener, the default one too; without tags.
pub(crate) async fn rules(elb: &Elb, listener: &ListenerArn) -> Result<Vec<Rule>, Failure> {
    let mut rules = Vec::new();
    let mut marker: Option<String> = None;
    loop {
        let page = elb
            .describe_rules()
            .listener_arn(listener.as_str())
            .set_marker(marker)
            .send()
            .await
            .map_err(|error| Failure::new("elasticloadbalancing:DescribeRules", &error))?;
        rules.extend(page.rules().iter().map(rule));
        marker = page.next_marker.filter(|marker| !marker.is_empty());
        if marker.is_none() {
            return Ok(rules);
        }
    }
}

/// A rule by its ARN.
pub(crate) async fn rule_by_arn(elb: &Elb, arn: &RuleArn) -> Result<Option<Rule>, Failure> {
    let sent = elb.describe_rules().rule_arns(arn.as_str()).send().await;
    match sent.map_err(|error| Failure::new("elasticloadbalancing:DescribeRules", &error)) {
        Ok(described) => Ok(described.rules().first().map(rule)),
        Err(failure) if failure.is("RuleNotFound") => Ok(None),
        Err(failure) => Err(failure),
    }
}

fn rule(rule: &aws_sdk_elasticloadbalancingv2::types::Rule) -> Rule {
    Rule {
        arn: RuleArn::new(text(rule.rule_arn())),
        // The default rule's is the word `default`.
        priority: rule.priority().and_then(|priority| priority.parse().ok()),
        conditions: conditions(rule.conditions()),
        forwards: forwards(rule.actions()),
        stickiness_secs: stickiness(rule.actions()),
        rewrites: rule.transforms().iter().filter_map(rewrite).collect(),
        tags: BTreeMap::new(),
    }
}

/// For how long clients stay with a group; `None` where the action's stickiness is off.
fn stickiness(actions: &[aws_sdk_elasticloadbalancingv2::types::Action]) -> Option<u32> {
    let config =
        actions.iter().find_map(|action| action.forward_config()?.target_group_stickiness_config())?;
    let is_on = config.enabled().unwrap_or(false);
    is_on.then(|| count(config.duration_seconds().unwrap_or_default()))
}

/// One of the rule's transforms: AWS takes one rewrite in each.
fn rewrite(transform: &RuleTransform) -> Option<Rewrite> {
    let (of, rewrites) = match (transform.url_rewrite_config(), transform.host_header_rewrite_config()) {
        (Some(config), _) => (RewriteOf::Url, config.rewrites()),
        (None, Some(config)) => (RewriteOf::Host, config.rewrites()),
        (None, None) => return None,
    };
    let first = rewrites.first()?;
    Some(Rewrite { of, regex: first.regex()?.to_owned(), replace: first.replace()?.to_owned() })
}

/// Where the rule's actions forward to, with weights.
fn forwards(actions: &[aws_sdk_elasticloadbalancingv2::types::Action]) -> Vec<(TargetGroupArn, u32)> {
    let forward = actions.iter().filter(|action| action.r#type() == Some(&ActionTypeEnum::Forward));
    forward
        .flat_map(|action| {
            let weighted: Vec<_> = action
                .forward_config()
                .map(|config| config.target_groups())
                .unwrap_or_default()
                .iter()
                .filter_map(|group| {
                    let arn = TargetGroupArn::new(group.target_group_arn()?);
                    Some((arn, count(group.weight().unwrap_or(1))))
                })
                .collect();
            match action.target_group_arn() {
                Some(only) if weighted.is_empty() => vec![(TargetGroupArn::new(only), 1)],
                _ => weighted,
            }
        })
        .collect()
}

/// A rule's conditions. Kinds that Windlass does not write are kept as AWS's words, so that
/// such a rule never looks like one of ours.
pub(crate) fn conditions(given: &[RuleCondition]) -> RuleConditions {
    let mut read = RuleConditions::default();
    for condition in given {
        if has_regex(condition) {
            read.other.push(format!("{condition:?}"));
            continue;
        }
        match condition.field().unwrap_or_default() {
            "host-header" => {
                let config = condition.host_header_config().map(|c| c.values());
                read.hosts.extend(values(condition, config));
            }
            "path-pattern" => {
                let config = condition.path_pattern_config().map(|c| c.values());
                read.paths.extend(values(condition, config));
            }
            "http-request-method" => {
                let config = condition.http_request_method_config().map(|c| c.values());
                read.methods.extend(values(condition, config));
            }
            "http-header" => {
                if let Some(config) = condition.http_header_config() {
                    let name = text(config.http_header_name());
                    read.headers.entry(name).or_default().extend(config.values().iter().cloned());
                }
            }
            "query-string" => {
                let pairs = condition.query_string_config().map(|c| c.values()).unwrap_or_default();
                read.query.extend(pairs.iter().map(|pair| match pair.key() {
                    Some(key) => format!("{key}={}", pair.value().unwrap_or_default()),
                    None => text(pair.value()),
                }));
            }
            _ => read.other.push(format!("{condition:?}")),
        }
    }
    read
}

fn has_regex(condition: &RuleCondition) -> bool {
    !condition.regex_values().is_empty()
        || condition.host_header_config().is_some_and(|c| !c.regex_values().is_empty())
        || condition.path_pattern_config().is_some_and(|c| !c.regex_values().is_empty())
        || condition.http_header_config().is_some_and(|c| !c.regex_values().is_empty())
}

/// AWS answers with both the old flat list and the typed one; either may stand alone.
fn values(condition: &RuleCondition, typed: Option<&[String]>) -> Vec<String> {
    match typed {
        Some(typed) if !typed.is_empty() => typed.to_vec(),
        _ => condition.values().to_vec(),
    }
}

/// A target group by its name; without tags.
pub(crate) async fn target_group(elb: &Elb, name: &str) -> Result<Option<TargetGroup>, Failure> {
    let sent = elb.describe_target_groups().names(name).send().await;
    match sent.map_err(|error| Failure::new("elasticloadbalancing:DescribeTargetGroups", &error)) {
        Ok(described) => Ok(described.target_groups().first().map(group)),
        Err(failure) if failure.is("TargetGroupNotFound") => Ok(None),
        Err(failure) => Err(failure),
    }
}

fn group(group: &aws_sdk_elasticloadbalancingv2::types::TargetGroup) -> TargetGroup {
    TargetGroup {
        arn: TargetGroupArn::new(text(group.target_group_arn())),
        name: text(group.target_group_name()),
        load_balancers: group.load_balancer_arns().to_vec(),
        check: check(group),
        deregistration_delay_secs: None,
        tags: BTreeMap::new(),
    }
}

/// The health check, where it is one of HTTP.
fn check(group: &aws_sdk_elasticloadbalancingv2::types::TargetGroup) -> Option<HealthSpec> {
    Some(HealthSpec {
        path: group.health_check_path()?.to_owned(),
        matcher: group.matcher()?.http_code()?.to_owned(),
        interval_secs: count(group.health_check_interval_seconds()?),
        timeout_secs: count(group.health_check_timeout_seconds()?),
        healthy_threshold: count(group.healthy_threshold_count()?),
        unhealthy_threshold: count(group.unhealthy_threshold_count()?),
    })
}

/// The tags of rules and groups, by ARN. One that vanished in between has none.
pub(crate) async fn tags_of(elb: &Elb, arns: Vec<String>) -> Result<Tags, Failure> {
    let mut tags = Tags::new();
    for batch in arns.chunks(TAGS) {
        let sent = elb.describe_tags().set_resource_arns(Some(batch.to_vec())).send().await;
        let described = sent.map_err(|error| Failure::new("elasticloadbalancing:DescribeTags", &error))?;
        tags.extend(
            described
                .tag_descriptions()
                .iter()
                .filter_map(|of| Some((of.resource_arn()?.to_owned(), elb_tags(of.tags())))),
        );
    }
    Ok(tags)
}

/// How many of a group's targets are healthy. Draining ones are on their way out.
pub(crate) async fn target_health(elb: &Elb, group: &TargetGroupArn) -> Result<TargetHealth, Failure> {
    let sent = elb.describe_target_health().target_group_arn(group.as_str()).send().await;
    let described =
        sent.map_err(|error| Failure::new("elasticloadbalancing:DescribeTargetHealth", &error))?;
    let mut health = TargetHealth::default();
    for target in described.target_health_descriptions() {
        match target.target_health().and_then(|health| health.state()) {
            Some(TargetHealthStateEnum::Draining | TargetHealthStateEnum::UnhealthyDraining) => {}
            Some(TargetHealthStateEnum::Healthy) => {
                health.healthy += 1;
                health.registered += 1;
            }
            _ => health.registered += 1,
        }
    }
    Ok(health)
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_elasticloadbalancingv2::types::{
        HostHeaderConditionConfig, QueryStringConditionConfig, QueryStringKeyValuePair,
        SourceIpConditionConfig,
    };

    #[test]
    fn a_listeners_arn_names_its_load_balancer() {
        let arn = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:listener/app/main/50dc6c495c0c9188/f2f7dc8efc522ab2";
        assert_eq!(
            load_balancer_arn(&ListenerArn::new(arn)).unwrap(),
            "arn:aws:elasticloadbalancing:eu-central-1:123456789012:loadbalancer/app/main/50dc6c495c0c9188"
        );
        for other in
            ["", "arn:aws:ecs:x:y:service/a/b", &arn.replace("/app/", "/net/"), &arn[..arn.len() - 34]]
        {
            assert_eq!(load_balancer_arn(&ListenerArn::new(other)), None, "{other}");
        }
    }

    #[test]
    fn conditions_are_read_typed_or_flat_and_strange_ones_are_kept_apart() {
        let typed = RuleCondition::builder()
            .field("host-header")
            .values("a.example.com")
            .host_header_config(HostHeaderConditionConfig::builder().values("a.example.com").build())
            .build();
        let flat = RuleCondition::builder().field("path-pattern").values("/a").build();
        let pair = QueryStringKeyValuePair::builder().key("v").value("2").build();
        let query = RuleCondition::builder()
            .field("query-string")
            .query_string_config(QueryStringConditionConfig::builder().values(pair).build())
            .build();
        let strange = RuleCondition::builder()
            .field("source-ip")
            .source_ip_config(SourceIpConditionConfig::builder().values("10.0.0.0/8").build())
            .build();
        let regex = RuleCondition::builder().field("path-pattern").regex_values("^/a").build();
        let read = conditions(&[typed, flat, query, strange, regex]);
        assert_eq!(read.hosts, ["a.example.com"]);
        assert_eq!(read.paths, ["/a"]);
        assert_eq!(read.query, ["v=2"]);
        assert_eq!(read.other.len(), 2);
    }
}
