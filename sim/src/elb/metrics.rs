//! What CloudWatch is told of requests: `AWS/ApplicationELB`, by load balancer and by target
//! group in it. Only requests that a listener took are counted, and by the doors that carried
//! them out, which know how they ended.
//!
//! AWS also tells them by Availability Zone, and by target group alone; here it does not.

use std::time::Duration;

use super::TargetState;
use super::route::RouteDecision;
use crate::cloudwatch::{self, Measured};
use crate::load;
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
    if let (RouteDecision::Forward { target_id, port, .. }, Ended::Target { .. }) = (decision, ended) {
        load::single(world, target_id, *port);
    }
    let group = match decision {
        RouteDecision::Forward { target_group, .. } => Some(target_group.as_str()),
        RouteDecision::NoHealthyTarget { .. } | RouteDecision::TransformFailed { .. } => None,
        // A fixed response is no error of the load balancer, whatever its status.
        RouteDecision::Fixed { .. } | RouteDecision::Redirect { .. } => return,
    };
    let many = Many { balancer: &balancer, group, ended, times: 1.0, at: world.now() };
    many.tell(world);
}

/// Requests that ended alike.
pub(crate) struct Many<'a> {
    /// The load balancer, as its dimension says it.
    pub(crate) balancer: &'a str,
    /// The target group's ARN, where a target was chosen.
    pub(crate) group: Option<&'a str>,
    pub(crate) ended: Ended,
    pub(crate) times: f64,
    pub(crate) at: Time,
}

impl Many<'_> {
    pub(crate) fn tell(&self, world: &mut World) {
        let balancer = [("LoadBalancer", self.balancer)];
        if let Some(group) = self.group {
            self.forwarded(world, &[("TargetGroup", dimension(group)), balancer[0]]);
            self.forwarded(world, &balancer);
        }
        let Ended::Own { status } = self.ended else { return };
        if status >= 500 {
            self.count(world, "HTTPCode_ELB_5XX_Count", &balancer);
        }
        match status {
            500 => self.count(world, "HTTPCode_ELB_500_Count", &balancer),
            502 => self.count(world, "HTTPCode_ELB_502_Count", &balancer),
            503 => self.count(world, "HTTPCode_ELB_503_Count", &balancer),
            504 => self.count(world, "HTTPCode_ELB_504_Count", &balancer),
            _ => {}
        }
    }

    fn forwarded(&self, world: &mut World, dimensions: &[(&str, &str)]) {
        self.count(world, "RequestCount", dimensions);
        match self.ended {
            Ended::Target { status, took } => {
                if let Some(name) = target_code(status) {
                    self.count(world, name, dimensions);
                }
                self.publish(world, "TargetResponseTime", dimensions, "Seconds", took.as_secs_f64());
            }
            Ended::Own { status: 502 } => self.count(world, "TargetConnectionErrorCount", dimensions),
            Ended::Own { .. } => {}
        }
    }

    fn count(&self, world: &mut World, name: &str, dimensions: &[(&str, &str)]) {
        self.publish(world, name, dimensions, "Count", 1.0);
    }

    fn publish(&self, world: &mut World, name: &str, dimensions: &[(&str, &str)], unit: &str, value: f64) {
        let times = self.times;
        let measured = Measured { namespace: NAMESPACE, name, dimensions, unit, value, times };
        cloudwatch::publish(world, &measured, self.at);
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

/// A minute is over: how many targets were healthy at its end, of each group that has targets
/// and a load balancer; and what came to each of them on average.
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
        let of = |name, dimensions, value| Measured {
            namespace: NAMESPACE,
            name,
            dimensions,
            unit: "Count",
            value,
            times: 1.0,
        };
        cloudwatch::publish(world, &of("HealthyHostCount", &dimensions, healthy), at);
        cloudwatch::publish(world, &of("UnHealthyHostCount", &dimensions, unhealthy), at);
        let requests = cloudwatch::sum_of_minute(world, &of("RequestCount", &dimensions, 0.0), at);
        if healthy > 0.0 && requests > 0.0 {
            // Its `Sum` is an average: AWS has it so. A target tracking policy names the group alone.
            for dimensions in [&dimensions[..1], &dimensions[..]] {
                let each = of("RequestCountPerTarget", dimensions, requests / healthy);
                cloudwatch::publish(world, &each, at);
            }
        }
    }
}

/// `targetgroup/shop/0123456789abcdef`: what follows the ARN's last colon.
pub(super) fn dimension(arn: &str) -> &str {
    arn.rsplit(':').next().unwrap_or(arn)
}

/// `app/main/0123456789abcdef`
pub(super) fn balancer_of(world: &World, listener_arn: &str) -> Option<String> {
    let listener = world.elb.listeners.get(listener_arn)?;
    world.elb.load_balancers.get(&listener.load_balancer).map(|balancer| balancer.path.clone())
}

/// The load balancers whose rules forward to a group: AWS allows one, in fact.
pub(super) fn balancers_of(world: &World, group: &str) -> Vec<String> {
    let forwards =
        world.elb.rules.values().filter(|rule| rule.action.groups().iter().any(|it| it.arn == group));
    let mut balancers: Vec<String> = forwards.filter_map(|rule| balancer_of(world, &rule.listener)).collect();
    balancers.sort();
    balancers.dedup();
    balancers
}
