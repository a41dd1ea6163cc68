//! What CloudWatch is told of requests: `AWS/ApplicationELB`, by load balancer and by target
//! group in it. Only requests that a listener took are counted, and by the doors that carried
//! them out, which know how they ended.
//!
//! AWS also tells them by Availability Zone, and by target group alone; here it does not.

use std::time::Duration;

use super::TargetState;
use super::route::RouteDecision;
use crate::cloudwatch;
use crate::time::Time;
use crate::world::World;

const NAMESPACE: &str = "AWS/ApplicationELB";

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Ended {
    /// The target answered.
    Target {
        /// With this status.
        status: u16,
        /// So long after the load balancer had sent it the request.
        took: Duration,
    },
    /// The load balancer answered by itself: a fixed response, or 502, 503, 504.
    Own {
        /// The status.
        status: u16,
    },
}

/// Counts a request that was decided on by [`super::route`].
pub fn record(world: &mut World, listener_arn: &str, decision: &RouteDecision, ended: Ended) {
    let Some(balancer) = balancer_of(world, listener_arn) else { return };
    let balancer = [("LoadBalancer", balancer.as_str())];
    let RouteDecision::Forward { target_group, .. } = decision else {
        let failed =
            matches!(decision, RouteDecision::NoHealthyTarget { .. } | RouteDecision::TransformFailed { .. });
        // A fixed response is no error of the load balancer, whatever its status.
        if let Ended::Own { status } = ended
            && failed
        {
            own_error(world, &balancer, status);
        }
        return;
    };
    let group = [("TargetGroup", dimension(target_group)), balancer[0]];
    for dimensions in [&balancer[..], &group[..]] {
        count(world, "RequestCount", dimensions);
        if let Ended::Target { status, took } = ended {
            if let Some(name) = target_code(status) {
                count(world, name, dimensions);
            }
            publish(world, "TargetResponseTime", dimensions, "Seconds", took.as_secs_f64());
        }
    }
    if let Ended::Own { status } = ended {
        own_error(world, &balancer, status);
        if status == 502 {
            count(world, "TargetConnectionErrorCount", &balancer);
            count(world, "TargetConnectionErrorCount", &group);
        }
    }
}

fn own_error(world: &mut World, balancer: &[(&str, &str)], status: u16) {
    if status >= 500 {
        count(world, "HTTPCode_ELB_5XX_Count", balancer);
    }
    match status {
        500 => count(world, "HTTPCode_ELB_500_Count", balancer),
        502 => count(world, "HTTPCode_ELB_502_Count", balancer),
        503 => count(world, "HTTPCode_ELB_503_Count", balancer),
        504 => count(world, "HTTPCode_ELB_504_Count", balancer),
        _ => {}
    }
}

fn target_code(status: u16) -> Option<&'static str> {
    match status / 100 {
        2 => Some("HTTPCode_Target_2XX_Count"),
        3 => Some("HTTPCode_Target_3XX_Count"),
        4 => Some("HTTPCode_Target_4XX_Count"),
        5 => Some("HTTPCode_Target_5XX_Count"),
        _ => None,
    }
}

fn count(world: &mut World, name: &str, dimensions: &[(&str, &str)]) {
    publish(world, name, dimensions, "Count", 1.0);
}

fn publish(world: &mut World, name: &str, dimensions: &[(&str, &str)], unit: &str, value: f64) {
    let now = world.now();
    cloudwatch::publish(world, NAMESPACE, name, dimensions, unit, value, now);
}

/// A minute is over: how many targets were healthy at its end, of each group that has targets
/// and a load balancer.
pub(crate) fn measure_hosts(world: &mut World) {
    let at = Time(world.now().0.saturating_sub(1));
    let mut found: Vec<(String, String, f64, f64)> = Vec::new();
    for (arn, group) in &world.elb.groups {
        if group.targets.is_empty() || !group.in_use {
            continue;
        }
        let of = |state| {
            let count = group.targets.values().filter(|target| target.state == state).count();
            u32::try_from(count).map_or(f64::MAX, f64::from)
        };
        let (healthy, unhealthy) = (of(TargetState::Healthy), of(TargetState::Unhealthy));
        for balancer in balancers_of(world, arn) {
            found.push((dimension(arn).to_owned(), balancer, healthy, unhealthy));
        }
    }
    for (group, balancer, healthy, unhealthy) in found {
        let dimensions = [("TargetGroup", group.as_str()), ("LoadBalancer", balancer.as_str())];
        for (name, value) in [("HealthyHostCount", healthy), ("UnHealthyHostCount", unhealthy)] {
            cloudwatch::publish(world, NAMESPACE, name, &dimensions, "Count", value, at);
        }
    }
}

/// `targetgroup/shop/0123456789abcdef`: what follows the ARN's last colon.
fn dimension(arn: &str) -> &str {
    arn.rsplit(':').next().unwrap_or(arn)
}

/// `app/main/0123456789abcdef`
fn balancer_of(world: &World, listener_arn: &str) -> Option<String> {
    let listener = world.elb.listeners.get(listener_arn)?;
    world.elb.load_balancers.get(&listener.load_balancer).map(|balancer| balancer.path.clone())
}

/// The load balancers whose rules forward to a group: AWS allows one, in fact.
fn balancers_of(world: &World, group: &str) -> Vec<String> {
    let forwards =
        world.elb.rules.values().filter(|rule| rule.action.groups().iter().any(|it| it.arn == group));
    let mut balancers: Vec<String> = forwards.filter_map(|rule| balancer_of(world, &rule.listener)).collect();
    balancers.sort();
    balancers.dedup();
    balancers
}
