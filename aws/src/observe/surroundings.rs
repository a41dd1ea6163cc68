//! What of the listener's surroundings a plan needs beyond the service's own: whose the
//! other rules are, what the load balancer has room for, who shares the requests. Each is
//! read only where `shared` says that the plan has a use for it: a quiet pass reads none.

use std::collections::BTreeMap;

use futures::future::join_all;
use futures::{join, try_join};
use windlass_shared::deploy::route::must_know_all;
use windlass_shared::facts::{
    Fact, Neighbour, RouteFacts, Rule, Tagged, TargetGroup, TargetHealth, Unreadable, Usage,
};
use windlass_shared::id::{ListenerArn, ServiceKey, ServiceName, TargetGroupArn};
use windlass_shared::names;
use windlass_shared::spec::RouteSpec;

use super::convert::fact;
use super::route::{Elb, load_balancer_arn, rules, tags_of, target_group, target_health};
use crate::error::Failure;

const DELAY: &str = "deregistration_delay.timeout_seconds";
/// DescribeAccountLimits' names, and AWS's defaults ([AWS][page]) for an account that it does
/// not tell of.
///
/// [page]: https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-limits.html
const RULES: (&str, usize) = ("rules-per-application-load-balancer", 100);
const GROUPS: (&str, usize) = ("target-groups-per-application-load-balancer", 100);

/// Whether the groups' attributes are read: they change with the spec, and with a pass that
/// was killed while it made the group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Attributes {
    /// The spec is the one that was settled.
    AsSettled,
    /// They may differ.
    MayDiffer,
}

/// The facts with everything that a plan of this route may need.
pub(crate) async fn add(
    elb: &Elb,
    key: &ServiceKey,
    route: &RouteSpec,
    attributes: Attributes,
    facts: Fact<RouteFacts>,
) -> Fact<RouteFacts> {
    let Fact::Known(mut facts) = facts else { return facts };
    let group = facts.target_group.known().map(|group| group.arn.clone());
    let knows_all = !must_know_all(route, &facts.rules, group.as_ref(), key);
    let makes = group.is_none() || !knows_all;
    let (tagged, usage, neighbours, delay) = join!(
        async { if knows_all { Ok(BTreeMap::new()) } else { other_tags(elb, &facts.rules).await } },
        async { if makes { Some(usage(elb, &facts).await) } else { None } },
        neighbours(elb, key, route),
        async {
            match (&group, attributes) {
                (Some(group), Attributes::MayDiffer) => Some(delay(elb, group).await),
                (Some(_), Attributes::AsSettled) | (None, _) => None,
            }
        },
    );
    match tagged {
        Ok(mut tagged) if !knows_all => {
            facts.tagged = Tagged::All;
            for rule in &mut facts.rules {
                rule.tags.extend(tagged.remove(rule.arn.as_str()).unwrap_or_default());
            }
        }
        Ok(_) => {}
        // Without tags nothing of ours could be told from a stranger's.
        Err(failure) => return unreadable(failure, &facts.listener),
    }
    if let Some(usage) = usage {
        let doing = || format!("counting the rules and groups of the load balancer of {}", facts.listener);
        facts.usage = fact(usage.map(Some), doing);
    }
    facts.neighbours = neighbours;
    match (delay, &mut facts.target_group) {
        (Some(Ok(delay)), Fact::Known(group)) => group.deregistration_delay_secs = delay,
        (Some(Err(failure)), Fact::Known(_)) => return unreadable(failure, &facts.listener),
        (Some(Ok(_) | Err(_)) | None, _) => {}
    }
    Fact::Known(facts)
}

fn unreadable(failure: Failure, listener: &ListenerArn) -> Fact<RouteFacts> {
    let what: Unreadable = failure.into_unreadable(format!("reading the route on {listener}"));
    Fact::Unreadable(what)
}

/// All of a listener's rules with their tags: for people, who have the time.
pub async fn listener_rules(elb: &Elb, listener: &ListenerArn) -> Result<Vec<Rule>, Failure> {
    let mut rules = rules(elb, listener).await?;
    let mut tags = other_tags(elb, &rules).await?;
    for rule in &mut rules {
        rule.tags = tags.remove(rule.arn.as_str()).unwrap_or_default();
    }
    Ok(rules)
}

/// The tags of all rules that are not known to be ours yet.
async fn other_tags(
    elb: &Elb,
    rules: &[Rule],
) -> Result<BTreeMap<String, BTreeMap<String, String>>, Failure> {
    let unread = rules.iter().filter(|rule| rule.priority.is_some() && rule.tags.is_empty());
    tags_of(elb, unread.map(|rule| rule.arn.to_string()).collect()).await
}

/// What the load balancer has, and what it may have.
async fn usage(elb: &Elb, facts: &RouteFacts) -> Result<Usage, Failure> {
    let load_balancer = load_balancer_arn(&facts.listener).unwrap_or_default();
    let ((rules_max, groups_max), groups, others) =
        try_join!(limits(elb), groups(elb, &load_balancer), other_rules(elb, &load_balancer, facts))?;
    let own = facts.rules.iter().filter(|rule| rule.priority.is_some()).count();
    Ok(Usage { rules: own + others, rules_max, groups, groups_max })
}

async fn limits(elb: &Elb) -> Result<(usize, usize), Failure> {
    let mut there = BTreeMap::new();
    let mut marker: Option<String> = None;
    loop {
        let page = elb
            .describe_account_limits()
            .set_marker(marker)
            .send()
            .await
            .map_err(|error| Failure::new("elasticloadbalancing:DescribeAccountLimits", &error))?;
        there.extend(
            page.limits()
                .iter()
                .filter_map(|limit| Some((limit.name()?.to_owned(), limit.max()?.parse::<usize>().ok()?))),
        );
        marker = page.next_marker.filter(|marker| !marker.is_empty());
        if marker.is_none() {
            break;
        }
    }
    let of = |(name, default): (&str, usize)| there.get(name).copied().unwrap_or(default);
    Ok((of(RULES), of(GROUPS)))
}

async fn groups(elb: &Elb, load_balancer: &str) -> Result<usize, Failure> {
    let mut count = 0;
    let mut marker: Option<String> = None;
    loop {
        let page = elb
            .describe_target_groups()
            .load_balancer_arn(load_balancer)
            .set_marker(marker)
            .send()
            .await
            .map_err(|error| Failure::new("elasticloadbalancing:DescribeTargetGroups", &error))?;
        count += page.target_groups().len();
        marker = page.next_marker.filter(|marker| !marker.is_empty());
        if marker.is_none() {
            return Ok(count);
        }
    }
}

/// The quota is the load balancer's, not the listener's.
async fn other_rules(elb: &Elb, load_balancer: &str, facts: &RouteFacts) -> Result<usize, Failure> {
    let sent = elb.describe_listeners().load_balancer_arn(load_balancer).send().await;
    let listeners = sent.map_err(|error| Failure::new("elasticloadbalancing:DescribeListeners", &error))?;
    let others = listeners.listeners().iter().filter_map(|listener| listener.listener_arn());
    let others: Vec<ListenerArn> =
        others.filter(|arn| *arn != facts.listener.as_str()).map(ListenerArn::new).collect();
    let mut count = 0;
    for of in join_all(others.iter().map(|listener| rules(elb, listener))).await {
        count += of?.iter().filter(|rule| rule.priority.is_some()).count();
    }
    Ok(count)
}

async fn delay(elb: &Elb, group: &TargetGroupArn) -> Result<Option<u32>, Failure> {
    const ACTION: &str = "elasticloadbalancing:DescribeTargetGroupAttributes";
    let sent = elb.describe_target_group_attributes().target_group_arn(group.as_str()).send().await;
    let described = sent.map_err(|error| Failure::new(ACTION, &error))?;
    let delay = described.attributes().iter().find(|attribute| attribute.key() == Some(DELAY));
    Ok(delay.and_then(|delay| delay.value()?.parse().ok()))
}

/// The services of an experiment, each with the group that can answer for it.
async fn neighbours(
    elb: &Elb,
    key: &ServiceKey,
    route: &RouteSpec,
) -> BTreeMap<ServiceName, Fact<Neighbour>> {
    let all = route.weights.keys().map(|name| async move {
        let key = ServiceKey { cluster: key.cluster.clone(), service: name.clone() };
        let found = neighbour(elb, &key).await;
        (name.clone(), fact(found, || format!("reading the target groups of {key}")))
    });
    join_all(all).await.into_iter().collect()
}

/// After a blue/green rollout it may be the second group that answers.
async fn neighbour(elb: &Elb, key: &ServiceKey) -> Result<Option<Neighbour>, Failure> {
    let (first, second) = try_join!(
        of_service(elb, key, names::target_group(key)),
        of_service(elb, key, names::second_target_group(key))
    )?;
    let serves = |found: &Option<Neighbour>| found.as_ref().is_some_and(|found| found.health.healthy > 0);
    Ok(if !serves(&first) && serves(&second) { second } else { first.or(second) })
}

async fn of_service(elb: &Elb, key: &ServiceKey, name: String) -> Result<Option<Neighbour>, Failure> {
    let Some(group) = owned(elb, key, &name).await? else { return Ok(None) };
    let health: TargetHealth = target_health(elb, &group.arn).await?;
    Ok(Some(Neighbour { group: group.arn, health }))
}

/// The group of this name, where it carries this service's tag.
pub(crate) async fn owned(elb: &Elb, key: &ServiceKey, name: &str) -> Result<Option<TargetGroup>, Failure> {
    let Some(group) = target_group(elb, name).await? else { return Ok(None) };
    let mut tags = tags_of(elb, vec![group.arn.to_string()]).await?;
    let tags = tags.remove(group.arn.as_str()).unwrap_or_default();
    let is_ours = tags.get(names::TAG_SERVICE) == Some(&key.to_string());
    Ok(is_ours.then_some(TargetGroup { tags, ..group }))
}
